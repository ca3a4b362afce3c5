//! The product of a dense layer and its two gradients, on all threads.
//!
//! The sum behind every value runs over the inner dimension in order, whatever the number of threads. Not for factors and
//! biases: see [`crate::perturb`].

use crate::error::check_len;
use crate::kernels::product::{Operand, Packed, ProductScratch, multiply, multiply_packed};
use crate::kernels::scratch::AlignedBuffer;
use crate::{Error, Real};

/// Packed operands, kept between steps.
#[derive(Debug, Clone, Default)]
pub struct DenseScratch(ProductScratch);

/// A weight in the order in which the product reads it, for a weight that stays the same from call to call.
#[derive(Debug, Clone, Default)]
pub struct PackedWeight {
    panels: AlignedBuffer,
    /// Sizes of the weight that the panels hold.
    current: Option<DenseShape>,
    left: AlignedBuffer,
}

impl PackedWeight {
    /// To be called when the weight has changed; the memory is kept.
    pub fn forget(&mut self) {
        self.current = None;
    }
}

/// Sizes of a dense layer's product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseShape {
    /// Width of an input row.
    pub d_in: usize,
    /// Width of an output row.
    pub d_out: usize,
}

/// `out = x W`.
///
/// # Shapes
/// `x` `[N, D_in]`, `weight` `[D_in, D_out]`, `out` `[N, D_out]`, overwritten.
///
/// # Errors
/// [`Error::ShapeMismatch`] names the slice whose length does not fit.
pub fn forward<F: Real>(
    shape: DenseShape,
    x: &[F],
    weight: &[F],
    out: &mut [F],
    scratch: &mut DenseScratch,
) -> Result<(), Error> {
    const OP: &str = "dense::forward";
    let n = shape.rows(OP, "out", out.len(), shape.d_out)?;
    check_len(OP, "x", x.len(), n * shape.d_in)?;
    check_len(OP, "weight", weight.len(), shape.d_in * shape.d_out)?;
    let (x, weight) = (Operand::new(x, shape.d_in), Operand::new(weight, shape.d_out));
    multiply(x, weight, false, out, &mut scratch.0, true);
    Ok(())
}

/// [`forward`] with a weight that is the same as in the calls before, back to the last [`PackedWeight::forget`]: it is packed
/// in the first of them.
///
/// # Shapes
/// As [`forward`].
///
/// # Errors
/// As [`forward`].
pub fn forward_packed<F: Real>(
    shape: DenseShape,
    x: &[F],
    weight: &[F],
    packed: &mut PackedWeight,
    out: &mut [F],
) -> Result<(), Error> {
    const OP: &str = "dense::forward_packed";
    let n = shape.rows(OP, "out", out.len(), shape.d_out)?;
    check_len(OP, "x", x.len(), n * shape.d_in)?;
    check_len(OP, "weight", weight.len(), shape.d_in * shape.d_out)?;
    let (x, weight) = (Operand::new(x, shape.d_in), Operand::new(weight, shape.d_out));
    let PackedWeight { panels, current, left } = packed;
    let is_current = current.replace(shape) == Some(shape);
    let right = if is_current { Packed::again(weight, panels) } else { Packed::new(weight, panels, true) };
    multiply_packed(x, right, false, out, left, true);
    Ok(())
}

/// `d_x = d_out Wᵀ`.
///
/// # Shapes
/// As [`forward`]; `d_x` is overwritten.
///
/// # Errors
/// As [`forward`].
///
/// # Source
/// Chain rule on [`forward`].
pub fn input_gradient<F: Real>(
    shape: DenseShape,
    d_out: &[F],
    weight: &[F],
    d_x: &mut [F],
    scratch: &mut DenseScratch,
) -> Result<(), Error> {
    const OP: &str = "dense::input_gradient";
    let n = shape.rows(OP, "d_out", d_out.len(), shape.d_out)?;
    check_len(OP, "d_x", d_x.len(), n * shape.d_in)?;
    check_len(OP, "weight", weight.len(), shape.d_in * shape.d_out)?;
    let (d_out, weight) = (Operand::new(d_out, shape.d_out), Operand::new(weight, shape.d_out));
    multiply(d_out, weight.transposed(), false, d_x, &mut scratch.0, true);
    Ok(())
}

/// `d_weight += xᵀ d_out`.
///
/// # Shapes
/// As [`forward`]; `d_weight` is added to.
///
/// # Errors
/// As [`forward`].
///
/// # Source
/// Chain rule on [`forward`].
pub fn weight_gradient<F: Real>(
    shape: DenseShape,
    x: &[F],
    d_out: &[F],
    d_weight: &mut [F],
    scratch: &mut DenseScratch,
) -> Result<(), Error> {
    const OP: &str = "dense::weight_gradient";
    let n = shape.rows(OP, "d_out", d_out.len(), shape.d_out)?;
    check_len(OP, "x", x.len(), n * shape.d_in)?;
    check_len(OP, "d_weight", d_weight.len(), shape.d_in * shape.d_out)?;
    let (x, d_out) = (Operand::new(x, shape.d_in), Operand::new(d_out, shape.d_out));
    multiply(x.transposed(), d_out, true, d_weight, &mut scratch.0, true);
    Ok(())
}

impl DenseShape {
    fn rows(
        self,
        op: &'static str,
        argument: &'static str,
        len: usize,
        width: usize,
    ) -> Result<usize, Error> {
        for (argument, size) in [("d_in", self.d_in), ("d_out", self.d_out)] {
            if size == 0 {
                return Err(Error::OutOfRange { op, argument, value: 0.0, expected: "at least 1" });
            }
        }
        check_len(op, argument, len, len / width * width)?;
        Ok(len / width)
    }
}

#[cfg(test)]
mod tests;
