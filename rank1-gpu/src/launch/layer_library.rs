//! Perturbed linear maps and convolutions on cubek-matmul, forward and backward, in every precision.
//!
//! Private: the public functions are in [`super::linear`] and [`super::convolution`]; [`super::engine`] chooses between this
//! and our own tiles. What the products read and write is in [`super::layer_operands`].

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_buffer_of};
use super::layer::{BACKWARD_BUFFERS, FORWARD_BUFFERS, Layer, check_device};
use super::layer_operands::{Gradient, Reads};
use super::library::{Extent, LibraryProduct, Stored, VECTOR_BYTES};
use super::product::{SegmentSum, check_size};
use super::row_sums::{Present, RowSums};
use crate::Error;
use crate::Perturbation;
use crate::arithmetic::{Engine, Precision};
use crate::convolution::ConvShape;
use crate::linear::{Activation, LayerGrads, LinearShape, Sizes};
use crate::strategy;

/// The map of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Map {
    Linear(LinearShape),
    Convolution(ConvShape),
}

impl Map {
    pub(super) fn sizes(&self) -> Sizes {
        match self {
            Self::Linear(shape) => shape.sizes(),
            Self::Convolution(shape) => shape.sizes(),
        }
    }
}

/// What a map is, where and how it is computed.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) op: &'static str,
    pub(super) client: &'a Client,
    pub(super) map: Map,
    pub(super) engine: Engine,
    pub(super) precision: Precision,
    /// Whether every buffer starts at a multiple of the widest vector.
    pub(super) aligned: bool,
}

/// Cubes of the product that has the fewest, if the library takes all three products of both passes.
pub(super) fn least_cubes(run: Run<'_>) -> Result<u64, Error> {
    let mut least = u64::MAX;
    for extent in [run.outputs(), run.inputs(), run.weights()?] {
        least = least.min(run.plan(extent)?.cubes(&extent) * extent.parts as u64);
    }
    Ok(least)
}

/// Outputs of a layer, in `out` if it is given.
pub(super) fn forward(
    run: Run<'_>,
    layer: &Layer<'_>,
    x: &Handle,
    out: Option<Handle>,
) -> Result<Handle, Error> {
    let buffers: Vec<&Handle> = [Some(x), out.as_ref()].into_iter().flatten().collect();
    let run = run.beside(layer, &buffers);
    match run.precision {
        Precision::F32 | Precision::Tf32 => forward_as::<f32>(run, layer, x, out),
        Precision::F16 => forward_as::<half::f16>(run, layer, x, out),
        Precision::Bf16 => forward_as::<half::bf16>(run, layer, x, out),
    }
}

pub(super) fn backward(
    run: Run<'_>,
    layer: &Layer<'_>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle>, Error> {
    let run = run.beside(layer, &[x, y, grad_y]);
    match run.precision {
        Precision::F32 | Precision::Tf32 => backward_as::<f32>(run, layer, x, y, grad_y),
        Precision::F16 => backward_as::<half::f16>(run, layer, x, y, grad_y),
        Precision::Bf16 => backward_as::<half::bf16>(run, layer, x, y, grad_y),
    }
}

fn forward_as<S: Float>(
    run: Run<'_>,
    layer: &Layer<'_>,
    x: &Handle,
    out: Option<Handle>,
) -> Result<Handle, Error> {
    run.check(layer, x, FORWARD_BUFFERS)?;
    let pass = Pass { run, sizes: run.map.sizes(), layer };
    let [rows, width] = [pass.sizes.out_rows(), pass.sizes.c_out];
    let elements = check_size(run.op, run.client, &[("output rows", rows), ("output channels", width)])?;
    let plan = run.plan(run.outputs())?;
    let out = out.unwrap_or_else(|| run.client.empty(run.precision.bytes() * elements));
    check_buffer_of(run.op, run.client, "out", &out, &[rows, width], run.precision.bytes())?;
    // SAFETY: `check` compared every buffer with the sizes and the precision, whose type is `S`; `out` has an entry for
    // each row and channel.
    unsafe {
        plan.launch::<S, S>(run.client, pass.inputs(x, Reads::Rows), pass.weight(), pass.outputs(&out))?
    };
    Ok(out)
}

