//! What linear maps and convolutions share on the host: factors, bias, activation, and their gradients.

use crate::Error;
use crate::linear::{Activation, Factor, FactorRows, LayerGrads, Perturbation, PerturbedLayer, Sizes};

/// What a layer does to one value of an example.
pub(super) struct Terms<'a, T> {
    pub(super) layer: &'a PerturbedLayer<'a, [T]>,
    pub(super) sizes: Sizes,
}

impl<T: Copy + Into<f64>> Terms<'_, T> {
    /// An input under its factor.
    pub(super) fn input(&self, example: usize, channel: usize, value: f64) -> f64 {
        match self.layer.input_factor {
            Some(factor) => self.perturb(value, factor, example, channel, self.sizes.c_in),
            None => value,
        }
    }

    /// The end of an output whose product is known.
    pub(super) fn output(&self, example: usize, channel: usize, product: f64) -> f64 {
        let mut z = match self.layer.output_factor {
            Some(factor) => self.perturb(product, factor, example, channel, self.sizes.c_out),
            None => product,
        };
        if let Some(bias) = self.layer.bias {
            z += bias[self.member(example) * self.sizes.c_out + channel].into();
        }
        match self.layer.activation {
            Activation::Identity => z,
            Activation::Relu if z <= 0.0 => 0.0,
            Activation::Relu => z,
            Activation::Tanh => z.tanh(),
        }
    }

    /// Adds to the gradients of bias and output factor; returns the gradient of the product.
    pub(super) fn output_backward(
        &self,
        grads: &mut LayerGrads<Vec<f64>>,
        example: usize,
        channel: usize,
        product: f64,
        grad_y: f64,
    ) -> f64 {
        let y = self.output(example, channel, product);
        let grad = match self.layer.activation {
            Activation::Identity => grad_y,
            Activation::Relu if y <= 0.0 => 0.0,
            Activation::Relu => grad_y,
            Activation::Tanh => grad_y * (1.0 - y * y),
        };
        if let Some(bias) = &mut grads.bias {
            bias[self.member(example) * self.sizes.c_out + channel] += grad;
        }
        let (Some(factor), Some(sums)) = (self.layer.output_factor, &mut grads.output_factor) else {
            return grad;
        };
        let at = self.position(factor, example, channel, self.sizes.c_out);
        match self.layer.perturbation {
            Perturbation::Multiplicative => {
                sums[at] += grad * product;
                grad * factor.values[at].into()
            }
            Perturbation::Additive => {
                sums[at] += grad;
                grad
            }
        }
    }

    /// Adds to the gradient of the input factor; returns the gradient of the input.
    pub(super) fn input_backward(
        &self,
        sums: &mut Option<Vec<f64>>,
        example: usize,
        channel: usize,
        x: f64,
        grad: f64,
    ) -> f64 {
        let (Some(factor), Some(sums)) = (self.layer.input_factor, sums) else {
            return grad;
        };
        let at = self.position(factor, example, channel, self.sizes.c_in);
        match self.layer.perturbation {
            Perturbation::Multiplicative => {
                sums[at] += grad * x;
                grad * factor.values[at].into()
            }
            Perturbation::Additive => {
                sums[at] += grad;
                grad
            }
        }
    }

    fn perturb(
        &self,
        value: f64,
        factor: Factor<'_, [T]>,
        example: usize,
        channel: usize,
        width: usize,
    ) -> f64 {
        let factor = factor.values[self.position(factor, example, channel, width)].into();
        match self.layer.perturbation {
            Perturbation::Multiplicative => value * factor,
            Perturbation::Additive => value + factor,
        }
    }

    fn position(&self, factor: Factor<'_, [T]>, example: usize, channel: usize, width: usize) -> usize {
        let row = match factor.rows {
            FactorRows::PerMember => self.member(example),
            FactorRows::PerExample => example,
        };
        row * width + channel
    }

    fn member(&self, example: usize) -> usize {
        example / self.sizes.batch_size
    }
}

pub(super) fn zeros<T>(sizes: &Sizes, layer: &PerturbedLayer<'_, [T]>) -> LayerGrads<Vec<f64>> {
    let zeros = |like: &[T]| vec![0.0; like.len()];
    LayerGrads {
        x: vec![0.0; sizes.in_rows() * sizes.c_in],
        weight: zeros(layer.weight),
        input_factor: layer.input_factor.map(|factor| zeros(factor.values)),
        output_factor: layer.output_factor.map(|factor| zeros(factor.values)),
        bias: layer.bias.map(zeros),
    }
}

pub(super) fn check<T>(
    op: &'static str,
    sizes: &Sizes,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
) -> Result<(), Error> {
    check_length(op, "x", x, &[sizes.in_rows(), sizes.c_in])?;
    sizes
        .buffers(layer)
        .into_iter()
        .try_for_each(|(argument, values, shape)| check_length(op, argument, values, &shape))
}

