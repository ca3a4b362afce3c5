//! Log-likelihoods of targets under network outputs, row by row, with gradients.
//!
//! Not for averaging over members or samples (see [`crate::objective`]) and not for changing units: Gaussian values are
//! densities in the unit of the targets as given, normally the normalized one. Adding `-ln(std)` converts them.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::numeric::{LN_TWO_PI, log_sigmoid, sigmoid, softmax_into, softplus};
use crate::targets::Targets;
use crate::{Error, Real, layout};

/// Added to every learned noise scale, so that a confident network cannot reach an infinite density.
pub const NOISE_FLOOR: f64 = 1e-6;

/// The distribution of a target given the outputs of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likelihood {
    /// `C` logits, one per class.
    Categorical,
    /// One logit: the log-odds of class 1 of 2.
    Bernoulli,
    /// One mean; the noise scale is a learned scalar per member, the same for all inputs.
    Gaussian,
    /// A mean and an unconstrained noise scale, both functions of the input.
    HeteroscedasticGaussian,
}

/// Gradients that [`Likelihood::backward`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct LikelihoodGrads<F> {
    /// With respect to the outputs, `[R, C]`.
    pub outputs: Array2<F>,
    /// With respect to the unconstrained noise scales, `[K]`; only for [`Likelihood::Gaussian`].
    pub raw_noise: Option<Array1<F>>,
}

/// Positive noise scale of an unconstrained value: `softplus(raw) + 1e-6`.
///
/// # Units
/// The unit of the targets.
///
/// # Source
/// Softplus as for factor scales in the reference code; the floor is ours.
pub fn noise_scale<F: Real>(raw: F) -> F {
    softplus(raw) + F::of(NOISE_FLOOR)
}

impl Likelihood {
    /// Number of network outputs per example.
    ///
    /// # Source
    /// Definition; `n_classes` is read by [`Likelihood::Categorical`] only.
    pub fn n_outputs(self, n_classes: usize) -> usize {
        match self {
            Self::Categorical => n_classes,
            Self::Bernoulli | Self::Gaussian => 1,
            Self::HeteroscedasticGaussian => 2,
        }
    }

    /// Whether the targets are class labels.
    pub fn is_classification(self) -> bool {
        matches!(self, Self::Categorical | Self::Bernoulli)
    }

