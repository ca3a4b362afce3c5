//! Conformal intervals of real values: absolute and normalized residuals, and quantile regression (CQR).
//!
//! Ends are in the target's own unit. Not for the central interval of a predictive; see
//! [`GaussianMixturePredictive::central_interval`](crate::predictive::GaussianMixturePredictive::central_interval).

use ndarray::{Array1, ArrayView1, Zip};

use crate::Error;
use crate::metrics::checks;
use crate::predictive::Interval;

/// What is said of many intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntervalSummary {
    /// Mean width; an empty interval has width zero, an infinite one makes it infinite.
    pub mean_width: f64,
    /// Intervals whose lower end is above their upper end.
    pub n_empty: usize,
}

/// `|y - mean|`.
///
/// # Shapes
/// `mean`, `targets` `[N]`; returns `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`].
///
/// # Source
/// Lei et al. 2018, arXiv:1604.04173, algorithm 2.
pub fn absolute_scores(
    mean: ArrayView1<'_, f64>,
    targets: ArrayView1<'_, f64>,
) -> Result<Array1<f64>, Error> {
    pair("absolute_scores", "mean", mean, targets)?;
    Ok(Zip::from(mean).and(targets).map_collect(|mean, y| (y - mean).abs()))
}

/// `|y - mean| / scale`.
///
/// # Shapes
/// All `[N]`; returns `[N]`.
///
/// # Errors
/// As [`absolute_scores`]; [`Error::OutOfRange`] for a scale that is not above zero.
///
/// # Source
/// Papadopoulos et al. 2002, doi:10.1007/3-540-36755-1_29; here the scale is a predictive's standard deviation.
pub fn normalized_scores(
    mean: ArrayView1<'_, f64>,
    scale: ArrayView1<'_, f64>,
    targets: ArrayView1<'_, f64>,
) -> Result<Array1<f64>, Error> {
    const OP: &str = "normalized_scores";
    pair(OP, "mean", mean, targets)?;
    positive(OP, scale, mean.len())?;
    Ok(Zip::from(mean).and(scale).and(targets).map_collect(|mean, scale, y| (y - mean).abs() / scale))
}

/// `max(lower - y, y - upper)`: how far a value lies outside an interval, negative inside.
///
/// # Shapes
/// Ends and `targets` `[N]`; returns `[N]`.
///
/// # Errors
/// As [`absolute_scores`].
///
/// # Source
/// Romano et al. 2019, arXiv:1905.03222, equation 6.
pub fn cqr_scores(interval: &Interval, targets: ArrayView1<'_, f64>) -> Result<Array1<f64>, Error> {
    const OP: &str = "cqr_scores";
    pair(OP, "interval.lower", interval.lower.view(), targets)?;
    pair(OP, "interval.upper", interval.upper.view(), targets)?;
    let score = |lower: &f64, upper: &f64, y: &f64| (lower - y).max(y - upper);
    Ok(Zip::from(&interval.lower).and(&interval.upper).and(targets).map_collect(score))
}

/// `mean - threshold` to `mean + threshold`; without ends for an infinite threshold.
///
/// # Shapes
/// `mean` `[N]`; returns two `[N]` ends.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`]; [`Error::OutOfRange`] for a threshold that is NaN or negative.
///
/// # Source
/// The values whose score of [`absolute_scores`] is at most the threshold.
pub fn absolute_interval(mean: ArrayView1<'_, f64>, threshold: f64) -> Result<Interval, Error> {
    const OP: &str = "absolute_interval";
    checks::finite(OP, "mean", mean)?;
    not_negative(OP, threshold)?;
    Ok(Interval { lower: mean.mapv(|m| m - threshold), upper: mean.mapv(|m| m + threshold) })
}

/// `mean - threshold scale` to `mean + threshold scale`; without ends for an infinite threshold.
///
/// # Shapes
/// `mean`, `scale` `[N]`; returns two `[N]` ends.
///
/// # Errors
/// As [`absolute_interval`]; [`Error::ShapeMismatch`], and [`Error::OutOfRange`] for a scale that is not above zero.
///
/// # Source
/// The values whose score of [`normalized_scores`] is at most the threshold.
pub fn normalized_interval(
    mean: ArrayView1<'_, f64>,
    scale: ArrayView1<'_, f64>,
    threshold: f64,
) -> Result<Interval, Error> {
    const OP: &str = "normalized_interval";
    checks::finite(OP, "mean", mean)?;
    positive(OP, scale, mean.len())?;
    not_negative(OP, threshold)?;
    let end =
        |sign: f64| Zip::from(mean).and(scale).map_collect(|mean, scale| mean + sign * (threshold * scale));
    Ok(Interval { lower: end(-1.0), upper: end(1.0) })
}

/// `lower - threshold` to `upper + threshold`; a negative threshold makes intervals narrower, and those narrower than twice its
/// size empty, with their lower end above their upper end.
///
/// # Shapes
/// Ends `[N]`; returns two `[N]` ends.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for a threshold that is NaN.
///
/// # Source
/// The values whose score of [`cqr_scores`] is at most the threshold.
pub fn cqr_interval(interval: &Interval, threshold: f64) -> Result<Interval, Error> {
    const OP: &str = "cqr_interval";
    pair(OP, "interval.upper", interval.upper.view(), interval.lower.view())?;
    if threshold.is_nan() || threshold == f64::NEG_INFINITY {
        let expected = "a number or infinity";
        return Err(Error::OutOfRange { op: OP, argument: "threshold", value: threshold, expected });
    }
    Ok(Interval { lower: &interval.lower - threshold, upper: &interval.upper + threshold })
}

/// Mean width and number of empty ones, of intervals that may be empty or infinite.
///
/// # Shapes
/// Ends `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`].
///
/// # Source
/// Definition; the other metrics of intervals refuse both ([`crate::metrics::mean_width`]).
pub fn summarize_intervals(interval: &Interval) -> Result<IntervalSummary, Error> {
    const OP: &str = "summarize_intervals";
    checks::same_len(OP, "interval.upper", interval.lower.len(), interval.upper.len())?;
    if interval.lower.is_empty() {
        return Err(Error::Empty { op: OP, argument: "interval" });
    }
    let (mut total, mut n_empty) = (0.0, 0);
    for (lower, upper) in interval.lower.iter().zip(&interval.upper) {
        n_empty += usize::from(lower > upper);
        total += (upper - lower).max(0.0);
    }
    Ok(IntervalSummary { mean_width: total / interval.lower.len() as f64, n_empty })
}

fn pair(
    op: &'static str,
    argument: &'static str,
    predicted: ArrayView1<'_, f64>,
    targets: ArrayView1<'_, f64>,
) -> Result<(), Error> {
    checks::finite(op, "targets", targets)?;
    checks::same_len(op, argument, targets.len(), predicted.len())?;
    checks::finite(op, argument, predicted)
}

fn positive(op: &'static str, scale: ArrayView1<'_, f64>, n: usize) -> Result<(), Error> {
    checks::same_len(op, "scale", n, scale.len())?;
    checks::finite(op, "scale", scale)?;
    match scale.iter().find(|scale| **scale <= 0.0) {
        Some(&value) => Err(Error::OutOfRange { op, argument: "scale", value, expected: "above zero" }),
        None => Ok(()),
    }
}

fn not_negative(op: &'static str, threshold: f64) -> Result<(), Error> {
    if threshold >= 0.0 {
        return Ok(());
    }
    Err(Error::OutOfRange { op, argument: "threshold", value: threshold, expected: "at least zero" })
}

#[cfg(test)]
#[path = "interval_tests.rs"]
mod tests;
