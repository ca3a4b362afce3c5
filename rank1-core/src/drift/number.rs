//! The distribution of a number, and the distance of another sample from it.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::Difference;
use crate::Error;
use crate::metrics::checks;

/// Most values that a reference keeps; of more, quantiles at equal distances.
const KNOTS: usize = 2_000;

/// Terms of Kolmogorov's series; they fall faster than any power.
const TERMS: i32 = 100;

/// The empirical distribution of a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberReference {
    n: u64,
    values: Vec<f64>,
    /// Share of the sample up to each value, the last of them 1.
    shares: Vec<f64>,
}

impl NumberReference {
    /// The distribution of a sample.
    ///
    /// # Shapes
    /// `sample` `[N]`.
    ///
    /// # Errors
    /// [`Error::Empty`] and [`Error::NotFinite`].
    ///
    /// # Source
    /// The empirical distribution function; of more than 2,000 distinct values its 2,000 quantiles, which moves a distance by
    /// less than 1 / 2,000.
    pub fn of(sample: ArrayView1<'_, f64>) -> Result<Self, Error> {
        checks::finite("NumberReference::of", "sample", sample)?;
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let (mut values, mut shares): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for (i, &value) in sorted.iter().enumerate() {
            if values.last() == Some(&value) {
                values.pop();
                shares.pop();
            }
            values.push(value);
            shares.push((i + 1) as f64 / n as f64);
        }
        if values.len() > KNOTS {
            let (all, all_shares) = (std::mem::take(&mut values), std::mem::take(&mut shares));
            let mut next = 0.0;
            for (i, (&value, &share)) in all.iter().zip(&all_shares).enumerate() {
                if i == 0 || share >= next || i + 1 == all.len() {
                    values.push(value);
                    shares.push(share);
                    next = share + 1.0 / KNOTS as f64;
                }
            }
        }
        Ok(Self { n: n as u64, values, shares })
    }

    /// Number of values in the sample.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Whether a value is below the smallest or above the largest of the sample.
    #[must_use]
    pub fn is_outside(&self, value: f64) -> bool {
        self.values.first().is_none_or(|&low| value < low)
            || self.values.last().is_none_or(|&high| value > high)
    }

    /// The smallest value that at least this share of the sample does not exceed; `share` in (0, 1].
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let place = self.shares.partition_point(|&s| s < share);
        self.values.get(place).or(self.values.last()).copied().unwrap_or(f64::NAN)
    }

    /// The largest difference of the two distribution functions.
    ///
    /// # Shapes
    /// `sample` `[M]`.
    ///
    /// # Errors
    /// [`Error::Empty`] and [`Error::NotFinite`].
    ///
    /// # Source
    /// Two-sample Kolmogorov-Smirnov statistic; its probability by Kolmogorov's series at `(sqrt(e) + 0.12 + 0.11 / sqrt(e)) d`
    /// with `e = n m / (n + m)` (Stephens 1970). With ties the probability is too large, never too small.
    pub fn compare(&self, sample: ArrayView1<'_, f64>) -> Result<Difference, Error> {
        checks::finite("NumberReference::compare", "sample", sample)?;
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        let m = sorted.len() as f64;
        let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
        while i < self.values.len() || j < sorted.len() {
            // Both functions are constant up to the next value of either, and change there.
            let at = match (self.values.get(i), sorted.get(j)) {
                (Some(&a), Some(&b)) => a.min(b),
                (Some(&a), None) => a,
                (None, Some(&b)) => b,
                (None, None) => break,
            };
            while self.values.get(i).is_some_and(|&value| value <= at) {
                i += 1;
            }
            while sorted.get(j).is_some_and(|&value| value <= at) {
                j += 1;
            }
            let own = if i == 0 { 0.0 } else { self.shares[i - 1] };
            distance = distance.max((own - j as f64 / m).abs());
        }
        let effective = (self.n as f64 * m / (self.n as f64 + m)).sqrt();
        let p_value = kolmogorov((effective + 0.12 + 0.11 / effective) * distance);
        Ok(Difference { distance, p_value })
    }
}

/// Probability that Kolmogorov's statistic is at least `x`.
fn kolmogorov(x: f64) -> f64 {
    // The alternating series does not converge at 0, where the probability is 1 to sixteen digits.
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| f64::from(1 - 2 * ((k - 1) % 2)) * (-2.0 * f64::from(k * k) * x * x).exp();
    (2.0 * (1..=TERMS).map(term).sum::<f64>()).clamp(0.0, 1.0)
}
