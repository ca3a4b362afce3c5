//! The objective of a mixture of members: four forms of the negative log-likelihood with gradients, and the ELBO in parts.
//!
//! Not for predictives (see [`crate::predictive`]): these are losses of a batch, in nats per example.

mod elbo;

pub use elbo::{ElboParts, KlAnnealing, MemberKl, l2_penalty, l2_penalty_grad};

use ndarray::{Array1, Array2, Array3, Array4, ArrayView1, ArrayView3, ArrayView4, Axis};
use serde::{Deserialize, Serialize};

use crate::likelihood::{Likelihood, LikelihoodGrads};
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
    let b = F::of(log_likelihoods.len_of(Axis(2)) as f64);
    let n = F::of(log_likelihoods.len() as f64);
    match form {
        NllForm::MarginalizedLogits => {
            Err(Error::Undefined { op: OP, what: "averaged logits, given log-likelihoods" })
        }
        NllForm::AverageNll => {
            Ok((-log_likelihoods.sum() / n, Array3::from_elem(log_likelihoods.dim(), -F::one() / n)))
        }
        NllForm::MixtureNll | NllForm::MarginalizedProbabilities => {
            let m = n / b;
            let largest = log_likelihoods.fold_axis(Axis(0), F::neg_infinity(), |&a, &x| larger(a, x));
            let largest: Array1<F> = largest.fold_axis(Axis(0), F::neg_infinity(), |&a, &x| larger(a, x));
            let mut weights = log_likelihoods.to_owned();
            for mut sample in weights.outer_iter_mut() {
                for mut member in sample.outer_iter_mut() {
                    member.zip_mut_with(&largest, |x, &top| *x = (*x - top).exp());
                }
            }
            let total = weights.sum_axis(Axis(0)).sum_axis(Axis(0));
            let value = largest.iter().zip(&total).map(|(&top, &sum)| log_of_mean(top, sum, m)).sum::<F>();
            let scale = total.mapv(|sum| -F::one() / (sum * b));
            weights *= &scale;
            Ok((-value / b, weights))
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
    const OP: &str = "nll_from_outputs";
    let (s, k, b, c) = outputs.dim();
    check_axes(OP, outputs, targets, raw_noise)?;
    let rows = as_rows(outputs);
    if form == NllForm::MarginalizedLogits {
        if !likelihood.is_classification() {
            return Err(Error::Undefined { op: OP, what: "averaged logits of a Gaussian likelihood" });
        }
        let m = F::of((s * k) as f64);
        let mean = outputs.sum_axis(Axis(0)).sum_axis(Axis(0)) / m;
        let values = likelihood.log_likelihood(mean.view(), targets, None)?;
        let n = F::of(b as f64);
        let weights = Array1::from_elem(b, -F::one() / n);
        let grads = likelihood.backward(mean.view(), targets, None, weights.view())?;
        // Each sample and member holds an equal share of the averaged logit.
        let share = grads.outputs / m;
        let outputs = share.broadcast((s, k, b, c)).expect("trailing axes are equal").to_owned();
        return Ok(NllGrads { value: -values.sum() / n, outputs, raw_noise: None });
    }
    let values = likelihood.log_likelihood(rows.view(), targets, raw_noise)?;
    let values = values.into_shape_with_order((s, k, b)).expect("one value per row");
    let (value, grad) = nll_from_log_likelihoods(values.view(), form)?;
    let grad = grad.into_shape_with_order(s * k * b).expect("one value per row");
    let LikelihoodGrads { outputs, raw_noise } =
        likelihood.backward(rows.view(), targets, raw_noise, grad.view())?;
    let outputs = outputs.into_shape_with_order((s, k, b, c)).expect("rows were split from these axes");
    Ok(NllGrads { value, outputs, raw_noise })
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
