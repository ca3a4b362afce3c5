//! The command line: words to a [`Command`], every unknown word refused.
//!
//! Parsed by hand so that this crate compiles in seconds.

use std::fmt;
use std::path::PathBuf;

use crate::fuzz::{self, FuzzOptions};
use crate::{nearest, torture};

/// What the user asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help(&'static str),
    Check,
    Tidy,
    Golden { dir: PathBuf, strict: bool },
    Bench { names: Vec<String>, words: Vec<String> },
    Reproduce(ReproduceOptions),
    Torture(TortureOptions),
    Fuzz(FuzzOptions),
}

/// Options of `cargo xtask reproduce`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ReproduceOptions {
    pub(crate) names: Vec<String>,
    pub(crate) list: bool,
    pub(crate) repetitions: Option<usize>,
    pub(crate) quick: bool,
    pub(crate) fresh: bool,
    pub(crate) jobs: Option<usize>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) out: Option<PathBuf>,
}

/// Options of `cargo xtask torture`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TortureOptions {
    pub(crate) runs: Option<usize>,
    pub(crate) seconds: Option<u64>,
    pub(crate) epochs: Option<usize>,
    pub(crate) seed: Option<u64>,
    pub(crate) out: Option<PathBuf>,
}

/// A command line that cannot be understood.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

const COMMANDS: [&str; 7] = ["check", "tidy", "golden", "reproduce", "bench", "torture", "fuzz"];

const HELP: &str = "\
Checks, golden files, reproductions and benches of the rank1 workspace.

Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  check                    fmt, tidy, clippy, tests, docs: cheapest first, stops at the first failure
  tidy                     the rules of the house that rustc and clippy do not know
  golden DIR [--strict]    compare the crates with the reference values in DIR
  reproduce [NAME]...      train, evaluate and tabulate; without a NAME on the embedded data
  bench [NAME]...          run benches; without a NAME list them
  fuzz [READER]...         changed files of every format under every reader
  torture                  kill runs at random moments and resume them; full disks, two processes

`cargo xtask COMMAND --help` says more.
Exit status: 0 done, 1 finished but a check failed, 2 usage or data error.
";

const CHECK_HELP: &str = "\
Usage: cargo xtask check

Runs, in this order, and stops at the first failure:
  cargo fmt --check
  cargo xtask tidy
  cargo clippy --workspace --all-targets, warnings refused
  cargo test --workspace
  cargo doc --workspace --no-deps, warnings refused
";

const TIDY_HELP: &str = "\
Usage: cargo xtask tidy

Prints every violation as FILE:LINE: MESSAGE and exits with 1 when there is one. The rules:
  - the seven member crates, and no dependency between them that ARCHITECTURE.md does not draw
  - versions come from [workspace.dependencies]; one version each of ndarray, cubecl and burn
  - every .rs file opens with `//!`, has at most 400 lines and a name that says what is in it
  - no unfinished or debugging macro, no ignored test without a reason
  - `# Errors`, `# Shapes` and `# Source` headings on the public functions that need them
  - `forbid(unsafe_code)` in every crate root but rank1-gpu
  - no absolute path of one machine in any text file
";

const GOLDEN_HELP: &str = "\
Usage: cargo xtask golden DIR [--strict]

Compares the crates with the reference values in DIR, a folder of JSON files in the format of
rank1-models/tests/golden.

Options:
  --strict   a file or case that nothing here computes is a failure, not a note
";

const BENCH_HELP: &str = "\
Usage: cargo xtask bench [NAME]... [--OPTION... | -- WORD...]

Runs the named benches, `all` of them, or lists them when no NAME is given. A NAME is a bench (`perturb`) or,
where two crates share one, CRATE/BENCH. Options, and all words after `--`, go to the bench: a filter and options of
criterion, or what its own file says.

  steps [--json] [--seconds N] [-- CASE...]    whole training steps of six settings
  overhead [--json] [-- CASE...]               each beside the deterministic network on as many rows
  peers [--json] [--seconds N] [-- CASE...]    each beside PyTorch, eager and compiled (python3, or RANK1_PYTHON)
  wrn28-10 [--batch N] [--steps N]             one step of the Wide ResNet 28-10 by kind of layer
";

const REPRODUCE_HELP: &str = "\
Usage: cargo xtask reproduce [NAME]... [OPTIONS]

Builds the `rank1` program in release mode, trains every method of the named experiments (without a NAME:
`default`, which needs no other data than this repository), prints the tables with the published figures beside
ours, and writes results.json, results.csv, tables.md and report.html.

Options:
  --list        show the experiments, whether their data is here and what they cost; run nothing
  --seeds N     N seeds per method; on sets with published splits, the first N splits
  --quick       a smoke test: few repetitions and epochs; the tables say so
  --data DIR    folder with the data sets that are not embedded (default: the variable RANK1_DATA)
  --out DIR     where runs and results go (default: out/reproduce/NAME; with several NAMEs, DIR/NAME)
  --jobs N      processes at a time (default: the available cores)
  --fresh       train again what --out already holds; otherwise finished runs are reused

