//! The predictive of a classifier in log space: an average of probabilities over samples and members.
//!
//! Metrics are in [`crate::metrics`]; the predictive of a regression is in [`gaussian_mixture`]. Logits are
//! never averaged here.

mod density;
pub mod gaussian_mixture;
mod quantile;
mod scores;

pub(crate) use density::mean_absolute;
pub use gaussian_mixture::{GaussianMixturePredictive, Interval};
pub use scores::ClassScores;

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, ArrayView4, Axis, concatenate};

use crate::metrics::checks;
use crate::{Error, Real};

/// What is known of `N` examples after `S` samples of `K` members, all in nats.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassPredictive {
    /// `S`, the number of samples averaged per member.
    pub n_samples: usize,
    /// `[N, C]` log of the mean probability over samples and members.
    pub log_probs: Array2<f64>,
    /// `[K, N, C]` log of each member's mean probability over samples.
    pub member_log_probs: Array3<f64>,
    /// `[N, C]` mean over samples and members of the log-probability; what the Gibbs NLL reads.
    pub mean_log_probs: Array2<f64>,
    /// `[N]` mean over samples and members of the entropy of one draw.
    pub expected_entropy: Array1<f64>,
}

impl ClassPredictive {
    /// Averages softmax probabilities of all draws at once.
    ///
    /// # Shapes
    /// `logits` `[S, K, N, C]` with `C` at least 1.
    ///
    /// # Errors
    /// [`Error::Empty`] when any axis is empty, [`Error::NotFinite`] names the first NaN or infinite logit.
    ///
    /// # Source
    /// Dusenberry et al. 2020, arXiv:2005.07186, section 5: mean over samples and mixture components.
    pub fn from_logits<F: Real>(logits: ArrayView4<'_, F>) -> Result<Self, Error> {
        let (_, k, n, c) = logits.dim();
        let mut sum = PredictiveAccumulator::new(k, n, c)?;
        logits.outer_iter().try_for_each(|sample| sum.add_logits(sample))?;
        sum.predictive()
    }

    /// Averages sigmoid probabilities of all draws at once; class 1 is the positive one.
    ///
    /// # Shapes
    /// `logits` `[S, K, N, 1]`; the result has `C = 2`.
    ///
    /// # Errors
    /// As [`ClassPredictive::from_logits`], and [`Error::ShapeMismatch`] when the last axis is not 1.
    ///
    /// # Source
    /// As [`ClassPredictive::from_logits`]; `log p(1) = -softplus(-z)`, `log p(0) = -softplus(z)`.
    pub fn from_bernoulli_logits<F: Real>(logits: ArrayView4<'_, F>) -> Result<Self, Error> {
        let (_, k, n, _) = logits.dim();
        let mut sum = PredictiveAccumulator::new(k, n, 2)?;
        logits.outer_iter().try_for_each(|sample| sum.add_bernoulli_logits(sample))?;
        sum.predictive()
    }

    /// Puts the examples of several predictives behind one another (for prediction in chunks).
    ///
    /// # Shapes
    /// Every part `[K, N_i, C]` with the same `S`, `K` and `C`; the result has `N = sum N_i`.
    ///
    /// # Errors
    /// [`Error::Empty`] without parts, [`Error::ShapeMismatch`] when `[S, K, C]` differ.
    pub fn concatenate(parts: &[Self]) -> Result<Self, Error> {
        const OP: &str = "ClassPredictive::concatenate";
        let shape = |p: &Self| vec![p.n_samples, p.n_members(), p.n_classes()];
        let first = parts.first().ok_or(Error::Empty { op: OP, argument: "parts" })?;
        for part in parts {
            checks::same_shape(OP, "parts", shape(first), shape(part))?;
        }
        let mismatch = |_| Error::Undefined { op: OP, what: "parts of different layouts" };
        let views = |f: fn(&Self) -> ArrayView2<'_, f64>| parts.iter().map(f).collect::<Vec<_>>();
        let members: Vec<_> = parts.iter().map(|p| p.member_log_probs.view()).collect();
        let entropies: Vec<_> = parts.iter().map(|p| p.expected_entropy.view()).collect();
        Ok(Self {
            n_samples: first.n_samples,
            log_probs: concatenate(Axis(0), &views(|p| p.log_probs.view())).map_err(mismatch)?,
            member_log_probs: concatenate(Axis(1), &members).map_err(mismatch)?,
            mean_log_probs: concatenate(Axis(0), &views(|p| p.mean_log_probs.view())).map_err(mismatch)?,
            expected_entropy: concatenate(Axis(0), &entropies).map_err(mismatch)?,
        })
    }

