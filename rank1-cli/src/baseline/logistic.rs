//! Multinomial logistic regression with an L2 penalty.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rank1_core::targets::Targets;
use serde::{Deserialize, Serialize};

use super::lbfgs::{Stop, minimize};
use super::{LeftOut, Parts, blocks};

/// Strengths that are tried, from the strongest, for columns of unit variance: mean NLL + strength/2 |w|². A weaker one starts
/// where the stronger one ended, and none is tried after one that is worse on the rows held out.
const STRENGTHS: [f64; 6] = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5];

/// One fit.
const STOP: Stop = Stop { gradient: 1e-5, steps: 60 };

/// Passes over the rows of a fit and its backward products, for an estimate of the work.
pub(super) const PASSES: f64 = 400.0;

/// A fitted logistic regression, on standardized columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    /// Strength of the penalty, in units of the variance of a column.
    pub strength: f64,
    /// For each class one weight per column.
    pub weights: Vec<Vec<f64>>,
    /// The logits where all columns are zero.
    pub biases: Vec<f64>,
}

impl Logistic {
    fn new(strength: f64, weights: ArrayView2<'_, f64>) -> Self {
        let last = weights.nrows() - 1;
        let (rest, bias) = weights.split_at(Axis(0), last);
        let weights = rest.axis_iter(Axis(1)).map(|class| class.to_vec()).collect();
        Self { strength, weights, biases: bias.iter().copied().collect() }
    }

    /// Log-probabilities `[N, C]` of the rows `[N, D]`.
    pub(super) fn log_probs(&self, inputs: ArrayView2<'_, f32>) -> Array2<f64> {
        let (width, n_classes) = (inputs.ncols() + 1, self.biases.len());
        let weights = Array2::from_shape_fn((width, n_classes), |(column, class)| {
            self.weights[class].get(column).copied().unwrap_or(self.biases[class])
        });
        let rows: Vec<usize> = (0..inputs.nrows()).collect();
        let mut all = Array2::zeros((inputs.nrows(), n_classes));
        blocks::for_each(inputs, &rows, |block, rows| {
            let logits = log_softmax(block.dot(&weights));
            rows.iter()
                .zip(logits.axis_iter(Axis(0)))
                .for_each(|(&row, logits)| all.row_mut(row).assign(&logits));
        });
        all
    }
}

/// The fit whose held-out NLL is least.
pub(super) fn fit(parts: &Parts<'_>) -> Result<Logistic, LeftOut> {
    let Targets::Classes { labels, n_classes } = parts.targets else { return Err(LeftOut::Unsolvable) };
    let shape = (parts.inputs.ncols() + 1, *n_classes);
    let mut weights = Array1::zeros(shape.0 * shape.1);
    let mut best: Option<(f64, Logistic)> = None;
    for strength in STRENGTHS {
        weights = minimize(weights, STOP, |weights| {
            let (nll, gradient) =
                objective(parts.inputs, labels, &parts.fitted, &matrix(weights, shape), strength);
            (nll, Array1::from_iter(gradient))
        });
        let found = matrix(&weights, shape);
        let (held, _) = objective(parts.inputs, labels, &parts.held, &found, 0.0);
        if !held.is_finite() || best.as_ref().is_some_and(|(least, _)| held > *least) {
            break;
        }
        best = Some((held, Logistic::new(strength, found.view())));
    }
    best.map(|(_, fitted)| fitted).ok_or(LeftOut::Unsolvable)
}

fn matrix(flat: &Array1<f64>, (width, n_classes): (usize, usize)) -> Array2<f64> {
    Array2::from_shape_fn((width, n_classes), |(column, class)| flat[column * n_classes + class])
}

/// Mean NLL of the named rows with the penalty, and its gradient in `weights`, `[D + 1, C]`, of which the last row are biases.
fn objective(
    inputs: ArrayView2<'_, f32>,
    labels: &Array1<usize>,
    rows: &[usize],
    weights: &Array2<f64>,
    strength: f64,
) -> (f64, Array2<f64>) {
    let share = 1.0 / rows.len() as f64;
    let mut penalized = weights.clone();
    penalized.row_mut(weights.nrows() - 1).fill(0.0);
    let mut value = 0.5 * strength * penalized.iter().map(|weight| weight * weight).sum::<f64>();
    let mut gradient = penalized * strength;
    blocks::for_each(inputs, rows, |block, rows| {
        let mut residuals = log_softmax(block.dot(weights));
        for (mut row, &index) in residuals.axis_iter_mut(Axis(0)).zip(rows) {
            value -= share * row[labels[index]];
            row.mapv_inplace(f64::exp);
            row[labels[index]] -= 1.0;
        }
        general_mat_mul(share, &block.t(), &residuals, 1.0, &mut gradient);
    });
    (value, gradient)
}

