//! Predictives of network outputs: from tensors to what the metrics of `rank1-core` read.

use burn::tensor::Tensor;
use ndarray::{Array2, Array4};
use rank1_core::Error as CoreError;
use rank1_core::likelihood::noise_scale;
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};

use super::host::read;
use super::{Pass, expect_shape};
use crate::error::Error;

/// Class probabilities averaged over the samples and members of a pass; never averages of logits.
///
/// # Shapes
/// `logits`: `[S*K*B, C]`, of the softmax for C of 2 and more; `[S*K*B, 1]` is the log-odds of class 1 of two.
///
/// # Errors
/// Rows that are not those of the pass, a logit that is not finite.
///
/// # Source
/// [`ClassPredictive::from_logits`].
///
/// # Example
/// ```
/// use rank1_core::metrics::decompose_predictive;
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{Pass, class_predictive};
///
/// // Two members on one row, each sure of another class.
/// let logits = Tensor::<2>::from_floats([[9.0, 0.0], [0.0, 9.0]], &Device::flex());
/// let predictive = class_predictive(logits, &Pass::prediction(7, 1, 2))?;
/// assert!((predictive.probs()[[0, 0]] - 0.5).abs() < 1e-6);
/// assert!(decompose_predictive(&predictive).epistemic[0] > 0.6);           // near ln 2
/// # Ok::<(), rank1_models::Error>(())
/// ```
pub fn class_predictive(logits: Tensor<2>, pass: &Pass) -> Result<ClassPredictive, Error> {
    let outputs = by_member(logits, pass)?;
    Ok(match outputs.dim().3 {
        1 => ClassPredictive::from_bernoulli_logits(outputs.view())?,
        _ => ClassPredictive::from_logits(outputs.view())?,
    })
}

/// The mixture of the Gaussians of all samples and members of a pass.
///
/// # Shapes
/// Without `raw_noise` `outputs` is `[S*K*B, 2]`: mean and unconstrained noise scale of every row. With `raw_noise` `[1, K]`, the
/// unconstrained noise scale of each member, `outputs` is `[S*K*B, 1]`. Row `s*K + k` of the mixture is sample s of member k.
///
/// # Units
/// Those of the targets that the network was trained on; [`GaussianMixturePredictive::affine`] changes them.
///
/// # Errors
/// Rows that are not those of the pass, [`rank1_core::Error::ShapeMismatch`], an output that is not finite.
///
/// # Source
/// Dusenberry et al. 2020, section 5; noise scales by [`noise_scale`].
///
/// # Example
/// ```
/// use rank1_core::metrics::decompose_variance;
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{Pass, gaussian_predictive};
///
/// // Two members on one row, with means of 1 and 3.
/// let outputs = Tensor::<2>::from_floats([[1.0, 0.0], [3.0, 0.0]], &Device::flex());
/// let mixture = gaussian_predictive(outputs, None, &Pass::prediction(7, 1, 2))?;
/// assert_eq!(mixture.mean()[0], 2.0);
/// assert_eq!(decompose_variance(&mixture).epistemic[0], 1.0);
/// # Ok::<(), rank1_models::Error>(())
/// ```
pub fn gaussian_predictive(
    outputs: Tensor<2>,
    raw_noise: Option<Tensor<2>>,
    pass: &Pass,
) -> Result<GaussianMixturePredictive, Error> {
    const OP: &str = "gaussian_predictive";
    let [n_rows, _] = outputs.dims();
    expect_shape(OP, "outputs", &outputs, [n_rows, if raw_noise.is_some() { 1 } else { 2 }])?;
    let noise = match raw_noise {
        None => None,
        Some(noise) => {
            expect_shape(OP, "raw_noise", &noise, [1, pass.n_members])?;
            Some(read(noise)?)
        }
    };
    let outputs = by_member(outputs, pass)?;
    let (s, k, n, _) = outputs.dim();
    let of = |term: usize, row: usize, column: usize| outputs[[term / k, term % k, row, column]];
    let means = Array2::from_shape_fn((s * k, n), |(term, row)| f64::from(of(term, row, 0)));
    let std_devs = Array2::from_shape_fn((s * k, n), |(term, row)| {
        let raw = noise.as_ref().map_or_else(|| of(term, row, 1), |noise| noise[term % k]);
        noise_scale(f64::from(raw))
    });
    Ok(GaussianMixturePredictive::new(means, std_devs)?)
}

