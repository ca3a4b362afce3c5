//! Forward and backward of a perturbed layer, the same for linear maps and convolutions but for what they gather.
//!
//! Private: the public functions name the geometry and document it.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_types};
use super::product::{Depth, Product, SegmentSum, check_size, floats};
use super::row_sums::{Present, RowSums};
use crate::Error;
use crate::Perturbation;
use crate::kernels::linear::{Outputs, OutputsLaunch, Plain, PlainLaunch};
use crate::kernels::linear_backward::{
    InputFactorLaunch, InputGradient, InputGradientLaunch, OutputFactorGradient, OutputFactorGradientLaunch,
    Parts, PartsLaunch, ProductGradient, ProductGradientLaunch,
};
use crate::kernels::matrix::{Matrix, Swapped, SwappedLaunch};
use crate::linear::{Activation, Factor, LayerGrads, PerturbedLayer, Sizes};

/// Most buffers of a forward kernel: x, weight, both factors, bias, outputs, and the scalars.
pub(super) const FORWARD_BUFFERS: u32 = 7;
/// Most buffers of a backward kernel, that of the input's gradient: y and its gradient, both factors, weight, x, two
/// results, and the scalars.
pub(super) const BACKWARD_BUFFERS: u32 = 9;

pub(super) type Layer<'a> = PerturbedLayer<'a, Handle>;

/// What a layer gathers for its three products.
///
/// # Safety
/// For buffers of the lengths in [`Sizes`], the matrices must read inside them at all of: `patches`, output rows by
/// `taps * c_in`; `gradients`, input rows by `taps * c_out`; `weight_by_input`, `c_in` by `taps * c_out`.
pub(super) unsafe trait Geometry {
    /// Perturbed inputs under each output.
    type Patches: Matrix;
    /// Gradients of the product that reach each input.
    type Gradients: Matrix;
    /// The weight with a row for each input channel.
    type WeightByInput: Matrix;

    fn sizes(&self) -> Sizes;
    fn patches(
        &self,
        x: &Handle,
        factor: Option<Factor<'_, Handle>>,
        perturbation: Perturbation,
    ) -> <Self::Patches as LaunchArg>::RuntimeArg;
    /// From the gradient of the product and the factor in it.
    fn gradients(
        &self,
        gradient: ProductGradientLaunch,
        factor: Option<Factor<'_, Handle>>,
    ) -> <Self::Gradients as LaunchArg>::RuntimeArg;
    fn weight_by_input(&self, weight: &Handle) -> <Self::WeightByInput as LaunchArg>::RuntimeArg;
}

/// Outputs of a layer, in `out` if it is given.
pub(super) fn forward<G: Geometry>(
    op: &'static str,
    client: &Client,
    geometry: &G,
    layer: &Layer<'_>,
    x: &Handle,
    out: Option<Handle>,
) -> Result<Handle, Error> {
    let sizes = geometry.sizes();
    check(op, client, &sizes, layer, x, FORWARD_BUFFERS)?;
    let Sizes { c_in, c_out, taps, .. } = sizes;
    let elements = check_size(op, client, &[("output rows", sizes.out_rows()), ("output channels", c_out)])?;
    let product = Product::plan(op, client, [sizes.out_rows(), c_out, taps * c_in], Depth::Whole)?;
    let out = out.unwrap_or_else(|| client.empty(4 * elements));
    check_buffer(op, client, "out", &out, &[sizes.out_rows(), c_out])?;
    // SAFETY: `check` compared every buffer with `sizes`, so patches and weight may be read at all of the product; the
    // output factor and the bias have a row for each group of rows, and `out` has a float for each row and channel.
    unsafe {
        product.launch::<G::Patches, Swapped<Plain>, Outputs>(
            client,
            geometry.patches(x, layer.input_factor, layer.perturbation),
            SwappedLaunch::new(PlainLaunch::new(floats(layer.weight), c_out as u32)),
            OutputsLaunch::new(
                floats(&out),
                layer.output_factor.map(|factor| floats(factor.values)).into(),
                layer.bias.map(floats).into(),
                c_out as u32,
                rows_per_factor(layer.output_factor, &sizes, sizes.out_positions),
                (sizes.batch_size * sizes.out_positions) as u32,
                layer.perturbation,
                layer.activation,
            ),
        );
    }
    Ok(out)
}

