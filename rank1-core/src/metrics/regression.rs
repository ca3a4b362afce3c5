//! Errors of point predictions, scores of predictive densities and of intervals, for real targets.
//!
//! Everything in the target's own unit unless stated; quantile calibration is in
//! [`quantile_calibration`](mod@super::quantile_calibration).

use ndarray::{Array1, ArrayView1, Axis, Zip};

use super::checks;
use crate::Error;
use crate::predictive::{GaussianMixturePredictive, Interval};

/// Root of the mean squared error.
///
/// # Shapes
/// `predicted`, `targets` `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`] names the first NaN or infinity.
///
/// # Source
/// Definition. For a mixture use its mean.
pub fn rmse(predicted: ArrayView1<'_, f64>, targets: ArrayView1<'_, f64>) -> Result<f64, Error> {
    check_pair("rmse", "predicted", predicted, targets)?;
    let total = Zip::from(predicted).and(targets).fold(0.0, |sum, p, y| sum + (p - y) * (p - y));
    Ok((total / targets.len() as f64).sqrt())
}

/// Mean absolute error.
///
/// # Shapes
/// `predicted`, `targets` `[N]`.
///
/// # Errors
/// As [`rmse`].
pub fn mae(predicted: ArrayView1<'_, f64>, targets: ArrayView1<'_, f64>) -> Result<f64, Error> {
    check_pair("mae", "predicted", predicted, targets)?;
    let total = Zip::from(predicted).and(targets).fold(0.0, |sum, p, y| sum + (p - y).abs());
    Ok(total / targets.len() as f64)
}

/// Mean negative log density of the mixture at the targets, in nats.
///
/// # Units
/// A density's: changing the target's unit by a factor `a` adds `ln(a)`.
///
/// # Shapes
/// `targets` `[N]`.
///
/// # Errors
/// [`Error::ShapeMismatch`] or [`Error::NotFinite`] for the targets.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, appendix E (14); the mixture density, no moment match.
pub fn density_nll(
    predictive: &GaussianMixturePredictive,
    targets: ArrayView1<'_, f64>,
) -> Result<f64, Error> {
    Ok(-predictive.log_density(targets)?.sum() / targets.len() as f64)
}

/// Mean over terms and examples of the negative log density, in nats; never below [`density_nll`].
///
/// # Shapes
/// `targets` `[N]`.
///
/// # Errors
/// As [`density_nll`].
///
/// # Source
/// Dusenberry et al. 2020, appendix E (13).
pub fn gibbs_density_nll(
    predictive: &GaussianMixturePredictive,
    targets: ArrayView1<'_, f64>,
) -> Result<f64, Error> {
    let terms = predictive.term_log_density(targets)?;
    Ok(-terms.sum_axis(Axis(0)).sum() / terms.len() as f64)
}

/// Mean continuous ranked probability score.
///
/// # Shapes
/// `targets` `[N]`.
///
/// # Errors
/// As [`density_nll`].
///
/// # Source
/// [`GaussianMixturePredictive::crps`], averaged over examples.
pub fn crps(predictive: &GaussianMixturePredictive, targets: ArrayView1<'_, f64>) -> Result<f64, Error> {
    Ok(predictive.crps(targets)?.sum() / targets.len() as f64)
}

/// Fraction of targets inside of their interval, ends included (PICP).
///
/// # Shapes
/// Ends and `targets` `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for an interval
/// whose lower end is above its upper end (`value` is the width).
pub fn coverage(interval: &Interval, targets: ArrayView1<'_, f64>) -> Result<f64, Error> {
    check_interval("coverage", interval)?;
    check_pair("coverage", "interval", interval.lower.view(), targets)?;
    let inside = Zip::from(&interval.lower)
        .and(&interval.upper)
        .and(targets)
        .fold(0_usize, |count, low, high, y| count + usize::from(low <= y && y <= high));
    Ok(inside as f64 / targets.len() as f64)
}

/// Mean width of the intervals (MPIW).
///
/// # Shapes
/// Ends `[N]`.
///
/// # Errors
/// As [`coverage`].
pub fn mean_width(interval: &Interval) -> Result<f64, Error> {
    check_interval("mean_width", interval)?;
    Ok((&interval.upper - &interval.lower).sum() / interval.lower.len() as f64)
}

/// Interval (Winkler) score, mean over examples of [`interval_scores`].
///
/// # Shapes
/// Ends and `targets` `[N]`.
///
/// # Errors
/// As [`coverage`]; [`Error::OutOfRange`] unless `0 < level < 1`.
///
/// # Source
/// As [`interval_scores`].
pub fn interval_score(interval: &Interval, targets: ArrayView1<'_, f64>, level: f64) -> Result<f64, Error> {
    Ok(interval_scores(interval, targets, level)?.sum() / targets.len() as f64)
}

