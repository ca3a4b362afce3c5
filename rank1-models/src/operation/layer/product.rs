//! The product in the middle of a layer, a matrix or a convolution, and its two gradients.
//!
//! Rows only: factors, noise and biases are applied around it. `examples` is the number of rows of one member that follow
//! each other, where members have weights of their own.

use rank1_core::kernels::conv::{self, ConvScratch};
use rank1_core::kernels::dense::{self, DenseScratch, DenseShape, PackedWeight};
use rank1_core::{Error, Real};

use super::{LayerPlan, Product};

/// The product of one layer with the memory it works in.
#[derive(Debug)]
pub(in crate::operation) struct ProductBuffers<F> {
    conv: ConvScratch<F>,
    dense: DenseScratch,
    packed: PackedWeight,
}

impl<F: Real> ProductBuffers<F> {
    pub(in crate::operation) fn new() -> Self {
        Self { conv: ConvScratch::new(), dense: DenseScratch::default(), packed: PackedWeight::default() }
    }

    /// To be called when a weight that was said to stay has changed.
    pub(in crate::operation) fn forget_weight(&mut self) {
        self.packed.forget();
    }

    /// `out = x W`, row by row; a convolution may multiply `x` by a factor for every row and channel as it reads it. A weight
    /// may stay the same from call to call.
    pub(in crate::operation) fn forward(
        &mut self,
        layer: &LayerPlan,
        x: &[F],
        factor: Option<&[F]>,
        (weight, stays): (&[F], bool),
        examples: usize,
        out: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            &Product::PerMember(members) => {
                let blocks =
                    x.chunks_exact(examples * layer.d_in).zip(out.chunks_exact_mut(examples * layer.d_out));
                for (block, (x, out)) in blocks.enumerate() {
                    let weight = own_weight(layer, weight, block % members);
                    dense::forward(dense_shape(layer), x, weight, out, &mut self.dense)?;
                }
                Ok(())
            }
            Product::Conv(shape) => conv::forward(shape, x, factor, weight, out, &mut self.conv),
            _ if stays => dense::forward_packed(dense_shape(layer), x, weight, &mut self.packed, out),
            _ => dense::forward(dense_shape(layer), x, weight, out, &mut self.dense),
        }
    }

    /// `out = x W` with another weight than the layer's.
    pub(in crate::operation) fn forward_other(
        &mut self,
        layer: &LayerPlan,
        x: &[F],
        weight: &[F],
        out: &mut [F],
    ) -> Result<(), Error> {
        dense::forward(dense_shape(layer), x, weight, out, &mut self.dense)
    }

    /// `d_x = d_out Wᵀ`, row by row.
    pub(in crate::operation) fn input_gradient(
        &mut self,
        layer: &LayerPlan,
        d_out: &[F],
        weight: &[F],
        examples: usize,
        d_x: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            &Product::PerMember(members) => {
                let blocks = d_out
                    .chunks_exact(examples * layer.d_out)
                    .zip(d_x.chunks_exact_mut(examples * layer.d_in));
                for (block, (d_out, d_x)) in blocks.enumerate() {
                    let weight = own_weight(layer, weight, block % members);
                    dense::input_gradient(dense_shape(layer), d_out, weight, d_x, &mut self.dense)?;
                }
                Ok(())
            }
            Product::Conv(shape) => conv::input_gradient(shape, d_out, weight, d_x, &mut self.conv),
            _ => dense::input_gradient(dense_shape(layer), d_out, weight, d_x, &mut self.dense),
        }
    }

    /// `d_weight += xᵀ d_out`, over all rows; `factor` as in the forward pass.
    pub(in crate::operation) fn weight_gradient(
        &mut self,
        layer: &LayerPlan,
        x: &[F],
        factor: Option<&[F]>,
        d_out: &[F],
        examples: usize,
        d_weight: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            &Product::PerMember(members) => {
                let blocks =
                    x.chunks_exact(examples * layer.d_in).zip(d_out.chunks_exact(examples * layer.d_out));
                let size = layer.d_in * layer.d_out;
                for (block, (x, d_out)) in blocks.enumerate() {
                    let own = &mut d_weight[block % members * size..(block % members + 1) * size];
                    dense::weight_gradient(dense_shape(layer), x, d_out, own, &mut self.dense)?;
                }
                Ok(())
            }
            Product::Conv(shape) => conv::weight_gradient(shape, x, factor, d_out, d_weight, &mut self.conv),
            _ => dense::weight_gradient(dense_shape(layer), x, d_out, d_weight, &mut self.dense),
        }
    }
}

/// The weight of one member, of those that have their own.
fn own_weight<'a, F>(layer: &LayerPlan, weight: &'a [F], member: usize) -> &'a [F] {
    let size = layer.d_in * layer.d_out;
    &weight[member * size..(member + 1) * size]
}

fn dense_shape(layer: &LayerPlan) -> DenseShape {
    DenseShape { d_in: layer.d_in, d_out: layer.d_out }
}
