//! Training rows, in memory or streamed, and their division into a training and a validation part.

use std::collections::HashSet;
use std::sync::Arc;

use ndarray::{Array2, Axis};
use rank1_core::targets::Targets;
use sha2::{Digest, Sha256};

use crate::error::{DataFault, Error};
use crate::inputs::{InputStream, Inputs};
use crate::network::NetworkShape;
use crate::recipe::{Recipe, hex};
use crate::train::{Augmentation, Rows, TrainingSets};

/// Normalized training rows, and which of them are held out for validation.
#[derive(Debug, Clone)]
pub struct TrainingData {
    /// Inputs `[N, D]`.
    pub inputs: TrainingInputs,
    /// Targets of the N rows.
    pub targets: Targets,
    /// Indices of the rows held out for early stopping and search.
    pub validation: Vec<usize>,
    /// Random changes of training rows that are in memory; a stream makes its own.
    pub augmentation: Option<Arc<dyn Augmentation>>,
}

/// Normalized training inputs.
#[derive(Debug, Clone)]
pub enum TrainingInputs {
    /// In memory.
    Stored(Array2<f32>),
    /// Read while they are needed.
    Streamed(Arc<dyn InputStream>),
}

impl From<Array2<f32>> for TrainingInputs {
    fn from(rows: Array2<f32>) -> Self {
        Self::Stored(rows)
    }
}

impl TrainingInputs {
    fn all(&self) -> Inputs<'_> {
        match self {
            Self::Stored(rows) => rows.view().into(),
            Self::Streamed(stream) => (&**stream).into(),
        }
    }

    fn part(&self, rows: Vec<usize>) -> PartInputs<'_> {
        match self {
            Self::Stored(all) => PartInputs::Stored(all.select(Axis(0), &rows)),
            Self::Streamed(stream) => PartInputs::Streamed(&**stream, rows),
        }
    }
}

/// Some of the training rows: a copy, or their numbers in a stream.
enum PartInputs<'a> {
    Stored(Array2<f32>),
    Streamed(&'a dyn InputStream, Vec<usize>),
}

struct Part<'a> {
    inputs: PartInputs<'a>,
    targets: Targets,
}

impl Part<'_> {
    fn rows(&self) -> Rows<'_> {
        let inputs = match &self.inputs {
            PartInputs::Stored(rows) => rows.view().into(),
            PartInputs::Streamed(stream, rows) => Inputs::Streamed { stream: *stream, rows: Some(rows) },
        };
        Rows { inputs, targets: &self.targets }
    }
}

/// The rows outside the validation part, and that part.
pub(super) struct Parts<'a> {
    train: Part<'a>,
    validation: Option<Part<'a>>,
    augmentation: Option<&'a dyn Augmentation>,
}

impl TrainingData {
    /// Refuses rows that a recipe cannot be trained on, and a shape that is not the recipe's.
    ///
    /// # Errors
    /// [`Error::Data`], and what [`Targets::check`] refuses.
    pub(super) fn check(&self, recipe: &Recipe, shape: &NetworkShape) -> Result<(), Error> {
        let n_rows = self.inputs.all().n_rows();
        let fault = |fault| Err(Error::Data(fault));
        self.targets.check()?;
        if self.targets.len() != n_rows {
            return fault(DataFault::Targets { rows: n_rows, targets: self.targets.len() });
        }
        if let Some(&index) = self.validation.iter().find(|index| **index >= n_rows) {
            return fault(DataFault::ValidationIndex { index, rows: n_rows });
        }
        let held = self.validation.iter().collect::<HashSet<_>>().len();
        if held == n_rows {
            return fault(DataFault::NothingToTrainOn { rows: n_rows });
        }
        let key = if !recipe.search.is_empty() { Some("search") } else { None };
        let key = key.or(recipe.train.early_stopping.map(|_| "train.early_stopping"));
        if let Some(key) = key.filter(|_| held == 0) {
            return fault(DataFault::NoValidation { key });
        }
        if shape.body.as_in_recipes() != recipe.model.body {
            return fault(DataFault::Shape { what: "architecture" });
        }
        if recipe.model.likelihood.is_some_and(|likelihood| likelihood != shape.likelihood) {
            return fault(DataFault::Shape { what: "likelihood" });
        }
        Ok(())
    }

    /// SHA-256 of inputs, targets and held-out rows; of a stream only the size of the inputs.
    pub(super) fn fingerprint(&self) -> String {
        let mut sha = Sha256::new();
        let inputs = self.inputs.all();
        for size in [inputs.n_rows(), inputs.width()] {
            sha.update(size.to_le_bytes());
        }
        if let TrainingInputs::Stored(rows) = &self.inputs {
            let mut bytes = Vec::with_capacity(4 * rows.ncols());
            for row in rows.rows() {
                bytes.clear();
                bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
                sha.update(&bytes);
            }
        }
        match &self.targets {
            Targets::Classes { labels, .. } => {
                labels.iter().for_each(|label| sha.update(label.to_le_bytes()))
            }
            Targets::Values(values) => values.iter().for_each(|value| sha.update(value.to_le_bytes())),
        }
        self.validation.iter().for_each(|row| sha.update(row.to_le_bytes()));
        hex(&sha.finalize())
    }

    /// All rows to train on, none to validate on.
    pub(super) fn all(&self) -> TrainingSets<'_> {
        TrainingSets {
            train: Rows { inputs: self.inputs.all(), targets: &self.targets },
            validation: None,
            augmentation: self.augmentation.as_deref(),
        }
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        let held: HashSet<usize> = self.validation.iter().copied().collect();
        let rest: Vec<usize> = (0..self.inputs.all().n_rows()).filter(|i| !held.contains(i)).collect();
        let pick = |rows: Vec<usize>| {
            let targets = self.targets.select(&rows);
            Part { inputs: self.inputs.part(rows), targets }
        };
        Parts {
            train: pick(rest),
            validation: (!self.validation.is_empty()).then(|| pick(self.validation.clone())),
            augmentation: self.augmentation.as_deref(),
        }
    }
}

impl Parts<'_> {
    pub(super) fn sets(&self) -> TrainingSets<'_> {
        TrainingSets {
            train: self.train.rows(),
            validation: self.validation.as_ref().map(Part::rows),
            augmentation: self.augmentation,
        }
    }
}
