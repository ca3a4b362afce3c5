//! The words of `rank1 info`.

use std::path::PathBuf;

use clap::Args;
use rank1_models::recipe::Override;

/// `rank1 info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Recipe file (TOML).
    pub recipe: PathBuf,
    /// Folder or archive with data sets that are not embedded; nothing but a user's own table or images is read.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Replace a value of the recipe, for example model.depth=22; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Plan training on P ranks that share the rows of every batch: steps, time, memory, and where adding ranks stops helping.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..))]
    pub ranks: Option<u32>,
    /// With --ranks: bandwidth of a rank's link, gigabits per second.
    #[arg(long, value_name = "G", requires = "ranks", default_value_t = 10.0, value_parser = positive)]
    pub gbit: f64,
    /// With --ranks: TFLOP/s that the products of a rank reach, with its input decoded beside them [default: what this machine's
    /// processor reaches now, which decodes too].
    #[arg(long, value_name = "T", requires = "ranks", value_parser = positive)]
    pub tflops: Option<f64>,
    /// With --ranks: microseconds until a message of the network arrives; about 2 for InfiniBand.
    #[arg(long, value_name = "US", requires = "ranks", default_value_t = 30.0, value_parser = positive)]
    pub latency: f64,
    /// With --ranks: milliseconds of a core to decode one image that stays on disk.
    #[arg(long, value_name = "MS", requires = "ranks", default_value_t = 6.7, value_parser = positive)]
    pub decode: f64,
    /// With --ranks: cores of a rank that decode [default: those of this machine].
    #[arg(long, value_name = "C", requires = "ranks", value_parser = clap::value_parser!(u32).range(1..))]
    pub cores: Option<u32>,
    /// With --ranks: training rows, where the set does not tell them without being read.
    #[arg(long, value_name = "N", requires = "ranks", value_parser = clap::value_parser!(u64).range(1..))]
    pub rows: Option<u64>,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

fn positive(word: &str) -> Result<f64, String> {
    let number = word.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".to_owned())
}
