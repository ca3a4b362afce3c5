//! `tabular_scores.json`: CRPS, intervals, quantiles, and the maps of calibration.

use ndarray::{Array1, Array2, Axis};
use rank1_core::calibration::{Isotonic, IsotonicOptions, Temperature};
use rank1_core::metrics;
use rank1_core::predictive::Interval;

use crate::json::{Outcome, Record};
use crate::report::{Precision, Verdict};

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["tag"]);
    match record.text("score")? {
        "crps_gaussian_mixture" => gaussian_mixture(record)?,
        "crps_weighted_sample" | "crps_threshold_weighted" => sample(record)?,
        "interval_score" => interval_score(record)?,
        "pinball" => pinball(record)?,
        "temperature_scaling" => temperature(record)?,
        "isotonic_regression" => isotonic(record)?,
        other => return Ok(Verdict::NotImplemented(format!("score `{other}`"))),
    }
    Ok(Verdict::Compared)
}

/// Refuses arrays of other sizes than the case says.
fn sized(record: &Record<'_>, keys: &[&str]) -> Outcome<()> {
    let shape = [record.count("N")?, record.count("M")?];
    keys.iter().try_for_each(|key| record.expect_shape(key, &shape))
}

fn values(record: &Record<'_>, values: Array1<f64>) -> Outcome<()> {
    record.check("mean", values.sum() / values.len() as f64, Precision::Double)?;
    record.check("values", values, Precision::Double)
}

fn gaussian_mixture(record: &Record<'_>) -> Outcome<()> {
    record.note(&["quadrature_values"]);
    sized(record, &["weights", "means", "stddevs"])?;
    let [weights, means, stds] =
        [record.matrix("weights")?, record.matrix("means")?, record.matrix("stddevs")?];
    let y = record.vector("y")?;
    let found = metrics::crps_weighted_gaussians(weights.view(), means.view(), stds.view(), y.view());
    values(record, record.ok(found)?)
}

fn sample(record: &Record<'_>) -> Outcome<()> {
    sized(record, &["weights", "samples"])?;
    let (weights, samples, y) = (record.matrix("weights")?, record.matrix("samples")?, record.vector("y")?);
    let found = if record.text("score")? == "crps_weighted_sample" {
        metrics::crps_weighted_samples(weights.view(), samples.view(), y.view())
    } else {
        metrics::crps_above_threshold(weights.view(), samples.view(), y.view(), record.number("threshold")?)
    };
    values(record, record.ok(found)?)
}

fn interval_score(record: &Record<'_>) -> Outcome<()> {
    let interval = Interval { lower: record.vector("lower")?, upper: record.vector("upper")? };
    let (y, level) = (record.vector("y")?, 1.0 - record.number("alpha")?);
    values(record, record.ok(metrics::interval_scores(&interval, y.view(), level))?)?;
    record.check("coverage", record.ok(metrics::coverage(&interval, y.view()))?, Precision::Double)?;
    record.check("mean_width", record.ok(metrics::mean_width(&interval))?, Precision::Double)
}

fn pinball(record: &Record<'_>) -> Outcome<()> {
    let (quantiles, levels, y) = (record.matrix("quantiles")?, record.vector("levels")?, record.vector("y")?);
    let found = record.ok(metrics::pinball(quantiles.view(), levels.view(), y.view()))?;
    let per_level = found.sum_axis(Axis(0)) / y.len() as f64;
    record.check("mean", per_level.sum() / levels.len() as f64, Precision::Double)?;
    record.check("mean_per_level", per_level, Precision::Double)?;
    record.check("values", found, Precision::Double)
}

fn temperature(record: &Record<'_>) -> Outcome<()> {
    let (k, n, c) = (record.count("K")?, record.count("N")?, record.count("C")?);
    record.expect_shape("member_probs", &[k, n, c])?;
    let members = record.cube("member_probs")?;
    let mixture: Array2<f64> = members.sum_axis(Axis(0)) / k as f64;
    record.check("mixture_probs", mixture.clone(), Precision::Double)?;
    let (log_probs, labels) = (mixture.mapv(f64::ln), record.labels("labels")?);
    let [least, largest] = record.vector("bracket")?.to_vec()[..] else {
        return record.fault("bracket", "does not hold two numbers");
    };
    let found = record.ok(Temperature::fit(log_probs.view(), labels.view(), [least, largest]))?;
    record.check_flag("interior", found.interior)?;
    record.check("temperature", found.temperature, Precision::Double)?;
    // Rounded probabilities do not sum to one; a temperature of one normalizes them too.
    let nll = |map: Temperature| metrics::nll(map.apply(log_probs.view()).view(), labels.view());
    let identity = Temperature { temperature: 1.0, ..found };
    record.check("nll_before", record.ok(nll(identity))?, Precision::Double)?;
    record.check("nll_after", record.ok(nll(found))?, Precision::Double)
}

fn isotonic(record: &Record<'_>) -> Outcome<()> {
    let n = record.count("n")?;
    for key in ["x", "y"] {
        record.expect_shape(key, &[n])?;
    }
    let (x, y) = (record.vector("x")?, record.vector("y")?);
    let weights = if record.has("weights") { Some(record.vector("weights")?) } else { None };
    let bound = |key: &str, none: f64| if record.has(key) { record.number(key) } else { Ok(none) };
    let options = IsotonicOptions {
        increasing: record.flag("increasing")?,
        least: bound("y_min", f64::NEG_INFINITY)?,
        largest: bound("y_max", f64::INFINITY)?,
    };
    let found = Isotonic::fit(x.view(), y.view(), weights.as_ref().map(|w| w.view()), options);
    let found = record.ok(found)?;
    record.check("x_thresholds", found.knots().to_vec(), Precision::Double)?;
    record.check("y_thresholds", found.values().to_vec(), Precision::Double)?;
    record.check("fitted", found.apply(x.view()), Precision::Double)?;
    record.check("output", found.apply(record.vector("x_new")?.view()), Precision::Double)
}
