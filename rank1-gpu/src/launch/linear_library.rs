//! The perturbed linear map on the makers' library, forward and backward, in every precision.
//!
//! Private: the public functions are in [`super::linear`], which chooses between this and our own tiles.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_buffer_of};
use super::layer::{BACKWARD_BUFFERS, FORWARD_BUFFERS, Layer, check_device, rows_per_factor};
use super::library::{Extent, LibraryProduct, Out, VECTOR_BYTES};
use super::product::{SegmentSum, buffer_arg, check_size};
use crate::Error;
use crate::arithmetic::{Engine, Precision};
use crate::kernels::library::{FactorRowsGradientLaunch, OperandLaunch, OutputGradientLaunch};
use crate::linear::{Activation, Factor, LayerGrads, LinearShape, Perturbation, Sizes};

/// What a map is, where and how it is computed.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) op: &'static str,
    pub(super) client: &'a Client,
    pub(super) shape: LinearShape,
    pub(super) engine: Engine,
    pub(super) precision: Precision,
    /// Whether every buffer starts at a multiple of the widest vector.
    pub(super) aligned: bool,
}

/// Whether the library takes all three products of both passes.
pub(super) fn fits(run: Run<'_>) -> Result<(), Error> {
    [run.outputs(), run.inputs(), run.weights()]
        .into_iter()
        .try_for_each(|extent| run.plan(extent).map(|_| ()))
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
    let pass = Pass { run, sizes: run.shape.sizes(), layer };
    let LinearShape { d_out, .. } = run.shape;
    let rows = pass.sizes.out_rows();
    let elements = check_size(run.op, run.client, &[("output rows", rows), ("output channels", d_out)])?;
    let plan = run.plan(run.outputs())?;
    let out = out.unwrap_or_else(|| run.client.empty(run.precision.bytes() * elements));
    check_buffer_of(run.op, run.client, "out", &out, &[rows, d_out], run.precision.bytes())?;
    let store = Out::<S, S>::new(
        buffer_arg(&out),
        layer.output_factor.map(|factor| buffer_arg(factor.values)).into(),
        layer.bias.map(buffer_arg).into(),
        None.into(),
        None.into(),
        rows as u32,
        d_out as u32,
        rows_per_factor(layer.output_factor, &pass.sizes, 1),
        run.shape.batch_size as u32,
        layer.perturbation,
        layer.activation,
    );
    // SAFETY: `check` compared every buffer with the shape and the precision, whose type is `S`; `out` has an entry for
    // each row and channel.
    unsafe { plan.launch::<S, S>(run.client, pass.inputs(x, false), pass.weight(false), store)? };
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
    let input_factor = pass.input::<S>(plans.input, plans.input_factor, x, gradient, &grad_x)?;
    let weight = pass.weight_gradient::<S>(plans.weight, x, gradient)?;
    let output_factor = match plans.output_factor {
        Some((sum, product)) => Some(pass.output_factor::<S>(product, sum, x, gradient)?),
        None => None,
    };
    // SAFETY: `grad_y` and `y` were checked to hold an entry of type `S` for each output row and channel.
    let sum = |sum: SegmentSum| unsafe { sum.launch::<S>(run.client, grad_y, gradient.y, layer.activation) };
    Ok(LayerGrads { x: grad_x, weight, input_factor, output_factor, bias: plans.bias.map(sum) })
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
    let sizes = run.shape.sizes();
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
        let all = self.shape.sizes().buffers(layer).into_iter().all(|(_, buffer, _)| aligned(buffer));
        Self { aligned: all && others.iter().all(|buffer| aligned(buffer)), ..self }
    }

    fn rows(&self) -> usize {
        self.shape.n_members * self.shape.batch_size
    }

    fn plan(&self, extent: Extent) -> Result<LibraryProduct, Error> {
        LibraryProduct::plan(self.op, self.client, self.engine, self.precision, extent, self.aligned)
    }

    /// `x W`.
    fn outputs(&self) -> Extent {
        let LinearShape { d_in, d_out, .. } = self.shape;
        Extent { rows: self.rows(), depth: d_in, columns: d_out, left_swapped: false, right_swapped: false }
    }

    /// `G Wᵀ`.
    fn inputs(&self) -> Extent {
        let LinearShape { d_in, d_out, .. } = self.shape;
        Extent { rows: self.rows(), depth: d_out, columns: d_in, left_swapped: false, right_swapped: true }
    }

    /// `xᵀ G`.
    fn weights(&self) -> Extent {
        let LinearShape { d_in, d_out, .. } = self.shape;
        Extent { rows: d_in, depth: self.rows(), columns: d_out, left_swapped: true, right_swapped: false }
    }

    fn check(&self, layer: &Layer<'_>, x: &Handle, buffers: u32) -> Result<(), Error> {
        let Self { op, client, .. } = *self;
        let (sizes, large) = (self.shape.sizes(), self.precision.bytes());
        check_device(op, client, buffers)?;
        check_buffer_of(op, client, "x", x, &[sizes.in_rows(), sizes.c_in], large)?;
        sizes.buffers(layer).into_iter().try_for_each(|(argument, buffer, shape)| match argument {
            "weight" => check_buffer_of(op, client, argument, buffer, &shape, large),
            _ => check_buffer(op, client, argument, buffer, &shape),
        })
    }
}

