//! The command line: words to a [`Command`]; every unknown word is refused by `clap`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::reproduce::Shard;

/// Checks, golden files, reproductions and benches of the rank1 workspace.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 finished but a check failed, 2 usage or data error."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the user asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// fmt, tidy, clippy, tests, docs: cheapest first, stops at the first failure
    Check,
    /// The rules of the house that rustc and clippy do not know
    ///
    /// Prints every violation as FILE:LINE: MESSAGE and exits with 1 when there is one. The rules: the seven member crates, and no
    /// dependency between them that ARCHITECTURE.md does not draw; versions come from [workspace.dependencies]; every .rs file
    /// opens with `//!`, has at most 400 lines and a name that says what is in it; `forbid(unsafe_code)` in every crate root but
    /// rank1-gpu; no absolute path of one machine in any text file.
    #[command(verbatim_doc_comment)]
    Tidy,
    /// Compare the crates with the reference values in DIR
    Golden {
        /// A folder of JSON files in the format of rank1-models/tests/golden
        dir: PathBuf,
        /// A file or case that nothing here computes is a failure, not a note
        #[arg(long)]
        strict: bool,
    },
    /// Train, evaluate and tabulate; without a NAME on the embedded data
    Reproduce(ReproduceOptions),
    /// Run benches; without a NAME list them
    ///
    /// Words behind the first NAME that begin with `-`, and all words after `--`, go to the bench: a filter and options of
    /// criterion, or what its own file says, for example `bench steps --json -- uci50`.
    Bench {
        #[command(subcommand)]
        bench: Option<Bench>,
    },
    /// Kill runs at random moments and resume them; full disks, two processes
    Torture(TortureOptions),
    /// Trainings on several ranks of MPI beside one process, and ranks that are killed
    Ranks(RanksOptions),
    /// Changed files of every format under every reader
    Fuzz(FuzzOptions),
}

/// Options of `cargo xtask reproduce`.
///
/// Builds the `rank1` program in release mode (or takes that of the variable RANK1_BIN), trains every method of the named
/// experiments, prints the tables with the published figures beside ours, and writes results.json, results.csv, tables.md and
/// report.html.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct ReproduceOptions {
    /// Experiments; `default` if none, which needs no other data than this repository
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Show the experiments, whether their data is here and what they cost; run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Seeds per method; on sets with published splits, the first N splits
    #[arg(long = "seeds", value_name = "N", value_parser = at_least_one)]
    pub(crate) repetitions: Option<usize>,
    /// A smoke test: few repetitions and epochs; the tables say so
    #[arg(long)]
    pub(crate) quick: bool,
    /// Train again what --out already holds; otherwise finished runs are reused
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Processes at a time (default: the available cores)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) jobs: Option<usize>,
    /// Folder with the data sets that are not embedded (default: the variable RANK1_DATA)
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where runs and results go (default: out/reproduce/NAME; with several NAMEs, DIR/NAME)
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Make the runs of part I of N only, parts of about the same expected time, and no tables; parts may share --out
    #[arg(long, value_name = "I/N", conflicts_with_all = ["collect", "list"])]
    pub(crate) shard: Option<Shard>,
    /// Train nothing: make the tables from the runs of all parts in --out
    #[arg(long, conflicts_with_all = ["list", "fresh"])]
    pub(crate) collect: bool,
    /// With --collect: another folder that was the --out of a part, whose runs are copied into --out; may be repeated
    #[arg(long = "from", value_name = "DIR", requires = "collect")]
    pub(crate) parts: Vec<PathBuf>,
}

/// Benches that are more than one program of criterion, and all others by name.
#[derive(Debug, PartialEq, Subcommand)]
pub(crate) enum Bench {
    /// The kernels of rank1-gpu on a device: checked, then timed
    Gpu(GpuOptions),
    /// The cases of `steps` beside PyTorch, eager and compiled (python3, or the variable RANK1_PYTHON)
    Peers(PeersOptions),
    /// The cases of `steps` beside deterministic networks on as many rows
    Overhead {
        /// Words of the bench `steps`: cases, --json, --seconds N
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Names of benches, or CRATE/BENCH where two share one, or `all`, then words for them
    #[command(external_subcommand)]
    Named(Vec<String>),
}

/// Options of `cargo xtask bench gpu`.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct GpuOptions {
    /// Cases to run, by parts of their names
    pub(crate) filters: Vec<String>,
    /// The feature of rank1-gpu
    #[arg(long, value_enum, default_value = "wgpu")]
    pub(crate) runtime: Runtime,
    /// Cargo's profile (default: release, or device where there is no card)
    #[arg(long, value_enum)]
    pub(crate) profile: Option<GpuProfile>,
    /// Print one JSON object a case
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runtimes that have kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    Wgpu,
    Cuda,
}

/// Profiles for cards, and for software adapters, where the host's code stays unoptimized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GpuProfile {
    Release,
    Device,
}

/// Options of `cargo xtask bench peers`.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct PeersOptions {
    /// Cases; all if none
    #[arg(value_name = "CASE")]
    pub(crate) cases: Vec<String>,
    /// Print one JSON object a case
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds of a measurement
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least_one)]
    pub(crate) seconds: usize,
    /// Times that each side of a case is run, in turns
    #[arg(long, value_name = "N", default_value = "10", value_parser = at_least_one)]
    pub(crate) rounds: usize,
}

