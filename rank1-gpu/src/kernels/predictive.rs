//! Kernels of the predictive: sums of probabilities over samples, then what members together say of an example.
//!
//! A column of the first is a member's example, of the second an example; all entries of a row stay in registers.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::rows::{Fold, LOWEST, Place, fold_lanes, place, softmax_row};
use crate::outputs::{MAX_UNITS, RowTiling};

/// Class of an example whose probabilities are NaN.
pub(crate) const NO_CLASS: u32 = u32::MAX;

/// `prob_sum[k, n, c]` and `entropy_sum[k, n]`: sums over the samples of `logits[s, k, n, c]`, on top of what they hold
/// unless this is the `first` chunk.
#[cube(launch_unchecked)]
pub(crate) fn add_samples<F: Float>(
    logits: &[F],
    prob_sum: &mut [f32],
    entropy_sum: &mut [f32],
    n_samples: u32,
    n_columns: u32,
    width: u32,
    not_a_number: f32,
    #[comptime] tiling: RowTiling,
    #[comptime] sigmoid: bool,
    #[comptime] first: bool,
    #[define(F)] _stored: ElemType,
) {
    let mut shared = Shared::<[f32]>::new_slice(MAX_UNITS);
    let Place { lane, column, .. } = place(tiling);
    let live = column < n_columns;
    let column = select(live, column, 0u32);
    let n = comptime!(tiling.per_lane as usize);
    let mut sums = Array::<f32>::new(n);
    let mut entropy = 0.0f32;
    for sample in 0..n_samples {
        let row = sample * n_columns + column;
        let softmax =
            softmax_row::<F>(logits, row, width, lane, &mut shared, not_a_number, tiling, sigmoid, true);
        #[unroll(n <= 8)]
        for i in 0..n {
            sums[i] += softmax.entries[i] / softmax.total + softmax.poison;
        }
        // -sum p ln p, with ln p = (z - largest) - ln(total).
        entropy += softmax.total.ln() - softmax.moment / softmax.total + softmax.poison;
    }
    if live {
        #[unroll(n <= 8)]
        for i in 0..n {
            let c = lane + i as u32 * tiling.lanes;
            if c < width {
                let at = (column * width + c) as usize;
                let before = if comptime!(first) { 0.0f32.runtime() } else { prob_sum[at] };
                prob_sum[at] = before + sums[i];
            }
        }
        if lane == 0u32 {
            let before = if comptime!(first) { 0.0f32.runtime() } else { entropy_sum[column as usize] };
            entropy_sum[column as usize] = before + entropy;
        }
    }
}

/// From the sums of members to `probs[n, c]`, `classes[k, n]` and four rows of `summary[.., n]`: entropy of the mixture,
/// expected entropy, mutual information and the fraction of pairs of members that name different classes.
#[cube(launch_unchecked)]
pub(crate) fn summarize(
    prob_sum: &[f32],
    entropy_sum: &[f32],
    probs: &mut [f32],
    classes: &mut [u32],
    summary: &mut [f32],
    n_members: u32,
    n_examples: u32,
    width: u32,
    n_draws: f32,
    n_pairs: f32,
    not_a_number: f32,
    #[comptime] tiling: RowTiling,
) {
    let mut shared = Shared::<[f32]>::new_slice(MAX_UNITS);
    let Place { lane, column, .. } = place(tiling);
    let live = column < n_examples;
    let example = select(live, column, 0u32);
    let n = comptime!(tiling.per_lane as usize);
    let mut sums = Array::<f32>::new(n);
    let mut entropy = 0.0f32;
    let mut differing = 0.0f32;
    for member in 0..n_members {
        let row = member * n_examples + example;
        let mut top = LOWEST.runtime();
        let mut own = Array::<f32>::new(n);
        #[unroll(n <= 8)]
        for i in 0..n {
            let c = lane + i as u32 * tiling.lanes;
            own[i] = LOWEST;
            if c < width {
                let p = prob_sum[(row * width + c) as usize];
                own[i] = p;
                sums[i] += p;
                top = max(top, p);
            }
        }
        let largest = fold_lanes(top, lane, &mut shared, tiling, Fold::Max);
        // The first class of the largest probability, as the largest of the negated numbers.
        let mut negated = LOWEST.runtime();
        #[unroll(n <= 8)]
        for i in 0..n {
            let c = lane + i as u32 * tiling.lanes;
            negated = max(negated, select(own[i] == largest, -f32::cast_from(c), LOWEST));
        }
        let class = fold_lanes(negated, lane, &mut shared, tiling, Fold::Max);
        let part = entropy_sum[row as usize];
        entropy += part;
        if live && lane == 0u32 {
            let class = select(part.is_nan(), NO_CLASS, u32::cast_from(-class));
            classes[row as usize] = class;
            // This unit alone writes and reads the classes of its example.
            for other in 0..member {
                differing +=
                    select(classes[(other * n_examples + example) as usize] == class, 0.0f32, 1.0f32);
            }
        }
    }
    let poison = select(entropy.is_nan(), not_a_number, 0.0f32);
    let mut part = 0.0f32;
    #[unroll(n <= 8)]
    for i in 0..n {
        let c = lane + i as u32 * tiling.lanes;
        if c < width {
            let p = sums[i] / n_draws;
            // Nothing for a probability of zero.
            part += select(p > 0.0f32, -p * max(p, 1e-38f32).ln(), 0.0f32);
            if live {
                probs[(example * width + c) as usize] = p + poison;
            }
        }
    }
    let total = max(fold_lanes(part, lane, &mut shared, tiling, Fold::Sum), 0.0f32);
    if live && lane == 0u32 {
        let expected = entropy / n_draws;
        summary[example as usize] = total + poison;
        summary[(n_examples + example) as usize] = expected;
        summary[(2u32 * n_examples + example) as usize] = max(total - expected, 0.0f32) + poison;
        let disagreement = select(n_members > 1u32, differing / n_pairs, not_a_number);
        summary[(3u32 * n_examples + example) as usize] = disagreement + poison;
    }
}
