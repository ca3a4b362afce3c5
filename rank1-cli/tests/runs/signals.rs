//! Ctrl-C and SIGTERM: a state is saved, one line says how to go on, and the bytes are those of an undisturbed run.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::workbench::{Bench, Ran, Toy, assert_same, assert_says, lasting_files};

const TRAIN: [&str; 7] = ["train", "recipe.toml", "--quiet", "--out", "run", "--threads", "2"];

fn start(bench: &Bench) -> Child {
    let words = [&TRAIN[..], &["--resume"]].concat();
    bench.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until something of the run is there.
fn wait_for(bench: &Bench, name: &str, child: &mut Child) {
    while !bench.path(name).exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended before {name} was there");
        sleep(Duration::from_millis(1));
    }
}

fn stops_and_goes_on(toy: &Toy<'_>) {
    let bench = Bench::with(toy);
    bench.train("whole", &[]);
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        for delay in [1, 40] {
            let mut child = start(&bench);
            wait_for(&bench, "run/.lock", &mut child);
            wait_for(&bench, "run/checkpoint/network0/manifest.json", &mut child);
            sleep(Duration::from_millis(delay));
            signal(&child, name);
            let ran = Ran::of(child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(code), "{}", ran.stderr);
            assert_eq!(ran.stdout, "");
            let last = ran.stderr.lines().last().unwrap();
            assert_says(
                last,
                &["stopped by", "the run is saved", "train recipe.toml", "--out run", "--resume"],
            );
            assert!(!bench.path("run/.lock").exists() && !bench.path("run/run.json").exists());
        }
    }
    bench.succeed(&[&TRAIN[..], &["--resume"]].concat());
    assert_same(&lasting_files(&bench.path("whole")), &lasting_files(&bench.path("run")));
}

#[test]
fn a_network_is_saved_where_it_is() {
    stops_and_goes_on(&Toy { train: "epochs = 2000\ncheckpoint_every = 20", ..Toy::default() });
}

#[test]
fn all_networks_of_an_ensemble_are_saved() {
    let method = "kind = \"ensemble\"\nnetworks = 3\nof = { kind = \"rank1\", members = 2 }";
    stops_and_goes_on(&Toy { method, train: "epochs = 1000\ncheckpoint_every = 20", ..Toy::default() });
}

#[test]
fn a_signal_between_two_checkpoints_saves_what_would_have_been_lost() {
    let bench = Bench::with(&Toy { train: "epochs = 20000\ncheckpoint_every = 20000", ..Toy::default() });
    let mut child = start(&bench);
    wait_for(&bench, "run/.lock", &mut child);
    sleep(Duration::from_millis(300));
    signal(&child, "-TERM");
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    let manifest = bench.read("run/checkpoint/network0/manifest.json");
    assert!(manifest.contains("\"finished\": false"), "{manifest}");
}

#[test]
fn a_search_that_is_stopped_leaves_nothing_because_nothing_of_it_is_saved() {
    let rest = "[search]\n\"train.l2\" = [0.0, 0.01, 0.02, 0.03]";
    let bench = Bench::with(&Toy { train: "epochs = 20000", rest, ..Toy::default() });
    let mut child = start(&bench);
    wait_for(&bench, "run/.lock", &mut child);
    sleep(Duration::from_millis(200));
    signal(&child, "-INT");
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_says(ran.stderr.lines().last().unwrap(), &["stopped by Ctrl-C", "nothing is left"]);
    assert!(!bench.path("run").exists());
}

#[test]
fn the_second_signal_ends_at_once() {
    // One epoch of minutes.
    let data = "set = \"yacht\"\nvalidation = 0";
    let train = "epochs = 2\nsamples = 4096";
    let bench = Bench::with(&Toy { data, train, rest: "", ..Toy::default() });
    let set = ["--set", "model.hidden=[400,400]", "--force"];
    let words = [&TRAIN[..], &set].concat();
    let mut child = bench.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&bench, "run/.lock", &mut child);
    sleep(Duration::from_millis(300));
    signal(&child, "-INT");
    sleep(Duration::from_millis(200));
    if child.try_wait().unwrap().is_none() {
        signal(&child, "-INT");
    }
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert!(!fs::exists(bench.path("run/run.json")).unwrap());
}