pub(super) fn backward<G: Geometry>(
    op: &'static str,
    client: &Client,
    geometry: &G,
    layer: &Layer<'_>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle>, Error> {
    let (pass, plans) = prepare(op, client, geometry, layer, x, y, grad_y)?;
    let grad_x = client.empty(4 * pass.sizes.in_rows() * pass.sizes.c_in);
    let input_factor = pass.input(&plans, &grad_x);
    Ok(LayerGrads {
        x: grad_x,
        weight: pass.weight(&plans),
        input_factor,
        output_factor: pass.output_factor(&plans),
        // SAFETY: `grad_y` and `y` were checked to hold a float for each output row and channel.
        bias: plans
            .sums
            .bias
            .map(|sum| unsafe { sum.launch::<f32>(client, grad_y, pass.y_if_read(), layer.activation) }),
    })
}

/// A backward pass whose gradients can be asked for one by one, after all checks.
pub(super) fn prepare<'a, G: Geometry>(
    op: &'static str,
    client: &'a Client,
    geometry: &'a G,
    layer: &'a Layer<'a>,
    x: &'a Handle,
    y: &'a Handle,
    grad_y: &'a Handle,
) -> Result<(Backward<'a, G>, Plans), Error> {
    let sizes = geometry.sizes();
    check(op, client, &sizes, layer, x, BACKWARD_BUFFERS)?;
    check_buffer(op, client, "y", y, &[sizes.out_rows(), sizes.c_out])?;
    check_buffer(op, client, "grad_y", grad_y, &[sizes.out_rows(), sizes.c_out])?;
    let pass = Backward { client, geometry, sizes, layer, x, y, grad_y };
    let plans = Plans::new(op, client, &sizes, Present::of(layer))?;
    Ok((pass, plans))
}

/// Whether a device takes both passes of a layer, before there are buffers.
pub(super) fn fits(op: &'static str, client: &Client, sizes: &Sizes, present: Present) -> Result<(), Error> {
    check_device(op, client, BACKWARD_BUFFERS)?;
    // The forward product is the one that a backward pass repeats.
    Plans::new(op, client, sizes, present).map(|_| ())
}

/// Every launch of a backward pass, checked before the first.
pub(super) struct Plans {
    input: Product,
    weight: Product,
    weight_parts: SegmentSum,
    product_again: Product,
    sums: RowSums,
}

impl Plans {
    fn new(op: &'static str, client: &Client, sizes: &Sizes, present: Present) -> Result<Self, Error> {
        let &Sizes { c_in, c_out, taps, .. } = sizes;
        check_size(op, client, &[("input rows", sizes.in_rows()), ("input channels", c_in)])?;
        check_size(op, client, &[("output rows", sizes.out_rows()), ("output channels", c_out)])?;
        let product = |extent, depth| Product::plan(op, client, extent, depth);
        let weight = product([taps * c_in, c_out, sizes.out_rows()], Depth::InParts)?;
        Ok(Self {
            input: product([sizes.in_rows(), c_in, taps * c_out], Depth::Whole)?,
            weight,
            weight_parts: SegmentSum::plan(op, client, [1, weight.cut.parts as usize, taps * c_in * c_out])?,
            product_again: product([sizes.out_rows(), c_out, taps * c_in], Depth::Whole)?,
            sums: RowSums::plan(op, client, sizes, present)?,
        })
    }
}

/// A backward pass whose buffers were checked against `sizes`.
pub(super) struct Backward<'a, G> {
    client: &'a Client,
    geometry: &'a G,
    sizes: Sizes,
    layer: &'a Layer<'a>,
    x: &'a Handle,
    y: &'a Handle,
    grad_y: &'a Handle,
}

