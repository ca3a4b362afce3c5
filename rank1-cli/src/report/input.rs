//! The documents of one run folder as a report reads them; nothing is computed or drawn here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::comparison::Claim;
use super::error::ReportError;
use super::history::{HistoryRow, parse_history};
use super::table_document::{BaselineDocument, CalibratedDocument, TableDocument};

/// Named numbers; a JSON `null` (how JSON spells a number that is not finite) reads as NaN.
pub type Metrics = BTreeMap<String, f64>;

/// Everything a report shows of one run.
#[derive(Debug, Clone, Default)]
pub struct RunDocument {
    /// Name of the run's folder.
    pub name: String,
    /// Method key, such as `rank1_gaussian`.
    pub method: String,
    /// The checked recipe as it was run.
    pub recipe_text: String,
    /// `run.json`.
    pub run: RunJson,
    /// `evaluation.json`.
    pub evaluation: Evaluation,
    /// `metrics.csv`, one row per epoch.
    pub history: Vec<HistoryRow>,
}

/// `run.json`: what was run, where and at what cost. Fields that a report does not show are ignored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunJson {
    /// Name of the recipe.
    pub name: String,
    /// `classification` or `regression`.
    pub task: String,
    /// Name of the data set.
    pub set: String,
    /// Method key.
    pub method: String,
    /// Seed of the run.
    pub seed: u64,
    /// Number of the published split.
    #[serde(default)]
    pub split: Option<u64>,
    /// Whether the split is one of the gap splits, which are another problem than the standard ones.
    #[serde(default)]
    pub gap: bool,
    /// Device it ran on.
    #[serde(default)]
    pub device: String,
    /// Version of the program.
    #[serde(default)]
    pub version: String,
    /// Commit of the program, where known.
    #[serde(default)]
    pub commit: Option<String>,
    /// Wall-clock time of training in seconds.
    #[serde(default, deserialize_with = "null_is_nan")]
    pub wall_seconds: f64,
    /// Number of trained parameters.
    #[serde(default)]
    pub parameters: u64,
    /// Members K.
    #[serde(default)]
    pub n_members: usize,
    /// Draws S per member at evaluation.
    #[serde(default)]
    pub samples: usize,
    /// Time of one prediction with all members and draws, in microseconds.
    #[serde(default)]
    pub microseconds_per_prediction: Option<f64>,
    /// Published figures that the recipe holds itself against.
    #[serde(default)]
    pub published: Option<Vec<Claim>>,
}

/// `evaluation.json`: metrics and curves of one trained run on one split.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Evaluation {
    /// Name of the data set.
    pub set: String,
    /// Name of the split.
    pub split: String,
    /// Shift applied to the inputs, `kind:severity`, if any.
    #[serde(default)]
    pub shift: Option<String>,
    /// Number of examples.
    pub n: usize,
    /// Members K.
    pub members: usize,
    /// Draws S per member.
    pub samples: usize,
    /// Metrics of the predictive.
    #[serde(deserialize_with = "nullable_metrics")]
    pub metrics: Metrics,
    /// Metrics of the constant prediction: base rates, or one Gaussian of the training targets.
    #[serde(default, deserialize_with = "nullable_metrics")]
    pub constant: Metrics,
    /// Metrics of linear models on the same rows of a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<BaselineDocument>,
    /// Of two classes, the one that AUROC and average precision are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Metrics of each member alone.
    #[serde(default, deserialize_with = "nullable_metrics_list")]
    pub member_metrics: Vec<Metrics>,
    /// Bins of the reliability diagram; empty for regression.
    #[serde(default)]
    pub reliability: Vec<ReliabilityBin>,
    /// Pairs of coverage and risk among the most confident examples.
    #[serde(default)]
    pub risk_coverage: Vec<[f64; 2]>,
    /// Pairs of nominal and observed quantile level; empty for classification.
    #[serde(default)]
    pub quantile_calibration: Vec<[f64; 2]>,
    /// Predictive entropy on this set and on a set it has never seen.
    #[serde(default)]
    pub entropy: Option<EntropyHistogram>,
    /// Metrics under shifted inputs.
    #[serde(default)]
    pub shifts: Vec<ShiftPoint>,
    /// Rows that each shift was measured on, where not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_rows: Option<usize>,
    /// Pairs of draws per member and mixture NLL.
    #[serde(default)]
    pub nll_by_samples: Vec<[f64; 2]>,
    /// What was found out about the rows and columns of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableDocument>,
    /// What the run's calibration makes of the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<CalibratedDocument>,
}

