//! `metrics_calibration.json`: calibration errors with their bins, Brier scores and clipped NLL.

use ndarray::{Array1, Array2};
use rank1_core::metrics::{self, CalibrationFamily};

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
    record.expect_shape("probs", &[record.count("N")?, record.count("C")?])?;
    let probs = record.matrix("probs")?;
    let labels = record.labels("labels")?;
    let (p, y) = (probs.view(), labels.view());
    record.check("accuracy", record.ok(metrics::accuracy(p, y))?, Precision::Double)?;
    let brier = record.ok(metrics::brier(p, y))?;
    record.check("brier_f64_own_formula", brier, Precision::Double)?;
    record.check("brier_rm_f32", brier, Precision::SingleStored)?;
    // Computed in f32 too, though its name does not say so.
    record.check("brier_uncertainty_metrics", brier - 1.0, Precision::SingleStored)?;
    record.check("nll_rm_clipped_1e7", record.ok(metrics::nll_clipped(p, y, 1e-7))?, Precision::Double)?;
    let unclipped = record.ok(metrics::nll(probs.mapv(f64::ln).view(), y))?;
    if record.has("nll_unclipped_own_formula") {
        record.check("nll_unclipped_own_formula", unclipped, Precision::Double)?;
    } else {
        record.note(&["nll_unclipped_own_formula"]);
        if unclipped.is_finite() {
            record.report.fail(format!("{}: a label of probability zero must be infinite", record.path));
        }
    }
    for key in record.keys() {
        if let Some(n_bins) = key.strip_prefix("ece_") {
            let Ok(n_bins) = n_bins.parse() else { return record.fault(key, "names no number of bins") };
            ece(&record.child(key)?, &probs, &labels, n_bins)?;
        }
    }
    let family = record.child("gce")?;
    for key in family.keys() {
        let Some(setting) = general(key) else { return family.fault(key, "is an unknown calibration error") };
        let value = family.ok(metrics::general_calibration_error(p, y, &setting))?;
        family.check(key, value, Precision::Double)?;
    }
    Ok(Verdict::Compared)
}

/// The member of the family that a name such as `tace_0.01_15` means.
fn general(key: &str) -> Option<CalibrationFamily> {
    let (name, n_bins) = key.rsplit_once('_')?;
    let n_bins = n_bins.parse().ok()?;
    if let Some(threshold) = name.strip_prefix("tace_") {
        return Some(CalibrationFamily::tace(n_bins, threshold.parse().ok()?));
    }
    Some(match name {
        "ece_numpy" => CalibrationFamily::ece_numpy(n_bins),
        "ace" => CalibrationFamily::ace(n_bins),
        "ace_maxprob_unconditional" => CalibrationFamily::ace_max_prob_unconditional(n_bins),
        "sce" => CalibrationFamily::sce(n_bins),
        "rms_maxprob_adaptive" => CalibrationFamily::rms_max_prob_adaptive(n_bins),
        _ => return None,
    })
}

fn ece(record: &Record<'_>, probs: &Array2<f64>, labels: &Array1<usize>, n_bins: usize) -> Outcome<()> {
    let bins = record.ok(metrics::reliability_bins(probs.view(), labels.view(), n_bins))?;
    record.check("value", metrics::ece_of_bins(&bins), Precision::Double)?;
    let column = |f: &dyn Fn(&metrics::ReliabilityBin) -> f64| bins.iter().map(f).collect::<Vec<f64>>();
    record.check("bin_count", column(&|b| b.count as f64), Precision::Exact)?;
    record.check("bin_correct_sum", column(&|b| b.correct as f64), Precision::Exact)?;
    record.check("bin_prob_sum", column(&|b| b.confidence_sum), Precision::Double)?;
    let confidence = probs.rows().into_iter().map(|row| row.fold(f64::NEG_INFINITY, |m, v| m.max(*v)));
    let index = confidence.map(|c| metrics::calibration::bin_index(c, n_bins) as f64);
    record.check("bin_index", index.collect::<Vec<f64>>(), Precision::Exact)?;
    let single = record.ok(ece_in_single(probs, labels, n_bins))?;
    record.check("value_f32_as_run", single, Precision::SingleStored)?;
    record.report.unread.borrow_mut().extend(record.unread());
    Ok(())
}

/// Our value on confidences that were rounded to f32 as the reference's are, so that they fall into the same bins.
///
/// A product `n_bins * confidence` that rounds up to an edge in f32 is put on the edge.
fn ece_in_single(
    probs: &Array2<f64>,
    labels: &Array1<usize>,
    n_bins: usize,
) -> Result<f64, rank1_core::Error> {
    let rounded = probs.mapv(|p| {
        let scaled = p as f32 * n_bins as f32;
        let on_edge = scaled.fract() == 0.0;
        if on_edge { f64::from(scaled) / n_bins as f64 } else { f64::from(p as f32) }
    });
    metrics::ece(rounded.view(), labels.view(), n_bins)
}
