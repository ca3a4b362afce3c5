//! Quantiles and central intervals of a Gaussian mixture, by safeguarded Newton steps inside a bracket.
//!
//! Not for quantiles of data.

use ndarray::Array1;

use super::gaussian_mixture::{GaussianMixturePredictive, Interval};
use crate::Error;
use crate::metrics::checks;
use crate::numeric::{normal_cdf, normal_pdf};

/// Beyond this many standard deviations the normal tail is below the smallest double.
const FAR: f64 = 39.0;
/// Bisection alone needs fewer steps than this to exhaust the doubles between two ends.
const MAX_STEPS: usize = 200;

impl GaussianMixturePredictive {
    /// The value below which each mixture has probability `level`.
    ///
    /// # Units
    /// The target's own unit.
    ///
    /// # Shapes
    /// Returns `[N]`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 < level < 1`.
    ///
    /// # Numerics
    /// Levels above one half are solved on the upper tail, so both tails keep their relative accuracy. The
    /// bracket, at first that of the terms' own quantiles, is halved when Newton leaves it or stops shrinking its
    /// steps.
    ///
    /// # Source
    /// Inverse of [`GaussianMixturePredictive::cdf`].
    pub fn quantile(&self, level: f64) -> Result<Array1<f64>, Error> {
        checks::open_unit("GaussianMixturePredictive::quantile", "level", level)?;
        // By symmetry the upper quantile is minus the lower quantile of the mirrored mixture.
        let (tail, sign) = if level <= 0.5 { (level, 1.0) } else { (1.0 - level, -1.0) };
        let z = lower_root(tail, -FAR, FAR, |x| (normal_cdf(x), normal_pdf(x)));
        let n_terms = self.n_terms();
        let one = |n: usize| {
            let term = |m: usize| sign * self.means()[[m, n]] + self.std_devs()[[m, n]] * z;
            let low = (0..n_terms).map(term).fold(f64::INFINITY, f64::min);
            let high = (0..n_terms).map(term).fold(f64::NEG_INFINITY, f64::max);
            let cdf_pdf = |x: f64| {
                let (mut cdf, mut pdf) = (0.0, 0.0);
                for m in 0..n_terms {
                    let z = sign * self.z(m, n, sign * x);
                    cdf += normal_cdf(z);
                    pdf += normal_pdf(z) / self.std_devs()[[m, n]];
                }
                (cdf / n_terms as f64, pdf / n_terms as f64)
            };
            sign * lower_root(tail, low, high, cdf_pdf)
        };
        Ok((0..self.n_examples()).map(one).collect())
    }

    /// The interval that leaves `(1 - level) / 2` on either side.
    ///
    /// # Units
    /// The target's own unit.
    ///
    /// # Shapes
    /// Returns two `[N]` ends.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 < level < 1`.
    ///
    /// # Source
    /// Quantiles at `(1 - level) / 2` and `(1 + level) / 2`; equal tails, not the shortest interval.
    pub fn central_interval(&self, level: f64) -> Result<Interval, Error> {
        checks::open_unit("GaussianMixturePredictive::central_interval", "level", level)?;
        Ok(Interval {
            lower: self.quantile(0.5 * (1.0 - level))?,
            upper: self.quantile(0.5 * (1.0 + level))?,
        })
    }
}

/// Solves `cdf(x) = level` for an increasing `cdf` whose root lies in `[low, high]`.
fn lower_root(level: f64, mut low: f64, mut high: f64, cdf_pdf: impl Fn(f64) -> (f64, f64)) -> f64 {
    let mut x = 0.5 * (low + high);
    let mut last_step = high - low;
    for _ in 0..MAX_STEPS {
        let (cdf, pdf) = cdf_pdf(x);
        if cdf < level {
            low = x;
        } else {
            high = x;
        }
        // On the log scale the tail is nearly quadratic, so few steps suffice even at 1e-12.
        let newton = x - (cdf / level).ln() * cdf / pdf;
        // Steps that do not shrink may go back and forth between the ends for ever.
        let shrinks = (newton - x).abs() <= 0.5 * last_step;
        let next = if shrinks && (low..=high).contains(&newton) { newton } else { 0.5 * (low + high) };
        let scale = low.abs().max(high.abs());
        if (next - x).abs() <= 4.0 * f64::EPSILON * scale || high - low <= 4.0 * f64::EPSILON * scale {
            return next;
        }
        last_step = (next - x).abs();
        x = next;
    }
    x
}

#[cfg(test)]
#[path = "quantile_tests.rs"]
mod tests;
