//! The plain data every reader of this crate returns: arrays, names and where they came from.
//!
//! Not for reading or changing data; values are as in the files (pixels divided by 255), never normalized.

use std::fmt;
use std::path::PathBuf;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rank1_core::targets::Targets;
use serde::{Deserialize, Serialize};

use crate::{Error, InputLayout};

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of several classes.
    Classification,
    /// A real number.
    Regression,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
        })
    }
}

/// One part of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Inputs, shape `[N, D]`; an image is one row, row-major, pixels in `[0, 1]`.
    pub inputs: Array2<f32>,
    /// What rounding to single precision took from each input, shape `[N, D]`; none where it took nothing. Columns such as
    /// 1700000001, 1700000002, ... are told apart by it until they are standardized.
    pub remainder: Option<Array2<f64>>,
    /// Targets of the same `N` examples.
    pub targets: Targets,
}

impl Split {
    /// Checked constructor: as many targets as rows, at least one row and one column, everything finite, labels in range.
    ///
    /// # Shapes
    /// `inputs`: `[N, D]`; `targets`: `N`; both at least 1.
    ///
    /// # Errors
    /// [`Error::NoRows`], [`Error::Width`], [`Error::RowCount`], [`Error::NotFinite`], [`Error::Label`].
    pub fn new(inputs: Array2<f32>, targets: Targets) -> Result<Self, Error> {
        const OP: &str = "split";
        let (rows, columns) = inputs.dim();
        if rows == 0 {
            return Err(Error::NoRows { op: OP });
        }
        if columns == 0 {
            return Err(Error::Width { op: OP, expected: 1, got: 0 });
        }
        if targets.len() != rows {
            return Err(Error::RowCount { op: OP, inputs: rows, targets: targets.len() });
        }
        check_finite(OP, inputs.view())?;
        match &targets {
            Targets::Values(values) => check_finite_targets(OP, values)?,
            Targets::Classes { labels, n_classes } => {
                if let Some(row) = labels.iter().position(|label| label >= n_classes) {
                    return Err(Error::Label { op: OP, row, label: labels[row], n_classes: *n_classes });
                }
            }
        }
        Ok(Self { inputs, remainder: None, targets })
    }

    /// As [`Split::new`], from inputs in double precision, of which nothing is lost.
    ///
    /// # Shapes
    /// As [`Split::new`].
    ///
    /// # Errors
    /// As [`Split::new`]; inputs must be finite in single precision.
    pub fn from_f64(inputs: Array2<f64>, targets: Targets) -> Result<Self, Error> {
        let rounded = inputs.mapv(|value| value as f32);
        let remainder = inputs - rounded.mapv(f64::from);
        let exact = remainder.iter().all(|&rest| rest == 0.0);
        let split = Self::new(rounded, targets)?;
        Ok(Self { remainder: (!exact).then_some(remainder), ..split })
    }

    /// One column of inputs in double precision.
    ///
    /// # Panics
    /// If there is no such column.
    #[track_caller]
    pub fn column(&self, column: usize) -> impl Iterator<Item = f64> + Clone {
        let rest = move |row: usize| self.remainder.as_ref().map_or(0.0, |rest| rest[[row, column]]);
        self.inputs
            .column(column)
            .into_iter()
            .enumerate()
            .map(move |(row, &value)| f64::from(value) + rest(row))
    }

    /// All inputs in double precision.
    ///
    /// # Shapes
    /// Returns `[N, D]`.
    pub fn inputs_f64(&self) -> Array2<f64> {
        let inputs = self.inputs.mapv(f64::from);
        match &self.remainder {
            Some(rest) => inputs + rest,
            None => inputs,
        }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.inputs.nrows()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of input columns.
    pub fn n_features(&self) -> usize {
        self.inputs.ncols()
    }

    /// These examples, then those of another part of the same set, with all the precision that both have.
    ///
    /// # Errors
    /// [`Error::Width`] for other columns; [`Error::RowCount`] for targets of the other kind.
    pub fn followed_by(&self, other: &Self) -> Result<Self, Error> {
        const OP: &str = "join parts";
        if self.n_features() != other.n_features() {
            return Err(Error::Width { op: OP, expected: self.n_features(), got: other.n_features() });
        }
        let targets = match (&self.targets, &other.targets) {
            (Targets::Values(first), Targets::Values(second)) => {
                Targets::Values(first.iter().chain(second).copied().collect())
            }
            (Targets::Classes { labels: first, n_classes }, Targets::Classes { labels: second, .. }) => {
                let labels = first.iter().chain(second).copied().collect();
                Targets::Classes { labels, n_classes: *n_classes }
            }
            _ => return Err(Error::RowCount { op: OP, inputs: other.len(), targets: 0 }),
        };
        let mut inputs = self.inputs_f64();
        inputs.append(Axis(0), other.inputs_f64().view()).map_err(|_| Error::Width {
            op: OP,
            expected: self.n_features(),
            got: other.n_features(),
        })?;
        Self::from_f64(inputs, targets)
    }

    /// The named examples, in the order of `indices`; an index may repeat.
    ///
    /// # Panics
    /// If an index is not below [`Split::len`].
    #[track_caller]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select(Axis(0), indices),
            remainder: self.remainder.as_ref().map(|rest| rest.select(Axis(0), indices)),
            targets: self.targets.select(indices),
        }
    }
}

