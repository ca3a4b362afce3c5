//! Kernels of the negative log-likelihood: rows are read twice, once for the loss of their example, once for gradients.
//!
//! The launch turns forms into two: the average, and every other is the mixture. One launch for values and gradients of the outputs; the noise scale of a member takes a second one.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::elementary::{sigmoid, softplus};
use super::rows::{Fold, LOWEST, Place, fold_groups, fold_over, place, softmax_row};
use crate::outputs::{MAX_UNITS, RowTiling};
use crate::{Likelihood, NllForm};

const LN_TWO_PI: f32 = 1.837_877_1;
const NOISE_FLOOR: f32 = 1e-6;

/// What was learned of the terms of an example so far.
#[derive(CubeType, Clone, Copy)]
struct Terms {
    /// Largest log-likelihood; only for the mixture.
    largest: f32,
    /// Sum of log-likelihoods, or of `exp(log-likelihood - largest)`.
    total: f32,
    /// NaN if any term is, else 0.
    poison: f32,
}

#[cube]
fn no_terms() -> Terms {
    Terms { largest: LOWEST.runtime(), total: 0.0f32.runtime(), poison: 0.0f32.runtime() }
}

#[cube]
fn add_term(terms: &mut Terms, value: f32, counts: bool, #[comptime] form: NllForm) {
    terms.poison = select(counts && value.is_nan(), value, terms.poison);
    match comptime!(form) {
        NllForm::AverageNll => terms.total += select(counts, value, 0.0f32),
        _ => {
            let largest = max(terms.largest, select(counts, value, LOWEST));
            let earlier = terms.total * (terms.largest - largest).exp();
            terms.total = earlier + select(counts, (value - largest).exp(), 0.0f32);
            terms.largest = largest;
        }
    }
}

/// The terms of all groups of an example, in each of its units.
#[cube]
fn all_terms(
    terms: &Terms,
    group: u32,
    shared: &mut Shared<[f32]>,
    #[comptime] tiling: RowTiling,
    #[comptime] form: NllForm,
) -> Terms {
    let poison = fold_groups(terms.poison, group, shared, tiling, Fold::Sum);
    match comptime!(form) {
        NllForm::AverageNll => {
            let total = fold_groups(terms.total, group, shared, tiling, Fold::Sum);
            Terms { largest: terms.largest, total, poison }
        }
        _ => {
            let largest = fold_groups(terms.largest, group, shared, tiling, Fold::Max);
            let part = terms.total * (terms.largest - largest).exp();
            let total = fold_groups(part, group, shared, tiling, Fold::Sum);
            Terms { largest, total, poison }
        }
    }
}

/// The loss of an example; `+inf` if every term of a mixture has probability zero.
#[cube]
fn loss(terms: &Terms, n_terms: u32, infinity: f32, #[comptime] form: NllForm) -> f32 {
    let n = f32::cast_from(n_terms);
    match comptime!(form) {
        NllForm::AverageNll => terms.poison - terms.total / n,
        _ => {
            let value = -(terms.largest + (terms.total / n).ln());
            terms.poison + select(terms.largest <= LOWEST, infinity, value)
        }
    }
}

/// Derivative of the scaled loss with respect to one log-likelihood; `scale` holds the sign and the divisors.
#[cube]
fn weight_of(terms: &Terms, value: f32, scale: f32, not_a_number: f32, #[comptime] form: NllForm) -> f32 {
    match comptime!(form) {
        NllForm::AverageNll => scale,
        _ => {
            let share = (value - terms.largest).exp() / terms.total;
            terms.poison + scale * select(terms.largest <= LOWEST, not_a_number, share)
        }
    }
}