/// Every launch of a backward pass, checked before the first.
pub(super) struct Plans {
    pub(super) input: LibraryProduct,
    pub(super) weight: LibraryProduct,
    pub(super) input_factor: Option<SegmentSum>,
    /// The product is computed again where the factor multiplies.
    pub(super) output_factor: Option<(SegmentSum, Option<LibraryProduct>)>,
    bias: Option<SegmentSum>,
}

impl Plans {
    fn new(run: Run<'_>, layer: &Layer<'_>) -> Result<Self, Error> {
        let LinearShape { n_members, batch_size, d_in, d_out } = run.shape;
        check_size(run.op, run.client, &[("input rows", run.rows()), ("input channels", d_in)])?;
        check_size(run.op, run.client, &[("output rows", run.rows()), ("output channels", d_out)])?;
        check_size(run.op, run.client, &[("input channels", d_in), ("output channels", d_out)])?;
        let sum = |extent| SegmentSum::plan(run.op, run.client, extent);
        let shared = |factor: Option<Factor<'_, Handle>>, width| {
            let extent = |factor: Factor<'_, Handle>| {
                [factor.rows.count(n_members, batch_size), factor.rows.examples_per_row(batch_size), width]
            };
            factor.map(extent).map(sum).transpose()
        };
        let again = || (layer.perturbation == Perturbation::Multiplicative).then(|| run.plan(run.outputs()));
        let output_factor = match shared(layer.output_factor, d_out)? {
            Some(sum) => Some((sum, again().transpose()?)),
            None => None,
        };
        Ok(Self {
            input: run.plan(run.inputs())?,
            weight: run.plan(run.weights())?,
            input_factor: shared(layer.input_factor, d_in)?,
            output_factor,
            bias: layer.bias.map(|_| sum([n_members, batch_size, d_out])).transpose()?,
        })
    }
}

/// The gradient of the outputs, and the outputs where an activation needs them.
#[derive(Clone, Copy)]
pub(super) struct Gradient<'a> {
    grad_y: &'a Handle,
    y: Option<&'a Handle>,
}

