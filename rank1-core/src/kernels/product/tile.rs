//! The product in registers: tiles of some rows and two vectors of columns, summed over the whole inner dimension in order.

use ndarray::ArrayViewMut2;
use pulp::{Simd, WithSimd};

/// Columns of a tile are this many vectors; its rows are [`height`].
pub(super) const VECTORS: usize = 2;

/// Sums of the largest tile: 12 rows of two vectors of 16 values.
const MOST_SUMS: usize = 384;

/// Rows of a tile: as many as leave registers for the operands.
pub(super) const fn height(registers: usize) -> usize {
    if registers >= 32 { 12 } else { 6 }
}

/// Some rows of the left operand.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    /// `[rows, inner]`.
    Rows(&'a [f32]),
    /// `[rows / height, inner, height]`, the last panel as narrow as what is left.
    Panels(&'a [f32]),
}

/// Where the product goes.
pub(crate) enum Target<'a> {
    /// `[rows, columns]`, each row in one piece.
    Rows(ArrayViewMut2<'a, f32>),
    /// `[columns, rows]`.
    Columns(&'a mut [f32]),
}

/// Some rows of the left operand times some panels of the right one.
pub(crate) struct Block<'a> {
    pub(crate) left: Left<'a>,
    /// `[panels, inner, width]`, the last one filled up.
    pub(crate) panels: &'a [f32],
    pub(crate) inner: usize,
    pub(crate) columns: usize,
    pub(crate) adds: bool,
    pub(crate) target: Target<'a>,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        match self.target {
            // One panel stays near while rows go by, or some rows while panels do.
            Target::Rows(_) => {
                for panel in 0..self.columns.div_ceil(VECTORS * S::F32_LANES) {
                    for tile in 0..self.rows().div_ceil(height(S::REGISTER_COUNT)) {
                        self.tile(simd, tile, panel);
                    }
                }
            }
            Target::Columns(_) => {
                for tile in 0..self.rows().div_ceil(height(S::REGISTER_COUNT)) {
                    for panel in 0..self.columns.div_ceil(VECTORS * S::F32_LANES) {
                        self.tile(simd, tile, panel);
                    }
                }
            }
        }
    }
}

impl Block<'_> {
    fn rows(&self) -> usize {
        let (Left::Rows(left) | Left::Panels(left)) = self.left;
        left.len() / self.inner
    }

    #[inline(always)]
    fn tile<S: Simd>(&mut self, simd: S, tile: usize, panel: usize) {
        let height = height(S::REGISTER_COUNT);
        match height.min(self.rows() - tile * height) {
            12 => self.tile_of::<S, 12>(simd, tile, panel),
            11 => self.tile_of::<S, 11>(simd, tile, panel),
            10 => self.tile_of::<S, 10>(simd, tile, panel),
            9 => self.tile_of::<S, 9>(simd, tile, panel),
            8 => self.tile_of::<S, 8>(simd, tile, panel),
            7 => self.tile_of::<S, 7>(simd, tile, panel),
            6 => self.tile_of::<S, 6>(simd, tile, panel),
            5 => self.tile_of::<S, 5>(simd, tile, panel),
            4 => self.tile_of::<S, 4>(simd, tile, panel),
            3 => self.tile_of::<S, 3>(simd, tile, panel),
            2 => self.tile_of::<S, 2>(simd, tile, panel),
            _ => self.tile_of::<S, 1>(simd, tile, panel),
        }
    }

    #[inline(always)]
    fn tile_of<S: Simd, const H: usize>(&mut self, simd: S, tile: usize, panel: usize) {
        let (inner, width) = (self.inner, VECTORS * S::F32_LANES);
        let (row, column) = (tile * height(S::REGISTER_COUNT), panel * width);
        let (right, _) = S::as_simd_f32s(&self.panels[column * inner..][..inner * width]);
        let sums = match self.left {
            Left::Rows(left) => sums_of_rows::<S, H>(simd, &left[row * inner..][..H * inner], inner, right),
            Left::Panels(left) => sums_of_panel::<S, H>(simd, &left[row * inner..][..H * inner], right),
        };
        let width = width.min(self.columns - column);
        let rows = self.rows();
        match &mut self.target {
            Target::Rows(out) => {
                for (h, sums) in sums.iter().enumerate() {
                    let out = out.row_mut(row + h).into_slice().expect("rows in one piece");
                    store(simd, sums, &mut out[column..column + width], self.adds);
                }
            }
            Target::Columns(out) => {
                store_columns::<S, H>(sums, &mut out[column * rows..], (rows, row, width), self.adds);
            }
        }
    }
}

