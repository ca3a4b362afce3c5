//! One product of two matrices for every layer: register tiles of packed operands in single precision, ndarray in double.
//!
//! The sum behind every value runs over the inner dimension in order, whatever the number of threads. Not for checking
//! lengths; callers have.

mod by_columns;
mod pack;
mod tile;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use self::by_columns::Panels;
use self::pack::{pack, pack_panels};
use self::tile::VECTORS;
pub(crate) use self::tile::{Block, Left, Target};
use crate::Real;
use crate::kernels::scratch::AlignedBuffer;
use crate::kernels::simd::{arch, f32_lanes, vector_registers};

/// Values of the left operand that are packed at a time: about what a core's second cache holds beside a panel.
const BLOCK: usize = 64_000;
/// Multiply-adds below which threads cost more than they save.
const PARALLEL: usize = 1 << 20;
/// As [`PARALLEL`], of values to be copied.
const PARALLEL_COPIES: usize = 1 << 16;

/// Packed operands, kept between steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProductScratch {
    pub(crate) left: AlignedBuffer,
    right: AlignedBuffer,
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
    pub(crate) fn new(operand: Operand<'a, F>, memory: &'a mut AlignedBuffer, threads: bool) -> Self {
        let panels = tile_width().zip(operand.as_f32()).map(|(width, operand)| {
            let (inner, columns) = operand.size();
            let count = columns.div_ceil(width);
            let panels = memory.fit(count * inner * width);
            let is_parallel = threads && panels.len() >= PARALLEL_COPIES;
            let parts = if is_parallel { rayon::current_num_threads() } else { 1 };
            let part_panels = count.div_ceil(parts);
            let part_len = (part_panels * inner * width).max(1);
            let one = |(part, panels): (usize, &mut [f32])| {
                pack_panels(operand.transposed(), part * part_panels * width, width, panels);
            };
            if is_parallel {
                panels.par_chunks_mut(part_len).enumerate().for_each(one);
            } else {
                panels.chunks_mut(part_len).enumerate().for_each(one);
            }
            &*panels
        });
        Self { operand, panels }
    }

    /// What an earlier [`Packed::new`] of the same operand has left in `memory`.
    pub(crate) fn again(operand: Operand<'a, F>, memory: &'a AlignedBuffer) -> Self {
        let panels = tile_width().zip(operand.as_f32()).map(|(width, operand)| {
            let (inner, columns) = operand.size();
            memory.kept(columns.div_ceil(width) * inner * width)
        });
        Self { operand, panels }
    }
}

fn tile_height() -> usize {
    tile::height(vector_registers())
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
    if let Some((left, right, width)) = smaller_on_the_right(left, right, threads)
        && let Some(out) = F::as_f32_mut(out)
    {
        let panels = Packed::new(right, packed_right, threads).panels.expect("there are tiles");
        by_columns::transposed(left, panels, width, adds, out, threads);
        return;
    }
    if let Some(width) = tile_width()
        && let (Some(left), Some(right)) = (left.as_f32(), right.as_f32())
        && by_columns::pays(left, right, width, threads)
        && let Some(out) = F::as_f32_mut(out)
    {
        let (inner, columns) = right.size();
        let panels = Panels::ToPack(right, packed_right.fit(columns.div_ceil(width) * inner * width));
        by_columns::tiled(left, panels, (columns, width), adds, out);
        return;
    }
    let right = Packed::new(right, packed_right, threads);
    multiply_packed(left, right, adds, out, packed_left, threads);
}

/// The operands of the transposed product, `outᵀ = rightᵀ leftᵀ`, where that saves work: a right operand that is to be read
/// by columns is expensive to pack, and none if it is on the left. Also the width of a panel.
fn smaller_on_the_right<'a, F: Real>(
    left: Operand<'a, F>,
    right: Operand<'a, F>,
    threads: bool,
) -> Option<(Operand<'a, f32>, Operand<'a, f32>, usize)> {
    let (width, (rows, inner), columns) = (tile_width()?, left.size(), right.size().1);
    let panels = rows.div_ceil(width);
    let pays = right.is_transposed && !left.is_transposed && panels * width <= columns;
    (pays && panels >= parts(rows * inner * columns, threads)).then_some(())?;
    Some((right.transposed().as_f32()?, left.transposed().as_f32()?, width))
}

