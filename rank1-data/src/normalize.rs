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
mod tests {
    use approx::assert_relative_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn table(inputs: Array2<f32>, targets: Vec<f64>) -> Split {
        Split { inputs, remainder: None, targets: Targets::Values(targets.into()) }
    }

    #[test]
    fn columns_get_zero_mean_and_unit_population_variance() {
        let train = table(array![[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]], vec![10.0, 20.0, 60.0]);
        let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
        let InputScaling::PerColumn { columns } = normalizer.inputs() else {
            panic!("a table is scaled by column")
        };
        assert_relative_eq!(columns[0].mean, 3.0);
        assert_relative_eq!(columns[0].std, (14.0_f64 / 3.0).sqrt());
        let got = normalizer.apply(&train).unwrap();
        assert_relative_eq!(got.inputs.column(0).mapv(|x| x * x).sum(), 3.0, max_relative = 1e-6);
        assert_eq!(got.inputs.column(1).to_vec(), [0.0; 3]);
    }

    #[test]
    fn large_numbers_that_differ_little_stay_different() {
        let inputs = Array2::from_shape_fn((59, 1), |(row, _)| 1_700_000_001.0 + row as f64);
        let train = Split::from_f64(inputs.clone(), Targets::Values(vec![0.0; 59].into())).unwrap();
        let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
        let got = normalizer.apply(&train).unwrap().inputs;
        let std = (58.0_f64 * 60.0 / 12.0).sqrt();
        for (row, &value) in got.iter().enumerate() {
            assert_relative_eq!(f64::from(value), (row as f64 - 29.0) / std, epsilon = 1e-6);
        }
        assert_eq!(normalizer.apply_values(inputs.view()).unwrap(), got);
    }

    #[test]
    fn a_constant_column_that_rounds_badly_still_counts_as_constant() {
        let train = table(Array2::from_elem((7, 1), 0.1), vec![0.1; 7]);
        let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
        assert_eq!(normalizer.target(), Some(Standard { mean: 0.1, std: 1.0 }));
        let moved = normalizer.apply_inputs(array![[1.1_f32]].view()).unwrap();
        assert_relative_eq!(moved[[0, 0]], 1.0, max_relative = 1e-6);
    }

    #[test]
    fn images_share_one_scale() {
        let train = Split {
            inputs: array![[0.0, 1.0], [0.0, 3.0]],
            remainder: None,
            targets: Targets::Classes { labels: array![0, 1], n_classes: 2 },
        };
        let layout = InputLayout::Image { height: 1, width: 2, channels: 1 };
        let normalizer = Normalizer::fit(&train, layout).unwrap();
        let channels = vec![Standard { mean: 1.0, std: 1.5_f64.sqrt() }];
        assert_eq!(normalizer.inputs(), &InputScaling::PerChannel { channels, n_columns: 2 });
        assert_eq!((normalizer.target(), normalizer.log_density_offset()), (None, 0.0));
        assert_eq!(normalizer.denormalize_mean(0.25), 0.25);
    }

    #[test]
    fn each_channel_of_a_color_image_has_its_own_scale_and_black() {
        let train = Split {
            inputs: array![[0.0, 5.0, 2.0, 5.0], [4.0, 5.0, 2.0, 5.0]],
            remainder: None,
            targets: Targets::Classes { labels: array![0, 1], n_classes: 2 },
        };
        let layout = InputLayout::Image { height: 1, width: 2, channels: 2 };
        let normalizer = Normalizer::fit(&train, layout).unwrap();
        let got = normalizer.apply_inputs(train.inputs.view()).unwrap();
        let unit = 1.0 / 2f32.sqrt();
        let expected = [-2.0 * unit, 0.0, 0.0, 0.0, 2.0 * unit, 0.0, 0.0, 0.0];
        got.iter().zip(expected).for_each(|(&got, expected)| assert_relative_eq!(got, expected));
        assert_relative_eq!(normalizer.black()[0], -2.0 * unit);
        assert_eq!(normalizer.black()[1], -5.0);
        let wrong = InputLayout::Image { height: 3, width: 2, channels: 2 };
        assert!(matches!(Normalizer::fit(&train, wrong), Err(Error::Width { expected: 12, got: 4, .. })));
    }

