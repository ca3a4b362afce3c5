//! The objective of a mixture of members: four forms of the negative log-likelihood with gradients, and the ELBO in parts.
//!
//! Not for predictives (see [`crate::predictive`]): these are losses of a batch, in nats per example.

mod elbo;

pub use elbo::{ElboParts, KlAnnealing, MemberKl, l2_penalty, l2_penalty_grad};

use ndarray::{Array1, Array2, Array3, Array4, ArrayView1, ArrayView3, ArrayView4, Axis};
use serde::{Deserialize, Serialize};

use crate::error::check_len;
use crate::likelihood::{Likelihood, OutputRows};
use crate::targets::Targets;
use crate::{Error, Real};

/// How log-likelihoods of `S` samples of `K` members become one loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NllForm {
    /// Equation (11): likelihood of the averaged logits. Not a mixture; defined for class likelihoods only.
    MarginalizedLogits,
    /// Equation (12): likelihood of the averaged probabilities; the same number as [`NllForm::MixtureNll`].
    MarginalizedProbabilities,
    /// Equation (13): mean over samples and members of each one's NLL; what the paper trains.
    #[default]
    AverageNll,
    /// Equation (14): `-(logsumexp over samples and members - ln(S K))`; what the paper evaluates.
    MixtureNll,
}

/// A loss and its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct NllGrads<F> {
    /// Mean over the batch, nats per example.
    pub value: F,
    /// With respect to the outputs, `[S, K, B, C]`.
    pub outputs: Array4<F>,
    /// With respect to the unconstrained noise scales, `[K]`; only for [`Likelihood::Gaussian`].
    pub raw_noise: Option<Array1<F>>,
}

/// Loss of given log-likelihoods and its gradient with respect to them.
///
/// # Shapes
/// `log_likelihoods`: `[S, K, B]`; returns the mean over `B` and a gradient `[S, K, B]`.
///
/// # Units
/// Nats per example.
///
/// # Errors
/// [`Error::Empty`]; [`Error::Undefined`] for [`NllForm::MarginalizedLogits`], which needs the outputs.
///
/// # Numerics
/// Everything stays in log space, (12) too, since averaging probabilities underflows. If every term of an example is
/// `-inf` the mixture loss is `+inf` and that example's gradient NaN. NaN passes through.
///
/// # Source
/// Dusenberry et al. 2020, appendix E (12)-(14). The mixture's gradient is minus the responsibility
/// `p_sk / sum p`, divided by `B`; the average's is `-1 / (S K B)`. (The formulas printed in section 3.4 misplace the
/// factor `1/K`.)
pub fn nll_from_log_likelihoods<F: Real>(
    log_likelihoods: ArrayView3<'_, F>,
    form: NllForm,
) -> Result<(F, Array3<F>), Error> {
    const OP: &str = "nll_from_log_likelihoods";
    if log_likelihoods.is_empty() {
        return Err(Error::Empty { op: OP, argument: "log_likelihoods" });
    }
    let b = log_likelihoods.len_of(Axis(2));
    let mut weights = log_likelihoods.as_standard_layout().into_owned();
    let values = weights.as_slice_mut().expect("in standard layout");
    let value = weigh(OP, form, b, values, &mut Vec::new(), &mut Vec::new())?;
    Ok((value, weights))
}

/// The loss of log-likelihoods `[S K, B]`, which become its gradient; the last two are memory to work in.
fn weigh<F: Real>(
    op: &'static str,
    form: NllForm,
    b: usize,
    values: &mut [F],
    largest: &mut Vec<F>,
    total: &mut Vec<F>,
) -> Result<F, Error> {
    match form {
        NllForm::MarginalizedLogits => {
            Err(Error::Undefined { op, what: "averaged logits, given log-likelihoods" })
        }
        NllForm::AverageNll => {
            let n = values.len() as f64;
            let sum: f64 = values.iter().map(|value| value.wide()).sum();
            values.fill(F::of(-1.0 / n));
            Ok(F::of(-sum / n))
        }
        NllForm::MixtureNll | NllForm::MarginalizedProbabilities => {
            let m = F::of((values.len() / b) as f64);
            largest.clear();
            largest.resize(b, F::neg_infinity());
            total.clear();
            total.resize(b, F::zero());
            for terms in values.chunks_exact(b) {
                largest.iter_mut().zip(terms).for_each(|(top, &x)| *top = larger(*top, x));
            }
            for terms in values.chunks_exact_mut(b) {
                for ((x, &top), total) in terms.iter_mut().zip(&*largest).zip(&mut *total) {
                    *x = (*x - top).exp();
                    *total += *x;
                }
            }
            let logs = largest.iter().zip(&*total).map(|(&top, &sum)| log_of_mean(top, sum, m).wide());
            let value = logs.sum::<f64>() / b as f64;
            total.iter_mut().for_each(|sum| *sum = -F::one() / (*sum * F::of(b as f64)));
            for terms in values.chunks_exact_mut(b) {
                terms.iter_mut().zip(&*total).for_each(|(x, &scale)| *x *= scale);
            }
            Ok(F::of(-value))
        }
    }
}

