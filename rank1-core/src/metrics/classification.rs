//! Accuracy, log-likelihood and Brier score of class predictions.
//!
//! Not for calibration errors; see [`super::calibration`].

use ndarray::{ArrayView1, ArrayView2, ArrayView3, Axis};

use super::checks;
use crate::Error;
use crate::predictive::ClassPredictive;

/// Index of the largest entry of each row, the first one on ties.
///
/// # Shapes
/// `scores` `[N, C]`: logits, log-probabilities or probabilities; returns `N` classes.
///
/// # Errors
/// [`Error::Empty`]; [`Error::NotFinite`] for NaN.
///
/// # Source
/// Definition; ties as in the reference code. With two equal classes the reference's binary threshold
/// `p >= 0.5` would say 1, this says 0.
pub fn predicted_classes(scores: ArrayView2<'_, f64>) -> Result<Vec<usize>, Error> {
    const OP: &str = "predicted_classes";
    if scores.is_empty() {
        return Err(Error::Empty { op: OP, argument: "scores" });
    }
    if let Some(((n, c), _)) = scores.indexed_iter().find(|(_, v)| v.is_nan()) {
        return Err(Error::NotFinite { op: OP, argument: "scores", index: vec![n, c] });
    }
    Ok(scores.rows().into_iter().map(checks::argmax).collect())
}

/// Fraction of rows whose largest entry is at the label.
///
/// # Shapes
/// `scores` `[N, C]` (logits, log-probabilities or probabilities), `labels` `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`], [`Error::NotFinite`] for NaN.
///
/// # Source
/// Definition; the first index wins a tie.
pub fn accuracy(scores: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>) -> Result<f64, Error> {
    let predicted = predicted_classes(scores)?;
    checks::labels("accuracy", labels, scores.nrows(), scores.ncols())?;
    let correct = predicted.iter().zip(labels).filter(|(p, y)| p == y).count();
    Ok(correct as f64 / predicted.len() as f64)
}

/// Mean negative log-probability of the labels, in nats; on mixture log-probabilities, the mixture NLL.
///
/// # Shapes
/// `log_probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`], [`Error::NotFinite`] for NaN,
/// [`Error::OutOfRange`] for a positive entry (logits are not log-probabilities).
///
/// # Numerics
/// Nothing is clipped: a label of probability zero makes the result infinite.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, appendix E (14), averaged over examples.
pub fn nll(log_probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>) -> Result<f64, Error> {
    checks::log_probs("nll", "log_probs", log_probs)?;
    checks::labels("nll", labels, log_probs.nrows(), log_probs.ncols())?;
    Ok(mean_nll(log_probs, labels))
}

/// Mean over terms and examples of the negative log-probability, in nats; never below the mixture NLL.
///
/// # Shapes
/// `log_probs` `[M, N, C]` with `M` members, or samples times members; `labels` `[N]`.
///
/// # Errors
/// As [`nll`].
///
/// # Source
/// Dusenberry et al. 2020, appendix E (13); the gap to the mixture NLL is Jensen's and measures diversity.
/// Of members that are themselves means over samples this is not the Gibbs NLL of the single draws: use
/// [`gibbs_nll_of_predictive`] for that.
pub fn gibbs_nll(log_probs: ArrayView3<'_, f64>, labels: ArrayView1<'_, usize>) -> Result<f64, Error> {
    checks::log_probs("gibbs_nll", "log_probs", log_probs)?;
    let (terms, n, c) = log_probs.dim();
    checks::labels("gibbs_nll", labels, n, c)?;
    Ok(log_probs.axis_iter(Axis(0)).map(|term| mean_nll(term, labels)).sum::<f64>() / terms as f64)
}

/// Gibbs NLL over every single draw of an accumulated predictive, in nats.
///
/// # Shapes
/// `labels` `[N]`.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`].
///
/// # Source
/// As [`gibbs_nll`], read from [`ClassPredictive::mean_log_probs`].
pub fn gibbs_nll_of_predictive(
    predictive: &ClassPredictive,
    labels: ArrayView1<'_, usize>,
) -> Result<f64, Error> {
    nll(predictive.mean_log_probs.view(), labels)
}

