//! Scaling a table by what its inputs are: numbers by quantiles or standardized, codes and circles as they are.
//!
//! Not for tables all of whose columns are standardized; see [`Normalizer::fit`].

use rank1_core::scaling::{
    ColumnScaling, InputScaling, QUANTILE_NOISE, QuantileNormal, Scaling, Standard, default_n_quantiles,
};
use rank1_core::targets::Targets;
use serde::{Deserialize, Serialize};

use super::Normalizer;
use crate::dataset::{check_finite, check_finite_targets};
use crate::hash::{hash, normal_pair};
use crate::table::{InputGroup, InputKind};
use crate::{Error, Split};

/// Numbers that vary less than this, a hundred times the noise, have no quantiles beside it.
const LEAST_DEVIATION: f64 = 100.0 * QUANTILE_NOISE;

/// How the numbers of a table are scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberScaling {
    /// By mean and standard deviation.
    Standard,
    /// By quantiles to a standard normal, so that skewed columns and outliers do no harm. Numbers with two different training
    /// values, which quantiles would put five deviations out, are standardized; so are those whose deviation is below 0.001,
    /// because the published noise of 0.00001 and bounds of 0.0000001 are in the unit of the column.
    #[default]
    Quantiles,
}

impl Normalizer {
    /// Fits every input of a table by what it is: numbers are scaled, codes and circles stay as they are.
    ///
    /// Quantiles are learned with the noise and the number of the published example; noise depends on `seed`, the place of the
    /// input and the row. `groups` are those of [`CsvSchema::input_groups`](crate::CsvSchema::input_groups). Real targets are
    /// standardized.
    ///
    /// # Errors
    /// [`Error::NoRows`] for no rows; [`Error::Width`] if the groups do not cover the inputs; [`Error::NotFinite`].
    pub fn fit_table(
        train: &Split,
        groups: &[InputGroup],
        numbers: NumberScaling,
        seed: u64,
    ) -> Result<Self, Error> {
        const OP: &str = "fit normalizer";
        if train.is_empty() {
            return Err(Error::NoRows { op: OP });
        }
        check_finite(OP, train.inputs.view())?;
        let expected: usize = groups.iter().map(|group| group.width).sum();
        if expected != train.n_features() {
            return Err(Error::Width { op: OP, expected, got: train.n_features() });
        }
        let kinds = groups.iter().flat_map(|group| std::iter::repeat_n(group.kind, group.width));
        let fit = |(place, kind): (usize, InputKind)| match kind {
            InputKind::Number => fit_number(train, place, numbers, hash(seed, place as u64)),
            InputKind::Code | InputKind::Cyclic => Ok(ColumnScaling::Unchanged),
        };
        let columns = kinds.enumerate().map(fit).collect::<Result<_, _>>()?;
        let target = match &train.targets {
            Targets::Classes { .. } => None,
            Targets::Values(values) => {
                check_finite_targets(OP, values)?;
                Some(Standard::fit(values.iter().copied()))
            }
        };
        Ok(Self(Scaling { inputs: InputScaling::Table { columns }, target }))
    }
}

fn fit_number(
    train: &Split,
    column: usize,
    numbers: NumberScaling,
    seed: u64,
) -> Result<ColumnScaling, Error> {
    let values: Vec<f64> = train.column(column).collect();
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    let standard = Standard::fit(values.iter().copied());
    let two_values = values.iter().all(|&value| value == low || value == high);
    if numbers == NumberScaling::Standard || two_values || standard.std < LEAST_DEVIATION {
        return Ok(ColumnScaling::Standard(standard));
    }
    let noise: Vec<f64> =
        (0..values.len()).map(|row| QUANTILE_NOISE * normal_pair(seed, row as u64).0).collect();
    match QuantileNormal::fit(&values, Some(&noise), default_n_quantiles(values.len())) {
        Ok(quantiles) => Ok(ColumnScaling::Quantiles(quantiles)),
        // Values are finite and at least one; nothing else is refused.
        Err(_) => Err(Error::NoRows { op: "fit normalizer" }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;

    fn group(start: usize, kind: InputKind) -> InputGroup {
        InputGroup { column: format!("c{start}"), start, width: 1, kind }
    }

    fn train(rows: usize) -> Split {
        let inputs = Array2::from_shape_fn((rows, 3), |(row, column)| match column {
            0 => (0.01 * row as f32).exp(),
            1 => (row % 2) as f32,
            _ => (row % 3 == 0).into(),
        });
        Split::new(inputs, Targets::Values(Array1::from_iter((0..rows).map(|row| row as f64)))).unwrap()
    }

    #[test]
    fn numbers_are_scaled_and_codes_stay() {
        let train = train(900);
        let groups = [group(0, InputKind::Number), group(1, InputKind::Number), group(2, InputKind::Code)];
        let fitted = Normalizer::fit_table(&train, &groups, NumberScaling::Quantiles, 3).unwrap();
        let InputScaling::Table { columns } = fitted.inputs() else { panic!("not a table") };
        assert!(matches!(&columns[0], ColumnScaling::Quantiles(of) if of.quantiles.len() == 30));
        assert!(matches!(columns[1], ColumnScaling::Standard(_)), "two values");
        assert_eq!(columns[2], ColumnScaling::Unchanged);
        let scaled = fitted.apply(&train).unwrap();
        let mean = scaled.inputs.column(0).mean().unwrap();
        assert!(mean.abs() < 0.02, "{mean}");
        assert_eq!(scaled.inputs.column(2), train.inputs.column(2));
        let written = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Normalizer>(&written).unwrap(), fitted);
        assert_eq!(Normalizer::fit_table(&train, &groups, NumberScaling::Quantiles, 3).unwrap(), fitted);
        assert_ne!(Normalizer::fit_table(&train, &groups, NumberScaling::Quantiles, 4).unwrap(), fitted);
    }

    #[test]
    fn numbers_in_a_tiny_unit_are_standardized_rather_than_lost_in_noise() {
        let inputs = train(90).inputs_f64() * 1e-9;
        let tiny = Split::from_f64(inputs, train(90).targets).unwrap();
        let groups = [0, 1, 2].map(|place| group(place, InputKind::Number));
        let fitted = Normalizer::fit_table(&tiny, &groups, NumberScaling::Quantiles, 3).unwrap();
        let InputScaling::Table { columns } = fitted.inputs() else { panic!("not a table") };
        assert!(columns.iter().all(|column| matches!(column, ColumnScaling::Standard(_))));
    }

    #[test]
    fn groups_that_are_not_those_of_the_inputs_are_refused() {
        let got =
            Normalizer::fit_table(&train(5), &[group(0, InputKind::Number)], NumberScaling::Standard, 0);
        assert!(matches!(got, Err(Error::Width { expected: 1, got: 3, .. })), "{got:?}");
    }
}
