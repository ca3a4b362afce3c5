//! Adaptive sampling: an example is drawn for until its predictive is known well enough.
//!
//! Not for a fixed number of samples; see [`super::predict`].

use ndarray::{Array1, Array2, Array4, ArrayView2, ArrayView3, Axis, concatenate};
use rank1_core::likelihood::{Likelihood, noise_scale};
use rank1_core::numeric::{log_softmax, sigmoid};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive, PredictiveAccumulator};

use super::{Predictive, TrainedNetwork, member_noise, outputs_of_members, rows_within_memory};
use crate::engine::{DrawKey, Engine};
use crate::error::Error;
use crate::inputs::Inputs;

/// When to stop drawing for an example.
///
/// Samples come in rounds, each with as many as all before it, up to `most`; the first has the smallest number from 4 on
/// that doubles to `most`. (A `most` that is odd or below 8 has one round.) After a round an example is done if the
/// standard error of its predictive, estimated from the spread of its samples, is within the bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveSampling {
    /// Bound on the standard error: of every class probability, or of the predictive mean in the unit of the normalized
    /// target.
    pub standard_error: f64,
    /// Most samples S per member.
    pub most: usize,
}

impl AdaptiveSampling {
    fn first(self) -> usize {
        let mut first = self.most;
        while first.is_multiple_of(2) && first >= 8 {
            first /= 2;
        }
        first
    }
}

/// A predictive and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptivePredictive {
    /// The predictive; every example is as [`super::predict`] gives it with the example's own number of samples.
    pub predictive: Predictive,
    /// Samples per member of each example.
    pub samples: Vec<usize>,
}

impl AdaptivePredictive {
    /// Mean number of samples per member over the examples.
    #[must_use]
    pub fn mean_samples(&self) -> f64 {
        self.samples.iter().sum::<usize>() as f64 / self.samples.len() as f64
    }
}

/// Predicts `inputs` with every member of every network, as often as each example needs.
///
/// An example draws as its row does in [`super::predict`], whatever its neighbors need, so that the result depends
/// neither on `chunk_rows` nor on the other rows.
///
/// # Shapes
/// `inputs` `[N, D_in]`, normalized; one engine per network.
///
/// # Errors
/// As [`super::predict`]; a bound that is not above 0, or no sample.
pub fn predict_adaptively<'a>(
    networks: &[TrainedNetwork],
    engines: &mut [Box<dyn Engine>],
    inputs: impl Into<Inputs<'a>>,
    sampling: AdaptiveSampling,
    chunk_rows: usize,
) -> Result<AdaptivePredictive, Error> {
    predict_block_adaptively(networks, engines, inputs, 0, sampling, chunk_rows)
}

/// As [`predict_adaptively`], for `inputs` that stand behind `before` other rows: they draw as they do among all of them.
///
/// # Errors
/// As [`predict_adaptively`].
pub fn predict_block_adaptively<'a>(
    networks: &[TrainedNetwork],
    engines: &mut [Box<dyn Engine>],
    inputs: impl Into<Inputs<'a>>,
    before: usize,
    sampling: AdaptiveSampling,
    chunk_rows: usize,
) -> Result<AdaptivePredictive, Error> {
    let inputs = inputs.into();
    let Some(first) = networks.first() else {
        return Err(Error::Mismatch { what: "number of networks", expected: 1, got: 0 });
    };
    for (argument, is_empty) in [("inputs", inputs.n_rows() == 0), ("samples", sampling.most == 0)] {
        if is_empty {
            return Err(rank1_core::Error::Empty { op: "predict", argument }.into());
        }
    }
    if sampling.standard_error.is_nan() || sampling.standard_error <= 0.0 {
        return Err(rank1_core::Error::OutOfRange {
            op: "predict",
            argument: "standard_error",
            value: sampling.standard_error,
            expected: "above 0",
        }
        .into());
    }
    let n_members: usize = networks.iter().map(|n| n.network.n_members).sum();
    let likelihood = first.network.shape.likelihood;
    let noise = member_noise(networks);
    let chunk_rows = inputs.rows_at_once(rows_within_memory(&first.network, chunk_rows));
    let (mut parts, mut samples) = (Vec::new(), Vec::new());
    for rows in inputs.chunks((chunk_rows / n_members).clamp(1, inputs.n_rows()))? {
        let rows = rows?;
        let place = (rows.view(), before + samples.len());
        let n_outputs = first.network.shape.outputs;
        let mut open = Open::new(n_outputs, likelihood, noise.as_deref(), n_members, place)?;
        let mut done = Vec::new();
        while !open.numbers.is_empty() {
            let wanted = if open.samples == 0 { sampling.first() } else { 2 * open.samples };
            open.draw(networks, engines, wanted, chunk_rows)?;
            let all = open.samples >= sampling.most;
            let errors = open.standard_errors();
            let is_done = |i: &usize| all || errors[*i] <= sampling.standard_error;
            let (closed, rest): (Vec<usize>, Vec<usize>) = (0..open.numbers.len()).partition(is_done);
            if !closed.is_empty() {
                done.push(open.select(&closed).finish(sampling.most)?);
            }
            open = open.select(&rest);
        }
        let (predictive, chunk_samples) = in_order(done)?;
        parts.push(predictive);
        samples.extend(chunk_samples);
    }
    Ok(AdaptivePredictive { predictive: Predictive::concatenate(parts)?, samples })
}

