//! `rank1 train`: recipe and rows in, a run folder out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use rank1_data::InputLayout;
use rank1_models::device::Compute;
use rank1_models::fit::{FitOptions, fit};
use rank1_models::recipe::{CheckedRecipe, Override, Recipe};
use toml::Value;

use crate::args::TrainArgs;
use crate::evaluation::{self, Request};
use crate::model::{Model, ModelDocument, checkpoint_folder, write_document};
use crate::progress::TrainingProgress;
use crate::run_folder::{self, RunFacts};
use crate::{own_table, recipe_file, source, tables};

/// Trains, evaluates on the test split and writes the run folder.
///
/// # Errors
/// Recipe problems, data errors, divergence, and files that cannot be written.
pub fn run(args: &TrainArgs) -> Result<()> {
    let compute = Compute::open(args.device.clone())?;
    let recipe = read_recipe(args)?;
    let settings = recipe.get();
    let named = |section| format!("{}: {section}", args.recipe.display());
    let mut source =
        source::open(settings, args.data.as_deref(), args.quiet).with_context(|| named("data"))?;
    source.train = source::training_rows(settings, source.train).with_context(|| named("data"))?;
    let normalizer = source.normalizer()?;
    // A device computes one network at a time, each with all of it.
    let threads =
        if compute.is_cpu() { args.threads.map_or_else(available_threads, |n| n as usize) } else { 1 };
    let at_a_time = threads.min(at_most(settings));
    let data =
        source::training_data(settings, &source, &normalizer, at_a_time).with_context(|| named("data"))?;
    let shape = source::shape(settings, &source).with_context(|| named("model"))?;
    evaluation::check(settings, &source).with_context(|| named("evaluate"))?;
    let run = args.out.clone().unwrap_or_else(|| default_run(&recipe));
    if run_folder::open(&run, &recipe, args.resume)? {
        if !args.quiet {
            tables::note(&format!("{}: already finished", run.display()));
        }
        if let (Some(digest), Some(file)) = (&source.digest, &settings.data.file)
            && let Some(change) = own_table::changed(&run, digest, file)?
        {
            tables::note(&format!("note: {change}"));
        }
        return show_stored(&run, args);
    }
    own_table::hold_to_digest(&run, &source, settings)?;
    source.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
    let started = Instant::now();
    let unit = if matches!(source.layout, InputLayout::Image { .. }) { "images" } else { "rows" };
    let progress = TrainingProgress::new(settings, unit, args.quiet);
    let checkpoint = checkpoint_folder(&run);
    let report = |p: rank1_models::fit::Progress<'_>| progress.update(p);
    let options = FitOptions { threads, compute: &compute, checkpoint: Some(&checkpoint), progress: &report };
    let fitted = fit(&recipe, &shape, &data, options)?;
    progress.finish();
    let trained_seconds = started.elapsed().as_secs_f64();
    let document = ModelDocument {
        shape,
        recipe: fitted.chosen.to_toml(),
        recipe_hash: recipe.hash(),
        task: source.task,
        normalizer,
        schema: source.schema.clone(),
        image: source.image,
        layout: source.layout,
        scaler: source.scaler.clone(),
        feature_names: source.feature_names.clone(),
        class_names: source.class_names.clone(),
    };
    let mut model = Model::new(document, fitted.chosen, fitted.networks, fitted.histories, &compute);
    let samples = model.n_samples(None);
    let request = Request {
        set: &source.name,
        split: "test",
        samples,
        shifts: &settings.evaluate.shifts,
        ood: settings.evaluate.ood.as_deref(),
        curves: true,
        seed: settings.seed,
        ..Request::default()
    };
    let microseconds = run_folder::microseconds_per_prediction(&mut model, &source.test, samples)
        .map_err(|e| divergence(e, &model))?;
    // Only a model whose predictions are numbers becomes one that can be opened.
    write_document(&run, &model.document)?;
    let evaluation = evaluation::evaluate(&mut model, &source.test, &request)?;
    let facts = RunFacts {
        recipe: &recipe,
        source: &source,
        model: &model,
        evaluation: &evaluation,
        trials: &fitted.trials,
        samples,
        trained_seconds,
        microseconds_per_prediction: microseconds,
        threads,
        device: compute.describe(),
    };
    run_folder::finish(&run, &facts)?;
    if args.json {
        tables::print_json(&evaluation)?;
    } else if !args.quiet {
        tables::print_evaluation(&evaluation)?;
        tables::note(&format!("run folder: {}", run.display()));
    }
    Ok(())
}

/// A model that has just been trained and predicts no numbers has diverged.
fn divergence(error: anyhow::Error, model: &Model) -> anyhow::Error {
    let last = model.histories.iter().filter_map(|history| history.last()).max_by_key(|record| record.step);
    let (step, epoch) = last.map_or((0, 0), |r| (r.step.saturating_sub(1), r.epoch.saturating_sub(1)));
    match error.downcast::<rank1_models::Error>() {
        Ok(error) => error.of_training(step, epoch).into(),
        Err(other) => other,
    }
}

fn show_stored(run: &Path, args: &TrainArgs) -> Result<()> {
    let stored = run_folder::read_evaluation(run)?;
    if args.json {
        tables::print_json(&stored)?;
    } else if !args.quiet {
        tables::print_evaluation(&stored)?;
    }
    Ok(())
}

fn read_recipe(args: &TrainArgs) -> Result<CheckedRecipe> {
    let mut overrides = args.overrides.clone();
    if let Some(seed) = args.seed {
        let seed = i64::try_from(seed).context("--seed: at most 2^63 - 1")?;
        overrides.push(Override::new("seed", Value::Integer(seed)));
    }
    recipe_file::read(&args.recipe, &overrides)
}

fn default_run(recipe: &CheckedRecipe) -> PathBuf {
    let settings = recipe.get();
    let name = settings.name.replace(['/', '\\'], "-");
    PathBuf::from("runs").join(format!("{}-{name}-seed{}", settings.data.set, settings.seed))
}

/// Networks or trials that could be trained at a time.
fn at_most(settings: &Recipe) -> usize {
    let trials = settings.search.values().map(Vec::len).product::<usize>();
    settings.method.n_networks().max(trials)
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
