//! What a report knows about each metric: its heading, unit, direction and place; the values come from the runs.

use super::comparison::{Better, Notation, SummaryColumn};
use super::input::Metrics;

/// How one metric is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    /// Key in `evaluation.json`, then other spellings of it.
    pub(crate) keys: &'static [&'static str],
    /// Heading.
    pub(crate) label: &'static str,
    /// Unit, empty if none.
    pub(crate) unit: &'static str,
    /// Which way is better.
    pub(crate) better: Better,
    /// How it is written.
    pub(crate) notation: Notation,
    /// Whether it stands in the main table; the others are listed behind a fold.
    pub(crate) headline: bool,
}

const fn metric(
    keys: &'static [&'static str],
    label: &'static str,
    unit: &'static str,
    better: Better,
    headline: bool,
) -> Metric {
    Metric { keys, label, unit, better, notation: Notation::Decimal, headline }
}

use Better::{Higher, Lower, Neither};

/// Mixture NLL, the one that curves show.
pub(crate) const NLL: Metric = metric(&["nll", "nll_mixture"], "NLL, mixture", "nats", Lower, true);

/// All metrics a report has words for, in the order of columns.
pub(crate) const METRICS: &[Metric] = &[
    metric(&["rmse"], "RMSE", "target unit", Lower, true),
    NLL,
    metric(&["nll_gibbs", "nll_average"], "NLL, Gibbs", "nats", Lower, true),
    metric(&["nll_at_locations"], "NLL without the posterior's spread", "nats", Lower, false),
    Metric {
        keys: &["accuracy"],
        label: "Accuracy",
        unit: "%",
        better: Higher,
        notation: Notation::Percent,
        headline: true,
    },
    metric(&["auroc"], "AUROC", "", Higher, true),
    metric(&["auc_pr"], "Average precision", "", Higher, true),
    metric(&["ece"], "ECE", "", Lower, true),
    metric(&["brier"], "Brier", "", Lower, true),
    metric(&["crps"], "CRPS", "target unit", Lower, true),
    Metric {
        keys: &["coverage_90"],
        label: "90 % interval holds",
        unit: "%",
        better: Neither,
        notation: Notation::Percent,
        headline: true,
    },
    metric(&["width_90"], "90 % interval width", "target unit", Lower, true),
    metric(&["aurc"], "AURC", "", Lower, true),
    metric(&["ood_auroc"], "OOD AUROC", "", Higher, true),
    metric(&["disagreement"], "Disagreement", "", Neither, true),
    metric(&["mce"], "MCE", "", Lower, false),
    metric(&["adaptive_ece"], "Adaptive ECE", "", Lower, false),
    metric(&["classwise_ece"], "Class-wise ECE", "", Lower, false),
    metric(&["quantile_calibration_error"], "Quantile calibration error", "", Lower, false),
    metric(&["auc_pr_keras"], "AUC-PR, 200 thresholds", "", Higher, false),
    metric(&["ood_aupr_out", "ood_aupr"], "OOD AUPR, unknown", "", Higher, false),
    metric(&["ood_aupr_in"], "OOD AUPR, known", "", Higher, false),
    metric(&["ood_fpr95"], "OOD FPR at 95 % TPR", "", Lower, false),
    metric(&["ood_epistemic_auroc"], "OOD AUROC by epistemic part", "", Higher, false),
    metric(&["ood_msp_auroc"], "OOD AUROC by top probability", "", Higher, false),
    metric(&["mae"], "MAE", "target unit", Lower, false),
    metric(&["interval_score_90"], "90 % interval score", "target unit", Lower, false),
    metric(&["normalized_disagreement"], "Disagreement / error", "", Neither, false),
    metric(&["pairwise_kl"], "Pairwise KL", "nats", Neither, false),
    metric(&["cosine_similarity"], "Cosine similarity", "", Neither, false),
    metric(&["total"], "Total uncertainty", "nats", Neither, false),
    metric(&["aleatoric"], "Aleatoric", "nats", Neither, false),
    metric(&["epistemic"], "Epistemic", "nats", Neither, false),
];

impl Metric {
    /// The finite value under any of the spellings.
    pub(crate) fn value(&self, metrics: &Metrics) -> Option<f64> {
        self.keys.iter().find_map(|key| metrics.get(*key)).copied().filter(|value| value.is_finite())
    }

    /// Whether `key` is one of the spellings.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }

    /// The column of a table; in regression uncertainty is a variance, not an entropy.
    pub(crate) fn column(&self, regression: bool) -> SummaryColumn {
        let variance =
            regression && self.better == Neither && self.unit == "nats" && self.label != "Pairwise KL";
        let unit = if variance { "squared target unit" } else { self.unit };
        SummaryColumn {
            label: self.label.to_owned(),
            unit: (!unit.is_empty()).then(|| unit.to_owned()),
            better: self.better,
            notation: self.notation,
        }
    }
}

/// The known metric behind a key.
pub(crate) fn known(key: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.is(key))
}

/// A readable name for a method key, such as `rank1_gaussian`.
pub(crate) fn method_label(method: &str) -> String {
    let known = match method {
        "deterministic" => "Deterministic",
        "mc_dropout" | "dropout" => "MC dropout",
        "mean_field" | "mean_field_vi" | "mfvi" => "Mean-field VI",
        "flipout" | "mean_field_flipout" => "Mean-field VI, Flipout",
        "batch_ensemble" => "BatchEnsemble",
        "rank1_gaussian" | "rank1_normal" | "rank-1 normal" => "Rank-1 Gaussian",
        "rank1_cauchy" | "rank-1 cauchy" => "Rank-1 Cauchy",
        "rank1" | "rank1_custom" => "Rank-1",
        "deep_ensemble" | "ensemble" | "deep ensemble of deterministic" => "Deep ensemble",
        "deep_ensemble_5" => "Deep ensemble of 5",
        "mc_dropout_corrected" => "MC dropout, corrected",
        "pbp" => "PBP",
        "" => "Unnamed method",
        other => return capitalized(&other.replace('_', " ")),
    };
    known.to_owned()
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_two_metrics_share_a_spelling() {
        let mut keys: Vec<_> = METRICS.iter().flat_map(|metric| metric.keys).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn a_value_that_is_not_finite_is_not_a_value() {
        let metrics = Metrics::from([("nll_mixture".to_owned(), f64::NAN), ("ece".to_owned(), 0.1)]);
        assert_eq!(NLL.value(&metrics), None);
        assert_eq!(known("ece").unwrap().value(&metrics), Some(0.1));
    }

    #[test]
    fn an_unknown_method_key_reads_as_words() {
        assert_eq!(method_label("my_new_method"), "My new method");
    }
}
