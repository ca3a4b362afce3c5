//! A whole reproduction with a stand-in for `rank1`: tables, files, failures, reuse.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::Value;

use super::*;

pub(super) struct Bench {
    pub(super) root: tempfile::TempDir,
    pub(super) out: tempfile::TempDir,
    pub(super) options: ReproduceOptions,
}

impl Bench {
    pub(super) fn new() -> Self {
        let (root, _) = sample::experiment();
        let options = ReproduceOptions { jobs: Some(2), ..ReproduceOptions::default() };
        Self { root, out: tempfile::tempdir().unwrap(), options }
    }

    pub(super) fn recipe(&self, name: &str, line: &str) {
        let path = self.root.path().join("recipes").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}{line}\n")).unwrap();
    }

    fn run(&self) -> bool {
        self.try_run(&self.options, self.out.path()).unwrap()
    }

    /// With other options, into another folder.
    pub(super) fn try_run(&self, options: &ReproduceOptions, out: &Path) -> Result<bool> {
        let experiment = experiment::load(&self.root.path().join("recipes/experiments"), "sample").unwrap();
        let program = sample::program();
        let session = Session { root: self.root.path(), options, program: &program, data: None, out };
        session.reproduce(experiment)
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.out.path().join(file)).unwrap()
    }

    fn reused_runs(&self) -> Value {
        let times: Value = serde_json::from_str(&self.text("times.json")).unwrap();
        times["call"]["reused_runs"].clone()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text("results.json")).unwrap()
    }

    /// Mean, error and n of one result.
    fn result(&self, set: &str, method: &str, metric: &str) -> (f64, Option<f64>, u64) {
        let json = self.json();
        let rows = json["results"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["set"] == set && row["method"] == method && row["metric"] == metric)
            .unwrap_or_else(|| panic!("no {set} {method} {metric}"));
        (row["mean"].as_f64().unwrap(), row["error"].as_f64(), row["n"].as_u64().unwrap())
    }
}

#[test]
fn means_and_errors_over_seeds_and_splits_reach_every_output() {
    let bench = Bench::new();
    assert!(bench.run());
    // The stand-in writes nll 1.SEED for the method `good`: 1.0 and 1.1.
    let (mean, error, n) = bench.result("mnist10k", "good", "nll");
    assert!((mean - 1.05).abs() < 1e-12 && (error.unwrap() - 0.05).abs() < 1e-12 && n == 2);
    let (mean, _, _) = bench.result("mnist10k", "other", "shift_mean.nll");
    assert!((mean - 2.05).abs() < 1e-12);
    assert_eq!(bench.result("boston", "deep_ensemble_5", "nll"), (2.41, Some(0.25), 0));
    let csv = bench.text("results.csv");
    assert!(csv.contains("\ndigits,mnist10k,good,ours,run.parameters,1000,0,2,this run\n"), "{csv}");
    assert!(
        csv.contains("\ntables,kin8nm,,not run,,,,,needs data: `cargo xtask reproduce sample --data DIR`\n"),
        "{csv}"
    );
    assert_eq!(bench.text("report.html"), "<p>12 runs</p>\n");
    let comparison: Value = serde_json::from_str(&bench.text("comparison.json")).unwrap();
    assert_eq!(comparison["claims"].as_array().unwrap().len(), 3 * 2);
    assert_eq!(comparison["not_run"].as_array().unwrap().len(), 2);
    assert_eq!(bench.json()["header"]["programs"], serde_json::json!(["rank1 9.9 (abc) on cpu"]));
}

#[test]
fn the_tables_show_ours_beside_the_published_figures() {
    let bench = Bench::new();
    assert!(bench.run());
    let text = bench.text("tables.md");
    for expected in [
        "Mean±standard error over 2 seeds; `*` the best mean of ours.\n",
        "| Good   | 1.050±0.050* |  90.5±0.5* |  2.05±0.05* |       1000 |",
        "- NLL: Good minus Other: -1.000±0.000 (paired, 95 % [-1.000, -1.000], n = 2)",
        "### NLL, lower is better",
        "Mean±standard error over 2 splits; `*` the best mean of ours; † published, sources below.\n",
        "| set    |         Good |     Other | 5-net ensemble† |",
        "| boston |   1.05±0.05* | 2.05±0.05 |       2.41±0.25 |",
        "| kin8nm | not run here |         - |      -1.20±0.02 |",
        "- NLL: Good has a better mean than 5-net ensemble (published) on 2 of 2 sets",
        "- published deep_ensemble_5: Lakshminarayanan",
        "- kin8nm not run here: needs data",
    ] {
        assert!(text.contains(expected), "{expected}\nis missing from\n{text}");
    }
    assert!(!text.contains("Shortened") && !text.contains("failed"), "{text}");
}

