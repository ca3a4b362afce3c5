//! How well an uncertainty score tells examples of another distribution from those of the training one.
//!
//! Not a detector: no threshold is chosen here.

use ndarray::{Array1, ArrayView1, Axis, concatenate};

use super::{checks, ranking, uncertainty};
use crate::Error;
use crate::predictive::ClassPredictive;

/// Which uncertainty of a predictive serves as the score; larger means stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OodScore {
    /// One minus the largest mixture probability.
    MaxProbability,
    /// Entropy of the mixture.
    Entropy,
    /// Mutual information of label and draw.
    MutualInformation,
}

impl OodScore {
    /// The score of every example.
    ///
    /// # Shapes
    /// Returns `[N]`.
    ///
    /// # Source
    /// Hendrycks and Gimpel 2017, arXiv:1610.02136, for the largest probability; [`uncertainty`] for the rest.
    pub fn of(self, predictive: &ClassPredictive) -> Array1<f64> {
        match self {
            Self::MaxProbability => {
                let largest = |row: ArrayView1<'_, f64>| row.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
                // 1 - exp(v) keeps its digits when the largest probability is close to 1.
                predictive.log_probs.rows().into_iter().map(|row| -largest(row).exp_m1()).collect()
            }
            Self::Entropy => uncertainty::decompose_predictive(predictive).total,
            Self::MutualInformation => uncertainty::decompose_predictive(predictive).epistemic,
        }
    }
}

/// Detection quality of one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OodMetrics {
    /// Area under the ROC curve; the same whichever side is called positive.
    pub auroc: f64,
    /// Average precision with the foreign examples as positives.
    pub aupr_out: f64,
    /// Average precision with the in-distribution examples as positives (score negated).
    pub aupr_in: f64,
    /// Fraction of in-distribution examples flagged when 95 percent of the foreign ones are.
    pub fpr95: f64,
    /// Fraction of foreign examples accepted when 95 percent of the in-distribution ones are.
    pub fpr95_in: f64,
}

/// Compares the scores of two sets; larger scores should mean foreign.
///
/// # Shapes
/// `in_distribution` `[N]`, `out_of_distribution` `[M]`.
///
/// # Errors
/// [`Error::Empty`] for either set, [`Error::NotFinite`] for a NaN or infinite score.
///
/// # Source
/// Hendrycks and Gimpel 2017, arXiv:1610.02136 (AUROC, AUPR in and out); FPR95 with foreign examples as
/// positives, and as `fpr95_in` that of Liang et al. 2018, arXiv:1706.02690. The areas are average precisions.
pub fn ood_metrics(
    in_distribution: ArrayView1<'_, f64>,
    out_of_distribution: ArrayView1<'_, f64>,
) -> Result<OodMetrics, Error> {
    const OP: &str = "ood_metrics";
    checks::finite(OP, "in_distribution", in_distribution)?;
    checks::finite(OP, "out_of_distribution", out_of_distribution)?;
    let scores = concatenate(Axis(0), &[in_distribution, out_of_distribution])
        .map_err(|_| Error::Undefined { op: OP, what: "scores of different layouts" })?;
    let is_out = Array1::from_shape_fn(scores.len(), |i| i >= in_distribution.len());
    let (negated, is_in) = (-&scores, is_out.mapv(|v| !v));
    Ok(OodMetrics {
        auroc: ranking::auroc(scores.view(), is_out.view())?,
        aupr_out: ranking::average_precision(scores.view(), is_out.view())?,
        aupr_in: ranking::average_precision(negated.view(), is_in.view())?,
        fpr95: ranking::fpr95(scores.view(), is_out.view())?,
        fpr95_in: ranking::fpr95(negated.view(), is_in.view())?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array4, array};

    use super::*;

    #[test]
    fn separated_scores_are_perfect() {
        let got = ood_metrics(array![0.1, 0.2].view(), array![0.3, 0.4, 0.5].view()).unwrap();
        let perfect = OodMetrics { auroc: 1.0, aupr_out: 1.0, aupr_in: 1.0, fpr95: 0.0, fpr95_in: 0.0 };
        assert_eq!(got, perfect);
    }

    #[test]
    fn overlapping_scores_match_hand_values() {
        // Foreign 0.5 and 0.1; own 0.4, 0.3, 0.2: half of the six pairs are in order.
        let got = ood_metrics(array![0.4, 0.3, 0.2].view(), array![0.5, 0.1].view()).unwrap();
        assert_relative_eq!(got.auroc, 0.5);
        assert_relative_eq!(got.aupr_out, 0.5 + 0.5 * 2.0 / 5.0);
        // Own as positives, lowest score first: foreign, own, own, own, foreign.
        assert_relative_eq!(got.aupr_in, (1.0 / 2.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0);
        assert_eq!((got.fpr95, got.fpr95_in), (1.0, 0.5));
    }

    #[test]
    fn scores_rise_with_uncertainty() {
        // Two samples of one member: sure and agreeing, then sure and contradicting.
        let logits =
            Array4::from_shape_vec((2, 1, 2, 2), vec![5.0, -5.0, 5.0, -5.0, 5.0, -5.0, -5.0, 5.0]).unwrap();
        let predictive = ClassPredictive::from_logits(logits.view()).unwrap();
        for score in [OodScore::MaxProbability, OodScore::Entropy, OodScore::MutualInformation] {
            let values = score.of(&predictive);
            assert!(values[1] > values[0] + 0.4, "{score:?}: {values}");
        }
        assert_relative_eq!(OodScore::MaxProbability.of(&predictive)[1], 0.5, max_relative = 1e-12);
    }

    #[test]
    fn empty_and_nan_are_refused() {
        assert!(matches!(ood_metrics(array![].view(), array![1.0].view()), Err(Error::Empty { .. })));
        let got = ood_metrics(array![1.0].view(), array![0.0, f64::NAN].view());
        assert!(matches!(got, Err(Error::NotFinite { argument: "out_of_distribution", .. })));
    }
}
