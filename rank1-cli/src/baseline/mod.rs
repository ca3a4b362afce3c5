//! Linear models beside every result of a table: ridge regression, and logistic regression with an L2 penalty.
//!
//! They see what the network sees, encoded and standardized columns, and are fitted once, on the rows that are not held out for
//! validation; those that are choose the strength of the penalty. Not for the constant prediction, see [`crate::constant`].

mod blocks;
mod cholesky;
mod lbfgs;
mod logistic;
mod ridge;

use anyhow::Result;
use ndarray::{ArrayView2, Axis};
use rank1_core::predictive::{GaussianMixturePredictive, PredictiveAccumulator};
use rank1_core::targets::Targets;
use rank1_data::{Standard, holdout_indices};
use rank1_models::predict::Predictive;
use serde::{Deserialize, Serialize};

pub use logistic::Logistic;
pub use ridge::Ridge;

/// Most input columns of a linear model.
const MOST_COLUMNS: usize = 2_000;

/// Most weights, which are kept with the model.
const MOST_WEIGHTS: usize = 100_000;

/// Most multiplications of one fit, a few seconds of one thread.
const MOST_WORK: f64 = 2e10;

/// Share of the rows that chooses the strength where the recipe holds none out.
const HELD_OUT: f64 = 0.1;

/// Fewest rows to fit and to hold out: the deviation is estimated on the latter.
const FEWEST_ROWS: usize = 5;

/// A fitted linear model, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinearBaseline {
    /// Of a target of values.
    Ridge(Ridge),
    /// Of a target of classes.
    Logistic(Logistic),
    /// None was fitted.
    LeftOut {
        /// Why.
        reason: LeftOut,
    },
}

/// Why there is no linear model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// A wide table.
    #[error("{got} input columns, at most {most} are fitted")]
    Columns {
        /// Encoded columns.
        got: usize,
        /// The bound.
        most: usize,
    },
    /// Many columns times classes.
    #[error("{got} weights, at most {most} are kept")]
    Weights {
        /// Columns times classes.
        got: usize,
        /// The bound.
        most: usize,
    },
    /// A long and wide table.
    #[error("{rows} rows of {columns} columns would take too long to fit")]
    Work {
        /// Rows to fit.
        rows: usize,
        /// Encoded columns.
        columns: usize,
    },
    /// A short table.
    #[error("{fitted} rows to fit and {held} to choose the penalty are too few")]
    Rows {
        /// Rows to fit.
        fitted: usize,
        /// Rows held out.
        held: usize,
    },
    /// Numbers beyond double precision.
    #[error("its equations have no solution in double precision")]
    Unsolvable,
}

impl LinearBaseline {
    /// Fits to standardized rows; `validation` names those that choose the strength, and where it is empty a tenth does.
    #[must_use]
    pub fn fit(inputs: ArrayView2<'_, f32>, targets: &Targets, validation: &[usize], seed: u64) -> Self {
        let fitted = Parts::of(inputs, targets, validation, seed).and_then(|parts| match targets {
            Targets::Values(_) => ridge::fit(&parts).map(Self::Ridge),
            Targets::Classes { .. } => logistic::fit(&parts).map(Self::Logistic),
        });
        fitted.unwrap_or_else(|reason| Self::LeftOut { reason })
    }

    /// What it predicts for standardized rows, values in the target's own unit; none where none was fitted.
    ///
    /// # Errors
    /// No rows, or numbers that are not finite.
    pub fn predictive(
        &self,
        inputs: ArrayView2<'_, f32>,
        target: Option<Standard>,
    ) -> Result<Option<Predictive>> {
        Ok(match self {
            Self::Ridge(ridge) => {
                let means = ridge.means(inputs).insert_axis(Axis(0));
                let deviations = means.mapv(|_| ridge.std);
                let mixture = GaussianMixturePredictive::new(means, deviations)?;
                Some(Predictive::Values { mixture, n_members: 1 }.in_target_unit(target)?)
            }
            Self::Logistic(logistic) => {
                let log_probs = logistic.log_probs(inputs).insert_axis(Axis(0));
                let (_, n, n_classes) = log_probs.dim();
                let mut sum = PredictiveAccumulator::new(1, n, n_classes)?;
                sum.add_log_probs(log_probs.view())?;
                Some(Predictive::Classes(sum.predictive()?))
            }
            Self::LeftOut { .. } => None,
        })
    }

    /// Name in `evaluation.json`.
    #[must_use]
    pub fn name(&self, regression: bool) -> &'static str {
        if regression { "ridge" } else { "logistic" }
    }

    /// Strength of the penalty; none where none was fitted.
    #[must_use]
    pub fn strength(&self) -> Option<f64> {
        match self {
            Self::Ridge(ridge) => Some(ridge.strength),
            Self::Logistic(logistic) => Some(logistic.strength),
            Self::LeftOut { .. } => None,
        }
    }
}