/// Categorical loss `[B]` and its gradient `[S, K, B, C]`.
///
/// An example with a label at or behind `width` is NaN in both; nothing is read for it outside the buffers.
#[cube(launch_unchecked)]
pub(crate) fn categorical_nll<F: Float>(
    outputs: &[F],
    labels: &[u32],
    values: &mut [f32],
    d_outputs: &mut [F],
    n_terms: u32,
    batch_size: u32,
    width: u32,
    scale: f32,
    infinity: f32,
    not_a_number: f32,
    #[comptime] tiling: RowTiling,
    #[comptime] form: NllForm,
    #[comptime] with_gradient: bool,
    #[define(F)] _stored: ElemType,
) {
    let mut shared = Shared::<[f32]>::new_slice(MAX_UNITS);
    let Place { lane, column, group } = place(tiling);
    let live = column < batch_size;
    let example = select(live, column, 0u32);
    let label = labels[example as usize];
    let refused = select(label < width, 0.0f32, not_a_number);
    let label = select(label < width, label, 0u32);
    let n_rounds = n_terms.div_ceil(tiling.groups);
    let mut terms = no_terms();
    for round in 0..n_rounds {
        let term = round * tiling.groups + group;
        let counts = term < n_terms;
        let row = select(counts, term, 0u32) * batch_size + example;
        let softmax = softmax_row::<F>(outputs, row, width, lane, &mut shared, not_a_number, tiling);
        let z = f32::cast_from(outputs[(row * width + label) as usize]);
        let value = z - softmax.largest - softmax.total.ln() + softmax.poison + refused;
        add_term(&mut terms, value, counts, form);
    }
    let all = all_terms(&terms, group, &mut shared, tiling, form);
    if live && lane == 0u32 && group == 0u32 {
        values[example as usize] = loss(&all, n_terms, infinity, form);
    }
    if comptime!(with_gradient) {
        for round in 0..n_rounds {
            let term = round * tiling.groups + group;
            let counts = term < n_terms;
            let row = select(counts, term, 0u32) * batch_size + example;
            let softmax = softmax_row::<F>(outputs, row, width, lane, &mut shared, not_a_number, tiling);
            let z = f32::cast_from(outputs[(row * width + label) as usize]);
            let value = z - softmax.largest - softmax.total.ln();
            let weight = weight_of(&all, value, scale, not_a_number, form) + softmax.poison + refused;
            let n = comptime!(tiling.per_lane as usize);
            #[unroll(n <= 8)]
            for i in 0..n {
                let c = lane + i as u32 * tiling.lanes;
                if live && counts && c < width {
                    let hit = select(c == label, 1.0f32, 0.0f32);
                    let d_output = weight * (hit - softmax.entries[i] / softmax.total);
                    d_outputs[(row * width + c) as usize] = F::cast_from(d_output);
                }
            }
        }
    }
}

/// A log-likelihood and its derivatives with respect to the first output and to the raw noise scale.
#[derive(CubeType, Clone, Copy)]
struct ScalarRow {
    value: f32,
    d_output: f32,
    d_raw: f32,
}

#[cube]
fn scalar_row<F: Float>(
    outputs: &[F],
    raw_noise: &[f32],
    target: u32,
    row: u32,
    member: u32,
    not_a_number: f32,
    #[comptime] likelihood: Likelihood,
) -> ScalarRow {
    match comptime!(likelihood) {
        Likelihood::Bernoulli => {
            let z = f32::cast_from(outputs[row as usize]);
            let refused = select(target < 2u32, 0.0f32, not_a_number);
            let against = select(target == 1u32, -z, z);
            let value = refused - softplus(against);
            ScalarRow {
                value,
                d_output: refused + f32::cast_from(target) - sigmoid(z),
                d_raw: 0.0f32.runtime(),
            }
        }
        Likelihood::Gaussian => {
            gaussian_row(f32::cast_from(outputs[row as usize]), raw_noise[member as usize], target)
        }
        Likelihood::HeteroscedasticGaussian => {
            let mean = f32::cast_from(outputs[(2u32 * row) as usize]);
            let raw = f32::cast_from(outputs[(2u32 * row + 1u32) as usize]);
            gaussian_row(mean, raw, target)
        }
        // Another kernel's.
        Likelihood::Categorical => {
            ScalarRow { value: not_a_number, d_output: not_a_number, d_raw: not_a_number }
        }
    }
}

