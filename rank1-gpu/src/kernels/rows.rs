//! Device functions over rows of outputs: who holds which entry, sums in a fixed order, and a stable softmax.
//!
//! Every unit of a cube must call those that meet in shared memory, also units without a row.

use cubecl::prelude::*;

use crate::outputs::RowTiling;

/// Below every logit that counts; stands for minus infinity, which WGSL cannot write.
pub(crate) const LOWEST: f32 = -3.0e38;
/// Above every logit that counts.
const HIGHEST: f32 = 3.0e38;
/// Exponents below give zero in `f32`; languages of devices need not know minus infinity.
const LEAST_EXPONENT: f32 = -200.0;

/// What a unit works on.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Place {
    /// Place among the units of a row.
    pub(crate) lane: u32,
    /// Column of the whole launch.
    pub(crate) column: u32,
    /// Place among the rows of a column taken at once.
    pub(crate) group: u32,
}

/// Lanes are adjacent, then columns, so that neighbors read neighbors.
#[cube]
pub(crate) fn place(#[comptime] tiling: RowTiling) -> Place {
    let unit = UNIT_POS;
    let lane = unit % tiling.lanes;
    let column = CUBE_POS as u32 * tiling.columns + (unit / tiling.lanes) % tiling.columns;
    let group = unit / comptime!(tiling.lanes * tiling.columns);
    Place { lane, column, group }
}

/// How values of several units become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fold {
    /// Their sum.
    Sum,
    /// The largest; NaN may be dropped.
    Max,
}

/// One value from `count` units that lie `stride` apart, in every one of them and always in the same order.
#[cube]
pub(crate) fn fold_over(
    value: f32,
    at: u32,
    shared: &mut Shared<[f32]>,
    #[comptime] stride: u32,
    #[comptime] count: u32,
    #[comptime] fold: Fold,
) -> f32 {
    if comptime!(count == 1) {
        value
    } else {
        let unit = UNIT_POS;
        // The result of an earlier call may still be read.
        sync_cube();
        shared[unit as usize] = value;
        #[unroll]
        for level in 0..comptime!(count.ilog2()) {
            sync_cube();
            let half = comptime!(count >> (level + 1));
            if at < half {
                let own = shared[unit as usize];
                let other = shared[(unit + comptime!(half * stride)) as usize];
                shared[unit as usize] = match comptime!(fold) {
                    Fold::Sum => own + other,
                    Fold::Max => max(own, other),
                };
            }
        }
        sync_cube();
        shared[(unit - at * stride) as usize]
    }
}

/// [`fold_over`] the units of a row.
#[cube]
pub(crate) fn fold_lanes(
    value: f32,
    lane: u32,
    shared: &mut Shared<[f32]>,
    #[comptime] tiling: RowTiling,
    #[comptime] fold: Fold,
) -> f32 {
    fold_over(value, lane, shared, 1u32, comptime!(tiling.lanes), fold)
}

/// [`fold_over`] the rows of a column that are taken at once.
#[cube]
pub(crate) fn fold_groups(
    value: f32,
    group: u32,
    shared: &mut Shared<[f32]>,
    #[comptime] tiling: RowTiling,
    #[comptime] fold: Fold,
) -> f32 {
    fold_over(value, group, shared, comptime!(tiling.lanes * tiling.columns), comptime!(tiling.groups), fold)
}

/// A row's softmax before the division by `total`.
#[derive(CubeType)]
pub(crate) struct SoftmaxRow {
    /// `exp(z - largest)` of this unit's entries, 0 behind the end of the row.
    pub(crate) entries: Array<f32>,
    /// Largest logit of the row.
    pub(crate) largest: f32,
    /// Sum of all entries of the row.
    pub(crate) total: f32,
    /// NaN if the row holds NaN or `+inf` or nothing above minus infinity, else 0: the device's own functions need not
    /// let NaN pass.
    pub(crate) poison: f32,
}

/// Reads a row of `width` logits once and normalizes it.
#[cube]
pub(crate) fn softmax_row<F: Float>(
    logits: &[F],
    row: u32,
    width: u32,
    lane: u32,
    shared: &mut Shared<[f32]>,
    not_a_number: f32,
    #[comptime] tiling: RowTiling,
) -> SoftmaxRow {
    let n = comptime!(tiling.per_lane as usize);
    let mut entries = Array::<f32>::new(n);
    let mut top = LOWEST.runtime();
    let mut spoiled = 0.0f32;
    #[unroll(n <= 8)]
    for i in 0..n {
        let c = lane + i as u32 * tiling.lanes;
        entries[i] = LOWEST;
        if c < width {
            let z = f32::cast_from(logits[(row * width + c) as usize]);
            entries[i] = z;
            let bad = z.is_nan() || z > HIGHEST;
            spoiled = select(bad, not_a_number, spoiled);
            top = max(top, select(bad, LOWEST, z));
        }
    }
    let largest = fold_lanes(top, lane, shared, tiling, Fold::Max);
    let mut part = spoiled;
    #[unroll(n <= 8)]
    for i in 0..n {
        let c = lane + i as u32 * tiling.lanes;
        let below = max(entries[i] - largest, LEAST_EXPONENT);
        let e = select(c < width, below.exp(), 0.0f32);
        entries[i] = e;
        part += e;
    }
    let total = fold_lanes(part, lane, shared, tiling, Fold::Sum);
    let poison = select(total.is_nan() || largest <= LOWEST, not_a_number, 0.0f32);
    SoftmaxRow { entries, largest, total, poison }
}
