//! The perturbed convolution and its gradients by plain loops.

use super::layer::{Terms, check, check_length, zeros};
use crate::Error;
use crate::convolution::ConvShape;
use crate::linear::{LayerGrads, PerturbedLayer};

/// Outputs of all members.
///
/// # Shapes
/// As [`crate::launch::perturbed_convolution`].
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`] or [`Error::ShapeMismatch`] if the lengths do not fit `shape`.
///
/// # Source
/// As [`crate::launch::perturbed_convolution`].
pub fn perturbed_convolution<T: Copy + Into<f64>>(
    shape: ConvShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
) -> Result<Vec<f64>, Error> {
    let op = "host::perturbed_convolution";
    shape.check(op)?;
    let sizes = shape.sizes();
    check(op, &sizes, layer, x)?;
    let terms = Terms { layer, sizes };
    let mut y = Vec::new();
    for row in 0..sizes.out_rows() {
        for o in 0..shape.c_out {
            y.push(terms.output(row / sizes.out_positions, o, product(shape, &terms, x, row, o)));
        }
    }
    Ok(y)
}

/// Gradients of a scalar whose gradient with respect to the outputs is `grad_y`; computes the outputs again.
///
/// # Shapes
/// As [`crate::launch::perturbed_convolution_backward`].
///
/// # Errors
/// As [`perturbed_convolution`], also for `grad_y`.
///
/// # Source
/// Chain rule on [`perturbed_convolution`]; checked against central differences.
pub fn perturbed_convolution_backward<T: Copy + Into<f64>>(
    shape: ConvShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
    grad_y: &[T],
) -> Result<LayerGrads<Vec<f64>>, Error> {
    let op = "host::perturbed_convolution_backward";
    shape.check(op)?;
    let sizes = shape.sizes();
    check(op, &sizes, layer, x)?;
    check_length(op, "grad_y", grad_y, &[sizes.out_rows(), shape.c_out])?;
    let terms = Terms { layer, sizes };
    let mut grads = zeros(&sizes, layer);
    let mut grad_input = vec![0.0; x.len()];
    for row in 0..sizes.out_rows() {
        let example = row / sizes.out_positions;
        for o in 0..shape.c_out {
            let product = product(shape, &terms, x, row, o);
            let grad_y = grad_y[row * shape.c_out + o].into();
            let grad = terms.output_backward(&mut grads, example, o, product, grad_y);
            for (pixel, tap) in seen(shape, row) {
                for c in 0..shape.c_in {
                    let (at, weight) = (pixel * shape.c_in + c, (tap * shape.c_in + c) * shape.c_out + o);
                    grads.weight[weight] += grad * terms.input(example, c, x[at].into());
                    grad_input[at] += grad * layer.weight[weight].into();
                }
            }
        }
    }
    for (at, grad) in grad_input.into_iter().enumerate() {
        let (pixel, c) = (at / shape.c_in, at % shape.c_in);
        let example = pixel / sizes.in_positions;
        grads.x[at] = terms.input_backward(&mut grads.input_factor, example, c, x[at].into(), grad);
    }
    Ok(grads)
}

fn product<T: Copy + Into<f64>>(
    shape: ConvShape,
    terms: &Terms<'_, T>,
    x: &[T],
    row: usize,
    o: usize,
) -> f64 {
    let mut sum = 0.0;
    for (pixel, tap) in seen(shape, row) {
        for c in 0..shape.c_in {
            let input = terms.input(row / terms.sizes.out_positions, c, x[pixel * shape.c_in + c].into());
            sum += input * terms.layer.weight[(tap * shape.c_in + c) * shape.c_out + o].into();
        }
    }
    sum
}

/// The pixels, counted over all images, under the window of an output, each with its kernel entry.
fn seen(shape: ConvShape, row: usize) -> Vec<(usize, usize)> {
    let (out_height, out_width) = shape.out_size();
    let image = row / (out_height * out_width);
    let (out_y, out_x) = (row / out_width % out_height, row % out_width);
    let mut seen = Vec::new();
    for ky in 0..shape.kernel.0 {
        for kx in 0..shape.kernel.1 {
            let y = (out_y * shape.stride.0 + ky * shape.dilation.0).checked_sub(shape.pads.top);
            let x = (out_x * shape.stride.1 + kx * shape.dilation.1).checked_sub(shape.pads.left);
            if let (Some(y), Some(x)) = (y, x)
                && y < shape.height
                && x < shape.width
            {
                let pixel = (image * shape.height + y) * shape.width + x;
                seen.push((pixel, ky * shape.kernel.1 + kx));
            }
        }
    }
    seen
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::convolution::Pads;
    use crate::host::layer::differences::{assert_gradients_are_differences, values};
    use crate::host::perturbed_linear;
    use crate::linear::{Activation, Factor, FactorRows, LinearShape, Perturbation};

    const SHAPE: ConvShape = ConvShape {
        n_members: 2,
        batch_size: 2,
        height: 5,
        width: 4,
        c_in: 2,
        c_out: 3,
        kernel: (3, 2),
        stride: (2, 1),
        dilation: (1, 2),
        pads: Pads { top: 1, bottom: 0, left: 0, right: 2 },
    };

    #[test]
    fn a_hand_calculation() {
        let layer = PerturbedLayer {
            weight: &[1.0, 10.0][..],
            input_factor: Some(Factor { values: &[2.0][..], rows: FactorRows::PerMember }),
            output_factor: Some(Factor { values: &[-1.0][..], rows: FactorRows::PerMember }),
            bias: Some(&[0.5][..]),
            perturbation: Perturbation::Multiplicative,
            activation: Activation::Identity,
        };
        let shape = ConvShape {
            n_members: 1,
            batch_size: 1,
            height: 1,
            width: 3,
            c_in: 1,
            c_out: 1,
            kernel: (1, 2),
            stride: (1, 2),
            dilation: (1, 2),
            pads: Pads { left: 1, right: 2, ..Pads::default() },
        };
        // Doubled and padded: 0 2 4 6 0 0. Windows at 0 and 2 with entries two apart: 0 + 40, 4 + 0.
        let y = perturbed_convolution(shape, &layer, &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(y, [-39.5, -3.5]);
        // A sum does not reach the padding: 0 3 4 5 0 0 gives 0 + 40, 4 + 0.
        let additive = PerturbedLayer { perturbation: Perturbation::Additive, ..layer };
        let y = perturbed_convolution(shape, &additive, &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(y, [39.5, 3.5]);
    }

    #[test]
    fn a_kernel_of_one_entry_on_one_pixel_is_the_linear_map() {
        let shape = ConvShape {
            height: 1,
            width: 1,
            kernel: (1, 1),
            stride: (1, 1),
            dilation: (1, 1),
            pads: Pads::default(),
            ..SHAPE
        };
        let (weight, input, x) = (values(6, 0.1), values(8, 0.2), values(8, 0.3));
        let layer = PerturbedLayer {
            weight: &weight[..],
            input_factor: Some(Factor { values: &input[..], rows: FactorRows::PerExample }),
            output_factor: None,
            bias: None,
            perturbation: Perturbation::Multiplicative,
            activation: Activation::Tanh,
        };
        let linear = LinearShape { n_members: 2, batch_size: 2, d_in: 2, d_out: 3 };
        let expected = perturbed_linear(linear, &layer, &x).unwrap();
        assert_eq!(perturbed_convolution(shape, &layer, &x).unwrap(), expected);
    }

    #[test]
    fn gradients_are_central_differences() {
        let sizes = SHAPE.sizes();
        let (x, grad_y) = (values(4 * 5 * 4 * 2, 0.3), values(sizes.out_rows() * 3, 0.7));
        assert_gradients_are_differences(
            &sizes,
            &x,
            &grad_y,
            |layer, x| perturbed_convolution(SHAPE, layer, x).unwrap(),
            |layer| perturbed_convolution_backward(SHAPE, layer, &x, &grad_y).unwrap(),
        );
    }
}