/// Interval (Winkler) score: width, plus `2 / (1 - level)` times the distance of a target left outside.
///
/// # Shapes
/// Ends and `targets` `[N]`; returns `[N]`.
///
/// # Errors
/// As [`interval_score`].
///
/// # Source
/// Gneiting and Raftery 2007, doi:10.1198/016214506000001437, equation 43.
pub fn interval_scores(
    interval: &Interval,
    targets: ArrayView1<'_, f64>,
    level: f64,
) -> Result<Array1<f64>, Error> {
    checks::open_unit("interval_score", "level", level)?;
    check_interval("interval_score", interval)?;
    check_pair("interval_score", "interval", interval.lower.view(), targets)?;
    let rate = 2.0 / (1.0 - level);
    Ok(Zip::from(&interval.lower).and(&interval.upper).and(targets).map_collect(|low, high, y| {
        let outside = (low - y).max(y - high).max(0.0);
        (high - low) + rate * outside
    }))
}

fn check_pair(
    op: &'static str,
    argument: &'static str,
    predicted: ArrayView1<'_, f64>,
    targets: ArrayView1<'_, f64>,
) -> Result<(), Error> {
    checks::finite(op, "targets", targets)?;
    checks::same_len(op, argument, targets.len(), predicted.len())?;
    checks::finite(op, argument, predicted)
}

fn check_interval(op: &'static str, interval: &Interval) -> Result<(), Error> {
    checks::finite(op, "interval.lower", interval.lower.view())?;
    checks::same_len(op, "interval.upper", interval.lower.len(), interval.upper.len())?;
    checks::finite(op, "interval.upper", interval.upper.view())?;
    match interval.upper.iter().zip(&interval.lower).find(|(high, low)| low > high) {
        None => Ok(()),
        Some((high, low)) => {
            let expected = "a width of at least zero";
            Err(Error::OutOfRange { op, argument: "interval", value: high - low, expected })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn point_errors_match_hand_values() {
        let (predicted, targets) = (array![1.0, 2.0], array![4.0, -2.0]);
        assert_relative_eq!(rmse(predicted.view(), targets.view()).unwrap(), 12.5_f64.sqrt());
        assert_relative_eq!(mae(predicted.view(), targets.view()).unwrap(), 3.5);
    }

    #[test]
    fn interval_scores_match_hand_values() {
        let interval = Interval { lower: array![0.0, 0.0, 0.0], upper: array![1.0, 1.0, 1.0] };
        let targets = array![1.0, 1.5, -0.25];
        assert_relative_eq!(coverage(&interval, targets.view()).unwrap(), 1.0 / 3.0);
        assert_relative_eq!(mean_width(&interval).unwrap(), 1.0);
        // At 0.9 a unit outside costs 20: (1 + 11 + 6) / 3.
        let score = interval_score(&interval, targets.view(), 0.9).unwrap();
        assert_relative_eq!(score, 6.0, max_relative = 1e-12);
    }

    #[test]
    fn nll_of_one_standard_gaussian_is_known() {
        let one = GaussianMixturePredictive::new(array![[0.0]], array![[1.0]]).unwrap();
        let value = density_nll(&one, array![1.0].view()).unwrap();
        assert_relative_eq!(value, 0.5 * (1.0 + std::f64::consts::TAU.ln()), max_relative = 1e-15);
    }

    #[test]
    fn bad_input_is_refused() {
        let crossed = Interval { lower: array![1.0], upper: array![0.0] };
        assert!(matches!(mean_width(&crossed), Err(Error::OutOfRange { value: -1.0, .. })));
        let got = rmse(array![0.0, f64::NAN].view(), array![0.0, 0.0].view());
        assert_eq!(got, Err(Error::NotFinite { op: "rmse", argument: "predicted", index: vec![1] }));
        assert!(matches!(mae(array![0.0].view(), array![].view()), Err(Error::Empty { .. })));
        let fine = Interval { lower: array![0.0], upper: array![1.0] };
        assert!(matches!(coverage(&fine, array![0.0, 1.0].view()), Err(Error::ShapeMismatch { .. })));
        assert!(matches!(interval_score(&fine, array![0.0].view(), 1.0), Err(Error::OutOfRange { .. })));
    }

    proptest! {
        #[test]
        fn mixture_nll_is_at_most_gibbs_and_rmse_at_least_mae(
            terms in prop::collection::vec((-3.0..3.0_f64, 0.1..3.0_f64), 1..8),
            target in -5.0..5.0_f64,
        ) {
            let column = |f: fn(&(f64, f64)) -> f64| {
                Array2::from_shape_vec((terms.len(), 1), terms.iter().map(f).collect()).unwrap()
            };
            let mixture = GaussianMixturePredictive::new(column(|t| t.0), column(|t| t.1)).unwrap();
            let y = array![target];
            let gap = gibbs_density_nll(&mixture, y.view()).unwrap() - density_nll(&mixture, y.view()).unwrap();
            prop_assert!(gap >= -1e-12);
            let predicted: Array1<f64> = terms.iter().map(|t| t.0).collect();
            let targets: Array1<f64> = terms.iter().map(|t| t.1).collect();
            let (r, a) = (rmse(predicted.view(), targets.view()), mae(predicted.view(), targets.view()));
            prop_assert!(r.unwrap() >= a.unwrap() - 1e-12);
        }
    }
}
