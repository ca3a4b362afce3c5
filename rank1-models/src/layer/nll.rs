//! Log-likelihoods and their reduction as tensors; the array versions are in `rank1-core`.

use burn::tensor::{Tensor, TensorData, activation};
use rank1_core::Error as CoreError;
use rank1_core::likelihood::{Likelihood, NOISE_FLOOR};
use rank1_core::numeric::LN_TWO_PI;
use rank1_core::objective::NllForm;
use rank1_core::targets::Targets;

use super::{Pass, expect_shape, softplus};
use crate::error::Error;

const OP: &str = "mean_nll";

/// Mean negative log-likelihood of a batch over the samples and members of a pass, in nats per example.
///
/// [`NllForm::AverageNll`] is what the paper trains, [`NllForm::MixtureNll`] what it evaluates. By one kernel where a device has it.
///
/// # Shapes
/// `outputs`: `[S*K*B, C]` with B targets. C is the number of classes of [`Likelihood::Categorical`], 1 (log-odds of class 1) of
/// [`Likelihood::Bernoulli`], 2 (mean, unconstrained noise scale) of [`Likelihood::HeteroscedasticGaussian`] and 1 (mean) of
/// [`Likelihood::Gaussian`], which alone has `raw_noise`: `[1, K]`, an unconstrained noise scale for each member. Returns `[1]`.
///
/// # Units
/// Nats; Gaussian values are densities in the unit of the targets as given.
///
/// # Errors
/// Rows that are not those of the pass, another number of targets or outputs, targets that do not fit the likelihood. NaN passes through.
///
/// # Source
/// Dusenberry et al. 2020, section 3.4, equations 11 to 14; noise scales by [`rank1_core::likelihood::noise_scale`].
///
/// # Example
/// ```
/// use rank1_core::likelihood::Likelihood;
/// use rank1_core::objective::NllForm;
/// use rank1_core::targets::Targets;
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{Pass, mean_nll};
///
/// let pass = Pass::training(7, 0, 2);
/// let logits = Tensor::<2>::zeros([2 * 3, 4], &Device::flex());                // 2 members, 3 examples, 4 classes
/// let targets = Targets::classes([0, 1, 3].to_vec().into(), 4)?;
/// let nll = mean_nll(Likelihood::Categorical, logits, &targets, None, &pass, NllForm::MixtureNll)?;
/// assert!((nll.into_scalar::<f32>() - 4.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), rank1_models::Error>(())
/// ```
pub fn mean_nll(
    likelihood: Likelihood,
    outputs: Tensor<2>,
    targets: &Targets,
    raw_noise: Option<Tensor<2>>,
    pass: &Pass,
    form: NllForm,
) -> Result<Tensor<1>, Error> {
    targets.check()?;
    let n_examples = pass.n_examples(outputs.dims()[0])?;
    if n_examples != targets.len() {
        return Err(Error::Mismatch { what: "number of targets", expected: n_examples, got: targets.len() });
    }
    if let Some(noise) = &raw_noise {
        expect_shape(OP, "raw_noise", noise, [1, pass.n_members])?;
    }
    // Averaged logits are outputs of one sample of one member.
    let (outputs, n_samples) = match form {
        NllForm::MarginalizedLogits => (averaged_logits(likelihood, outputs, n_examples)?, 1),
        _ => (outputs, pass.n_samples),
    };
    #[cfg(feature = "cube")]
    {
        let device_nll = crate::fused::device::mean_nll;
        if let Some(loss) = device_nll(likelihood, form, &outputs, targets, raw_noise.as_ref(), n_samples) {
            return Ok(loss);
        }
    }
    mean_nll_of_operations(likelihood, outputs, targets, raw_noise, n_samples, form)
}

/// The same from tensor operations, whatever the device; targets are checked.
pub(crate) fn mean_nll_of_operations(
    likelihood: Likelihood,
    outputs: Tensor<2>,
    targets: &Targets,
    raw_noise: Option<Tensor<2>>,
    n_samples: usize,
    form: NllForm,
) -> Result<Tensor<1>, Error> {
    Ok(reduce(log_likelihoods(likelihood, outputs, targets, raw_noise, n_samples)?, form))
}

