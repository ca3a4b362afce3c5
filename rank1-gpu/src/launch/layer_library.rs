//! Perturbed linear maps and convolutions on the makers' library, forward and backward, in every precision.
//!
//! Private: the public functions are in [`super::linear`] and [`super::convolution`]; [`super::engine`] chooses between this
//! and our own tiles. What the products read and write is in [`super::layer_operands`].

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_buffer_of};
use super::layer::{BACKWARD_BUFFERS, FORWARD_BUFFERS, FactorSums, Layer, Present, check_device};
use super::layer_operands::{Gradient, Reads};
use super::library::{Extent, LibraryProduct, Stored, VECTOR_BYTES};
use super::product::{SegmentSum, check_size};
use crate::Error;
use crate::arithmetic::{Engine, Precision};
use crate::convolution::ConvShape;
use crate::linear::{Activation, LayerGrads, LinearShape, Perturbation, Sizes};
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

/// Whether the library takes all three products of both passes.
pub(super) fn fits(run: Run<'_>) -> Result<(), Error> {
    [run.outputs(), run.inputs(), run.weights()?]
        .into_iter()
        .try_for_each(|extent| run.plan(extent).map(|_| ()))
}

pub(super) fn forward(run: Run<'_>, layer: &Layer<'_>, x: &Handle) -> Result<Handle, Error> {
    let run = run.beside(layer, &[x]);
    match run.precision {
        Precision::F32 | Precision::Tf32 => forward_as::<f32>(run, layer, x),
        Precision::F16 => forward_as::<half::f16>(run, layer, x),
        Precision::Bf16 => forward_as::<half::bf16>(run, layer, x),
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

fn forward_as<S: Float>(run: Run<'_>, layer: &Layer<'_>, x: &Handle) -> Result<Handle, Error> {
    run.check(layer, x, FORWARD_BUFFERS)?;
    let pass = Pass { run, sizes: run.map.sizes(), layer };
    let [rows, width] = [pass.sizes.out_rows(), pass.sizes.c_out];
    let elements = check_size(run.op, run.client, &[("output rows", rows), ("output channels", width)])?;
    let plan = run.plan(run.outputs())?;
    let out = run.client.empty(run.precision.bytes() * elements);
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
    run.check(layer, x, BACKWARD_BUFFERS)?;
    let sizes = run.map.sizes();
    let outputs = [sizes.out_rows(), sizes.c_out];
    check_buffer_of(run.op, run.client, "y", y, &outputs, run.precision.bytes())?;
    check_buffer_of(run.op, run.client, "grad_y", grad_y, &outputs, run.precision.bytes())?;
    let plans = Plans::new(run, layer)?;
    let pass = Pass { run, sizes, layer };
    let gradient = Gradient { grad_y, y: (layer.activation != Activation::Identity).then_some(y) };
    let (grad_x, input_factor) = pass.input::<S>(plans.input, plans.sums.input_factor, x, gradient)?;
    let weight =
        pass.weight_gradient::<S>(plans.weight, plans.weight_extent, plans.weight_parts, x, gradient)?;
    let output_factor = match plans.sums.output_factor {
        Some(sum) => Some(pass.output_factor::<S>(plans.product_again, sum, x, gradient)?),
        None => None,
    };
    // SAFETY: `grad_y` and `y` were checked to hold an entry of type `S` for each output row and channel.
    let sum = |sum: SegmentSum| unsafe { sum.launch::<S>(run.client, grad_y, gradient.y, layer.activation) };
    Ok(LayerGrads { x: grad_x, weight, input_factor, output_factor, bias: plans.sums.bias.map(sum) })
}

impl Run<'_> {
    /// The same for buffers that may start anywhere.
    fn beside(self, layer: &Layer<'_>, others: &[&Handle]) -> Self {
        let aligned = |buffer: &Handle| buffer.offset_start.unwrap_or(0).is_multiple_of(VECTOR_BYTES);
        let all = self.map.sizes().buffers(layer).into_iter().all(|(_, buffer, _)| aligned(buffer));
        Self { aligned: all && others.iter().all(|buffer| aligned(buffer)), ..self }
    }

    fn plan(&self, extent: Extent) -> Result<LibraryProduct, Error> {
        LibraryProduct::plan(self.op, self.client, self.engine, self.precision, extent, self.aligned)
    }

    /// `x W`, the inputs gathered for each output.
    fn outputs(&self) -> Extent {
        let sizes = self.map.sizes();
        Extent {
            rows: sizes.out_rows(),
            depth: sizes.taps * sizes.c_in,
            columns: sizes.c_out,
            parts: 1,
            left: Stored { swapped: false, neighbors: sizes.c_in },
            right: Stored { swapped: false, neighbors: sizes.c_out },
        }
    }

    /// `G Wᵀ`, the gradients gathered for each input.
    fn inputs(&self) -> Extent {
        let sizes = self.map.sizes();
        Extent {
            rows: sizes.in_rows(),
            depth: sizes.taps * sizes.c_out,
            columns: sizes.c_in,
            parts: 1,
            left: Stored { swapped: false, neighbors: sizes.c_out },
            right: Stored { swapped: true, neighbors: sizes.c_out },
        }
    }

    /// `xᵀ G`, whose depth is all output rows, in parts.
    fn weights(&self) -> Result<Extent, Error> {
        let sizes = self.map.sizes();
        let whole = Extent {
            rows: sizes.taps * sizes.c_in,
            depth: sizes.out_rows(),
            columns: sizes.c_out,
            parts: 1,
            left: Stored { swapped: true, neighbors: sizes.c_in },
            right: Stored { swapped: false, neighbors: sizes.c_out },
        };
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

/// Every launch of a backward pass, checked before the first.
struct Plans {
    input: LibraryProduct,
    weight: LibraryProduct,
    weight_extent: Extent,
    weight_parts: SegmentSum,
    /// For the gradient of an output factor that multiplies.
    product_again: Option<LibraryProduct>,
    sums: FactorSums,
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
            weight: run.plan(weights)?,
            weight_extent: weights,
            weight_parts: SegmentSum::plan(op, client, [1, weights.parts, entries])?,
            product_again: again.then(|| run.plan(run.outputs())).transpose()?,
            sums: FactorSums::plan(op, client, &sizes, Present::of(layer))?,
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
    /// Gradients of the inputs and of their factor, from one product.
    fn input<S: Float>(
        &self,
        plan: LibraryProduct,
        sum: Option<SegmentSum>,
        x: &Handle,
        gradient: Gradient<'_>,
    ) -> Result<(Handle, Option<Handle>), Error> {
        let Self { run: Run { client, precision, .. }, sizes, layer } = self;
        let elements = sizes.in_rows() * sizes.c_in;
        let grad = client.empty(precision.bytes() * elements);
        // Of each row, in f32; added up where rows share a factor.
        let factor_rows = layer.input_factor.map(|_| client.empty(4 * elements));
        let store = self.input_gradients(&grad, factor_rows.as_ref(), x);
        // SAFETY: gradients and weight may be read at all of the product; `grad`, `x` and the factor's rows have an entry
        // for each input row and channel, the factor a row for each group of rows.
        unsafe {
            let gradients = self.gradients(gradient, Reads::Gathered);
            plan.launch::<S, S>(client, gradients, self.weight_by_input(), store)?;
        }
        let factor_grad = match (sum, factor_rows) {
            // SAFETY: it holds a float for each input row and channel.
            (Some(sum), Some(rows)) => Some(unsafe { sum.launch_on(client, rows) }),
            _ => None,
        };
        Ok((grad, factor_grad))
    }

    /// Gradient of the weight, in f32: parts of the depth that are added in order.
    fn weight_gradient<S: Float>(
        &self,
        plan: LibraryProduct,
        extent: Extent,
        sum: SegmentSum,
        x: &Handle,
        gradient: Gradient<'_>,
    ) -> Result<Handle, Error> {
        let Self { run: Run { client, .. }, sizes, .. } = self;
        let rows = sizes.taps * sizes.c_in;
        let parts = client.empty(4 * extent.parts * rows * sizes.c_out);
        let store = self.plain::<S>(&parts, rows, None);
        let cut = Reads::Depth { parts: extent.parts, rows_per_part: extent.depth };
        // SAFETY: inputs and gradients may be read at all rows; `parts` has a float for each part and entry of the weight,
        // which is what the plan of their sum was made for.
        unsafe {
            plan.launch::<S, f32>(client, self.inputs(x, cut), self.gradients(gradient, cut), store)?;
            Ok(sum.launch_on(client, parts))
        }
    }

    /// Gradient of the output factor.
    ///
    /// A multiplicative one needs the product before the factor. It is computed again: dividing `z - bias` by the factor
    /// fails where the factor is 0, and `z` itself is lost behind a ReLU and blunted by a tanh near one.
    fn output_factor<S: Float>(
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
        let store = self.plain::<S>(&rows, sizes.out_rows(), Some(gradient));
        // SAFETY: as in a forward pass; `rows` has a float for each output row and channel, as `grad_y` and `y` have
        // entries.
        unsafe {
            product.launch::<S, f32>(client, self.inputs(x, Reads::Rows), self.weight(), store)?;
            Ok(sum.launch_on(client, rows))
        }
    }
}
