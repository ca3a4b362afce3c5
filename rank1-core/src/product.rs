//! One product of two matrices for every layer: register tiles of packed operands in single precision, ndarray in double.
//!
//! The sum behind every value runs over the inner dimension in order, whatever the number of threads. Not for checking
//! lengths; callers have.

mod pack;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use self::pack::pack;
use crate::Real;
use crate::scratch::{aligned, fit_aligned};
use crate::simd::{arch, f32_lanes, vector_registers};

/// Columns of a register tile are this many vectors; its rows are [`tile_height`].
const VECTORS: usize = 2;
/// Values of the left operand that are packed at a time: about what a core's second cache holds beside a panel.
const BLOCK: usize = 64_000;
/// Multiply-adds below which threads cost more than they save.
const PARALLEL: usize = 1 << 20;
/// As [`PARALLEL`], of values to be copied.
const PARALLEL_COPIES: usize = 1 << 16;

/// Packed operands, kept between steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProductScratch {
    pub(crate) left: Vec<f32>,
    right: Vec<f32>,
}

/// A matrix stored by rows, perhaps to be read by columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a, F> {
    values: &'a [F],
    /// Length of a stored row.
    stored_width: usize,
    is_transposed: bool,
}

impl<'a, F: Real> Operand<'a, F> {
    pub(crate) fn new(values: &'a [F], stored_width: usize) -> Self {
        Self { values, stored_width, is_transposed: false }
    }

    pub(crate) fn transposed(self) -> Self {
        Self { is_transposed: !self.is_transposed, ..self }
    }

    fn stored(&self) -> (usize, usize) {
        (self.values.len() / self.stored_width, self.stored_width)
    }

    /// Rows and columns as they are read.
    fn size(&self) -> (usize, usize) {
        let stored = self.stored();
        if self.is_transposed { (stored.1, stored.0) } else { stored }
    }

    fn view(&self) -> ArrayView2<'a, F> {
        let view = ArrayView2::from_shape(self.stored(), self.values).expect("whole rows");
        if self.is_transposed { view.reversed_axes() } else { view }
    }

    fn as_f32(&self) -> Option<Operand<'a, f32>> {
        let values = F::as_f32(self.values)?;
        Some(Operand { values, stored_width: self.stored_width, is_transposed: self.is_transposed })
    }
}

/// A right operand, packed where the machine has vectors and the values are of single precision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed<'a, F> {
    operand: Operand<'a, F>,
    /// `[columns / width, inner, width]`, the last panel filled up with zeros; none where tiles are not used.
    panels: Option<&'a [f32]>,
}

impl<'a, F: Real> Packed<'a, F> {
    /// Packs into `memory`, on all threads if there is enough to copy and `threads` allows it.
    pub(crate) fn new(operand: Operand<'a, F>, memory: &'a mut Vec<f32>, threads: bool) -> Self {
        let panels = tile_width().zip(operand.as_f32()).map(|(width, operand)| {
            let (inner, columns) = operand.size();
            let panels = fit_aligned(memory, columns.div_ceil(width) * inner * width);
            let one = |(group, panel): (usize, &mut [f32])| {
                pack(operand.transposed(), group * width, width, panel);
            };
            let len = (inner * width).max(1);
            if threads && panels.len() >= PARALLEL_COPIES {
                panels.par_chunks_exact_mut(len).enumerate().for_each(one);
            } else {
                panels.chunks_exact_mut(len).enumerate().for_each(one);
            }
            &*panels
        });
        Self { operand, panels }
    }

    /// What an earlier [`Packed::new`] of the same operand has left in `memory`.
    pub(crate) fn again(operand: Operand<'a, F>, memory: &'a [f32]) -> Self {
        let panels = tile_width().zip(operand.as_f32()).map(|(width, operand)| {
            let (inner, columns) = operand.size();
            aligned(memory, columns.div_ceil(width) * inner * width)
        });
        Self { operand, panels }
    }
}

/// Rows of a tile: as many as leave registers for the operands.
const fn height(registers: usize) -> usize {
    if registers >= 32 { 8 } else { 6 }
}

fn tile_height() -> usize {
    height(vector_registers())
}

/// Columns of a tile; none on a machine without vectors.
fn tile_width() -> Option<usize> {
    let lanes = f32_lanes();
    (lanes > 1).then_some(VECTORS * lanes)
}

/// `out = left right`, or added to it; on all threads if there is enough to do and `threads` allows it.
pub(crate) fn multiply<F: Real>(
    left: Operand<'_, F>,
    right: Operand<'_, F>,
    adds: bool,
    out: &mut [F],
    scratch: &mut ProductScratch,
    threads: bool,
) {
    let ProductScratch { left: packed_left, right: packed_right } = scratch;
    let right = Packed::new(right, packed_right, threads);
    multiply_packed(left, right, adds, out, packed_left, threads);
}