/// Maximum that keeps NaN, unlike `Float::max`.
fn larger<F: Real>(a: F, b: F) -> F {
    if a.is_nan() || a > b { a } else { b }
}

fn log_of_mean<F: Real>(largest: F, sum: F, m: F) -> F {
    // All terms -inf: the sum of `exp(-inf - -inf)` is NaN, the limit is -inf.
    if largest == F::neg_infinity() { largest } else { largest + (sum / m).ln() }
}

/// Log-likelihoods of all samples, members and examples.
///
/// # Shapes
/// `outputs`: `[S, K, B, C]`, `targets`: `B`, `raw_noise`: `[K]` for [`Likelihood::Gaussian`]; returns `[S, K, B]`.
///
/// # Errors
/// As [`Likelihood::log_likelihood`].
///
/// # Source
/// See [`Likelihood::log_likelihood`].
pub fn log_likelihoods<F: Real>(
    likelihood: Likelihood,
    outputs: ArrayView4<'_, F>,
    targets: &Targets,
    raw_noise: Option<ArrayView1<'_, F>>,
) -> Result<Array3<F>, Error> {
    let (s, k, b, _) = outputs.dim();
    check_axes("log_likelihoods", outputs, targets, raw_noise)?;
    let values = likelihood.log_likelihood(as_rows(outputs).view(), targets, raw_noise)?;
    Ok(values.into_shape_with_order((s, k, b)).expect("one value per row"))
}

/// Loss of network outputs in any of the four forms, with gradients.
///
/// # Shapes
/// As [`log_likelihoods`]; the gradients have the shapes of `outputs` and `raw_noise`.
///
/// # Units
/// Nats per example.
///
/// # Errors
/// As [`Likelihood::log_likelihood`]; [`Error::Undefined`] for averaged logits of a Gaussian likelihood, where averaging
/// means would silently replace the mixture density by a single Gaussian.
///
/// # Numerics
/// As [`nll_from_log_likelihoods`].
///
/// # Source
/// Dusenberry et al. 2020, appendix E (11)-(14).
pub fn nll_from_outputs<F: Real>(
    likelihood: Likelihood,
    outputs: ArrayView4<'_, F>,
    targets: &Targets,
    raw_noise: Option<ArrayView1<'_, F>>,
    form: NllForm,
) -> Result<NllGrads<F>, Error> {
    let mut grads = Array4::zeros(outputs.dim());
    let mut d_noise = raw_noise.map(|raw| vec![F::zero(); raw.len()]);
    let d_outputs = grads.as_slice_mut().expect("made in standard layout");
    let mut buffers = NllBuffers::default();
    let sinks = (d_outputs, d_noise.as_deref_mut());
    let value = nll_from_outputs_into(likelihood, outputs, targets, raw_noise, form, sinks, &mut buffers)?;
    Ok(NllGrads { value, outputs: grads, raw_noise: d_noise.map(Array1::from) })
}

/// Memory of [`nll_from_outputs_into`], kept from step to step.
#[derive(Debug, Clone)]
pub struct NllBuffers<F> {
    /// Log-likelihoods `[S, K, B]`, then the gradient with respect to them.
    values: Vec<F>,
    largest: Vec<F>,
    total: Vec<F>,
}

impl<F> Default for NllBuffers<F> {
    fn default() -> Self {
        Self { values: Vec::new(), largest: Vec::new(), total: Vec::new() }
    }
}

