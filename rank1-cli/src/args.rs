//! The command line as it is typed; nothing is read or decided here.

mod calibrate;
mod fit;
mod info;
mod predict;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use rank1_data::CorruptionKind;
use rank1_models::device::DeviceNames;
use rank1_models::recipe::{Draws, Override};

pub use calibrate::{AdjustName, CalibrateArgs, MethodName};
pub use fit::{FitArgs, TaskName};
pub use info::InfoArgs;
pub use predict::{FormatName, PredictArgs};
pub use watch::WatchArgs;

/// Rank-1 Bayesian neural networks: train, evaluate, predict, report.
#[derive(Debug, Parser)]
#[command(name = "rank1", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// From a table to a model with uncertainty, measured and reported: one command.
    Fit(FitArgs),
    /// Train the networks of a recipe and evaluate them on the test split.
    Train(TrainArgs),
    /// Show the layers, parameters and costs of a recipe's network before anything is run.
    Info(InfoArgs),
    /// Measure a finished run on a split, optionally under a shift.
    Evaluate(EvaluateArgs),
    /// Calibrate a finished run on labelled rows it has never seen: probabilities, and intervals or sets of stated coverage.
    Calibrate(CalibrateArgs),
    /// Predict rows of a table (CSV or Parquet), or images: files, folders of them, or an IDX file.
    Predict(PredictArgs),
    /// Compare new rows with those that a finished run was trained on: columns, uncertainties, and errors where labels are there.
    Watch(WatchArgs),
    /// Write one self-contained HTML page about finished runs.
    Report(ReportArgs),
    /// List, download, inspect and corrupt data sets.
    Data {
        /// What to do.
        #[command(subcommand)]
        command: DataCommand,
    },
}

/// `rank1 train`.
#[derive(Debug, Clone, Args)]
pub struct TrainArgs {
    /// Recipe file (TOML).
    pub recipe: PathBuf,
    /// Folder or archive with data sets that are not embedded; of a recipe on your own data, that file or a folder it is in.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Run folder to create [default: runs/SET-RECIPE-seedN].
    #[arg(long, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Where to compute: cpu, wgpu, cuda or cuda:N, or cuda:0,cuda:1 to share rows; all but cpu if they were built in.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceNames,
    /// Seed, instead of the recipe's.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replace a value of the recipe, for example train.epochs=20; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Go on with a run that was interrupted, or do nothing if it is finished.
    #[arg(long)]
    pub resume: bool,
    /// Networks (or trials of a search) trained at a time [default: number of cores]. Changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Go on although the plan of memory is larger than what is free.
    #[arg(long)]
    pub force: bool,
    /// No progress bar and no table; what is left out of the data is told all the same.
    #[arg(long)]
    pub quiet: bool,
    /// Print the evaluation as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `rank1 evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Folder or archive with data sets that are not embedded; of a run on your own data, that file or a folder it is in.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Split: test, train, validation, or set-X for a lettered set of clinical stays.
    #[arg(long, default_value = "test", value_name = "SPLIT")]
    pub split: SplitName,
    /// Measure on these rows instead of a split: a table with the columns of the training table and its target; for images a folder
    /// with a sub-folder per class, or an IDX file with --labels.
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = ["split", "data", "corrupted"])]
    pub input: Option<PathBuf>,
    /// With --input FILE of IDX images: the IDX file of their labels.
    #[arg(long, value_name = "FILE", requires = "input")]
    pub labels: Option<PathBuf>,
    /// With --input: read the table otherwise than the training table: data.unknown=missing, data.missing_tokens,
    /// data.delimiter or data.decimal; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "input")]
    pub overrides: Vec<Override>,
    /// Of two classes, the one that AUROC and average precision are about, instead of the recipe's data.event or the rarer one.
    #[arg(long, value_name = "CLASS")]
    pub event: Option<String>,
    /// Shift of the inputs, for example rotation:30, gaussian_noise:0.2, fog:3 or corrupt/gaussian_noise:3.
    #[arg(long, value_name = "KIND:SEVERITY")]
    pub shift: Option<String>,
    /// Folder of the set's published corrupted copies (CIFAR-10-C, CIFAR-100-C, ImageNet-C), measured instead of a split: every
    /// corruption at every severity that is there, and the means.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["shift", "split", "data"])]
    pub corrupted: Option<PathBuf>,
    /// With --corrupted: the severities that the .npy files hold one after the other, for example 3 or 1,3,5; needed where no
    /// severities.json beside them tells and the labels are not those of the five published severities.
    #[arg(long, value_name = "N,...", requires = "corrupted", value_delimiter = ',',
          value_parser = clap::value_parser!(u8).range(1..=5))]
    pub severities: Vec<u8>,
    /// Where to compute: cpu, wgpu, cuda or cuda:N, or cuda:0,cuda:1 to share rows; all but cpu if they were built in.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceNames,
    /// Samples per member, instead of the recipe's.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: Option<u32>,
    /// Whether rows have draws of their own or share them, instead of the recipe's.
    #[arg(long, value_name = "DRAWS")]
    pub draws: Option<DrawsName>,
    /// Print one JSON object on stdout and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// Parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitName {
    /// Rows that training never saw.
    Test,
    /// Rows that were trained on, validation rows included.
    Train,
    /// Rows held out of the training rows.
    Validation,
    /// A lettered set of clinical stays.
    Set(char),
}

