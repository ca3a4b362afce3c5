//! `rank1 evaluate`: a finished run measured on a split, optionally under a shift.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rank1_data::PhysionetScaler;
use rank1_models::device::Compute;
use rank1_models::recipe::Recipe;

use crate::args::{EvaluateArgs, SplitName};
use crate::data_file::{self, Places};
use crate::evaluation::{self, Request};
use crate::model::Model;
use crate::part::Part;
use crate::report::input::Evaluation;
use crate::shift::{InputShift, Rows};
use crate::{clinical, own_table, run_folder, run_start, source, tables};

/// Evaluates and prints; the plain evaluation of the test split is also stored in the run folder.
///
/// # Errors
/// A damaged run, data errors, a shift that does not apply.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    let mut model = Model::open(&args.run, &Compute::open(args.device.clone())?, args.draws)?;
    let recipe = model.recipe.get().clone();
    let event =
        args.event.as_deref().map(|event| evaluation::event_class(event, &model.document.class_names));
    let event = event.transpose().context("--event")?;
    if let Some(file) = &args.input {
        return evaluate_file(args, &mut model, file, event);
    }
    if let Some(copies) = &args.corrupted {
        let samples = model.n_samples(args.samples);
        let severities = asked_severities(&args.severities)?;
        let severities = severities.as_deref();
        let evaluation = evaluation::evaluate_published(&mut model, copies, severities, samples, args.json)?;
        return if args.json {
            tables::print_json(&evaluation)
        } else {
            tables::print_evaluation(&evaluation)
        };
    }
    if let Some(scaler) = model.document.scaler.clone() {
        return evaluate_stays(args, &mut model, &recipe, &scaler, event);
    }
    if let SplitName::Set(_) = args.split {
        bail!("--split {}: only runs on clinical stays have lettered sets", args.split);
    }
    let before = run_start::data_file(&args.run);
    let places = Places { data: args.data.as_deref(), folder: Some(&args.run), before: before.as_ref() };
    let (located, now) =
        data_file::locate(&recipe, places).with_context(|| args.run.display().to_string())?;
    let mut source = source::open(&located, args.data.as_deref(), args.json)?;
    source.train = source::training_rows(&recipe, source.train)?;
    let same = match (&source.schema, &model.document.schema) {
        (Some(now), Some(then)) => now.has_columns_of(then),
        (now, then) => now.is_none() && then.is_none(),
    };
    if !same {
        bail!(
            "{}: {} has other columns, levels or values than when the model was trained",
            args.run.display(),
            recipe.data.file.as_deref().unwrap_or(&recipe.data.set)
        );
    }
    if source.class_names != model.document.class_names {
        bail!(
            "{}: {} has {} classes, other than the {} the model was trained on",
            args.run.display(),
            source.provenance,
            source.class_names.len(),
            model.document.class_names.len()
        );
    }
    if let (Some(before), Some(now)) = (&before, &now)
        && before.has_changed_to(now)
    {
        tables::note(&format!(
            "note: {} is not as it was when the model was trained (its SHA-256 is another)",
            now.path().display()
        ));
    }
    let mut split = pick(args.split, &source.train, &source.test, || source.validation_rows(&recipe))?;
    if let Some(text) = &args.shift {
        split = split.shifted(text.parse::<InputShift>()?, source.rows(), recipe.seed)?;
    }
    if args.split == SplitName::Validation && recipe.train.early_stopping.is_none() {
        tables::note("note: the model was trained on all training rows, these among them");
    }
    let plain = args.split == SplitName::Test
        && args.shift.is_none()
        && args.samples.is_none()
        && args.draws.is_none()
        && args.event.is_none();
    let split_name = args.split.to_string();
    let request = Request {
        set: &source.name,
        split: &split_name,
        shift: args.shift.clone(),
        samples: model.n_samples(args.samples),
        shifts: if plain { &recipe.evaluate.shifts } else { &[] },
        shift_rows: recipe.evaluate.shift_rows,
        ood: recipe.evaluate.ood.as_deref().filter(|_| plain),
        curves: plain,
        table: plain,
        event,
        seed: recipe.seed,
    };
    let evaluation = evaluation::evaluate(&mut model, &split, &request)?;
    if args.json {
        tables::print_json(&evaluation)?;
    } else {
        tables::print_evaluation(&evaluation)?;
    }
    if plain {
        store(&args.run, &evaluation)?;
    }
    Ok(())
}

