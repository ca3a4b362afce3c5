//! The family of calibration errors that ACE, TACE, SCE and RMS-CE belong to.
//!
//! Edges and weights follow the numpy implementation behind published values; for a new report
//! [`super::calibration::ece`] is the plainer choice.

use ndarray::{ArrayView1, ArrayView2};

use super::checks;
use crate::Error;

/// How the edges between bins are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binning {
    /// `n_bins` bins of equal width over `[0, 1]`.
    EqualWidth,
    /// Edges at order statistics, so that bins hold about equally many values.
    EqualMass,
}

/// Which probabilities are held against what came true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The largest probability of each row against "the prediction was right".
    TopLabel,
    /// Each class on its own against "this was the label"; errors are averaged over classes.
    EachClass,
}

/// How gaps of bins become one number; both weight a bin by its share of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// `sum_b w_b |gap_b|`.
    L1,
    /// `sqrt(sum_b w_b gap_b^2)`.
    L2,
}

/// One member of the family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationFamily {
    /// Choice of edges.
    pub binning: Binning,
    /// Choice of probabilities.
    pub scope: Scope,
    /// Choice of norm.
    pub norm: Norm,
    /// Number of bins.
    pub n_bins: usize,
    /// Only probabilities strictly above this enter (per class, before edges are chosen).
    pub threshold: f64,
}

impl CalibrationFamily {
    const fn new(binning: Binning, scope: Scope, norm: Norm, n_bins: usize, threshold: f64) -> Self {
        Self { binning, scope, norm, n_bins, threshold }
    }

    /// ECE with numpy's edges: equal width, top label.
    ///
    /// # Shapes
    /// No array.
    ///
    /// # Source
    /// Nixon et al. 2019, arXiv:1904.01685; edges as in [`general_calibration_error`].
    pub const fn ece_numpy(n_bins: usize) -> Self {
        Self::new(Binning::EqualWidth, Scope::TopLabel, Norm::L1, n_bins, 0.0)
    }

    /// Adaptive calibration error: equal mass, each class.
    ///
    /// # Shapes
    /// No array.
    ///
    /// # Source
    /// Nixon et al. 2019, arXiv:1904.01685; edges as in [`general_calibration_error`].
    pub const fn ace(n_bins: usize) -> Self {
        Self::new(Binning::EqualMass, Scope::EachClass, Norm::L1, n_bins, 0.0)
    }

    /// Equal mass, top label only.
    ///
    /// # Shapes
    /// No array.
    ///
    /// # Source
    /// Nixon et al. 2019, arXiv:1904.01685; edges as in [`general_calibration_error`].
    pub const fn ace_max_prob_unconditional(n_bins: usize) -> Self {
        Self::new(Binning::EqualMass, Scope::TopLabel, Norm::L1, n_bins, 0.0)
    }

    /// Thresholded ACE; published with 0.01.
    ///
    /// # Shapes
    /// No array.
    ///
    /// # Source
    /// Nixon et al. 2019, arXiv:1904.01685; edges as in [`general_calibration_error`].
    pub const fn tace(n_bins: usize, threshold: f64) -> Self {
        Self::new(Binning::EqualMass, Scope::EachClass, Norm::L1, n_bins, threshold)
    }

    /// Static calibration error: equal width, each class.
    ///
    /// # Shapes
    /// No array.
    ///
    /// # Source
    /// Nixon et al. 2019, arXiv:1904.01685; edges as in [`general_calibration_error`].
    pub const fn sce(n_bins: usize) -> Self {
        Self::new(Binning::EqualWidth, Scope::EachClass, Norm::L1, n_bins, 0.0)
    }

    /// Root mean square, equal mass, top label.
    ///
    /// # Shapes
    /// No array.
    ///
    /// # Source
    /// Nixon et al. 2019, arXiv:1904.01685; edges as in [`general_calibration_error`].
    pub const fn rms_max_prob_adaptive(n_bins: usize) -> Self {
        Self::new(Binning::EqualMass, Scope::TopLabel, Norm::L2, n_bins, 0.0)
    }
}

/// The calibration error of one member of the family.
///
/// A value lies in bin `b` when `b` upper edges are at or below it, so that a value equal to an edge belongs
/// above it. Equal width: upper edges `i / n_bins` for `i = 1..=n_bins`, hence probability 1 has a bin of its
/// own. Equal mass over `n` sorted values: edges at the positions `round(i n / n_bins)` for `i = 1..n_bins`
/// (halves to even, at most `n - 1`). Empty bins are skipped, weights are shares of the values above the
/// threshold; a class with no such value counts as 0.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`], [`Error::NotFinite`];
/// [`Error::OutOfRange`] for an entry outside of `[0, 1]`, `n_bins = 0` or a threshold that is not in `[0, 1)`.
///
/// # Source
/// Nixon et al. 2019, arXiv:1904.01685; conventions of `GeneralCalibrationError` in robustness_metrics.
pub fn general_calibration_error(
    probs: ArrayView2<'_, f64>,
    labels: ArrayView1<'_, usize>,
    family: &CalibrationFamily,
) -> Result<f64, Error> {
    const OP: &str = "general_calibration_error";
    checks::probs_and_labels(OP, probs, labels)?;
    checks::positive_count(OP, "n_bins", family.n_bins)?;
    if !(0.0..1.0).contains(&family.threshold) {
        let (value, expected) = (family.threshold, "in [0, 1)");
        return Err(Error::OutOfRange { op: OP, argument: "threshold", value, expected });
    }
    match family.scope {
        Scope::TopLabel => {
            let pairs = probs.rows().into_iter().zip(labels).map(|(row, label)| {
                let class = checks::argmax(row);
                (row[class], class == *label)
            });
            Ok(binned_error(pairs, family))
        }
        Scope::EachClass => {
            let class = |(class, column): (usize, ArrayView1<'_, f64>)| {
                let hit = labels.iter().map(|label| *label == class);
                binned_error(column.iter().copied().zip(hit), family)
            };
            Ok(probs.columns().into_iter().enumerate().map(class).sum::<f64>() / probs.ncols() as f64)
        }
    }
}

