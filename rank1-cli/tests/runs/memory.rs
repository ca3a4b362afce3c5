//! Networks that are too large are refused before anything is allocated.

use std::fs;
use std::process::Command;

use crate::workbench::{Bench, Ran, Toy, assert_says};

const TRAIN: [&str; 5] = ["train", "recipe.toml", "--quiet", "--out", "run"];

#[test]
fn a_plan_larger_than_what_is_free_is_refused_with_both_figures() {
    let bench = Bench::with(&Toy::default());
    let search = "search={ \"model.hidden\" = [[8], [200000, 200000]] }";
    for set in ["model.hidden=[200000, 200000]", "train.samples=9000000000000000000", search] {
        let line = bench.refused(&[&TRAIN[..], &["--set", set]].concat());
        assert_says(
            &line,
            &["recipe.toml: model: training needs about", "iB of memory", "iB are free", "--force"],
        );
    }
    assert!(!bench.path("run").exists());
    // A batch is no larger than the table.
    bench.succeed(&[&TRAIN[..], &["--set", "train.batch_size=90000000000"]].concat());
}

#[test]
fn sizes_whose_product_is_no_number_of_bytes_are_refused_by_their_key() {
    let bench = Bench::with(&Toy::default());
    let line = bench.refused(&[&TRAIN[..], &["--set", "model.hidden=[4000000000, 8000000000]"]].concat());
    assert_says(&line, &["model.hidden: expected widths of 1 to 100000000, got [4000000000, 8000000000]"]);
}

#[test]
fn a_limit_of_the_process_counts_and_a_network_within_it_is_trained() {
    let bench = Bench::with(&Toy::default());
    let ran = |hidden: &str, more: &str| {
        let script = format!(
            "ulimit -v 3000000; exec \"$0\" train recipe.toml --quiet --out run --set model.hidden={hidden} {more}"
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_rank1")]).current_dir(bench.path("."));
        Ran::of(shell.output().unwrap())
    };
    assert_says(&ran("[9000,9000]", "").refusal(), &["training needs about", "are free"]);
    assert_eq!(ran("[8]", "").code, Some(0));
    fs::remove_dir_all(bench.path("run")).unwrap();
    // Whoever insists meets the system's own refusal, or is lucky.
    assert!(!ran("[9000,9000]", "--force").stderr.contains("training needs about"));
}