fn log_softmax(mut logits: Array2<f64>) -> Array2<f64> {
    for mut row in logits.axis_iter_mut(Axis(0)) {
        let greatest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let sum = row.iter().map(|logit| (logit - greatest).exp()).sum::<f64>().ln() + greatest;
        row.mapv_inplace(|logit| logit - sum);
    }
    logits
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Of eight rows at each of x = 1 and x = -1, three quarters have the class of the sign.
    fn signs() -> (Array2<f32>, Array1<usize>) {
        let inputs = Array2::from_shape_fn((16, 1), |(row, _)| if row < 8 { 1.0 } else { -1.0 });
        let labels = (0..16).map(|row| usize::from((row < 8) == (row % 4 != 0))).collect();
        (inputs, labels)
    }

    fn fitted(strength: f64) -> Array2<f64> {
        let (inputs, labels) = signs();
        let rows: Vec<usize> = (0..16).collect();
        let weights = minimize(Array1::zeros(4), Stop { gradient: 1e-10, steps: 200 }, |weights| {
            let (value, gradient) =
                objective(inputs.view(), &labels, &rows, &matrix(weights, (2, 2)), strength);
            (value, Array1::from_iter(gradient))
        });
        matrix(&weights, (2, 2))
    }

    #[test]
    fn without_a_penalty_the_logit_is_that_of_the_shares() {
        let weights = fitted(1e-9);
        assert!((weights[[0, 1]] - weights[[0, 0]] - 3_f64.ln()).abs() < 1e-5, "{weights}");
        assert!((weights[[1, 1]] - weights[[1, 0]]).abs() < 1e-6, "{weights}");
    }

    #[test]
    fn with_a_penalty_both_slopes_balance_as_by_hand() {
        // At w = (-d, d) the gradient of d is zero where 3/4 - 1 / (1 + exp(-2 d)) = strength d.
        let d = fitted(0.1)[[0, 1]];
        assert!((0.75 - 1.0 / (1.0 + (-2.0 * d).exp()) - 0.1 * d).abs() < 1e-8, "{d}");
    }

    #[test]
    fn the_gradient_is_that_of_the_objective() {
        let (inputs, labels) = signs();
        let rows = [0, 3, 4, 9, 12];
        let weights = ndarray::array![[0.3, -0.2], [0.1, 0.4]];
        let (_, gradient) = objective(inputs.view(), &labels, &rows, &weights, 0.3);
        for place in [[0, 0], [0, 1], [1, 0], [1, 1]] {
            let at = |change: f64| {
                let mut moved = weights.clone();
                moved[place] += change;
                objective(inputs.view(), &labels, &rows, &moved, 0.3).0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - gradient[place]).abs() < 1e-9, "{place:?}: {slope} {}", gradient[place]);
        }
    }

    #[test]
    fn three_classes_are_told_apart_by_two_columns() {
        let labels: Array1<usize> = (0..90).map(|row| row % 3).collect();
        let inputs = Array2::from_shape_fn((90, 2), |(row, column)| {
            let center = [[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]][row % 3][column];
            center + 0.4 * ((row * (7 + column)) as f32 * 0.9).sin()
        });
        let targets = Targets::Classes { labels: labels.clone(), n_classes: 3 };
        let parts = Parts::of(inputs.view(), &targets, &[], 2).unwrap();
        let found = fit(&parts).unwrap();
        let log_probs = found.log_probs(inputs.view());
        let right =
            log_probs.axis_iter(Axis(0)).zip(&labels).filter(|(row, label)| row[**label] > 0.5_f64.ln());
        assert!(right.count() > 80);
        assert!(log_probs.axis_iter(Axis(0)).all(|row| (row.mapv(f64::exp).sum() - 1.0).abs() < 1e-12));
    }
}