#[cube]
fn gaussian_row(mean: f32, raw: f32, target: u32) -> ScalarRow {
    let scale = softplus(raw) + NOISE_FLOOR;
    let z = (f32::reinterpret(target) - mean) / scale;
    let value = -0.5f32 * (z * z + LN_TWO_PI) - scale.ln();
    ScalarRow { value, d_output: z / scale, d_raw: (z * z - 1.0f32) / scale * sigmoid(raw) }
}

/// Loss `[B]` of a likelihood with one or two outputs and its gradient `[S, K, B, C]`; one unit per row.
///
/// The gradient of a member's raw noise scale is left in parts, one per row, for [`sum_rows`].
#[cube(launch_unchecked)]
pub(crate) fn scalar_nll<F: Float>(
    outputs: &[F],
    targets: &[u32],
    raw_noise: &[f32],
    values: &mut [f32],
    d_outputs: &mut [F],
    d_noise_rows: &mut [f32],
    n_terms: u32,
    n_members: u32,
    batch_size: u32,
    scale: f32,
    infinity: f32,
    not_a_number: f32,
    #[comptime] tiling: RowTiling,
    #[comptime] likelihood: Likelihood,
    #[comptime] form: NllForm,
    #[comptime] with_gradient: bool,
    #[define(F)] _stored: ElemType,
) {
    let mut shared = Shared::<[f32]>::new_slice(MAX_UNITS);
    let Place { column, group, .. } = place(tiling);
    let live = column < batch_size;
    let example = select(live, column, 0u32);
    let target = targets[example as usize];
    let n_rounds = n_terms.div_ceil(tiling.groups);
    let mut terms = no_terms();
    for round in 0..n_rounds {
        let term = round * tiling.groups + group;
        let counts = term < n_terms;
        let term = select(counts, term, 0u32);
        let row = term * batch_size + example;
        let at = scalar_row::<F>(outputs, raw_noise, target, row, term % n_members, not_a_number, likelihood);
        add_term(&mut terms, at.value, counts, form);
    }
    let all = all_terms(&terms, group, &mut shared, tiling, form);
    if live && group == 0u32 {
        values[example as usize] = loss(&all, n_terms, infinity, form);
    }
    if comptime!(with_gradient) {
        for round in 0..n_rounds {
            let term = round * tiling.groups + group;
            if live && term < n_terms {
                let row = term * batch_size + example;
                let at = scalar_row::<F>(
                    outputs,
                    raw_noise,
                    target,
                    row,
                    term % n_members,
                    not_a_number,
                    likelihood,
                );
                let weight = weight_of(&all, at.value, scale, not_a_number, form);
                match comptime!(likelihood) {
                    Likelihood::HeteroscedasticGaussian => {
                        d_outputs[(2u32 * row) as usize] = F::cast_from(weight * at.d_output);
                        d_outputs[(2u32 * row + 1u32) as usize] = F::cast_from(weight * at.d_raw);
                    }
                    Likelihood::Gaussian => {
                        d_outputs[row as usize] = F::cast_from(weight * at.d_output);
                        d_noise_rows[row as usize] = weight * at.d_raw;
                    }
                    _ => d_outputs[row as usize] = F::cast_from(weight * at.d_output),
                }
            }
        }
    }
}

/// `out[k]` = sum over samples and examples of `rows[s, k, b]`: one cube per member, in a fixed order.
#[cube(launch_unchecked)]
pub(crate) fn sum_rows(
    rows: &[f32],
    out: &mut [f32],
    n_samples: u32,
    n_members: u32,
    batch_size: u32,
    #[comptime] units: u32,
) {
    let mut shared = Shared::<[f32]>::new_slice(MAX_UNITS);
    let member = CUBE_POS as u32;
    let idle = member >= n_members;
    let member = select(idle, 0u32, member);
    let unit = UNIT_POS;
    let mut part = 0.0f32;
    for sample in 0..n_samples {
        let start = (sample * n_members + member) * batch_size;
        for round in 0..batch_size.div_ceil(units) {
            let example = round * units + unit;
            if example < batch_size {
                part += rows[(start + example) as usize];
            }
        }
    }
    let total = fold_over(part, unit, &mut shared, 1u32, units, Fold::Sum);
    if !idle && unit == 0u32 {
        out[member as usize] = total;
    }
}