    #[test]
    fn imagenet_has_its_published_channels() {
        let mut row: Vec<f32> = (0..12).map(|i| i as f32 / 11.0).collect();
        let inputs = Array2::from_shape_vec((1, 12), row.clone()).unwrap();
        let got = Normalizer::imagenet(12).apply_inputs(inputs.view()).unwrap();
        crate::image::standardize_imagenet(&mut row).unwrap();
        got.iter().zip(row).for_each(|(&got, expected)| {
            assert_relative_eq!(got, expected, max_relative = 1e-5, epsilon = 1e-6);
        });
    }

    #[test]
    fn a_sequence_passes_as_it_is() {
        let train = table(array![[1.0, 2.0], [5.0, 6.0]], vec![0.0, 1.0]);
        let layout = InputLayout::Sequence { steps: 1, features: 1, context: 1, ragged: false };
        let normalizer = Normalizer::fit(&train, layout).unwrap();
        assert_eq!(normalizer.apply_inputs(train.inputs.view()).unwrap(), train.inputs);
    }

    #[test]
    fn nan_infinity_and_wrong_widths_are_refused() {
        let good = table(array![[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], vec![0.0, 1.0]);
        let normalizer = Normalizer::fit(&good, InputLayout::Columns).unwrap();
        for bad in [f32::NAN, f32::INFINITY] {
            let inputs = array![[1.0, 2.0, 3.0], [2.0, bad, 4.0]];
            let expected = |got: Error| matches!(got, Error::NotFinite { row: 1, column: 1, .. });
            assert!(expected(normalizer.apply_inputs(inputs.view()).unwrap_err()));
            assert!(expected(
                Normalizer::fit(&table(inputs, vec![0.0, 1.0]), InputLayout::Columns).unwrap_err()
            ));
            let targets = vec![f64::from(bad), 1.0];
            let got = Normalizer::fit(&table(good.inputs.clone(), targets.clone()), InputLayout::Columns);
            assert!(matches!(got, Err(Error::NotFinite { argument: "targets", row: 0, .. })));
            assert!(normalizer.apply_targets(&Targets::Values(targets.into())).is_err());
        }
        let got = normalizer.apply_inputs(array![[1.0_f32, 2.0]].view());
        assert!(matches!(got, Err(Error::Width { expected: 3, got: 2, .. })));
        let classes = Targets::Classes { labels: array![0, 1], n_classes: 2 };
        assert!(matches!(normalizer.apply_targets(&classes), Err(Error::TargetKind { .. })));
    }

    #[test]
    fn test_rows_do_not_change_the_fit() {
        let set = crate::load("boston", &crate::LoadOptions::default()).unwrap();
        let fitted = Normalizer::fit(&set.train, InputLayout::Columns).unwrap();
        let mut changed = set.clone();
        changed.test.inputs.fill(1e6);
        assert_eq!(Normalizer::fit(&changed.train, InputLayout::Columns).unwrap(), fitted);
        let moved = fitted.apply_dataset(&changed).unwrap();
        assert_eq!(moved.train, fitted.apply(&set.train).unwrap());
        assert!(moved.test.inputs.iter().all(|x| *x > 100.0));
    }

    proptest! {
        #[test]
        fn denormalizing_undoes_normalizing(
            values in prop::collection::vec(-1e6_f64..1e6, 2..50), spread in 0.0_f64..1e3,
        ) {
            let train = table(Array2::zeros((values.len(), 1)), values.clone());
            let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
            let Targets::Values(scaled) = normalizer.apply_targets(&train.targets).unwrap() else {
                return Err(TestCaseError::fail("values stay values"));
            };
            for (back, value) in scaled.iter().map(|&z| normalizer.denormalize_mean(z)).zip(&values) {
                prop_assert!((back - value).abs() <= 1e-9 * 1e6);
            }
            let upper = normalizer.denormalize_mean(spread) - normalizer.denormalize_mean(0.0);
            prop_assert!((normalizer.denormalize_scale(spread) - upper).abs() <= 1e-6 * (1.0 + upper.abs()));
            let back: Normalizer = serde_json::from_str(&serde_json::to_string(&normalizer).unwrap()).unwrap();
            prop_assert_eq!(back, normalizer);
        }
    }
}
