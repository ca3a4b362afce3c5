//! Rows of inputs from the grid: values standardized by the training part and carried forward, masks, times, counts.
//!
//! Not for reading tables.

use ndarray::{Array1, Array2};
use rank1_core::targets::Targets;

use super::cohort::{ADMISSION_TYPES, Cohort, Stay, UNITS};
use super::grid::Grid;
use super::{DenseScale, MimicPart};
use crate::{Error, Split};

/// Age, gender, admission types, units.
pub(super) const N_CONTEXT: usize = 2 + ADMISSION_TYPES.len() + UNITS.len();
const CLIP: f64 = 5.0;

/// Statistics of the observed training steps of every numeric item.
pub(super) fn fit(cohort: &Cohort, grid: &Grid) -> Vec<DenseScale> {
    let train: Vec<usize> = (0..cohort.stays.len()).filter(|&stay| cohort.stays[stay].part == 0).collect();
    (0..grid.n_dense)
        .map(|which| {
            let steps = train.iter().flat_map(|&stay| (0..grid.lengths[stay]).map(move |step| (stay, step)));
            let values = steps.map(|(stay, step)| f64::from(grid.values(stay, step)[which]));
            scale_of(values.filter(|value| value.is_finite()).collect())
        })
        .collect()
}

fn scale_of(mut values: Vec<f64>) -> DenseScale {
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return DenseScale { low: 0.0, high: 0.0, mean: 0.0, std: 1.0, fill: 0.0 };
    };
    let quantile = |share: f64| values[(share * last as f64).round() as usize];
    let (low, high, fill) = (quantile(0.01), quantile(0.99), quantile(0.5));
    let n = values.len() as f64;
    let clipped = || values.iter().map(|value| value.clamp(low, high));
    let mean = clipped().sum::<f64>() / n;
    let std = (clipped().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    DenseScale { low, high, mean, std: if std > 1e-9 * mean.abs().max(1.0) { std } else { 1.0 }, fill }
}

impl DenseScale {
    fn apply(&self, value: f64) -> f64 {
        ((value.clamp(self.low, self.high) - self.mean) / self.std).clamp(-CLIP, CLIP)
    }
}

/// One part; `None` if no stay is in it.
pub(super) fn part(
    part: usize,
    cohort: &Cohort,
    grid: &Grid,
    scales: &[DenseScale],
    step_hours: f64,
) -> Result<Option<MimicPart>, Error> {
    let members: Vec<usize> =
        (0..cohort.stays.len()).filter(|&stay| cohort.stays[stay].part == part).collect();
    if members.is_empty() {
        return Ok(None);
    }
    let ages = cohort.stays.iter().filter(|stay| stay.part == 0).map(|stay| stay.age).collect();
    let age = scale_of(ages);
    let features = 3 * grid.n_dense + grid.n_bag + 1;
    let width = grid.steps * features + N_CONTEXT + 1;
    let mut inputs = Array2::<f32>::zeros((members.len(), width));
    for (mut row, &stay) in inputs.outer_iter_mut().zip(&members) {
        let row = row.as_slice_mut().expect("a fresh array is in row order");
        let (steps, context) = row.split_at_mut(grid.steps * features);
        write_steps(steps, features, stay, grid, scales, step_hours);
        write_context(context, &cohort.stays[stay], &age);
        context[N_CONTEXT] = grid.lengths[stay] as f32;
    }
    let of = |pick: fn(&Stay) -> u32| members.iter().map(|&stay| pick(&cohort.stays[stay])).collect();
    let labels = Array1::from_iter(members.iter().map(|&stay| cohort.stays[stay].died));
    Ok(Some(MimicPart {
        split: Split::new(inputs, Targets::Classes { labels, n_classes: 2 })?,
        subject_ids: of(|stay| stay.subject),
        admission_ids: of(|stay| stay.admission),
        stay_ids: of(|stay| stay.stay),
    }))
}

fn write_steps(
    steps: &mut [f32],
    features: usize,
    stay: usize,
    grid: &Grid,
    scales: &[DenseScale],
    step_hours: f64,
) {
    let n = grid.n_dense;
    let window = grid.steps as f64 * step_hours;
    let mut carried: Vec<f64> = scales.iter().map(|scale| scale.apply(scale.fill)).collect();
    let mut last_seen: Vec<Option<usize>> = vec![None; n];
    for (step, cells) in steps.chunks_exact_mut(features).enumerate().take(grid.lengths[stay]) {
        for (which, value) in grid.values(stay, step).iter().enumerate() {
            if !value.is_nan() {
                carried[which] = scales[which].apply(f64::from(*value));
                last_seen[which] = Some(step);
            }
            let hours = last_seen[which].map(|last| (step - last) as f64 * step_hours);
            cells[which] = carried[which] as f32;
            cells[n + which] = f32::from(u8::from(!value.is_nan()));
            cells[2 * n + which] = hours.map_or(1.0, |hours| hours.ln_1p() / window.ln_1p()) as f32;
        }
        for (cell, count) in cells[3 * n..].iter_mut().zip(grid.counts(stay, step)) {
            *cell = count.ln_1p();
        }
        cells[features - 1] = ((2 * step + 1) as f64 / grid.steps as f64 - 1.0) as f32;
    }
}

fn write_context(context: &mut [f32], stay: &Stay, age: &DenseScale) {
    context[0] = age.apply(stay.age) as f32;
    context[1] = stay.gender as f32;
    if let Some(kind) = stay.admission_type {
        context[2 + kind] = 1.0;
    }
    if let Some(unit) = stay.unit {
        context[2 + ADMISSION_TYPES.len() + unit] = 1.0;
    }
}

pub(super) fn context_names() -> Vec<String> {
    let types = ADMISSION_TYPES.iter().map(|kind| format!("admission_{}", kind.to_lowercase()));
    let units = UNITS.iter().map(|unit| format!("unit_{}", unit.to_lowercase()));
    ["age", "gender"].map(String::from).into_iter().chain(types).chain(units).collect()
}
