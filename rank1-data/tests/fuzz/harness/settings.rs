//! What `cargo xtask fuzz` asks for, by variables of the environment; without them a short run, as `cargo test` has it.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Inputs of a reader under `cargo test`.
const SHORT: u64 = 300;

/// One run of a reader.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Number of the first input.
    pub(crate) first: u64,
    /// How many inputs.
    pub(crate) inputs: u64,
    /// How long at most.
    pub(crate) limit: Option<Duration>,
    /// Which changes.
    pub(crate) seed: u64,
    /// Where failing inputs and the figures are written; nowhere under `cargo test`.
    pub(crate) out: Option<PathBuf>,
    /// One input in place of generated ones.
    pub(crate) replay: Option<PathBuf>,
    /// Writes the first input and reads nothing: what a process that died was reading.
    pub(crate) save: bool,
    /// Longest time of an input on a processor.
    pub(crate) slowest: Duration,
}

impl Settings {
    /// The short run.
    pub(crate) fn short() -> Self {
        Self {
            first: 0,
            inputs: SHORT,
            limit: None,
            seed: 0,
            out: None,
            replay: None,
            save: false,
            slowest: Duration::from_secs(10),
        }
    }

    /// As the environment says.
    pub(crate) fn from_environment() -> Self {
        let text = |name: &str| env::var_os(format!("RANK1_FUZZ_{name}"));
        let number = |name: &str| {
            let text = text(name)?;
            Some(text.to_str().and_then(|text| text.parse::<u64>().ok()).expect("xtask writes whole numbers"))
        };
        let seconds = number("SECONDS");
        let short = Self::short();
        let inputs = number("INPUTS").unwrap_or(if seconds.is_some() { u64::MAX } else { short.inputs });
        Self {
            first: number("FIRST").unwrap_or(short.first),
            inputs,
            limit: seconds.map(Duration::from_secs),
            seed: number("SEED").unwrap_or(short.seed),
            out: text("OUT").map(PathBuf::from),
            replay: text("REPLAY").map(PathBuf::from),
            save: text("SAVE").is_some(),
            ..short
        }
    }
}