/// `out = left right`, or added to it; `memory` is worked in.
pub(crate) fn multiply_packed<F: Real>(
    left: Operand<'_, F>,
    right: Packed<'_, F>,
    adds: bool,
    out: &mut [F],
    memory: &mut AlignedBuffer,
    threads: bool,
) {
    let ((rows, inner), columns) = (left.size(), right.operand.size().1);
    if out.is_empty() {
        return;
    }
    if let (Some(panels), Some(left), Some(out)) = (right.panels, left.as_f32(), F::as_f32_mut(out)) {
        if let (Some(width), Some(right)) = (tile_width(), right.operand.as_f32())
            && by_columns::pays(left, right, width, threads)
        {
            by_columns::tiled(left, Panels::Packed(panels), (columns, width), adds, out);
            return;
        }
        tiled(left, panels, (inner, columns), adds, out, memory, threads);
        return;
    }
    let keep = if adds { F::one() } else { F::zero() };
    let mut out = ArrayViewMut2::from_shape((rows, columns), out).expect("whole rows");
    general_mat_mul(F::one(), &left.view(), &right.operand.view(), keep, &mut out);
}

/// `[rows, columns]`.
pub(crate) fn as_rows(values: &mut [f32], columns: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((values.len() / columns, columns), values).expect("whole rows")
}

/// How many threads share so many multiply-adds.
fn parts(multiply_adds: usize, threads: bool) -> usize {
    if threads && multiply_adds >= PARALLEL { rayon::current_num_threads() } else { 1 }
}

fn tiled(
    left: Operand<'_, f32>,
    panels: &[f32],
    (inner, columns): (usize, usize),
    adds: bool,
    out: &mut [f32],
    memory: &mut AlignedBuffer,
    threads: bool,
) {
    let (rows, height) = (out.len() / columns, tile_height());
    if inner == 0 {
        if !adds {
            out.fill(0.0);
        }
        return;
    }
    // Every value is summed by one thread, so that the division may follow the number of threads.
    let parts = parts(rows * inner * columns, threads);
    let part_rows = rows.div_ceil(parts).next_multiple_of(height);
    let block_rows = (BLOCK / inner / height).max(4).saturating_mul(height).min(part_rows);
    let (packed_len, out_len) = (block_rows * inner, part_rows * columns);
    let block = |left: Left<'_>, out: &mut [f32]| {
        let out = as_rows(out, columns);
        arch().dispatch(Block { left, panels, inner, columns, adds, target: Target::Rows(out) });
    };
    if !left.is_transposed {
        let part = |(left, out): (&[f32], &mut [f32])| {
            let blocks = left.chunks(packed_len).zip(out.chunks_mut(block_rows * columns));
            blocks.for_each(|(left, out)| block(Left::Rows(left), out));
        };
        if parts > 1 {
            left.values.par_chunks(part_rows * inner).zip(out.par_chunks_mut(out_len)).for_each(part);
        } else {
            part((left.values, out));
        }
        return;
    }
    let packed = memory.fit(rows.div_ceil(part_rows) * packed_len);
    let part = |(number, (packed, out)): (usize, (&mut [f32], &mut [f32]))| {
        for (group, out) in out.chunks_mut(block_rows * columns).enumerate() {
            let first = number * part_rows + group * block_rows;
            let packed = &mut packed[..out.len() / columns * inner];
            for (panel, packed) in packed.chunks_mut(height * inner).enumerate() {
                pack(left, first + panel * height, packed.len() / inner, packed);
            }
            block(Left::Panels(packed), out);
        }
    };
    if parts > 1 {
        packed.par_chunks_mut(packed_len).zip(out.par_chunks_mut(out_len)).enumerate().for_each(part);
    } else {
        packed.chunks_mut(packed_len).zip(out.chunks_mut(out_len)).enumerate().for_each(part);
    }
}
