//! Scaling of inputs and real targets: fitted once on training rows, kept with the network.
//!
//! Not for imputation or encoding, which belong to readers of tables.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::targets::Targets;
use crate::{Error, Real};

mod column;
mod normal_quantile;
mod quantile_normal;
mod target_transform;

pub use column::ColumnScaling;
pub use normal_quantile::normal_quantile;
pub use quantile_normal::{QUANTILE_NOISE, QuantileNormal, default_n_quantiles};
pub use target_transform::TargetTransform;

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
    pub fn fit(values: impl Iterator<Item = f64> + Clone) -> Self {
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

    /// The standardized value.
    pub fn apply(self, value: f64) -> f64 {
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
    /// Each column in its own way: tables whose numbers are scaled by quantiles and whose codes stay as they are.
    Table {
        /// One entry per input column.
        columns: Vec<ColumnScaling>,
    },
    /// Not at all: sequences, whose reader has scaled them.
    Unchanged {
        /// Number of input columns.
        n_columns: usize,
    },
}

/// A standardization of inputs and, for regression, of targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Of inputs.
    pub inputs: InputScaling,
    /// Of targets; `None` for classes.
    pub target: Option<Standard>,
}

impl InputScaling {
    /// Each column by its own mean and standard deviation.
    ///
    /// # Shapes
    /// `inputs`: `[N, D]`.
    pub fn per_column<F: Real>(inputs: ArrayView2<'_, F>) -> Self {
        let fit = |column: ndarray::ArrayView1<'_, F>| Standard::fit(column.iter().map(|value| value.wide()));
        Self::PerColumn { columns: inputs.columns().into_iter().map(fit).collect() }
    }

    /// The columns of each of `n` channels, which lie last, by one mean and standard deviation.
    ///
    /// # Shapes
    /// `inputs`: `[N, D]`, `D` a multiple of `n`.
    pub fn per_channel<F: Real>(inputs: ArrayView2<'_, F>, n: usize) -> Self {
        let values = inputs.iter().map(|value| value.wide());
        let fit = |channel| Standard::fit(values.clone().skip(channel).step_by(n));
        Self::PerChannel { channels: (0..n).map(fit).collect(), n_columns: inputs.ncols() }
    }

    /// Number of input columns it was fitted on.
    pub fn n_columns(&self) -> usize {
        match self {
            Self::PerColumn { columns } => columns.len(),
            Self::Table { columns } => columns.len(),
            Self::PerChannel { n_columns, .. } | Self::Unchanged { n_columns } => *n_columns,
        }
    }

    /// Standardized inputs, computed in f64 and rounded once: large numbers that differ little stay different.
    ///
    /// # Shapes
    /// `inputs` and the result: `[N, D]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless `D` is the number of columns it was fitted on; [`Error::NotFinite`] for inputs, and for
    /// results beyond f32.
    pub fn apply<F: Real>(&self, inputs: ArrayView2<'_, F>) -> Result<Array2<f32>, Error> {
        const OP: &str = "standardize";
        let expected = [inputs.nrows(), self.n_columns()];
        if inputs.shape() != expected {
            let (expected, got) = (expected.to_vec(), inputs.shape().to_vec());
            return Err(Error::ShapeMismatch { op: OP, argument: "inputs", expected, got });
        }
        let mut out = Array2::zeros(inputs.raw_dim());
        match self {
            Self::PerColumn { columns } => {
                for ((mut out, column), scale) in
                    out.axis_iter_mut(Axis(1)).zip(inputs.columns()).zip(columns)
                {
                    out.zip_mut_with(&column, |out, value| *out = scale.apply(value.wide()) as f32);
                }
            }
            Self::Table { columns } => {
                for ((mut out, column), scale) in
                    out.axis_iter_mut(Axis(1)).zip(inputs.columns()).zip(columns)
                {
                    out.zip_mut_with(&column, |out, value| *out = table_value(scale, value.wide()));
                }
            }
            Self::PerChannel { channels, .. } => {
                let values = inputs.iter().zip(channels.iter().cycle());
                out.iter_mut().zip(values).for_each(|(out, (v, scale))| *out = scale.apply(v.wide()) as f32);
            }
            Self::Unchanged { .. } => out.zip_mut_with(&inputs, |out, value| *out = value.wide() as f32),
        }
        match out.indexed_iter().find(|(_, value)| !value.is_finite()) {
            Some(((row, column), _)) => {
                Err(Error::NotFinite { op: OP, argument: "inputs", index: vec![row, column] })
            }
            None => Ok(out),
        }
    }
}

