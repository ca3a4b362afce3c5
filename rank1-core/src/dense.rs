//! The product of a dense layer and its two gradients, on all threads.
//!
//! Single precision runs on register tiles of packed operands, double precision through ndarray. The sum behind every value
//! runs over the inner dimension in order, whatever the number of threads. Not for factors and biases: see [`crate::perturb`].

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::error::check_len;
use crate::matrix::fit;
use crate::simd::{arch, f32_lanes};
use crate::{Error, Real};

/// Rows of a register tile; its columns are [`VECTORS`] vectors.
const HEIGHT: usize = 6;
const VECTORS: usize = 2;
/// Values of the left operand that are packed at a time: about what a core's second cache holds.
const BLOCK: usize = 100_000;
/// Multiply-adds below which threads cost more than they save.
const PARALLEL: usize = 1 << 20;
/// As [`PARALLEL`], of values to be copied.
const PARALLEL_COPIES: usize = 1 << 16;

/// Packed operands, kept between steps.
#[derive(Debug, Clone, Default)]
pub struct DenseScratch {
    left: Vec<f32>,
    right: Vec<f32>,
    tiles: Vec<f32>,
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
///
/// # Source
/// Definition.
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
    product(x, weight, false, out, scratch);
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
    product(d_out, weight.transposed(), false, d_x, scratch);
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
    product(x.transposed(), d_out, true, d_weight, scratch);
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

/// A matrix stored by rows, perhaps to be read by columns.
#[derive(Debug, Clone, Copy)]
struct Operand<'a, F> {
    values: &'a [F],
    /// Length of a stored row.
    stored_width: usize,
    is_transposed: bool,
}

impl<'a, F: Real> Operand<'a, F> {
    fn new(values: &'a [F], stored_width: usize) -> Self {
        Self { values, stored_width, is_transposed: false }
    }

    fn transposed(self) -> Self {
        Self { is_transposed: !self.is_transposed, ..self }
    }

    /// Rows and columns as they are read.
    fn size(&self) -> (usize, usize) {
        let stored = (self.values.len() / self.stored_width, self.stored_width);
        if self.is_transposed { (stored.1, stored.0) } else { stored }
    }

    fn view(&self) -> ArrayView2<'a, F> {
        let stored = (self.values.len() / self.stored_width, self.stored_width);
        let view = ArrayView2::from_shape(stored, self.values).expect("whole rows");
        if self.is_transposed { view.reversed_axes() } else { view }
    }

    fn as_f32(&self) -> Option<Operand<'a, f32>> {
        let values = F::as_f32(self.values)?;
        Some(Operand { values, stored_width: self.stored_width, is_transposed: self.is_transposed })
    }
}

/// `out = left right`, or added to it.
fn product<F: Real>(
    left: Operand<'_, F>,
    right: Operand<'_, F>,
    adds: bool,
    out: &mut [F],
    scratch: &mut DenseScratch,
) {
    if out.is_empty() {
        return;
    }
    let (width, columns) = (VECTORS * f32_lanes(), right.size().1);
    if let (true, Some(left), Some(right)) = (width > VECTORS, left.as_f32(), right.as_f32())
        && let Some(out) = F::as_f32_mut(out)
    {
        tiled(left, right, adds, width, out, scratch);
        return;
    }
    let keep = if adds { F::one() } else { F::zero() };
    let shape = (out.len() / columns, columns);
    let mut out = ArrayViewMut2::from_shape(shape, out).expect("whole rows");
    general_mat_mul(F::one(), &left.view(), &right.view(), keep, &mut out);
}

fn tiled(
    left: Operand<'_, f32>,
    right: Operand<'_, f32>,
    adds: bool,
    width: usize,
    out: &mut [f32],
    scratch: &mut DenseScratch,
) {
    let ((rows, inner), columns) = (left.size(), right.size().1);
    if inner == 0 {
        if !adds {
            out.fill(0.0);
        }
        return;
    }
    let panels = (BLOCK / inner / HEIGHT).max(8);
    let block_rows = (panels * HEIGHT).min(rows);
    let groups = columns.div_ceil(width);
    let is_parallel = rows * inner * columns >= PARALLEL;
    let packed_left = fit(&mut scratch.left, block_rows * inner);
    let packed_right = fit(&mut scratch.right, groups * inner * width);
    let tiles = fit(&mut scratch.tiles, groups * block_rows * width);
    for first in (0..rows).step_by(block_rows) {
        let count = block_rows.min(rows - first);
        let packed_left = &mut packed_left[..count * inner];
        let shares = is_parallel && packed_left.len() >= PARALLEL_COPIES;
        each(shares, packed_left, HEIGHT * inner, |panel, packed| {
            pack(left, first + panel * HEIGHT, packed.len() / inner, packed);
        });
        let packed_left = &*packed_left;
        let multiply = |(group, (right_panel, tiles)): (usize, (&mut [f32], &mut [f32]))| {
            if first == 0 {
                pack(right.transposed(), group * width, width, right_panel);
            }
            arch().dispatch(Column { left: packed_left, right: right_panel, inner, tiles });
        };
        if is_parallel {
            let panels = packed_right.par_chunks_exact_mut(inner * width);
            panels.zip(tiles.par_chunks_exact_mut(count * width)).enumerate().for_each(multiply);
        } else {
            let panels = packed_right.chunks_exact_mut(inner * width);
            panels.zip(tiles.chunks_exact_mut(count * width)).enumerate().for_each(multiply);
        }
        let tiles = &*tiles;
        let out = &mut out[first * columns..(first + count) * columns];
        let shares = is_parallel && out.len() >= PARALLEL_COPIES;
        each(shares, out, HEIGHT * columns, |panel, out| {
            for (row, out) in (panel * HEIGHT..).zip(out.chunks_exact_mut(columns)) {
                for (group, out) in out.chunks_mut(width).enumerate() {
                    let tile = &tiles[(group * count + row) * width..][..out.len()];
                    let pairs = out.iter_mut().zip(tile);
                    if adds {
                        pairs.for_each(|(sum, &value)| *sum += value);
                    } else {
                        pairs.for_each(|(out, &value)| *out = value);
                    }
                }
            }
        });
    }
}