/// A data set with its training and test part.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The name it was asked for by, or the file stem of a table.
    pub name: String,
    /// What is predicted.
    pub task: Task,
    /// The part to fit on.
    pub train: Split,
    /// The part to report on.
    pub test: Split,
    /// One name per input column.
    pub feature_names: Vec<String>,
    /// One name per class; empty for regression.
    pub class_names: Vec<String>,
    /// Height and width when each row is a grey image; `None` for color images (see `layout`).
    pub image: Option<(usize, usize)>,
    /// What the columns of a row are.
    pub layout: InputLayout,
    /// Where the data came from, in one sentence.
    pub provenance: String,
}

impl Dataset {
    /// Number of input columns.
    pub fn n_features(&self) -> usize {
        self.train.n_features()
    }

    /// Number of classes; `None` for regression.
    pub fn n_classes(&self) -> Option<usize> {
        self.train.targets.n_classes()
    }
}

/// Inputs that belong to no class of the set they are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct OodSet {
    /// The name it was asked for by.
    pub name: String,
    /// Inputs and their own labels, which out-of-distribution scores do not use.
    pub split: Split,
    /// Height and width when each row is a grey image; `None` for color images (see `layout`).
    pub image: Option<(usize, usize)>,
    /// What the columns of a row are.
    pub layout: InputLayout,
    /// Where the data came from, in one sentence.
    pub provenance: String,
}

/// Where to look and which split to take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// A data folder or archive; `None` for embedded sets.
    pub root: Option<PathBuf>,
    /// Number of the split, from 0.
    pub split: usize,
    /// Take the gap split (test = middle third of one feature) instead of the standard one.
    pub gap: bool,
}

/// Refuses the first input, in row order, that is NaN or infinite.
pub(crate) fn check_finite(op: &'static str, inputs: ArrayView2<f32>) -> Result<(), Error> {
    match inputs.iter().position(|value| !value.is_finite()) {
        Some(position) => {
            let (row, column) = (position / inputs.ncols(), position % inputs.ncols());
            Err(Error::NotFinite { op, argument: "inputs", row, column })
        }
        None => Ok(()),
    }
}

/// Refuses the first target that is NaN or infinite.
pub(crate) fn check_finite_targets(op: &'static str, values: &Array1<f64>) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(Error::NotFinite { op, argument: "targets", row, column: 0 }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn inputs_in_double_precision_are_kept_to_the_last_bit() {
        let inputs = array![[1_700_000_001.0, 0.1, 3.0], [1_700_000_002.0, 1e-300, 4.0]];
        let split = Split::from_f64(inputs.clone(), Targets::Values(array![1.0, 2.0])).unwrap();
        assert_eq!(split.inputs_f64(), inputs);
        assert_eq!(split.column(0).collect::<Vec<_>>(), [1_700_000_001.0, 1_700_000_002.0]);
        assert_eq!(split.select(&[1, 0]).inputs_f64(), inputs.select(Axis(0), &[1, 0]));
        let exact = Split::from_f64(array![[1.0], [0.5]], Targets::Values(array![1.0, 2.0])).unwrap();
        assert_eq!(exact.remainder, None);
    }

    #[test]
    fn a_split_refuses_what_a_model_could_not_use() {
        let two = || Targets::Values(array![1.0, 2.0]);
        let refusal = |inputs, targets| Split::new(inputs, targets).unwrap_err();
        assert!(matches!(refusal(Array2::zeros((0, 3)), two()), Error::NoRows { .. }));
        assert!(matches!(refusal(Array2::zeros((2, 0)), two()), Error::Width { got: 0, .. }));
        let got = refusal(Array2::zeros((3, 1)), two());
        assert!(matches!(got, Error::RowCount { inputs: 3, targets: 2, .. }));
        let got = refusal(array![[0.0, 1.0, 2.0], [0.0, f32::NAN, 2.0]], two());
        assert!(matches!(got, Error::NotFinite { argument: "inputs", row: 1, column: 1, .. }));
        let got = refusal(Array2::zeros((2, 1)), Targets::Values(array![1.0, f64::INFINITY]));
        assert!(matches!(got, Error::NotFinite { argument: "targets", row: 1, .. }));
        let got = refusal(Array2::zeros((2, 1)), Targets::Classes { labels: array![0, 3], n_classes: 3 });
        assert!(matches!(got, Error::Label { row: 1, label: 3, n_classes: 3, .. }));
    }
}