    /// The named examples, in the order of `rows`; one may repeat.
    ///
    /// # Shapes
    /// `rows` `[M]` gives `N = M`.
    ///
    /// # Panics
    /// If a row is not below `N`.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            n_samples: self.n_samples,
            log_probs: self.log_probs.select(Axis(0), rows),
            member_log_probs: self.member_log_probs.select(Axis(1), rows),
            mean_log_probs: self.mean_log_probs.select(Axis(0), rows),
            expected_entropy: self.expected_entropy.select(Axis(0), rows),
        }
    }

    /// Number of examples.
    ///
    /// # Shapes
    /// The scalar `N`.
    pub fn n_examples(&self) -> usize {
        self.log_probs.nrows()
    }

    /// Number of members.
    ///
    /// # Shapes
    /// The scalar `K`.
    pub fn n_members(&self) -> usize {
        self.member_log_probs.len_of(Axis(0))
    }

    /// Number of classes.
    ///
    /// # Shapes
    /// The scalar `C`.
    pub fn n_classes(&self) -> usize {
        self.log_probs.ncols()
    }

    /// Mixture probabilities.
    ///
    /// # Shapes
    /// Returns `[N, C]`; rows sum to 1 up to rounding.
    ///
    /// # Source
    /// Exponential of [`ClassPredictive::log_probs`].
    pub fn probs(&self) -> Array2<f64> {
        self.log_probs.mapv(f64::exp)
    }
}

/// Takes one sample's outputs of all members at a time, so that `[S, K, N, C]` is never held.
///
/// Holds `[K, N, C]` doubles. [`PredictiveAccumulator::predictive`] may be called after any number of samples,
/// which gives the metrics as a function of `S`.
#[derive(Debug, Clone)]
pub struct PredictiveAccumulator {
    n_samples: usize,
    /// Sum of probabilities over all samples but the first.
    member_sum: Array3<f64>,
    /// Logarithm of the sum of the first and of those that are too small to be summed as they are.
    member_log_sum: Array3<f64>,
    log_prob_sum: Array2<f64>,
    entropy_sum: Array1<f64>,
}

impl PredictiveAccumulator {
    /// Starts with no sample.
    ///
    /// # Shapes
    /// `K = n_members`, `N = n_examples`, `C = n_classes`.
    ///
    /// # Errors
    /// [`Error::Empty`] names the size that is 0.
    ///
    /// # Source
    /// Running log-sum-exp; see [`ClassPredictive::from_logits`].
    pub fn new(n_members: usize, n_examples: usize, n_classes: usize) -> Result<Self, Error> {
        for (argument, size) in
            [("n_members", n_members), ("n_examples", n_examples), ("n_classes", n_classes)]
        {
            if size == 0 {
                return Err(Error::Empty { op: "PredictiveAccumulator::new", argument });
            }
        }
        Ok(Self {
            n_samples: 0,
            member_sum: Array3::zeros((n_members, n_examples, n_classes)),
            member_log_sum: Array3::from_elem((n_members, n_examples, n_classes), f64::NEG_INFINITY),
            log_prob_sum: Array2::zeros((n_examples, n_classes)),
            entropy_sum: Array1::zeros(n_examples),
        })
    }

    /// Adds one sample of softmax logits.
    ///
    /// # Shapes
    /// `logits` `[K, N, C]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]; [`Error::NotFinite`] names the first NaN or infinite logit. A refused sample
    /// leaves the accumulator as it was.
    ///
    /// # Source
    /// `log p = z - logsumexp(z)` per row, in f64 whatever `F` is.
    pub fn add_logits<F: Real>(&mut self, logits: ArrayView3<'_, F>) -> Result<(), Error> {
        const OP: &str = "PredictiveAccumulator::add_logits";
        let wide = logits.mapv(Real::wide);
        checks::same_shape(OP, "logits", self.member_log_sum.shape().to_vec(), wide.shape().to_vec())?;
        checks::finite(OP, "logits", wide.view())?;
        self.add_rows(wide);
        Ok(())
    }

    /// Adds one sample of sigmoid logits; class 1 is the positive one.
    ///
    /// # Shapes
    /// `logits` `[K, N, 1]`; the accumulator must have been made with two classes.
    ///
    /// # Errors
    /// As [`PredictiveAccumulator::add_logits`].
    ///
    /// # Source
    /// `softmax([0, z])` is `[sigmoid(-z), sigmoid(z)]`.
    pub fn add_bernoulli_logits<F: Real>(&mut self, logits: ArrayView3<'_, F>) -> Result<(), Error> {
        const OP: &str = "PredictiveAccumulator::add_bernoulli_logits";
        let (k, n, c) = self.member_log_sum.dim();
        checks::same_shape(OP, "n_classes", vec![2], vec![c])?;
        checks::same_shape(OP, "logits", vec![k, n, 1], logits.shape().to_vec())?;
        checks::finite(OP, "logits", logits.mapv(Real::wide).view())?;
        let pairs = Array3::from_shape_fn((k, n, 2), |(k, n, c)| match c {
            0 => 0.0,
            _ => logits[[k, n, 0]].wide(),
        });
        self.add_rows(pairs);
        Ok(())
    }

