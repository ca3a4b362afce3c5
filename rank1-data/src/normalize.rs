//! Standardization fitted on the training part only, with its inverse for real targets.
//!
//! Not for imputation or encoding (see [`crate::table`]) and not for input shifts, which act on raw inputs.

use ndarray::{Array2, ArrayView2, Axis};
use rank1_core::targets::Targets;
use serde::{Deserialize, Serialize};

use crate::dataset::{check_finite, check_finite_targets};
use crate::image::{IMAGENET_MEAN, IMAGENET_STD};
use crate::{Dataset, Error, InputLayout, Split};

/// Mean and standard deviation of one quantity.
///
/// The standard deviation is the population one (divisor `N`); a constant quantity gets 1, so that it maps to 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standard {
    /// Mean over the training rows.
    pub mean: f64,
    /// Standard deviation over the training rows, or 1.
    pub std: f64,
}

impl Standard {
    /// Two passes in f64; values that are all equal count as constant even when their mean is off by rounding.
    pub(crate) fn fit(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (mut n, mut sum) = (0.0, 0.0);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.clone() {
            n += 1.0;
            sum += value;
            low = low.min(value);
            high = high.max(value);
        }
        if low == high {
            return Self { mean: low, std: 1.0 };
        }
        let mean = sum / n;
        let variance = values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / n;
        let std = variance.sqrt();
        Self { mean, std: if std > 0.0 { std } else { 1.0 } }
    }

    pub(crate) fn apply(self, value: f64) -> f64 {
        (value - self.mean) / self.std
    }
}

/// How inputs are standardized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InputScaling {
    /// Each column by its own mean and standard deviation: tables.
    PerColumn {
        /// One entry per input column.
        columns: Vec<Standard>,
    },
    /// All columns of a channel by one mean and standard deviation: images.
    PerChannel {
        /// Over all pixels of all training images, one entry per channel.
        channels: Vec<Standard>,
        /// Number of input columns.
        n_columns: usize,
    },
    /// Not at all: sequences, whose reader has scaled them.
    Unchanged {
        /// Number of input columns.
        n_columns: usize,
    },
}

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
pub struct Normalizer {
    inputs: InputScaling,
    target: Option<Standard>,
}

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
            InputLayout::Image { channels, .. } => {
                let values = train.inputs.iter().map(|&value| f64::from(value));
                let fit = |channel| Standard::fit(values.clone().skip(channel).step_by(channels));
                InputScaling::PerChannel { channels: (0..channels).map(fit).collect(), n_columns }
            }
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
        Ok(Self { inputs, target })
    }

    /// The published constants of ImageNet's three channels, for images that are not all read before training.
    ///
    /// Targets are classes. `n_columns` is height times width times three.
    pub fn imagenet(n_columns: usize) -> Self {
        let scale = |(&mean, &std): (&f32, &f32)| Standard { mean: f64::from(mean), std: f64::from(std) };
        let channels = IMAGENET_MEAN.iter().zip(&IMAGENET_STD).map(scale).collect();
        Self { inputs: InputScaling::PerChannel { channels, n_columns }, target: None }
    }

    /// How inputs are standardized.
    pub fn inputs(&self) -> &InputScaling {
        &self.inputs
    }

    /// How targets are standardized; `None` for classes.
    pub fn target(&self) -> Option<Standard> {
        self.target
    }

    /// Number of input columns it was fitted on.
    pub fn n_columns(&self) -> usize {
        match &self.inputs {
            InputScaling::PerColumn { columns } => columns.len(),
            InputScaling::PerChannel { n_columns, .. } | InputScaling::Unchanged { n_columns } => *n_columns,
        }
    }

    /// Standardized inputs.
    ///
    /// # Shapes
    /// `inputs` and the result: `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Width`] if `D` is not the number of columns it was fitted on; [`Error::NotFinite`].
    pub fn apply_inputs(&self, inputs: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        const OP: &str = "normalize inputs";
        if inputs.ncols() != self.n_columns() {
            return Err(Error::Width { op: OP, expected: self.n_columns(), got: inputs.ncols() });
        }
        check_finite(OP, inputs)?;
        let mut out = inputs.to_owned();
        match &self.inputs {
            InputScaling::PerColumn { columns } => {
                for (mut column, scale) in out.axis_iter_mut(Axis(1)).zip(columns) {
                    column.mapv_inplace(|value| scale.apply(f64::from(value)) as f32);
                }
            }
            InputScaling::PerChannel { channels, .. } => {
                for (value, scale) in out.iter_mut().zip(channels.iter().cycle()) {
                    *value = scale.apply(f64::from(*value)) as f32;
                }
            }
            InputScaling::Unchanged { .. } => {}
        }
        check_finite(OP, out.view())?;
        Ok(out)
    }

    /// Standardized inputs from double precision, rounded afterwards: large numbers that differ little stay different.
    ///
    /// # Shapes
    /// `inputs` and the result: `[N, D]`.
    ///
    /// # Errors
    /// As [`Normalizer::apply_inputs`].
    pub fn apply_values(&self, inputs: ArrayView2<f64>) -> Result<Array2<f32>, Error> {
        const OP: &str = "normalize inputs";
        let InputScaling::PerColumn { columns } = &self.inputs else {
            return self.apply_inputs(inputs.mapv(|value| value as f32).view());
        };
        if inputs.ncols() != columns.len() {
            return Err(Error::Width { op: OP, expected: columns.len(), got: inputs.ncols() });
        }
        let mut out = Array2::zeros(inputs.raw_dim());
        for ((mut out, column), scale) in out.columns_mut().into_iter().zip(inputs.columns()).zip(columns) {
            out.zip_mut_with(&column, |out, &value| *out = scale.apply(value) as f32);
        }
        check_finite(OP, out.view())?;
        Ok(out)
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
            Some(_) => self.apply_values(split.inputs_f64().view()),
            None => self.apply_inputs(split.inputs.view()),
        }
    }

    /// What a black pixel becomes, per channel; empty unless inputs are images.
    pub fn black(&self) -> Vec<f32> {
        match &self.inputs {
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
        match (targets, self.target) {
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
        self.target.map_or(value, |scale| value * scale.std + scale.mean)
    }

    /// A standardized spread (standard deviation, error, interval width) in the target's own unit; unchanged for classes.
    pub fn denormalize_scale(&self, value: f64) -> f64 {
        self.target.map_or(value, |scale| value * scale.std)
    }

    /// What to add to a log-density of the standardized target to get the log-density in the target's own unit, in nats:
    /// `-ln(std)`; 0 for classes.
    pub fn log_density_offset(&self) -> f64 {
        self.target.map_or(0.0, |scale| -scale.std.ln())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
