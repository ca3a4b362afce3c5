//! Prediction: samples and members are folded into the rows, in chunks of bounded memory.

mod adaptive;

pub use adaptive::{AdaptivePredictive, AdaptiveSampling, predict_adaptively, predict_block_adaptively};

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, Array4, ArrayView2, ArrayView3, Axis, concatenate};
use rank1_core::likelihood::{Likelihood, noise_scale};
use rank1_core::metrics;
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive, PredictiveAccumulator};
use rank1_core::scaling::Standard;
use rank1_core::targets::Targets;

use crate::device::Compute;
use crate::engine::shared_draws::SharedDraws;
use crate::engine::{DrawKey, Engine};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::network::Network;
use crate::recipe::{Draws, Recipe};

/// A network with its trained parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedNetwork {
    /// The plan.
    pub network: Network,
    /// Flat parameters.
    pub parameters: Arc<[f32]>,
    /// Seed of its draws.
    pub seed: u64,
    /// Which of the trained members it has, rising, where some were dropped; none for all.
    pub kept: Option<Vec<usize>>,
}

/// One engine for each network, with draws as the recipe says.
#[must_use]
pub fn engines(recipe: &Recipe, networks: &[TrainedNetwork], compute: &Compute) -> Vec<Box<dyn Engine>> {
    let shared = recipe.predict.draws == Draws::Shared;
    let engine = |n: &TrainedNetwork| -> Box<dyn Engine> {
        let own = compute.engine(recipe.train.engine, &n.network);
        if shared { Box::new(SharedDraws::of(own)) } else { own }
    };
    networks.iter().map(engine).collect()
}

/// The predictive distribution of N rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictive {
    /// Of class labels.
    Classes(ClassPredictive),
    /// Of real values: a mixture of S K Gaussians per row, sample-major.
    Values {
        /// The mixture.
        mixture: GaussianMixturePredictive,
        /// Members K (all networks together).
        n_members: usize,
    },
}

impl Predictive {
    /// Puts the examples of several predictives behind one another.
    ///
    /// # Errors
    /// No part, parts of different kinds, or of different numbers of samples, members or classes.
    pub fn concatenate(parts: Vec<Self>) -> Result<Self, Error> {
        let (mut classes, mut mixtures, mut members) = (Vec::new(), Vec::new(), 0);
        for part in parts {
            match part {
                Self::Classes(p) => classes.push(p),
                Self::Values { mixture, n_members } => {
                    mixtures.push(mixture);
                    members = n_members;
                }
            }
        }
        match (classes.is_empty(), mixtures.is_empty()) {
            (false, true) => Ok(Self::Classes(ClassPredictive::concatenate(&classes)?)),
            (true, false) => {
                let mixture = GaussianMixturePredictive::concatenate(&mixtures)?;
                Ok(Self::Values { mixture, n_members: members })
            }
            _ => Err(rank1_core::Error::Undefined {
                op: "Predictive::concatenate",
                what: "parts of both kinds, or none",
            }
            .into()),
        }
    }

    /// The named examples, in the order of `rows`; one may repeat.
    ///
    /// # Panics
    /// If a row is not below the number of examples.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes(p) => Self::Classes(p.select(rows)),
            Self::Values { mixture, n_members } => {
                Self::Values { mixture: mixture.select(rows), n_members: *n_members }
            }
        }
    }

    /// Values of a standardized target in its own unit; classes as they are.
    ///
    /// # Errors
    /// A scale that is not positive and finite.
    pub fn in_target_unit(self, target: Option<Standard>) -> Result<Self, Error> {
        match (self, target) {
            (Self::Values { mixture, n_members }, Some(scale)) => {
                Ok(Self::Values { mixture: mixture.affine(scale.std, scale.mean)?, n_members })
            }
            (as_it_is, _) => Ok(as_it_is),
        }
    }

    /// Mean negative log-likelihood of the mixture predictive, nats per example.
    ///
    /// # Errors
    /// Targets of the other kind, or of another number.
    pub fn nll(&self, targets: &Targets) -> Result<f64, Error> {
        match (self, targets) {
            (Self::Classes(p), Targets::Classes { labels, .. }) => {
                Ok(metrics::nll(p.log_probs.view(), labels.view())?)
            }
            (Self::Values { mixture, .. }, Targets::Values(values)) => {
                let density = mixture.log_density(values.view())?;
                Ok(-density.sum() / density.len() as f64)
            }
            _ => Err(rank1_core::Error::Undefined {
                op: "Predictive::nll",
                what: "targets of the other kind (classes or values)",
            }
            .into()),
        }
    }
}

