//! The product in the middle of a layer, a matrix or a convolution, and its two gradients.
//!
//! Rows only: factors, noise and biases are applied around it.

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
        out: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            Product::Conv(shape) => conv::forward(shape, x, factor, weight, out, &mut self.conv),
            _ if stays => dense::forward_packed(dense_shape(layer), x, weight, &mut self.packed, out),
            _ => dense::forward(dense_shape(layer), x, weight, out, &mut self.dense),
        }
    }

    /// `d_x = d_out Wᵀ`, row by row.
    pub(in crate::operation) fn input_gradient(
        &mut self,
        layer: &LayerPlan,
        d_out: &[F],
        weight: &[F],
        d_x: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
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
        d_weight: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            Product::Conv(shape) => conv::weight_gradient(shape, x, factor, d_out, d_weight, &mut self.conv),
            _ => dense::weight_gradient(dense_shape(layer), x, d_out, d_weight, &mut self.dense),
        }
    }
}

fn dense_shape(layer: &LayerPlan) -> DenseShape {
    DenseShape { d_in: layer.d_in, d_out: layer.d_out }
}