/// One bin `[lower, upper)` of confidence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower edge.
    pub lower: f64,
    /// Upper edge.
    pub upper: f64,
    /// Examples in the bin.
    pub count: usize,
    /// Mean confidence; NaN in an empty bin.
    #[serde(deserialize_with = "null_is_nan")]
    pub confidence: f64,
    /// Share of correct examples; NaN in an empty bin.
    #[serde(deserialize_with = "null_is_nan")]
    pub accuracy: f64,
}

/// Shares of examples per bin of predictive entropy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntropyHistogram {
    /// Bin edges in nats, one more than there are bins.
    pub edges: Vec<f64>,
    /// Shares on the evaluated set.
    pub in_distribution: Vec<f64>,
    /// Shares on the other set.
    #[serde(default)]
    pub ood: Option<Vec<f64>>,
    /// Name of the other set.
    #[serde(default)]
    pub ood_set: Option<String>,
}

/// Metrics at one severity of one kind of shift.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShiftPoint {
    /// Kind, such as `rotate`.
    pub kind: String,
    /// Severity in the unit of the kind (degrees, standard deviations).
    pub severity: f64,
    /// Metrics of the predictive.
    #[serde(deserialize_with = "nullable_metrics")]
    pub metrics: Metrics,
}

pub(super) fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn with_nan(metrics: BTreeMap<String, Option<f64>>) -> Metrics {
    metrics.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect()
}

pub(super) fn nullable_metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metrics, D::Error> {
    Ok(with_nan(BTreeMap::deserialize(deserializer)?))
}

fn nullable_metrics_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Metrics>, D::Error> {
    Ok(Vec::deserialize(deserializer)?.into_iter().map(with_nan).collect())
}

/// Reads the four documents of a run folder.
///
/// # Errors
/// A folder or file that is not there (with the command that writes it), a document that is cut off or malformed
/// (with its line and column), and curves that contradict themselves.
pub fn read_run(folder: &Path) -> Result<RunDocument, ReportError> {
    if !folder.is_dir() {
        return Err(ReportError::MissingFolder { path: folder.to_path_buf() });
    }
    let train = "finish it with `rank1 train RECIPE --out RUN --resume`";
    let run: RunJson = read_json(folder.join("run.json"), train)?;
    let (_, recipe_text) = read_text(folder.join("recipe.toml"), train)?;
    let (history_path, history_text) = read_text(folder.join("metrics.csv"), train)?;
    let history = parse_history(&history_path, &history_text)?;
    let evaluation_path = folder.join("evaluation.json");
    let evaluation: Evaluation = read_json(evaluation_path.clone(), "write it with `rank1 evaluate RUN`")?;
    check(&evaluation_path, &evaluation)?;
    let name =
        folder.file_name().map_or_else(|| run.name.clone(), |name| name.to_string_lossy().into_owned());
    Ok(RunDocument { name, method: run.method.clone(), recipe_text, run, evaluation, history })
}

fn read_text(path: PathBuf, remedy: &'static str) -> Result<(PathBuf, String), ReportError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ReportError::MissingFile { path, remedy })
        }
        Err(source) => Err(ReportError::Read { path, source }),
    }
}

fn read_json<T: DeserializeOwned>(path: PathBuf, remedy: &'static str) -> Result<T, ReportError> {
    let (path, text) = read_text(path, remedy)?;
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let reason = error.to_string();
        // The parser repeats the position at the end of its sentence.
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        ReportError::Json { path, line, column, reason }
    })
}

fn check(path: &Path, evaluation: &Evaluation) -> Result<(), ReportError> {
    let fail = |field, reason| Err(ReportError::Inconsistent { path: path.to_path_buf(), field, reason });
    if let Some(entropy) = &evaluation.entropy {
        let bins = entropy.in_distribution.len();
        if bins == 0 || entropy.edges.len() != bins + 1 {
            return fail("entropy.edges", "needs one edge more than there are bins");
        }
        if entropy.ood.as_ref().is_some_and(|ood| ood.len() != bins) {
            return fail("entropy.ood", "needs as many bins as `entropy.in_distribution`");
        }
        if !entropy.edges.is_sorted_by(|a, b| a < b) {
            return fail("entropy.edges", "must increase");
        }
    }
    if !evaluation.risk_coverage.is_sorted_by(|a, b| a[0] <= b[0]) {
        return fail("risk_coverage", "must be in the order of coverage");
    }
    if !evaluation.quantile_calibration.is_sorted_by(|a, b| a[0] <= b[0]) {
        return fail("quantile_calibration", "must be in the order of the nominal level");
    }
    if evaluation.nll_by_samples.iter().any(|pair| pair[0].is_nan() || pair[0] <= 0.0) {
        return fail("nll_by_samples", "must hold numbers of draws above zero");
    }
    Ok(())
}
