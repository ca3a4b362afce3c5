//! Ranking, corruption and diversity metrics against the reference's values.

use ndarray::{Array1, Array2, Axis};
use rank1_core::{diversity as measure, metrics};

use crate::json::{Outcome, Record};
use crate::report::{Precision, Verdict};

/// `metrics_auc.json`.
pub(crate) fn ranking(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, ranking_case);
    }
    Ok(())
}

fn ranking_case(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["tag"]);
    let scores = record.vector("scores")?;
    let positive = record.labels("labels")?.mapv(|label| label == 1);
    let n = record.count("N")?;
    if scores.len() != n || positive.len() != n {
        return record.fault("N", "is not the number of scores and labels");
    }
    if record.has("distinct_scores") {
        let mut distinct = scores.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        record.check("distinct_scores", distinct.len() as f64, Precision::Exact)?;
    }
    let (s, p) = (scores.view(), positive.view());
    let average_precision = "average_precision (auc_pr in robustness_metrics)";
    for (key, got, precision) in [
        ("auroc", metrics::auroc(s, p), Precision::Double),
        (average_precision, metrics::average_precision(s, p), Precision::Double),
        ("auc_pr_trapezoid_sklearn", metrics::auc_pr_trapezoid(s, p), Precision::Double),
        ("fpr95", metrics::fpr95(s, p), Precision::Double),
        ("keras_auc_roc_200_thresholds_f32", metrics::keras_auc_roc(s, p, 200), Precision::SingleStored),
        (
            "keras_auc_pr_200_thresholds_interpolation_f32",
            metrics::keras_auc_pr(s, p, 200),
            Precision::SingleStored,
        ),
    ] {
        if record.has(key) {
            record.check(key, record.ok(got)?, precision)?;
        }
    }
    let curves = [("precision", "recall"), ("fpr", "tpr")];
    if curves.iter().all(|(first, second)| record.has(first) && record.has(second)) {
        let pr = record.ok(metrics::precision_recall_curve(s, p))?;
        let roc = record.ok(metrics::roc_curve(s, p))?;
        record.check("precision", pr.precision, Precision::Double)?;
        record.check("recall", pr.recall, Precision::Double)?;
        record.check("fpr", roc.fpr, Precision::Double)?;
        record.check("tpr", roc.tpr, Precision::Double)?;
    }
    Ok(Verdict::Compared)
}

/// `metrics_diversity.json`.
pub(crate) fn diversity(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, diversity_case);
    }
    Ok(())
}

fn diversity_case(record: &Record<'_>) -> Outcome<Verdict> {
    let sizes = [record.count("K")?, record.count("B")?, record.count("C")?];
    record.expect_shape("probs", &sizes)?;
    let log_probs = record.cube("probs")?.mapv(f64::ln);
    let labels = record.labels("labels")?;
    let got = record.ok(measure::diversity(log_probs.view(), labels.view()))?;
    let normalized = "rm_normalized_disagreement_f32";
    record.check(normalized, got.normalized_disagreement, Precision::SingleStored)?;
    for (key, precision) in [("rm_f32", Precision::SingleStored), ("own_numpy_f64", Precision::Double)] {
        let stored = record.child(key)?;
        for (key, value) in [
            ("disagreement", got.disagreement),
            ("average_kl", got.pairwise_kl),
            ("cosine_similarity", got.cosine_similarity),
            ("bregman_kl_variance", got.bregman_kl_variance),
            ("average_kl_symmetric_all_ordered_pairs", got.symmetric_pairwise_kl),
        ] {
            if stored.has(key) {
                stored.check(key, value, precision)?;
            }
        }
        record.report.unread.borrow_mut().extend(stored.unread());
    }
    Ok(Verdict::Compared)
}

/// `metrics_corruption.json`: one table of types and severities, read by two result blocks.
pub(crate) fn corruption(root: &Record<'_>) -> Outcome<()> {
    let read = |key: &str| root.matrix(key);
    let tables = [("accuracy", read("accuracy")?), ("nll", read("nll")?), ("ece", read("ece")?)];
    let types = root.texts("imagenet_types")?;
    for (key, table) in &tables {
        if table.dim() != tables[0].1.dim() || table.nrows() != types.len() {
            return root.fault(key, "has other axes than types and severities");
        }
    }
    // Lists of names; the result blocks name the types that they use.
    root.texts("cifar10_types")?;
    root.texts("cifar100_types")?;
    let baseline = root.matrix("alexnet_error")?;
    let average = baseline.mean_axis(Axis(1)).unwrap_or_default();
    let block = |key: &'static str, relative: bool| -> Outcome<()> {
        let record = root.child(key)?;
        root.report.case(&record, |record| {
            if relative {
                root.check("alexnet_average", average.clone(), Precision::Double)?;
                corruption_errors(record, &types, &tables[0].1, &average)?;
            }
            means(record, &tables)
        });
        Ok(())
    };
    block("imagenet_result", true)?;
    block("cifar10_result", false)
}

fn corruption_errors(
    record: &Record<'_>,
    types: &[&str],
    accuracy: &Array2<f64>,
    average: &Array1<f64>,
) -> Outcome<()> {
    let errors = record.ok(metrics::corruption_errors(accuracy.view(), average.view()))?;
    for (name, error) in types.iter().zip(errors) {
        record.check(&format!("test/corruption_error_{name}"), error, Precision::Double)?;
    }
    let mce = record.ok(metrics::mean_corruption_error(accuracy.view(), average.view()))?;
    record.check("test/mCE", mce, Precision::Double)
}

fn means(record: &Record<'_>, tables: &[(&str, Array2<f64>)]) -> Outcome<Verdict> {
    for (name, table) in tables {
        let mean = record.ok(metrics::mean_corrupted(table.view()))?;
        record.check(&format!("test/{name}_mean_corrupted"), mean, Precision::Double)?;
        let means = record.ok(metrics::mean_per_severity(table.view()))?;
        let medians = record.ok(metrics::median_per_severity(table.view()))?;
        for (severity, (mean, median)) in means.iter().zip(&medians).enumerate() {
            record.check(&format!("test/{name}_mean_{}", severity + 1), *mean, Precision::Double)?;
            record.check(&format!("test/{name}_median_{}", severity + 1), *median, Precision::Double)?;
        }
    }
    // Quantities for which the reference was given no input: it reports zeros.
    for key in record.keys() {
        if ["test/kl_", "test/elbo_", "test/member_acc_", "test/member_ece_"]
            .iter()
            .any(|p| key.starts_with(p))
        {
            record.check(key, 0.0, Precision::Exact)?;
        }
    }
    Ok(Verdict::Compared)
}