impl<G: Geometry> Backward<'_, G> {
    /// Gradients of the inputs, into `grad`, and of their factor, from one product.
    pub(super) fn input(&self, plans: &Plans, grad: &Handle) -> Option<Handle> {
        let (client, sizes, layer) = (self.client, &self.sizes, self.layer);
        let elements = sizes.in_rows() * sizes.c_in;
        assert_floats(grad, elements);
        // Of each row; added up where rows share a factor.
        let factor_grad = layer.input_factor.map(|_| match layer.perturbation {
            Perturbation::Multiplicative => client.empty(4 * elements),
            Perturbation::Additive => grad.clone(),
        });
        let factor = match (layer.perturbation, layer.input_factor, &factor_grad) {
            (Perturbation::Multiplicative, Some(factor), Some(factor_grad)) => {
                Some(InputFactorLaunch::new(floats(factor.values), floats(self.x), floats(factor_grad)))
            }
            _ => None,
        };
        // SAFETY: `Geometry` vouches for the operands; `grad`, `x` and the factor's gradient hold a float for each input
        // row and channel, the factor a row for each group of rows.
        unsafe {
            plans.input.launch::<G::Gradients, G::WeightByInput, InputGradient>(
                client,
                self.geometry.gradients(self.product_gradient(), self.factor_of_gradient()),
                self.geometry.weight_by_input(layer.weight),
                InputGradientLaunch::new(
                    floats(grad),
                    factor.into(),
                    sizes.c_in as u32,
                    rows_per_factor(layer.input_factor, sizes, sizes.in_positions),
                ),
            );
        }
        let (sum, rows) = (plans.sums.input_factor?, factor_grad?);
        // SAFETY: they hold a float for each input row and channel.
        Some(unsafe {
            match layer.perturbation {
                Perturbation::Multiplicative => sum.launch_on(client, rows),
                // The gradient of the inputs, which stays a buffer of its own.
                Perturbation::Additive => sum.launch::<f32>(client, &rows, None, Activation::Identity),
            }
        })
    }

    /// Gradient of the weight: a product whose depth is all rows, cut into parts that are added in order.
    pub(super) fn weight(&self, plans: &Plans) -> Handle {
        let (client, sizes) = (self.client, &self.sizes);
        let n_parts = plans.weight.cut.parts as usize;
        let parts = client.empty(4 * n_parts * sizes.taps * sizes.c_in * sizes.c_out);
        // SAFETY: `parts` was made with as many floats as the plan has.
        unsafe {
            self.weight_parts(plans, &parts, false);
            plans.weight_parts.launch_on(client, parts)
        }
    }

    /// Adds the gradient of the weight to `total` while sums are stored; returns it where its depth is cut into parts.
    pub(super) fn weight_added(&self, plans: &Plans, total: &Handle) -> Option<Handle> {
        if plans.weight.cut.parts > 1 {
            return Some(self.weight(plans));
        }
        assert_floats(total, self.sizes.taps * self.sizes.c_in * self.sizes.c_out);
        // SAFETY: there is one part, for which `total` has as many floats as the weight.
        unsafe { self.weight_parts(plans, total, true) };
        None
    }

    /// The parts of the weight's gradient, stored or added.
    ///
    /// # Safety
    /// `parts` must hold a float for each part and entry of the weight.
    unsafe fn weight_parts(&self, plans: &Plans, parts: &Handle, add: bool) {
        let (client, sizes, layer) = (self.client, &self.sizes, self.layer);
        let n_rows = sizes.taps * sizes.c_in;
        // SAFETY: `Geometry` vouches for the patches; `grad_y` and `y` hold a float for each output row and channel,
        // `parts` one for each part and entry of the weight.
        unsafe {
            plans.weight.launch::<Swapped<G::Patches>, Swapped<ProductGradient>, Parts>(
                client,
                SwappedLaunch::new(self.geometry.patches(self.x, layer.input_factor, layer.perturbation)),
                SwappedLaunch::new(self.product_gradient()),
                PartsLaunch::new(floats(parts), n_rows as u32, sizes.c_out as u32, add),
            );
        }
    }

    /// Gradient of the output factor.
    ///
    /// A multiplicative one needs the product before the factor. It is computed again: dividing `z - bias` by the factor
    /// fails where the factor is 0, and `z` itself is lost behind a ReLU and blunted by a tanh near one.
    pub(super) fn output_factor(&self, plans: &Plans) -> Option<Handle> {
        let (client, sizes, layer) = (self.client, &self.sizes, self.layer);
        let sum = plans.sums.output_factor?;
        if layer.perturbation == Perturbation::Additive {
            // SAFETY: `grad_y` and `y` hold a float for each output row and channel.
            return Some(unsafe {
                sum.launch::<f32>(client, self.grad_y, self.y_if_read(), layer.activation)
            });
        }
        let rows = client.empty(4 * sizes.out_rows() * sizes.c_out);
        // SAFETY: as in `forward`; `rows`, `grad_y` and `y` hold a float for each output row and channel.
        unsafe {
            plans.product_again.launch::<G::Patches, Swapped<Plain>, OutputFactorGradient>(
                client,
                self.geometry.patches(self.x, layer.input_factor, layer.perturbation),
                SwappedLaunch::new(PlainLaunch::new(floats(layer.weight), sizes.c_out as u32)),
                OutputFactorGradientLaunch::new(
                    floats(&rows),
                    floats(self.grad_y),
                    self.y_if_read().map(floats).into(),
                    sizes.c_out as u32,
                    layer.activation,
                ),
            );
            Some(sum.launch_on(client, rows))
        }
    }

    fn product_gradient(&self) -> ProductGradientLaunch {
        let layer = self.layer;
        let factor = self.factor_of_gradient();
        ProductGradientLaunch::new(
            floats(self.grad_y),
            self.y_if_read().map(floats).into(),
            factor.map(|factor| floats(factor.values)).into(),
            self.sizes.c_out as u32,
            rows_per_factor(factor, &self.sizes, self.sizes.out_positions),
            layer.activation,
        )
    }

    /// A factor that adds does not reach the gradient of the product.
    fn factor_of_gradient(&self) -> Option<Factor<'_, Handle>> {
        self.layer.output_factor.filter(|_| self.layer.perturbation == Perturbation::Multiplicative)
    }

    fn y_if_read(&self) -> Option<&Handle> {
        (self.layer.activation != Activation::Identity).then_some(self.y)
    }
}