Environment:
  RANK1_BIN     use this program in place of building `rank1`; meant for tests

Exit status: 0 done, 1 a run or the report failed, 2 usage or data error.
";

/// Reads the words after `cargo xtask`.
pub(crate) fn parse(words: &[String]) -> Result<Command, Usage> {
    let Some((command, rest)) = words.split_first() else { return Ok(Command::Help(HELP)) };
    let rest = Words::new(rest);
    match command.as_str() {
        "help" | "--help" | "-h" => Ok(Command::Help(HELP)),
        "check" => rest.finish_without_arguments(CHECK_HELP, Command::Check),
        "tidy" => rest.finish_without_arguments(TIDY_HELP, Command::Tidy),
        "golden" => golden(rest),
        "bench" => bench(rest),
        "reproduce" => reproduce(rest),
        "torture" => torture(rest),
        "fuzz" => fuzz(rest),
        other => Err(Usage(format!("unknown command `{other}`{}", nearest::hint(other, COMMANDS)))),
    }
}

fn golden(mut words: Words) -> Result<Command, Usage> {
    let (mut dir, mut strict) = (None, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(Command::Help(GOLDEN_HELP)),
            "--strict" => strict = true,
            flag if flag.starts_with('-') => return Err(words.unknown(flag, &["--strict"])),
            _ if dir.is_some() => {
                return Err(Usage(format!("golden takes one folder, and `{word}` is a second")));
            }
            _ => dir = Some(PathBuf::from(word)),
        }
    }
    let dir = dir.ok_or_else(|| Usage("golden needs the folder with the reference values".into()))?;
    Ok(Command::Golden { dir, strict })
}

fn bench(mut words: Words) -> Result<Command, Usage> {
    let mut names = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(Command::Help(BENCH_HELP)),
            "--" => return Ok(Command::Bench { names, words: words.rest() }),
            flag if flag.starts_with('-') && names.is_empty() => return Err(words.unknown(flag, &[])),
            flag if flag.starts_with('-') => {
                // `--` among them only separates.
                let words = [word].into_iter().chain(words.rest()).filter(|word| word != "--").collect();
                return Ok(Command::Bench { names, words });
            }
            _ => names.push(word),
        }
    }
    Ok(Command::Bench { names, words: Vec::new() })
}

fn reproduce(mut words: Words) -> Result<Command, Usage> {
    const FLAGS: [&str; 7] = ["--list", "--seeds", "--quick", "--fresh", "--jobs", "--data", "--out"];
    let mut options = ReproduceOptions::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(Command::Help(REPRODUCE_HELP)),
            "--list" => options.list = true,
            "--quick" => options.quick = true,
            "--fresh" => options.fresh = true,
            "--seeds" => options.repetitions = Some(words.count("--seeds")?),
            "--jobs" => options.jobs = Some(words.count("--jobs")?),
            "--data" => options.data = Some(words.value("--data")?.into()),
            "--out" => options.out = Some(words.value("--out")?.into()),
            flag if flag.starts_with('-') => return Err(words.unknown(flag, &FLAGS)),
            _ => options.names.push(word),
        }
    }
    Ok(Command::Reproduce(options))
}

fn torture(mut words: Words) -> Result<Command, Usage> {
    const FLAGS: [&str; 5] = ["--runs", "--seconds", "--epochs", "--seed", "--out"];
    let mut options = TortureOptions::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(Command::Help(torture::HELP)),
            "--runs" => options.runs = Some(words.count("--runs")?),
            "--seconds" => options.seconds = Some(words.count("--seconds")? as u64),
            "--epochs" => options.epochs = Some(words.count("--epochs")?),
            "--seed" => options.seed = Some(words.count("--seed")? as u64),
            "--out" => options.out = Some(words.value("--out")?.into()),
            flag if flag.starts_with('-') => return Err(words.unknown(flag, &FLAGS)),
            word => return Err(Usage(format!("unexpected argument `{word}`"))),
        }
    }
    Ok(Command::Torture(options))
}

fn fuzz(mut words: Words) -> Result<Command, Usage> {
    const FLAGS: [&str; 8] =
        ["--list", "--inputs", "--seconds", "--seed", "--out", "--json", "--replay", "--profile"];
    let mut options = FuzzOptions::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(Command::Help(fuzz::HELP)),
            "--list" => options.list = true,
            "--inputs" => options.inputs = Some(words.count("--inputs")? as u64),
            "--seconds" => options.seconds = Some(words.count("--seconds")? as u64),
            "--seed" => options.seed = Some(words.count("--seed")? as u64),
            "--out" => options.out = Some(words.value("--out")?.into()),
            "--json" => options.json = Some(words.value("--json")?.into()),
            "--replay" => options.replay = Some(words.value("--replay")?.into()),
            "--profile" => options.profile = Some(words.value("--profile")?),
            flag if flag.starts_with('-') => return Err(words.unknown(flag, &FLAGS)),
            _ => options.readers.push(word),
        }
    }
    Ok(Command::Fuzz(options))
}