/// Stores what was printed; a folder that may only be read is told, because the numbers are there.
fn store(run: &Path, evaluation: &Evaluation) -> Result<()> {
    let Err(error) = run_folder::write_evaluation(run, evaluation) else { return Ok(()) };
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let is_read_only = |cause: &&std::io::Error| {
        matches!(cause.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
    };
    let Some(cause) = cause.filter(is_read_only) else { return Err(error) };
    let folder = run.display();
    tables::note(&format!("note: {folder} cannot be written, its evaluation.json stays as it is: {cause}"));
    Ok(())
}

/// The severities of `--severities`, ascending; none where none are given.
fn asked_severities(given: &[u8]) -> Result<Option<Vec<u8>>> {
    if given.windows(2).any(|pair| pair[0] >= pair[1]) {
        bail!("--severities: expected the severities in the order of the files, ascending, got {given:?}");
    }
    Ok((!given.is_empty()).then(|| given.to_vec()))
}

/// Any labelled table with the columns of the training table; nothing is stored.
fn evaluate_file(args: &EvaluateArgs, model: &mut Model, file: &Path, event: Option<usize>) -> Result<()> {
    let Some(schema) = model.document.schema.clone() else {
        bail!("--input: only runs on tables are measured on a file, {} is none", args.run.display());
    };
    let schema = schema.with_reading(&own_table::changes(&args.overrides)?);
    if !file.is_file() {
        // It is read twice, for its notes and for its rows.
        let reason = if file.exists() { "expected a file" } else { "no such file" };
        bail!("--input {}: {reason}", file.display());
    }
    let mut part = Part::from(schema.read(file)?);
    schema.read_inputs(file)?.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
    let recipe = model.recipe.get().clone();
    if let Some(text) = &args.shift {
        let rows = Rows { image: model.document.image, layout: model.document.layout };
        part = part.shifted(text.parse::<InputShift>()?, rows, recipe.seed)?;
    }
    let name = file.display().to_string();
    let request = Request {
        set: &name,
        split: "input",
        shift: args.shift.clone(),
        samples: model.n_samples(args.samples),
        curves: args.json,
        table: args.json,
        event,
        seed: recipe.seed,
        ..Request::default()
    };
    let evaluation = evaluation::evaluate(model, &part, &request)?;
    if args.json { tables::print_json(&evaluation) } else { tables::print_evaluation(&evaluation) }
}

/// Stays are read with the scaling of the training stays, so that a set that training never saw can stand alone.
fn evaluate_stays(
    args: &EvaluateArgs,
    model: &mut Model,
    recipe: &Recipe,
    scaler: &PhysionetScaler,
    event: Option<usize>,
) -> Result<()> {
    if args.shift.is_some() {
        bail!("--shift: no shift is defined for clinical sequences");
    }
    let root = args.data.as_deref();
    let split = match args.split {
        SplitName::Test => clinical::stays(root, None, scaler)?.into(),
        SplitName::Set(set) => clinical::stays(root, Some(set), scaler)?.into(),
        SplitName::Train | SplitName::Validation => {
            let train = source::training_rows(recipe, clinical::stays(root, Some('a'), scaler)?.into())?;
            pick(args.split, &train, &train, || {
                source::validation_rows(&recipe.data, recipe.seed, train.len())
            })?
        }
    };
    let split_name = args.split.to_string();
    let request = Request {
        set: clinical::PHYSIONET,
        split: &split_name,
        samples: model.n_samples(args.samples),
        curves: args.split == SplitName::Test && args.samples.is_none(),
        event,
        seed: recipe.seed,
        ..Request::default()
    };
    let evaluation = evaluation::evaluate(model, &split, &request)?;
    if args.json { tables::print_json(&evaluation) } else { tables::print_evaluation(&evaluation) }
}

fn pick(
    name: SplitName,
    train: &Part,
    test: &Part,
    validation: impl FnOnce() -> Result<Vec<usize>>,
) -> Result<Part> {
    match name {
        SplitName::Test | SplitName::Set(_) => Ok(test.clone()),
        SplitName::Train => Ok(train.clone()),
        SplitName::Validation => {
            let rows = validation()?;
            if rows.is_empty() {
                bail!("--split validation: the recipe has data.validation = 0, no row is held out");
            }
            Ok(train.select(&rows))
        }
    }
}
