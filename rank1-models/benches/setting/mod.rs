//! What the benches of whole steps share: random batches, words of the command line, memory of the process.

pub(crate) mod profile;

use std::error::Error;

use ndarray::Array2;
use rank1_core::likelihood::Likelihood;
use rank1_core::noise::{NoiseStream, philox4x32};
use rank1_core::targets::Targets;
use rank1_models::network::NetworkShape;

/// Random inputs and targets that fit `shape`; no operation can tell them from data.
pub(crate) fn random_batch(shape: &NetworkShape, examples: usize) -> (Array2<f32>, Targets) {
    let mut inputs = Array2::zeros((examples, shape.inputs()));
    if let Some(values) = inputs.as_slice_mut() {
        NoiseStream::new(0, 0, 0).fill_normal(Default::default(), values);
    }
    let n_classes = if shape.likelihood == Likelihood::Bernoulli { 2 } else { shape.outputs };
    let label = |i: usize| philox4x32([i as u32, 0, 0, 0], [0, 0])[0] as usize % n_classes;
    let targets = if shape.likelihood.is_classification() {
        Targets::Classes { labels: (0..examples).map(label).collect(), n_classes }
    } else {
        Targets::Values((0..examples).map(|i| (i % 7) as f64 / 3.0 - 1.0).collect())
    };
    (inputs, targets)
}

/// The word after `name`, read as a whole number above 0.
pub(crate) fn argument(name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    let mut words = std::env::args().skip_while(|word| word != name).skip(1);
    match words.next() {
        None => Ok(default),
        Some(word) => match word.parse() {
            Ok(n) if n > 0 => Ok(n),
            _ => Err(format!("{name} needs a whole number above 0, not `{word}`").into()),
        },
    }
}

/// Largest resident size of this process so far; where the system does not say, nothing.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