/// A scaled value; NaN for what is not finite, although infinity has a place among quantiles.
fn table_value(scale: &ColumnScaling, value: f64) -> f32 {
    if value.is_finite() { scale.apply(value) as f32 } else { f32::NAN }
}

impl Scaling {
    /// Standardized targets; classes pass unchanged.
    ///
    /// # Errors
    /// [`Error::Undefined`] for targets of the other kind; [`Error::NotFinite`].
    pub fn targets(&self, targets: &Targets) -> Result<Targets, Error> {
        const OP: &str = "standardize";
        match (targets, self.target) {
            (Targets::Classes { .. }, None) => Ok(targets.clone()),
            (Targets::Values(values), Some(scale)) => {
                match values.iter().position(|value| !value.is_finite()) {
                    Some(row) => Err(Error::NotFinite { op: OP, argument: "targets", index: vec![row] }),
                    None => Ok(Targets::Values(values.mapv(|value| scale.apply(value)))),
                }
            }
            (Targets::Classes { .. }, Some(_)) => {
                Err(Error::Undefined { op: OP, what: "classes where real values were fitted" })
            }
            (Targets::Values(_), None) => {
                Err(Error::Undefined { op: OP, what: "real values where classes were fitted" })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn columns_and_channels_get_mean_zero_and_unit_variance_and_constants_become_zero() {
        let inputs = array![[1_700_000_001.0, 5.0], [1_700_000_003.0, 5.0]];
        let columns = InputScaling::per_column(inputs.view());
        assert_eq!(columns.apply(inputs.view()).unwrap(), array![[-1.0_f32, 0.0], [1.0, 0.0]]);
        let images = array![[0.0_f32, 10.0, 2.0, 30.0], [4.0, 10.0, 6.0, 30.0]];
        let channels = InputScaling::per_channel(images.view(), 2);
        let InputScaling::PerChannel { channels: scales, n_columns: 4 } = &channels else { panic!() };
        assert_eq!(scales[1], Standard { mean: 20.0, std: 10.0 });
        assert_eq!(channels.apply(images.view()).unwrap().column(1).to_vec(), [-1.0, -1.0]);
    }

    #[test]
    fn other_widths_kinds_and_numbers_that_are_none_are_refused() {
        let columns = InputScaling::per_column(array![[1.0, 2.0], [3.0, 4.0]].view());
        let wide = columns.apply(array![[1.0, 2.0, 3.0]].view());
        assert!(matches!(wide, Err(Error::ShapeMismatch { .. })), "{wide:?}");
        let got = columns.apply(array![[1.0, 2.0], [3.0, f64::NAN]].view());
        assert!(matches!(got, Err(Error::NotFinite { ref index, .. }) if *index == [1, 1]), "{got:?}");
        let scaling = Scaling { inputs: columns, target: Some(Standard { mean: 1.0, std: 2.0 }) };
        let classes = Targets::Classes { labels: array![0, 1], n_classes: 2 };
        assert!(matches!(scaling.targets(&classes), Err(Error::Undefined { .. })));
        assert_eq!(scaling.targets(&Targets::Values(array![5.0])).unwrap(), Targets::Values(array![2.0]));
        let bad = scaling.targets(&Targets::Values(array![5.0, f64::NAN]));
        assert!(matches!(bad, Err(Error::NotFinite { ref index, .. }) if *index == [1]), "{bad:?}");
    }
}