fn backward_as<S: Float>(
    run: Run<'_>,
    layer: &Layer<'_>,
    x: &Handle,
    y: &Handle,
    grad_y: &Handle,
) -> Result<LayerGrads<Handle>, Error> {
    let (pass, plans, gradient) = prepare(run, layer, x, y, grad_y)?;
    let grad_x = run.client.empty(run.precision.bytes() * pass.sizes.in_rows() * pass.sizes.c_in);
    let input_factor = pass.input::<S>(plans.input, plans.sums.input_factor, x, gradient, &grad_x)?;
    let weight = pass.weight_gradient::<S>(plans.weight, x, gradient)?;
    let output_factor = match plans.sums.output_factor {
        Some(sum) => Some(pass.output_factor::<S>(plans.product_again, sum, x, gradient)?),
        None => None,
    };
    // SAFETY: `grad_y` and `y` were checked to hold an entry of type `S` for each output row and channel.
    let sum = |sum: SegmentSum| unsafe { sum.launch::<S>(run.client, grad_y, gradient.y, layer.activation) };
    Ok(LayerGrads { x: grad_x, weight, input_factor, output_factor, bias: plans.sums.bias.map(sum) })
}

/// A backward pass whose gradients can be asked for one by one, after all checks; `run` knows its buffers.
pub(super) fn prepare<'a>(
    run: Run<'a>,
    layer: &'a Layer<'a>,
    x: &Handle,
    y: &'a Handle,
    grad_y: &'a Handle,
) -> Result<(Pass<'a>, Plans, Gradient<'a>), Error> {
    run.check(layer, x, BACKWARD_BUFFERS)?;
    let sizes = run.map.sizes();
    let outputs = [sizes.out_rows(), sizes.c_out];
    check_buffer_of(run.op, run.client, "y", y, &outputs, run.precision.bytes())?;
    check_buffer_of(run.op, run.client, "grad_y", grad_y, &outputs, run.precision.bytes())?;
    let gradient = Gradient { grad_y, y: (layer.activation != Activation::Identity).then_some(y) };
    Ok((Pass { run, sizes, layer }, Plans::new(run, layer)?, gradient))
}

impl Run<'_> {
    /// The same for buffers that may start anywhere.
    pub(super) fn beside(self, layer: &Layer<'_>, others: &[&Handle]) -> Self {
        let aligned = |buffer: &Handle| buffer.offset_start.unwrap_or(0).is_multiple_of(VECTOR_BYTES);
        let all = self.map.sizes().buffers(layer).into_iter().all(|(_, buffer, _)| aligned(buffer));
        Self { aligned: all && others.iter().all(|buffer| aligned(buffer)), ..self }
    }

    fn plan(&self, extent: Extent) -> Result<LibraryProduct, Error> {
        LibraryProduct::plan(self.op, self.client, self.engine, self.precision, extent, self.aligned)
    }

    /// `x W`, the inputs gathered for each output.
    fn outputs(&self) -> Extent {
        let Sizes { c_in, c_out, taps, .. } = self.map.sizes();
        let axes = [self.map.sizes().out_rows(), taps * c_in, c_out];
        Extent::whole(axes, Stored::as_is(c_in), Stored::as_is(c_out))
    }

    /// `G Wᵀ`, the gradients gathered for each input.
    fn inputs(&self) -> Extent {
        let Sizes { c_in, c_out, taps, .. } = self.map.sizes();
        let axes = [self.map.sizes().in_rows(), taps * c_out, c_in];
        Extent::whole(axes, Stored::as_is(c_out), Stored::transposed(c_out))
    }

    /// `xᵀ G`, whose depth is all output rows, in parts.
    fn weights(&self) -> Result<Extent, Error> {
        let Sizes { c_in, c_out, taps, .. } = self.map.sizes();
        let axes = [taps * c_in, self.map.sizes().out_rows(), c_out];
        let whole = Extent::whole(axes, Stored::transposed(c_in), Stored::as_is(c_out));
        // Where buffers start must not change the order of a sum.
        let cubes = Self { aligned: true, ..*self }.plan(whole)?.cubes(&whole);
        let multiprocessors = self.client.properties().hardware.num_streaming_multiprocessors;
        let (parts, depth) = strategy::library_parts(cubes, whole.depth, multiprocessors);
        Ok(Extent { depth, parts, ..whole })
    }

    fn check(&self, layer: &Layer<'_>, x: &Handle, buffers: u32) -> Result<(), Error> {
        let Self { op, client, .. } = *self;
        let (sizes, large) = (self.map.sizes(), self.precision.bytes());
        check_device(op, client, buffers)?;
        check_buffer_of(op, client, "x", x, &[sizes.in_rows(), sizes.c_in], large)?;
        sizes.buffers(layer).into_iter().try_for_each(|(argument, buffer, shape)| match argument {
            "weight" => check_buffer_of(op, client, argument, buffer, &shape, large),
            _ => check_buffer(op, client, argument, buffer, &shape),
        })
    }
}

