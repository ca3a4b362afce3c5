//! Tests of questions and their rules, on runs whose numbers are given.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::reproduce::claims::Claims;
use crate::reproduce::experiment::Experiment;
use crate::reproduce::outcome::Outcome;
use crate::reproduce::plan::Job;
use crate::reproduce::summary::{Finished, cells_of_blocks};
use crate::reproduce::tables::views;
use crate::reproduce::{plan, sample};

fn question(confirm: usize, refute: usize, differences: &str) -> Question {
    let text = format!(
        "name = \"Q\"\ntext = \"Is it?\"\nconfirm = {confirm}\nrefute = {refute}\ndifference = [{differences}]"
    );
    toml::from_str(&text).unwrap()
}

/// The question decided on runs whose `nll` is given by method and set and seed.
fn decide(question: &Question, nll: impl Fn(&Job) -> Option<f64>) -> Verdict {
    let (dir, experiment) = sample::experiment();
    question.check(&experiment.blocks).unwrap();
    let claims = Claims::read(&dir.path().join("recipes/claims.toml")).unwrap();
    let finished: Vec<Finished> = plan::jobs(dir.path(), &experiment)
        .unwrap()
        .into_iter()
        .map(|job| {
            let outcome = nll(&job).map(|nll| Outcome::of(&[("nll", nll), ("accuracy", -nll)]));
            (job, outcome.ok_or_else(|| "failed".to_owned()))
        })
        .collect();
    let cells = cells_of_blocks(&experiment.blocks, &finished);
    question.decide(&views(&experiment.blocks, &cells, &claims))
}

const NLL: &str = r#"{ block = "digits", ours = "good", method = "other", metric = "nll" }"#;
const ACCURACY: &str = r#"{ block = "digits", ours = "good", method = "other", metric = "accuracy" }"#;

/// Gains of `good` of 0.9 and 1.1: mean 1, standard error 0.1, t(0.975, 1) = 12.7062.
fn better(job: &Job) -> Option<f64> {
    Some(if job.method == "good" { 1.0 } else { 1.9 + 0.2 * job.seed as f64 })
}

/// Gains that are the same in every seed or set.
fn surely(gain: f64) -> impl Fn(&Job) -> Option<f64> {
    move |job| Some(if job.method == "good" { 1.0 } else { 1.0 + gain })
}

#[test]
fn an_interval_with_zero_in_it_decides_nothing() {
    let verdict = decide(&question(1, 1, NLL), better);
    assert_eq!((verdict.decision, verdict.findings[0].side), (Decision::Undecided, Side::Open));
    let [lower, upper] = verdict.findings[0].interval.unwrap();
    assert!((lower - (-1.0 - 1.270_62)).abs() < 1e-4 && (upper - 0.270_62).abs() < 1e-4);
}

#[test]
fn the_better_side_depends_on_the_metric_and_decides_by_the_rule() {
    let both = format!("{NLL}, {ACCURACY}");
    assert_eq!(decide(&question(2, 1, &both), surely(0.5)).decision, Decision::Confirmed);
    assert_eq!(decide(&question(2, 2, &both), surely(-0.5)).decision, Decision::Refuted);
}

#[test]
fn one_difference_against_keeps_a_question_from_being_confirmed() {
    let small = NLL.replace(" }", ", worthwhile = 0.7 }");
    // For by the first, and for by the second as well: an interval above zero is for, however small the gain.
    assert_eq!(
        decide(&question(1, 2, &format!("{NLL}, {small}")), surely(0.5)).decision,
        Decision::Confirmed
    );
    // No gain at all is against; where a gain is worthwhile only from 0.7 on, an interval around zero below it too.
    let tables = r#"{ block = "tables", ours = "other", method = "good", metric = "nll" }"#;
    assert_eq!(
        decide(&question(1, 2, &format!("{NLL}, {tables}")), surely(0.5)).decision,
        Decision::Undecided
    );
}

#[test]
fn a_gain_that_is_surely_too_small_counts_against() {
    let noisy = |job: &Job| Some(if job.method == "good" { 1.0 } else { 0.999 + 0.002 * job.seed as f64 });
    let worthwhile = NLL.replace(" }", ", worthwhile = 0.1 }");
    assert_eq!(decide(&question(1, 1, &worthwhile), noisy).findings[0].side, Side::Against);
    assert_eq!(decide(&question(1, 1, NLL), noisy).findings[0].side, Side::Open);
}

#[test]
fn a_block_of_sets_is_paired_by_set() {
    let tables = r#"{ block = "tables", ours = "good", method = "other", metric = "nll" }"#;
    let verdict = decide(&question(1, 1, tables), |job| {
        Some(match (job.method.as_str(), job.set.as_str()) {
            ("good", _) => 0.0,
            (_, "boston") => 1.0,
            _ => 2.0,
        })
    });
    assert_eq!((verdict.findings[0].mean, verdict.findings[0].n), (Some(-1.5), 2));
}

#[test]
fn a_missing_run_leaves_the_difference_open_and_says_so() {
    let verdict = decide(&question(1, 1, NLL), |job| (job.method == "good").then_some(1.0));
    assert_eq!((verdict.decision, verdict.findings[0].mean), (Decision::Undecided, None));
    assert!(verdict.print().contains("- open: Good minus Other: NLL (digits) not measured"));
}

#[test]
fn what_is_printed_names_rule_decision_and_interval() {
    let text = decide(&question(1, 1, NLL), surely(0.5)).print();
    for expected in [
        "### Q: confirmed\n\nIs it?\n",
        "Rule: confirmed if at least 1 of 1 differences are for and none is against; refuted if at least 1 are against.",
        "- for: Good minus Other: NLL (digits) -0.500, 95 % [-0.500, -0.500], 2 seeds\n",
    ] {
        assert!(text.contains(expected), "{expected}\nis missing from\n{text}");
    }
}

#[test]
fn typing_errors_are_found_before_the_runs() {
    let (_dir, Experiment { blocks, .. }) = sample::experiment();
    for (wrong, says) in [
        (NLL.replace("digits", "digit"), "unknown block digit"),
        (NLL.replace("good", "god"), "no method god"),
        (NLL.replace("nll", "nl"), "no column nl with a better side"),
        (NLL.replace("nll", "run.parameters"), "no column run.parameters with a better side"),
        (NLL.replace(" }", ", worthwhile = -1.0 }"), "below 0"),
    ] {
        let error = question(1, 1, &wrong).check(&blocks).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(question(2, 1, NLL).check(&blocks).unwrap_err().to_string().contains("`confirm`"));
}
