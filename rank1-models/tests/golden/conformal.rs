//! `conformal.json`: ranks, thresholds, intervals and sets on rows that they were not made from.

use ndarray::{Array1, Array2, ArrayView1, aview1};
use rank1_core::conformal::{
    ClassScore, absolute_interval, absolute_scores, class_thresholds, covered, cqr_interval, cqr_scores,
    label_scores, normalized_interval, normalized_scores, prediction_sets, rank, summarize_intervals,
    summarize_sets, threshold,
};
use rank1_core::predictive::Interval;

use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["tag"]);
    match record.text("method")? {
        "split_absolute" | "split_normalised" | "cqr" => intervals(record),
        "lac" | "aps" | "raps" => sets(record, score(record)?),
        "mondrian_lac" => sets_by_class(record),
        other => Ok(Verdict::NotImplemented(format!("method `{other}`"))),
    }
}

fn coverage(record: &Record<'_>) -> Outcome<f64> {
    Ok(1.0 - record.number("alpha")?)
}

fn flags(values: &Array1<bool>) -> Values {
    values.mapv(|flag| f64::from(u8::from(flag))).into()
}

fn share(values: &Array1<bool>) -> f64 {
    values.iter().filter(|flag| **flag).count() as f64 / values.len() as f64
}

/// Scores of calibration rows, their rank and threshold.
fn threshold_of(record: &Record<'_>, scores: ArrayView1<'_, f64>) -> Outcome<f64> {
    record.expect_shape("scores", &[record.count("n")?])?;
    record.check("scores", scores.to_owned(), Precision::Double)?;
    let coverage = coverage(record)?;
    record.check("rank", record.ok(rank(scores.len(), coverage))? as f64, Precision::Exact)?;
    let found = record.ok(threshold(scores, coverage))?;
    record.check_flag("threshold_is_infinite", found == f64::INFINITY)?;
    if found.is_finite() {
        record.check("threshold", found, Precision::Double)?;
    }
    Ok(found)
}

fn intervals(record: &Record<'_>) -> Outcome<Verdict> {
    let method = record.text("method")?;
    let vector = |part: &str, name: &str| record.vector(&format!("{part}_{name}"));
    let of = |part: &str| -> Outcome<Array1<f64>> {
        let y = vector(part, "y")?;
        record.ok(match method {
            "split_absolute" => absolute_scores(vector(part, "mean")?.view(), y.view()),
            "split_normalised" => {
                normalized_scores(vector(part, "mean")?.view(), vector(part, "scale")?.view(), y.view())
            }
            _ => cqr_scores(&ends(record, part)?, y.view()),
        })
    };
    let q = threshold_of(record, of("cal")?.view())?;
    let interval = record.ok(match method {
        "split_absolute" => absolute_interval(vector("test", "mean")?.view(), q),
        "split_normalised" => {
            normalized_interval(vector("test", "mean")?.view(), vector("test", "scale")?.view(), q)
        }
        _ => cqr_interval(&ends(record, "test")?, q),
    })?;
    let covered = covered(of("test")?.view(), q);
    record.check("covered", flags(&covered), Precision::Exact)?;
    record.check("coverage", share(&covered), Precision::Double)?;
    if q.is_finite() {
        let summary = record.ok(summarize_intervals(&interval))?;
        record.check("mean_width", summary.mean_width, Precision::Double)?;
        record.check("n_empty", summary.n_empty as f64, Precision::Exact)?;
        record.check("lower", interval.lower, Precision::Double)?;
        record.check("upper", interval.upper, Precision::Double)?;
    }
    Ok(Verdict::Compared)
}

fn ends(record: &Record<'_>, part: &str) -> Outcome<Interval> {
    let end = |name: &str| record.vector(&format!("{part}_{name}"));
    Ok(Interval { lower: end("lower")?, upper: end("upper")? })
}