impl std::fmt::Display for SplitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Test => f.pad("test"),
            Self::Train => f.pad("train"),
            Self::Validation => f.pad("validation"),
            Self::Set(letter) => write!(f, "set-{letter}"),
        }
    }
}

impl std::str::FromStr for SplitName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "test" => return Ok(Self::Test),
            "train" => return Ok(Self::Train),
            "validation" => return Ok(Self::Validation),
            _ => {}
        }
        match text.strip_prefix("set-").map(str::as_bytes) {
            Some(&[letter]) if letter.is_ascii_lowercase() => Ok(Self::Set(char::from(letter))),
            _ => Err("expected test, train, validation or set-X (X a letter)".to_owned()),
        }
    }
}

/// Which draws rows get, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawsName(pub Draws);

impl std::fmt::Display for DrawsName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self.0 {
            Draws::PerRow => "per_row",
            Draws::Shared => "shared",
        })
    }
}

impl std::str::FromStr for DrawsName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "per_row" => Ok(Self(Draws::PerRow)),
            "shared" => Ok(Self(Draws::Shared)),
            _ => Err("expected per_row or shared".to_owned()),
        }
    }
}

/// What to do with unusable images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BadImagesName {
    /// Refuse and name the first.
    Stop,
    /// Leave them out, named and counted.
    Skip,
}

/// `rank1 report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Run folders.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// HTML file to write, - for standard output.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Title of the page.
    #[arg(long, default_value = "Rank-1 Bayesian networks")]
    pub title: String,
    /// Published figures to print beside ours (TOML, as recipes/claims.toml).
    #[arg(long, value_name = "FILE")]
    pub claims: Option<PathBuf>,
    /// Tables, published figures and rows that were not run, as `cargo xtask reproduce` writes them (JSON).
    #[arg(long, value_name = "FILE")]
    pub comparison: Option<PathBuf>,
}

/// `rank1 data fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Name of a set that may be downloaded.
    pub set: String,
    /// Data folder; the set gets a subfolder in it.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Another server: an address that replaces scheme and host, or one with {file} or {path} in it.
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// Proxy, or `off` for none [default: the one of the environment].
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Further attempts after a failure that may pass.
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub retries: u32,
    /// Replace files that are there but are not the published ones.
    #[arg(long)]
    pub replace: bool,
    /// Do not compare digests.
    #[arg(long)]
    pub no_verify: bool,
}

/// `rank1 data corrupt`.
#[derive(Debug, Args)]
pub struct CorruptArgs {
    /// Name of a set of images.
    pub set: String,
    /// Folder or archive with data sets that are not embedded.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder to write CORRUPTION.npy, labels.npy and severities.json into.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// A corruption, for example fog; may be repeated [default: all 19].
    #[arg(long = "corruption", value_name = "NAME")]
    pub corruptions: Vec<CorruptionKind>,
    /// A severity from 1 to 5; may be repeated [default: all five].
    #[arg(long = "severity", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub severities: Vec<u8>,
    /// Seed of the random numbers.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
}

/// `rank1 data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the known sets.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Download a published set, continued after a break and checked against its published digests.
    Fetch(FetchArgs),
    /// Write the corrupted test images of a set as NumPy files, laid out as CIFAR-10-C.
    Corrupt(CorruptArgs),
    /// Show columns, ranges and targets of a set or of a CSV table.
    Inspect {
        /// Name of a set, or a CSV file.
        set: String,
        /// Folder or archive with data sets that are not embedded.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Target column of a CSV table.
        #[arg(long, value_name = "COLUMN")]
        target: Option<String>,
        /// Read the table as a recipe with this key would, for example data.ignore=["id"]; may be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<Override>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