/// Log-likelihood of every sample, member and example: `[S*K, B]` from outputs `[S*K*B, C]`.
fn log_likelihoods(
    likelihood: Likelihood,
    outputs: Tensor<2>,
    targets: &Targets,
    raw_noise: Option<Tensor<2>>,
    n_samples: usize,
) -> Result<Tensor<2>, Error> {
    let [rows, width] = outputs.dims();
    let b = targets.len();
    let slots = rows / b;
    let device = outputs.device();
    // One value per example, repeated for every sample and member.
    let tiled = |values: Vec<f32>, columns: usize| {
        Tensor::<2>::from_data(TensorData::new(values, [b, columns]), &device).repeat_dim(0, slots)
    };
    let column = |index: usize| outputs.clone().slice([0..rows, index..index + 1]);
    let values = match (likelihood, targets) {
        (Likelihood::Categorical, Targets::Classes { labels, n_classes }) => {
            expect_width(width, *n_classes)?;
            let mut one_hot = vec![0.0; b * width];
            for (row, &label) in labels.iter().enumerate() {
                one_hot[row * width + label] = 1.0;
            }
            (activation::log_softmax(outputs, 1) * tiled(one_hot, width)).sum_dim(1)
        }
        (Likelihood::Bernoulli, Targets::Classes { labels, n_classes: 2 }) => {
            expect_width(width, 1)?;
            let signs = labels.iter().map(|&label| if label == 1 { 1.0 } else { -1.0 }).collect();
            // ln p = -softplus(-z) for label 1 and -softplus(z) for label 0.
            -softplus(-(outputs * tiled(signs, 1)))
        }
        (Likelihood::Gaussian | Likelihood::HeteroscedasticGaussian, Targets::Values(values)) => {
            let raw = match (likelihood, raw_noise) {
                (Likelihood::Gaussian, Some(raw)) => {
                    expect_width(width, 1)?;
                    let members = raw.dims()[1];
                    raw.reshape([members, 1, 1])
                        .repeat_dim(1, b)
                        .reshape([members * b, 1])
                        .repeat_dim(0, n_samples)
                }
                (Likelihood::HeteroscedasticGaussian, None) => {
                    expect_width(width, 2)?;
                    column(1)
                }
                _ => return Err(undefined("this likelihood with or without a noise parameter")),
            };
            let scale = softplus(raw) + NOISE_FLOOR as f32;
            let y = tiled(values.iter().map(|&v| v as f32).collect(), 1);
            let z = (y - column(0)) / scale.clone();
            (z.square() + LN_TWO_PI as f32) * -0.5 - scale.log()
        }
        _ => return Err(undefined("these targets under the network's likelihood")),
    };
    Ok(values.reshape([slots, b]))
}

/// One loss from log-likelihoods `[S*K, B]`.
fn reduce(log_likelihoods: Tensor<2>, form: NllForm) -> Tensor<1> {
    let [slots, _] = log_likelihoods.dims();
    match form {
        // Averaged logits have one log-likelihood per example, whose mixture is itself.
        NllForm::AverageNll | NllForm::MarginalizedLogits => -log_likelihoods.mean(),
        NllForm::MixtureNll | NllForm::MarginalizedProbabilities => {
            let largest = log_likelihoods.clone().detach().max_dim(0);
            let sum = (log_likelihoods - largest.clone()).exp().sum_dim(0);
            let mixture = sum.log() + largest - (slots as f32).ln();
            -mixture.mean()
        }
    }
}

/// Outputs averaged over samples and members, `[B, C]`; defined for class likelihoods only.
fn averaged_logits(
    likelihood: Likelihood,
    outputs: Tensor<2>,
    n_examples: usize,
) -> Result<Tensor<2>, Error> {
    if !likelihood.is_classification() {
        return Err(undefined("averaged outputs of a Gaussian likelihood"));
    }
    let [rows, width] = outputs.dims();
    let slots = rows / n_examples;
    Ok(outputs.reshape([slots, n_examples * width]).mean_dim(0).reshape([n_examples, width]))
}

fn expect_width(got: usize, expected: usize) -> Result<(), Error> {
    if got == expected {
        Ok(())
    } else {
        Err(Error::Mismatch { what: "number of network outputs", expected, got })
    }
}

fn undefined(what: &'static str) -> Error {
    CoreError::Undefined { op: OP, what }.into()
}

#[cfg(test)]
mod tests;
