//! Metrics and curves of a regression's predictive, in the target's own unit.

use anyhow::Result;
use ndarray::{Array1, ArrayView1};
use rank1_core::metrics::{
    coverage, crps, decompose_variance, density_nll, gibbs_density_nll, interval_score, mae, mean_width,
    quantile_calibration, quantile_calibration_error, risk_coverage, rmse,
};
use rank1_core::predictive::GaussianMixturePredictive;

use super::super::report::input::{Evaluation, Metrics};
use super::classes::thinned;

/// Probability of the intervals that coverage and width are measured at.
pub(super) const INTERVAL: f64 = 0.9;

pub(super) fn measure(
    mixture: &GaussianMixturePredictive,
    n_members: usize,
    values: ArrayView1<'_, f64>,
    out: &mut Evaluation,
) -> Result<()> {
    let mean = mixture.mean();
    let interval = mixture.central_interval(INTERVAL)?;
    let pit = mixture.cdf(values)?;
    let levels: Array1<f64> = (1..20).map(|i| f64::from(i) / 20.0).collect();
    let uncertainty = decompose_variance(mixture);
    let average = |v: &Array1<f64>| v.sum() / v.len() as f64;
    out.metrics = Metrics::from([
        ("nll".into(), density_nll(mixture, values)?),
        ("nll_gibbs".into(), gibbs_density_nll(mixture, values)?),
        ("rmse".into(), rmse(mean.view(), values)?),
        ("mae".into(), mae(mean.view(), values)?),
        ("crps".into(), crps(mixture, values)?),
        ("coverage_90".into(), coverage(&interval, values)?),
        ("width_90".into(), mean_width(&interval)?),
        ("interval_score_90".into(), interval_score(&interval, values, INTERVAL)?),
        ("quantile_calibration_error".into(), quantile_calibration_error(pit.view(), levels.view())?),
        ("total".into(), average(&uncertainty.total)),
        ("aleatoric".into(), average(&uncertainty.aleatoric)),
        ("epistemic".into(), average(&uncertainty.epistemic)),
    ]);
    if n_members > 1 {
        for member in 0..n_members {
            let one = mixture.member(member, n_members)?;
            out.member_metrics.push(Metrics::from([
                ("nll".into(), density_nll(&one, values)?),
                ("rmse".into(), rmse(one.mean().view(), values)?),
            ]));
        }
    }
    out.quantile_calibration =
        quantile_calibration(pit.view(), levels.view())?.iter().map(|p| [p.nominal, p.observed]).collect();
    let losses: Array1<f64> = mean.iter().zip(values).map(|(m, y)| (m - y).powi(2)).collect();
    let curve = risk_coverage(uncertainty.total.view(), losses.view())?;
    out.metrics.insert("aurc".into(), curve.aurc());
    out.risk_coverage = thinned(&curve.coverage, &curve.risk);
    Ok(())
}
