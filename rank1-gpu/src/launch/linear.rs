//! The perturbed linear map of all members, forward and backward.
//!
//! Not for drawing factors, which are buffers here.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::engine;
use super::layer::{self, Geometry, Layer, rows_per_factor};
use super::layer_library::Map;
use super::product::floats;
use super::row_sums::Present;
use crate::Error;
use crate::Perturbation;
use crate::arithmetic::Arithmetic;
use crate::kernels::linear::{Factored, FactoredLaunch, Plain, PlainLaunch};
use crate::kernels::linear_backward::{ProductGradient, ProductGradientLaunch};
use crate::linear::{Factor, FactorRows, LayerGrads, LinearShape, Sizes};

/// Outputs of all members: `activation(((x ∘ s) W) ∘ r + bias)` in one kernel.
///
/// The input factor is applied while a tile of `x` is loaded; output factor, bias and activation while sums are stored.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, D_in]`, member-major | f32 |
/// | `layer` | see [`crate::PerturbedLayer`] | f32 |
/// | returns | `[K * B, D_out]` | f32 |
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`], [`Error::ShapeMismatch`] by the argument's name, [`Error::ForeignBuffer`],
/// [`Error::Unsupported`]; all before the launch. Values are not looked at: NaN passes through, also through a ReLU.
///
/// # Numerics
/// Sums are f32. Maps that fill a device (see [`crate::launch::engine`]) go to cubek-matmul, whose order of summation is its own;
/// all others sum over `D_in` from first to last, so that their results do not depend on the batch. Within 1e-5 (1 + |value|) of
/// [`rank1_core::perturb::PerturbedLinear::forward`] for entries of size 1 and `D_in` in the hundreds. The tanh is a polynomial and a
/// quotient of WGSL's `exp`, within 1e-6.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, section 3.1 (our weight is the transpose of theirs); bias placed as in the
/// reference code.
pub fn perturbed_linear(
    client: &Client,
    shape: LinearShape,
    layer: &Layer<'_>,
    x: &Handle,
) -> Result<Handle, Error> {
    perturbed_linear_in(client, Arithmetic::default(), shape, layer, x)
}

/// [`perturbed_linear`] in a chosen precision, and on a chosen engine if `arithmetic` has one.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, D_in]`, member-major | the precision's |
/// | `layer` | see [`crate::PerturbedLayer`] | weight: the precision's; factors, bias: f32 |
/// | returns | `[K * B, D_out]` | the precision's |
///
/// # Errors
/// As [`perturbed_linear`]. [`Error::Unsupported`] names the type or the tensor cores that the device lacks,
/// [`Error::Library`] holds what else the library refuses, [`Error::Undefined`] a precision that an engine does not have.
///
/// # Numerics
/// Sums, factors, bias and activation are f32; the output is rounded to the precision once. On tensor cores the perturbed
/// inputs are rounded to the precision (to tf32) before they are multiplied, elsewhere they stay f32.
///
/// # Source
/// As [`perturbed_linear`].
pub fn perturbed_linear_in(
    client: &Client,
    arithmetic: impl Into<Arithmetic>,
    shape: LinearShape,
    layer: &Layer<'_>,
    x: &Handle,
) -> Result<Handle, Error> {
    let op = "perturbed_linear";
    shape.check(op)?;
    forward(op, client, arithmetic.into(), shape, layer, x, None)
}

/// Outputs by the engine of the shape, in `out` if it is given; `shape` was checked.
pub(super) fn forward(
    op: &'static str,
    client: &Client,
    arithmetic: Arithmetic,
    shape: LinearShape,
    layer: &Layer<'_>,
    x: &Handle,
    out: Option<Handle>,
) -> Result<Handle, Error> {
    let tiles = Linear(shape.sizes());
    engine::forward(op, client, arithmetic, Map::Linear(shape), &tiles, layer, (x, out))
}

