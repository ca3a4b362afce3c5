//! The perturbed two-dimensional convolution of all members, forward and backward, as products of gathered matrices.
//!
//! No patches are stored. Not for NCHW images, groups or drawing factors.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::engine;
use super::layer::{self, Geometry, Layer, images_per_factor};
use super::layer_library::Map;
use super::product::floats;
use super::row_sums::Present;
use crate::Error;
use crate::Perturbation;
use crate::arithmetic::Arithmetic;
use crate::convolution::ConvShape;
use crate::kernels::convolution::{
    Patches, PatchesLaunch, SeenBy, SeenByLaunch, WeightByInput, WeightByInputLaunch,
};
use crate::kernels::linear_backward::ProductGradientLaunch;
use crate::kernels::window::WindowLaunch;
use crate::linear::{Factor, FactorRows, LayerGrads, Sizes};

/// Outputs of all members: `activation(conv(x ∘ s, W) ∘ r + bias)` in one kernel, factors over channels.
///
/// The input factor is applied while pixels are gathered, before the zero padding; output factor, bias and activation
/// while sums are stored.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, H, W, C_in]`, member-major | f32 |
/// | `layer` | see [`crate::PerturbedLayer`] | f32 |
/// | returns | `[K * B, OH, OW, C_out]`, see [`ConvShape::out_size`] | f32 |
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`], [`Error::ShapeMismatch`] by the argument's name, [`Error::ForeignBuffer`],
/// [`Error::Unsupported`]; all before the launch. Values are not looked at: NaN passes through, also through a ReLU.
///
/// # Numerics
/// As [`crate::launch::perturbed_linear`], with sums over kernel rows, kernel columns and channels in this order on our own
/// tiles (see [`crate::launch::convolution_engine`]). A padding zero is multiplied by its weight, so that a weight that is NaN
/// or infinite shows at the border too.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, section 3.1, extended to channels as in the reference code.
pub fn perturbed_convolution(
    client: &Client,
    shape: ConvShape,
    layer: &Layer<'_>,
    x: &Handle,
) -> Result<Handle, Error> {
    perturbed_convolution_in(client, Arithmetic::default(), shape, layer, x)
}

/// [`perturbed_convolution`] in a chosen precision, and on a chosen engine if `arithmetic` has one.
///
/// On the library too pixels are gathered while they are read (implicit GEMM), on tensor cores where the device has them.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, H, W, C_in]`, member-major | the precision's |
/// | `layer` | see [`crate::PerturbedLayer`] | weight: the precision's; factors, bias: f32 |
/// | returns | `[K * B, OH, OW, C_out]` | the precision's |
///
/// # Errors
/// As [`perturbed_convolution`] and [`crate::launch::perturbed_linear_in`].
///
/// # Numerics
/// As [`crate::launch::perturbed_linear_in`].
///
/// # Source
/// As [`perturbed_convolution`].
pub fn perturbed_convolution_in(
    client: &Client,
    arithmetic: impl Into<Arithmetic>,
    shape: ConvShape,
    layer: &Layer<'_>,
    x: &Handle,
) -> Result<Handle, Error> {
    let op = "perturbed_convolution";
    shape.check(op)?;
    engine::forward(op, client, arithmetic.into(), Map::Convolution(shape), &shape, layer, (x, None))
}