/// A pass whose buffers were checked against the shape.
pub(super) struct Pass<'a> {
    run: Run<'a>,
    sizes: Sizes,
    layer: &'a Layer<'a>,
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
        let multiplies = layer.perturbation == Perturbation::Multiplicative;
        let factor = layer.input_factor.filter(|_| multiplies);
        // Of each row, in f32; added up where rows share a factor.
        let factor_rows = layer.input_factor.map(|_| client.empty(4 * elements));
        let store = Out::<S, S>::new(
            buffer_arg(grad),
            factor.map(|factor| buffer_arg(factor.values)).into(),
            None.into(),
            factor_rows
                .as_ref()
                .map(|rows| {
                    let x = multiplies.then(|| buffer_arg(x));
                    FactorRowsGradientLaunch::new(x.into(), buffer_arg(rows))
                })
                .into(),
            None.into(),
            sizes.in_rows() as u32,
            sizes.c_in as u32,
            rows_per_factor(factor, sizes, 1),
            1,
            layer.perturbation,
            Activation::Identity,
        );
        // SAFETY: gradients and weight may be read at all of the product; `grad`, `x` and the factor's rows have an entry
        // for each input row and channel, the factor a row for each group of rows.
        unsafe { plan.launch::<S, S>(client, self.gradients(gradient), self.weight(true), store)? };
        // SAFETY: they hold a float for each input row and channel.
        Ok(sum.zip(factor_rows).map(|(sum, rows)| unsafe { sum.launch_on(client, rows) }))
    }

    /// Gradient of the weight, in f32.
    pub(super) fn weight_gradient<S: Float>(
        &self,
        plan: LibraryProduct,
        x: &Handle,
        gradient: Gradient<'_>,
    ) -> Result<Handle, Error> {
        let Self { run: Run { client, .. }, sizes, .. } = self;
        let out = client.empty(4 * sizes.c_in * sizes.c_out);
        let store = self.plain::<S>(&out, sizes.c_in, None);
        // SAFETY: inputs and gradients may be read at all rows; `out` has a float for each entry of the weight.
        unsafe { plan.launch::<S, f32>(client, self.inputs(x, true), self.gradients(gradient), store)? };
        Ok(out)
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
        let store = self.plain::<S>(&rows, sizes.out_rows(), Some(gradient));
        // SAFETY: as in a forward pass; `rows` has a float for each output row and channel, as `grad_y` and `y` have
        // entries.
        unsafe {
            product.launch::<S, f32>(client, self.inputs(x, false), self.weight(false), store)?;
            Ok(sum.launch_on(client, rows))
        }
    }

    /// `[rows, D_out]` sums in f32, times a gradient if there is one.
    fn plain<S: Float>(&self, out: &Handle, rows: usize, gradient: Option<Gradient<'_>>) -> Out<S, f32> {
        let product = |Gradient { grad_y, y }: Gradient<'_>| {
            OutputGradientLaunch::new(buffer_arg(grad_y), y.map(buffer_arg).into())
        };
        let activation = gradient.map_or(Activation::Identity, |_| self.layer.activation);
        Out::<S, f32>::new(
            buffer_arg(out),
            None.into(),
            None.into(),
            None.into(),
            gradient.map(product).into(),
            rows as u32,
            self.sizes.c_out as u32,
            1,
            1,
            self.layer.perturbation,
            activation,
        )
    }

    /// The inputs under their factor, `[rows, D_in]` or its transpose.
    fn inputs<S: Float, N: Size>(&self, x: &Handle, swapped: bool) -> OperandLaunch<S, N> {
        let factor = self.layer.input_factor;
        OperandLaunch::new(
            buffer_arg(x),
            None.into(),
            factor.map(|factor| buffer_arg(factor.values)).into(),
            self.sizes.in_rows() as u32,
            self.sizes.c_in as u32,
            rows_per_factor(factor, &self.sizes, 1),
            self.layer.perturbation,
            Activation::Identity,
            swapped,
        )
    }

    /// The weight, `[D_in, D_out]` or its transpose.
    fn weight<S: Float, N: Size>(&self, swapped: bool) -> OperandLaunch<S, N> {
        OperandLaunch::new(
            buffer_arg(self.layer.weight),
            None.into(),
            None.into(),
            self.sizes.c_in as u32,
            self.sizes.c_out as u32,
            1,
            self.layer.perturbation,
            Activation::Identity,
            swapped,
        )
    }

    /// Gradients of the product, `[rows, D_out]`; a factor that adds does not reach them.
    fn gradients<S: Float, N: Size>(&self, Gradient { grad_y, y }: Gradient<'_>) -> OperandLaunch<S, N> {
        let multiplies = self.layer.perturbation == Perturbation::Multiplicative;
        let factor = self.layer.output_factor.filter(|_| multiplies);
        OperandLaunch::new(
            buffer_arg(grad_y),
            y.map(buffer_arg).into(),
            factor.map(|factor| buffer_arg(factor.values)).into(),
            self.sizes.out_rows() as u32,
            self.sizes.c_out as u32,
            rows_per_factor(factor, &self.sizes, 1),
            self.layer.perturbation,
            self.layer.activation,
            false,
        )
    }
}