/// NLL as the reference library computes it from probabilities: clipped to `[clip, 1 - clip]`, normalized again.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// As [`brier`]; [`Error::OutOfRange`] unless `0 < clip < 1`.
///
/// # Source
/// Keras' sparse cross-entropy on probabilities (`clip = 1e-7`). Kept for comparison with published numbers
/// only: it hides how wrong a confident mistake is, [`nll`] does not.
pub fn nll_clipped(
    probs: ArrayView2<'_, f64>,
    labels: ArrayView1<'_, usize>,
    clip: f64,
) -> Result<f64, Error> {
    checks::probs_and_labels("nll_clipped", probs, labels)?;
    checks::open_unit("nll_clipped", "clip", clip)?;
    let clipped = |v: &f64| v.max(clip).min(1.0 - clip);
    let row = |(row, label): (ArrayView1<'_, f64>, &usize)| {
        row.iter().map(clipped).sum::<f64>().ln() - clipped(&row[*label]).ln()
    };
    Ok(probs.rows().into_iter().zip(labels).map(row).sum::<f64>() / labels.len() as f64)
}

/// Brier score: squared distance of the probabilities to the one-hot label, summed over classes.
///
/// # Units
/// In `[0, 2]`; subtract 1 for the convention of the `uncertainty_metrics` package, divide by `C` for a mean.
///
/// # Shapes
/// `probs` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`], [`Error::NotFinite`],
/// [`Error::OutOfRange`] for an entry outside of `[0, 1]`, [`Error::NotNormalized`].
///
/// # Source
/// Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, mean over examples.
pub fn brier(probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>) -> Result<f64, Error> {
    checks::normalized_probs_and_labels("brier", probs, labels)?;
    let row = |(row, label): (ArrayView1<'_, f64>, &usize)| {
        let distance = |(c, p): (usize, &f64)| (p - f64::from(c == *label)).powi(2);
        row.iter().enumerate().map(distance).sum::<f64>()
    };
    Ok(probs.rows().into_iter().zip(labels).map(row).sum::<f64>() / labels.len() as f64)
}

fn mean_nll(log_probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>) -> f64 {
    let total: f64 = labels.iter().enumerate().map(|(n, label)| -log_probs[[n, *label]]).sum();
    total / labels.len() as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn accuracy_takes_the_first_class_on_ties() {
        let scores = array![[0.5, 0.5], [0.5, 0.5], [0.1, 0.9]];
        assert_eq!(accuracy(scores.view(), array![0, 1, 1].view()), Ok(2.0 / 3.0));
        assert_eq!(predicted_classes(scores.view()), Ok(vec![0, 0, 1]));
    }

    #[test]
    fn nll_and_brier_match_hand_values() {
        let probs = array![[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]];
        let labels = array![0, 2];
        // -(ln 1/2 + ln 1/8) / 2 = 2 ln 2.
        let value = nll(probs.mapv(f64::ln).view(), labels.view()).unwrap();
        assert_relative_eq!(value, 2.0 * 2.0_f64.ln(), max_relative = 1e-15);
        // ((1/4 + 1/16 + 1/16) + (1/64 + 9/16 + 49/64)) / 2.
        assert_relative_eq!(brier(probs.view(), labels.view()).unwrap(), (0.375 + 1.34375) / 2.0);
    }

    #[test]
    fn gibbs_averages_logs_where_the_mixture_averages_probabilities() {
        let terms = array![[[0.5_f64, 0.5]], [[0.125, 0.875]]].mapv(f64::ln);
        let labels = array![0];
        assert_relative_eq!(gibbs_nll(terms.view(), labels.view()).unwrap(), 2.0 * 2.0_f64.ln());
    }

    #[test]
    fn clipped_nll_is_finite_for_an_impossible_label() {
        let (probs, labels) = (array![[1.0, 0.0]], array![1]);
        assert_eq!(nll(probs.mapv(f64::ln).view(), labels.view()), Ok(f64::INFINITY));
        // Clipped to [1 - 1e-7, 1e-7], whose sum is 1.
        let value = nll_clipped(probs.view(), labels.view(), 1e-7).unwrap();
        assert_relative_eq!(value, -(1e-7_f64.ln()), max_relative = 1e-12);
    }

    #[test]
    fn bad_input_is_refused_with_its_place() {
        let probs = array![[0.5, 0.5], [0.5, f64::NAN]];
        let got = brier(probs.view(), array![0, 1].view());
        assert_eq!(got, Err(Error::NotFinite { op: "brier", argument: "probs", index: vec![1, 1] }));
        let good = array![[0.5, 0.5], [0.5, 0.5]];
        let got = brier(good.view(), array![0, 2].view());
        assert_eq!(got, Err(Error::LabelOutOfRange { op: "brier", row: 1, label: 2, n_classes: 2 }));
        assert!(matches!(brier(good.view(), array![0].view()), Err(Error::ShapeMismatch { .. })));
        let none = ndarray::Array2::<f64>::zeros((0, 2));
        assert!(matches!(nll(none.view(), Array1::zeros(0).view()), Err(Error::Empty { .. })));
        assert!(matches!(nll(good.view(), array![0, 0].view()), Err(Error::OutOfRange { .. })));
    }
}