/// Predicts `inputs` with every member of every network, `n_samples` times each.
///
/// Draws depend on the seed, the sample and the row's index only, so that the result does not depend on
/// `chunk_rows`, the bound on rows times members held at once (lower where their activations would
/// take a gibibyte). Of streamed rows one chunk is held at a time.
///
/// # Shapes
/// `inputs` `[N, D_in]`, normalized; one engine per network.
///
/// # Errors
/// Inputs that do not fit the networks, rows of a stream that cannot be read, or outputs that are not finite.
pub fn predict<'a>(
    networks: &[TrainedNetwork],
    engines: &mut [Box<dyn Engine>],
    inputs: impl Into<Inputs<'a>>,
    n_samples: usize,
    chunk_rows: usize,
) -> Result<Predictive, Error> {
    predict_block(networks, engines, inputs, 0, n_samples, chunk_rows)
}

/// As [`predict`], for `inputs` that stand behind `before` other rows: they draw as they do among all of them, so that the
/// predictives of blocks are those of the whole.
///
/// # Errors
/// As [`predict`].
pub fn predict_block<'a>(
    networks: &[TrainedNetwork],
    engines: &mut [Box<dyn Engine>],
    inputs: impl Into<Inputs<'a>>,
    before: usize,
    n_samples: usize,
    chunk_rows: usize,
) -> Result<Predictive, Error> {
    predict_rows(networks, engines, inputs.into(), before, n_samples, chunk_rows, &[], &mut |_, _, _| Ok(()))
}

/// As [`predict`]; on the way `seen` is told the predictive of the first S samples of some rows, for every S of `steps` below
/// `n_samples`: the rows, S and the predictive.
///
/// # Errors
/// As [`predict`], and what `seen` returns.
pub fn predict_in_steps<'a>(
    networks: &[TrainedNetwork],
    engines: &mut [Box<dyn Engine>],
    inputs: impl Into<Inputs<'a>>,
    n_samples: usize,
    chunk_rows: usize,
    steps: &[usize],
    seen: &mut dyn FnMut(Range<usize>, usize, Predictive) -> Result<(), Error>,
) -> Result<Predictive, Error> {
    predict_rows(networks, engines, inputs.into(), 0, n_samples, chunk_rows, steps, seen)
}

fn predict_rows(
    networks: &[TrainedNetwork],
    engines: &mut [Box<dyn Engine>],
    inputs: Inputs<'_>,
    before: usize,
    n_samples: usize,
    chunk_rows: usize,
    steps: &[usize],
    seen: &mut dyn FnMut(Range<usize>, usize, Predictive) -> Result<(), Error>,
) -> Result<Predictive, Error> {
    let Some(first) = networks.first() else {
        return Err(Error::Mismatch { what: "number of networks", expected: 1, got: 0 });
    };
    if inputs.n_rows() == 0 {
        return Err(rank1_core::Error::Empty { op: "predict", argument: "inputs" }.into());
    }
    let n_members: usize = networks.iter().map(|n| n.network.n_members).sum();
    let chunk_rows = inputs.rows_at_once(rows_within_memory(&first.network, chunk_rows));
    let classes = first.network.shape.likelihood.is_classification();
    let mut parts = Vec::new();
    let mut start = before;
    for rows in inputs.chunks((chunk_rows / n_members).clamp(1, inputs.n_rows()))? {
        let rows = rows?;
        let at_once = (chunk_rows / (n_members * rows.nrows())).clamp(1, n_samples.max(1));
        let mut members = Members { networks, engines: &mut *engines, rows: rows.view(), start, at_once };
        let range = start..start + rows.nrows();
        let mut seen = |samples, predictive| seen(range.clone(), samples, predictive);
        parts.push(if classes {
            Predictive::Classes(members.classes(n_samples, steps, &mut seen)?)
        } else {
            Predictive::Values { mixture: members.values(n_samples, steps, &mut seen)?, n_members }
        });
        start += rows.nrows();
    }
    Predictive::concatenate(parts)
}

