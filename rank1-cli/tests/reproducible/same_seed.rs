//! Two runs of one recipe give the same checkpoint and the same evaluation, with one thread and with two.

use std::fs;

use crate::workbench::{Bench, TABLE, Toy, assert_same, files, lasting_files, table};

/// Runs a recipe twice with one thread and twice with two.
fn same_bytes(toy: &Toy<'_>) {
    let bench = Bench::with(toy);
    bench.write("table.csv", table(61, |a, b, _| if a + b > 0.0 { "yes" } else { "no" }.into()));
    for (run, threads) in [("a", "1"), ("b", "1"), ("c", "2"), ("d", "2")] {
        let words = ["train", "recipe.toml", "--quiet", "--out", run, "--threads", threads];
        // The tensor library has a pool of its own.
        let ran = bench.command(&words).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    for other in ["b", "c", "d"] {
        assert_same(&lasting_files(&bench.path("a")), &lasting_files(&bench.path(other)));
    }
}

fn same_bytes_of(method: &str) {
    same_bytes(&Toy { method, ..Toy::default() });
    same_bytes(&Toy { method, data: TABLE, ..Toy::default() });
}

#[test]
fn deterministic_networks() {
    same_bytes_of("kind = \"deterministic\"");
}

#[test]
fn rank1_with_normal_factors() {
    same_bytes_of("kind = \"rank1\"\nmembers = 3");
}

#[test]
fn rank1_with_cauchy_factors() {
    let prior = "prior = { family = \"cauchy\", location = 1.0, scale = 0.01 }";
    same_bytes_of(&format!("kind = \"rank1\"\nmembers = 3\nposterior = \"cauchy\"\n{prior}"));
}

#[test]
fn mean_field_with_flipout() {
    same_bytes_of("kind = \"mean_field\"\nestimator = \"flipout\"");
}

#[test]
fn mc_dropout() {
    same_bytes_of("kind = \"mc_dropout\"\nrate = 0.2");
}

#[test]
fn an_ensemble_trained_in_parallel() {
    same_bytes_of("kind = \"ensemble\"\nnetworks = 3\nof = { kind = \"rank1\", members = 2 }");
}

#[test]
fn early_stopping() {
    let train = "epochs = 40\nearly_stopping = { patience = 2 }";
    same_bytes(&Toy { train, ..Toy::default() });
}

#[test]
fn a_search_in_parallel() {
    let train = "epochs = 20\nearly_stopping = { patience = 2 }";
    let rest = "[search]\n\"train.l2\" = [0.0, 0.01]\n\"method.members\" = [1, 2]";
    same_bytes(&Toy { train, rest, ..Toy::default() });
}

#[cfg(feature = "burn")]
#[test]
fn the_autodiff_engine() {
    same_bytes(&Toy { train: "epochs = 2\nengine = \"autodiff\"", ..Toy::default() });
}

#[test]
fn another_seed_gives_other_bytes() {
    let bench = Bench::with(&Toy::default());
    bench.train("a", &[]);
    bench.train("b", &["--seed", "6"]);
    let tensors = |run: &str| {
        fs::read(bench.path(&format!("{run}/checkpoint/network0/step000000027.safetensors"))).unwrap()
    };
    assert_ne!(tensors("a"), tensors("b"));
}

#[test]
fn predictions_do_not_depend_on_the_chunks_they_are_made_in() {
    let engines: &[&str] = if cfg!(feature = "burn") { &["analytic", "autodiff"] } else { &["analytic"] };
    for engine in engines {
        let train = format!("epochs = 2\nengine = \"{engine}\"");
        for method in
            ["kind = \"rank1\"\nmembers = 3", "kind = \"mc_dropout\"\nrate = 0.2", "kind = \"mean_field\""]
        {
            let bench = Bench::with(&Toy { method, train: &train, data: TABLE, ..Toy::default() });
            bench.write("table.csv", table(61, |a, b, c| format!("{}", a * b + c.len() as f64)));
            let outputs = ["1", "7", "8192"].map(|rows| {
                let run = format!("run{rows}");
                bench.train(
                    &run,
                    &["--set", &format!("predict.chunk_rows={rows}"), "--set", "model.hidden=[37]"],
                );
                let output = format!("{rows}.csv");
                bench.succeed(&["predict", &run, "--input", "table.csv", "--output", &output]);
                (bench.read(&output), bench.read(&format!("{run}/evaluation.json")))
            });
            assert!(outputs[0] == outputs[1] && outputs[1] == outputs[2], "{engine}, {method}");
        }
    }
}

#[test]
fn evaluating_again_writes_the_same_evaluation() {
    let bench = Bench::with(&Toy { rest: "[evaluate]\nshifts = [\"gaussian_noise:0.5\"]", ..Toy::default() });
    bench.train("run", &[]);
    let before = files(&bench.path("run"));
    bench.succeed(&["evaluate", "run"]);
    assert_same(&before, &files(&bench.path("run")));
}
