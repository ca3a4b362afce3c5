//! The perturbed linear map and its gradients by plain loops.

use super::layer::{Terms, check, check_length, zeros};
use crate::Error;
use crate::linear::{LayerGrads, LinearShape, PerturbedLayer};

/// Outputs of all members.
///
/// # Shapes
/// As [`crate::launch::perturbed_linear`].
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`] or [`Error::ShapeMismatch`] if the lengths do not fit `shape`.
///
/// # Source
/// As [`crate::launch::perturbed_linear`].
pub fn perturbed_linear<T: Copy + Into<f64>>(
    shape: LinearShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
) -> Result<Vec<f64>, Error> {
    let op = "host::perturbed_linear";
    shape.check(op)?;
    check(op, &shape.sizes(), layer, x)?;
    let terms = Terms { layer, sizes: shape.sizes() };
    let mut y = Vec::new();
    for row in 0..shape.n_members * shape.batch_size {
        let product = product(shape, layer, &terms, x, row);
        y.extend(product.into_iter().enumerate().map(|(o, product)| terms.output(row, o, product)));
    }
    Ok(y)
}

/// Gradients of a scalar whose gradient with respect to the outputs is `grad_y`; computes the outputs again.
///
/// # Shapes
/// As [`crate::launch::perturbed_linear_backward`].
///
/// # Errors
/// As [`perturbed_linear`], also for `grad_y`.
///
/// # Source
/// Chain rule on [`perturbed_linear`]; checked against central differences.
pub fn perturbed_linear_backward<T: Copy + Into<f64>>(
    shape: LinearShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
    grad_y: &[T],
) -> Result<LayerGrads<Vec<f64>>, Error> {
    let op = "host::perturbed_linear_backward";
    shape.check(op)?;
    let sizes = shape.sizes();
    check(op, &sizes, layer, x)?;
    check_length(op, "grad_y", grad_y, &[sizes.out_rows(), shape.d_out])?;
    let terms = Terms { layer, sizes: shape.sizes() };
    let mut grads = zeros(&sizes, layer);
    for row in 0..sizes.out_rows() {
        let mut grad_input = vec![0.0; shape.d_in];
        for (o, product) in product(shape, layer, &terms, x, row).into_iter().enumerate() {
            let grad_y = grad_y[row * shape.d_out + o].into();
            let grad = terms.output_backward(&mut grads, row, o, product, grad_y);
            for (i, grad_input) in grad_input.iter_mut().enumerate() {
                grads.weight[i * shape.d_out + o] +=
                    grad * terms.input(row, i, x[row * shape.d_in + i].into());
                *grad_input += grad * layer.weight[i * shape.d_out + o].into();
            }
        }
        for (i, grad) in grad_input.into_iter().enumerate() {
            let at = row * shape.d_in + i;
            grads.x[at] = terms.input_backward(&mut grads.input_factor, row, i, x[at].into(), grad);
        }
    }
    Ok(grads)
}

fn product<T: Copy + Into<f64>>(
    shape: LinearShape,
    layer: &PerturbedLayer<'_, [T]>,
    terms: &Terms<'_, T>,
    x: &[T],
    row: usize,
) -> Vec<f64> {
    let mut sums = vec![0.0; shape.d_out];
    for i in 0..shape.d_in {
        let input = terms.input(row, i, x[row * shape.d_in + i].into());
        for (o, sum) in sums.iter_mut().enumerate() {
            *sum += input * layer.weight[i * shape.d_out + o].into();
        }
    }
    sums
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::host::layer::differences::{assert_gradients_are_differences, values};
    use crate::linear::{Activation, Factor, FactorRows, Perturbation};

    #[test]
    fn a_hand_calculation() {
        let factor = |values| Some(Factor { values, rows: FactorRows::PerExample });
        let mut layer = PerturbedLayer {
            weight: &[1.0, 2.0, 3.0, 4.0][..],
            input_factor: factor(&[2.0, -1.0][..]),
            output_factor: factor(&[10.0, 100.0][..]),
            bias: Some(&[0.5, 0.25][..]),
            perturbation: Perturbation::Multiplicative,
            activation: Activation::Relu,
        };
        let shape = LinearShape { n_members: 1, batch_size: 1, d_in: 2, d_out: 2 };
        // (1 * 2, 2 * -1) W = (2 - 6, 4 - 8) = (-4, -4).
        assert_eq!(perturbed_linear(shape, &layer, &[1.0, 2.0]).unwrap(), [0.0, 0.0]);
        layer.activation = Activation::Identity;
        assert_eq!(perturbed_linear(shape, &layer, &[1.0, 2.0]).unwrap(), [-39.5, -399.75]);
        layer.perturbation = Perturbation::Additive;
        // (1 + 2, 2 - 1) W = (3 + 3, 6 + 4) = (6, 10).
        assert_eq!(perturbed_linear(shape, &layer, &[1.0, 2.0]).unwrap(), [16.5, 110.25]);
    }

    #[test]
    fn gradients_are_central_differences() {
        let shape = LinearShape { n_members: 3, batch_size: 2, d_in: 5, d_out: 7 };
        let (x, grad_y) = (values(6 * 5, 0.3), values(6 * 7, 0.7));
        assert_gradients_are_differences(
            &shape.sizes(),
            &x,
            &grad_y,
            |layer, x| perturbed_linear(shape, layer, x).unwrap(),
            |layer| perturbed_linear_backward(shape, layer, &x, &grad_y).unwrap(),
        );
    }

    #[test]
    fn wrong_lengths_are_refused_by_name() {
        let shape = LinearShape { n_members: 3, batch_size: 2, d_in: 5, d_out: 7 };
        let weight = values(35, 0.1);
        let layer = PerturbedLayer {
            weight: &weight[..],
            input_factor: Some(Factor { values: &weight[..30], rows: FactorRows::PerMember }),
            output_factor: None,
            bias: None,
            perturbation: Perturbation::Additive,
            activation: Activation::Identity,
        };
        let got = perturbed_linear(shape, &layer, &weight[..30]);
        assert!(
            matches!(got, Err(Error::ShapeMismatch { argument: "input_factor", got: 30, .. })),
            "{got:?}"
        );
        let got = perturbed_linear(shape, &layer, &weight);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "x", got: 35, .. })), "{got:?}");
    }
}
