//! The `rank1` binary: parses the command line, runs one verb, turns its error into one line and an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use rank1_cli::args::{Cli, Command};
use rank1_cli::commands::watch::Shifted;
use rank1_cli::launch::Launch;
use rank1_cli::stop::Interrupted;
use rank1_cli::{commands, tables};

/// A check that was asked for failed.
const EXIT_FAILED: u8 = 1;
/// Usage or data error.
const EXIT_USAGE: u8 = 2;
/// Training diverged.
const EXIT_DIVERGED: u8 = 3;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse_usage(&error),
    };
    if let Err(error) = rank1_core::kernels::simd::instruction_set() {
        tables::note(&format!("error: {error}"));
        return ExitCode::from(EXIT_USAGE);
    }
    let launch = match &cli.command {
        Command::Train(_) => Launch::found(),
        _ => Ok(Launch::alone()),
    };
    let launch = match launch {
        Ok(launch) => launch,
        Err(error) => {
            tables::note(&format!("error: {}", one_line(&error)));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let done = match &cli.command {
        Command::Fit(args) => commands::fit::run(args),
        Command::Train(args) => commands::train::run_on(args, &launch),
        Command::Info(args) => commands::info::run(args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Calibrate(args) => commands::calibrate::run(args),
        Command::Predict(args) => commands::predict::run(args),
        Command::Watch(args) => commands::watch::run(args),
        Command::Report(args) => commands::report::run(args),
        Command::Data { command } => commands::data::run(command),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        launch.fail(&interrupted.to_string(), interrupted.exit_code(), true);
        return ExitCode::from(interrupted.exit_code());
    }
    if let Some(shifted) = error.downcast_ref::<Shifted>() {
        tables::note(&readable(&shifted.to_string()));
        return ExitCode::from(EXIT_FAILED);
    }
    let diverged =
        error.chain().any(|e| e.downcast_ref::<rank1_models::Error>().is_some_and(|e| e.is_divergence()));
    let code = if diverged { EXIT_DIVERGED } else { EXIT_USAGE };
    launch.fail(&format!("error: {}", one_line(&error)), code, false);
    ExitCode::from(code)
}

/// Help and version as they are; a mistake as one line.
fn refuse_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        error.exit();
    }
    let text = error.to_string();
    let told = text.lines().map(str::trim).take_while(|line| {
        // What follows is the same for every mistake.
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let told: Vec<&str> = told.filter(|line| !line.is_empty()).collect();
    tables::note(&format!("{}; see `--help`", told.join(" ").replace(" tip: ", "; ")));
    ExitCode::from(EXIT_USAGE)
}

/// The error and its causes; a cause that the text before it already ends with is not repeated.
fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    let several = error
        .chain()
        .any(|e| matches!(e.downcast_ref(), Some(rank1_models::Error::Recipe(p)) if p.len() > 1));
    // Only a recipe's problems have a line each.
    if several { text } else { readable(&text) }
}

/// Control characters, which come with names and pieces of damaged files, as single spaces.
fn readable(text: &str) -> String {
    let words =
        text.split(|character: char| character.is_control() || character == char::REPLACEMENT_CHARACTER);
    words.map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_of_damaged_files_do_not_reach_the_terminal() {
        let text = super::readable("a.tar: not a number: \0\0\u{1b}[31mx\u{fffd}\u{fffd} when\r\nreading");
        assert_eq!(text, "a.tar: not a number: [31mx when reading");
    }
}