/// Runs `work` on the chunks of a slice with their numbers.
fn each(is_parallel: bool, values: &mut [f32], len: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if is_parallel {
        values.par_chunks_mut(len).enumerate().for_each(|(i, chunk)| work(i, chunk));
    } else {
        values.chunks_mut(len).enumerate().for_each(|(i, chunk)| work(i, chunk));
    }
}

/// `height` rows from `first` on, side by side: `[inner, height]`; rows that do not exist are zero.
fn pack(from: Operand<'_, f32>, first: usize, height: usize, packed: &mut [f32]) {
    let present = height.min(from.size().0 - first);
    let stored = from.values.chunks_exact(from.stored_width);
    if from.is_transposed {
        // Copies of a length known to the compiler are no calls.
        match (present == height, height) {
            (true, 6) => return pack_columns::<6>(stored, first, packed),
            (true, 16) => return pack_columns::<16>(stored, first, packed),
            (true, 32) => return pack_columns::<32>(stored, first, packed),
            _ => {}
        }
        for (to, from) in packed.chunks_exact_mut(height).zip(stored) {
            to[..present].copy_from_slice(&from[first..first + present]);
            to[present..].fill(0.0);
        }
        return;
    }
    match (present == height, height) {
        (true, 6) => return pack_rows::<6>(from, first, packed),
        (true, 16) => return pack_rows::<16>(from, first, packed),
        (true, 32) => return pack_rows::<32>(from, first, packed),
        _ => packed.fill(0.0),
    }
    for (lane, from) in stored.skip(first).take(present).enumerate() {
        for (to, &value) in packed[lane..].iter_mut().step_by(height).zip(from) {
            *to = value;
        }
    }
}

fn pack_rows<const H: usize>(from: Operand<'_, f32>, first: usize, packed: &mut [f32]) {
    let width = from.stored_width;
    let rows: [&[f32]; H] =
        std::array::from_fn(|h| &from.values[(first + h) * width..(first + h + 1) * width]);
    let (packed, _) = packed.as_chunks_mut::<H>();
    for (i, to) in packed.iter_mut().enumerate().take(width) {
        for h in 0..H {
            to[h] = rows[h][i];
        }
    }
}

fn pack_columns<'a, const H: usize>(
    stored: impl Iterator<Item = &'a [f32]>,
    first: usize,
    packed: &mut [f32],
) {
    let (packed, _) = packed.as_chunks_mut::<H>();
    for (to, from) in packed.iter_mut().zip(stored) {
        if let Some(from) = from[first..].first_chunk::<H>() {
            *to = *from;
        }
    }
}

/// All rows of a block times one group of columns.
struct Column<'a> {
    /// `[rows / 6, inner, 6]`, the last panel as narrow as what is left.
    left: &'a [f32],
    /// `[inner, width]`.
    right: &'a [f32],
    inner: usize,
    /// `[rows, width]`.
    tiles: &'a mut [f32],
}

impl WithSimd for Column<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (right, _) = S::as_simd_f32s(self.right);
        let (tiles, _) = S::as_mut_simd_f32s(self.tiles);
        let panels = self.left.chunks(HEIGHT * self.inner).zip(tiles.chunks_mut(HEIGHT * VECTORS));
        for (left, tile) in panels {
            match tile.len() / VECTORS {
                6 => sum_tile::<S, 6>(simd, left, right, tile),
                5 => sum_tile::<S, 5>(simd, left, right, tile),
                4 => sum_tile::<S, 4>(simd, left, right, tile),
                3 => sum_tile::<S, 3>(simd, left, right, tile),
                2 => sum_tile::<S, 2>(simd, left, right, tile),
                _ => sum_tile::<S, 1>(simd, left, right, tile),
            }
        }
    }
}

#[inline(always)]
fn sum_tile<S: Simd, const H: usize>(simd: S, left: &[f32], right: &[S::f32s], tile: &mut [S::f32s]) {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; H];
    for (left, right) in left.chunks_exact(H).zip(right.chunks_exact(VECTORS)) {
        for h in 0..H {
            let value = simd.splat_f32s(left[h]);
            for v in 0..VECTORS {
                sums[h][v] = simd.mul_add_f32s(value, right[v], sums[h][v]);
            }
        }
    }
    for (to, sums) in tile.chunks_exact_mut(VECTORS).zip(&sums) {
        to.copy_from_slice(sums);
    }
}

#[cfg(test)]
mod tests;
