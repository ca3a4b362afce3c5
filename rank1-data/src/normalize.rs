//! Standardization fitted on the training part only, with its inverse for real targets.
//!
//! Not for imputation or encoding (see [`crate::table`]) and not for input shifts, which act on raw inputs.

use ndarray::{Array2, ArrayView2};
use rank1_core::Real;
use rank1_core::scaling::Scaling;
pub use rank1_core::scaling::{ColumnScaling, InputScaling, QuantileNormal, Standard, TargetTransform};
use rank1_core::targets::Targets;
use serde::{Deserialize, Serialize};

mod table;

pub use table::NumberScaling;

use crate::dataset::{check_finite, check_finite_targets};
use crate::image::{IMAGENET_MEAN, IMAGENET_STD};
use crate::{Dataset, Error, InputLayout, Split};

/// A fitted standardization of inputs and, for regression, of targets.
///
/// ```
/// use rank1_data::{LoadOptions, Normalizer, load};
/// let set = load("yacht", &LoadOptions::default())?;
/// let normalizer = Normalizer::fit(&set.train, set.layout)?;
/// let train = normalizer.apply(&set.train)?;
/// assert!(train.inputs.column(0).sum().abs() < 1e-3);
/// # Ok::<(), rank1_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Normalizer(Scaling);

impl Normalizer {
    /// Fits to a training part: one scale per channel of images, one per plain column, none for sequences.
    ///
    /// # Errors
    /// [`Error::NoRows`]; [`Error::NotFinite`] for NaN or infinite inputs or targets.
    pub fn fit(train: &Split, layout: InputLayout) -> Result<Self, Error> {
        const OP: &str = "fit normalizer";
        if train.is_empty() {
            return Err(Error::NoRows { op: OP });
        }
        check_finite(OP, train.inputs.view())?;
        let n_columns = train.n_features();
        if layout.width().is_some_and(|width| width != n_columns) {
            let expected = layout.width().unwrap_or(n_columns);
            return Err(Error::Width { op: OP, expected, got: n_columns });
        }
        let inputs = match layout {
            InputLayout::Image { channels, .. } => InputScaling::per_channel(train.inputs.view(), channels),
            InputLayout::Sequence { .. } => InputScaling::Unchanged { n_columns },
            InputLayout::Columns => {
                let fit = |column| Standard::fit(train.column(column));
                InputScaling::PerColumn { columns: (0..n_columns).map(fit).collect() }
            }
        };
        let target = match &train.targets {
            Targets::Classes { .. } => None,
            Targets::Values(values) => {
                check_finite_targets(OP, values)?;
                Some(Standard::fit(values.iter().copied()))
            }
        };
        Ok(Self(Scaling { inputs, target }))
    }

    /// The published constants of ImageNet's three channels, for images that are not all read before training.
    ///
    /// Targets are classes. `n_columns` is height times width times three.
    pub fn imagenet(n_columns: usize) -> Self {
        let scale = |(&mean, &std): (&f32, &f32)| Standard { mean: f64::from(mean), std: f64::from(std) };
        let channels = IMAGENET_MEAN.iter().zip(&IMAGENET_STD).map(scale).collect();
        Self(Scaling { inputs: InputScaling::PerChannel { channels, n_columns }, target: None })
    }

    /// How inputs are standardized.
    pub fn inputs(&self) -> &InputScaling {
        &self.0.inputs
    }

    /// How targets are standardized; `None` for classes.
    pub fn target(&self) -> Option<Standard> {
        self.0.target
    }

    /// Number of input columns it was fitted on.
    pub fn n_columns(&self) -> usize {
        self.0.inputs.n_columns()
    }

