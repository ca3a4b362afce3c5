//! Grids with gaps to inputs of a network: values carried forward and standardized, masks, times since last seen.
//!
//! Not for reading files. Everything fitted comes from the rows given to [`PhysionetScaler::fit`].

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{N_HOURS, N_PARAMETERS, PARAMETERS, Physionet2012, Scale};
use crate::clinical::ClinicalError;
use crate::{Error, InputLayout, Split};

/// Value, mask and time since last seen of every parameter, then the hour.
const N_FEATURES: usize = 3 * N_PARAMETERS + 1;
/// Age, gender, height, height known, four types of unit.
const N_GENERAL: usize = 8;
/// Mean, least and greatest value and observed fraction of every parameter.
const N_SUMMARIES: usize = 4;
const N_CONTEXT: usize = N_GENERAL + N_SUMMARIES * N_PARAMETERS;
/// Standardized values are clipped to plus and minus this.
const CLIP: f64 = 5.0;

/// What the columns of a row are: 48 steps of 112 features, 156 context values, not ragged.
///
/// A step holds the 37 values, the 37 masks (1 seen in this hour, else 0), the 37 times since last seen and the hour in
/// (-1, 1). The context holds age, gender (-1 female, 1 male, 0 not known), height, 1 if the height is known, the four
/// types of unit one-hot, then for all parameters the means, the least values, the greatest values and the observed
/// fractions of the hours.
#[must_use]
pub const fn physionet2012_layout() -> InputLayout {
    InputLayout::Sequence { steps: N_HOURS, features: N_FEATURES, context: N_CONTEXT, ragged: false }
}

/// Statistics of training stays that turn grids into inputs.
///
/// Values are transformed by their [`Scale`], standardized by mean and standard deviation of the observed training hours and
/// clipped to plus and minus 5. The last seen value is carried forward; before the first one stands the median of the
/// observed training hours. The time since last seen is `ln(1 + h) / ln(1 + 48)` for `h` hours, and 1 before the first value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhysionetScaler {
    /// Means of the transformed values, one per parameter, then age and height.
    pub mean: Vec<f64>,
    /// Standard deviations in the same order; 0 marks a parameter that no training stay had: it is always 0.
    pub std: Vec<f64>,
    /// Medians of the transformed values in the same order.
    pub fill: Vec<f64>,
}

const AGE: usize = N_PARAMETERS;
const HEIGHT: usize = N_PARAMETERS + 1;
const N_FITTED: usize = N_PARAMETERS + 2;

impl PhysionetScaler {
    /// Fits on the stays `rows` of a set.
    ///
    /// # Errors
    /// [`Error::NoRows`] and [`ClinicalError::Row`].
    pub fn fit(set: &Physionet2012, rows: &[usize]) -> Result<Self, Error> {
        const OP: &str = "PhysionetScaler::fit";
        if rows.is_empty() {
            return Err(Error::NoRows { op: OP });
        }
        if let Some(&row) = rows.iter().find(|&&row| row >= set.len()) {
            return Err(ClinicalError::Row { op: OP, row, stays: set.len() }.into());
        }
        let fitted: Vec<[f64; 3]> = (0..N_FITTED)
            .into_par_iter()
            .map(|which| {
                let mut seen: Vec<f64> = match PARAMETERS.get(which) {
                    Some(parameter) if parameter.scale == Scale::Flag => return [0.0, 1.0, 0.0],
                    Some(parameter) => rows
                        .iter()
                        .flat_map(|&row| (0..N_HOURS).map(move |hour| set.values[[row, hour, which]]))
                        .filter(|value| !value.is_nan())
                        .map(|value| parameter.scale.apply(value))
                        .collect(),
                    None => rows
                        .iter()
                        .map(|&row| set.descriptors[[row, if which == AGE { 0 } else { 2 }]])
                        .filter(|value| !value.is_nan())
                        .map(f64::from)
                        .collect(),
                };
                moments(&mut seen)
            })
            .collect();
        let column = |at: usize| fitted.iter().map(|numbers| numbers[at]).collect();
        Ok(Self { mean: column(0), std: column(1), fill: column(2) })
    }

    /// The layout of the inputs; see [`physionet2012_layout`].
    #[must_use]
    pub const fn layout(&self) -> InputLayout {
        physionet2012_layout()
    }

    /// Inputs `[N, 5532]` and in-hospital death (0 survived, 1 died) of all stays of a set.
    ///
    /// # Errors
    /// [`ClinicalError::Scaler`] if a stored scaler has the wrong length or an impossible number, and [`Error::NoRows`].
    pub fn apply(&self, set: &Physionet2012) -> Result<Split, Error> {
        self.check()?;
        let width = N_HOURS * N_FEATURES + N_CONTEXT;
        let mut inputs = vec![0.0_f32; set.len() * width];
        inputs.par_chunks_mut(width).enumerate().for_each(|(row, input)| {
            let filled = self.row(set.values.index_axis(Axis(0), row), set.descriptors.row(row).to_vec());
            input.iter_mut().zip(filled).for_each(|(cell, value)| *cell = value as f32);
        });
        let inputs = Array2::from_shape_vec((set.len(), width), inputs).expect("one chunk per stay");
        Split::new(inputs, set.targets())
    }

