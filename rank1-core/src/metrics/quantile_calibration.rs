//! Whether regression quantiles are met as often as they say.
//!
//! Not for class probabilities; see [`super::calibration`].

use ndarray::ArrayView1;

use super::checks;
use crate::Error;

/// One point of a quantile calibration curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantilePoint {
    /// The stated probability.
    pub nominal: f64,
    /// The fraction of targets at or below the stated quantile.
    pub observed: f64,
}

/// Fraction of targets that lie at or below their predictive quantile, for every nominal level.
///
/// # Shapes
/// `pit` `[N]`: each predictive's distribution function at its target
/// ([`crate::predictive::GaussianMixturePredictive::cdf`]); returns one point per level, in the given order.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`]; [`Error::OutOfRange`] for an entry outside of `[0, 1]` or a level
/// that is not strictly between 0 and 1.
///
/// # Source
/// Kuleshov et al. 2018, arXiv:1807.00263, equation 8: `target <= quantile(p)` exactly when `cdf(target) <= p`.
pub fn quantile_calibration(
    pit: ArrayView1<'_, f64>,
    levels: ArrayView1<'_, f64>,
) -> Result<Vec<QuantilePoint>, Error> {
    const OP: &str = "quantile_calibration";
    checks::probs(OP, "pit", pit)?;
    checks::probs(OP, "levels", levels)?;
    levels.iter().try_for_each(|level| checks::open_unit(OP, "levels", *level))?;
    let observed = |level: f64| pit.iter().filter(|v| **v <= level).count() as f64 / pit.len() as f64;
    Ok(levels.iter().map(|&nominal| QuantilePoint { nominal, observed: observed(nominal) }).collect())
}

/// Mean absolute distance of observed to nominal over the levels.
///
/// # Shapes
/// As [`quantile_calibration`].
///
/// # Errors
/// As [`quantile_calibration`].
///
/// # Source
/// The L1 form of Kuleshov et al. 2018, equation 9 (there squared, with weights).
pub fn quantile_calibration_error(
    pit: ArrayView1<'_, f64>,
    levels: ArrayView1<'_, f64>,
) -> Result<f64, Error> {
    let points = quantile_calibration(pit, levels)?;
    Ok(points.iter().map(|p| (p.observed - p.nominal).abs()).sum::<f64>() / points.len() as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn uniform_transforms_are_calibrated() {
        let pit = Array1::from_shape_fn(1000, |i| (i as f64 + 0.5) / 1000.0);
        let levels = array![0.1, 0.25, 0.5, 0.9];
        assert!(quantile_calibration_error(pit.view(), levels.view()).unwrap() < 1e-12);
    }

    #[test]
    fn a_target_on_the_quantile_counts_as_below() {
        let points = quantile_calibration(array![0.5, 0.5, 0.9].view(), array![0.5, 0.7].view()).unwrap();
        assert_relative_eq!(points[0].observed, 2.0 / 3.0);
        let error =
            quantile_calibration_error(array![0.5, 0.5, 0.9].view(), array![0.5, 0.7].view()).unwrap();
        assert_relative_eq!(error, (1.0 / 6.0 + 0.7 - 2.0 / 3.0) / 2.0, max_relative = 1e-12);
    }

    #[test]
    fn levels_at_the_ends_are_refused() {
        for level in [0.0, 1.0, f64::NAN] {
            assert!(quantile_calibration(array![0.5].view(), array![level].view()).is_err());
        }
    }
}
