//! Outputs that are no plain new file: standard output, pipes, links, the input itself; readers that go away.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

use crate::workbench::{Bench, Ran, assert_says, sum, table};

const PREDICT: [&str; 5] = ["predict", "run", "--input", "table.csv", "--output"];

/// A run and its predictions in `expected.csv`.
fn trained() -> (Bench, String) {
    let bench = Bench::with_table(&table(61, sum));
    bench.train("run", &[]);
    bench.succeed(&[&PREDICT[..], &["expected.csv"]].concat());
    let expected = bench.read("expected.csv");
    (bench, expected)
}

#[test]
fn a_dash_is_standard_output_and_standard_input() {
    let (bench, expected) = trained();
    let ran = bench.succeed(&[&PREDICT[..], &["-"]].concat());
    assert_eq!(ran.stdout, expected);
    assert!(!bench.path("-").exists());
    let table = fs::File::open(bench.path("table.csv")).unwrap();
    let words = ["predict", "run", "--input", "-", "--output", "-"];
    let ran = Ran::of(bench.command(&words).stdin(table).output().unwrap());
    assert_eq!((ran.code, ran.stdout), (Some(0), expected));
}

#[test]
fn what_stands_for_standard_output_is_written_to_and_stays() {
    let (bench, expected) = trained();
    symlink("/proc/self/fd/1", bench.path("stdout")).unwrap();
    for name in ["/dev/stdout", "/dev/fd/1", "stdout"] {
        let words = [&PREDICT[..], &[name]].concat();
        assert_eq!(bench.succeed(&words).stdout, expected, "{name} in a pipe");
        // What was printed to the file before stays.
        bench.write("file", "before\n");
        let file = fs::OpenOptions::new().append(true).open(bench.path("file")).unwrap();
        let ran = bench.command(&words).stdout(file).output().unwrap();
        assert!(ran.status.success());
        assert_eq!(bench.read("file"), format!("before\n{expected}"), "{name} into a file");
    }
    assert!(fs::symlink_metadata(bench.path("stdout")).unwrap().is_symlink());
}

#[test]
fn another_open_file_is_appended_to() {
    let (bench, expected) = trained();
    let script = "exec 3>file; echo before >&3; \"$0\" predict run --input table.csv --output /dev/fd/3";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_rank1")]).current_dir(bench.path("."));
    assert!(shell.output().unwrap().status.success());
    assert_eq!(bench.read("file"), format!("before\n{expected}"));
}

#[test]
fn a_named_pipe_stays_one_and_carries_the_table() {
    let (bench, expected) = trained();
    let pipe = bench.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let from = pipe.clone();
    let reader = std::thread::spawn(move || fs::read_to_string(from).unwrap());
    bench.succeed(&[&PREDICT[..], &["pipe"]].concat());
    assert_eq!(reader.join().unwrap(), expected);
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn links_stay_and_their_ends_are_replaced_whether_there_or_not() {
    let (bench, expected) = trained();
    fs::create_dir(bench.path("far")).unwrap();
    bench.write("far/old.csv", "old");
    for (link, end) in [("a.csv", "far/old.csv"), ("b.csv", "far/new.csv")] {
        symlink(end, bench.path(link)).unwrap();
        symlink(link, bench.path("second")).unwrap();
        bench.succeed(&[&PREDICT[..], &["second"]].concat());
        assert_eq!(bench.read(end), expected);
        assert_eq!(fs::read_link(bench.path(link)).unwrap().to_str(), Some(end));
        fs::remove_file(bench.path("second")).unwrap();
    }
    symlink("loop", bench.path("loop")).unwrap();
    assert_says(
        &bench.rank1(&[&PREDICT[..], &["loop"]].concat()).refusal(),
        &["write loop", "too many links"],
    );
}

#[test]
fn permissions_of_a_replaced_file_stay() {
    let (bench, _) = trained();
    bench.write("out.csv", "old");
    fs::set_permissions(bench.path("out.csv"), fs::Permissions::from_mode(0o640)).unwrap();
    bench.succeed(&[&PREDICT[..], &["out.csv"]].concat());
    assert_eq!(fs::metadata(bench.path("out.csv")).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn the_input_is_not_written_over_under_any_name() {
    let (bench, _) = trained();
    symlink("table.csv", bench.path("link.csv")).unwrap();
    fs::hard_link(bench.path("table.csv"), bench.path("hard.csv")).unwrap();
    for output in ["table.csv", "./run/../table.csv", "link.csv", "hard.csv"] {
        let line = bench.refused(&[&PREDICT[..], &[output]].concat());
        assert_says(&line, &["write", output, "it is the input table.csv"]);
    }
    let words = ["predict", "run", "--input", "link.csv", "--output", "table.csv"];
    assert_says(&bench.refused(&words), &["it is the input link.csv"]);
}

#[test]
fn files_of_the_run_are_not_written_over() {
    let (bench, _) = trained();
    for output in
        ["run/run.json", "run/recipe.toml", "run/checkpoint/model.json", "run/checkpoint/network0/new"]
    {
        assert_says(&bench.refused(&[&PREDICT[..], &[output]].concat()), &["part of the run"]);
        let report = ["report", "run", "--output", output];
        assert_says(&bench.refused(&report), &["part of the run"]);
    }
    bench.succeed(&[&PREDICT[..], &["run/predictions.csv"]].concat());
}

/// Every command whose reader goes away at once, or reads a little first.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (bench, _) = trained();
    let piped = [&PREDICT[..], &["/dev/stdout"]].concat();
    let dashed = [&PREDICT[..], &["-"]].concat();
    let commands = [
        &["--help"][..],
        &["train", "--help"],
        &["data", "list"],
        &["data", "list", "--json"],
        &["data", "inspect", "yacht"],
        &["info", "recipe.toml"],
        &["evaluate", "run"],
        &["evaluate", "run", "--json"],
        &["train", "recipe.toml", "--out", "run", "--resume"],
        &["report", "run", "--output", "-"],
        &piped,
        &dashed,
    ];
    for words in commands {
        for read in [0, 3] {
            let mut child =
                bench.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            let mut some = vec![0; read];
            stdout.read_exact(&mut some).unwrap();
            drop(stdout);
            let ran = Ran::of(child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(0), "{words:?} {}", ran.stderr);
            assert!(
                !ran.stderr.contains("panicked") && !ran.stderr.contains("error"),
                "{words:?} {}",
                ran.stderr
            );
        }
    }
}

#[test]
fn an_error_output_that_is_closed_is_no_panic() {
    let (bench, _) = trained();
    for words in [&[&PREDICT[..], &["out.csv"]].concat()[..], &["train", "recipe.toml", "--out", "other"]] {
        let mut child = bench.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{words:?}");
    }
    let mut child = bench.command(&["evaluate", "nowhere"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}