/// The words still to be read; `--flag=value` has become two words.
struct Words {
    left: std::vec::IntoIter<String>,
}

impl Words {
    fn new(words: &[String]) -> Self {
        let split = words.iter().flat_map(|word| match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => vec![flag.to_owned(), value.to_owned()],
            _ => vec![word.clone()],
        });
        Self { left: split.collect::<Vec<_>>().into_iter() }
    }

    fn next(&mut self) -> Option<String> {
        self.left.next()
    }

    fn rest(self) -> Vec<String> {
        self.left.collect()
    }

    fn value(&mut self, flag: &str) -> Result<String, Usage> {
        match self.next() {
            Some(value) if !value.is_empty() && !value.starts_with("--") => Ok(value),
            _ => Err(Usage(format!("{flag} needs a value"))),
        }
    }

    fn count(&mut self, flag: &str) -> Result<usize, Usage> {
        let value = self.value(flag)?;
        match value.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(Usage(format!("{flag} needs a whole number of at least 1, not `{value}`"))),
        }
    }

    fn unknown(&self, flag: &str, known: &[&str]) -> Usage {
        Usage(format!("unknown option `{flag}`{}", nearest::hint(flag, known.iter().copied())))
    }

    fn finish_without_arguments(mut self, help: &'static str, command: Command) -> Result<Command, Usage> {
        match self.next().as_deref() {
            None => Ok(command),
            Some("--help" | "-h") => Ok(Command::Help(help)),
            Some(word) => Err(Usage(format!("unexpected argument `{word}`"))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words).map_err(|usage| usage.to_string())
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(parsed("check"), Ok(Command::Check));
        assert_eq!(parsed("tidy"), Ok(Command::Tidy));
        assert_eq!(parsed("golden --strict dir"), Ok(Command::Golden { dir: "dir".into(), strict: true }));
        assert_eq!(
            parsed("bench perturb"),
            Ok(Command::Bench { names: vec!["perturb".into()], words: vec![] })
        );
        assert_eq!(
            parsed("bench steps -- --batch 16"),
            Ok(Command::Bench { names: vec!["steps".into()], words: vec!["--batch".into(), "16".into()] })
        );
        assert_eq!(
            parsed("bench steps --json -- uci50"),
            Ok(Command::Bench { names: vec!["steps".into()], words: vec!["--json".into(), "uci50".into()] })
        );
        assert_eq!(parsed("bench --json").unwrap_err(), "unknown option `--json`");
        assert_eq!(parsed("reproduce"), Ok(Command::Reproduce(ReproduceOptions::default())));
    }

    #[test]
    fn reproduce_reads_names_and_options_in_any_order_and_both_spellings() {
        let expected = ReproduceOptions {
            names: vec!["uci".into(), "mnist10k".into()],
            list: true,
            repetitions: Some(5),
            quick: true,
            fresh: true,
            jobs: Some(2),
            data: Some("d".into()),
            out: Some("o".into()),
        };
        let line = "reproduce --seeds=5 uci --quick --data d --out=o mnist10k --list --fresh --jobs 2";
        assert_eq!(parsed(line), Ok(Command::Reproduce(expected)));
    }

    #[test]
    fn help_is_offered_by_every_command_and_names_every_option() {
        for line in ["", "help", "--help", "-h"] {
            assert_eq!(parsed(line), Ok(Command::Help(HELP)));
        }
        for command in COMMANDS {
            let Ok(Command::Help(text)) = parsed(&format!("{command} --help")) else {
                panic!("{command} --help is not a help text")
            };
            assert!(text.starts_with(&format!("Usage: cargo xtask {command}")), "{text}");
            assert!(HELP.contains(&format!("\n  {command} ")), "{command} is missing from the overview");
        }
        for flag in ["--list", "--seeds", "--quick", "--data", "--out", "--jobs", "--fresh"] {
            assert!(REPRODUCE_HELP.contains(flag), "{flag}");
        }
    }

    #[test]
    fn unknown_words_are_refused_with_the_nearest_known_one() {
        assert_eq!(parsed("reprodce").unwrap_err(), "unknown command `reprodce`; did you mean `reproduce`?");
        assert_eq!(
            parsed("reproduce --seed 3").unwrap_err(),
            "unknown option `--seed`; did you mean `--seeds`?"
        );
        assert_eq!(parsed("check now").unwrap_err(), "unexpected argument `now`");
        assert_eq!(parsed("golden --fast d").unwrap_err(), "unknown option `--fast`");
    }

    #[test]
    fn missing_and_impossible_values_are_refused() {
        assert_eq!(parsed("reproduce --seeds").unwrap_err(), "--seeds needs a value");
        assert_eq!(parsed("reproduce --data --quick").unwrap_err(), "--data needs a value");
        let expected = "--seeds needs a whole number of at least 1, not `0`";
        assert_eq!(parsed("reproduce --seeds 0").unwrap_err(), expected);
        assert_eq!(parsed("golden").unwrap_err(), "golden needs the folder with the reference values");
        assert_eq!(parsed("golden a b").unwrap_err(), "golden takes one folder, and `b` is a second");
    }
}
