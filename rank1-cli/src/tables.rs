//! What the command prints: tables and JSON on stdout, notes on stderr. The only place that prints.
mod calibration;
mod cluster;
mod download;
mod network;
mod watch;

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use rank1_data::{InputLayout, Inspection, SetInfo, TargetStats, Task};
use serde::Serialize;

use crate::json;
use crate::report::input::{Evaluation, Metrics};

pub use calibration::print_calibration;
pub use cluster::print_cluster;
pub use download::print_fetched;
pub use network::print_summary;
pub use watch::print_findings;

pub(crate) use network::bytes;

/// Metrics in reading order, with what they are; others follow by name.
const NAMES: [(&str, &str); 28] = [
    ("nll", "NLL, mixture (nats)"),
    ("nll_gibbs", "NLL, average over draws (nats)"),
    ("nll_at_locations", "NLL without the posterior's spread"),
    ("accuracy", "accuracy"),
    ("ece", "ECE, 15 bins"),
    ("mce", "MCE, 15 bins"),
    ("adaptive_ece", "adaptive ECE"),
    ("classwise_ece", "class-wise ECE"),
    ("brier", "Brier score"),
    ("auroc", "AUROC"),
    ("auc_pr", "average precision"),
    ("rmse", "RMSE"),
    ("mae", "MAE"),
    ("crps", "CRPS"),
    ("coverage_90", "coverage of 90 % intervals"),
    ("width_90", "width of 90 % intervals"),
    ("quantile_calibration_error", "quantile calibration error"),
    ("total", "total uncertainty"),
    ("aleatoric", "aleatoric"),
    ("epistemic", "epistemic"),
    ("disagreement", "disagreement of members"),
    ("normalized_disagreement", "disagreement / error"),
    ("pairwise_kl", "pairwise KL of members (nats)"),
    ("aurc", "AURC"),
    ("ood_auroc", "OOD AUROC (entropy)"),
    ("corrupted_nll", "NLL, mean over corruptions (nats)"),
    ("corrupted_accuracy", "accuracy, mean over corruptions"),
    ("corrupted_ece", "ECE, mean over corruptions"),
];

/// Prints one JSON document on stdout.
///
/// # Errors
/// Values that have no JSON form.
pub fn print_json<T: Serialize>(value: &T) -> Result<()> {
    say(&String::from_utf8(json::pretty(value)?)?)
}

/// Writes lines on stdout; a reader that has seen enough is no error.
fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to stdout"),
    }
}

/// Prints text on stdout as it is.
///
/// # Errors
/// As [`print_json`].
pub fn print_text(text: &str) -> Result<()> {
    say(text)
}

/// Whether notes are kept back.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Keeps notes back from now on, or prints them again: of several ranks of a training one speaks.
pub fn set_silent(silent: bool) {
    SILENT.store(silent, Ordering::Relaxed);
}

/// Prints one line on stderr; one that is closed or full is no reason to stop.
pub fn note(text: &str) {
    if SILENT.load(Ordering::Relaxed) {
        return;
    }
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints the metrics of an evaluation, its shifts and its members.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_evaluation(e: &Evaluation) -> Result<()> {
    let shift = e.shift.as_ref().map(|s| format!(" under {s}")).unwrap_or_default();
    say(&format!(
        "{} {}{shift}: {} rows, {} members x {} samples",
        e.set, e.split, e.n, e.members, e.samples
    ))?;
    if let Some(event) = &e.event {
        say(&format!("event: `{event}`, the class that AUROC and average precision are about"))?;
    }
    let fitted = || e.baselines.iter().filter(|baseline| baseline.left_out.is_none());
    let labels: Vec<String> = fitted().map(|baseline| baseline.label().to_lowercase()).collect();
    let header =
        ["metric", "value", "constant prediction"].into_iter().chain(labels.iter().map(String::as_str));
    let mut table = plain(&header.collect::<Vec<_>>());
    let beside = |key: &str| -> Vec<String> {
        let of = |metrics: &Metrics| metrics.get(key).map_or(String::new(), |value| number(*value));
        std::iter::once(of(&e.constant)).chain(fitted().map(|baseline| of(&baseline.metrics))).collect()
    };
    let mut row = |key: &str, name: &str, value: f64| {
        table.add_row([vec![name.to_owned(), number(value)], beside(key)].concat());
    };
    for (key, name) in NAMES {
        if let Some(value) = e.metrics.get(key) {
            row(key, name, *value);
        }
    }
    for (key, value) in e.metrics.iter().filter(|(key, _)| !NAMES.iter().any(|(k, _)| k == key)) {
        row(key, key, *value);
    }
    say(&table.to_string())?;
    for baseline in &e.baselines {
        if let Some(reason) = &baseline.left_out {
            say(&format!("{} was left out: {reason}", baseline.label().to_lowercase()))?;
        }
    }
    if let Some(found) = &e.calibrated {
        calibration::print_calibrated(found, e.metrics.contains_key("accuracy"))?;
    }
    print_many("shift", e.shifts.iter().map(|s| (format!("{} {}", s.kind, s.severity), &s.metrics)))?;
    print_many("member", e.member_metrics.iter().enumerate().map(|(k, m)| (k.to_string(), m)))
}

fn print_many<'a>(what: &str, rows: impl Iterator<Item = (String, &'a Metrics)>) -> Result<()> {
    let rows: Vec<_> = rows.collect();
    let Some((_, first)) = rows.first() else { return Ok(()) };
    let columns: Vec<&str> = ["nll", "accuracy", "ece", "brier", "rmse", "crps", "disagreement"]
        .into_iter()
        .filter(|c| first.contains_key(*c))
        .collect();
    let mut header = vec![what];
    header.extend(&columns);
    let mut table = plain(&header);
    for (name, metrics) in &rows {
        let mut cells = vec![name.clone()];
        cells.extend(columns.iter().map(|c| metrics.get(*c).map_or("-".into(), |v| number(*v))));
        table.add_row(cells);
    }
    say(&table.to_string())
}