/// The product of a weight's gradient and the sum of its parts.
pub(super) struct WeightPlan {
    product: LibraryProduct,
    extent: Extent,
    sum: SegmentSum,
}

/// Every launch of a backward pass, checked before the first.
pub(super) struct Plans {
    pub(super) input: LibraryProduct,
    pub(super) weight: WeightPlan,
    /// For the gradient of an output factor that multiplies.
    pub(super) product_again: Option<LibraryProduct>,
    pub(super) sums: RowSums,
}

impl Plans {
    fn new(run: Run<'_>, layer: &Layer<'_>) -> Result<Self, Error> {
        let Run { op, client, .. } = run;
        let sizes = run.map.sizes();
        check_size(op, client, &[("input rows", sizes.in_rows()), ("input channels", sizes.c_in)])?;
        check_size(op, client, &[("output rows", sizes.out_rows()), ("output channels", sizes.c_out)])?;
        let weights = run.weights()?;
        let entries = sizes.taps * sizes.c_in * sizes.c_out;
        check_size(op, client, &[("parts", weights.parts), ("weight", entries)])?;
        let again = layer.output_factor.is_some() && layer.perturbation == Perturbation::Multiplicative;
        Ok(Self {
            input: run.plan(run.inputs())?,
            weight: WeightPlan {
                product: run.plan(weights)?,
                extent: weights,
                sum: SegmentSum::plan(op, client, [1, weights.parts, entries])?,
            },
            product_again: again.then(|| run.plan(run.outputs())).transpose()?,
            sums: RowSums::plan(op, client, &sizes, Present::of(layer))?,
        })
    }
}

/// A pass whose buffers were checked against the sizes.
pub(super) struct Pass<'a> {
    pub(super) run: Run<'a>,
    pub(super) sizes: Sizes,
    pub(super) layer: &'a Layer<'a>,
}

