//! The documents of a finished run: run.json, metrics.csv, evaluation.json beside the checkpoint.
//!
//! Not for how a run folder begins; see [`crate::run_start`].

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use ndarray::{Axis, Slice};
use rank1_data::Task;
use rank1_models::checkpoint::{FORMAT, PROGRAM, write_synced};
use rank1_models::fit::Trial;
use rank1_models::recipe::CheckedRecipe;
use rank1_models::train::EpochRecord;
use serde_json::json;

use crate::json;
use crate::model::Model;
use crate::part::Part;
use crate::report::input::Evaluation;
use crate::source::Source;
use crate::validation::Validation;

/// Rows predicted at a time when a prediction is timed.
const TIMED_ROWS: usize = 256;

/// The same for images that stay on disk, whose networks are large.
const TIMED_IMAGES: usize = 8;

/// Repetitions of the timed prediction; the median counts.
const TIMED_RUNS: usize = 5;

/// What `run.json` is made of.
#[derive(Debug)]
pub struct RunFacts<'a> {
    /// The recipe as given.
    pub recipe: &'a CheckedRecipe,
    /// Its rows.
    pub source: &'a Source,
    /// The trained model.
    pub model: &'a Model,
    /// Its evaluation.
    pub evaluation: &'a Evaluation,
    /// Trials of the search.
    pub trials: &'a [Trial],
    /// Samples per member at evaluation.
    pub samples: usize,
    /// Seconds from reading the rows to the last checkpoint (of this process).
    pub trained_seconds: f64,
    /// Median time of a prediction of one row with all members and samples.
    pub microseconds_per_prediction: f64,
    /// Networks trained at a time.
    pub threads: usize,
    /// Where they were trained.
    pub device: String,
    /// What the validation rows said of the networks, where there were any.
    pub validation: Option<Validation>,
}

/// Writes metrics.csv, evaluation.json and, last, run.json, which marks the run as finished.
///
/// # Errors
/// Files that cannot be written; nothing half-written stays.
pub fn finish(run: &Path, facts: &RunFacts<'_>) -> Result<()> {
    write_synced(&run.join("metrics.csv"), &metrics_csv(facts.model)?)?;
    write_evaluation(run, facts.evaluation)?;
    let settings = facts.recipe.get();
    let trials: Vec<_> = facts
        .trials
        .iter()
        .map(|t| {
            let values: serde_json::Map<_, _> =
                t.values.iter().map(|v| (v.key.clone(), json!(v.value))).collect();
            json!({ "values": values, "valid_nll": t.nll, "step": t.step })
        })
        .collect();
    let document = json!({
        "name": settings.name,
        "task": match facts.source.task { Task::Classification => "classification", Task::Regression => "regression" },
        "set": facts.source.name,
        "split": settings.data.split,
        "gap": settings.data.gap,
        "provenance": facts.source.provenance,
        "rows": { "train": facts.source.train.len(), "test": facts.source.test.len() },
        "method": settings.method.label(),
        "seed": settings.seed,
        "recipe_hash": facts.recipe.hash(),
        "recipe_trained": facts.model.recipe.to_toml(),
        "device": facts.device,
        "threads": facts.threads,
        "format": FORMAT,
        "program": PROGRAM,
        "version": PROGRAM,
        "commit": option_env!("RANK1_COMMIT"),
        "wall_seconds": facts.trained_seconds,
        "peak_memory_bytes": peak_memory(),
        "parameters": facts.model.n_parameters(),
        "n_members": facts.model.n_members(),
        "kept_members": facts.model.kept_members(),
        "n_networks": facts.model.networks.len(),
        "samples": facts.samples,
        "microseconds_per_prediction": facts.microseconds_per_prediction,
        "validation": facts.validation,
        "trials": trials,
        "metrics": facts.evaluation.metrics,
        "member_metrics": facts.evaluation.member_metrics,
    });
    Ok(write_synced(&run.join("run.json"), &json::pretty(&document)?)?)
}

/// Writes evaluation.json.
///
/// # Errors
/// A file that cannot be written.
pub fn write_evaluation(run: &Path, evaluation: &Evaluation) -> Result<()> {
    Ok(write_synced(&run.join("evaluation.json"), &json::pretty(evaluation)?)?)
}

/// Reads evaluation.json.
///
/// # Errors
/// A missing or malformed file.
pub fn read_evaluation(run: &Path) -> Result<Evaluation> {
    let path = run.join("evaluation.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn metrics_csv(model: &Model) -> Result<Vec<u8>> {
    let layers = model.networks.iter().take(1).flat_map(|n| &n.network.layers);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(EpochRecord::csv_header(layers.map(|layer| layer.name.as_str())))?;
    for (network, history) in model.histories.iter().enumerate() {
        for record in history {
            writer.write_record(record.csv_fields(network).into_iter().map(short))?;
        }
    }
    writer.into_inner().context("metrics.csv")
}

/// A number that is no count with its significant digits; every other field as it is.
fn short(field: String) -> String {
    match field.parse::<f64>() {
        Ok(value) if field.parse::<u64>().is_err() => json::cell(value),
        _ => field,
    }
}

/// Median time of predicting one row with all members and samples, in chunks as prediction uses them; reading images from
/// disk is not part of it.
///
/// # Errors
/// As prediction.
pub fn microseconds_per_prediction(model: &mut Model, part: &Part, samples: usize) -> Result<f64> {
    match part {
        Part::Stored(split) => {
            let rows = split.inputs.slice_axis(Axis(0), Slice::from(..part.len().min(TIMED_ROWS)));
            timed(rows.nrows(), || model.predict(rows, samples).map(|_| ()))
        }
        Part::Streamed { images, .. } => {
            let rows = images.first_rows(TIMED_IMAGES)?;
            timed(rows.nrows(), || model.predict_normalized(rows.view(), samples).map(|_| ()))
        }
    }
}

/// Median time of repeated work on `n` rows, in microseconds per row; a first run warms up.
fn timed(n: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut times = Vec::new();
    for _ in 0..TIMED_RUNS {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed().as_secs_f64() * 1e6 / n as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[TIMED_RUNS / 2])
}

/// Largest resident size of this process so far, where the system tells it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
