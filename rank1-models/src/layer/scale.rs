//! From unconstrained parameters to positive scales, in tensors; the array version is in the priors crate.

use burn::tensor::{Tensor, activation};
use rank1_priors::SCALE_FLOOR;

/// Beyond this the softplus equals its argument in single precision.
const LINEAR_ABOVE: f32 = 30.0;

/// `softplus(raw) + 1e-7`.
///
/// # Shapes
/// Any; returns the same shape.
///
/// # Numerics
/// Full relative accuracy for very negative `raw`, where scales of small posteriors live; no overflow.
///
/// # Source
/// Edward2's softplus constraint: the floor is added after the softplus.
#[must_use]
pub fn positive_scale<const D: usize>(raw: Tensor<D>) -> Tensor<D> {
    softplus(raw) + SCALE_FLOOR as f32
}

/// `ln(1 + e^x)` with the gradient `1 / (1 + e^-x)` everywhere.
pub(crate) fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // At the seam the gradient passes the first term only: a rectifier's is zero at zero.
    let linear = activation::relu(x.clone() - LINEAR_ABOVE);
    x.clamp_max(LINEAR_ABOVE).exp().log1p() + linear
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn value_and_gradient_equal_double_precision() {
        let raw = [-60.0_f32, -15.0, -6.907_255, -1e-3, 0.0, 0.5, 5.0, 29.5, 30.0, 31.0, 200.0];
        let device = Device::flex().autodiff();
        let tensor = Tensor::<1>::from_floats(raw, &device).require_grad();
        let scale = positive_scale(tensor.clone());
        let gradients = scale.clone().sum().backward();
        let got = scale.into_data().try_to_vec::<f32>().unwrap();
        let slope = tensor.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap();
        for ((raw, got), slope) in raw.iter().zip(got).zip(slope) {
            let expected = rank1_priors::raw_to_scale(f64::from(*raw));
            assert!((f64::from(got) / expected - 1.0).abs() < 1e-6, "scale at {raw}: {got}, {expected}");
            let expected = rank1_priors::d_scale_d_raw(f64::from(*raw));
            assert!((f64::from(slope) / expected - 1.0).abs() < 1e-6, "slope at {raw}: {slope}, {expected}");
        }
    }
}
