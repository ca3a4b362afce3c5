//! What a calibration does to predictions of labelled rows, by the metrics of rank1-core.

use anyhow::{Result, bail};
use ndarray::{Array1, Array2};
use rank1_core::conformal::{
    IntervalSummary, SetSummary, absolute_scores, covered, cqr_scores, normalized_scores, prediction_sets,
    summarize_intervals, summarize_sets,
};
use rank1_core::metrics::{
    DEFAULT_BINS, accuracy, brier, crps, density_nll, ece, nll, quantile_calibration_error,
};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_core::targets::Targets;
use rank1_models::predict::Predictive;

use super::apply::{Adjusted, interval, thresholds};
use super::document::{Adjustment, Artefact, InSample, Level, Method};
use crate::report::input::Metrics;
use crate::report::table_document::{CalibratedDocument, CalibratedLevel};

/// A share as percent, without zeros that say nothing: 90, 97.5.
#[must_use]
pub fn percent(share: f64) -> String {
    let text = format!("{:.10}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Scores of every class of every row.
pub(super) fn class_scores(method: Method, p: &ClassPredictive) -> Result<Array2<f64>> {
    let Some(score) = method.class_score() else { bail!("{} is for values, not for classes", method.name()) };
    Ok(score.of_classes(p.probs().view(), None)?)
}

/// Scores of values at what was observed.
pub(super) fn value_scores(
    method: Method,
    mixture: &GaussianMixturePredictive,
    values: &Array1<f64>,
    coverage: f64,
) -> Result<Array1<f64>> {
    let mean = mixture.mean();
    Ok(match method {
        Method::Absolute => absolute_scores(mean.view(), values.view())?,
        Method::Cqr => cqr_scores(&mixture.central_interval(coverage)?, values.view())?,
        _ => normalized_scores(mean.view(), mixture.variance().mapv(f64::sqrt).view(), values.view())?,
    })
}

pub(super) fn set_summary(level: &Level, scores: &Array2<f64>, labels: &Array1<usize>) -> Result<SetSummary> {
    let sets = prediction_sets(scores.view(), thresholds(level).view())?;
    Ok(summarize_sets(sets.view(), labels.view())?)
}

pub(super) fn interval_summary(
    method: Method,
    level: &Level,
    mixture: &GaussianMixturePredictive,
) -> Result<IntervalSummary> {
    Ok(summarize_intervals(&interval(method, level, mixture)?)?)
}

/// NLL and calibration error before and after a map.
pub(super) fn in_sample(
    predictive: &Predictive,
    adjustment: Option<&Adjustment>,
    targets: &Targets,
) -> Result<InSample> {
    let of = |adjusted: &Adjusted| -> Result<[f64; 2]> {
        let metrics = metrics(adjusted, targets)?;
        let get = |key: &str| metrics.get(key).copied();
        let error = get("ece").or_else(|| get("quantile_calibration_error"));
        Ok([get("nll").unwrap_or(f64::NAN), error.unwrap_or(f64::NAN)])
    };
    let before = of(&Adjusted::of(predictive, None)?)?;
    let after = of(&Adjusted::of(predictive, adjustment)?)?;
    Ok(InSample { nll: [before[0], after[0]], calibration_error: [before[1], after[1]] })
}

/// Metrics of an adjusted predictive.
fn metrics(adjusted: &Adjusted, targets: &Targets) -> Result<Metrics> {
    match (adjusted, targets) {
        (Adjusted::Classes { log_probs }, Targets::Classes { labels, .. }) => {
            let probs = log_probs.mapv(f64::exp);
            Ok(Metrics::from([
                ("nll".into(), nll(log_probs.view(), labels.view())?),
                ("accuracy".into(), accuracy(probs.view(), labels.view())?),
                ("brier".into(), brier(probs.view(), labels.view())?),
                ("ece".into(), ece(probs.view(), labels.view(), DEFAULT_BINS)?),
            ]))
        }
        (Adjusted::Values { mixture, .. }, Targets::Values(values)) => {
            let levels: Array1<f64> = (1..20).map(|i| f64::from(i) / 20.0).collect();
            let pit = mixture.cdf(values.view())?;
            Ok(Metrics::from([
                ("nll".into(), density_nll(mixture, values.view())?),
                ("quantile_calibration_error".into(), quantile_calibration_error(pit.view(), levels.view())?),
            ]))
        }
        _ => bail!("the model predicts the other kind of target (classes or values)"),
    }
}

impl Artefact {
    /// What the calibration makes of predictions of labelled rows, beside their own metrics.
    ///
    /// # Errors
    /// Targets or predictions of the other kind.
    pub fn measure(&self, predictive: &Predictive, targets: &Targets) -> Result<CalibratedDocument> {
        let adjusted = self.adjust(predictive)?;
        let mut metrics = metrics(&adjusted, targets)?;
        if let (Adjusted::Values { mixture, .. }, Targets::Values(values)) = (&adjusted, targets) {
            metrics.insert("crps".into(), crps(mixture, values.view())?);
        }
        let level = |level: &Level| -> Result<CalibratedLevel> {
            let (observed, size, n_empty) = match (predictive, targets) {
                (Predictive::Classes(p), Targets::Classes { labels, .. }) => {
                    let found = set_summary(level, &class_scores(self.conformal.method, p)?, labels)?;
                    (found.coverage, found.mean_size, found.n_empty)
                }
                (Predictive::Values { mixture, .. }, Targets::Values(values)) => {
                    let method = self.conformal.method;
                    let found = interval_summary(method, level, mixture)?;
                    let scores = value_scores(method, mixture, values, level.coverage)?;
                    let inside = covered(scores.view(), thresholds(level)[0]);
                    let inside = inside.iter().filter(|inside| **inside).count();
                    (inside as f64 / values.len() as f64, found.mean_width, found.n_empty)
                }
                _ => bail!("the model predicts the other kind of target (classes or values)"),
            };
            Ok(CalibratedLevel { coverage: level.coverage, observed, size, n_empty })
        };
        let (referral, chosen) = self.referral(&adjusted, targets)?;
        Ok(CalibratedDocument {
            rows: self.rows.name.clone(),
            n_rows: self.rows.n,
            in_sample: false,
            map: self.adjustment.as_ref().map(ToString::to_string),
            method: self.conformal.method.name().into(),
            per_class: self.conformal.per_class,
            metrics,
            referral,
            chosen,
            levels: self.conformal.levels.iter().map(level).collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_have_no_idle_digits() {
        assert_eq!([0.9, 0.975, 0.29, 0.999, 0.5].map(percent), ["90", "97.5", "29", "99.9", "50"]);
    }
}