#[test]
fn a_table_of_methods_ends_with_the_published_rows() {
    let bench = Bench::new();
    let path = bench.root.path().join("recipes/experiments/sample.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let published =
        "benchmark = \"cifar10\"\npublished = [{ method = \"rank1_gaussian\", label = \"Paper\" }]";
    std::fs::write(&path, text.replacen("seeds = 2", &format!("seeds = 2\n{published}"), 1)).unwrap();
    assert!(bench.run());
    let text = bench.text("tables.md");
    for expected in [
        "| Paper† |        0.128 |       96.3 |           - |   36600000 |",
        "- published rank1_gaussian: Dusenberry et al. 2020, arXiv:2005.07186, Table 2",
    ] {
        assert!(text.contains(expected), "{expected}\nis missing from\n{text}");
    }
    let accuracy = bench.result("mnist10k", "rank1_gaussian", "accuracy").0;
    assert!((accuracy - 0.963).abs() < 1e-12);
}

#[test]
fn a_failed_run_is_a_row_and_the_others_still_count() {
    let bench = Bench::new();
    bench.recipe("digits/good.toml", "fail = 1");
    bench.recipe("uci/other.toml", "silent = 0");
    assert!(!bench.run());
    let text = bench.text("tables.md");
    assert!(text.contains("| mnist10k good seed 1 | failed: diverged at step 7: nll is NaN |"), "{text}");
    assert!(text.contains("| boston other split 0 | failed: the run has no run.json"), "{text}");
    assert!(text.contains("1.000 (n=1)*"), "{text}");
    assert_eq!(bench.result("mnist10k", "good", "nll"), (1.0, None, 1));
    assert_eq!(bench.json()["blocks"][0]["failed"][0]["seed"], 1);
    let row = "digits,mnist10k,good,failed,mnist10k good seed 1,,,,diverged at step 7: nll is NaN\n";
    assert!(bench.text("results.csv").contains(row));
    assert_eq!(bench.text("report.html"), "<p>9 runs</p>\n");
}

#[test]
fn a_method_without_a_finished_run_is_shown_as_failed() {
    let bench = Bench::new();
    bench.recipe("digits/other.toml", "fail = 0\nfail = 1");
    assert!(!bench.run());
    let text = bench.text("tables.md");
    assert!(text.contains("| Other  |       failed |"), "{text}");
}

#[test]
fn finished_runs_are_reused_and_only_what_failed_or_changed_runs_again() {
    let bench = Bench::new();
    bench.recipe("digits/good.toml", "fail = 1");
    assert!(!bench.run());
    assert_eq!(bench.reused_runs(), 0);
    // The recipe is repaired: both runs of this method are made anew, the ten others are kept.
    std::fs::write(bench.root.path().join("recipes/digits/good.toml"), "name = \"repaired\"\n").unwrap();
    assert!(bench.run());
    assert_eq!(bench.reused_runs(), 10);
    assert!(bench.run());
    assert_eq!(bench.reused_runs(), 12);
}

#[test]
fn fresh_trains_everything_again() {
    let mut bench = Bench::new();
    assert!(bench.run());
    bench.options.fresh = true;
    assert!(bench.run());
    assert_eq!(bench.reused_runs(), 0);
}

#[test]
fn a_broken_file_in_a_finished_run_makes_it_run_again() {
    let bench = Bench::new();
    assert!(bench.run());
    let run = bench.out.path().join("runs/digits/mnist10k/good/seed-0");
    std::fs::write(run.join("evaluation.json"), "{").unwrap();
    assert!(bench.run());
    assert_eq!(bench.reused_runs(), 11);
}

#[test]
fn a_failing_report_fails_the_reproduction_after_the_results_are_written() {
    let bench = Bench::new();
    std::fs::write(bench.out.path().join("refuse-report"), "").unwrap();
    assert!(!bench.run());
    assert_eq!(bench.result("mnist10k", "good", "nll").2, 2);
    assert!(!bench.out.path().join("report.html").exists());
}

#[test]
fn shortened_experiments_say_so_in_every_output() {
    let mut bench = Bench::new();
    bench.options.quick = true;
    assert!(bench.run());
    let text = bench.text("tables.md");
    assert!(text.contains("not comparable with the experiment as written"), "{text}");
    assert!(text.contains("- digits: --quick (1 repetitions; train.epochs = 2)"), "{text}");
    assert_eq!(bench.json()["header"]["notes"].as_array().unwrap().len(), 2);
    assert_eq!(bench.result("mnist10k", "good", "nll").2, 1);
}

#[test]
fn unknown_experiments_are_refused_with_the_nearest_name() {
    let bench = Bench::new();
    let workspace = Workspace { root: bench.root.path().to_owned() };
    let options = ReproduceOptions { names: vec!["samples".into()], ..ReproduceOptions::default() };
    let error = select(&workspace, &options, None).unwrap_err().to_string();
    assert_eq!(error, "no experiment is called `samples`; did you mean `sample`?\nknown experiments: sample");
}

#[test]
fn output_folders_are_one_per_experiment_and_unwritable_ones_are_named() {
    let bench = Bench::new();
    let workspace = Workspace { root: bench.root.path().to_owned() };
    let folder = |names: &[&str], out: Option<&Path>, quick: bool| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let options =
            ReproduceOptions { names, out: out.map(Path::to_owned), quick, ..ReproduceOptions::default() };
        output_folder(&workspace, &options, "sample")
    };
    assert!(folder(&[], None, false).unwrap().ends_with("out/reproduce/sample"));
    assert!(folder(&[], None, true).unwrap().ends_with("out/reproduce/sample-quick"));
    let out = bench.out.path().canonicalize().unwrap();
    assert_eq!(folder(&["sample"], Some(&out), false).unwrap(), out);
    assert_eq!(folder(&["sample", "b"], Some(&out), false).unwrap(), out.join("sample"));
    let file = out.join("file");
    std::fs::write(&file, "").unwrap();
    let error = folder(&[], Some(&file.join("below")), false).unwrap_err().to_string();
    assert!(error.starts_with("cannot create the output folder"), "{error}");
}