/// Examples of one chunk that are still drawn for.
struct Open<'a> {
    likelihood: Likelihood,
    noise: Option<&'a [f32]>,
    /// Numbers of the examples in the whole set.
    numbers: Vec<u32>,
    inputs: Array2<f32>,
    samples: usize,
    /// Sum and sum of squares over samples of the mean over members of what is bounded, `[n, C]`.
    sum: Array2<f64>,
    squares: Array2<f64>,
    terms: Terms,
}

/// What becomes the predictive.
#[derive(Clone)]
enum Terms {
    Classes(Box<PredictiveAccumulator>),
    /// Means and scales of the terms so far, `[S K, n]` each.
    Values(Vec<Array1<f64>>, Vec<Array1<f64>>),
}

/// Examples that are done.
struct Done {
    numbers: Vec<u32>,
    samples: usize,
    predictive: Predictive,
}

impl<'a> Open<'a> {
    fn new(
        n_outputs: usize,
        likelihood: Likelihood,
        noise: Option<&'a [f32]>,
        n_members: usize,
        (rows, start): (ArrayView2<'_, f32>, usize),
    ) -> Result<Self, Error> {
        let n = rows.nrows();
        let (bounded, terms) = if likelihood.is_classification() {
            let classes = if likelihood == Likelihood::Bernoulli { 2 } else { n_outputs };
            (classes, Terms::Classes(Box::new(PredictiveAccumulator::new(n_members, n, classes)?)))
        } else {
            (1, Terms::Values(Vec::new(), Vec::new()))
        };
        let zeros = Array2::zeros((n, bounded));
        Ok(Self {
            likelihood,
            noise,
            numbers: (start..start + n).map(|row| row as u32).collect(),
            inputs: rows.to_owned(),
            samples: 0,
            sum: zeros.clone(),
            squares: zeros,
            terms,
        })
    }

    /// Draws until there are `wanted` samples.
    fn draw(
        &mut self,
        networks: &[TrainedNetwork],
        engines: &mut [Box<dyn Engine>],
        wanted: usize,
        chunk_rows: usize,
    ) -> Result<(), Error> {
        let n_members: usize = networks.iter().map(|n| n.network.n_members).sum();
        let at_once = (chunk_rows / (n_members * self.numbers.len())).max(1);
        while self.samples < wanted {
            let count = at_once.min(wanted - self.samples);
            let outputs = self.outputs(networks, engines, count)?;
            for outputs in outputs.outer_iter() {
                self.add(outputs)?;
            }
        }
        Ok(())
    }

    fn outputs(
        &self,
        networks: &[TrainedNetwork],
        engines: &mut [Box<dyn Engine>],
        count: usize,
    ) -> Result<Array4<f32>, Error> {
        outputs_of_members(networks, engines, |trained, engine| {
            let key = DrawKey {
                seed: trained.seed,
                step: DrawKey::PREDICTION,
                first_sample: self.samples as u32,
                first_example: 0,
            };
            engine.outputs_listed(&trained.parameters, self.inputs.view(), &self.numbers, key, count)
        })
    }

    /// Takes one sample's outputs in, `[K, n, C]`.
    fn add(&mut self, outputs: ArrayView3<'_, f32>) -> Result<(), Error> {
        let (k, _, c) = outputs.dim();
        let mut mean = Array2::<f64>::zeros(self.sum.raw_dim());
        match &mut self.terms {
            Terms::Classes(accumulator) if self.likelihood == Likelihood::Bernoulli => {
                accumulator.add_bernoulli_logits(outputs)?;
                for rows in outputs.outer_iter() {
                    for (mut mean, row) in mean.outer_iter_mut().zip(rows.outer_iter()) {
                        let p = sigmoid(f64::from(row[0]));
                        mean[0] += 1.0 - p;
                        mean[1] += p;
                    }
                }
            }
            Terms::Classes(accumulator) => {
                accumulator.add_logits(outputs)?;
                for rows in outputs.outer_iter() {
                    mean += &log_softmax(rows.mapv(f64::from).view()).mapv(f64::exp);
                }
            }
            Terms::Values(means, scales) => {
                for (member, rows) in outputs.outer_iter().enumerate() {
                    let values = rows.column(0).mapv(f64::from);
                    mean.column_mut(0).zip_mut_with(&values, |sum, value| *sum += value);
                    means.push(values);
                    scales.push(rows.outer_iter().map(|row| scale(self.noise, member, row[c - 1])).collect());
                }
            }
        }
        mean /= k as f64;
        self.squares += &(&mean * &mean);
        self.sum += &mean;
        self.samples += 1;
        Ok(())
    }

    /// The largest standard error of each example, from the spread of its samples; infinite for a single one.
    fn standard_errors(&self) -> Vec<f64> {
        let s = self.samples as f64;
        let of = |(&sum, &squares): (&f64, &f64)| ((squares - sum * sum / s).max(0.0) / (s - 1.0) / s).sqrt();
        let rows = self.sum.outer_iter().zip(self.squares.outer_iter());
        let one = self.samples < 2;
        rows.map(
            |(sum, squares)| {
                if one { f64::INFINITY } else { sum.iter().zip(squares).map(of).fold(0.0, f64::max) }
            },
        )
        .collect()
    }

    fn select(&self, rows: &[usize]) -> Self {
        let pick = |columns: &[Array1<f64>]| columns.iter().map(|c| c.select(Axis(0), rows)).collect();
        Self {
            numbers: rows.iter().map(|&row| self.numbers[row]).collect(),
            inputs: self.inputs.select(Axis(0), rows),
            sum: self.sum.select(Axis(0), rows),
            squares: self.squares.select(Axis(0), rows),
            terms: match &self.terms {
                Terms::Classes(accumulator) => Terms::Classes(Box::new(accumulator.select(rows))),
                Terms::Values(means, scales) => Terms::Values(pick(means), pick(scales)),
            },
            ..*self
        }
    }

    /// The predictive; terms are repeated up to `most` samples, which leaves their mixture as it is.
    fn finish(self, most: usize) -> Result<Done, Error> {
        let predictive = match &self.terms {
            Terms::Classes(accumulator) => {
                Predictive::Classes(ClassPredictive { n_samples: most, ..accumulator.predictive()? })
            }
            Terms::Values(means, scales) => {
                let repeated = |terms: &[Array1<f64>]| {
                    let views = terms.iter().map(|term| term.view().insert_axis(Axis(0)));
                    let views: Vec<_> = views.cycle().take(terms.len() * (most / self.samples)).collect();
                    concatenate(Axis(0), &views)
                        .map_err(|_| rank1_core::Error::Empty { op: "predict", argument: "samples" })
                };
                let mixture = GaussianMixturePredictive::new(repeated(means)?, repeated(scales)?)?;
                Predictive::Values { mixture, n_members: means.len() / self.samples }
            }
        };
        Ok(Done { numbers: self.numbers, samples: self.samples, predictive })
    }
}

fn scale(noise: Option<&[f32]>, member: usize, last_output: f32) -> f64 {
    noise_scale(f64::from(noise.map_or(last_output, |noise| noise[member])))
}

/// Puts the examples of all rounds back into the order of their numbers.
fn in_order(done: Vec<Done>) -> Result<(Predictive, Vec<usize>), Error> {
    let mut places = Vec::new();
    let mut parts = Vec::with_capacity(done.len());
    for Done { numbers, samples, predictive } in done {
        let first = places.len();
        places.extend(numbers.into_iter().zip(first..).map(|(number, at)| (number, at, samples)));
        parts.push(predictive);
    }
    places.sort_unstable();
    let order: Vec<usize> = places.iter().map(|&(_, at, _)| at).collect();
    Ok((Predictive::concatenate(parts)?.select(&order), places.iter().map(|&(.., s)| s).collect()))
}

#[cfg(test)]
mod tests;
