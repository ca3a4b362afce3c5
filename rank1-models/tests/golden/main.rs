//! Golden runner: stored values of the reference code against every implementation in this workspace.
//!
//! `cargo test --workspace --test golden -- DIR [--strict]` checks the files of another folder; without DIR the
//! folder `values` beside this file. Exit status 0 only if nothing failed. A relative DIR is looked up from the
//! current directory, then from the workspace. With `--strict`, unknown files, fields that nothing read and what is
//! not implemented count as failures too.
#![allow(clippy::print_stdout)]

mod activation;
mod batch_ensemble;
mod batch_norm;
mod bins;
mod burn_conv;
mod burn_dense;
mod burn_lstm;
mod conformal;
mod conv;
mod conv_trainable;
mod dense;
mod divergence;
mod embedding;
mod initializers;
mod json;
mod lstm;
mod metrics;
mod metrics_calibration;
mod number_embedding;
mod objectives;
mod param_counts;
mod quantile_normal;
mod report;
mod self_test;
mod stored;
mod table;
mod tabm_layer;
mod tabm_model;
mod tabm_parameters;
mod tabm_start;
mod tabular_scores;
mod trainable;
mod wrn;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use json::{Outcome, Record};
use report::Report;

type Check = fn(&Record<'_>) -> Outcome<()>;

/// What is known about a file name.
enum Known {
    Checked(Check),
    Unknown,
}

fn known(name: &str) -> Known {
    match name {
        "dense_rank1_injected.json" => Known::Checked(dense::injected),
        "dense_rank1_deterministic_vars.json" => Known::Checked(dense::deterministic),
        "dense_rank1_trainable.json" => Known::Checked(trainable::check),
        "batch_ensemble.json" => Known::Checked(batch_ensemble::check),
        "embedding_reparameterization.json" => Known::Checked(embedding::check),
        "kl_regularizers.json" => Known::Checked(divergence::check),
        "initializers.json" => Known::Checked(initializers::check),
        "objectives.json" => Known::Checked(objectives::check),
        "metrics_auc.json" => Known::Checked(metrics::ranking),
        "metrics_calibration.json" => Known::Checked(metrics_calibration::check),
        "metrics_corruption.json" => Known::Checked(metrics::corruption),
        "metrics_diversity.json" => Known::Checked(metrics::diversity),
        "conv2d_rank1_trainable.json" => Known::Checked(trainable::check),
        _ if name.starts_with("conv2d_rank1_k") => Known::Checked(conv::check),
        "batchnorm.json" => Known::Checked(batch_norm::check),
        "lstm_cell_rank1.json" => Known::Checked(lstm::check),
        "num_embeddings.json" => Known::Checked(number_embedding::check),
        "tabm_linear_batch_ensemble.json" => Known::Checked(tabm_layer::check),
        "tabm_model.json" | "tabm_model_embeddings.json" => Known::Checked(tabm_model::check),
        "conformal.json" => Known::Checked(conformal::check),
        "tabular_scores.json" => Known::Checked(tabular_scores::check),
        "quantile_normal.json" => Known::Checked(quantile_normal::check),
        "param_counts.json" => Known::Checked(param_counts::check),
        _ if name.starts_with("wrn") => Known::Checked(wrn::check),
        _ => Known::Unknown,
    }
}

/// Checks one parsed file; a panic in the code under test is a failure of the file, not of the runner.
fn check_value(check: Check, value: &Value) -> Report {
    let report = Report::default();
    let run = || -> Outcome<()> {
        let root = Record::root(value, &report)?;
        root.note(&["reference", "layer", "dtype", "notes"]);
        check(&root)?;
        report.unread.borrow_mut().extend(root.unread());
        Ok(())
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => report.malformed(&fault),
        Err(_) => report.fail("panicked; the message is above".into()),
    }
    report
}

fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"))?;
    serde_json::from_str(&text).map_err(|e| format!("is no JSON: {e}"))
}

