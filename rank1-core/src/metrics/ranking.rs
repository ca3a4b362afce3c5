//! How well a score ranks positives above negatives: ROC and precision-recall curves and their areas.
//!
//! Areas over a fixed grid of thresholds, as Keras has them, are in [`super::threshold_auc`].

use ndarray::ArrayView1;

use super::checks;
use crate::Error;

/// Points of a ROC curve from the strictest threshold to the loosest, nothing dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    /// False positive rates, from 0 to 1.
    pub fpr: Vec<f64>,
    /// True positive rates, from 0 to 1.
    pub tpr: Vec<f64>,
    /// Score at or above which an example counts as positive; the first is infinite.
    pub thresholds: Vec<f64>,
}

/// Points of a precision-recall curve from the loosest threshold to the strictest, nothing dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Precisions; a last 1 without a threshold closes the curve.
    pub precision: Vec<f64>,
    /// Recalls, from 1 to the closing 0.
    pub recall: Vec<f64>,
    /// Distinct scores in increasing order, one fewer than points.
    pub thresholds: Vec<f64>,
}

/// Counts at or above one distinct score, strictest first.
struct Step {
    score: f64,
    true_positives: usize,
    false_positives: usize,
}

struct Steps {
    steps: Vec<Step>,
    positives: f64,
    negatives: f64,
}

/// ROC curve over every distinct score.
///
/// # Shapes
/// `scores`, `positive` `[N]`; returns `D + 1` points for `D` distinct scores.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`] for a NaN score (infinities rank),
/// [`Error::OneClass`] when all labels agree.
///
/// # Source
/// Fawcett 2006, doi:10.1016/j.patrec.2005.10.010; as scikit-learn's `roc_curve` without dropping points.
pub fn roc_curve(scores: ArrayView1<'_, f64>, positive: ArrayView1<'_, bool>) -> Result<RocCurve, Error> {
    let counts = count_steps("roc_curve", scores, positive)?;
    let mut curve = RocCurve { fpr: vec![0.0], tpr: vec![0.0], thresholds: vec![f64::INFINITY] };
    for step in &counts.steps {
        curve.fpr.push(step.false_positives as f64 / counts.negatives);
        curve.tpr.push(step.true_positives as f64 / counts.positives);
        curve.thresholds.push(step.score);
    }
    Ok(curve)
}

/// Precision-recall curve over every distinct score.
///
/// # Shapes
/// `scores`, `positive` `[N]`; returns `D + 1` points for `D` distinct scores.
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// As scikit-learn's `precision_recall_curve` without dropping points: points of full recall are all kept.
pub fn precision_recall_curve(
    scores: ArrayView1<'_, f64>,
    positive: ArrayView1<'_, bool>,
) -> Result<PrecisionRecallCurve, Error> {
    let counts = count_steps("precision_recall_curve", scores, positive)?;
    let loosest_first = || counts.steps.iter().rev();
    let precision = |s: &Step| s.true_positives as f64 / (s.true_positives + s.false_positives) as f64;
    Ok(PrecisionRecallCurve {
        precision: loosest_first().map(precision).chain([1.0]).collect(),
        recall: loosest_first().map(|s| s.true_positives as f64 / counts.positives).chain([0.0]).collect(),
        thresholds: loosest_first().map(|s| s.score).collect(),
    })
}

/// Probability that a random positive scores above a random negative, ties counted half.
///
/// # Shapes
/// `scores`, `positive` `[N]`.
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747; equals the trapezoid area of [`roc_curve`].
pub fn auroc(scores: ArrayView1<'_, f64>, positive: ArrayView1<'_, bool>) -> Result<f64, Error> {
    let counts = count_steps("auroc", scores, positive)?;
    let (mut area, mut below) = (0.0, (0, 0));
    for step in &counts.steps {
        let new_negatives = (step.false_positives - below.1) as f64;
        area += new_negatives * 0.5 * (step.true_positives + below.0) as f64;
        below = (step.true_positives, step.false_positives);
    }
    Ok(area / (counts.positives * counts.negatives))
}

/// Average precision: `sum_t (recall_t - recall_{t-1}) precision_t`, the step area under the PR curve.
///
/// # Shapes
/// `scores`, `positive` `[N]`.
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// scikit-learn's `average_precision_score`, which robustness_metrics calls AUC-PR.
pub fn average_precision(scores: ArrayView1<'_, f64>, positive: ArrayView1<'_, bool>) -> Result<f64, Error> {
    let curve = precision_recall_curve(scores, positive)?;
    let step = |i: usize| (curve.recall[i] - curve.recall[i + 1]) * curve.precision[i];
    Ok((0..curve.thresholds.len()).map(step).sum())
}

