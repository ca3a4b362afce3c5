//! Two processes on one run folder: the first trains as if alone, the second is refused in one line.

use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::workbench::{Bench, Ran, Toy, assert_same, assert_says, lasting_files};

const TRAIN: [&str; 5] = ["train", "recipe.toml", "--quiet", "--out", "run"];

/// Some seconds of training.
fn long() -> Bench {
    Bench::with(&Toy { train: "epochs = 4000\ncheckpoint_every = 50", ..Toy::default() })
}

fn start(bench: &Bench, words: &[&str]) -> Child {
    bench.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a process holds the folder `run`.
fn wait_for_lock(bench: &Bench) {
    let until = Instant::now() + Duration::from_secs(30);
    while fs::read_to_string(bench.path("run/.lock")).unwrap_or_default().is_empty() {
        assert!(Instant::now() < until, "no lock was taken");
        sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_second_is_refused_with_and_without_resume_and_the_first_ends_as_if_alone() {
    let bench = long();
    bench.succeed(&["train", "recipe.toml", "--quiet", "--out", "alone"]);
    let first = start(&bench, &TRAIN);
    wait_for_lock(&bench);
    let number = first.id().to_string();
    let line = bench.rank1(&["evaluate", "run"]).refusal();
    assert_says(&line, &["run: still being trained by process", &number, "wait until it has ended"]);
    for more in [&[][..], &["--resume"]] {
        let line = bench.rank1(&[&TRAIN[..], more].concat()).refusal();
        assert_says(&line, &["run: another process", &number, "--out"]);
    }
    let first = Ran::of(first.wait_with_output().unwrap());
    assert_eq!((first.code, &*first.stderr), (Some(0), ""));
    assert_same(&lasting_files(&bench.path("alone")), &lasting_files(&bench.path("run")));
}

#[test]
fn of_two_that_start_at_once_one_trains() {
    let bench = Bench::with(&Toy { train: "epochs = 200", ..Toy::default() });
    for _ in 0..4 {
        let both = [start(&bench, &TRAIN), start(&bench, &TRAIN)];
        let mut ran = both.map(|child| Ran::of(child.wait_with_output().unwrap()));
        ran.sort_by_key(|ran| ran.code);
        let [trained, refused] = ran;
        assert_eq!((trained.code, &*trained.stderr), (Some(0), ""));
        assert_says(&refused.refusal(), &["run"]);
        fs::remove_dir_all(bench.path("run")).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_no_lock() {
    let bench = long();
    let mut first = start(&bench, &TRAIN);
    wait_for_lock(&bench);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(bench.path("run/.lock").exists());
    bench.succeed(&[&TRAIN[..], &["--resume", "--set", "train.epochs=4000"]].concat());
    assert!(!bench.path("run/.lock").exists());
}

#[test]
fn readers_need_no_lock_and_leave_none() {
    let bench = Bench::with(&Toy::default());
    bench.train("run", &[]);
    let before = crate::workbench::files(&bench.path("run"));
    bench.succeed(&["evaluate", "run"]);
    bench.succeed(&[&TRAIN[..], &["--resume"]].concat());
    assert_same(&before, &crate::workbench::files(&bench.path("run")));
}
