//! The order statistic that a conformal prediction compares scores with.
//!
//! Not for the scores themselves.

use ndarray::{Array1, ArrayView1};

use crate::Error;
use crate::metrics::checks;

/// Coverage is counted in these parts of one, so that ranks are those of its decimal and not of its nearest double.
const PARTS: u128 = 1_000_000_000_000;

/// Thresholds of every class, from the calibration rows of that class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassThresholds {
    /// `[C]` calibration rows of each class.
    pub counts: Vec<usize>,
    /// `[C]` ranks; one above its count means infinite.
    pub ranks: Vec<usize>,
    /// `[C]` thresholds; infinite where a class has too few rows, so that it is in every set.
    pub thresholds: Array1<f64>,
}

/// The rank of the threshold among `n` ascending scores, from 1: `ceil((n + 1) coverage)`; `n + 1` means infinite.
///
/// # Shapes
/// Scalars.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < coverage < 1`, also when rounded to 12 decimals.
///
/// # Numerics
/// Exact for the decimal that is meant: `1 - 0.7` is 0.3, so that ten times it is 3 and not above. Twelve decimals count.
///
/// # Source
/// Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173, theorem 2.2.
pub fn rank(n: usize, coverage: f64) -> Result<usize, Error> {
    Ok(((n as u128 + 1) * parts(coverage)?).div_ceil(PARTS) as usize)
}

/// The fewest calibration rows with a finite threshold: `ceil(coverage / (1 - coverage))`.
///
/// # Shapes
/// Scalars.
///
/// # Errors
/// As [`rank`].
///
/// # Source
/// The least `n` with [`rank`] at most `n`.
pub fn rows_needed(coverage: f64) -> Result<usize, Error> {
    let parts = parts(coverage)?;
    Ok(parts.div_ceil(PARTS - parts) as usize)
}

/// The score of [`rank`]; infinite when there are too few scores for the coverage.
///
/// # Shapes
/// `scores` `[n]` of the calibration rows, in any order.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`]; [`Error::OutOfRange`] as [`rank`].
///
/// # Source
/// As [`rank`].
pub fn threshold(scores: ArrayView1<'_, f64>, coverage: f64) -> Result<f64, Error> {
    checks::finite("threshold", "scores", scores)?;
    let rank = rank(scores.len(), coverage)?;
    Ok(order_statistic(scores.to_vec(), rank))
}

/// A threshold for every class, from the scores of the rows of that class alone.
///
/// # Shapes
/// `scores`, `labels` `[n]`; returns `C = n_classes` thresholds.
///
/// # Errors
/// As [`threshold`]; [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`]. A class without rows is no error: its threshold is infinite.
///
/// # Source
/// Mondrian conformal prediction, Vovk et al. 2005, section 4.5: exact within each class.
pub fn class_thresholds(
    scores: ArrayView1<'_, f64>,
    labels: ArrayView1<'_, usize>,
    n_classes: usize,
    coverage: f64,
) -> Result<ClassThresholds, Error> {
    const OP: &str = "class_thresholds";
    checks::finite(OP, "scores", scores)?;
    checks::labels(OP, labels, scores.len(), n_classes)?;
    let mut of_class = vec![Vec::new(); n_classes];
    scores.iter().zip(labels).for_each(|(score, &label)| of_class[label].push(*score));
    let counts: Vec<usize> = of_class.iter().map(Vec::len).collect();
    let ranks = counts.iter().map(|&n| rank(n, coverage)).collect::<Result<Vec<_>, _>>()?;
    let thresholds =
        of_class.into_iter().zip(&ranks).map(|(own, &rank)| order_statistic(own, rank)).collect();
    Ok(ClassThresholds { counts, ranks, thresholds })
}

/// Whether each observed score is at most the threshold; equal counts.
///
/// # Shapes
/// `scores` `[N]` of new rows at what was observed; returns `[N]`.
///
/// # Source
/// The definition of coverage; comparing `y` with rounded ends of an interval may differ at the ends.
#[must_use]
pub fn covered(scores: ArrayView1<'_, f64>, threshold: f64) -> Array1<bool> {
    scores.mapv(|score| score <= threshold)
}

fn order_statistic(mut scores: Vec<f64>, rank: usize) -> f64 {
    if rank > scores.len() {
        return f64::INFINITY;
    }
    *scores.select_nth_unstable_by(rank - 1, f64::total_cmp).1
}