impl Pass<'_> {
    /// Gradients of the inputs, into `grad`, and of their factor, from one product.
    pub(super) fn input<S: Float>(
        &self,
        plan: LibraryProduct,
        sum: Option<SegmentSum>,
        x: &Handle,
        gradient: Gradient<'_>,
        grad: &Handle,
    ) -> Result<Option<Handle>, Error> {
        let Self { run: Run { client, precision, .. }, sizes, layer } = self;
        let elements = sizes.in_rows() * sizes.c_in;
        assert_eq!(grad.size_in_used(), (precision.bytes() * elements) as u64, "a place for other gradients");
        // Of each row, in f32; added up where rows share a factor.
        let factor_rows = layer.input_factor.map(|_| client.empty(4 * elements));
        let store = self.input_gradients(grad, factor_rows.as_ref(), x);
        // SAFETY: gradients and weight may be read at all of the product; `grad`, `x` and the factor's rows have an entry
        // for each input row and channel, the factor a row for each group of rows.
        unsafe {
            let gradients = self.gradients(gradient, Reads::Gathered);
            plan.launch::<S, S>(client, gradients, self.weight_by_input(), store)?;
        }
        // SAFETY: they hold a float for each input row and channel.
        Ok(sum.zip(factor_rows).map(|(sum, rows)| unsafe { sum.launch_on(client, rows) }))
    }

    /// Gradient of the weight, in f32: parts of the depth that are added in order.
    pub(super) fn weight_gradient<S: Float>(
        &self,
        plan: WeightPlan,
        x: &Handle,
        gradient: Gradient<'_>,
    ) -> Result<Handle, Error> {
        let Self { run: Run { client, .. }, sizes, .. } = self;
        let WeightPlan { product, extent, sum } = plan;
        let parts = client.empty(4 * extent.parts * sizes.taps * sizes.c_in * sizes.c_out);
        // SAFETY: `parts` has a float for each part and entry of the weight, which is what the plan of their sum was made for.
        unsafe {
            self.weight_parts::<S>((product, extent), x, gradient, &parts, false)?;
            Ok(sum.launch_on(client, parts))
        }
    }

    /// Adds the gradient of the weight to `total` while sums are stored; returns it where its depth is cut into parts.
    pub(super) fn weight_added<S: Float>(
        &self,
        plan: WeightPlan,
        x: &Handle,
        gradient: Gradient<'_>,
        total: &Handle,
    ) -> Result<Option<Handle>, Error> {
        if plan.extent.parts > 1 {
            return self.weight_gradient::<S>(plan, x, gradient).map(Some);
        }
        let bytes = 4 * self.sizes.taps * self.sizes.c_in * self.sizes.c_out;
        assert_eq!(total.size_in_used(), bytes as u64, "a total of other gradients");
        // SAFETY: there is one part, for which `total` has as many floats as the weight.
        unsafe { self.weight_parts::<S>((plan.product, plan.extent), x, gradient, total, true)? };
        Ok(None)
    }

    /// The parts of the weight's gradient, stored or added.
    ///
    /// # Safety
    /// `parts` must hold a float for each part and entry of the weight.
    unsafe fn weight_parts<S: Float>(
        &self,
        (product, extent): (LibraryProduct, Extent),
        x: &Handle,
        gradient: Gradient<'_>,
        parts: &Handle,
        add: bool,
    ) -> Result<(), Error> {
        let store = self.plain::<S>(parts, self.sizes.taps * self.sizes.c_in, None, add);
        let cut = Reads::Depth { parts: extent.parts, rows_per_part: extent.depth };
        let (x, gradients) = (self.inputs(x, cut), self.gradients(gradient, cut));
        // SAFETY: inputs and gradients may be read at all rows; the caller vouches for `parts`.
        unsafe { product.launch::<S, f32>(self.run.client, x, gradients, store) }
    }

    /// Gradient of the output factor.
    ///
    /// A multiplicative one needs the product before the factor. It is computed again: dividing `z - bias` by the factor
    /// fails where the factor is 0, and `z` itself is lost behind a ReLU and blunted by a tanh near one.
    pub(super) fn output_factor<S: Float>(
        &self,
        product: Option<LibraryProduct>,
        sum: SegmentSum,
        x: &Handle,
        gradient: Gradient<'_>,
    ) -> Result<Handle, Error> {
        let Self { run: Run { client, .. }, sizes, layer } = self;
        let Some(product) = product else {
            // SAFETY: `grad_y` and `y` hold an entry of type `S` for each output row and channel.
            return Ok(unsafe { sum.launch::<S>(client, gradient.grad_y, gradient.y, layer.activation) });
        };
        let rows = client.empty(4 * sizes.out_rows() * sizes.c_out);
        let store = self.plain::<S>(&rows, sizes.out_rows(), Some(gradient), false);
        // SAFETY: as in a forward pass; `rows` has a float for each output row and channel, as `grad_y` and `y` have
        // entries.
        unsafe {
            product.launch::<S, f32>(client, self.inputs(x, Reads::Rows), self.weight(), store)?;
            Ok(sum.launch_on(client, rows))
        }
    }
}
