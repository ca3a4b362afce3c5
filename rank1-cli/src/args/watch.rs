//! The words of `rank1 watch`.

use std::path::PathBuf;

use clap::Args;
use rank1_models::device::DeviceNames;
use rank1_models::recipe::Override;

use super::BadImagesName;

/// `rank1 watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Run folder.
    pub run: PathBuf,
    /// New rows, at least 20: a table with the columns of the training table, with its target or without; for images a folder with a
    /// sub-folder per class, any other folder of images without labels, or an IDX file, with --labels or without; for clinical
    /// stays the folder of the sets, with --stays.
    #[arg(long, value_name = "FILE|DIR")]
    pub input: PathBuf,
    /// Exit with 1 if a shifted column or score has a distance above this one, from 0 (any) to 1.
    #[arg(long, value_name = "D")]
    pub fail_above: Option<f64>,
    /// Columns and scores are shifted whose adjusted probability is below this one: the chance of a false alarm.
    #[arg(long, value_name = "A", default_value_t = 0.01)]
    pub alpha: f64,
    /// Leave this column of the table out of what is compared, such as a date that always goes on; may be repeated.
    #[arg(long, value_name = "COLUMN")]
    pub ignore: Vec<String>,
    /// With an IDX file of images: the IDX file of their labels.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// With clinical stays: the letter of the set, which must not be the one that was trained on.
    #[arg(long, value_name = "LETTER")]
    pub stays: Option<char>,
    /// Of a run without reference.json: folder or archive with the run's data set, or its file, where it is not found again.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Read the table otherwise than the training table: data.unknown=refuse, data.missing_tokens, data.delimiter or
    /// data.decimal; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// What to do with images without labels that cannot be used: stop, or skip, name and count them [default: as
    /// data.bad_images of the recipe, which is stop if absent].
    #[arg(long, value_name = "stop|skip")]
    pub bad_images: Option<BadImagesName>,
    /// Where to compute: cpu, wgpu, cuda or cuda:N, or cuda:0,cuda:1 to share rows; all but cpu if they were built in.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceNames,
    /// Print one JSON object on stdout and nothing else.
    #[arg(long)]
    pub json: bool,
}