/// Checks one file, prints its line and returns whether it counts as a success.
fn run_file(path: &Path, strict: bool) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let check = match known(&name) {
        Known::Checked(check) => check,
        Known::Unknown => {
            println!("{name:42} unknown file");
            return !strict;
        }
    };
    let value = match read(path) {
        Ok(value) => value,
        Err(what) => {
            println!("{name:42} FAILED: {what}");
            return false;
        }
    };
    let report = check_value(check, &value);
    let (passed, failed) = (report.passed.get(), report.failed.get());
    let burn = report.worst_burn.get();
    let burn = if burn == 0.0 { String::new() } else { format!("  {burn:.1e} (f32)") };
    println!(
        "{name:42} {passed:3} passed {failed:3} failed   max rel err {:.1e} (f64){burn}   {} comparisons",
        report.worst_double.get(),
        report.checked.borrow().len(),
    );
    for failure in report.failures.borrow().iter() {
        println!("    FAILED {name} {failure}");
    }
    for field in report.unread.borrow().iter() {
        println!("    not checked: {name} {field}");
    }
    for case in report.not_implemented.borrow().iter() {
        println!("    not implemented: {name} {case}");
    }
    let complete = report.unread.borrow().is_empty() && report.not_implemented.borrow().is_empty();
    let looked_at = passed + report.not_implemented.borrow().len() > 0;
    report.failures.borrow().is_empty() && looked_at && (complete || !strict)
}

fn run_folder(folder: &Path, strict: bool) -> Result<bool, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        let is_text = path.extension().is_some_and(|e| e == "md");
        if path.is_file() && !is_text {
            files.push(path);
        }
    }
    files.sort();
    let checkable =
        |p: &PathBuf| p.file_name().is_some_and(|n| matches!(known(&n.to_string_lossy()), Known::Checked(_)));
    if !files.iter().any(checkable) {
        return Err(format!("{}: holds no file that this runner checks", folder.display()));
    }
    // No short circuit: every file is reported.
    Ok(files.iter().map(|file| run_file(file, strict)).fold(true, |all, ok| all & ok))
}

fn values_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/values")
}

fn locate(dir: &str) -> Result<PathBuf, String> {
    let from_workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(dir);
    [PathBuf::from(dir), from_workspace]
        .into_iter()
        .find(|path| path.is_dir())
        .ok_or_else(|| format!("{dir}: no such folder"))
}

/// What the command line asks for.
#[derive(Debug, Default)]
struct Arguments {
    dir: Option<String>,
    strict: bool,
    list: bool,
    ignored: bool,
    exact: bool,
}

fn arguments(args: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--strict" => parsed.strict = true,
            // What cargo's test runners pass to every test binary.
            "--list" => parsed.list = true,
            "--ignored" => parsed.ignored = true,
            "--exact" => parsed.exact = true,
            "--format" | "--test-threads" | "--color" => drop(args.next()),
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" | "--show-output" => {}
            flag if flag.starts_with("--") && flag.contains('=') => {}
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            _ if parsed.dir.is_none() => parsed.dir = Some(arg),
            _ => return Err(format!("one folder at a time, not also {arg}")),
        }
    }
    // Asked for by name, as cargo-nextest does, this test means the stored values.
    if parsed.exact && parsed.dir.as_deref() == Some("golden") {
        parsed.dir = None;
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let outcome = arguments(std::env::args().skip(1)).and_then(|arguments| {
        if arguments.list {
            if !arguments.ignored {
                println!("golden: test");
            }
            return Ok(true);
        }
        match arguments.dir {
            Some(dir) => run_folder(&locate(&dir)?, arguments.strict),
            None => {
                let stored = run_folder(&values_folder(), arguments.strict)?;
                Ok(stored & self_test::every_comparison_can_fail(&values_folder()))
            }
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            println!("{message}");
            ExitCode::from(2)
        }
    }
}