fn score(record: &Record<'_>) -> Outcome<ClassScore> {
    Ok(match record.text("method")? {
        "aps" => ClassScore::Aps,
        "raps" => ClassScore::Raps { penalty: record.number("lambda")?, free: record.count("k_reg")? },
        _ => ClassScore::Lac,
    })
}

/// Scores of every class of one part.
fn class_scores(record: &Record<'_>, part: &str, score: ClassScore) -> Outcome<Array2<f64>> {
    let probs = record.matrix(&format!("{part}_probs"))?;
    record.expect_shape(&format!("{part}_probs"), &[probs.nrows(), record.count("n_classes")?])?;
    let randomised = score != ClassScore::Lac && record.flag("randomised")?;
    let u = if randomised { Some(record.vector(&format!("{part}_u"))?) } else { None };
    record.ok(score.of_classes(probs.view(), u.as_ref().map(|u| u.view())))
}

fn sets(record: &Record<'_>, score: ClassScore) -> Outcome<Verdict> {
    let of_cal = class_scores(record, "cal", score)?;
    let labels = record.labels("cal_labels")?;
    let own = record.ok(label_scores(of_cal.view(), labels.view()))?;
    let q = threshold_of(record, own.view())?;
    check_sets(record, &class_scores(record, "test", score)?, &aview1(&[q]))?;
    Ok(Verdict::Compared)
}

fn sets_by_class(record: &Record<'_>) -> Outcome<Verdict> {
    let of_cal = class_scores(record, "cal", ClassScore::Lac)?;
    record.expect_shape("scores", &[record.count("n")?])?;
    let labels = record.labels("cal_labels")?;
    let own = record.ok(label_scores(of_cal.view(), labels.view()))?;
    let n_classes = of_cal.ncols();
    let found = record.ok(class_thresholds(own.view(), labels.view(), n_classes, coverage(record)?))?;
    record.check("scores", own, Precision::Double)?;
    let counts = |values: &[usize]| values.iter().map(|v| *v as f64).collect::<Vec<f64>>();
    record.check("class_counts", counts(&found.counts), Precision::Exact)?;
    record.check("ranks", counts(&found.ranks), Precision::Exact)?;
    let infinite = found.thresholds.mapv(|q| q == f64::INFINITY);
    record.check("threshold_is_infinite", flags(&infinite), Precision::Exact)?;
    // An infinite threshold is stored as zero.
    let stored = found.thresholds.mapv(|q| if q.is_finite() { q } else { 0.0 });
    record.check("thresholds", stored, Precision::Double)?;
    check_sets(record, &class_scores(record, "test", ClassScore::Lac)?, &found.thresholds.view())?;
    Ok(Verdict::Compared)
}

fn check_sets(record: &Record<'_>, scores: &Array2<f64>, thresholds: &ArrayView1<'_, f64>) -> Outcome<()> {
    record.check("test_scores", scores.clone(), Precision::Double)?;
    let sets = record.ok(prediction_sets(scores.view(), *thresholds))?;
    record.check("sets", sets.mapv(|is_in| f64::from(u8::from(is_in))), Precision::Exact)?;
    let size = |set: ArrayView1<'_, bool>| set.iter().filter(|is_in| **is_in).count() as f64;
    record.check("sizes", sets.rows().into_iter().map(size).collect::<Vec<f64>>(), Precision::Exact)?;
    let labels = record.labels("test_labels")?;
    let own = record.ok(label_scores(scores.view(), labels.view()))?;
    let of = |label: usize| thresholds[if thresholds.len() == 1 { 0 } else { label }];
    let covered: Array1<bool> = own.iter().zip(&labels).map(|(score, &label)| *score <= of(label)).collect();
    record.check("covered", flags(&covered), Precision::Exact)?;
    let summary = record.ok(summarize_sets(sets.view(), labels.view()))?;
    record.check("coverage", summary.coverage, Precision::Double)?;
    record.check("mean_size", summary.mean_size, Precision::Double)?;
    record.check("n_empty", summary.n_empty as f64, Precision::Exact)
}
