//! `rank1 evaluate`: a finished run measured on a split, optionally under a shift.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rank1_data::PhysionetScaler;
use rank1_models::device::Compute;
use rank1_models::recipe::Recipe;

use crate::args::{EvaluateArgs, SplitName};
use crate::calibration::Artefact;
use crate::evaluation::{self, Request};
use crate::labelled::{self, LabelledFile};
use crate::model::Model;
use crate::report::input::Evaluation;
use crate::shift::{InputShift, Rows};
use crate::{clinical, run_folder, run_split, tables};

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
    let calibration = Artefact::open(&args.run)?;
    let calibration = calibration.as_ref();
    if let Some(note) = calibration.and_then(|c| c.difference(model.n_samples(args.samples), model.draws())) {
        tables::note(&format!("note: {note}"));
    }
    if let Some(file) = &args.input {
        return evaluate_file(args, &mut model, file, event, calibration);
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
        return evaluate_stays(args, &mut model, &recipe, &scaler, event, calibration);
    }
    if let SplitName::Set(_) = args.split {
        bail!("--split {}: only runs on clinical stays have lettered sets", args.split);
    }
    let source = run_split::open(&model, &args.run, args.data.as_deref(), args.json)?;
    let mut split = run_split::pick(args.split, &source, &recipe)?;
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
        calibration,
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

/// Any labelled rows that the model can read; nothing is stored.
fn evaluate_file(
    args: &EvaluateArgs,
    model: &mut Model,
    file: &Path,
    event: Option<usize>,
    calibration: Option<&Artefact>,
) -> Result<()> {
    if model.document.scaler.is_some() {
        bail!("--input: clinical stays are measured by --data DIR --split set-X");
    }
    let reading = LabelledFile { labels: args.labels.as_deref(), stays: None, overrides: &args.overrides };
    let mut part = labelled::read(model, "--input", file, &reading)?;
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
        calibration,
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
    calibration: Option<&Artefact>,
) -> Result<()> {
    if args.shift.is_some() {
        bail!("--shift: no shift is defined for clinical sequences");
    }
    let split = run_split::stays(args.data.as_deref(), args.split, recipe, scaler)?;
    let split_name = args.split.to_string();
    let request = Request {
        set: clinical::PHYSIONET,
        split: &split_name,
        samples: model.n_samples(args.samples),
        curves: args.split == SplitName::Test && args.samples.is_none(),
        event,
        seed: recipe.seed,
        calibration,
        ..Request::default()
    };
    let evaluation = evaluation::evaluate(model, &split, &request)?;
    if args.json { tables::print_json(&evaluation) } else { tables::print_evaluation(&evaluation) }
}
