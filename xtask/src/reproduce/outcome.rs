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
    /// What the search tried: values and validation NLL of each trial.
    pub(crate) trials: Value,
    /// NLL on the validation rows, beside that of the constant prediction.
    pub(crate) validation: Value,
    /// Every finite number, by the names of [`Outcome::get`].
    numbers: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Evaluation {
    metrics: Map<String, Value>,
    #[serde(default)]
    shifts: Vec<Shift>,
    #[serde(default)]
    member_metrics: Vec<Map<String, Value>>,
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
        let stored = |key: &str| facts.get(key).cloned().unwrap_or_default();
        let (trials, validation) = (stored("trials"), stored("validation"));
        let mut outcome = Self { program, trials, validation, numbers: BTreeMap::new() };
        outcome.insert("run.", &facts);
        outcome.insert("", &evaluation.metrics);
        outcome.insert_shifts(&evaluation.shifts);
        outcome.insert_members(&evaluation.member_metrics);
        for (name, mean) in corrupted(&evaluation.shifts) {
            outcome.numbers.entry(name).or_insert(mean);
        }
        Ok(outcome)
    }

    /// A number by name: a metric of the evaluation (`nll`), the mean of a metric over all shifts (`shift_mean.nll`) or over
    /// the standard corruptions (`corrupted_nll`), the mean over the members alone and what all gain (`member_mean.nll`, `member_gain.nll`), a metric under one shift (`shift.rotation:30.nll`) or a number of
    /// `run.json` (`run.parameters`).
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// Numbers that no run has made.
    #[cfg(test)]
    pub(crate) fn of(numbers: &[(&str, f64)]) -> Self {
        let numbers = numbers.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        Self { numbers, ..Self::default() }
    }

    fn insert(&mut self, prefix: &str, values: &Map<String, Value>) {
        // A number that is not finite is `null` in JSON: it is missing here, never zero.
        let numbers =
            values.iter().filter_map(|(name, value)| Some((format!("{prefix}{name}"), value.as_f64()?)));
        self.numbers.extend(numbers);
    }

    /// What one member alone is worth, and what all gain over it.
    fn insert_members(&mut self, members: &[Map<String, Value>]) {
        let nll: Option<Vec<f64>> =
            members.iter().map(|member| member.get("nll").and_then(Value::as_f64)).collect();
        let (Some(nll), Some(together)) = (nll.filter(|nll| !nll.is_empty()), self.get("nll")) else {
            return;
        };
        let alone = nll.iter().sum::<f64>() / nll.len() as f64;
        self.numbers.insert("member_mean.nll".into(), alone);
        self.numbers.insert("member_gain.nll".into(), alone - together);
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

/// The fifteen corruptions that the published benchmarks average over.
const STANDARD_CORRUPTIONS: [&str; 15] = [
    // Plain `gaussian_noise` is additive noise on raw inputs, with a standard deviation for a severity.
    "corrupt/gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
];

fn is_standard_corruption(kind: &str) -> bool {
    let bare = kind.strip_prefix("corrupt/").unwrap_or(kind);
    STANDARD_CORRUPTIONS.iter().any(|known| *known == kind || *known == bare)
}

/// `corrupted_METRIC`: the mean over the kinds at each severity, then over the severities.
fn corrupted(shifts: &[Shift]) -> Vec<(String, f64)> {
    let mut severities: BTreeMap<String, Vec<&Shift>> = BTreeMap::new();
    for shift in shifts.iter().filter(|shift| is_standard_corruption(&shift.kind)) {
        severities.entry(shift.severity.to_string()).or_default().push(shift);
    }
    let Some(first) = severities.values().flatten().next() else { return Vec::new() };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let over_severities = |name: &String| {
        let of = |shift: &&Shift| shift.metrics.get(name).and_then(Value::as_f64);
        // One value that is not there leaves no mean: without it the mean would flatter.
        let of_severity = |kinds: &Vec<&Shift>| kinds.iter().map(of).collect::<Option<Vec<f64>>>();
        let means = severities.values().map(|kinds| Some(mean(&of_severity(kinds)?)));
        Some((format!("corrupted_{name}"), mean(&means.collect::<Option<Vec<f64>>>()?)))
    };
    first.metrics.keys().filter_map(over_severities).collect()
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

    const CORRUPTED: &str = r#"{"metrics": {"nll": 0.25, "corrupted_ece": 0.5}, "shifts": [
        {"kind": "fog", "severity": 1, "metrics": {"nll": 1.0, "ece": 0.1, "accuracy": 0.5}},
        {"kind": "corrupt/gaussian_noise", "severity": 1, "metrics": {"nll": 3.0, "ece": 0.1, "accuracy": 0.7}},
        {"kind": "fog", "severity": 5, "metrics": {"nll": 8.0, "ece": 0.1, "accuracy": null}},
        {"kind": "saturate", "severity": 5, "metrics": {"nll": 90.0, "ece": 0.1, "accuracy": 0.1}},
        {"kind": "rotation", "severity": 5, "metrics": {"nll": 90.0, "ece": 0.1, "accuracy": 0.1}},
        {"kind": "gaussian_noise", "severity": 1, "metrics": {"nll": 90.0, "ece": 0.1, "accuracy": 0.1}}]}"#;

    #[test]
    fn corrupted_metrics_are_means_over_kinds_and_then_over_severities() {
        let outcome = read(RUN, CORRUPTED).unwrap();
        // Severity 1: (1 + 3) / 2; severity 5: 8. Rotation, additive noise and the four extra kinds do not count.
        assert_eq!(outcome.get("corrupted_nll"), Some(5.0));
        // A number of the program itself stays, and a value that is not finite leaves no mean.
        assert_eq!(outcome.get("corrupted_ece"), Some(0.5));
        assert_eq!(outcome.get("corrupted_accuracy"), None);
        assert_eq!(read(RUN, EVALUATION).unwrap().get("corrupted_nll"), None);
    }

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
    fn the_gain_of_all_members_is_their_mean_nll_minus_that_of_all() {
        let members = r#"{"metrics": {"nll": 0.25}, "member_metrics": [{"nll": 0.5}, {"nll": 1.0}]}"#;
        let outcome = read(RUN, members).unwrap();
        assert_eq!((outcome.get("member_mean.nll"), outcome.get("member_gain.nll")), (Some(0.75), Some(0.5)));
        assert_eq!(read(RUN, EVALUATION).unwrap().get("member_gain.nll"), None);
    }

    #[test]
    fn an_unfinished_run_is_named_by_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Outcome::read(dir.path()).unwrap_err().starts_with("the run has no run.json"));
        assert!(read(RUN, "{\"metrics\": {").unwrap_err().starts_with("evaluation.json cannot be read"));
        assert!(read("[]", EVALUATION).unwrap_err().starts_with("run.json cannot be read"));
    }
}