pub(super) fn check_length<T>(
    op: &'static str,
    argument: &'static str,
    values: &[T],
    shape: &[usize],
) -> Result<(), Error> {
    if values.len() == shape.iter().product::<usize>() {
        return Ok(());
    }
    Err(Error::ShapeMismatch { op, argument, expected: shape.to_vec(), got: values.len() })
}

/// The check of gradients by differences, for both kinds of layers.
#[cfg(test)]
pub(super) mod differences {
    use super::*;

    type Forward<'a> = &'a dyn Fn(&PerturbedLayer<'_, [f64]>, &[f64]) -> Vec<f64>;

    /// Values in (-1, 1), none alike and none near a multiple of the others.
    pub(crate) fn values(n: usize, phase: f64) -> Vec<f64> {
        (0..n).map(|i| (1.7 * i as f64 + phase).sin()).collect()
    }

    /// For both perturbations, all activations, both kinds of rows, and a layer of nothing but its weight.
    pub(crate) fn assert_gradients_are_differences(
        sizes: &Sizes,
        x: &[f64],
        grad_y: &[f64],
        forward: impl Fn(&PerturbedLayer<'_, [f64]>, &[f64]) -> Vec<f64>,
        backward: impl Fn(&PerturbedLayer<'_, [f64]>) -> LayerGrads<Vec<f64>>,
    ) {
        let weight = values(sizes.taps * sizes.c_in * sizes.c_out, 0.1);
        let bias = values(sizes.n_members * sizes.c_out, 0.2);
        let kinds = [FactorRows::PerMember, FactorRows::PerExample];
        for (kind, other) in [(kinds[0], kinds[1]), (kinds[1], kinds[0])] {
            let input = values(kind.count(sizes.n_members, sizes.batch_size) * sizes.c_in, 0.4);
            let output = values(other.count(sizes.n_members, sizes.batch_size) * sizes.c_out, 0.5);
            for perturbation in [Perturbation::Multiplicative, Perturbation::Additive] {
                for activation in [Activation::Identity, Activation::Relu, Activation::Tanh] {
                    let layer = PerturbedLayer {
                        weight: &weight[..],
                        input_factor: Some(Factor { values: &input[..], rows: kind }),
                        output_factor: Some(Factor { values: &output[..], rows: other }),
                        bias: Some(&bias[..]),
                        perturbation,
                        activation,
                    };
                    check_layer(&layer, x, grad_y, &forward, &backward(&layer));
                    let bare =
                        PerturbedLayer { input_factor: None, output_factor: None, bias: None, ..layer };
                    check_layer(&bare, x, grad_y, &forward, &backward(&bare));
                }
            }
        }
    }

    fn check_layer(
        layer: &PerturbedLayer<'_, [f64]>,
        x: &[f64],
        grad_y: &[f64],
        forward: Forward<'_>,
        grads: &LayerGrads<Vec<f64>>,
    ) {
        let scalar = |layer: &PerturbedLayer<'_, [f64]>, x: &[f64]| -> f64 {
            forward(layer, x).iter().zip(grad_y).map(|(y, grad)| y * grad).sum()
        };
        compare("x", x, &grads.x, &|moved| scalar(layer, moved));
        let weight = |weight: &[f64]| scalar(&PerturbedLayer { weight, ..*layer }, x);
        compare("weight", layer.weight, &grads.weight, &weight);
        if let (Some(factor), Some(grad)) = (layer.input_factor, &grads.input_factor) {
            let with = |values: &[f64]| {
                let input_factor = Some(Factor { values, ..factor });
                scalar(&PerturbedLayer { input_factor, ..*layer }, x)
            };
            compare("input_factor", factor.values, grad, &with);
        }
        if let (Some(factor), Some(grad)) = (layer.output_factor, &grads.output_factor) {
            let with = |values: &[f64]| {
                let output_factor = Some(Factor { values, ..factor });
                scalar(&PerturbedLayer { output_factor, ..*layer }, x)
            };
            compare("output_factor", factor.values, grad, &with);
        }
        if let (Some(bias), Some(grad)) = (layer.bias, &grads.bias) {
            compare("bias", bias, grad, &|bias| scalar(&PerturbedLayer { bias: Some(bias), ..*layer }, x));
        }
        let present = [layer.input_factor.is_some(), layer.output_factor.is_some(), layer.bias.is_some()];
        let got = [grads.input_factor.is_some(), grads.output_factor.is_some(), grads.bias.is_some()];
        assert_eq!(got, present);
    }

    fn compare(what: &str, at: &[f64], grad: &[f64], scalar: &dyn Fn(&[f64]) -> f64) {
        const STEP: f64 = 1e-6;
        assert_eq!(at.len(), grad.len(), "{what}");
        for (index, &grad) in grad.iter().enumerate() {
            let moved = |by: f64| {
                let mut moved = at.to_vec();
                moved[index] += by;
                scalar(&moved)
            };
            let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let error = (difference - grad).abs();
            assert!(error < 1e-7 * (1.0 + grad.abs()), "{what} {index}: {grad} is not {difference}");
        }
    }
}