fn binned_error(pairs: impl Iterator<Item = (f64, bool)>, family: &CalibrationFamily) -> f64 {
    let mut kept: Vec<(f64, bool)> = pairs.filter(|(p, _)| *p > family.threshold).collect();
    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = kept.len();
    if n == 0 {
        return 0.0;
    }
    let edges: Vec<f64> = match family.binning {
        Binning::EqualWidth => {
            // Multiples of one rounded width, except for the last edge, which is exactly 1.
            let width = 1.0 / family.n_bins as f64;
            (1..=family.n_bins).map(|i| if i == family.n_bins { 1.0 } else { i as f64 * width }).collect()
        }
        Binning::EqualMass => {
            let step = n as f64 / family.n_bins as f64;
            let position = |i: usize| ((i as f64 * step).round_ties_even() as usize).min(n - 1);
            (1..family.n_bins).map(|i| kept[position(i)].0).collect()
        }
    };
    let mut total = 0.0;
    let bin_of = |p: f64| edges.partition_point(|edge| *edge <= p);
    for bin in kept.chunk_by(|a, b| bin_of(a.0) == bin_of(b.0)) {
        let (sum, hits) =
            bin.iter().fold((0.0, 0.0), |(sum, hits), (p, hit)| (sum + p, hits + f64::from(*hit)));
        let gap = (sum - hits).abs() / bin.len() as f64;
        let weight = bin.len() as f64 / n as f64;
        total += weight * if family.norm == Norm::L1 { gap } else { gap * gap };
    }
    if family.norm == Norm::L1 { total } else { total.sqrt() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn probability_one_has_a_bin_of_its_own_with_equal_width() {
        // Top labels 0.9 (wrong) and 1.0 (right): one bin would give 0.45, two give (0.9 + 0) / 2.
        let probs = array![[0.9, 0.1], [1.0, 0.0]];
        let value =
            general_calibration_error(probs.view(), array![1, 0].view(), &CalibrationFamily::ece_numpy(2));
        assert_relative_eq!(value.unwrap(), 0.45, max_relative = 1e-12);
        let wrong_both = general_calibration_error(
            array![[0.9, 0.1], [1.0, 0.0], [0.6, 0.4]].view(),
            array![1, 0, 0].view(),
            &CalibrationFamily::ece_numpy(2),
        );
        // Bin [0.5, 1): 0.9 wrong, 0.6 right, gap |1.5 - 1| / 2; bin {1}: gap 0.
        assert_relative_eq!(wrong_both.unwrap(), 2.0 / 3.0 * 0.25, max_relative = 1e-12);
    }

    #[test]
    fn equal_mass_edges_split_sorted_confidences() {
        // Sorted 0.5, 0.6, 0.7, 0.8 in two bins: the edge is the value at position 2.
        let probs = array![[0.8, 0.2], [0.5, 0.5], [0.7, 0.3], [0.6, 0.4]];
        let labels = array![0, 1, 0, 1];
        let l1 = general_calibration_error(
            probs.view(),
            labels.view(),
            &CalibrationFamily::ace_max_prob_unconditional(2),
        );
        assert_relative_eq!(l1.unwrap(), 0.5 * 0.55 + 0.5 * 0.25, max_relative = 1e-12);
        let l2 = general_calibration_error(
            probs.view(),
            labels.view(),
            &CalibrationFamily::rms_max_prob_adaptive(2),
        );
        let expected = (0.5 * 0.55_f64.powi(2) + 0.5 * 0.25_f64.powi(2)).sqrt();
        assert_relative_eq!(l2.unwrap(), expected, max_relative = 1e-12);
    }

    #[test]
    fn threshold_is_strict_and_changes_the_weights() {
        // Class 0: 0.2 (hit) and 0.1 (left out); class 1: 0.8 (miss), 0.9 (hit).
        let probs = array![[0.2, 0.8], [0.1, 0.9]];
        let value =
            general_calibration_error(probs.view(), array![0, 1].view(), &CalibrationFamily::tace(1, 0.1));
        assert_relative_eq!(value.unwrap(), 0.5 * (0.8 + 0.35), max_relative = 1e-12);
    }

    #[test]
    fn impossible_settings_are_refused() {
        let probs = array![[0.2, 0.8]];
        for family in
            [CalibrationFamily::ace(0), CalibrationFamily::tace(5, 1.0), CalibrationFamily::tace(5, f64::NAN)]
        {
            let got = general_calibration_error(probs.view(), array![0].view(), &family);
            assert!(matches!(got, Err(Error::OutOfRange { .. })));
        }
    }
}