/// `out = left right`, or added to it; `memory` is worked in.
pub(crate) fn multiply_packed<F: Real>(
    left: Operand<'_, F>,
    right: Packed<'_, F>,
    adds: bool,
    out: &mut [F],
    memory: &mut Vec<f32>,
    threads: bool,
) {
    let ((rows, inner), columns) = (left.size(), right.operand.size().1);
    if out.is_empty() {
        return;
    }
    if let (Some(panels), Some(left), Some(out)) = (right.panels, left.as_f32(), F::as_f32_mut(out)) {
        tiled(left, panels, (inner, columns), adds, out, memory, threads);
        return;
    }
    let keep = if adds { F::one() } else { F::zero() };
    let mut out = ArrayViewMut2::from_shape((rows, columns), out).expect("whole rows");
    general_mat_mul(F::one(), &left.view(), &right.operand.view(), keep, &mut out);
}

fn tiled(
    left: Operand<'_, f32>,
    panels: &[f32],
    (inner, columns): (usize, usize),
    adds: bool,
    out: &mut [f32],
    memory: &mut Vec<f32>,
    threads: bool,
) {
    let (rows, height) = (out.len() / columns, tile_height());
    if inner == 0 {
        if !adds {
            out.fill(0.0);
        }
        return;
    }
    let is_parallel = threads && rows * inner * columns >= PARALLEL && rows >= 2 * height;
    // Every value is summed by one thread, so that the division may follow the number of threads.
    let parts = if is_parallel { rayon::current_num_threads() } else { 1 };
    let part_rows = rows.div_ceil(parts).next_multiple_of(height);
    let block_rows = (BLOCK / inner / height).max(4).saturating_mul(height).min(part_rows);
    let packed = fit_aligned(memory, rows.div_ceil(part_rows) * block_rows * inner);
    let part = |(number, (packed, out)): (usize, (&mut [f32], &mut [f32]))| {
        for (block, out) in out.chunks_mut(block_rows * columns).enumerate() {
            let (first, count) = (number * part_rows + block * block_rows, out.len() / columns);
            let packed = &mut packed[..count * inner];
            for (panel, packed) in packed.chunks_mut(height * inner).enumerate() {
                pack(left, first + panel * height, packed.len() / inner, packed);
            }
            arch().dispatch(Block { left: packed, panels, inner, columns, adds, out });
        }
    };
    let (packed_len, out_len) = (block_rows * inner, part_rows * columns);
    if is_parallel {
        packed.par_chunks_mut(packed_len).zip(out.par_chunks_mut(out_len)).enumerate().for_each(part);
    } else {
        packed.chunks_mut(packed_len).zip(out.chunks_mut(out_len)).enumerate().for_each(part);
    }
}

/// Some packed rows times the whole right operand.
struct Block<'a> {
    /// `[rows / height, inner, height]`, the last panel as narrow as what is left.
    left: &'a [f32],
    panels: &'a [f32],
    inner: usize,
    columns: usize,
    adds: bool,
    /// `[rows, columns]`.
    out: &'a mut [f32],
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { left, panels, inner, columns, adds, out } = self;
        let (width, height) = (VECTORS * S::F32_LANES, height(S::REGISTER_COUNT));
        for (group, panel) in panels.chunks_exact(inner * width).enumerate() {
            let (right, _) = S::as_simd_f32s(panel);
            let rows = left.chunks(height * inner).zip(out.chunks_mut(height * columns));
            for (left, out) in rows {
                let to = Target { out, columns, first: group * width, adds };
                match left.len() / inner {
                    8 => sum_tile::<S, 8>(simd, left, right, to),
                    7 => sum_tile::<S, 7>(simd, left, right, to),
                    6 => sum_tile::<S, 6>(simd, left, right, to),
                    5 => sum_tile::<S, 5>(simd, left, right, to),
                    4 => sum_tile::<S, 4>(simd, left, right, to),
                    3 => sum_tile::<S, 3>(simd, left, right, to),
                    2 => sum_tile::<S, 2>(simd, left, right, to),
                    _ => sum_tile::<S, 1>(simd, left, right, to),
                }
            }
        }
    }
}

/// Where a tile goes: some rows, from column `first` on.
struct Target<'a> {
    out: &'a mut [f32],
    columns: usize,
    first: usize,
    adds: bool,
}

#[inline(always)]
fn sum_tile<S: Simd, const H: usize>(simd: S, left: &[f32], right: &[S::f32s], to: Target<'_>) {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; H];
    for (left, right) in left.chunks_exact(H).zip(right.chunks_exact(VECTORS)) {
        for h in 0..H {
            let value = simd.splat_f32s(left[h]);
            for v in 0..VECTORS {
                sums[h][v] = simd.mul_add_f32s(value, right[v], sums[h][v]);
            }
        }
    }
    let width = (to.columns - to.first).min(VECTORS * S::F32_LANES);
    for (row, sums) in to.out.chunks_exact_mut(to.columns).zip(&sums) {
        let row = &mut row[to.first..to.first + width];
        if width == VECTORS * S::F32_LANES {
            let (row, _) = S::as_mut_simd_f32s(row);
            for (value, &sum) in row.iter_mut().zip(sums) {
                *value = if to.adds { simd.add_f32s(*value, sum) } else { sum };
            }
            continue;
        }
        for (values, &sum) in row.chunks_mut(S::F32_LANES).zip(sums) {
            let sum = if to.adds { simd.add_f32s(simd.partial_load_f32s(values), sum) } else { sum };
            simd.partial_store_f32s(values, sum);
        }
    }
}