#[inline(always)]
fn sums_of_panel<S: Simd, const H: usize>(
    simd: S,
    left: &[f32],
    right: &[S::f32s],
) -> [[S::f32s; VECTORS]; H] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; H];
    for (left, right) in left.chunks_exact(H).zip(right.chunks_exact(VECTORS)) {
        add_product::<S, H>(simd, |h| left[h], right, &mut sums);
    }
    sums
}

#[inline(always)]
fn sums_of_rows<S: Simd, const H: usize>(
    simd: S,
    left: &[f32],
    inner: usize,
    right: &[S::f32s],
) -> [[S::f32s; VECTORS]; H] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; H];
    let mut rows = [&left[..inner]; H];
    for (h, row) in rows.iter_mut().enumerate() {
        *row = &left[h * inner..][..inner];
    }
    for (i, right) in (0..inner).zip(right.chunks_exact(VECTORS)) {
        add_product::<S, H>(simd, |h| rows[h][i], right, &mut sums);
    }
    sums
}

/// Adds a column of the left operand times a row of the right one.
#[inline(always)]
fn add_product<S: Simd, const H: usize>(
    simd: S,
    left: impl Fn(usize) -> f32,
    right: &[S::f32s],
    sums: &mut [[S::f32s; VECTORS]; H],
) {
    for (h, sums) in sums.iter_mut().enumerate() {
        let value = simd.splat_f32s(left(h));
        for (sum, &right) in sums.iter_mut().zip(right) {
            *sum = simd.mul_add_f32s(value, right, *sum);
        }
    }
}

/// Into as many columns as exist.
#[inline(always)]
fn store<S: Simd>(simd: S, sums: &[S::f32s; VECTORS], out: &mut [f32], adds: bool) {
    if out.len() == VECTORS * S::F32_LANES {
        let (out, _) = S::as_mut_simd_f32s(out);
        for (value, &sum) in out.iter_mut().zip(sums) {
            *value = if adds { simd.add_f32s(*value, sum) } else { sum };
        }
        return;
    }
    for (values, &sum) in out.chunks_mut(S::F32_LANES).zip(sums) {
        let sum = if adds { simd.add_f32s(simd.partial_load_f32s(values), sum) } else { sum };
        simd.partial_store_f32s(values, sum);
    }
}

/// The three numbers: length of a stored row, first place in it and rows that exist.
#[inline(always)]
fn store_columns<S: Simd, const H: usize>(
    sums: [[S::f32s; VECTORS]; H],
    out: &mut [f32],
    (stored, first, width): (usize, usize, usize),
    adds: bool,
) {
    // Through memory of its own: sums whose address is taken would leave their registers in the loop before.
    let mut values = [0.0; MOST_SUMS];
    let (vectors, _) = S::as_mut_simd_f32s(&mut values[..H * VECTORS * S::F32_LANES]);
    for (h, sums) in sums.into_iter().enumerate() {
        for (v, sum) in sums.into_iter().enumerate() {
            vectors[h * VECTORS + v] = sum;
        }
    }
    for (column, out) in out.chunks_exact_mut(stored).take(width).enumerate() {
        for (h, to) in out[first..first + H].iter_mut().enumerate() {
            let value = values[h * VECTORS * S::F32_LANES + column];
            *to = if adds { *to + value } else { value };
        }
    }
}