    /// Adds one sample of log-probabilities; minus infinity is a class of probability zero.
    ///
    /// # Shapes
    /// `log_probs` `[K, N, C]`; rows are normalized again.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::NotFinite`] for NaN, [`Error::OutOfRange`] for a positive entry or a
    /// row whose classes all have probability zero.
    ///
    /// # Source
    /// As [`PredictiveAccumulator::add_logits`].
    pub fn add_log_probs(&mut self, log_probs: ArrayView3<'_, f64>) -> Result<(), Error> {
        const OP: &str = "PredictiveAccumulator::add_log_probs";
        checks::same_shape(
            OP,
            "log_probs",
            self.member_log_sum.shape().to_vec(),
            log_probs.shape().to_vec(),
        )?;
        checks::log_probs(OP, "log_probs", log_probs)?;
        let impossible = |row: ndarray::ArrayView1<'_, f64>| row.iter().all(|v| *v == f64::NEG_INFINITY);
        if log_probs.rows().into_iter().any(impossible) {
            let expected = "one class of positive probability per row";
            return Err(Error::OutOfRange {
                op: OP,
                argument: "log_probs",
                value: f64::NEG_INFINITY,
                expected,
            });
        }
        self.add_rows(log_probs.to_owned());
        Ok(())
    }

    /// The sums of the named examples only, in the order of `rows`.
    ///
    /// # Shapes
    /// `rows` `[M]` gives `N = M`.
    ///
    /// # Panics
    /// If a row is not below `N`.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            n_samples: self.n_samples,
            member_sum: self.member_sum.select(Axis(1), rows),
            member_log_sum: self.member_log_sum.select(Axis(1), rows),
            log_prob_sum: self.log_prob_sum.select(Axis(0), rows),
            entropy_sum: self.entropy_sum.select(Axis(0), rows),
        }
    }

    /// The predictive of the samples so far.
    ///
    /// # Shapes
    /// As the fields of [`ClassPredictive`].
    ///
    /// # Errors
    /// [`Error::Empty`] before the first sample.
    ///
    /// # Source
    /// As [`ClassPredictive::from_logits`].
    pub fn predictive(&self) -> Result<ClassPredictive, Error> {
        if self.n_samples == 0 {
            return Err(Error::Empty { op: "PredictiveAccumulator::predictive", argument: "samples" });
        }
        let samples = self.n_samples as f64;
        let (k, n, c) = self.member_log_sum.dim();
        let mut member_log_probs = self.member_sum.mapv(f64::ln);
        member_log_probs
            .zip_mut_with(&self.member_log_sum, |sum, v| *sum = log_add_exp(*sum, *v) - samples.ln());
        let mut log_probs = Array2::from_elem((n, c), f64::NEG_INFINITY);
        for member in member_log_probs.outer_iter() {
            log_probs.zip_mut_with(&member, |sum, v| *sum = log_add_exp(*sum, *v));
        }
        log_probs.mapv_inplace(|v| v - (k as f64).ln());
        let draws = samples * k as f64;
        Ok(ClassPredictive {
            n_samples: self.n_samples,
            log_probs,
            member_log_probs,
            mean_log_probs: &self.log_prob_sum / draws,
            expected_entropy: &self.entropy_sum / draws,
        })
    }

    /// Normalizes the rows and adds them to every running sum.
    fn add_rows(&mut self, mut rows: Array3<f64>) {
        let (n_examples, first) = (self.entropy_sum.len(), self.n_samples == 0);
        let mut exponentials = vec![0.0; rows.len_of(Axis(2))];
        let sums = self.member_sum.rows_mut().into_iter().zip(self.member_log_sum.rows_mut());
        for (i, (mut row, (mut sum, mut log_sum))) in rows.rows_mut().into_iter().zip(sums).enumerate() {
            let example = i % n_examples;
            // The maximum goes first: logits near 1e6 keep their small differences.
            let max = row.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let mut total = 0.0;
            for (v, e) in row.iter_mut().zip(&mut exponentials) {
                *v -= max;
                *e = v.exp();
                total += *e;
            }
            let (log_total, mut entropy) = (total.ln(), 0.0);
            let mut means = self.log_prob_sum.row_mut(example);
            let sums = means.iter_mut().zip(sum.iter_mut().zip(log_sum.iter_mut()));
            for ((v, e), (mean, (sum, log_sum))) in row.iter().zip(&exponentials).zip(sums) {
                let log_prob = v - log_total;
                *mean += log_prob;
                let prob = e / total;
                if prob > 0.0 {
                    entropy -= prob * log_prob;
                }
                // The first sample is kept to the bit.
                if log_prob > SMALL && !first {
                    *sum += prob;
                } else {
                    *log_sum = log_add_exp(*log_sum, log_prob);
                }
            }
            self.entropy_sum[example] += entropy;
        }
        self.n_samples += 1;
    }
}

/// Log-probabilities from here down are summed as logarithms.
const SMALL: f64 = -600.0;

/// `ln(exp(a) + exp(b))`, with minus infinity as the neutral element.
fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
#[path = "predictive/tests.rs"]
mod tests;