/// Outputs on the host, `[S, K, B, C]`.
fn by_member(outputs: Tensor<2>, pass: &Pass) -> Result<Array4<f32>, Error> {
    let outputs = pass.untile(outputs)?;
    let [s, k, n, c] = outputs.dims();
    let values = read(outputs)?;
    let fault = |_| CoreError::Undefined {
        op: "Pass::untile",
        what: "a device that returns another number of values",
    };
    Ok(Array4::from_shape_vec((s, k, n, c), values).map_err(fault)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn probabilities_are_averaged_over_the_rows_of_each_example() {
        // Two samples of two members on two rows; the log-odds of class 1.
        let odds = [0.5_f32, -1.0, 2.0, 0.0, -0.5, 1.0, 3.0, -2.0];
        let device = Device::flex();
        let column = Tensor::<1>::from_floats(odds, &device).reshape([8, 1]);
        let pass = Pass::prediction(1, 2, 2);
        let one = class_predictive(column.clone(), &pass).unwrap();
        let two = class_predictive(Tensor::cat(vec![column.zeros_like(), column], 1), &pass).unwrap();
        assert_eq!((one.n_samples, one.n_members(), one.n_examples(), one.n_classes()), (2, 2, 2, 2));
        for row in 0..2 {
            let sigmoid = |i: usize| 1.0 / (1.0 + (-f64::from(odds[i])).exp());
            let expected = (0..4).map(|slot| sigmoid(2 * slot + row)).sum::<f64>() / 4.0;
            assert!((one.probs()[[row, 1]] - expected).abs() < 1e-12);
            assert!((two.probs()[[row, 1]] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn noise_of_a_row_and_noise_of_a_member_give_the_mixture_of_their_terms() {
        let device = Device::flex();
        let pass = Pass::prediction(1, 2, 3);
        let means = Tensor::<1>::from_floats(std::array::from_fn::<f32, 12, _>(|i| i as f32), &device);
        let means = means.reshape([12, 1]);
        let noise = [0.3_f32, -0.2, 0.7];
        let by_member = Tensor::<2>::from_floats([noise], &device);
        let mixture = gaussian_predictive(means.clone(), Some(by_member), &pass).unwrap();
        let by_row: [f32; 12] = std::array::from_fn(|row| noise[row / 2 % 3]);
        let by_row = Tensor::<1>::from_floats(by_row, &device).reshape([12, 1]);
        let other = gaussian_predictive(Tensor::cat(vec![means, by_row], 1), None, &pass).unwrap();
        assert_eq!(mixture, other);
        assert_eq!(mixture.means()[[4, 1]], 9.0);
        assert_eq!(mixture.std_devs()[[4, 1]], noise_scale(f64::from(noise[1])));
    }

    #[test]
    fn misfits_and_values_that_are_no_numbers_are_refused() {
        let device = Device::flex();
        let pass = Pass::prediction(1, 2, 3);
        let outputs = |rows: usize, width: usize| Tensor::<2>::zeros([rows, width], &device);
        assert!(class_predictive(outputs(7, 3), &pass).is_err());
        assert!(class_predictive(outputs(12, 3) * f32::NAN, &pass).is_err());
        assert!(gaussian_predictive(outputs(7, 2), None, &pass).is_err());
        assert!(gaussian_predictive(outputs(12, 1), None, &pass).is_err());
        assert!(gaussian_predictive(outputs(12, 2), Some(outputs(1, 3)), &pass).is_err());
        assert!(gaussian_predictive(outputs(12, 1), Some(outputs(1, 2)), &pass).is_err());
        assert!(gaussian_predictive(outputs(12, 2) / 0.0, None, &pass).is_err());
    }
}
