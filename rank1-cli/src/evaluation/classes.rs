//! Metrics and curves of a classifier's predictive.

use anyhow::Result;
use ndarray::{ArrayView1, ArrayView2, Axis};
use rank1_core::diversity::diversity;
use rank1_core::metrics::{
    DEFAULT_BINS, accuracy, adaptive_ece, auroc, average_precision, brier, classwise_ece,
    decompose_predictive, ece, gibbs_nll_of_predictive, mce, nll, predicted_classes, reliability_bins,
    risk_coverage,
};
use rank1_core::predictive::ClassPredictive;

use super::super::report::input::{Evaluation, Metrics, ReliabilityBin};

/// Points kept of a risk-coverage curve.
const CURVE_POINTS: usize = 100;

pub(super) fn measure(
    p: &ClassPredictive,
    labels: ArrayView1<'_, usize>,
    event: Option<usize>,
    out: &mut Evaluation,
) -> Result<()> {
    let probs = p.probs();
    let mut m = of_probs(p.log_probs.view(), labels)?;
    m.insert("nll_gibbs".into(), gibbs_nll_of_predictive(p, labels)?);
    m.insert("mce".into(), mce(probs.view(), labels, DEFAULT_BINS)?);
    m.insert("adaptive_ece".into(), adaptive_ece(probs.view(), labels, DEFAULT_BINS)?);
    m.insert("classwise_ece".into(), classwise_ece(probs.view(), labels, DEFAULT_BINS)?);
    let uncertainty = decompose_predictive(p);
    for (name, values) in [
        ("total", &uncertainty.total),
        ("aleatoric", &uncertainty.aleatoric),
        ("epistemic", &uncertainty.epistemic),
    ] {
        m.insert(name.into(), values.sum() / values.len() as f64);
    }
    if p.n_classes() == 2 && labels.iter().any(|&l| l == 0) && labels.iter().any(|&l| l == 1) {
        let event = event.unwrap_or(1);
        let positive = labels.mapv(|label| label == event);
        m.insert("auroc".into(), auroc(probs.column(event), positive.view())?);
        m.insert("auc_pr".into(), average_precision(probs.column(event), positive.view())?);
    }
    if p.n_members() > 1 {
        let d = diversity(p.member_log_probs.view(), labels)?;
        m.insert("disagreement".into(), d.disagreement);
        m.insert("normalized_disagreement".into(), d.normalized_disagreement);
        m.insert("pairwise_kl".into(), d.pairwise_kl);
        m.insert("cosine_similarity".into(), d.cosine_similarity);
        for member in p.member_log_probs.axis_iter(Axis(0)) {
            out.member_metrics.push(of_probs(member, labels)?);
        }
    }
    let losses: ndarray::Array1<f64> = predicted_classes(probs.view())?
        .iter()
        .zip(labels)
        .map(|(predicted, label)| f64::from(u8::from(predicted != label)))
        .collect();
    let confidence = probs.map_axis(Axis(1), |row| 1.0 - row.fold(0.0_f64, |a, &b| a.max(b)));
    let curve = risk_coverage(confidence.view(), losses.view())?;
    m.insert("aurc".into(), curve.aurc());
    out.risk_coverage = thinned(&curve.coverage, &curve.risk);
    out.reliability = reliability_bins(probs.view(), labels, DEFAULT_BINS)?
        .iter()
        .map(|bin| ReliabilityBin {
            lower: bin.lower,
            upper: bin.upper,
            count: bin.count,
            confidence: bin.confidence().unwrap_or(f64::NAN),
            accuracy: bin.accuracy().unwrap_or(f64::NAN),
        })
        .collect();
    out.metrics = m;
    Ok(())
}

fn of_probs(log_probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>) -> Result<Metrics> {
    let probs = log_probs.mapv(f64::exp);
    Ok(Metrics::from([
        ("nll".into(), nll(log_probs, labels)?),
        ("accuracy".into(), accuracy(probs.view(), labels)?),
        ("brier".into(), brier(probs.view(), labels)?),
        ("ece".into(), ece(probs.view(), labels, DEFAULT_BINS)?),
    ]))
}

/// A curve at most [`CURVE_POINTS`] long, with its end.
pub(super) fn thinned(coverage: &[f64], risk: &[f64]) -> Vec<[f64; 2]> {
    let stride = coverage.len().div_ceil(CURVE_POINTS).max(1);
    let last = coverage.len().saturating_sub(1);
    let kept = |i: &usize| i.is_multiple_of(stride) || *i == last;
    (0..coverage.len()).filter(kept).map(|i| [coverage[i], risk[i]]).collect()
}