    fn row(&self, grid: ArrayView2<f32>, descriptors: Vec<f32>) -> Vec<f64> {
        let mut row = vec![0.0; N_HOURS * N_FEATURES + N_CONTEXT];
        let (steps, context) = row.split_at_mut(N_HOURS * N_FEATURES);
        let (general, summaries) = context.split_at_mut(N_GENERAL);
        for (which, parameter) in PARAMETERS.iter().enumerate() {
            let fill = self.standard(which, self.fill[which]);
            let (mut carried, mut last_seen) = (fill, None);
            let (mut n_seen, mut sum, mut least, mut greatest) = (0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY);
            for hour in 0..N_HOURS {
                let value = grid[[hour, which]];
                let seen = !value.is_nan();
                if seen {
                    carried = self.standard(which, parameter.scale.apply(value));
                    last_seen = Some(hour);
                    n_seen += 1.0;
                    sum += carried;
                    least = least.min(carried);
                    greatest = greatest.max(carried);
                }
                let step = &mut steps[hour * N_FEATURES..(hour + 1) * N_FEATURES];
                step[which] = carried;
                step[N_PARAMETERS + which] = f64::from(u8::from(seen));
                step[2 * N_PARAMETERS + which] = last_seen.map_or(1.0, |last| elapsed(hour - last));
            }
            let numbers = if n_seen > 0.0 { [sum / n_seen, least, greatest] } else { [fill; 3] };
            for (kind, number) in numbers.into_iter().chain([n_seen / N_HOURS as f64]).enumerate() {
                summaries[kind * N_PARAMETERS + which] = number;
            }
        }
        for hour in 0..N_HOURS {
            steps[(hour + 1) * N_FEATURES - 1] = (2.0 * hour as f64 + 1.0) / N_HOURS as f64 - 1.0;
        }
        let known = |which: usize, value: f32| {
            self.standard(which, if value.is_nan() { self.fill[which] } else { f64::from(value) })
        };
        let [age, gender, height, unit] = [0, 1, 2, 3].map(|which| descriptors[which]);
        general[0] = known(AGE, age);
        general[1] = if gender.is_nan() { 0.0 } else { 2.0 * f64::from(gender) - 1.0 };
        general[2] = known(HEIGHT, height);
        general[3] = f64::from(u8::from(!height.is_nan()));
        for which in 0..4 {
            general[4 + which] = f64::from(u8::from(unit == (which + 1) as f32));
        }
        row
    }

    fn standard(&self, which: usize, transformed: f64) -> f64 {
        if self.std[which] == 0.0 {
            return 0.0;
        }
        ((transformed - self.mean[which]) / self.std[which]).clamp(-CLIP, CLIP)
    }

    fn check(&self) -> Result<(), ClinicalError> {
        for (field, numbers) in [("mean", &self.mean), ("std", &self.std), ("fill", &self.fill)] {
            let problem = if numbers.len() != N_FITTED {
                format!("{} numbers, expected {N_FITTED}", numbers.len())
            } else if let Some(at) = numbers.iter().position(|x| !x.is_finite() || field == "std" && *x < 0.0)
            {
                format!("{} at position {at} is not possible", numbers[at])
            } else {
                continue;
            };
            return Err(ClinicalError::Scaler { field, problem });
        }
        Ok(())
    }
}

/// Mean, standard deviation (1 for a constant, 0 for nothing) and median.
fn moments(seen: &mut [f64]) -> [f64; 3] {
    if seen.is_empty() {
        return [0.0; 3];
    }
    let even = seen.len().is_multiple_of(2);
    let n = seen.len() as f64;
    let mean = seen.iter().sum::<f64>() / n;
    let std = (seen.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let middle = seen.len() / 2;
    let (below, &mut upper, _) = seen.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| even).unwrap_or(upper);
    [mean, if std > 1e-9 * mean.abs().max(1.0) { std } else { 1.0 }, f64::midpoint(lower, upper)]
}

fn elapsed(hours: usize) -> f64 {
    (hours as f64).ln_1p() / (N_HOURS as f64).ln_1p()
}

/// One name per column: `h07_HR_value`, `h07_HR_seen`, `h07_HR_since`, `h07_hour`, `age`, …, `HR_mean`, ….
pub(super) fn column_names() -> Vec<String> {
    let mut names = Vec::with_capacity(N_HOURS * N_FEATURES + N_CONTEXT);
    for hour in 0..N_HOURS {
        for kind in ["value", "seen", "since"] {
            names.extend(PARAMETERS.iter().map(|parameter| format!("h{hour:02}_{}_{kind}", parameter.name)));
        }
        names.push(format!("h{hour:02}_hour"));
    }
    let general = ["age", "gender", "height", "height_known"].map(String::from);
    names.extend(general);
    names.extend((1..=4).map(|unit| format!("icu_type_{unit}")));
    for kind in ["mean", "min", "max", "fraction"] {
        names.extend(PARAMETERS.iter().map(|parameter| format!("{}_{kind}", parameter.name)));
    }
    names
}
