//! Whether stated class probabilities come true: reliability bins and the errors read from them.
//!
//! Bins are half open, `[lo, hi)`, with confidence 1 in the last. The variants of the GCE family with other
//! edges are in [`super::general_calibration`], calibration of regression quantiles in
//! [`quantile_calibration`](mod@super::quantile_calibration).

use ndarray::{ArrayView1, ArrayView2};

use super::checks;
use super::general_calibration::{CalibrationFamily, general_calibration_error};
use crate::Error;

/// Number of bins of the published expected calibration errors.
pub const DEFAULT_BINS: usize = 15;

/// The examples whose confidence fell into one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Lower edge, included.
    pub lower: f64,
    /// Upper edge, excluded except for the last bin.
    pub upper: f64,
    /// How many examples.
    pub count: usize,
    /// How many of them were right.
    pub correct: usize,
    /// Sum of their confidences.
    pub confidence_sum: f64,
}

impl ReliabilityBin {
    /// Mean confidence; `None` for an empty bin.
    ///
    /// # Shapes
    /// A scalar.
    pub fn confidence(&self) -> Option<f64> {
        (self.count > 0).then(|| self.confidence_sum / self.count as f64)
    }

    /// Fraction right; `None` for an empty bin.
    ///
    /// # Shapes
    /// A scalar.
    pub fn accuracy(&self) -> Option<f64> {
        (self.count > 0).then(|| self.correct as f64 / self.count as f64)
    }

    /// `|accuracy - confidence|`; `None` for an empty bin.
    ///
    /// # Shapes
    /// A scalar.
    pub fn gap(&self) -> Option<f64> {
        Some((self.accuracy()? - self.confidence()?).abs())
    }
}

/// The bin of a confidence: `floor(n_bins * confidence)`, clipped to `0..n_bins`.
///
/// # Shapes
/// Scalars.
///
/// # Numerics
/// In f64; a confidence one rounding below an edge stays below it, where the reference in f32 moves it up.
///
/// # Source
/// `ExpectedCalibrationError` of robustness_metrics: bins `[lo, hi)`, confidence 1 in the last bin.
pub fn bin_index(confidence: f64, n_bins: usize) -> usize {
    // The cast saturates, so that a negative product or NaN lands in bin 0.
    ((n_bins as f64 * confidence).floor() as usize).min(n_bins.saturating_sub(1))
}

/// Sorts examples into equal-width bins of their top-label confidence.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`; returns `n_bins` bins, empty ones included.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`], [`Error::NotFinite`];
/// [`Error::OutOfRange`] for an entry outside of `[0, 1]` or `n_bins = 0`.
///
/// # Source
/// Guo et al. 2017, arXiv:1706.04599; the prediction is the first largest class, see [`bin_index`] for edges.
pub fn reliability_bins(
    probs: ArrayView2<'_, f64>,
    labels: ArrayView1<'_, usize>,
    n_bins: usize,
) -> Result<Vec<ReliabilityBin>, Error> {
    checks::normalized_probs_and_labels("reliability_bins", probs, labels)?;
    checks::positive_count("reliability_bins", "n_bins", n_bins)?;
    let pairs = probs.rows().into_iter().zip(labels).map(|(row, label)| {
        let class = checks::argmax(row);
        (row[class], class == *label)
    });
    Ok(fill_bins(pairs, n_bins))
}

/// Expected calibration error: `sum_b (n_b / N) |accuracy_b - confidence_b|` over equal-width bins.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// As [`reliability_bins`].
///
/// # Source
/// As [`reliability_bins`]; published values use [`DEFAULT_BINS`].
pub fn ece(probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>, n_bins: usize) -> Result<f64, Error> {
    Ok(ece_of_bins(&reliability_bins(probs, labels, n_bins)?))
}

/// Expected calibration error of bins that are already filled; 0 without any example.
///
/// # Shapes
/// Any number of bins.
///
/// # Source
/// As [`ece`].
pub fn ece_of_bins(bins: &[ReliabilityBin]) -> f64 {
    let n: usize = bins.iter().map(|bin| bin.count).sum();
    bins.iter().filter_map(|bin| Some(bin.gap()? * bin.count as f64 / n as f64)).sum()
}

/// Maximum calibration error: the largest gap of a non-empty bin.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// As [`reliability_bins`].
///
/// # Source
/// Guo et al. 2017, arXiv:1706.04599, equation 4. A bin of one example counts as much as a full one.
pub fn mce(probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>, n_bins: usize) -> Result<f64, Error> {
    let bins = reliability_bins(probs, labels, n_bins)?;
    Ok(bins.iter().filter_map(ReliabilityBin::gap).fold(0.0, f64::max))
}

/// ECE over equal-mass bins of the top-label confidence.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// As [`reliability_bins`].
///
/// # Source
/// Nixon et al. 2019, arXiv:1904.01685, without the class condition; edges as in
/// [`CalibrationFamily::ace_max_prob_unconditional`], whose value this is.
pub fn adaptive_ece(
    probs: ArrayView2<'_, f64>,
    labels: ArrayView1<'_, usize>,
    n_bins: usize,
) -> Result<f64, Error> {
    general_calibration_error(probs, labels, &CalibrationFamily::ace_max_prob_unconditional(n_bins))
}

