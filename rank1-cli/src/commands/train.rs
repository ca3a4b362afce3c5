//! `rank1 train`: recipe and rows in, a run folder out.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result};
use rank1_data::{InputLayout, Normalizer};
use rank1_models::checkpoint::{FORMAT, PROGRAM};
use rank1_models::device::Compute;
use rank1_models::fit::{FitOptions, TrainingData, TrainingInputs, fit_until};
use rank1_models::network::NetworkShape;
use rank1_models::recipe::{CheckedRecipe, Override};
use toml::Value;

use crate::args::TrainArgs;
use crate::baseline::LinearBaseline;
use crate::constant::ConstantPrediction;
use crate::evaluation::{self, Request};
use crate::launch::Launch;
use crate::model::{Model, ModelDocument, checkpoint_folder, write_document};
use crate::progress::TrainingProgress;
use crate::reference::Reference;
use crate::report::input::Evaluation;
use crate::run_folder::{self, RunFacts};
use crate::run_start::{self, OpenRun, Opened};
use crate::source::Source;
use crate::stop::{self, StopRequest};
use crate::validation::Validation;
use crate::{data_file, memory, recipe_file, source, tables};

/// Trains, evaluates on the test split and writes the run folder.
///
/// # Errors
/// Recipe problems, data errors, divergence, and files that cannot be written.
pub fn run(args: &TrainArgs) -> Result<()> {
    run_on(args, &Launch::alone())
}

/// As [`run`], as one of several ranks where the process was launched so: the first writes, evaluates and prints.
///
/// # Errors
/// As [`run`].
pub fn run_on(args: &TrainArgs, launch: &Launch) -> Result<()> {
    run_recipe(args, &read_recipe(args)?, launch)
}

/// As [`run`], of a recipe that was read or made; `args.recipe` is what messages call it.
///
/// # Errors
/// As [`run`].
pub fn run_recipe(args: &TrainArgs, recipe: &CheckedRecipe, launch: &Launch) -> Result<()> {
    let args = &TrainArgs { quiet: args.quiet || !launch.is_first(), ..args.clone() };
    let compute = Compute::open(launch.device(&args.device))?.with_ranks(launch.ranks().cloned());
    let named = |section| format!("{}: {section}", args.recipe.display());
    let places = recipe_file::places(&args.recipe, args.data.as_deref());
    let (located, data) =
        data_file::locate(recipe.get(), places).with_context(|| args.recipe.display().to_string())?;
    let mut source =
        source::open(&located, args.data.as_deref(), args.quiet).with_context(|| named("data"))?;
    let settings = recipe.get();
    source.train = source::training_rows(settings, source.train).with_context(|| named("data"))?;
    evaluation::check(settings, &source).with_context(|| named("evaluate"))?;
    let shape = source::shape(settings, &source).with_context(|| named("model"))?;
    let mut job = Job { args, launch, recipe, compute, source, shape };
    if !args.force {
        let rows = job.source.train.len();
        memory::check(recipe, &job.shape, &job.compute, rows, job.at_a_time())
            .with_context(|| named("model"))?;
    }
    let rows = job.rows().with_context(|| named("data"))?;
    job.shape = source::with_columns(job.shape.clone(), settings, &job.source, &rows.data)?;
    let resume = stop::resume_command(std::env::args_os().map(|word| word.to_string_lossy().into_owned()));
    let resume = launch.command(resume);
    let run = args.out.clone().unwrap_or_else(|| default_run(recipe));
    // Before there is a folder that a signal could leave behind.
    let stop = StopRequest::listen(resume.clone(), launch.ranks().is_some())?;
    let mut open = None;
    let is_finished =
        launch.of_first(|| match run_start::open(&run, recipe, data.as_ref(), args.resume)? {
            Opened::Ready(ready) => {
                open = Some(ready);
                Ok(false)
            }
            Opened::Finished => Ok(true),
        })?;
    if is_finished {
        if !args.quiet {
            tables::note(&format!("{}: already finished", run.display()));
        }
        return if launch.is_first() { show_stored(&run, args) } else { Ok(()) };
    }
    job.source.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
    match job.train(&rows, &run, &stop) {
        Ok(Some(evaluation)) => job.show(&run, &evaluation),
        Ok(None) => Ok(()),
        Err(error) => {
            let is_saved = open.as_ref().is_some_and(OpenRun::has_state);
            if let Some(open) = open {
                open.abandon();
            }
            let stopped = matches!(error.downcast_ref(), Some(rank1_models::Error::Interrupted));
            Err(if stopped { stop.interrupted(is_saved, &resume).into() } else { error })
        }
    }
}

/// Everything that training needs, read and checked.
struct Job<'a> {
    args: &'a TrainArgs,
    launch: &'a Launch,
    recipe: &'a CheckedRecipe,
    compute: Compute,
    source: Source,
    shape: NetworkShape,
}

/// The rows as the networks see them.
struct TrainingRows {
    data: TrainingData,
    normalizer: Normalizer,
}

impl TrainingRows {
    /// The linear model beside the networks; only of tables.
    fn linear(&self, source: &Source, seed: u64) -> Option<LinearBaseline> {
        let (Some(_), TrainingInputs::Stored(inputs)) = (&source.schema, &self.data.inputs) else {
            return None;
        };
        Some(LinearBaseline::fit(inputs.view(), &self.data.targets, &self.data.validation, seed))
    }
}

