//! What a report shows of a run on a table beyond its metrics; computed when a run is evaluated, so that a report needs no rows.

use serde::{Deserialize, Serialize};

use super::input::{Metrics, null_is_nan, nullable_metrics};

/// The part of `evaluation.json` about the rows and columns of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableDocument {
    /// Name of the target column.
    pub target: String,
    /// Some rows of a regression, evenly spaced, each as observed, mean, lower and upper end of the 90 % interval.
    #[serde(default)]
    pub rows: Vec<[f64; 4]>,
    /// Error against stated uncertainty: root mean squares in regression, shares of wrong classes otherwise.
    #[serde(default)]
    pub errors: Vec<ErrorBin>,
    /// Share of targets inside the 90 % interval along the prediction; empty for classes.
    #[serde(default)]
    pub coverage: Vec<CoverageBin>,
    /// What the NLL loses without each column; none where it would have taken too long.
    #[serde(default)]
    pub importance: Option<Importance>,
    /// The slices whose NLL is highest, the clearest first.
    #[serde(default)]
    pub slices: Vec<SliceScore>,
    /// Slices that were looked at.
    #[serde(default)]
    pub n_slices: usize,
}

/// Rows of similar stated uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ErrorBin {
    /// Number of rows.
    pub count: usize,
    /// The error that was stated.
    #[serde(deserialize_with = "null_is_nan")]
    pub stated: f64,
    /// The error that came.
    #[serde(deserialize_with = "null_is_nan")]
    pub observed: f64,
    /// Its standard error.
    #[serde(deserialize_with = "null_is_nan")]
    pub standard_error: f64,
}

/// Rows of similar prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoverageBin {
    /// Number of rows.
    pub count: usize,
    /// Mean prediction.
    #[serde(deserialize_with = "null_is_nan")]
    pub prediction: f64,
    /// Share of targets inside the interval.
    #[serde(deserialize_with = "null_is_nan")]
    pub covered: f64,
    /// Its standard error.
    #[serde(deserialize_with = "null_is_nan")]
    pub standard_error: f64,
}

/// Permutation importance of the columns of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// Rows that were predicted once for every column.
    pub rows: usize,
    /// Draws per member.
    pub samples: usize,
    /// NLL of these rows as they are, nats per row.
    #[serde(deserialize_with = "null_is_nan")]
    pub nll: f64,
    /// Columns of the file.
    pub n_columns: usize,
    /// The most important ones, the first first.
    pub columns: Vec<ColumnImportance>,
}

/// What one column is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnImportance {
    /// Name of the column in the file.
    pub column: String,
    /// NLL with its cells exchanged between rows, less the NLL as it is.
    #[serde(deserialize_with = "null_is_nan")]
    pub increase: f64,
    /// Standard error over rows.
    #[serde(deserialize_with = "null_is_nan")]
    pub standard_error: f64,
}

/// How well the rows of one level or range of a column are predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceScore {
    /// The rows in words, such as `state = NJ`.
    pub slice: String,
    /// How many they are.
    pub count: usize,
    /// Their NLL, nats per row.
    #[serde(deserialize_with = "null_is_nan")]
    pub nll: f64,
    /// Its standard error.
    #[serde(deserialize_with = "null_is_nan")]
    pub standard_error: f64,
}

/// A linear model beside the network, or why there is none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BaselineDocument {
    /// `ridge` or `logistic`.
    pub name: String,
    /// Strength of its penalty, chosen on rows held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// Metrics on the same rows; empty where it was left out.
    #[serde(default, deserialize_with = "nullable_metrics")]
    pub metrics: Metrics,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

impl BaselineDocument {
    /// Its name as words.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.name.as_str() {
            "ridge" => "Ridge regression",
            "logistic" => "Logistic regression",
            other => other,
        }
    }
}

/// What the calibration of a run makes of the evaluated rows, beside what is without it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibratedDocument {
    /// The rows that the calibration was fitted to.
    pub rows: String,
    /// How many.
    pub n_rows: usize,
    /// Whether the evaluated rows are those very rows, so that the numbers below are in-sample.
    #[serde(default)]
    pub in_sample: bool,
    /// The map of the predictive; none where it is left as it is.
    #[serde(default)]
    pub map: Option<String>,
    /// How intervals or sets are made.
    pub method: String,
    /// Whether every class has its own threshold.
    #[serde(default)]
    pub per_class: bool,
    /// Metrics after the map.
    #[serde(deserialize_with = "nullable_metrics")]
    pub metrics: Metrics,
    /// Intervals or sets of every coverage.
    pub levels: Vec<CalibratedLevel>,
    /// What is left, and how wrong that is, when the most uncertain rows go to a person; limits from calibration rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referral: Vec<ReferralPoint>,
    /// The same of the limit that was chosen on the calibration rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<ReferralPoint>,
}

/// Intervals or sets of one coverage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibratedLevel {
    /// The coverage asked for.
    pub coverage: f64,
    /// Share of the rows that are covered.
    pub observed: f64,
    /// Mean width of intervals, or mean number of classes in sets.
    #[serde(deserialize_with = "null_is_nan")]
    pub size: f64,
    /// Intervals or sets that are empty.
    pub n_empty: usize,
}

/// Shares of the calibration rows in a table of referral; curves have further ones.
pub const SHOWN_SHARES: [f64; 10] = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 1.0];

/// What a limit that keeps a share of the calibration rows keeps of others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReferralPoint {
    /// Share of calibration rows below the limit.
    pub keep_share: f64,
    /// The limit on the stated risk.
    pub limit: f64,
    /// Share of these rows below it.
    pub kept: f64,
    /// Error rate, or root mean squared error, of those; none without any.
    pub risk: Option<f64>,
    /// What the decisions of least expected cost are expected to cost, mean of those; none without a matrix of costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_cost: Option<f64>,
    /// What the same decisions cost where the labels are known, mean of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Mean cost of all rows, those that go to a person among them; none unless it was said what such a row costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<f64>,
}
