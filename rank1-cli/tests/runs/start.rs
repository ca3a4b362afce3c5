//! What is left of runs that failed, never took a step, or were made by another version.

use std::fs;

use crate::workbench::{Bench, Toy, assert_says, files};

const TRAIN: [&str; 5] = ["train", "recipe.toml", "--quiet", "--out", "run"];

#[test]
fn a_run_that_diverges_before_a_state_is_saved_leaves_nothing() {
    let bench = Bench::with(&Toy::default());
    let before = files(&bench.path("."));
    for out in ["run", "new/folders/run"] {
        let words =
            ["train", "recipe.toml", "--quiet", "--out", out, "--set", "train.optimizer.learning_rate=1e30"];
        assert_says(&bench.rank1(&words).error(3), &["diverged at step"]);
        assert_eq!(before, files(&bench.path(".")));
    }
    // A folder that was there stays.
    fs::create_dir(bench.path("run")).unwrap();
    bench.rank1(&[&TRAIN[..], &["--set", "train.optimizer.learning_rate=1e30"]].concat()).error(3);
    assert_eq!(fs::read_dir(bench.path("run")).unwrap().count(), 0);
}

#[test]
fn a_run_that_diverges_after_a_state_was_saved_keeps_it() {
    let bench = Bench::with(&Toy { train: "epochs = 60\ncheckpoint_every = 1", ..Toy::default() });
    let sgd = "train.optimizer={ kind = \"sgd\", learning_rate = 2.0 }";
    let ran = bench.rank1(&[&TRAIN[..], &["--set", sgd]].concat());
    if ran.code == Some(3) && bench.path("run").exists() {
        assert!(bench.path("run/checkpoint/network0/manifest.json").exists());
        assert!(!bench.path("run/.lock").exists());
    }
}

#[test]
fn what_a_process_killed_before_its_first_state_left_is_begun_anew() {
    let bench = Bench::with(&Toy::default());
    bench.train("run", &[]);
    for name in ["checkpoint", "run.json", "evaluation.json", "metrics.csv"] {
        let path = bench.path("run").join(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    bench.write("run/.lock", "4711");
    // Also with another recipe: nothing of the first was trained.
    bench.succeed(&[&TRAIN[..], &["--seed", "9"]].concat());
    assert!(bench.read("run/recipe.toml").contains("seed = 9"));
}

#[test]
fn a_recipe_of_the_users_own_is_not_taken_for_a_run_without_a_state() {
    let bench = Bench::with(&Toy::default());
    let line = bench.refused(&["train", "recipe.toml", "--quiet", "--out", "."]);
    assert_says(&line, &["holds a run already"]);
    let line = bench.rank1(&[
        "train",
        "recipe.toml",
        "--quiet",
        "--out",
        ".",
        "--resume",
        "--set",
        "train.epochs=0",
    ]);
    line.refusal();
    assert!(bench.path("recipe.toml").exists());
}

/// Changes the format and the program of a document that is not sealed.
fn of_another_version(bench: &Bench, name: &str) {
    let mut document: serde_json::Value = serde_json::from_str(&bench.read(name)).unwrap();
    document["format"] = 99.into();
    document["program"] = "7.8.9".into();
    bench.write(name, document.to_string());
}

#[test]
fn a_run_of_another_format_is_refused_with_both_versions() {
    for name in ["run/start.json", "run/run.json"] {
        let bench = Bench::with(&Toy::default());
        bench.train("run", &[]);
        of_another_version(&bench, name);
        for words in [
            &["evaluate", "run"][..],
            &["predict", "run", "--input", "recipe.toml", "--output", "out.csv"],
            &["report", "run", "--output", "report.html"],
            &["train", "recipe.toml", "--quiet", "--out", "run", "--resume"],
        ] {
            let line = bench.refused(words);
            let own = format!("this is rank1 {}", env!("CARGO_PKG_VERSION"));
            assert_says(&line, &["run", "written by rank1 7.8.9 in format 99", &own, "train again"]);
        }
    }
}

#[test]
fn a_run_without_a_note_of_its_beginning_is_resumed() {
    let bench = Bench::with(&Toy { train: "epochs = 4\ncheckpoint_every = 2", ..Toy::default() });
    bench.train("run", &[]);
    let whole = files(&bench.path("run/checkpoint"));
    for name in ["start.json", "run.json", "evaluation.json"] {
        fs::remove_file(bench.path("run").join(name)).unwrap();
    }
    bench.succeed(&[&TRAIN[..], &["--resume"]].concat());
    crate::workbench::assert_same(&whole, &files(&bench.path("run/checkpoint")));
}