/// Which members validation rows have chosen, of networks that dropped some.
fn tell_kept(model: &Model) {
    let trained = model.recipe.get().method.n_members();
    for kept in model.kept_members().into_iter().flatten() {
        let numbers: Vec<String> = kept.iter().map(ToString::to_string).collect();
        let (n, numbers) = (kept.len(), numbers.join(", "));
        tables::note(&format!(
            "kept {n} of {trained} members by validation rows (train.prune_members): {numbers}"
        ));
    }
}

impl Job<'_> {
    fn threads(&self) -> usize {
        // A device computes one network at a time, each with all of it.
        if !self.compute.is_cpu() {
            return 1;
        }
        self.args.threads.map_or_else(available_threads, |n| n as usize)
    }

    /// Networks or trials that are trained at a time.
    fn at_a_time(&self) -> usize {
        let settings = self.recipe.get();
        let trials = settings.search.values().map(Vec::len).product::<usize>();
        self.threads().min(settings.method.n_networks().max(trials))
    }

    fn rows(&self) -> Result<TrainingRows> {
        let normalizer = self.source.normalizer(self.recipe.get())?;
        let data = source::training_data(self.recipe.get(), &self.source, &normalizer, self.at_a_time())?;
        Ok(TrainingRows { data, normalizer })
    }

    /// Trains, evaluates and writes the run folder; of several ranks all train, and the first does the rest.
    fn train(&self, rows: &TrainingRows, run: &Path, stop: &StopRequest) -> Result<Option<Evaluation>> {
        let (settings, source, compute) = (self.recipe.get(), &self.source, &self.compute);
        let (started, threads) = (Instant::now(), self.threads());
        let unit = if matches!(source.layout, InputLayout::Image { .. }) { "images" } else { "rows" };
        let progress = TrainingProgress::new(settings, unit, self.args.quiet);
        let checkpoint = checkpoint_folder(run);
        let report = |p: rank1_models::fit::Progress<'_>| progress.update(p);
        let options = FitOptions { threads, compute, checkpoint: Some(&checkpoint), progress: &report };
        let fitted = fit_until(self.recipe, &self.shape, &rows.data, options, stop.flag())?;
        stop.end_training();
        if stop.flag().load(Ordering::SeqCst) {
            return Err(rank1_models::Error::Interrupted.into());
        }
        progress.finish();
        if !self.launch.is_first() {
            return Ok(None);
        }
        let trained_seconds = started.elapsed().as_secs_f64();
        let document = ModelDocument {
            format: FORMAT,
            program: PROGRAM.into(),
            shape: self.shape.clone(),
            recipe: fitted.chosen.to_toml(),
            recipe_hash: self.recipe.hash(),
            task: source.task,
            normalizer: rows.normalizer.clone(),
            schema: source.schema.clone(),
            image: source.image,
            layout: source.layout,
            scaler: source.scaler.clone(),
            feature_names: source.feature_names.clone(),
            class_names: source.class_names.clone(),
            constant: ConstantPrediction::of(source.train.targets()),
            linear: rows.linear(source, settings.seed),
        };
        let validation = Validation::of(&rows.data, &fitted)?;
        let mut model = Model::new(document, fitted.chosen, fitted.networks, fitted.histories, compute);
        if !self.args.quiet {
            tell_kept(&model);
        }
        let samples = model.n_samples(None);
        let request = Request {
            set: &source.name,
            split: "test",
            samples,
            shifts: &settings.evaluate.shifts,
            shift_rows: settings.evaluate.shift_rows,
            ood: settings.evaluate.ood.as_deref(),
            curves: true,
            table: true,
            seed: settings.seed,
            ..Request::default()
        };
        let microseconds = run_folder::microseconds_per_prediction(&mut model, &source.test, samples)
            .map_err(|e| divergence(e, &model))?;
        // Only a model whose predictions are numbers becomes one that can be opened.
        write_document(run, &model.document)?;
        let evaluation = evaluation::evaluate(&mut model, &source.test, &request)?;
        Reference::make(&mut model, source, run)?.write(run)?;
        let facts = RunFacts {
            recipe: self.recipe,
            source,
            model: &model,
            evaluation: &evaluation,
            trials: &fitted.trials,
            samples,
            trained_seconds,
            microseconds_per_prediction: microseconds,
            threads,
            device: compute.describe(),
            validation,
        };
        run_folder::finish(run, &facts)?;
        if let Some(warning) = validation.and_then(|validation| validation.warning()) {
            tables::note(&warning);
        }
        Ok(Some(evaluation))
    }

    fn show(&self, run: &Path, evaluation: &Evaluation) -> Result<()> {
        if self.args.json {
            tables::print_json(evaluation)?;
        } else if !self.args.quiet {
            tables::print_evaluation(evaluation)?;
            tables::note(&format!("run folder: {}", run.display()));
        }
        Ok(())
    }
}

/// A model that has just been trained and predicts no numbers has diverged.
fn divergence(error: anyhow::Error, model: &Model) -> anyhow::Error {
    let last = model.histories.iter().filter_map(|history| history.last()).max_by_key(|record| record.step);
    let (step, epoch) = last.map_or((0, 0), |r| (r.step.saturating_sub(1), r.epoch as usize));
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

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