/// Coverage in parts of [`PARTS`], strictly between none and all.
fn parts(coverage: f64) -> Result<u128, Error> {
    checks::open_unit("rank", "coverage", coverage)?;
    let parts = (coverage * PARTS as f64).round() as u128;
    if parts == 0 || parts == PARTS {
        let expected = "strictly between 0 and 1 in twelve decimals";
        return Err(Error::OutOfRange { op: "rank", argument: "coverage", value: coverage, expected });
    }
    Ok(parts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_are_those_of_the_decimal() {
        for (n, alpha, expected) in
            [(9, 0.7, 3), (49, 0.1, 45), (9, 0.1, 9), (8, 0.1, 9), (1, 0.5, 1), (99, 0.01, 99)]
        {
            assert_eq!(rank(n, 1.0 - alpha).unwrap(), expected, "n {n}, alpha {alpha}");
        }
        // In doubles the product is off by more than any fixed tolerance here.
        assert_eq!(rank(99_999_999_999_999, 1.0 - 0.7).unwrap(), 30_000_000_000_000);
        assert_eq!(rank(usize::MAX, 0.5).unwrap(), 1 << 63);
    }

    #[test]
    fn rows_needed_are_the_first_with_a_finite_threshold() {
        for (coverage, rows) in [(0.9, 9), (0.95, 19), (0.99, 99), (0.5, 1), (0.3, 1), (0.999, 999)] {
            assert_eq!(rows_needed(coverage).unwrap(), rows, "{coverage}");
            assert!(rank(rows, coverage).unwrap() <= rows);
            assert!(rank(rows - 1, coverage).unwrap() == rows, "{coverage}");
        }
    }

    #[test]
    fn the_threshold_is_a_score_or_infinite() {
        let scores = array![3.0, 1.0, 2.0, 2.0];
        assert_eq!(threshold(scores.view(), 0.5).unwrap(), 2.0);
        assert_eq!(threshold(scores.view(), 0.8).unwrap(), 3.0);
        assert_eq!(threshold(scores.view(), 0.81).unwrap(), f64::INFINITY);
        assert_eq!(covered(scores.view(), 2.0).to_vec(), [false, true, true, true]);
    }

    #[test]
    fn bad_input_is_refused() {
        for coverage in [0.0, 1.0, -0.1, 1.5, f64::NAN, 1e-13, 1.0 - 1e-13] {
            let got = threshold(array![1.0].view(), coverage);
            assert!(
                matches!(got, Err(Error::OutOfRange { argument: "coverage", .. })),
                "{coverage}: {got:?}"
            );
            assert!(rows_needed(coverage).is_err());
        }
        assert!(matches!(threshold(array![].view(), 0.9), Err(Error::Empty { .. })));
        let got = threshold(array![1.0, f64::INFINITY].view(), 0.5);
        assert_eq!(got, Err(Error::NotFinite { op: "threshold", argument: "scores", index: vec![1] }));
        let by_class =
            |labels: Array1<usize>| class_thresholds(array![1.0, 2.0].view(), labels.view(), 2, 0.5);
        assert!(matches!(by_class(array![0]), Err(Error::ShapeMismatch { .. })));
        assert!(matches!(by_class(array![0, 2]), Err(Error::LabelOutOfRange { .. })));
    }

    #[test]
    fn a_class_has_the_threshold_of_its_own_rows() {
        let scores = array![0.1, 0.9, 0.2, 0.8, 0.3];
        let found = class_thresholds(scores.view(), array![0, 2, 0, 2, 0].view(), 3, 0.7).unwrap();
        assert_eq!((found.counts, found.ranks), (vec![3, 0, 2], vec![3, 1, 3]));
        assert_eq!(found.thresholds.to_vec(), [0.3, f64::INFINITY, f64::INFINITY]);
    }

    proptest! {
        #[test]
        fn more_coverage_is_no_smaller_threshold(
            scores in prop::collection::vec(-5.0..5.0_f64, 1..40),
            low in 0.01..0.99_f64,
            more in 0.0..0.9_f64,
        ) {
            let high = low + more * (0.99 - low);
            let of = |coverage| threshold(Array1::from(scores.clone()).view(), coverage).unwrap();
            prop_assert!(of(low) <= of(high));
        }

        #[test]
        fn a_multiple_of_the_scores_has_the_multiple_as_threshold(
            scores in prop::collection::vec(-5.0..5.0_f64, 1..40),
            scale in 0.1..10.0_f64,
            coverage in 0.01..0.99_f64,
        ) {
            let scores = Array1::from(scores);
            let scaled = threshold((&scores * scale).view(), coverage).unwrap();
            prop_assert_eq!(scaled, threshold(scores.view(), coverage).unwrap() * scale);
        }
    }
}
