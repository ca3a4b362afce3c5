//! The losses of several ranks beside those of one process, step by step.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::launch::Bench;
use super::recipe::{AGREEING_STEPS, Recipe};

/// Largest difference of the training NLL of a step, nats.
const TOLERANCE: f64 = 1e-5;

/// Trains a recipe alone and on so many ranks, and tells where they differ.
pub(super) fn compare(bench: &Bench, recipe: &Recipe, sizes: &[usize]) -> Result<Vec<String>> {
    let name = recipe.name;
    let alone = losses(&bench.finish(recipe, &format!("{name}-alone"), None, false)?)?;
    ensure!(alone.len() == AGREEING_STEPS, "{name}: {} records of {AGREEING_STEPS} steps", alone.len());
    let mut failures = Vec::new();
    for &size in sizes {
        let shared = losses(&bench.finish(recipe, &format!("{name}-{size}"), Some(size), false)?)?;
        ensure!(shared.len() == alone.len(), "{name} on {size} ranks: {} records", shared.len());
        let differences = shared.iter().zip(&alone).map(|(a, b)| (a - b).abs());
        // A NaN is no agreement, and `max` would pass over it.
        let worst = differences.fold(0.0_f64, |worst, d| if d > worst || d.is_nan() { d } else { worst });
        println!("{name} on {size} ranks: {AGREEING_STEPS} steps, at most {worst:.1e} nats from one process");
        if worst.is_nan() || worst > TOLERANCE {
            failures.push(format!("{name} on {size} ranks: {worst:e} nats from one process"));
        }
    }
    Ok(failures)
}

/// Training NLL of every record of a run.
fn losses(run: &Path) -> Result<Vec<f64>> {
    let path = run.join("metrics.csv");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let column = header.split(',').position(|name| name == "train_nll");
    let column = column.with_context(|| format!("{} has no column train_nll", path.display()))?;
    let value = |line: &str| -> Result<f64> {
        let cell = line.split(',').nth(column).with_context(|| format!("{}: {line}", path.display()))?;
        cell.parse().with_context(|| format!("{}: {cell}", path.display()))
    };
    lines.map(value).collect()
}
