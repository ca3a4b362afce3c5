//! Density, distribution function, moments and CRPS of a Gaussian mixture, per example.
//!
//! Scores averaged over examples are in [`crate::metrics::regression`].

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::gaussian_mixture::GaussianMixturePredictive;
use crate::Error;
use crate::numeric::{LN_TWO_PI, log_mean_exp, normal_cdf, normal_pdf};

impl GaussianMixturePredictive {
    /// Log density of every term at its example's target, in nats; the Gibbs NLL averages this.
    ///
    /// # Shapes
    /// `targets` `[N]`; returns `[M, N]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] or [`Error::NotFinite`] for the targets.
    ///
    /// # Source
    /// `-ln(2 pi)/2 - ln(sd) - z^2/2` with `z = (y - mean)/sd`.
    pub fn term_log_density(&self, targets: ArrayView1<'_, f64>) -> Result<Array2<f64>, Error> {
        self.check_targets("GaussianMixturePredictive::term_log_density", targets)?;
        Ok(Array2::from_shape_fn(self.means().dim(), |(m, n)| {
            let z = self.z(m, n, targets[n]);
            -0.5 * (LN_TWO_PI + z * z) - self.std_devs()[[m, n]].ln()
        }))
    }

    /// Log density of the mixture at each target, in nats.
    ///
    /// # Shapes
    /// `targets` `[N]`; returns `[N]`.
    ///
    /// # Errors
    /// As [`GaussianMixturePredictive::term_log_density`].
    ///
    /// # Numerics
    /// Log-mean-exp over terms: a target far from every mean gives a large negative number, not `-inf`.
    ///
    /// # Source
    /// `ln((1/M) sum_m N(y | mean_m, sd_m^2))`; Dusenberry et al. 2020, appendix E (14).
    pub fn log_density(&self, targets: ArrayView1<'_, f64>) -> Result<Array1<f64>, Error> {
        let terms = self.term_log_density(targets)?;
        Ok(terms.columns().into_iter().map(|column| log_mean_exp(column.iter().copied())).collect())
    }

    /// Probability of a value at or below each target.
    ///
    /// # Shapes
    /// `targets` `[N]`; returns `[N]` in `[0, 1]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] or [`Error::NotFinite`] for the targets.
    ///
    /// # Source
    /// `(1/M) sum_m Phi((y - mean_m)/sd_m)`; at the observed targets, the probability integral transform.
    pub fn cdf(&self, targets: ArrayView1<'_, f64>) -> Result<Array1<f64>, Error> {
        self.check_targets("GaussianMixturePredictive::cdf", targets)?;
        let tail = |n: usize| {
            (0..self.n_terms()).map(|m| normal_cdf(self.z(m, n, targets[n]))).sum::<f64>() / self.terms()
        };
        Ok((0..self.n_examples()).map(tail).collect())
    }

    /// Mean of each mixture.
    ///
    /// # Shapes
    /// Returns `[N]`.
    ///
    /// # Source
    /// Mean over terms of the terms' means.
    pub fn mean(&self) -> Array1<f64> {
        self.means().sum_axis(Axis(0)) / self.terms()
    }

    /// Mean of the terms' variances: noise that no further sample removes.
    ///
    /// # Units
    /// The target's unit squared.
    ///
    /// # Shapes
    /// Returns `[N]`.
    ///
    /// # Source
    /// First part of the law of total variance.
    pub fn aleatoric_variance(&self) -> Array1<f64> {
        self.std_devs().mapv(|v| v * v).sum_axis(Axis(0)) / self.terms()
    }

    /// Variance of the terms' means (divided by `M`): disagreement of samples and members.
    ///
    /// # Units
    /// The target's unit squared.
    ///
    /// # Shapes
    /// Returns `[N]`.
    ///
    /// # Source
    /// Second part of the law of total variance.
    pub fn epistemic_variance(&self) -> Array1<f64> {
        (&self.means() - &self.mean()).mapv(|v| v * v).sum_axis(Axis(0)) / self.terms()
    }

    /// Variance of each mixture.
    ///
    /// # Shapes
    /// Returns `[N]`.
    ///
    /// # Source
    /// Law of total variance: aleatoric plus epistemic variance.
    pub fn variance(&self) -> Array1<f64> {
        self.aleatoric_variance() + self.epistemic_variance()
    }

    /// Continuous ranked probability score at each target; smaller is better.
    ///
    /// # Units
    /// The target's own unit.
    ///
    /// # Shapes
    /// `targets` `[N]`; returns `[N]`. Takes `N M (M + 1) / 2` evaluations of the normal distribution.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] or [`Error::NotFinite`] for the targets.
    ///
    /// # Source
    /// Grimit et al. 2006, doi:10.1256/qj.05.235: `mean_i A(y - m_i, s_i^2) - mean_ij A(m_i - m_j, s_i^2 + s_j^2) / 2`
    /// with `A(d, v) = E|X|` for `X ~ N(d, v)`.
    pub fn crps(&self, targets: ArrayView1<'_, f64>) -> Result<Array1<f64>, Error> {
        self.check_targets("GaussianMixturePredictive::crps", targets)?;
        let one = |n: usize| {
            let (mean, sd) =
                (self.means().index_axis_move(Axis(1), n), self.std_devs().index_axis_move(Axis(1), n));
            let (mut to_target, mut spread) = (0.0, 0.0);
            for i in 0..self.n_terms() {
                to_target += mean_absolute(targets[n] - mean[i], sd[i]);
                // Both orders of each pair, and a term with itself once.
                spread += mean_absolute(0.0, sd[i].hypot(sd[i]));
                for j in 0..i {
                    spread += 2.0 * mean_absolute(mean[i] - mean[j], sd[i].hypot(sd[j]));
                }
            }
            (to_target - 0.5 * spread / self.terms()) / self.terms()
        };
        Ok((0..self.n_examples()).map(one).collect())
    }
}

/// `E|X|` of a normal variable.
pub(crate) fn mean_absolute(mean: f64, sd: f64) -> f64 {
    let z = mean / sd;
    2.0 * sd * normal_pdf(z) + mean * (2.0 * normal_cdf(z) - 1.0)
}

#[cfg(test)]
#[path = "density_tests.rs"]
mod tests;