/// Values of all operations that a pass may hold: half a gibibyte in single precision, and about as much again within layers.
const HELD_VALUES: usize = 1 << 27;

/// At most `chunk_rows`; fewer where a row has many activations, all of which an engine holds.
fn rows_within_memory(network: &Network, chunk_rows: usize) -> usize {
    let per_row: usize = network.nodes.iter().map(|node| node.volume.len()).sum();
    chunk_rows.min(HELD_VALUES / per_row.max(1)).max(1)
}

/// Outputs of all members of all networks, `[S, K, n, C]`; `outputs` gives those of one network.
fn outputs_of_members(
    networks: &[TrainedNetwork],
    engines: &mut [Box<dyn Engine>],
    mut outputs: impl FnMut(&TrainedNetwork, &mut dyn Engine) -> Result<Array4<f32>, Error>,
) -> Result<Array4<f32>, Error> {
    let mut parts = Vec::with_capacity(networks.len());
    for (trained, engine) in networks.iter().zip(engines) {
        parts.push(outputs(trained, &mut **engine)?);
    }
    if let [_] = parts[..] {
        return Ok(parts.swap_remove(0));
    }
    let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
    concatenate(Axis(1), &views).map_err(|_| Error::Mismatch {
        what: "number of outputs of an ensemble's networks",
        expected: parts[0].dim().3,
        got: parts.iter().map(|p| p.dim().3).max().unwrap_or(0),
    })
}

/// Unconstrained observation noise of every member, for the homoscedastic likelihood.
fn member_noise(networks: &[TrainedNetwork]) -> Option<Vec<f32>> {
    let of = |t: &TrainedNetwork| Some(t.network.layout.slice(&t.parameters, t.network.noise?).to_vec());
    Some(networks.iter().map(of).collect::<Option<Vec<_>>>()?.concat())
}

/// All members on one chunk of rows.
struct Members<'a> {
    networks: &'a [TrainedNetwork],
    engines: &'a mut [Box<dyn Engine>],
    rows: ArrayView2<'a, f32>,
    start: usize,
    /// Samples of one pass.
    at_once: usize,
}

