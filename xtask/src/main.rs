//! `cargo xtask`: checks, golden files, reproductions and benches of the workspace.
//!
//! It runs cargo and the `rank1` program and tabulates what they wrote; no model code is linked here and no metric
//! is computed here.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this program talks to a person at a terminal")]

mod args;
mod bench;
mod check;
mod fuzz;
mod golden;
mod nearest;
mod process;
mod reproduce;
mod tidy;
mod torture;
mod workspace;

use std::process::ExitCode;

use args::{Command, Usage};
use workspace::Workspace;

/// Exit status of a command that finished: whether its acceptance check held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
}

impl Verdict {
    pub(crate) fn from_passed(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<Usage>() {
                eprintln!("`cargo xtask --help` lists the commands and their options.");
            }
            ExitCode::from(2)
        }
    }
}

fn dispatch(words: &[String]) -> anyhow::Result<Verdict> {
    let command = args::parse(words)?;
    let workspace = Workspace::locate()?;
    match command {
        Command::Help(text) => {
            print!("{text}");
            Ok(Verdict::Passed)
        }
        Command::Check => check::run(&workspace),
        Command::Tidy => tidy::run(&workspace),
        Command::Golden { dir, strict } => golden::run(&workspace, &dir, strict),
        Command::Bench { names, words } => bench::run(&workspace, &names, &words),
        Command::Reproduce(options) => reproduce::run(&workspace, &options),
        Command::Torture(options) => torture::run(&workspace, &options),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
    }
}
