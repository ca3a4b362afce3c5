//! A run killed with SIGKILL at any moment and resumed ends with the bytes of an undisturbed one.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::workbench::{Bench, Toy, assert_same, lasting_files};

/// Milliseconds after the start of the process at which it is killed: while it reads, before a first save.
const AFTER_START: [u64; 4] = [1, 3, 8, 15];

/// Milliseconds after a new state was seen on disk: while it trains, saves or evaluates.
const AFTER_SAVE: [u64; 8] = [0, 1, 2, 5, 0, 3, 9, 14];

fn start(bench: &Bench, more: &[&str], threads: &str) -> Child {
    let words = ["train", "recipe.toml", "--quiet", "--out", "killed", "--resume", "--threads", threads];
    bench.command(&[&words, more].concat()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until a manifest changes or the process ends.
fn wait_for_save(child: &mut Child, run: &Path) {
    let saved = || fs::read(run.join("checkpoint/network0/manifest.json")).ok();
    let before = saved();
    while saved() == before && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
}

/// Kills a process, waits for it, and tells whether it left a state that is not finished.
fn kill(mut child: Child, run: &Path) -> bool {
    let _ = child.kill();
    child.wait().unwrap();
    fs::read_to_string(run.join("checkpoint/network0/manifest.json"))
        .is_ok_and(|manifest| manifest.contains("\"finished\": false"))
}

/// Kills a run again and again, finishes it and compares it with an undisturbed one.
fn survives(toy: &Toy<'_>, threads: &str) {
    survives_in(&Bench::with(toy), &[], threads);
}

/// The same in a bench that has its recipe and data, with more words on the command line.
pub(crate) fn survives_in(bench: &Bench, more: &[&str], threads: &str) {
    bench.train("whole", more);
    let run = bench.path("killed");
    for delay in AFTER_START {
        let child = start(bench, more, threads);
        sleep(Duration::from_millis(delay));
        kill(child, &run);
    }
    let mut midway = 0;
    for delay in AFTER_SAVE {
        let mut child = start(bench, more, threads);
        wait_for_save(&mut child, &run);
        sleep(Duration::from_millis(delay));
        midway += usize::from(kill(child, &run));
    }
    assert!(midway > 0, "no kill met a run between two states; make it longer");
    assert!(start(bench, more, threads).wait().unwrap().success());
    assert_same(&lasting_files(&bench.path("whole")), &lasting_files(&bench.path("killed")));
}

#[test]
fn a_run_saved_after_every_epoch() {
    survives(&Toy { train: "epochs = 60\ncheckpoint_every = 1", ..Toy::default() }, "1");
}

#[test]
fn a_run_saved_after_every_seventh_epoch() {
    survives(&Toy { train: "epochs = 300\ncheckpoint_every = 7", ..Toy::default() }, "1");
}

#[test]
fn a_run_with_early_stopping() {
    let train = "epochs = 80\ncheckpoint_every = 1\nearly_stopping = { patience = 50 }";
    survives(&Toy { train, ..Toy::default() }, "1");
}

#[test]
fn a_run_with_a_search() {
    let train = "epochs = 60\ncheckpoint_every = 1\nearly_stopping = { patience = 50 }";
    let rest = "[search]\n\"train.l2\" = [0.0, 0.01]";
    survives(&Toy { train, rest, ..Toy::default() }, "2");
}

#[test]
fn an_ensemble_trained_in_parallel() {
    let method = "kind = \"ensemble\"\nnetworks = 3\nof = { kind = \"rank1\", members = 2 }";
    survives(&Toy { method, train: "epochs = 60\ncheckpoint_every = 1", ..Toy::default() }, "2");
}

#[test]
fn what_a_killed_save_left_behind_is_removed() {
    let bench = Bench::with(&Toy::default());
    bench.train("whole", &[]);
    bench.train("killed", &[]);
    let network = "killed/checkpoint/network0";
    // Killed between the last manifest and the removal of the state before it, and while writing other files.
    bench.write(&format!("{network}/step000000018.safetensors"), "old");
    bench.write(&format!("{network}/manifest.json.tmp"), "half");
    bench.write("killed/checkpoint/model.json.tmp", "half");
    bench.write("killed/metrics.csv.tmp", "half");
    fs::remove_file(bench.path("killed/run.json")).unwrap();
    bench.train("killed", &["--resume"]);
    assert_same(&lasting_files(&bench.path("whole")), &lasting_files(&bench.path("killed")));
}

#[test]
fn a_run_killed_while_its_recipe_was_written_can_be_started() {
    let bench = Bench::with(&Toy::default());
    fs::create_dir(bench.path("run")).unwrap();
    bench.write("run/recipe.toml.tmp", "name = ");
    bench.train("run", &["--resume"]);
    assert!(!bench.path("run/recipe.toml.tmp").exists());
}