/// [`nll_from_outputs`] into memory of the caller; allocates nothing once the buffers have grown, except for averaged
/// logits and for outputs that are not in standard layout.
///
/// # Shapes
/// The sinks: the gradient of the outputs `[S, K, B, C]`, overwritten, and that of the noise scales `[K]`, added to.
///
/// # Units
/// Nats per example.
///
/// # Errors
/// As [`nll_from_outputs`]; [`Error::ShapeMismatch`] for a sink of another length.
///
/// # Source
/// As [`nll_from_outputs`].
pub fn nll_from_outputs_into<F: Real>(
    likelihood: Likelihood,
    outputs: ArrayView4<'_, F>,
    targets: &Targets,
    raw_noise: Option<ArrayView1<'_, F>>,
    form: NllForm,
    (d_outputs, d_noise): (&mut [F], Option<&mut [F]>),
    buffers: &mut NllBuffers<F>,
) -> Result<F, Error> {
    const OP: &str = "nll_from_outputs";
    let (s, k, b, c) = outputs.dim();
    check_axes(OP, outputs, targets, raw_noise)?;
    check_len(OP, "d_outputs", d_outputs.len(), outputs.len())?;
    if let Some(sink) = &d_noise {
        check_len(OP, "d_noise", sink.len(), k)?;
    }
    if form == NllForm::MarginalizedLogits {
        return averaged_logits(likelihood, outputs, targets, d_outputs);
    }
    let outputs = outputs.as_standard_layout();
    let values = outputs.as_slice().expect("in standard layout");
    let rows = OutputRows { values, n_rows: s * k * b, width: c };
    let NllBuffers { values, largest, total } = buffers;
    likelihood.log_likelihood_into(OP, rows, targets, raw_noise, values)?;
    let value = weigh(OP, form, b, values, largest, total)?;
    likelihood.backward_into(OP, rows, targets, raw_noise, values, d_outputs, d_noise)?;
    Ok(value)
}

fn averaged_logits<F: Real>(
    likelihood: Likelihood,
    outputs: ArrayView4<'_, F>,
    targets: &Targets,
    d_outputs: &mut [F],
) -> Result<F, Error> {
    const OP: &str = "nll_from_outputs";
    if !likelihood.is_classification() {
        return Err(Error::Undefined { op: OP, what: "averaged logits of a Gaussian likelihood" });
    }
    let (s, k, b, _) = outputs.dim();
    let m = F::of((s * k) as f64);
    let mean = outputs.sum_axis(Axis(0)).sum_axis(Axis(0)) / m;
    let values = likelihood.log_likelihood(mean.view(), targets, None)?;
    let n = F::of(b as f64);
    let weights = Array1::from_elem(b, -F::one() / n);
    let grads = likelihood.backward(mean.view(), targets, None, weights.view())?;
    // Each sample and member holds an equal share of the averaged logit.
    let share = grads.outputs / m;
    for (d, &share) in d_outputs.iter_mut().zip(share.iter().cycle()) {
        *d = share;
    }
    Ok(-values.sum() / n)
}

/// The batch and member axes, which the row-wise likelihood could otherwise mistake for more tiles.
fn check_axes<F>(
    op: &'static str,
    outputs: ArrayView4<'_, F>,
    targets: &Targets,
    raw_noise: Option<ArrayView1<'_, F>>,
) -> Result<(), Error> {
    let (s, k, b, c) = outputs.dim();
    if b != targets.len() {
        let (expected, got) = (vec![s, k, targets.len(), c], outputs.shape().to_vec());
        return Err(Error::ShapeMismatch { op, argument: "outputs", expected, got });
    }
    match raw_noise {
        Some(raw) if raw.len() != k => {
            Err(Error::ShapeMismatch { op, argument: "raw_noise", expected: vec![k], got: vec![raw.len()] })
        }
        _ => Ok(()),
    }
}

fn as_rows<F: Real>(outputs: ArrayView4<'_, F>) -> Array2<F> {
    let (s, k, b, c) = outputs.dim();
    let flat: Vec<F> = outputs.iter().copied().collect();
    Array2::from_shape_vec((s * k * b, c), flat).expect("the product of the axes is the number of elements")
}

#[cfg(test)]
mod tests;
