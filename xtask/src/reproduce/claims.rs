//! Published figures, read from `recipes/claims.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::experiment::Published;
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

    /// The figure of the first row that fits, in our units: accuracies as fractions, parameters as a number.
    pub(crate) fn find(
        &self,
        benchmark: &str,
        set: &str,
        published: &Published,
        metric: &str,
    ) -> Option<Claim<'_>> {
        let row = self.rows(benchmark, published).find(|row| row.is_of(set))?;
        let (metric, unit) = match metric {
            "accuracy" | "corrupted_accuracy" => (metric, 0.01),
            "run.parameters" => ("parameters", 1e6),
            _ => (metric, 1.0),
        };
        let estimate = match *row.figures.get(metric)? {
            Figure::Value(mean) => Estimate { mean: mean * unit, error: None, n: 0 },
            Figure::WithError([mean, error]) => {
                Estimate { mean: mean * unit, error: Some(error * unit), n: 0 }
            }
        };
        Some(Claim { estimate, source: &self.source.get(&row.source)?.text })
    }

    /// The rows that fit, over all sets.
    fn rows<'a>(&'a self, benchmark: &str, published: &'a Published) -> impl Iterator<Item = &'a Row> {
        let rows = self.claims.get(benchmark).into_iter().flatten();
        rows.filter(|row| {
            let samples = row.figures.get("samples");
            row.method == published.method
                && published.source.as_ref().is_none_or(|source| *source == row.source)
                && published.samples.is_none_or(|n| samples == Some(&Figure::Value(n as f64)))
        })
    }

    /// The sources of a benchmark in words, for the note under a table: only those that [`Claims::find`] reads.
    pub(crate) fn sources(&self, benchmark: &str, published: &[Published]) -> Vec<String> {
        let mut used: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for item in published {
            let mut sets = Vec::new();
            for row in self.rows(benchmark, item) {
                let methods = used.entry(&row.source).or_default();
                if !sets.contains(&&row.set) && !methods.contains(&item.method.as_str()) {
                    methods.push(&item.method);
                }
                sets.push(&row.set);
            }
        }
        used.retain(|_, methods| !methods.is_empty());
        let words = |(id, methods): (&&str, &Vec<&str>)| {
            let source = self.source.get(*id)?;
            let error = source.error.as_deref().map(|error| format!("; error {error}")).unwrap_or_default();
            let note = source.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
            Some(format!("{}: {}{error}{note}", methods.join(", "), source.text))
        };
        used.iter().filter_map(words).collect()
    }
}

impl Row {
    fn is_of(&self, set: &str) -> bool {
        self.set.as_deref().is_none_or(|name| name == set)
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

    fn named(method: &str) -> Published {
        Published { method: method.to_owned(), ..Published::default() }
    }

    fn pair(set: &str, method: &str, metric: &str) -> (f64, Option<f64>) {
        let estimate = committed().find("uci", set, &named(method), metric).unwrap().estimate;
        (estimate.mean, estimate.error)
    }

    #[test]
    fn regression_figures_are_complete_nine_sets_four_methods_two_metrics() {
        let claims = committed();
        let mut count = 0;
        for set in ["boston", "concrete", "energy", "kin8nm", "naval", "power", "protein", "wine", "yacht"] {
            for method in ["pbp", "mc_dropout", "mc_dropout_corrected", "deep_ensemble_5"] {
                for metric in ["rmse", "nll"] {
                    let claim = claims.find("uci", set, &named(method), metric);
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
        let nll =
            |benchmark: &str, method: &str| claims.find(benchmark, benchmark, &named(method), "nll").unwrap();
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
    fn a_source_and_a_number_of_samples_choose_among_the_rows_of_a_method() {
        let claims = committed();
        let nll = |source: Option<&str>, samples| {
            let published =
                Published { source: source.map(str::to_owned), samples, ..named("rank1_gaussian") };
            claims.find("cifar10", "cifar10", &published, "nll").map(|claim| claim.estimate.mean)
        };
        assert_eq!(nll(None, None), Some(0.128));
        assert_eq!(nll(Some("paper_table_8"), Some(25)), Some(0.125));
        assert_eq!(nll(Some("paper_table_8"), Some(7)), None);
        let chosen = Published { source: Some("uncertainty_baselines".into()), ..named("rank1_gaussian") };
        let sources = claims.sources("cifar10", &[chosen, named("batch_ensemble")]);
        assert_eq!(sources.len(), 2, "{sources:?}");
        assert!(sources[0].starts_with("batch_ensemble: Dusenberry"), "{sources:?}");
        assert!(sources[1].starts_with("rank1_gaussian: google/uncertainty-baselines"), "{sources:?}");
    }

    #[test]
    fn figures_come_in_the_units_of_our_own_metrics() {
        let claims = committed();
        let figure =
            |metric| claims.find("cifar10", "cifar10", &named("rank1_cauchy"), metric).unwrap().estimate.mean;
        assert!((figure("accuracy") - 0.965).abs() < 1e-12);
        assert!((figure("corrupted_accuracy") - 0.805).abs() < 1e-12);
        assert_eq!((figure("ece"), figure("run.parameters")), (0.009, 36.6e6));
    }

    #[test]
    fn third_party_reproductions_and_figures_read_by_eye_say_so() {
        let claims = committed();
        for row in claims.claims.values().flatten() {
            let source = &claims.source[&row.source];
            let words = format!("{} {}", source.text, source.note.as_deref().unwrap_or_default());
            assert_eq!(row.source.starts_with("third_party"), words.contains("third party"), "{words}");
            assert_eq!(row.source.starts_with("paper_figure"), words.contains("read by eye"), "{words}");
        }
        let again = Published { source: Some("third_party_rank1".into()), ..named("rank1_gaussian") };
        let claim = claims.find("cifar100", "cifar100", &again, "accuracy").unwrap();
        assert!((claim.estimate.mean - 0.8083).abs() < 1e-12);
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
        let sources = committed().sources("uci", &["pbp", "mc_dropout_corrected"].map(named));
        assert_eq!(sources.len(), 2);
        assert!(sources[0].starts_with("pbp: Lakshminarayanan"), "{sources:?}");
        assert!(sources[1].starts_with("mc_dropout_corrected: Gal"), "{sources:?}");
    }
}
