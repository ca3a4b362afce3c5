//! Training rows, in memory or streamed, and their division into a training and a validation part.

use std::collections::HashSet;
use std::sync::Arc;

use ndarray::{Array2, Axis};
use rank1_core::targets::Targets;

use crate::inputs::{InputStream, Inputs};
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