/// Options of `cargo xtask torture`.
///
/// Kills runs of small recipes at random moments (SIGKILL, SIGTERM, Ctrl-C), six of ten on the disk of --out and two on a
/// tmpfs that is sometimes too small, and resumes each to the bytes of an undisturbed run; of the other two, one is started
/// twice at once and one is read where it may not be written. Without the right to mount, those runs say so.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct TortureOptions {
    /// Runs (default: 200)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) runs: Option<usize>,
    /// Stop after so many seconds, if there are runs left
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u64>,
    /// Epochs of the recipes (default: 500, about a second each in release mode)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) epochs: Option<usize>,
    /// Seed of kinds and moments (default: 0)
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Where runs lie meanwhile; a new or an empty folder (default: out/torture, emptied first)
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Options of `cargo xtask ranks`.
///
/// Takes the program of the variable RANK1_BIN, built with `--features rank1-cli/mpi`, and runs it under `mpirun`. Four small
/// recipes must have the losses of one process to 1e-5 nats in 50 steps; runs of which a rank is killed must end within 10 s and
/// go on to the bytes of an undisturbed run.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct RanksOptions {
    /// Numbers of ranks whose losses are compared (default: 1 2 4)
    #[arg(long, value_name = "N", num_args = 1.., value_parser = at_least_one)]
    pub(crate) sizes: Vec<usize>,
    /// Runs of which a rank is killed (default: 20)
    #[arg(long, value_name = "N")]
    pub(crate) kills: Option<usize>,
    /// Seed of ranks and moments (default: 0)
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// Options of `cargo xtask fuzz`.
///
/// Changes small files of every format (bits, pieces, lengths, numbers, lines, words) and reads them: each must be accepted or
/// refused in one short line, without a panic, within 10 s of a processor, and within the memory that its reader states; of a
/// checkpoint no changed byte may be accepted. An input depends on the seed and its number alone.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct FuzzOptions {
    /// Readers; all if none
    #[arg(value_name = "READER")]
    pub(crate) readers: Vec<String>,
    /// Show the readers; run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Inputs of each reader (default: 100000; with --seconds, no limit)
    #[arg(long, value_name = "N")]
    pub(crate) inputs: Option<u64>,
    /// Seconds of each reader
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u64>,
    /// Which changes (default: 0)
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Where failing inputs are kept, a folder a reader (default: out/fuzz, emptied first)
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write the figures there too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Read one kept input again, by one READER
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Cargo's profile (default: fuzz, a release with checks of overflow; dev in the continuous check)
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

fn at_least_one(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|&count| count > 0).ok_or_else(|| "expected a whole number of at least 1".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let words = ["xtask"].into_iter().chain(line.split_whitespace());
        CommandLine::try_parse_from(words).map(|line| line.command).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
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
            ..ReproduceOptions::default()
        };
        let line = "reproduce --seeds=5 uci --quick --data d --out=o mnist10k --list --fresh --jobs 2";
        let Ok(Command::Reproduce(got)) = parsed(line) else { panic!() };
        assert_eq!(got, expected);
        let line = "reproduce uci --collect --from a --from b";
        let Ok(Command::Reproduce(got)) = parsed(line) else { panic!() };
        assert_eq!((got.collect, got.parts), (true, vec!["a".into(), "b".into()]));
        let Ok(Command::Reproduce(got)) = parsed("reproduce uci --shard 2/3") else { panic!() };
        assert_eq!(got.shard.map(|shard| shard.to_string()).as_deref(), Some("2/3"));
    }

    #[test]
    fn benches_of_any_name_take_any_words() {
        let bench = |line| match parsed(line) {
            Ok(Command::Bench { bench }) => bench,
            other => panic!("{other:?}"),
        };
        assert_eq!(bench("bench"), None);
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let named = Some(Bench::Named(words(&["steps", "--json", "--", "uci50"])));
        assert_eq!(bench("bench steps --json -- uci50"), named);
        let cases = Some(Bench::Overhead { words: words(&["uci50", "--json"]) });
        assert_eq!(bench("bench overhead uci50 --json"), cases);
        let Some(Bench::Gpu(gpu)) = bench("bench gpu draw --runtime cuda --profile device --json") else {
            panic!()
        };
        let (runtime, profile) = (Runtime::Cuda, Some(GpuProfile::Device));
        assert_eq!(gpu, GpuOptions { filters: words(&["draw"]), runtime, profile, json: true });
        let Some(Bench::Peers(peers)) = bench("bench peers lstm48 --seconds 9") else { panic!() };
        assert_eq!(peers, PeersOptions { cases: words(&["lstm48"]), json: false, seconds: 9, rounds: 10 });
    }

    #[test]
    fn unknown_words_and_impossible_values_are_refused() {
        for (line, said) in [
            ("reprodce", "similar subcommand"),
            ("reproduce --seed 3", "similar argument"),
            ("check now", "unexpected argument 'now'"),
            ("reproduce --seeds 0", "at least 1"),
            ("reproduce --shard 3/2", "a part I from 1 to 2"),
            ("reproduce --shard 1/0", "at least 1"),
            ("reproduce --shard 1/2 --collect", "cannot be used with"),
            ("reproduce --from a", "--collect"),
            ("reproduce --seeds", "a value is required"),
            ("golden", "<DIR>"),
            ("golden a b", "unexpected argument 'b'"),
            ("bench --json", "unexpected argument '--json'"),
            ("bench gpu --runtime metal", "[possible values: wgpu, cuda]"),
        ] {
            let refusal = parsed(line).unwrap_err();
            assert!(refusal.contains(said), "{line}: {refusal}");
        }
    }
}
