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
mod ranks;
mod reproduce;
mod tidy;
mod torture;
mod workspace;

use std::process::ExitCode;

use args::{Command, CommandLine};
use clap::Parser as _;
use clap::error::ErrorKind;
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
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return refuse(&error),
    };
    match dispatch(line.command) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Help as it is, on standard output; a mistake as one line.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    eprintln!("{}", lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; "));
    ExitCode::from(2)
}

fn dispatch(command: Command) -> anyhow::Result<Verdict> {
    let workspace = Workspace::locate()?;
    match command {
        Command::Check => check::run(&workspace),
        Command::Tidy => tidy::run(&workspace),
        Command::Golden { dir, strict } => golden::run(&workspace, &dir, strict),
        Command::Bench { bench } => bench::run(&workspace, bench),
        Command::Reproduce(options) => reproduce::run(&workspace, &options),
        Command::Torture(options) => torture::run(&workspace, &options),
        Command::Ranks(options) => ranks::run(&workspace, &options),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
    }
}
