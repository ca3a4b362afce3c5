//! What a finished run left behind: the numbers of `run.json` and `evaluation.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The numbers of one run, looked up by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Version, commit and device of the program.
    pub(crate) program: String,
    /// Every finite number, by the names of [`Outcome::get`].
    numbers: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Evaluation {
    metrics: Map<String, Value>,
    #[serde(default)]
    shifts: Vec<Shift>,
}

#[derive(Deserialize)]
struct Shift {
    kind: String,
    severity: Value,
    metrics: Map<String, Value>,
}

impl Outcome {
    /// Reads a run folder; the text of the error is one line.
    pub(crate) fn read(run: &Path) -> Result<Self, String> {
        let facts: Map<String, Value> = json(&run.join("run.json"))?;
        let evaluation: Evaluation = json(&run.join("evaluation.json"))?;
        let text = |key: &str| facts.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        let program = format!("rank1 {} ({}) on {}", text("version"), text("commit"), text("device"));
        let mut outcome = Self { program, numbers: BTreeMap::new() };
        outcome.insert("run.", &facts);
        outcome.insert("", &evaluation.metrics);
        outcome.insert_shifts(&evaluation.shifts);
        Ok(outcome)
    }

    /// A number by name: a metric of the evaluation (`nll`), the mean of a metric over all shifts (`shift_mean.nll`), a
    /// metric under one shift (`shift.rotation:30.nll`) or a number of `run.json` (`run.parameters`).
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    fn insert(&mut self, prefix: &str, values: &Map<String, Value>) {
        // A number that is not finite is `null` in JSON: it is missing here, never zero.
        let numbers =
            values.iter().filter_map(|(name, value)| Some((format!("{prefix}{name}"), value.as_f64()?)));
        self.numbers.extend(numbers);
    }

    fn insert_shifts(&mut self, shifts: &[Shift]) {
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for shift in shifts {
            let severity = shift.severity.as_str().map_or_else(|| shift.severity.to_string(), str::to_owned);
            self.insert(&format!("shift.{}:{severity}.", shift.kind), &shift.metrics);
            for (name, value) in &shift.metrics {
                values.entry(name).or_default().extend(value.as_f64());
            }
        }
        for (name, values) in values {
            // A mean that leaves out the severities that went wrong would flatter.
            if values.len() == shifts.len() {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                self.numbers.insert(format!("shift_mean.{name}"), mean);
            }
        }
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = std::fs::read(path).map_err(|error| format!("the run has no {name}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{name} cannot be read: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"version": "0.1.0", "commit": "abc", "device": "cpu", "parameters": 203530, "wall_seconds": 1.5,
        "set": "mnist10k"}"#;
    const EVALUATION: &str = r#"{"set": "mnist10k", "metrics": {"nll": 0.25, "ece": null}, "shifts": [
        {"kind": "rotation", "severity": 15, "metrics": {"nll": 0.5, "ece": 0.1}},
        {"kind": "rotation", "severity": 30, "metrics": {"nll": 1.5, "ece": null}}]}"#;

    fn read(run: &str, evaluation: &str) -> Result<Outcome, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("run.json"), run).unwrap();
        std::fs::write(dir.path().join("evaluation.json"), evaluation).unwrap();
        Outcome::read(dir.path())
    }

    #[test]
    fn metrics_facts_and_shifts_are_found_by_name() {
        let outcome = read(RUN, EVALUATION).unwrap();
        assert_eq!(outcome.get("nll"), Some(0.25));
        assert_eq!(outcome.get("run.parameters"), Some(203_530.0));
        assert_eq!(outcome.get("shift.rotation:30.nll"), Some(1.5));
        assert_eq!(outcome.get("shift_mean.nll"), Some(1.0));
        assert_eq!(outcome.program, "rank1 0.1.0 (abc) on cpu");
        assert!(outcome.names().all(|name| outcome.get(name).is_some()));
    }

    #[test]
    fn what_is_not_finite_is_missing_and_so_is_a_mean_over_it() {
        let outcome = read(RUN, EVALUATION).unwrap();
        assert_eq!(outcome.get("ece"), None);
        assert_eq!(outcome.get("shift.rotation:15.ece"), Some(0.1));
        assert_eq!(outcome.get("shift_mean.ece"), None);
        assert_eq!(outcome.get("run.set"), None);
    }

    #[test]
    fn an_unfinished_run_is_named_by_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Outcome::read(dir.path()).unwrap_err().starts_with("the run has no run.json"));
        assert!(read(RUN, "{\"metrics\": {").unwrap_err().starts_with("evaluation.json cannot be read"));
        assert!(read("[]", EVALUATION).unwrap_err().starts_with("run.json cannot be read"));
    }
}