/// Rows to fit and rows to choose by.
struct Parts<'a> {
    inputs: ArrayView2<'a, f32>,
    targets: &'a Targets,
    fitted: Vec<usize>,
    held: Vec<usize>,
}

impl<'a> Parts<'a> {
    fn of(
        inputs: ArrayView2<'a, f32>,
        targets: &'a Targets,
        validation: &[usize],
        seed: u64,
    ) -> Result<Self, LeftOut> {
        let (n, columns) = inputs.dim();
        if columns > MOST_COLUMNS {
            return Err(LeftOut::Columns { got: columns, most: MOST_COLUMNS });
        }
        let weights = (columns + 1) * targets.n_classes().unwrap_or(1);
        if weights > MOST_WEIGHTS {
            return Err(LeftOut::Weights { got: weights, most: MOST_WEIGHTS });
        }
        let (fitted, held) = if validation.is_empty() {
            holdout_indices(n, HELD_OUT, seed).map_err(|_| LeftOut::Rows { fitted: n, held: 0 })?
        } else {
            let mut is_held = vec![false; n];
            validation.iter().for_each(|&row| is_held[row] = true);
            (0..n).partition(|&row| !is_held[row])
        };
        if fitted.len() < FEWEST_ROWS || held.len() < FEWEST_ROWS {
            return Err(LeftOut::Rows { fitted: fitted.len(), held: held.len() });
        }
        let (rows, columns_f64) = (fitted.len(), columns as f64);
        let work = match targets.n_classes() {
            None => rows as f64 * columns_f64.powi(2),
            Some(classes) => rows as f64 * columns_f64 * classes as f64 * logistic::PASSES,
        };
        if work > MOST_WORK {
            return Err(LeftOut::Work { rows, columns });
        }
        Ok(Self { inputs, targets, fitted, held })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;

    fn line(n: usize) -> (Array2<f32>, Targets) {
        let inputs =
            Array2::from_shape_fn((n, 2), |(row, column)| ((row * (3 + column)) % 7) as f32 / 3.0 - 1.0);
        let values: Array1<f64> =
            inputs.outer_iter().map(|row| 1.0 + 2.0 * f64::from(row[0]) - 0.5 * f64::from(row[1])).collect();
        (inputs, Targets::Values(values))
    }

    #[test]
    fn a_line_is_found_and_predicted_in_the_unit_of_the_target() {
        let (inputs, targets) = line(70);
        let found = LinearBaseline::fit(inputs.view(), &targets, &[], 3);
        let LinearBaseline::Ridge(ridge) = &found else { panic!("{found:?}") };
        assert!((ridge.weights[0] - 2.0).abs() < 0.01 && (ridge.bias - 1.0).abs() < 0.01, "{ridge:?}");
        let unit = Some(Standard { mean: 100.0, std: 10.0 });
        let predictive = found.predictive(inputs.view(), unit).unwrap().unwrap();
        let Predictive::Values { mixture, .. } = predictive else { panic!("values") };
        let Targets::Values(values) = &targets else { panic!("values") };
        assert!((mixture.mean()[5] - (100.0 + 10.0 * values[5])).abs() < 0.1);
        assert!((mixture.std_devs()[[0, 0]] - 10.0 * ridge.std).abs() < 1e-12);
    }

    #[test]
    fn what_is_too_wide_or_too_short_is_left_out_with_its_reason() {
        let wide = Array2::<f32>::zeros((20, MOST_COLUMNS + 1));
        let values = Targets::Values(Array1::zeros(20));
        let LinearBaseline::LeftOut { reason } = LinearBaseline::fit(wide.view(), &values, &[], 0) else {
            panic!("too wide")
        };
        assert_eq!(reason.to_string(), "2001 input columns, at most 2000 are fitted");
        let (inputs, targets) = line(8);
        let short = LinearBaseline::fit(inputs.view(), &targets, &[1], 0);
        assert_eq!(short, LinearBaseline::LeftOut { reason: LeftOut::Rows { fitted: 7, held: 1 } });
        assert!(short.predictive(inputs.view(), None).unwrap().is_none());
    }

    #[test]
    fn a_document_reads_back_as_it_was_written() {
        let (inputs, targets) = line(70);
        for found in [
            LinearBaseline::fit(inputs.view(), &targets, &[], 3),
            LinearBaseline::LeftOut { reason: LeftOut::Unsolvable },
        ] {
            let text = serde_json::to_string(&found).unwrap();
            let back: LinearBaseline = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&back).unwrap(), text);
        }
    }
}
