//! Products whose columns are shared among threads: who multiplies by a panel has packed it.
//!
//! For a right operand that is larger than the left one. Values are the same as if rows were shared.

use ndarray::{ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::pack::pack_panels;
use super::{Block, Left, Operand, Target, as_rows, parts};
use crate::kernels::partition::{CHUNKS, ranges, share, split_mut};
use crate::kernels::simd::arch;

/// The right operand, `[columns / width, inner, width]`.
pub(super) enum Panels<'a> {
    Packed(&'a [f32]),
    /// What is to be packed, and where.
    ToPack(Operand<'a, f32>, &'a mut [f32]),
}

/// Whether threads share columns: there are more of them than rows, and the left operand needs no packing.
pub(super) fn pays(left: Operand<'_, f32>, right: Operand<'_, f32>, width: usize, threads: bool) -> bool {
    let ((rows, inner), columns) = (left.size(), right.size().1);
    let parts = parts(rows * inner * columns, threads);
    !left.is_transposed && parts > 1 && columns > rows && columns >= parts * width
}

/// `out = left right`, or added to it, on all threads. The two numbers: columns, and columns of a panel.
pub(super) fn tiled(
    left: Operand<'_, f32>,
    panels: Panels<'_>,
    (columns, width): (usize, usize),
    adds: bool,
    out: &mut [f32],
) {
    let inner = left.size().1;
    let split = || ranges(columns.div_ceil(width), CHUNKS);
    let parts = split_columns(as_rows(out, columns), split().map(|panels| panels.len() * width));
    let one = |panels: &[f32], out: ArrayViewMut2<'_, f32>| {
        let (left, columns) = (Left::Rows(left.values), out.ncols());
        arch().dispatch(Block { left, panels, inner, columns, adds, target: Target::Rows(out) });
    };
    match panels {
        Panels::Packed(panels) => share(split().zip(parts), |(range, out)| {
            one(&panels[range.start * inner * width..range.end * inner * width], out);
        }),
        Panels::ToPack(right, memory) => {
            let memory = split_mut(memory, inner * width, split());
            share(split().zip(memory).zip(parts), |((range, panels), out)| {
                pack_panels(right.transposed(), range.start * width, width, panels);
                one(panels, out);
            });
        }
    }
}

/// Consecutive columns of the given numbers, the last perhaps fewer.
fn split_columns(
    out: ArrayViewMut2<'_, f32>,
    counts: impl Iterator<Item = usize>,
) -> impl Iterator<Item = ArrayViewMut2<'_, f32>> {
    let mut rest = Some(out);
    counts.map_while(move |count| {
        let out = rest.take()?;
        let count = count.min(out.ncols());
        let (part, after) = out.split_at(Axis(1), count);
        rest = Some(after);
        Some(part)
    })
}

/// `out` by columns: the transposed product of `left`, stored by rows, and panels of `width` rows of `out`.
pub(super) fn transposed(
    left: Operand<'_, f32>,
    panels: &[f32],
    width: usize,
    adds: bool,
    out: &mut [f32],
    threads: bool,
) {
    let (stored, inner) = left.size();
    let parts = parts(out.len() * inner, threads);
    let part_panels = panels.len().div_ceil(inner * width).div_ceil(parts);
    let part = |(panels, out): (&[f32], &mut [f32])| {
        let (left, columns) = (Left::Rows(left.values), out.len() / stored);
        arch().dispatch(Block { left, panels, inner, columns, adds, target: Target::Columns(out) });
    };
    if parts > 1 {
        let panels = panels.par_chunks(part_panels * inner * width);
        panels.zip(out.par_chunks_mut(part_panels * width * stored)).for_each(part);
    } else {
        part((panels, out));
    }
}