    /// Standardized inputs, in single or double precision; computed in f64 and rounded once.
    ///
    /// # Shapes
    /// `inputs` and the result: `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Width`] if `D` is not the number of columns it was fitted on; [`Error::NotFinite`].
    pub fn apply_inputs<F: Real>(&self, inputs: ArrayView2<F>) -> Result<Array2<f32>, Error> {
        const OP: &str = "normalize inputs";
        if inputs.ncols() != self.n_columns() {
            return Err(Error::Width { op: OP, expected: self.n_columns(), got: inputs.ncols() });
        }
        self.0.inputs.apply(inputs).map_err(|error| match error {
            rank1_core::Error::NotFinite { index, .. } => {
                Error::NotFinite { op: OP, argument: "inputs", row: index[0], column: index[1] }
            }
            // The width was compared above.
            _ => Error::Width { op: OP, expected: self.n_columns(), got: inputs.ncols() },
        })
    }

    /// Standardized inputs of a part, from all the precision it has.
    ///
    /// # Shapes
    /// Returns `[N, D]`.
    ///
    /// # Errors
    /// As [`Normalizer::apply_inputs`].
    pub fn apply_split_inputs(&self, split: &Split) -> Result<Array2<f32>, Error> {
        match split.remainder {
            Some(_) => self.apply_inputs(split.inputs_f64().view()),
            None => self.apply_inputs(split.inputs.view()),
        }
    }

    /// What a black pixel becomes, per channel; empty unless inputs are images.
    pub fn black(&self) -> Vec<f32> {
        match self.inputs() {
            InputScaling::PerChannel { channels, .. } => {
                channels.iter().map(|scale| scale.apply(0.0) as f32).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Standardized targets; classes pass unchanged.
    ///
    /// # Errors
    /// [`Error::TargetKind`] if it was fitted on the other kind of target; [`Error::NotFinite`].
    pub fn apply_targets(&self, targets: &Targets) -> Result<Targets, Error> {
        const OP: &str = "normalize targets";
        match (targets, self.0.target) {
            (Targets::Classes { .. }, None) => Ok(targets.clone()),
            (Targets::Values(values), Some(scale)) => {
                check_finite_targets(OP, values)?;
                Ok(Targets::Values(values.mapv(|value| scale.apply(value))))
            }
            (Targets::Classes { .. }, Some(_)) => {
                Err(Error::TargetKind { op: OP, expected: "real values", got: "classes" })
            }
            (Targets::Values(_), None) => {
                Err(Error::TargetKind { op: OP, expected: "classes", got: "real values" })
            }
        }
    }

    /// Standardized inputs and targets.
    ///
    /// # Errors
    /// As [`Normalizer::apply_inputs`] and [`Normalizer::apply_targets`].
    pub fn apply(&self, split: &Split) -> Result<Split, Error> {
        let inputs = self.apply_split_inputs(split)?;
        Ok(Split { inputs, remainder: None, targets: self.apply_targets(&split.targets)? })
    }

    /// Both parts of a set, standardized by the statistics this normalizer was fitted on.
    ///
    /// # Errors
    /// As [`Normalizer::apply`].
    pub fn apply_dataset(&self, set: &Dataset) -> Result<Dataset, Error> {
        Ok(Dataset { train: self.apply(&set.train)?, test: self.apply(&set.test)?, ..set.clone() })
    }

    /// A standardized mean (or any point on the target axis) in the target's own unit; unchanged for classes.
    pub fn denormalize_mean(&self, value: f64) -> f64 {
        self.0.target.map_or(value, |scale| value * scale.std + scale.mean)
    }

    /// A standardized spread (standard deviation, error, interval width) in the target's own unit; unchanged for classes.
    pub fn denormalize_scale(&self, value: f64) -> f64 {
        self.0.target.map_or(value, |scale| value * scale.std)
    }

    /// What to add to a log-density of the standardized target to get the log-density in the target's own unit, in nats:
    /// `-ln(std)`; 0 for classes.
    pub fn log_density_offset(&self) -> f64 {
        self.0.target.map_or(0.0, |scale| -scale.std.ln())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
