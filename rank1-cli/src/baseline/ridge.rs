//! Ridge regression with one deviation for all rows, which the held-out residuals tell.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rank1_core::targets::Targets;
use serde::{Deserialize, Serialize};

use super::{LeftOut, Parts, blocks, cholesky};

/// Strengths that are tried, for columns of unit variance: `|y - Xw|² / n + strength |w|²`.
const STRENGTHS: [f64; 6] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];

/// Least deviation, in deviations of the target: an exact line would have an infinite density.
const LEAST_STD: f64 = 1e-6;

/// A fitted ridge regression, on standardized columns and target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ridge {
    /// Strength of the penalty, in units of the variance of a column.
    pub strength: f64,
    /// One weight per column.
    pub weights: Vec<f64>,
    /// The prediction where all columns are zero.
    pub bias: f64,
    /// Root mean square of the held-out residuals.
    pub std: f64,
}

impl Ridge {
    /// Means of the rows `[N, D]`, in the standardized unit.
    pub(super) fn means(&self, inputs: ArrayView2<'_, f32>) -> Array1<f64> {
        let mut weights = self.weights.clone();
        weights.push(self.bias);
        let weights = Array1::from(weights);
        let mut means = Vec::with_capacity(inputs.nrows());
        let rows: Vec<usize> = (0..inputs.nrows()).collect();
        blocks::for_each(inputs, &rows, |block, _| means.extend(block.dot(&weights)));
        means.into()
    }
}

/// The fit whose held-out error is least.
pub(super) fn fit(parts: &Parts<'_>) -> Result<Ridge, LeftOut> {
    let Targets::Values(values) = parts.targets else { return Err(LeftOut::Unsolvable) };
    let width = parts.inputs.ncols() + 1;
    let (mut gram, mut moments) = (Array2::zeros((width, width)), Array1::<f64>::zeros(width));
    let share = 1.0 / parts.fitted.len() as f64;
    blocks::for_each(parts.inputs, &parts.fitted, |block, rows| {
        general_mat_mul(share, &block.t(), block, 1.0, &mut gram);
        moments.scaled_add(share, &block.t().dot(&values.select(Axis(0), rows)));
    });
    let solutions: Vec<(f64, Array1<f64>)> = STRENGTHS
        .iter()
        .filter_map(|&strength| Some((strength, cholesky::solve(&penalized(&gram, strength), &moments)?)))
        .collect();
    if solutions.is_empty() {
        return Err(LeftOut::Unsolvable);
    }
    let mut weights = Array2::zeros((width, solutions.len()));
    for (mut column, (_, solution)) in weights.axis_iter_mut(Axis(1)).zip(&solutions) {
        column.assign(solution);
    }
    let mut squares = Array1::<f64>::zeros(solutions.len());
    blocks::for_each(parts.inputs, &parts.held, |block, rows| {
        let residuals = block.dot(&weights) - values.select(Axis(0), rows).insert_axis(Axis(1));
        squares += &residuals.mapv(|residual| residual * residual).sum_axis(Axis(0));
    });
    let best = squares.iter().zip(&solutions).min_by(|a, b| a.0.total_cmp(b.0)).ok_or(LeftOut::Unsolvable)?;
    let (squares, (strength, solution)) = best;
    let std = (squares / parts.held.len() as f64).sqrt();
    if !std.is_finite() {
        return Err(LeftOut::Unsolvable);
    }
    let mut weights = solution.to_vec();
    let bias = weights.pop().unwrap_or(0.0);
    Ok(Ridge { strength: *strength, weights, bias, std: std.max(LEAST_STD) })
}

/// The matrix of the normal equations; the last column, of ones, has no penalty.
fn penalized(gram: &Array2<f64>, strength: f64) -> Array2<f64> {
    let mut matrix = gram.clone();
    let last = matrix.nrows() - 1;
    matrix.diag_mut().iter_mut().take(last).for_each(|entry| *entry += strength);
    matrix
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_slope_is_shrunk_as_by_hand() {
        // Mean of x² 2/3 and of xy 4/3: (4/3) / (2/3 + 1/3); the bias is the mean of y.
        let inputs = array![[-1.0_f32], [0.0], [1.0]];
        let mut gram = Array2::zeros((2, 2));
        let mut moments = Array1::<f64>::zeros(2);
        let values = array![-1.0, 1.0, 3.0];
        blocks::for_each(inputs.view(), &[0, 1, 2], |block, _| {
            gram += &(block.t().dot(block) / 3.0);
            moments += &(block.t().dot(&values) / 3.0);
        });
        let solution = cholesky::solve(&penalized(&gram, 1.0 / 3.0), &moments).unwrap();
        assert!((solution[0] - 4.0 / 3.0).abs() < 1e-12 && (solution[1] - 1.0).abs() < 1e-12, "{solution}");
    }

    #[test]
    fn the_deviation_is_that_of_the_rows_held_out() {
        // A column without meaning: every prediction is the mean of the fitted rows, 0.
        let inputs = Array2::<f32>::zeros((20, 1));
        let values: Array1<f64> =
            (0..20).map(|row| if row < 10 { [1.0, -1.0][row % 2] } else { [3.0, -3.0][row % 2] }).collect();
        let targets = Targets::Values(values);
        let parts = Parts::of(inputs.view(), &targets, &(10..20).collect::<Vec<_>>(), 0).unwrap();
        let ridge = fit(&parts).unwrap();
        assert!((ridge.std - 3.0).abs() < 1e-12 && ridge.bias.abs() < 1e-12, "{ridge:?}");
    }

    #[test]
    fn equal_columns_share_their_weight() {
        let inputs = Array2::from_shape_fn((80, 2), |(row, _)| (row % 5) as f32 - 2.0);
        let targets = Targets::Values(inputs.column(0).mapv(f64::from));
        let parts = Parts::of(inputs.view(), &targets, &[], 1).unwrap();
        let ridge = fit(&parts).unwrap();
        assert!((ridge.weights[0] - ridge.weights[1]).abs() < 1e-9, "{ridge:?}");
        assert!((ridge.weights[0] + ridge.weights[1] - 1.0).abs() < 1e-3, "{ridge:?}");
    }
}