impl Members<'_> {
    /// Passes `work` the outputs of every sample in order, with its number: `[K, n, C]`.
    fn for_samples(
        &mut self,
        n_samples: usize,
        mut work: impl FnMut(usize, ArrayView3<'_, f32>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for first in (0..n_samples).step_by(self.at_once) {
            let outputs = self.outputs(first, self.at_once.min(n_samples - first))?;
            for (sample, outputs) in (first..).zip(outputs.outer_iter()) {
                work(sample, outputs)?;
            }
        }
        Ok(())
    }

    /// Outputs of several samples of every member, `[S, K, n, C]`.
    fn outputs(&mut self, first: usize, count: usize) -> Result<Array4<f32>, Error> {
        let (rows, start) = (self.rows, self.start);
        outputs_of_members(self.networks, self.engines, |trained, engine| {
            let key = DrawKey {
                seed: trained.seed,
                step: DrawKey::PREDICTION,
                first_sample: first as u32,
                first_example: start as u32,
            };
            engine.outputs(&trained.parameters, rows, key, count)
        })
    }

    fn classes(
        &mut self,
        n_samples: usize,
        steps: &[usize],
        seen: &mut dyn FnMut(usize, Predictive) -> Result<(), Error>,
    ) -> Result<ClassPredictive, Error> {
        let bernoulli = self.networks[0].network.shape.likelihood == Likelihood::Bernoulli;
        let mut sum: Option<PredictiveAccumulator> = None;
        self.for_samples(n_samples, |sample, outputs| {
            let (k, n, c) = outputs.dim();
            let sum = match &mut sum {
                Some(sum) => sum,
                None => sum.insert(PredictiveAccumulator::new(k, n, if bernoulli { 2 } else { c })?),
            };
            if bernoulli {
                sum.add_bernoulli_logits(outputs)?;
            } else {
                sum.add_logits(outputs)?;
            }
            let samples = sample + 1;
            if samples < n_samples && steps.contains(&samples) {
                seen(samples, Predictive::Classes(sum.predictive()?))?;
            }
            Ok(())
        })?;
        let empty = rank1_core::Error::Empty { op: "predict", argument: "samples" };
        Ok(sum.ok_or(empty)?.predictive()?)
    }

    fn values(
        &mut self,
        n_samples: usize,
        steps: &[usize],
        seen: &mut dyn FnMut(usize, Predictive) -> Result<(), Error>,
    ) -> Result<GaussianMixturePredictive, Error> {
        let n = self.rows.nrows();
        let k: usize = self.networks.iter().map(|t| t.network.n_members).sum();
        let mut means = Array2::zeros((n_samples * k, n));
        let mut scales = Array2::zeros((n_samples * k, n));
        let noise = member_noise(self.networks);
        self.for_samples(n_samples, |sample, outputs| {
            for (member, rows) in outputs.outer_iter().enumerate() {
                let term = sample * k + member;
                for (row, output) in rows.outer_iter().enumerate() {
                    means[[term, row]] = f64::from(output[0]);
                    let raw = noise.as_ref().map_or_else(|| output[1], |noise| noise[member]);
                    scales[[term, row]] = noise_scale(f64::from(raw));
                }
            }
            Ok(())
        })?;
        for &samples in steps.iter().filter(|&&samples| samples < n_samples) {
            let first = |terms: &Array2<f64>| terms.slice_axis(Axis(0), (..samples * k).into()).to_owned();
            let mixture = GaussianMixturePredictive::new(first(&means), first(&scales))?;
            seen(samples, Predictive::Values { mixture, n_members: k })?;
        }
        Ok(GaussianMixturePredictive::new(means, scales)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::method::Method;
    use crate::network::NetworkShape;
    use crate::recipe;

    #[test]
    fn a_network_of_many_activations_takes_fewer_rows_at_once() {
        let network = |model: &str, input: &str, set: &str| {
            let text = format!(
                "name = \"a/b\"\ndata = {{ set = \"{set}\" }}\nmodel = {{ {model} }}\nmethod = {{ kind = \"deterministic\" }}\n\
                 train = {{ epochs = 1, batch_size = 8, optimizer = {{ kind = \"sgd\", learning_rate = 0.1 }} }}"
            );
            let body = recipe::parse(&text, &[]).unwrap().get().model.body.clone();
            let input = toml::from_str::<toml::Table>(input).unwrap().try_into().unwrap();
            let shape = NetworkShape { input, body, outputs: 10, likelihood: Likelihood::Categorical };
            Network::new(shape, &Method::Deterministic).unwrap()
        };
        let image = "kind = \"image\"\nheight = 32\nwidth = 32\nchannels = 3";
        let wide = network("kind = \"wide_resnet\", depth = 28, widen = 10", image, "cifar10");
        let narrow = network("kind = \"resnet\", depth = 8", image, "cifar10");
        let mlp = network("kind = \"mlp\", hidden = [50]", "kind = \"columns\"\nwidth = 13", "boston");
        let rows = |network: &Network| rows_within_memory(network, 8192);
        assert_eq!(rows(&mlp), 8192);
        assert!((1..50).contains(&rows(&wide)), "{}", rows(&wide));
        assert!((100..2000).contains(&rows(&narrow)), "{}", rows(&narrow));
    }
}