/// Gradients of a scalar with respect to `x` and everything in `layer`, from its gradient with respect to the outputs.
///
/// The product is computed again for the gradient of a multiplicative output factor, which would otherwise be lost where
/// the factor is 0.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, D_in]`, member-major | f32 |
/// | `y`: outputs of [`perturbed_linear`], read only if there is an activation | `[K * B, D_out]` | f32 |
/// | `grad_y` | `[K * B, D_out]` | f32 |
/// | returns | [`LayerGrads`] in the shapes of the originals | f32 |
///
/// # Errors
/// As [`perturbed_linear`], also for `y` and `grad_y`.
///
/// # Numerics
/// Sums over rows are cut by shape alone and added in a fixed order without atomics: two runs on one device agree to
/// the bit. Within 1e-5 (1 + |value|) of [`rank1_core::perturb::PerturbedLinear::backward`] as forward.
///
/// # Source
/// Chain rule on [`perturbed_linear`].
pub fn perturbed_linear_backward(
    client: &Client,
    shape: LinearShape,
    layer: &Layer<'_>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle>, Error> {
    perturbed_linear_backward_in(client, Arithmetic::default(), shape, layer, x, y, grad_y)
}

/// [`perturbed_linear_backward`] in a chosen precision, and on a chosen engine if `arithmetic` has one.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x`, `y`, `grad_y` | as in [`perturbed_linear_backward`] | the precision's |
/// | returns | [`LayerGrads`] in the shapes of the originals | `x`: the precision's; all others: f32 |
///
/// # Errors
/// As [`perturbed_linear_in`], also for `y` and `grad_y`.
///
/// # Numerics
/// As [`perturbed_linear_in`]: on tensor cores the gradients of outputs, times the output factor, are rounded to the
/// precision before they are multiplied.
///
/// # Source
/// Chain rule on [`perturbed_linear`].
pub fn perturbed_linear_backward_in(
    client: &Client,
    arithmetic: impl Into<Arithmetic>,
    shape: LinearShape,
    layer: &Layer<'_>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle>, Error> {
    let op = "perturbed_linear_backward";
    shape.check(op)?;
    let tiles = Linear(shape.sizes());
    engine::backward(op, client, arithmetic.into(), Map::Linear(shape), &tiles, layer, (x, y, grad_y))
}

/// Whether the device takes [`perturbed_linear`] and its backward pass at this shape, asked before there are buffers.
///
/// # Shapes
/// `input_factor` and `output_factor`: how their rows lie, absent where the layer has none; `bias`: whether it has one.
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`], as the launches would answer.
pub fn linear_fits(
    client: &Client,
    shape: LinearShape,
    input_factor: Option<FactorRows>,
    output_factor: Option<FactorRows>,
    bias: bool,
) -> Result<(), Error> {
    let op = "linear_fits";
    shape.check(op)?;
    layer::fits(op, client, &shape.sizes(), Present { input_factor, output_factor, bias })
}

/// Every output sees the row of its own example.
pub(super) struct Linear(pub(super) Sizes);

// SAFETY: one position and one tap, so that patches are the rows of `x`, gradients the rows of the outputs, and the
// weight has a row for each input channel; factors have a row for each `rows_per_factor` of them.
unsafe impl Geometry for Linear {
    type Patches = Factored;
    type Gradients = ProductGradient;
    type WeightByInput = Plain;

    fn sizes(&self) -> Sizes {
        self.0
    }

    fn patches(
        &self,
        x: &Handle,
        factor: Option<Factor<'_, Handle>>,
        perturbation: Perturbation,
    ) -> FactoredLaunch {
        FactoredLaunch::new(
            floats(x),
            factor.map(|factor| floats(factor.values)).into(),
            self.0.c_in as u32,
            rows_per_factor(factor, &self.0, 1),
            perturbation,
        )
    }

    fn gradients(
        &self,
        gradient: ProductGradientLaunch,
        _factor: Option<Factor<'_, Handle>>,
    ) -> ProductGradientLaunch {
        gradient
    }

    fn weight_by_input(&self, weight: &Handle) -> PlainLaunch {
        PlainLaunch::new(floats(weight), self.0.c_out as u32)
    }
}
