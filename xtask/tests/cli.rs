//! The program as it is called: help, refusals and exit statuses.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn xtask(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(words).env_remove("RANK1_DATA").output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_is_printed_on_stdout_with_status_zero() {
    for words in [&[][..], &["--help"], &["reproduce", "--help"]] {
        let output = xtask(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("Usage: cargo xtask"), "{words:?}");
        assert!(output.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn usage_and_data_errors_end_with_status_two_and_one_clear_line() {
    let cases = [
        (&["polish"][..], "error: unrecognized subcommand 'polish'\n"),
        (
            &["reproduce", "--sedes", "3"],
            "error: unexpected argument '--sedes' found; tip: a similar argument exists: '--seeds'\n",
        ),
        (&["reproduce", "ucl"], "error: no experiment is called `ucl`; did you mean `uci`?\n"),
        (&["reproduce", "uci"], "error: experiment uci needs sets that are not part of the repository"),
        (&["reproduce", "--data", "no-such-folder"], "error: --data no-such-folder is not a folder\n"),
        (&["golden", "no-such-folder"], "error: cannot open the folder no-such-folder"),
        (&["bench", "no-such-bench"], "error: no bench is called `no-such-bench`"),
    ];
    for (words, expected) in cases {
        let output = xtask(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).starts_with(expected), "{words:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn the_list_needs_neither_data_nor_a_build() {
    let output = xtask(&["reproduce", "--list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for expected in ["| default ", "| uci-gap ", "embedded", "missing: kin8nm, naval, power, protein"] {
        assert!(text.contains(expected), "{expected} is missing from\n{text}");
    }
}
