//! The product in the middle of a layer, a matrix or a convolution, and its two gradients.
//!
//! Rows only: factors, noise and biases are applied around it.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rank1_core::conv::{self, ConvScratch};
use rank1_core::{Error, Real};

use crate::network::{LayerPlan, Product};

/// The product of one layer with the memory it works in.
#[derive(Debug)]
pub(super) struct ProductBuffers<F> {
    scratch: ConvScratch<F>,
}

impl<F: Real> ProductBuffers<F> {
    pub(super) fn new() -> Self {
        Self { scratch: ConvScratch::new() }
    }

    /// `out = x W`, row by row.
    pub(super) fn forward(
        &mut self,
        layer: &LayerPlan,
        x: &[F],
        weight: &[F],
        out: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            Product::Conv(shape) => conv::forward(shape, x, None, weight, out, &mut self.scratch),
            _ => {
                let (x, weight) = (matrix(x, layer.d_in), matrix(weight, layer.d_out));
                general_mat_mul(F::one(), &x, &weight, F::zero(), &mut matrix_mut(out, layer.d_out));
                Ok(())
            }
        }
    }

    /// `d_x = d_out Wᵀ`, row by row.
    pub(super) fn input_gradient(
        &mut self,
        layer: &LayerPlan,
        d_out: &[F],
        weight: &[F],
        d_x: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            Product::Conv(shape) => conv::input_gradient(shape, d_out, weight, d_x, &mut self.scratch),
            _ => {
                let (d_out, weight) = (matrix(d_out, layer.d_out), matrix(weight, layer.d_out));
                general_mat_mul(F::one(), &d_out, &weight.t(), F::zero(), &mut matrix_mut(d_x, layer.d_in));
                Ok(())
            }
        }
    }

    /// `d_weight += xᵀ d_out`, over all rows.
    pub(super) fn weight_gradient(
        &mut self,
        layer: &LayerPlan,
        x: &[F],
        d_out: &[F],
        d_weight: &mut [F],
    ) -> Result<(), Error> {
        match &layer.product {
            Product::Conv(shape) => conv::weight_gradient(shape, x, None, d_out, d_weight, &mut self.scratch),
            _ => {
                let (x, d_out) = (matrix(x, layer.d_in), matrix(d_out, layer.d_out));
                general_mat_mul(F::one(), &x.t(), &d_out, F::one(), &mut matrix_mut(d_weight, layer.d_out));
                Ok(())
            }
        }
    }
}

fn matrix<F>(flat: &[F], columns: usize) -> ArrayView2<'_, F> {
    ArrayView2::from_shape((flat.len() / columns, columns), flat).expect("buffers hold whole rows")
}

fn matrix_mut<F>(flat: &mut [F], columns: usize) -> ArrayViewMut2<'_, F> {
    ArrayViewMut2::from_shape((flat.len() / columns, columns), flat).expect("buffers hold whole rows")
}