/// Prints the known sets.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_catalogue(sets: &[SetInfo]) -> Result<()> {
    let mut table = plain(&["set", "task", "rows", "features", "splits", "gap", "where", "licence"]);
    for s in sets {
        table.add_row([
            s.name.to_string(),
            match (s.role, s.task) {
                (rank1_data::Role::OutOfDistribution, _) => "out of distribution".into(),
                (_, Task::Classification) => "classification".into(),
                (_, Task::Regression) => "regression".into(),
            },
            s.rows.to_string(),
            features(s),
            s.splits.to_string(),
            s.gap_splits.to_string(),
            if s.embedded { "embedded".into() } else { "--data".to_string() },
            s.licence.to_string(),
        ]);
    }
    say(&table.to_string())
}

/// The inputs of a set: a number of columns, `32x32x3`, or `48 steps of 112 + 156`.
fn features(set: &SetInfo) -> String {
    match set.layout() {
        InputLayout::Columns => set.features.to_string(),
        InputLayout::Image { height, width, channels } => format!("{height}x{width}x{channels}"),
        InputLayout::Sequence { steps, features, context, .. } => {
            format!("{steps} steps of {features} + {context}")
        }
    }
}

/// Prints the columns and the target of a set.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_inspection(i: &Inspection) -> Result<()> {
    say(&format!(
        "{}: {} training rows, {} test rows, {} input columns",
        i.name, i.n_train, i.n_test, i.n_features
    ))?;
    say(&i.provenance)?;
    let mut table = plain(&["column", "mean", "std", "min", "median", "max", "distinct", "test shift"]);
    for c in &i.columns {
        let mut cells = vec![c.name.clone()];
        cells.extend([c.mean, c.std, c.min, c.median, c.max].map(number));
        cells.push(c.n_distinct.to_string());
        cells.push(number(c.test_shift));
        table.add_row(cells);
    }
    say(&table.to_string())?;
    match &i.target {
        TargetStats::Classes { names, train, test } => {
            let mut table = plain(&["class", "training rows", "test rows"]);
            for ((name, train), test) in names.iter().zip(train).zip(test) {
                table.add_row([name.clone(), train.to_string(), test.to_string()]);
            }
            say(&table.to_string())?;
        }
        TargetStats::Values(column) => say(&format!(
            "target: mean {}, std {}, range {} to {}",
            number(column.mean),
            number(column.std),
            number(column.min),
            number(column.max)
        ))?,
    }
    if i.n_test_rows_seen_in_train > 0 {
        say(&format!("{} test rows also occur in the training part", i.n_test_rows_seen_in_train))?;
    }
    Ok(())
}

fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn number(value: f64) -> String {
    // What rounds to zero has no sign.
    let value = if value.abs() < f64::MIN_POSITIVE { 0.0 } else { value };
    if !value.is_finite() {
        "-".into()
    } else if value != 0.0 && (value.abs() < 1e-3 || value.abs() >= 1e5) {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}