/// A buffer that this crate made or cut for a result.
fn assert_floats(buffer: &Handle, elements: usize) {
    assert_eq!(buffer.size_in_used(), 4 * elements as u64, "a result has another size than its place");
}

/// Consecutive examples that share a row of the factor.
pub(super) fn images_per_factor(factor: Option<Factor<'_, Handle>>, batch_size: usize) -> u32 {
    factor.map_or(1, |factor| factor.rows.examples_per_row(batch_size) as u32)
}

/// Consecutive rows that share a row of the factor.
pub(super) fn rows_per_factor(factor: Option<Factor<'_, Handle>>, sizes: &Sizes, positions: usize) -> u32 {
    factor.map_or(1, |factor| (factor.rows.examples_per_row(sizes.batch_size) * positions) as u32)
}

pub(super) fn check_device(op: &'static str, client: &Client, buffers: u32) -> Result<(), Error> {
    check_types(op, client)?;
    let maximum = client.properties().hardware.max_bindings;
    if maximum < buffers {
        let (limit, requested, maximum) = ("the buffers of a kernel", u64::from(buffers), u64::from(maximum));
        return Err(Error::OverLimit { op, limit, requested, maximum });
    }
    Ok(())
}

fn check(
    op: &'static str,
    client: &Client,
    sizes: &Sizes,
    layer: &Layer<'_>,
    x: &Handle,
    buffers: u32,
) -> Result<(), Error> {
    check_device(op, client, buffers)?;
    check_buffer(op, client, "x", x, &[sizes.in_rows(), sizes.c_in])?;
    sizes
        .buffers(layer)
        .into_iter()
        .try_for_each(|(argument, buffer, shape)| check_buffer(op, client, argument, buffer, &shape))
}
