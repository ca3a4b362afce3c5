//! What the library's products read and write for a perturbed layer.
//!
//! A product's operands have its extents; their buffers were checked before.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::convolution::window;
use super::layer::rows_per_factor;
use super::layer_library::{Map, Pass};
use super::library::Out;
use super::product::buffer_arg;
use crate::Perturbation;
use crate::kernels::library::{
    FactorRowsGradientLaunch, Gather, GatheredLaunch, OperandLaunch, OutputGradientLaunch,
};
use crate::linear::Activation;

/// The gradient of the outputs, and the outputs where an activation needs them.
#[derive(Clone, Copy)]
pub(super) struct Gradient<'a> {
    pub(super) grad_y: &'a Handle,
    pub(super) y: Option<&'a Handle>,
}

/// What a product reads of inputs or of gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Their rows: output rows of inputs, or output rows of gradients.
    Rows,
    /// For each input, the gradients that reach it.
    Gathered,
    /// Output rows as the depth of the product, in parts.
    Depth { parts: usize, rows_per_part: usize },
}

impl Reads {
    fn parts(self) -> (bool, u32) {
        match self {
            Self::Depth { parts, rows_per_part } => (parts > 1, rows_per_part as u32),
            Self::Rows | Self::Gathered => (false, 0),
        }
    }
}

impl Pass<'_> {
    /// The inputs under their factor, `[output rows, taps * C_in]` or its transpose.
    pub(super) fn inputs<S: Float, N: Size>(&self, x: &Handle, reads: Reads) -> OperandLaunch<S, N> {
        let (sizes, factor) = (&self.sizes, self.layer.input_factor);
        let (in_parts, rows_per_part) = reads.parts();
        OperandLaunch::new(
            buffer_arg(x),
            None.into(),
            factor.map(|factor| buffer_arg(factor.values)).into(),
            self.gathered(Gather::Patches, sizes.c_in).into(),
            sizes.out_rows() as u32,
            (sizes.taps * sizes.c_in) as u32,
            rows_per_factor(factor, sizes, sizes.out_positions),
            sizes.c_in as u32,
            rows_per_part,
            self.layer.perturbation,
            Activation::Identity,
            matches!(reads, Reads::Depth { .. }),
            in_parts,
        )
    }

    /// The weight, `[taps * C_in, C_out]`.
    pub(super) fn weight<S: Float, N: Size>(&self) -> OperandLaunch<S, N> {
        self.weight_rows(self.sizes.taps * self.sizes.c_in, self.sizes.c_out, None, false)
    }

    /// The weight with a row for each entry of the gradients that an input gathers, `[taps * C_out, C_in]`.
    pub(super) fn weight_by_input<S: Float, N: Size>(&self) -> OperandLaunch<S, N> {
        let gathered = self.gathered(Gather::WeightByInput, self.sizes.c_out);
        self.weight_rows(self.sizes.c_in, self.sizes.taps * self.sizes.c_out, gathered, true)
    }

    fn weight_rows<S: Float, N: Size>(
        &self,
        rows: usize,
        width: usize,
        gathered: Option<GatheredLaunch>,
        swapped: bool,
    ) -> OperandLaunch<S, N> {
        OperandLaunch::new(
            buffer_arg(self.layer.weight),
            None.into(),
            None.into(),
            gathered.into(),
            rows as u32,
            width as u32,
            1,
            1,
            0,
            self.layer.perturbation,
            Activation::Identity,
            swapped,
            false,
        )
    }

    /// Gradients of the product, `[output rows, C_out]`, or `[input rows, taps * C_out]` if gathered; a factor that adds does
    /// not reach them.
    pub(super) fn gradients<S: Float, N: Size>(
        &self,
        Gradient { grad_y, y }: Gradient<'_>,
        reads: Reads,
    ) -> OperandLaunch<S, N> {
        let sizes = &self.sizes;
        let factor = self.layer.output_factor.filter(|_| self.multiplies());
        let (in_parts, rows_per_part) = reads.parts();
        let gathers = reads == Reads::Gathered;
        let (rows, positions) = if gathers {
            (sizes.in_rows(), sizes.in_positions)
        } else {
            (sizes.out_rows(), sizes.out_positions)
        };
        let taps = if gathers { sizes.taps } else { 1 };
        let gathered = if gathers { self.gathered(Gather::SeenBy, sizes.c_out) } else { None };
        OperandLaunch::new(
            buffer_arg(grad_y),
            y.map(buffer_arg).into(),
            factor.map(|factor| buffer_arg(factor.values)).into(),
            gathered.into(),
            rows as u32,
            (taps * sizes.c_out) as u32,
            rows_per_factor(factor, sizes, positions),
            sizes.c_out as u32,
            rows_per_part,
            self.layer.perturbation,
            self.layer.activation,
            false,
            in_parts,
        )
    }

    /// Outputs, finished.
    pub(super) fn outputs<S: Float>(&self, out: &Handle) -> Out<S, S> {
        let (sizes, layer) = (&self.sizes, self.layer);
        Out::<S, S>::new(
            buffer_arg(out),
            layer.output_factor.map(|factor| buffer_arg(factor.values)).into(),
            layer.bias.map(buffer_arg).into(),
            None.into(),
            None.into(),
            sizes.out_rows() as u32,
            sizes.c_out as u32,
            rows_per_factor(layer.output_factor, sizes, sizes.out_positions),
            (sizes.batch_size * sizes.out_positions) as u32,
            layer.perturbation,
            layer.activation,
            false,
        )
    }

    /// Gradients of the inputs, and of each row of their factor in f32 if there is one.
    pub(super) fn input_gradients<S: Float>(
        &self,
        grad: &Handle,
        factor_rows: Option<&Handle>,
        x: &Handle,
    ) -> Out<S, S> {
        let (sizes, layer) = (&self.sizes, self.layer);
        let factor = layer.input_factor.filter(|_| self.multiplies());
        let factor_rows = factor_rows.map(|rows| {
            let x = self.multiplies().then(|| buffer_arg(x));
            FactorRowsGradientLaunch::new(x.into(), buffer_arg(rows))
        });
        Out::<S, S>::new(
            buffer_arg(grad),
            factor.map(|factor| buffer_arg(factor.values)).into(),
            None.into(),
            factor_rows.into(),
            None.into(),
            sizes.in_rows() as u32,
            sizes.c_in as u32,
            rows_per_factor(factor, sizes, sizes.in_positions),
            1,
            layer.perturbation,
            Activation::Identity,
            false,
        )
    }

    /// `[rows, C_out]` sums in f32, times a gradient if there is one, stored or added.
    pub(super) fn plain<S: Float>(
        &self,
        out: &Handle,
        rows: usize,
        gradient: Option<Gradient<'_>>,
        add: bool,
    ) -> Out<S, f32> {
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
            add,
        )
    }

    fn multiplies(&self) -> bool {
        self.layer.perturbation == Perturbation::Multiplicative
    }

    /// What a convolution gathers; nothing for a linear map.
    fn gathered(&self, gather: Gather, channels: usize) -> Option<GatheredLaunch> {
        let Map::Convolution(shape) = self.run.map else { return None };
        let channels = channels as u32;
        Some(GatheredLaunch::new(window(&shape), channels, channels, gather, shape.stride == (1, 1)))
    }
}
