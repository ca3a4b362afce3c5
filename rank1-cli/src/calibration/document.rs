//! What `calibration.json` holds, how it is read and written, and to which model it belongs.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rank1_core::conformal::ClassScore;
use rank1_models::checkpoint::{FORMAT, PROGRAM, read_sealed, write_sealed};
use rank1_models::recipe::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::checkpoint_folder;

/// Its name in the run folder.
const FILE: &str = "calibration.json";

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

impl Artefact {
    /// A document of this program for the model of a run.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub fn of_run(run: &Path, rows: Rows, conformal: Conformal, in_sample: InSample) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            program: PROGRAM.into(),
            model: model_digest(run)?,
            rows,
            samples: 0,
            draws: String::new(),
            class_names: Vec::new(),
            adjustment: None,
            conformal,
            in_sample,
        })
    }

    /// The calibration of a run; none if it has none.
    ///
    /// # Errors
    /// A file that was changed or belongs to another model, with the command that replaces it.
    pub fn open(run: &Path) -> Result<Option<Self>> {
        let path = run.join(FILE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => drop(found.with_context(|| format!("cannot read {}", path.display()))?),
        }
        let advice =
            || format!("make it anew with `rank1 calibrate {} --data FILE`, or remove it", run.display());
        let artefact: Self =
            read_sealed(&path).map_err(|error| anyhow!("{:#}; {}", anyhow!(error), advice()))?;
        if artefact.model != model_digest(run)? {
            bail!("{}: was made for another model than the run's; {}", path.display(), advice());
        }
        Ok(Some(artefact))
    }

    /// Writes it in one piece.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        Ok(write_sealed(&run.join(FILE), self)?)
    }

    /// One sentence if predictions are made otherwise than those that were calibrated.
    #[must_use]
    pub fn difference(&self, samples: usize, draws: &str) -> Option<String> {
        let now = format!("{samples} samples and {draws} draws");
        let then = format!("{} samples and {} draws", self.samples, self.draws);
        (now != then)
            .then(|| format!("{FILE} was made with {then}, not with {now}: its coverage is not guaranteed"))
    }
}

/// What tells one trained model from another.
fn model_digest(run: &Path) -> Result<String> {
    let root = checkpoint_folder(run);
    let unreadable = || format!("cannot read {}", root.display());
    let mut files = vec![root.join("model.json")];
    for entry in fs::read_dir(&root).with_context(unreadable)? {
        let manifest = entry.with_context(unreadable)?.path().join("manifest.json");
        files.extend(manifest.is_file().then_some(manifest));
    }
    files.sort();
    let mut sum = Sha256::new();
    for file in files {
        sum.update(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(hex(&sum.finalize()))
}
