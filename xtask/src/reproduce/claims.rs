//! Published figures, read from `recipes/claims.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::summary::Estimate;

/// The file as a whole.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    source: BTreeMap<String, Source>,
    /// Rows by benchmark.
    claims: BTreeMap<String, Vec<Row>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    text: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Row {
    /// Absent where the benchmark is a single set.
    #[serde(default)]
    set: Option<String>,
    method: String,
    source: String,
    /// By metric; `samples` is the number of samples at evaluation, where stated.
    #[serde(flatten)]
    figures: BTreeMap<String, Figure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
enum Figure {
    Value(f64),
    WithError([f64; 2]),
}

/// One published figure with its source in words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim<'a> {
    pub(crate) estimate: Estimate,
    pub(crate) source: &'a str,
}

impl Claims {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a file of claims", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let claims: Self = toml::from_str(text)?;
        for row in claims.claims.values().flatten() {
            anyhow::ensure!(claims.source.contains_key(&row.source), "no [source.{}]", row.source);
        }
        Ok(claims)
    }

    /// The first figure for a method on a set of a benchmark.
    pub(crate) fn find(&self, benchmark: &str, set: &str, method: &str, metric: &str) -> Option<Claim<'_>> {
        let of_set = |row: &&Row| row.set.as_deref().is_none_or(|name| name == set) && row.method == method;
        let row = self.claims.get(benchmark)?.iter().find(of_set)?;
        let estimate = match *row.figures.get(metric)? {
            Figure::Value(mean) => Estimate { mean, error: None, n: 0 },
            Figure::WithError([mean, error]) => Estimate { mean, error: Some(error), n: 0 },
        };
        Some(Claim { estimate, source: &self.source.get(&row.source)?.text })
    }

    /// The sources of a benchmark in words, for the note under a table.
    pub(crate) fn sources(&self, benchmark: &str, methods: &[&str]) -> Vec<String> {
        let rows = self.claims.get(benchmark).into_iter().flatten();
        let mut ids: Vec<&str> = rows
            .filter(|row| methods.contains(&row.method.as_str()))
            .map(|row| row.source.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let words = |id: &&str| {
            let source = self.source.get(*id)?;
            let methods: Vec<&str> = methods
                .iter()
                .filter(|method| {
                    self.claims[benchmark].iter().any(|row| row.method == **method && row.source == *id)
                })
                .copied()
                .collect();
            let error = source.error.as_deref().map(|error| format!("; error {error}")).unwrap_or_default();
            let note = source.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
            Some(format!("{}: {}{error}{note}", methods.join(", "), source.text))
        };
        ids.iter().filter_map(words).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    fn committed() -> Claims {
        Claims::read(&Workspace::locate().unwrap().root.join("recipes/claims.toml")).unwrap()
    }

    fn pair(set: &str, method: &str, metric: &str) -> (f64, Option<f64>) {
        let estimate = committed().find("uci", set, method, metric).unwrap().estimate;
        (estimate.mean, estimate.error)
    }

    #[test]
    fn regression_figures_are_complete_nine_sets_four_methods_two_metrics() {
        let claims = committed();
        let mut count = 0;
        for set in ["boston", "concrete", "energy", "kin8nm", "naval", "power", "protein", "wine", "yacht"] {
            for method in ["pbp", "mc_dropout", "mc_dropout_corrected", "deep_ensemble_5"] {
                for metric in ["rmse", "nll"] {
                    let claim = claims.find("uci", set, method, metric);
                    let claim = claim.unwrap_or_else(|| panic!("{set} {method} {metric} is missing"));
                    assert!(claim.estimate.mean.is_finite());
                    assert!(
                        metric == "nll" || claim.estimate.mean >= 0.0,
                        "{set} {method} has a negative RMSE"
                    );
                    // The corrected figures print no error where the RMSE is below one hundredth.
                    let unprinted =
                        method == "mc_dropout_corrected" && metric == "rmse" && claim.estimate.mean < 0.1;
                    assert_eq!(claim.estimate.error.is_none(), unprinted, "{set} {method} {metric}");
                    count += 1;
                }
            }
        }
        assert_eq!(count, 72);
        assert_eq!(claims.claims["uci"].len(), 36);
    }

    #[test]
    fn figures_of_each_source_are_as_printed_and_log_likelihoods_have_changed_sign() {
        assert_eq!(pair("boston", "deep_ensemble_5", "nll"), (2.41, Some(0.25)));
        assert_eq!(pair("naval", "deep_ensemble_5", "nll"), (-5.63, Some(0.05)));
        assert_eq!(pair("yacht", "pbp", "rmse"), (1.02, Some(0.05)));
        assert_eq!(pair("energy", "mc_dropout", "nll"), (1.99, Some(0.09)));
        // Printed as log-likelihoods 1.14 and -2.40.
        assert_eq!(pair("kin8nm", "mc_dropout_corrected", "nll"), (-1.14, Some(0.01)));
        assert_eq!(pair("boston", "mc_dropout_corrected", "nll"), (2.40, Some(0.04)));
        assert_eq!(pair("naval", "mc_dropout_corrected", "rmse"), (0.0, None));
    }

    #[test]
    fn image_and_mortality_rows_hold_the_papers_own_figures() {
        let claims = committed();
        let nll = |benchmark: &str, method: &str| claims.find(benchmark, benchmark, method, "nll").unwrap();
        assert_eq!(nll("cifar10", "rank1_cauchy").estimate.mean, 0.120);
        assert_eq!(nll("cifar100", "rank1_gaussian").estimate.mean, 0.692);
        assert_eq!(nll("imagenet", "rank1_gaussian").estimate.mean, 0.886);
        assert_eq!(nll("mimic3", "rank1_cauchy").estimate.mean, 0.211);
        assert!(nll("imagenet", "deterministic").source.contains("Table 1"));
        let rows: Vec<&Row> =
            claims.claims["cifar10"].iter().filter(|row| row.source == "paper_table_8").collect();
        assert_eq!(
            rows.iter().map(|row| row.figures["samples"]).collect::<Vec<_>>(),
            [1.0, 4.0, 25.0, 4.0].map(Figure::Value)
        );
    }

    #[test]
    fn every_figure_is_plausible_for_its_unit() {
        for row in committed().claims.values().flatten() {
            for (metric, figure) in &row.figures {
                let (Figure::Value(value) | Figure::WithError([value, _])) = *figure;
                let holds = match metric.as_str() {
                    "nll" | "corrupted_nll" | "valid_nll" => value.abs() < 10.0,
                    "rmse" => (0.0..10.0).contains(&value),
                    "accuracy" | "corrupted_accuracy" => (35.0..100.0).contains(&value),
                    "ece" | "corrupted_ece" | "valid_ece" => (0.0..0.5).contains(&value),
                    "auc_pr" | "valid_auc_pr" => (0.3..0.5).contains(&value),
                    "mce" => (60.0..80.0).contains(&value),
                    "parameters" => (20.0..1000.0).contains(&value),
                    "train_hours" => (1.0..30.0).contains(&value),
                    "samples" => (1.0..=30.0).contains(&value),
                    other => panic!("unknown metric {other}"),
                };
                assert!(holds, "{} {metric} = {value}", row.method);
            }
        }
    }

    #[test]
    fn a_row_without_its_source_is_refused() {
        let text = "[source]\n[claims]\nuci = [{ method = \"a\", source = \"gone\", nll = 1.0 }]\n";
        assert_eq!(Claims::parse(text).unwrap_err().to_string(), "no [source.gone]");
    }

    #[test]
    fn sources_name_the_methods_they_cover() {
        let sources = committed().sources("uci", &["pbp", "mc_dropout_corrected"]);
        assert_eq!(sources.len(), 2);
        assert!(sources[0].starts_with("pbp: Lakshminarayanan"), "{sources:?}");
        assert!(sources[1].starts_with("mc_dropout_corrected: Gal"), "{sources:?}");
    }
}