    /// `ln p(y | outputs)` of every row, in nats.
    ///
    /// # Shapes
    /// | value       | shape    | note                                                                    |
    /// |-------------|----------|-------------------------------------------------------------------------|
    /// | `outputs`   | `[R, C]` | `R = M * B` rows, target of row `r` is `r mod B`: any tiling by member or sample |
    /// | `targets`   | `B`      |                                                                         |
    /// | `raw_noise` | `[K]`    | Gaussian only; row `r` uses entry `(r / B) mod K`                        |
    /// | returns     | `[R]`    |                                                                         |
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::Undefined`] when the kind of target or `raw_noise` does not fit the likelihood,
    /// and what [`Targets::check`] refuses. NaN in the outputs passes through.
    ///
    /// # Source
    /// Definitions; `log p(y_b | x_b, theta_k)` of Dusenberry et al. 2020, section 3.4.
    pub fn log_likelihood<F: Real>(
        self,
        outputs: ArrayView2<'_, F>,
        targets: &Targets,
        raw_noise: Option<ArrayView1<'_, F>>,
    ) -> Result<Array1<F>, Error> {
        let outputs = outputs.as_standard_layout();
        let mut values = Vec::new();
        self.log_likelihood_into("log_likelihood", in_rows(&outputs), targets, raw_noise, &mut values)?;
        Ok(values.into())
    }

    /// [`Likelihood::log_likelihood`] of stored rows into `values`, overwritten.
    pub(crate) fn log_likelihood_into<F: Real>(
        self,
        op: &'static str,
        outputs: OutputRows<'_, F>,
        targets: &Targets,
        raw_noise: Option<ArrayView1<'_, F>>,
        values: &mut Vec<F>,
    ) -> Result<(), Error> {
        let b = self.check(op, outputs, targets, raw_noise)?;
        values.clear();
        for (r, row) in outputs.iter().enumerate() {
            values.push(self.row_value(row, target(targets, r % b), row_noise(raw_noise, r, b)));
        }
        Ok(())
    }

    /// Gradients of `sum_r grad[r] * ln p_r`.
    ///
    /// # Shapes
    /// `outputs`, `targets`, `raw_noise` as in [`Likelihood::log_likelihood`]; `grad`: `[R]`.
    ///
    /// # Errors
    /// As [`Likelihood::log_likelihood`], also for `grad`.
    ///
    /// # Source
    /// Derivatives of the definitions; checked against central differences.
    pub fn backward<F: Real>(
        self,
        outputs: ArrayView2<'_, F>,
        targets: &Targets,
        raw_noise: Option<ArrayView1<'_, F>>,
        grad: ArrayView1<'_, F>,
    ) -> Result<LikelihoodGrads<F>, Error> {
        const OP: &str = "Likelihood::backward";
        if grad.len() != outputs.nrows() {
            let (expected, got) = (vec![outputs.nrows()], vec![grad.len()]);
            return Err(Error::ShapeMismatch { op: OP, argument: "grad", expected, got });
        }
        let outputs = outputs.as_standard_layout();
        let mut d_outputs = Array2::zeros(outputs.dim());
        let mut d_noise = raw_noise.map(|raw| vec![F::zero(); raw.len()]);
        let (rows, grad) = (in_rows(&outputs), grad.as_standard_layout());
        let d_rows = d_outputs.as_slice_mut().expect("made by rows");
        let grad = grad.as_slice().expect("one axis in standard layout");
        self.backward_into(OP, rows, targets, raw_noise, grad, d_rows, d_noise.as_deref_mut())?;
        Ok(LikelihoodGrads { outputs: d_outputs, raw_noise: d_noise.map(Array1::from) })
    }

    /// [`Likelihood::backward`] of stored rows: `d_outputs` is overwritten, `d_noise` added to.
    pub(crate) fn backward_into<F: Real>(
        self,
        op: &'static str,
        outputs: OutputRows<'_, F>,
        targets: &Targets,
        raw_noise: Option<ArrayView1<'_, F>>,
        grad: &[F],
        d_outputs: &mut [F],
        mut d_noise: Option<&mut [F]>,
    ) -> Result<(), Error> {
        let b = self.check(op, outputs, targets, raw_noise)?;
        let d_rows = d_outputs.chunks_exact_mut(outputs.width);
        for (r, ((row, d_row), &grad)) in outputs.iter().zip(d_rows).zip(grad).enumerate() {
            match target(targets, r % b) {
                Target::Class(label) if self == Self::Categorical => {
                    softmax_into(row, d_row);
                    for (c, d) in d_row.iter_mut().enumerate() {
                        *d = grad * if c == label { F::one() - *d } else { -*d };
                    }
                }
                Target::Class(label) => d_row[0] = grad * (F::of(label as f64) - sigmoid(row[0])),
                Target::Value(y) => {
                    let raw = row_noise(raw_noise, r, b).unwrap_or_else(|| row[1]);
                    let scale = noise_scale(raw);
                    let z = (F::of(y) - row[0]) / scale;
                    d_row[0] = grad * z / scale;
                    let d_raw = grad * (z * z - F::one()) / scale * sigmoid(raw);
                    match (&mut d_noise, raw_noise) {
                        (Some(total), Some(raw)) => total[(r / b) % raw.len()] += d_raw,
                        (None, Some(_)) => {}
                        (_, None) => d_row[1] = d_raw,
                    }
                }
            }
        }
        Ok(())
    }

    fn row_value<F: Real>(self, row: &[F], target: Target, noise: Option<F>) -> F {
        match target {
            Target::Class(label) if self == Self::Categorical => {
                // Maximum first, so that logits near 1e6 keep their small differences.
                let largest = row.iter().fold(F::neg_infinity(), |a, &x| a.max(x));
                let norm = row.iter().map(|&x| (x - largest).exp()).sum::<F>().ln();
                row[label] - largest - norm
            }
            Target::Class(label) => log_sigmoid(if label == 1 { row[0] } else { -row[0] }),
            Target::Value(y) => {
                let scale = noise_scale(noise.unwrap_or_else(|| row[1]));
                let z = (F::of(y) - row[0]) / scale;
                -F::of(0.5) * (z * z + F::of(LN_TWO_PI)) - scale.ln()
            }
        }
    }

    /// Everything that must fit; returns the batch size.
    fn check<F: Real>(
        self,
        op: &'static str,
        outputs: OutputRows<'_, F>,
        targets: &Targets,
        raw_noise: Option<ArrayView1<'_, F>>,
    ) -> Result<usize, Error> {
        targets.check()?;
        let b = targets.len();
        let n_classes = match (targets.n_classes(), self.is_classification()) {
            (Some(n), true) => n,
            (None, false) => 0,
            (Some(_), false) => {
                return Err(Error::Undefined { op, what: "a Gaussian likelihood of class labels" });
            }
            (None, true) => return Err(Error::Undefined { op, what: "a class likelihood of real targets" }),
        };
        if self == Self::Bernoulli && n_classes != 2 {
            return Err(Error::Undefined { op, what: "a Bernoulli likelihood of more than two classes" });
        }
        let (width, rows) = (self.n_outputs(n_classes), outputs.n_rows);
        if outputs.width != width || rows == 0 || !rows.is_multiple_of(b) {
            let (expected, got) = (vec![b.max(rows / b * b), width], vec![rows, outputs.width]);
            return Err(Error::ShapeMismatch { op, argument: "outputs", expected, got });
        }
        match raw_noise {
            Some(_) if self != Self::Gaussian => {
                Err(Error::Undefined { op, what: "a separate noise scale for this likelihood" })
            }
            None if self == Self::Gaussian => {
                Err(Error::Undefined { op, what: "a Gaussian likelihood without `raw_noise`" })
            }
            Some(raw) => layout::batch_size(op, rows / b, raw.len()).map(|_| b),
            None => Ok(b),
        }
    }
}

/// Outputs of a network stored row by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutputRows<'a, F> {
    pub(crate) values: &'a [F],
    pub(crate) n_rows: usize,
    pub(crate) width: usize,
}

impl<'a, F> OutputRows<'a, F> {
    fn iter(self) -> impl Iterator<Item = &'a [F]> {
        self.values.chunks_exact(self.width.max(1))
    }
}

fn in_rows<'a, F: Real>(outputs: &'a ndarray::CowArray<'_, F, ndarray::Ix2>) -> OutputRows<'a, F> {
    let values = outputs.as_slice().expect("in standard layout");
    OutputRows { values, n_rows: outputs.nrows(), width: outputs.ncols() }
}

/// One target, by kind.
#[derive(Clone, Copy)]
enum Target {
    Class(usize),
    Value(f64),
}

fn target(targets: &Targets, i: usize) -> Target {
    match targets {
        Targets::Classes { labels, .. } => Target::Class(labels[i]),
        Targets::Values(values) => Target::Value(values[i]),
    }
}

fn row_noise<F: Real>(raw_noise: Option<ArrayView1<'_, F>>, row: usize, b: usize) -> Option<F> {
    raw_noise.map(|raw| raw[(row / b) % raw.len()])
}

#[cfg(test)]
mod tests;
