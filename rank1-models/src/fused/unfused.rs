//! The perturbed linear map composed of ordinary tensor operations, differentiable wherever Burn is.
//!
//! The reference for the fused operation's tests and the path for back ends without a fused kernel.

use burn::tensor::Tensor;
use rank1_core::perturb::Perturbation;

/// The map of [`crate::fused::perturbed_linear`] without a fused kernel.
///
/// # Shapes
/// As there.
///
/// # Panics
/// If shapes do not fit; the checked entry is [`crate::fused::perturbed_linear`].
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, Eq. 1.
#[must_use]
pub fn perturbed_linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    input_factor: Option<Tensor<2>>,
    output_factor: Option<Tensor<2>>,
    bias: Option<Tensor<2>>,
    n_members: usize,
    perturbation: Perturbation,
) -> Tensor<2> {
    let x = perturb(x, input_factor, n_members, perturbation);
    let y = perturb(x.matmul(weight), output_factor, n_members, perturbation);
    perturb(y, bias, n_members, Perturbation::Additive)
}

/// Multiplies or adds a factor that has a row per row of `values` or a row per member.
fn perturb(
    values: Tensor<2>,
    factor: Option<Tensor<2>>,
    n_members: usize,
    perturbation: Perturbation,
) -> Tensor<2> {
    let Some(factor) = factor else { return values };
    let [rows, width] = values.dims();
    let [factor_rows, _] = factor.dims();
    let factor = if factor_rows == rows {
        factor
    } else {
        let examples = rows / n_members;
        factor.reshape([n_members, 1, width]).repeat_dim(1, examples).reshape([rows, width])
    };
    perturb_by(values, factor, perturbation)
}

/// Multiplies or adds a factor of a shape that broadcasts.
pub(crate) fn perturb_by<const D: usize>(
    x: Tensor<D>,
    factor: Tensor<D>,
    perturbation: Perturbation,
) -> Tensor<D> {
    match perturbation {
        Perturbation::Multiplicative => x * factor,
        Perturbation::Additive => x + factor,
    }
}