/// Mean over classes of the ECE of that class's probability, over equal-width bins.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// As [`reliability_bins`].
///
/// # Source
/// Kull et al. 2019, arXiv:1910.12656: every example enters every class's bins, as [`bin_index`] says.
/// [`CalibrationFamily::sce`] differs: it leaves out entries of probability zero.
pub fn classwise_ece(
    probs: ArrayView2<'_, f64>,
    labels: ArrayView1<'_, usize>,
    n_bins: usize,
) -> Result<f64, Error> {
    checks::normalized_probs_and_labels("classwise_ece", probs, labels)?;
    checks::positive_count("classwise_ece", "n_bins", n_bins)?;
    let class = |(class, column): (usize, ArrayView1<'_, f64>)| {
        let pairs = column.iter().copied().zip(labels.iter().map(|label| *label == class));
        ece_of_bins(&fill_bins(pairs, n_bins))
    };
    Ok(probs.columns().into_iter().enumerate().map(class).sum::<f64>() / probs.ncols() as f64)
}

fn fill_bins(pairs: impl Iterator<Item = (f64, bool)>, n_bins: usize) -> Vec<ReliabilityBin> {
    let edge = |b: usize| b as f64 / n_bins as f64;
    let empty =
        |b| ReliabilityBin { lower: edge(b), upper: edge(b + 1), count: 0, correct: 0, confidence_sum: 0.0 };
    let mut bins: Vec<_> = (0..n_bins).map(empty).collect();
    for (confidence, correct) in pairs {
        let bin = &mut bins[bin_index(confidence, n_bins)];
        bin.count += 1;
        bin.correct += usize::from(correct);
        bin.confidence_sum += confidence;
    }
    bins
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array1, Array2, array};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bins_are_closed_below_and_one_is_in_the_last() {
        assert_eq!(bin_index(0.0, 10), 0);
        assert_eq!(bin_index(0.5, 10), 5);
        assert_eq!(bin_index(0.5_f64.next_down(), 10), 4);
        assert_eq!(bin_index(1.0, 10), 9);
        assert_eq!(bin_index(1.0, 1), 0);
    }

    #[test]
    fn ece_and_mce_match_hand_values() {
        // Bin [0.5, 1): confidences 0.75 and 0.5, one right; bin 1.0 with two bins is the same one.
        let probs = array![[0.75, 0.25], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]];
        let labels = array![0, 1, 1, 1];
        let value = ece(probs.view(), labels.view(), 2).unwrap();
        assert_relative_eq!(value, (2.0_f64 / 4.0 - 3.25 / 4.0).abs());
        // Four bins: [0.5, 0.75) holds 0.5 (wrong); [0.75, 1] holds 0.75, 1, 1 with two right.
        let value = ece(probs.view(), labels.view(), 4).unwrap();
        assert_relative_eq!(value, 0.25 * 0.5 + 0.75 * (2.75 / 3.0 - 2.0 / 3.0));
        assert_relative_eq!(mce(probs.view(), labels.view(), 4).unwrap(), 0.5);
    }

    #[test]
    fn empty_bins_have_no_confidence() {
        let bins = reliability_bins(array![[1.0, 0.0]].view(), array![0].view(), 3).unwrap();
        assert_eq!((bins[0].confidence(), bins[2].gap()), (None, Some(0.0)));
        assert_eq!((bins[0].lower, bins[2].upper), (0.0, 1.0));
    }

    #[test]
    fn classwise_error_averages_over_classes() {
        // Class 0 says 0.8 and comes true half the time; class 1 says 0.2 and also half the time.
        let probs = array![[0.8, 0.2], [0.8, 0.2]];
        let value = classwise_ece(probs.view(), array![0, 1].view(), 10).unwrap();
        assert_relative_eq!(value, 0.3, max_relative = 1e-12);
    }

    #[test]
    fn no_bins_are_refused() {
        let got = ece(array![[1.0, 0.0]].view(), array![0].view(), 0);
        assert!(matches!(got, Err(Error::OutOfRange { argument: "n_bins", .. })));
    }

    proptest! {
        #[test]
        fn errors_are_fractions_and_mce_bounds_ece(
            conf in prop::collection::vec(0.0..=1.0_f64, 1..50),
            seed in any::<u64>(),
        ) {
            let n = conf.len();
            let probs = Array2::from_shape_fn((n, 2), |(i, c)| if c == 0 { conf[i] } else { 1.0 - conf[i] });
            let labels = Array1::from_shape_fn(n, |i| ((seed >> (i % 64)) & 1) as usize);
            let e = ece(probs.view(), labels.view(), 15).unwrap();
            let m = mce(probs.view(), labels.view(), 15).unwrap();
            prop_assert!(0.0 <= e && e <= m + 1e-12 && m <= 1.0);
            prop_assert!(adaptive_ece(probs.view(), labels.view(), 15).unwrap() <= 1.0);
            prop_assert!(classwise_ece(probs.view(), labels.view(), 15).unwrap() <= 1.0);
        }
    }
}
