//! Aggregates of a metric over corruption types and severities, and the mean corruption error.
//!
//! Not for making corrupted data.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};

use super::checks;
use crate::Error;

/// Mean over types at every severity, then over severities (cNLL, cA, cECE).
///
/// # Shapes
/// `values` `[T, L]`: corruption types by severity levels.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`].
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, section 5; with every cell present, the plain mean.
pub fn mean_corrupted(values: ArrayView2<'_, f64>) -> Result<f64, Error> {
    checks::finite("mean_corrupted", "values", values)?;
    Ok(values.sum() / values.len() as f64)
}

/// Mean over types at every severity.
///
/// # Shapes
/// `values` `[T, L]`; returns `[L]`.
///
/// # Errors
/// As [`mean_corrupted`].
///
/// # Source
/// As [`mean_corrupted`].
pub fn mean_per_severity(values: ArrayView2<'_, f64>) -> Result<Array1<f64>, Error> {
    checks::finite("mean_per_severity", "values", values)?;
    Ok(values.sum_axis(Axis(0)) / values.nrows() as f64)
}

/// Median over types at every severity; between the middle two for an even number of types.
///
/// # Shapes
/// `values` `[T, L]`; returns `[L]`.
///
/// # Errors
/// As [`mean_corrupted`].
///
/// # Source
/// Box plots over types in Dusenberry et al. 2020, figures 10 to 12.
pub fn median_per_severity(values: ArrayView2<'_, f64>) -> Result<Array1<f64>, Error> {
    checks::finite("median_per_severity", "values", values)?;
    let median = |column: ArrayView1<'_, f64>| {
        let mut sorted = column.to_vec();
        sorted.sort_by(f64::total_cmp);
        0.5 * (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2])
    };
    Ok(values.columns().into_iter().map(median).collect())
}

/// Corruption error of every type in percent: the mean error over severities over that of a baseline.
///
/// # Units
/// Percent; 100 is as bad as the baseline.
///
/// # Shapes
/// `accuracy` `[T, L]` fractions, `baseline_error` `[T]` fractions (mean over severities); returns `[T]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for an accuracy
/// outside of `[0, 1]` or a baseline error that is not above zero.
///
/// # Source
/// Hendrycks and Dietterich 2019, arXiv:1903.12261: a ratio of means over severities, not a mean of ratios.
pub fn corruption_errors(
    accuracy: ArrayView2<'_, f64>,
    baseline_error: ArrayView1<'_, f64>,
) -> Result<Array1<f64>, Error> {
    const OP: &str = "corruption_errors";
    checks::probs(OP, "accuracy", accuracy)?;
    checks::same_len(OP, "baseline_error", accuracy.nrows(), baseline_error.len())?;
    checks::probs(OP, "baseline_error", baseline_error)?;
    if baseline_error.iter().any(|v| *v <= 0.0) {
        let expected = "above zero";
        return Err(Error::OutOfRange { op: OP, argument: "baseline_error", value: 0.0, expected });
    }
    let levels = accuracy.ncols() as f64;
    let error = accuracy.mapv(|a| 1.0 - a).sum_axis(Axis(1)) / levels;
    Ok(100.0 * error / baseline_error)
}

/// Mean corruption error in percent: the mean of [`corruption_errors`] over types.
///
/// # Shapes
/// As [`corruption_errors`].
///
/// # Errors
/// As [`corruption_errors`].
///
/// # Source
/// Hendrycks and Dietterich 2019, arXiv:1903.12261, with AlexNet as the baseline.
pub fn mean_corruption_error(
    accuracy: ArrayView2<'_, f64>,
    baseline_error: ArrayView1<'_, f64>,
) -> Result<f64, Error> {
    let errors = corruption_errors(accuracy, baseline_error)?;
    Ok(errors.sum() / errors.len() as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn aggregates_match_hand_values() {
        let values = array![[1.0, 10.0], [2.0, 40.0], [6.0, 10.0]];
        assert_relative_eq!(mean_corrupted(values.view()).unwrap(), 69.0 / 6.0);
        assert_eq!(mean_per_severity(values.view()), Ok(array![3.0, 20.0]));
        assert_eq!(median_per_severity(values.view()), Ok(array![2.0, 10.0]));
        assert_eq!(
            median_per_severity(values.slice_axis(Axis(0), ndarray::Slice::from(..2))),
            Ok(array![1.5, 25.0])
        );
    }

    #[test]
    fn errors_are_ratios_of_means() {
        // Type 0: errors 0.5 and 0.1 against 0.6; type 1: 0.2 and 0.2 against 0.8.
        let accuracy = array![[0.5, 0.9], [0.8, 0.8]];
        let baseline = array![0.6, 0.8];
        let errors = corruption_errors(accuracy.view(), baseline.view()).unwrap();
        assert_relative_eq!(errors[0], 50.0, max_relative = 1e-12);
        assert_relative_eq!(errors[1], 25.0, max_relative = 1e-12);
        let mce = mean_corruption_error(accuracy.view(), baseline.view()).unwrap();
        assert_relative_eq!(mce, 37.5, max_relative = 1e-12);
    }

    #[test]
    fn bad_input_is_refused() {
        let accuracy = array![[0.5, 0.9]];
        assert!(matches!(
            corruption_errors(accuracy.view(), array![0.0].view()),
            Err(Error::OutOfRange { argument: "baseline_error", .. })
        ));
        assert!(matches!(
            corruption_errors(accuracy.view(), array![0.5, 0.5].view()),
            Err(Error::ShapeMismatch { .. })
        ));
        assert!(matches!(
            corruption_errors(array![[50.0]].view(), array![0.5].view()),
            Err(Error::OutOfRange { argument: "accuracy", .. })
        ));
        assert!(matches!(mean_corrupted(Array2::zeros((0, 5)).view()), Err(Error::Empty { .. })));
    }
}