/// Gradients of a scalar with respect to `x` and everything in `layer`, from its gradient with respect to the outputs.
///
/// The product is computed again for the gradient of a multiplicative output factor, as in
/// [`crate::launch::perturbed_linear_backward`].
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, H, W, C_in]`, member-major | f32 |
/// | `y`: outputs of [`perturbed_convolution`], read only if there is an activation | `[K * B, OH, OW, C_out]` | f32 |
/// | `grad_y` | `[K * B, OH, OW, C_out]` | f32 |
/// | returns | [`LayerGrads`] in the shapes of the originals | f32 |
///
/// # Errors
/// As [`perturbed_convolution`], also for `y` and `grad_y`.
///
/// # Numerics
/// As [`crate::launch::perturbed_linear_backward`]; each input gathers the outputs that saw it, in order.
///
/// # Source
/// Chain rule on [`perturbed_convolution`].
pub fn perturbed_convolution_backward(
    client: &Client,
    shape: ConvShape,
    layer: &Layer<'_>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle>, Error> {
    perturbed_convolution_backward_in(client, Arithmetic::default(), shape, layer, x, y, grad_y)
}

/// [`perturbed_convolution_backward`] in a chosen precision, and on a chosen engine if `arithmetic` has one.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x`, `y`, `grad_y` | as in [`perturbed_convolution_backward`] | the precision's |
/// | returns | [`LayerGrads`] in the shapes of the originals | `x`: the precision's; all others: f32 |
///
/// # Errors
/// As [`perturbed_convolution_in`], also for `y` and `grad_y`.
///
/// # Numerics
/// As [`crate::launch::perturbed_linear_backward_in`]; the weight's gradient is summed over parts of the positions, whose number
/// depends on shapes alone.
///
/// # Source
/// Chain rule on [`perturbed_convolution`].
pub fn perturbed_convolution_backward_in(
    client: &Client,
    arithmetic: impl Into<Arithmetic>,
    shape: ConvShape,
    layer: &Layer<'_>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle>, Error> {
    let op = "perturbed_convolution_backward";
    shape.check(op)?;
    let buffers = (x, y, grad_y);
    engine::backward(op, client, arithmetic.into(), Map::Convolution(shape), &shape, layer, buffers)
}

/// Whether the device takes [`perturbed_convolution`] and its backward pass at this shape, asked before there are buffers.
///
/// # Shapes
/// As [`crate::launch::linear_fits`].
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`], as the launches would answer.
pub fn convolution_fits(
    client: &Client,
    shape: ConvShape,
    input_factor: Option<FactorRows>,
    output_factor: Option<FactorRows>,
    bias: bool,
) -> Result<(), Error> {
    let op = "convolution_fits";
    shape.check(op)?;
    layer::fits(op, client, &shape.sizes(), Present { input_factor, output_factor, bias })
}

// SAFETY: `check` came first. A patch's pixel is read only if its coordinates lie in the image, a gradient only if its
// lie in the output image; images, taps and channels come from rows and columns inside the product. Coordinates on the
// padded image stay below 2^31, so that those above and to the left wrap to more than any size.
unsafe impl Geometry for ConvShape {
    type Patches = Patches;
    type Gradients = SeenBy;
    type WeightByInput = WeightByInput;

    fn sizes(&self) -> Sizes {
        ConvShape::sizes(self)
    }

    fn patches(
        &self,
        x: &Handle,
        factor: Option<Factor<'_, Handle>>,
        perturbation: Perturbation,
    ) -> PatchesLaunch {
        PatchesLaunch::new(
            floats(x),
            factor.map(|factor| floats(factor.values)).into(),
            window(self),
            self.c_in as u32,
            self.c_in as u32,
            images_per_factor(factor, self.batch_size),
            perturbation,
        )
    }

    fn gradients(&self, gradient: ProductGradientLaunch, factor: Option<Factor<'_, Handle>>) -> SeenByLaunch {
        let images = images_per_factor(factor, self.batch_size);
        SeenByLaunch::new(gradient, window(self), self.c_out as u32, images, self.stride == (1, 1))
    }

    fn weight_by_input(&self, weight: &Handle) -> WeightByInputLaunch {
        WeightByInputLaunch::new(floats(weight), self.c_in as u32, self.c_out as u32)
    }
}

/// Sizes of images and windows as a kernel's argument.
pub(super) fn window(shape: &ConvShape) -> WindowLaunch {
    let (height, width) = (shape.height as u32, shape.width as u32);
    let (out_height, out_width) = shape.out_size();
    let (out_height, out_width) = (out_height as u32, out_width as u32);
    WindowLaunch::new(
        height,
        width,
        out_height,
        out_width,
        width,
        height * width,
        out_width,
        out_height * out_width,
        shape.kernel.1 as u32,
        shape.stride.0 as u32,
        shape.stride.1 as u32,
        shape.dilation.0 as u32,
        shape.dilation.1 as u32,
        shape.pads.top as u32,
        shape.pads.left as u32,
    )
}
