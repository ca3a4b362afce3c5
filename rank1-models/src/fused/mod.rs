//! The perturbed linear map as one differentiable Burn operation.
//!
//! On the CPU back end forward and backward are the fused kernels of `rank1-core`, on CubeCL devices those of `rank1-gpu`;
//! elsewhere the same map is composed of tensor operations ([`unfused`]). Not for drawing factors; those arrive as tensors.

mod autodiff;
#[cfg(feature = "cube")]
pub mod device;
mod flex;
mod ops;
pub mod unfused;

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{DType, Tensor};
use rank1_core::Error;
use rank1_core::perturb::Perturbation;

pub use ops::{Arguments, Gradients, Optional, PerturbedLinearBackward, PerturbedLinearOps};

const OP: &str = "perturbed_linear";

/// `y = ((x ∘ s) W) ∘ r + b` (multiplicative) or `y = (x + s) W + r + b` (additive), row by row.
///
/// # Shapes
/// Rows are member-major: row `k * B + b` is example `b` of member `k`; several samples count as more
/// members. `x` is `[K*B, D_in]`, `weight` `[D_in, D_out]`, `input_factor` (s) `[K*B, D_in]` or `[K, D_in]`,
/// `output_factor` (r) `[K*B, D_out]` or `[K, D_out]`, `bias` (b) `[K, D_out]`; the result is `[K*B, D_out]`.
/// An absent factor or bias leaves its term out.
///
/// # Errors
/// [`Error::ShapeMismatch`] names the argument that does not fit; [`Error::OutOfRange`] if `n_members` is zero
/// or does not divide the rows; [`Error::Empty`] for an axis of length zero. NaN passes through.
///
/// # Numerics
/// Fused in `f32` on the CPU and on CubeCL devices within their limits; any other precision, size or device takes the
/// unfused path. Gradients reach every
/// tensor that asks for one.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, Eq. 1 and section 2; `input_factor` is s, `output_factor` is r.
/// Draws are used as given: clipping is the caller's.
pub fn perturbed_linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    input_factor: Option<Tensor<2>>,
    output_factor: Option<Tensor<2>>,
    bias: Option<Tensor<2>>,
    n_members: usize,
    perturbation: Perturbation,
) -> Result<Tensor<2>, Error> {
    check(&x, &weight, input_factor.as_ref(), output_factor.as_ref(), bias.as_ref(), n_members)?;
    #[cfg(feature = "cube")]
    {
        let given = |factor: &Option<Tensor<2>>| factor.clone().map(device::LayerFactor::Given);
        let layer = device::DeviceLayer {
            weight: weight.clone(),
            input_factor: given(&input_factor),
            output_factor: given(&output_factor),
            bias: bias.clone(),
            n_members,
            perturbation,
        };
        if let Some(y) = layer.linear(&x) {
            return Ok(y);
        }
    }
    let f32_everywhere =
        [Some(&x), Some(&weight), input_factor.as_ref(), output_factor.as_ref(), bias.as_ref()]
            .into_iter()
            .flatten()
            .all(|tensor| tensor.dtype() == DType::F32);
    let on_the_processor =
        matches!(weight.device().without_autodiff().as_dispatch(), DispatchDevice::Flex(_));
    if !f32_everywhere || !on_the_processor {
        return Ok(unfused::perturbed_linear(
            x,
            weight,
            input_factor,
            output_factor,
            bias,
            n_members,
            perturbation,
        ));
    }
    let optional = |tensor: Option<Tensor<2>>| tensor.map(Tensor::into_dispatch).into();
    let output = <Dispatch as PerturbedLinearOps>::perturbed_linear(Arguments {
        x: x.into_dispatch(),
        weight: weight.into_dispatch(),
        input_factor: optional(input_factor),
        output_factor: optional(output_factor),
        bias: optional(bias),
        n_members,
        perturbation,
    });
    Ok(Tensor::from_dispatch(output))
}

fn check(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    input_factor: Option<&Tensor<2>>,
    output_factor: Option<&Tensor<2>>,
    bias: Option<&Tensor<2>>,
    n_members: usize,
) -> Result<(), Error> {
    let [rows, d_in] = x.dims();
    let [_, d_out] = weight.dims();
    if rows == 0 || d_in == 0 {
        return Err(Error::Empty { op: OP, argument: "x" });
    }
    if d_out == 0 {
        return Err(Error::Empty { op: OP, argument: "weight" });
    }
    if n_members == 0 || rows % n_members != 0 {
        return Err(Error::OutOfRange {
            op: OP,
            argument: "n_members",
            value: n_members as f64,
            expected: "a divisor of the number of rows of `x`",
        });
    }
    expect_shape("weight", weight, &[[d_in, d_out]])?;
    if let Some(factor) = input_factor {
        expect_shape("input_factor", factor, &[[rows, d_in], [n_members, d_in]])?;
    }
    if let Some(factor) = output_factor {
        expect_shape("output_factor", factor, &[[rows, d_out], [n_members, d_out]])?;
    }
    if let Some(bias) = bias {
        expect_shape("bias", bias, &[[n_members, d_out]])?;
    }
    Ok(())
}

/// The shape must be one of `allowed`; the error names the first.
pub(crate) fn expect_shape(
    argument: &'static str,
    tensor: &Tensor<2>,
    allowed: &[[usize; 2]],
) -> Result<(), Error> {
    let got = tensor.dims();
    if allowed.contains(&got) {
        return Ok(());
    }
    Err(Error::ShapeMismatch { op: OP, argument, expected: allowed[0].to_vec(), got: got.to_vec() })
}

#[cfg(test)]
mod tests;
