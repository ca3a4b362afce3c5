//! ROC and PR areas over a fixed grid of thresholds, as Keras computes them.
//!
//! Kept for comparison with published numbers; [`super::ranking`] has the exact areas.

use ndarray::ArrayView1;

use super::{checks, ranking};
use crate::Error;

/// Number of thresholds of Keras' `AUC` unless told otherwise.
pub const KERAS_THRESHOLDS: usize = 200;

/// Counts at every threshold, loosest first; the last threshold lies above every score.
struct Grid {
    true_positives: Vec<f64>,
    false_positives: Vec<f64>,
    positives: f64,
    negatives: f64,
}

/// Area under the ROC curve by trapezoids over `n_thresholds` evenly spaced thresholds.
///
/// # Shapes
/// `scores`, `positive` `[N]`; scores are probabilities.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`], [`Error::OneClass`];
/// [`Error::OutOfRange`] for a score outside of `[0, 1]` or fewer than two thresholds.
///
/// # Source
/// Keras 2.15 `metrics.AUC(curve="ROC")`: a score counts as positive above `i / (n_thresholds - 1)`, strictly,
/// and always at the first threshold; [`KERAS_THRESHOLDS`] is its default. Keras returns 0 where one class is
/// missing, this refuses.
pub fn keras_auc_roc(
    scores: ArrayView1<'_, f64>,
    positive: ArrayView1<'_, bool>,
    n_thresholds: usize,
) -> Result<f64, Error> {
    let grid = count_grid("keras_auc_roc", scores, positive, n_thresholds)?;
    let (tp, fp) = (&grid.true_positives, &grid.false_positives);
    let slab = |i: usize| (fp[i] - fp[i + 1]) * 0.5 * (tp[i] + tp[i + 1]);
    Ok((0..n_thresholds - 1).map(slab).sum::<f64>() / (grid.positives * grid.negatives))
}

/// Area under the precision-recall curve over `n_thresholds` thresholds, precision interpolated hyperbolically.
///
/// # Shapes
/// `scores`, `positive` `[N]`; scores are probabilities.
///
/// # Errors
/// As [`keras_auc_roc`].
///
/// # Source
/// Keras 2.15 `metrics.AUC(curve="PR")`, after Davis and Goadrich 2006, doi:10.1145/1143844.1143874: between
/// thresholds true positives are linear in the number of predicted positives.
pub fn keras_auc_pr(
    scores: ArrayView1<'_, f64>,
    positive: ArrayView1<'_, bool>,
    n_thresholds: usize,
) -> Result<f64, Error> {
    let grid = count_grid("keras_auc_pr", scores, positive, n_thresholds)?;
    let slab = |i: usize| {
        let (tp, next_tp) = (grid.true_positives[i], grid.true_positives[i + 1]);
        let (predicted, next) = (tp + grid.false_positives[i], next_tp + grid.false_positives[i + 1]);
        if predicted == next {
            return 0.0;
        }
        let slope = (tp - next_tp) / (predicted - next);
        let intercept = next_tp - slope * next;
        let log_ratio = if next > 0.0 { (predicted / next).ln() } else { 0.0 };
        slope * (tp - next_tp + intercept * log_ratio)
    };
    Ok((0..n_thresholds - 1).map(slab).sum::<f64>() / grid.positives)
}

fn count_grid(
    op: &'static str,
    scores: ArrayView1<'_, f64>,
    positive: ArrayView1<'_, bool>,
    n_thresholds: usize,
) -> Result<Grid, Error> {
    let (positives, negatives) = ranking::check_binary(op, scores, positive)?;
    checks::probs(op, "scores", scores)?;
    if n_thresholds < 2 {
        let (value, expected) = (n_thresholds as f64, "at least 2");
        return Err(Error::OutOfRange { op, argument: "n_thresholds", value, expected });
    }
    let mut true_positives = vec![0.0; n_thresholds];
    let mut false_positives = vec![0.0; n_thresholds];
    for (score, is_positive) in scores.iter().zip(positive) {
        // The last threshold that lies strictly below the score; 0 for a score of 0.
        let last = ((score.min(1.0) * (n_thresholds - 1) as f64).ceil() - 1.0).max(0.0) as usize;
        let counts = if *is_positive { &mut true_positives } else { &mut false_positives };
        counts[last] += 1.0;
    }
    for i in (0..n_thresholds - 1).rev() {
        true_positives[i] += true_positives[i + 1];
        false_positives[i] += false_positives[i + 1];
    }
    Ok(Grid { true_positives, false_positives, positives: positives as f64, negatives: negatives as f64 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fine_grid_agrees_with_the_exact_area() {
        let (scores, positive) = (array![0.1, 0.4, 0.35, 0.8], array![false, false, true, true]);
        let exact = ranking::auroc(scores.view(), positive.view()).unwrap();
        let value = keras_auc_roc(scores.view(), positive.view(), KERAS_THRESHOLDS).unwrap();
        assert_relative_eq!(value, exact, max_relative = 1e-12);
    }

    #[test]
    fn a_coarse_grid_ties_what_lies_between_thresholds() {
        // Thresholds 0, 1/2, 1: the four scores fall in two cells of one positive and one negative each.
        let (scores, positive) = (array![0.1, 0.2, 0.8, 0.9], array![false, true, false, true]);
        assert_relative_eq!(keras_auc_roc(scores.view(), positive.view(), 3).unwrap(), 0.5);
        // Precision is 1/2 along the whole curve.
        assert_relative_eq!(keras_auc_pr(scores.view(), positive.view(), 3).unwrap(), 0.5);
    }

    #[test]
    fn interpolation_is_hyperbolic() {
        // Counts (tp, fp) at thresholds: (2, 2), (1, 0), (0, 0). Between the first two tp = 2/3 + p/3.
        let (scores, positive) = (array![0.2, 0.3, 0.4, 0.9], array![false, true, false, true]);
        let expected = 0.5 * (1.0 + (1.0 + 2.0 / 3.0 * 4.0_f64.ln()) / 3.0);
        let value = keras_auc_pr(scores.view(), positive.view(), 3).unwrap();
        assert_relative_eq!(value, expected, max_relative = 1e-12);
    }

    #[test]
    fn scores_that_are_no_probabilities_are_refused() {
        let got = keras_auc_roc(array![0.5, 1.5].view(), array![true, false].view(), 200);
        assert!(matches!(got, Err(Error::OutOfRange { argument: "scores", .. })));
        let got = keras_auc_pr(array![0.5, 0.5].view(), array![true, false].view(), 1);
        assert!(matches!(got, Err(Error::OutOfRange { argument: "n_thresholds", .. })));
    }

    proptest! {
        #[test]
        fn areas_are_fractions(pairs in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 1..60)) {
            let scores = pairs.iter().map(|p| p.0).chain([0.0, 1.0]).collect::<ndarray::Array1<_>>();
            let positive = pairs.iter().map(|p| p.1).chain([true, false]).collect::<ndarray::Array1<_>>();
            for metric in [keras_auc_roc, keras_auc_pr] {
                let value = metric(scores.view(), positive.view(), KERAS_THRESHOLDS).unwrap();
                prop_assert!((-1e-12..=1.0 + 1e-12).contains(&value));
            }
        }
    }
}
