//! One column of numbers by its quantiles to a standard normal: skewed columns and outliers become harmless.
//!
//! Not for noise: what is added to the values while quantiles are learned is the caller's, for there is no random state here.

use serde::{Deserialize, Serialize};

use super::normal_quantile::normal_quantile;
use crate::Error;
use crate::error::check_len;

/// Values this close to the first or the last quantile count as being at it.
const BOUND: f64 = 1e-7;

/// Where results are cut off: the normal quantiles of `1e-7 - 2^-52` and of 1 minus that.
const ENDS: [f64; 2] = [-5.199_337_582_605_575, 5.199_337_582_703_42];

/// Deviation of the noise that the published example adds while it learns quantiles, in the unit of the column.
pub const QUANTILE_NOISE: f64 = 1e-5;

/// Number of quantiles of the published example: one per 30 rows, at least 10 and at most 1000.
///
/// ```
/// use rank1_core::scaling::default_n_quantiles;
/// assert_eq!([200, 3_000, 1_000_000].map(default_n_quantiles), [10, 100, 1_000]);
/// ```
pub fn default_n_quantiles(rows: usize) -> usize {
    (rows / 30).clamp(10, 1000)
}

/// A map of one column to a standard normal by `q` quantiles of its training values.
///
/// The quantiles rise; that at place `i` has the reference `i / (q - 1)`, the share of values below it.
///
/// A column with one distinct training value maps everything to 0. This departs from scikit-learn, which maps such a column
/// to the low end of its range (-5.2); [`QuantileNormal::apply_published`] is the published formula without exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantileNormal {
    /// In rising order; all equal if the column is constant.
    pub quantiles: Vec<f64>,
}

impl QuantileNormal {
    /// Quantiles of `values + noise`: linear interpolation of order statistics, then a running maximum.
    ///
    /// `min(n_quantiles, values)` quantiles are taken. `noise` tells repeated values apart, so that the result has no holes;
    /// [`QUANTILE_NOISE`] is its published deviation. A constant column gets no noise.
    ///
    /// # Shapes
    /// `noise`: as many as `values`.
    ///
    /// # Errors
    /// [`Error::Empty`] without values, [`Error::NotFinite`], [`Error::ShapeMismatch`] for noise of another length,
    /// [`Error::OutOfRange`] for no quantile.
    ///
    /// # Numerics
    /// Positions are exact fractions, so that equal order statistics give exactly their value.
    ///
    /// # Source
    /// scikit-learn's `QuantileTransformer` without subsampling.
    pub fn fit(values: &[f64], noise: Option<&[f64]>, n_quantiles: usize) -> Result<Self, Error> {
        const OP: &str = "QuantileNormal::fit";
        if values.is_empty() {
            return Err(Error::Empty { op: OP, argument: "values" });
        }
        if n_quantiles == 0 {
            let (argument, expected) = ("n_quantiles", "at least 1");
            return Err(Error::OutOfRange { op: OP, argument, value: 0.0, expected });
        }
        let mut sorted = values.to_vec();
        let constant = values.iter().all(|value| *value == values[0]);
        if let Some(noise) = noise {
            check_len(OP, "noise", noise.len(), values.len())?;
            if !constant {
                sorted.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
            }
        }
        if let Some(index) = sorted.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite { op: OP, argument: "values", index: vec![index] });
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let (intervals, last) = (n_quantiles.min(values.len()) - 1, values.len() - 1);
        let mut largest = f64::NEG_INFINITY;
        let quantile = |i: usize| {
            let numerator = i as u128 * last as u128;
            let below = (numerator / intervals.max(1) as u128) as usize;
            let share = (numerator % intervals.max(1) as u128) as f64 / intervals.max(1) as f64;
            largest = largest.max(between(sorted[below], sorted[(below + 1).min(last)], share));
            largest
        };
        Ok(Self { quantiles: (0..=intervals).map(quantile).collect() })
    }

    /// Whether the training values were all equal.
    pub fn is_constant(&self) -> bool {
        self.quantiles.first() == self.quantiles.last()
    }

    /// The place of a value on the standard normal, between about -5.2 and 5.2; 0 if the column is constant.
    ///
    /// NaN passes through.
    pub fn apply(&self, value: f64) -> f64 {
        if self.is_constant() { 0.0 } else { self.apply_published(value) }
    }

    /// As [`QuantileNormal::apply`], for constant columns too as scikit-learn has it.
    ///
    /// A value equal to repeated quantiles gets the middle of their references. Within 1e-7 of the last quantile the result is
    /// the upper end, within 1e-7 of the first the lower end, which wins.
    ///
    /// # Source
    /// scikit-learn's `QuantileTransformer.transform`.
    pub fn apply_published(&self, value: f64) -> f64 {
        let (Some(&first), Some(&last)) = (self.quantiles.first(), self.quantiles.last()) else { return 0.0 };
        if value - BOUND < first {
            return ENDS[0];
        }
        if value + BOUND > last {
            return ENDS[1];
        }
        normal_quantile(self.level(value)).clamp(ENDS[0], ENDS[1])
    }

    /// Mean of the interpolations from below and from above, inside the range.
    fn level(&self, value: f64) -> f64 {
        let reference = |i: usize| i as f64 / (self.quantiles.len() - 1) as f64;
        let above = self.quantiles.partition_point(|&quantile| quantile <= value);
        let at = self.quantiles[..above].partition_point(|&quantile| quantile < value);
        if at < above {
            return 0.5 * (reference(above - 1) + reference(at));
        }
        // NaN has no place between two quantiles.
        let (Some(&left), Some(&right)) =
            (self.quantiles.get(above.wrapping_sub(1)), self.quantiles.get(above))
        else {
            return f64::NAN;
        };
        let (low, high) = (reference(above - 1), reference(above));
        let slope = (high - low) / (right - left);
        0.5 * ((low + slope * (value - left)) + (high - slope * (right - value)))
    }
}

/// Linear interpolation that is exact at both ends and between equal numbers.
fn between(low: f64, high: f64, share: f64) -> f64 {
    if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
}

#[cfg(test)]
#[path = "quantile_normal_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
