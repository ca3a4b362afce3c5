//! What `calibration.json` holds.
//!
//! Not for reading and writing it; see `file.rs` beside this file.

use rank1_core::conformal::ClassScore;
use rank1_core::drift::NumberReference;
use serde::{Deserialize, Serialize};

/// The whole document. Numbers keep all their digits, because a threshold is one of the scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artefact {
    /// Format of run folders, see [`rank1_models::checkpoint::FORMAT`].
    pub format: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// SHA-256 of the model's document and of the manifests of its networks, which have those of their tensors.
    pub model: String,
    /// The rows that it was fitted to.
    pub rows: Rows,
    /// Samples per member of the predictions.
    pub samples: usize,
    /// Whether rows shared their draws (`shared`) or had their own (`per_row`).
    pub draws: String,
    /// One name per class; empty for values.
    pub class_names: Vec<String>,
    /// The map of the predictive; none where it is left as it is.
    pub adjustment: Option<Adjustment>,
    /// Intervals or sets.
    pub conformal: Conformal,
    /// What the map did on the rows it was fitted to.
    pub in_sample: InSample,
    /// The risk that the predictions of these rows state of themselves, after the map; older documents have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_risk: Option<NumberReference>,
    /// Which rows go to a person; older documents do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<ReferralChoice>,
}

/// The limit above which rows go to a person, chosen on the calibration rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferralChoice {
    /// Share of the calibration rows that it keeps.
    pub keep_share: f64,
    /// The limit on the stated risk.
    pub limit: f64,
    /// What decisions cost; none where that was not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
}

/// What decisions cost, and a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Names of the decisions.
    pub decisions: Vec<String>,
    /// For each class, in the order of the class names, the cost of each decision.
    pub by_class: Vec<Vec<f64>>,
    /// What a row costs that goes to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<f64>,
}

/// Rows that a calibration was fitted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// What they are.
    pub kind: RowsKind,
    /// The file or folder as it was typed, or the name of the data set.
    pub name: String,
    /// How many.
    pub n: usize,
    /// SHA-256 of inputs and targets as they were read.
    pub sha256: String,
}

/// Where calibration rows came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsKind {
    /// A file of their own.
    File,
    /// The run's test rows: what is measured on them later is in-sample.
    Test,
    /// The run's validation rows, by which the model was chosen: coverage is not guaranteed.
    Validation,
}

impl RowsKind {
    /// One sentence where the guarantee is not the full one.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::File => None,
            Self::Test => Some(
                "the run's test rows calibrate: coverage of new rows is guaranteed, but what `evaluate` says of these rows is in-sample",
            ),
            Self::Validation => Some(
                "the run's validation rows calibrate, by which the model was chosen: coverage is not guaranteed and will be lower than \
                 stated; give rows that training never saw with --data FILE",
            ),
        }
    }
}

/// A map of the predictive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Adjustment {
    /// `softmax(log p / T)` of the mixture.
    Temperature {
        /// `T`.
        temperature: f64,
        /// Whether the NLL has its minimum there.
        interior: bool,
    },
    /// Every deviation from the mixture's mean is multiplied.
    Scale {
        /// The factor.
        scale: f64,
        /// Whether the NLL has its minimum there.
        interior: bool,
    },
    /// A monotone function of class 1 of two, or of every class, then rows are divided by their sums.
    Isotonic {
        /// The functions.
        functions: Vec<IsotonicKnots>,
    },
}

/// A function that is linear between its knots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IsotonicKnots {
    /// Ascending places.
    pub knots: Vec<f64>,
    /// Values there.
    pub values: Vec<f64>,
}

/// Conformal intervals or sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// The score. It reads the predictive as the run gives it, before any map.
    pub method: Method,
    /// Whether every class has its own threshold.
    pub per_class: bool,
    /// One entry for each coverage, ascending.
    pub levels: Vec<Level>,
}

/// Scores by name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Method {
    /// `|y - mean|`.
    Absolute,
    /// `|y - mean| / std`.
    Normalized,
    /// Distance outside of the predictive's central interval of the same coverage.
    Cqr,
    /// `1 - p`.
    Lac,
    /// Cumulated probabilities, without random numbers.
    Aps,
    /// The same with a penalty.
    Raps {
        /// Added for every place beyond the free ones.
        penalty: f64,
        /// Places without a penalty.
        free: usize,
    },
}

impl Method {
    /// The score of classes; none for intervals.
    #[must_use]
    pub fn class_score(self) -> Option<ClassScore> {
        match self {
            Self::Lac => Some(ClassScore::Lac),
            Self::Aps => Some(ClassScore::Aps),
            Self::Raps { penalty, free } => Some(ClassScore::Raps { penalty, free }),
            Self::Absolute | Self::Normalized | Self::Cqr => None,
        }
    }

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::Normalized => "normalized",
            Self::Cqr => "cqr",
            Self::Lac => "lac",
            Self::Aps => "aps",
            Self::Raps { .. } => "raps",
        }
    }
}

/// Thresholds of one coverage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The coverage asked for.
    pub coverage: f64,
    /// Rank of the threshold among all rows; none where classes have their own.
    pub rank: Option<usize>,
    /// The threshold; none where classes have their own.
    pub threshold: Option<f64>,
    /// Thresholds of the classes, in their order; empty where one is for all.
    pub classes: Vec<ClassLevel>,
    /// Share of the calibration rows that are covered: in-sample.
    pub in_sample_coverage: f64,
    /// Mean width of intervals or mean number of classes in sets, of the calibration rows.
    pub in_sample_size: f64,
}

/// The threshold of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassLevel {
    /// Name of the class.
    pub class: String,
    /// Its calibration rows.
    pub rows: usize,
    /// Rank among them; above their number the class is in every set.
    pub rank: usize,
    /// The threshold; none if it is infinite.
    pub threshold: Option<f64>,
}

/// Before and after the map, on the rows that it was fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InSample {
    /// NLL of the mixture in nats.
    pub nll: [f64; 2],
    /// ECE of 15 bins for classes, quantile calibration error for values.
    pub calibration_error: [f64; 2],
}
