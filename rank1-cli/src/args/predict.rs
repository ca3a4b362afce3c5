//! The words of `rank1 predict`.

use std::path::PathBuf;

use clap::Args;
use rank1_models::device::DeviceNames;
use rank1_models::recipe::Override;

use super::{BadImagesName, DrawsName};
use crate::shard::Shard;

/// `rank1 predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Table (CSV or Parquet) with the training table's feature columns, - for standard input; for a model of images an image
    /// file, a folder of them, or an IDX file of gray images. Any number of rows takes the memory of a block of them.
    #[arg(long, value_name = "FILE|DIR")]
    pub input: PathBuf,
    /// File to write, - for standard output. It has its name only when all rows are there.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// How rows are written: csv, jsonl (one JSON object a line) or parquet [default: by the ending of --output: .jsonl and
    /// .ndjson, .parquet, otherwise csv].
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<FormatName>,
    /// Write this column of the input too, as text and behind the number of the row; it need not be an input of the model. May
    /// be repeated.
    #[arg(long, value_name = "COLUMN")]
    pub keep: Vec<String>,
    /// Rows that are read, predicted and written at a time; bounds the memory and changes no byte of the output.
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub rows_per_block: u32,
    /// Predict part I of N only: exactly these rows of the file that all parts together are, with their numbers and draws. Every
    /// CSV file has the header. Rows are counted first, so that the input is a file or a folder.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// What to do with images that cannot be used: stop before anything is predicted, or skip, name and count them [default: as
    /// data.bad_images of the recipe, which is stop if absent].
    #[arg(long, value_name = "stop|skip")]
    pub bad_images: Option<BadImagesName>,
    /// Where to compute: cpu, wgpu, cuda or cuda:N, or cuda:0,cuda:1 to share rows; all but cpu if they were built in.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceNames,
    /// Samples per member, instead of the recipe's.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: Option<u32>,
    /// Whether rows have draws of their own or share them, instead of the recipe's.
    #[arg(long, value_name = "DRAWS")]
    pub draws: Option<DrawsName>,
    /// Stop drawing for a row when the standard error of its predictive is within this bound: of every class probability, or
    /// of the mean in the target's unit. The last column then tells the samples used; --samples is the most.
    #[arg(long, value_name = "E")]
    pub standard_error: Option<f64>,
    /// Read the table otherwise than the training table: data.unknown=missing, data.missing_tokens, data.delimiter,
    /// data.decimal or data.ignore; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Probability of the central interval of a regression.
    #[arg(long, default_value_t = 0.9, value_name = "P")]
    pub interval: f64,
    /// Also write what every member predicts, the last columns: for classes m1_p(CLASS) ... of member 1 and so on, whose means
    /// over members are p(CLASS) ...; for values m1_mean, m1_std ..., in the target's unit. One draw of a member is one
    /// Gaussian; of several, mean and standard deviation are those of their mixture.
    #[arg(long)]
    pub members: bool,
    /// Leave calibration.json of the run aside; without this its probabilities or deviation and its intervals or sets are
    /// written too.
    #[arg(long)]
    pub uncalibrated: bool,
    /// Add the column `abstain`, true where the risk that a prediction states of itself is above this: one minus the
    /// probability of the predicted class, or the standard deviation in the target's unit.
    #[arg(long, value_name = "U", conflicts_with = "keep_share")]
    pub abstain_above: Option<f64>,
    /// Add the column `abstain` with the limit that keeps this share of the rows that calibrated the run.
    #[arg(long, value_name = "S")]
    pub keep_share: Option<f64>,
    /// Add the columns `decision` and `expected_cost`: the decision of least expected cost by a CSV file with a row for each
    /// class (its name first) and a column for each decision.
    #[arg(long, value_name = "FILE")]
    pub costs: Option<PathBuf>,
}

impl PredictArgs {
    /// Rows of a block.
    #[must_use]
    pub fn rows_per_block(&self) -> usize {
        self.rows_per_block as usize
    }
}

/// How rows of predictions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FormatName {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// A Parquet file.
    Parquet,
}