/// Trapezoid area under the precision-recall curve.
///
/// # Shapes
/// `scores`, `positive` `[N]`.
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// scikit-learn's `auc` of its `precision_recall_curve`. Linear interpolation is too optimistic there (Davis
/// and Goadrich 2006, doi:10.1145/1143844.1143874); prefer [`average_precision`].
pub fn auc_pr_trapezoid(scores: ArrayView1<'_, f64>, positive: ArrayView1<'_, bool>) -> Result<f64, Error> {
    let curve = precision_recall_curve(scores, positive)?;
    let (p, r) = (&curve.precision, &curve.recall);
    Ok((1..p.len()).map(|i| (r[i - 1] - r[i]) * 0.5 * (p[i - 1] + p[i])).sum())
}

/// False positive rate at the strictest threshold whose true positive rate reaches `tpr`.
///
/// # Shapes
/// `scores`, `positive` `[N]`.
///
/// # Errors
/// As [`roc_curve`]; [`Error::OutOfRange`] unless `0 < tpr <= 1`.
///
/// # Source
/// Liang et al. 2018, arXiv:1706.02690, section 4.3; no interpolation between thresholds.
pub fn fpr_at_tpr(
    scores: ArrayView1<'_, f64>,
    positive: ArrayView1<'_, bool>,
    tpr: f64,
) -> Result<f64, Error> {
    if !(tpr > 0.0 && tpr <= 1.0) {
        let expected = "above 0 and at most 1";
        return Err(Error::OutOfRange { op: "fpr_at_tpr", argument: "tpr", value: tpr, expected });
    }
    let counts = count_steps("fpr_at_tpr", scores, positive)?;
    let reached = counts.steps.iter().find(|s| s.true_positives as f64 / counts.positives >= tpr);
    // The loosest threshold takes every positive, so one step always reaches the rate.
    Ok(reached.map_or(1.0, |s| s.false_positives as f64 / counts.negatives))
}

/// [`fpr_at_tpr`] at 95 percent.
///
/// # Shapes
/// `scores`, `positive` `[N]`.
///
/// # Errors
/// As [`roc_curve`].
///
/// # Source
/// As [`fpr_at_tpr`].
pub fn fpr95(scores: ArrayView1<'_, f64>, positive: ArrayView1<'_, bool>) -> Result<f64, Error> {
    fpr_at_tpr(scores, positive, 0.95)
}

/// Refuses what no ranking metric accepts; returns the numbers of positives and negatives.
pub(super) fn check_binary(
    op: &'static str,
    scores: ArrayView1<'_, f64>,
    positive: ArrayView1<'_, bool>,
) -> Result<(usize, usize), Error> {
    if scores.is_empty() {
        return Err(Error::Empty { op, argument: "scores" });
    }
    checks::same_len(op, "positive", scores.len(), positive.len())?;
    if let Some(index) = scores.iter().position(|v| v.is_nan()) {
        return Err(Error::NotFinite { op, argument: "scores", index: vec![index] });
    }
    let n = positive.len();
    let positives = positive.iter().filter(|v| **v).count();
    match positives {
        0 => Err(Error::OneClass { op, class: 0, n }),
        all if all == n => Err(Error::OneClass { op, class: 1, n }),
        some => Ok((some, n - some)),
    }
}

fn count_steps(
    op: &'static str,
    scores: ArrayView1<'_, f64>,
    positive: ArrayView1<'_, bool>,
) -> Result<Steps, Error> {
    let (positives, negatives) = check_binary(op, scores, positive)?;
    let mut pairs: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut steps: Vec<Step> = Vec::new();
    let (mut true_positives, mut false_positives) = (0, 0);
    for (score, is_positive) in pairs {
        true_positives += usize::from(is_positive);
        false_positives += usize::from(!is_positive);
        let step = Step { score, true_positives, false_positives };
        match steps.last_mut() {
            Some(last) if last.score == score => *last = step,
            _ => steps.push(step),
        }
    }
    Ok(Steps { steps, positives: positives as f64, negatives: negatives as f64 })
}

#[cfg(test)]
#[path = "ranking_tests.rs"]
mod tests;
