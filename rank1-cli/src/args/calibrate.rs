//! The words of `rank1 calibrate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rank1_models::device::DeviceNames;
use rank1_models::recipe::Override;

use super::DrawsName;

/// `rank1 calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Run folder; calibration.json is written into it.
    pub run: PathBuf,
    /// Labelled rows that the model has never seen: a table with the columns of the training table and its target; for images a folder
    /// with a sub-folder per class, or an IDX file with --labels; for clinical stays the folder of the sets, with --stays. The words
    /// `test` and `validation` stand for those rows of the run's own data set.
    #[arg(long, value_name = "FILE|DIR|test|validation")]
    pub data: PathBuf,
    /// Coverage of intervals or sets, strictly between 0 and 1; may be repeated.
    #[arg(long = "coverage", value_name = "P", default_values_t = [0.9])]
    pub coverages: Vec<f64>,
    /// How intervals (normalized, absolute, cqr) or sets (lac, aps, raps) are made [default: normalized, lac].
    #[arg(long, value_name = "METHOD")]
    pub method: Option<MethodName>,
    /// What makes the probabilities themselves come true: temperature or isotonic for classes, scale for values, or none [default:
    /// temperature, scale].
    #[arg(long, value_name = "MAP")]
    pub adjust: Option<AdjustName>,
    /// A threshold for every class from its own rows, so that each class is covered.
    #[arg(long)]
    pub per_class: bool,
    /// With --method raps: added to the score for every place beyond the free ones.
    #[arg(long, value_name = "F", default_value_t = 0.01)]
    pub raps_penalty: f64,
    /// With --method raps: places without a penalty.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub raps_free: usize,
    /// Share of these rows that the limit on the stated risk keeps; rows above it go to a person [default: 0.9].
    #[arg(long, value_name = "S")]
    pub keep_share: Option<f64>,
    /// CSV of what each decision costs where each class is, as `predict --costs` has it: the referral curve then has costs.
    #[arg(long, value_name = "FILE")]
    pub costs: Option<PathBuf>,
    /// With --costs: what a row costs that goes to a person; the limit is then the one of least cost on these rows.
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    pub referral_cost: Option<f64>,
    /// With an IDX file of images: the IDX file of their labels.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// With clinical stays: the letter of the set, which must not be the one that was trained on.
    #[arg(long, value_name = "LETTER")]
    pub stays: Option<char>,
    /// With --data test or validation: folder or archive with the run's data set, or its file, where it is not found again.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Read the table otherwise than the training table: data.unknown=missing, data.missing_tokens, data.delimiter,
    /// data.decimal or data.ignore; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Where to compute: cpu, wgpu, cuda or cuda:N, or cuda:0,cuda:1 to share rows; all but cpu if they were built in.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceNames,
    /// Samples per member, instead of the recipe's; predictions must then use as many.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: Option<u32>,
    /// Whether rows have draws of their own or share them, instead of the recipe's.
    #[arg(long, value_name = "DRAWS")]
    pub draws: Option<DrawsName>,
    /// Print calibration.json's content as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Conformal methods by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// Residual over the predictive's standard deviation.
    Normalized,
    /// Absolute residual: the same width for every row.
    Absolute,
    /// The predictive's own interval, moved at both ends.
    Cqr,
    /// One minus the probability: smallest sets on average.
    Lac,
    /// Cumulated probabilities.
    Aps,
    /// Cumulated probabilities with a penalty on large sets.
    Raps,
}

/// Maps of probabilities by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AdjustName {
    /// One temperature, for classes.
    Temperature,
    /// A monotone function of every class's probability.
    Isotonic,
    /// One scale of the spread, for values.
    Scale,
    /// Leave them as they are.
    None,
}
