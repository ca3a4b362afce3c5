//! Run folders and options that do not fit: taken, unfinished, of another recipe, misspelt.

use std::fs;

use crate::workbench::{Bench, Toy, assert_says, sum, table};

const TRAIN: [&str; 5] = ["train", "recipe.toml", "--quiet", "--out", "run"];

fn trained() -> Bench {
    let bench = Bench::with(&Toy::default());
    bench.train("run", &[]);
    bench
}

#[test]
fn a_taken_run_folder_is_refused_without_resume() {
    assert_says(&trained().refused(&TRAIN), &["run holds a run already", "--resume", "--out"]);
}

#[test]
fn a_folder_with_foreign_files_is_refused() {
    let bench = Bench::with(&Toy::default());
    fs::create_dir(bench.path("run")).unwrap();
    bench.write("run/thesis.txt", "years of work");
    assert_says(&bench.refused(&TRAIN), &["run is not empty and holds no run"]);
}

#[test]
fn resume_with_another_recipe_or_seed_is_refused() {
    for other in [&["--seed", "6"], &["--set", "train.epochs=4"]] {
        let line = trained().refused(&[&TRAIN[..], &["--resume"], other].concat());
        assert_says(&line, &["run was started with another recipe or seed", "run/recipe.toml"]);
    }
}

#[test]
fn an_unfinished_run_is_not_evaluated_predicted_or_reported() {
    let bench = trained();
    bench.write("rows.csv", "a\n1\n");
    fs::remove_file(bench.path("run/checkpoint/model.json")).unwrap();
    fs::remove_file(bench.path("run/run.json")).unwrap();
    for words in [
        &["evaluate", "run"][..],
        &["predict", "run", "--input", "rows.csv", "--output", "out.csv"],
        &["report", "run", "--output", "report.html"],
    ] {
        assert_says(&bench.refused(words), &["run", "finish it with `rank1 train RECIPE --out", "--resume"]);
    }
}

#[test]
fn a_network_that_is_not_trained_to_its_end_does_not_predict() {
    let bench = trained();
    // The folder of an ensemble's network is gone, as if it had never been started.
    fs::rename(bench.path("run/checkpoint/network0"), bench.path("elsewhere")).unwrap();
    assert_says(&bench.refused(&["evaluate", "run"]), &["run/checkpoint/network0", "manifest"]);
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let bench = Bench::new();
    fs::create_dir(bench.path("empty")).unwrap();
    assert_says(&bench.refused(&["evaluate", "nowhere"]), &["nowhere: no such run folder"]);
    assert_says(
        &bench.refused(&["evaluate", "empty"]),
        &["empty: no trained model", "expected a run folder"],
    );
    let report = ["report", "nowhere", "--output", "report.html"];
    assert_says(&bench.refused(&report), &["nowhere: no such run folder"]);
    let report = ["report", "empty", "--output", "report.html"];
    assert_says(&bench.refused(&report), &["empty/run.json: missing"]);
}

#[test]
fn a_shift_that_does_not_exist_or_apply_is_refused() {
    let bench = trained();
    for (shift, texts) in [
        ("rotated:30", ["shift `rotated:30`: unknown kind", "rotation:DEGREES"]),
        ("rotation", ["shift `rotation`", "expected"]),
        ("gaussian_noise:much", ["shift `gaussian_noise:much`", "expected"]),
        ("gaussian_noise:NaN", ["shift `gaussian_noise:NaN`", "expected"]),
        ("gaussian_noise:-0.5", ["shift `gaussian_noise:-0.5`", "expected"]),
        ("rotation:30", ["shift `rotation:30` needs images", "a table"]),
    ] {
        assert_says(&bench.refused(&["evaluate", "run", "--shift", shift]), &texts);
    }
}

#[test]
fn misspelt_words_of_the_command_line_are_refused_on_one_line() {
    let bench = Bench::with(&Toy::default());
    for (words, texts) in [
        (&["evaluate", "run", "--split", "tset"][..], &["'tset'", "--split", "test, train, validation"][..]),
        (&["evaluate", "run", "--splt", "test"], &["'--splt'", "'--split'"]),
        (&["evaluate"], &["required", "<RUN>"]),
        (&["evalute", "run"], &["'evalute'", "'evaluate'"]),
        (&["train", "recipe.toml", "--threads", "0"], &["'0'", "--threads"]),
        (&["train", "recipe.toml", "--set", "train.epochs"], &["--set", "KEY=VALUE"]),
        (&["train", "recipe.toml", "--device", "gpu"], &["'gpu'", "--device", "cpu, wgpu, cuda or cuda:N"]),
        (&["train", "recipe.toml", "--device", "cuda:0,wgpu"], &["'cuda:0,wgpu'", "must be CUDA devices"]),
        #[cfg(not(feature = "cuda"))]
        (&["train", "recipe.toml", "--device", "cuda"], &["`cuda:0`", "`cpu`", "--features rank1-cli/cuda"]),
        (&["predict", "run", "--input", "a", "--output", "b", "--samples", "0"], &["'0'", "--samples"]),
        (
            &["predict", "run", "--input", "a", "--output", "b", "--interval", "1.5"],
            &["--interval", "got 1.5"],
        ),
        (&["data", "inspect", "bosten"], &["`bosten`", "did you mean `boston`?"]),
    ] {
        assert_says(&bench.refused(words), texts);
    }
}

#[test]
fn a_split_without_rows_is_refused() {
    let bench = Bench::with(&Toy { data: "set = \"yacht\"\nvalidation = 0", ..Toy::default() });
    bench.train("run", &[]);
    let line = bench.refused(&["evaluate", "run", "--split", "validation"]);
    assert_says(&line, &["--split validation", "data.validation = 0"]);
}

#[test]
fn a_table_that_was_changed_since_training_is_not_evaluated() {
    let bench = Bench::with_table(&table(31, sum));
    bench.train("run", &[]);
    bench.write("table.csv", table(31, sum).replace("red", "yellow"));
    assert_says(&bench.refused(&["evaluate", "run"]), &["run: table.csv has other columns, levels"]);
}
