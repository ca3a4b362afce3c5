//! What the kernels are compared with: the formulas of `rank1-core` in f64, called with the arguments of a launch.
//!
//! Draws are written out here, from the integers of core's stream: core's own draws are f32.

use std::f64::consts::{PI, TAU};

use ndarray::{Array, Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayView3, ArrayView4, Dimension, s};
use rank1_core::conv::{self, Padding, Pads, PerturbedConv2d};
use rank1_core::likelihood::Likelihood;
use rank1_core::noise::philox4x32;
use rank1_core::numeric::{sigmoid, softplus};
use rank1_core::objective::{NllForm, NllGrads, log_likelihoods, nll_from_log_likelihoods, nll_from_outputs};
use rank1_core::perturb::PerturbedLinear;
use rank1_core::targets::Targets;
use rank1_gpu::{
    Activation, ConvShape, Draw, DrawShape, Factor, FactorRows, Family, LayerGrads, LinearShape, NoiseKind,
    OutputShape, ParameterGradients, PerturbedLayer, ScaleParameter,
};

/// The random word of entry `index` of a row.
pub(crate) fn word(key: [u32; 2], [step, member, example]: [u32; 3], index: u32) -> u32 {
    philox4x32([index / 4, example, member, step], key)[index as usize % 4]
}

/// The standard noise of an entry: the exact functions of the words that the contract of core's stream names.
fn noise(kind: NoiseKind, key: [u32; 2], row: [u32; 3], index: u32) -> f64 {
    let unit = |word: u32| (f64::from(word >> 9) + 0.5) / 8_388_608.0;
    let lane = index % 4;
    let word = |lane: u32| word(key, row, index / 4 * 4 + lane);
    match kind {
        NoiseKind::Uniform => unit(word(lane)),
        NoiseKind::Cauchy => (PI * (unit(word(lane)) - 0.5)).tan(),
        NoiseKind::Normal => {
            let radius = (-2.0 * unit(word(lane & 2)).ln()).sqrt();
            let angle = TAU * ((f64::from(word(lane | 1) >> 7) + 0.5) / 33_554_432.0 - 0.125);
            radius * if lane % 2 == 0 { angle.cos() } else { angle.sin() }
        }
    }
}

/// A factor and its derivatives in location and scale parameter; none, not even NaN, where a clip cut it.
fn factor(draw: &Draw, location: f64, parameter: f64, noise: f64) -> (f64, Option<[f64; 2]>) {
    let (scale, slope) = match draw.scale {
        ScaleParameter::Positive => (parameter, 1.0),
        ScaleParameter::Softplus => {
            (softplus(parameter) + f64::from(ScaleParameter::FLOOR), sigmoid(parameter))
        }
    };
    let sum = location + scale * noise;
    let (value, d_sum) = match draw.family {
        Family::LocationScale => (sum, 1.0),
        Family::LogNormal => (sum.exp(), sum.exp()),
    };
    match draw.clip {
        Some(clip) if value < f64::from(clip.min()) => (clip.min().into(), None),
        Some(clip) if value > f64::from(clip.max()) => (clip.max().into(), None),
        _ => (value, Some([d_sum, d_sum * noise * slope])),
    }
}

/// Every entry of `[K, n_examples, D]` with the position of its parameters.
fn factors<'a>(
    draw: &'a Draw,
    shape: DrawShape,
    location: &'a [f32],
    scale: &'a [f32],
) -> impl Iterator<Item = (usize, (f64, Option<[f64; 2]>))> + 'a {
    let DrawShape { n_members, n_examples, width } = shape;
    (0..n_members * n_examples * width).map(move |position| {
        let (row, index) = (position / width, position % width);
        let (member, example) = (row / n_examples, row % n_examples);
        let at = [draw.step, draw.first_member + member as u32, draw.first_example + example as u32];
        let noise = noise(draw.kind, draw.key, at, index as u32);
        let from = member * width + index;
        (from, factor(draw, location[from].into(), scale[from].into(), noise))
    })
}

/// Factors `[K, n_examples, D]` of parameters `[K, D]`.
pub(crate) fn draw_factors(draw: &Draw, shape: DrawShape, location: &[f32], scale: &[f32]) -> Vec<f64> {
    factors(draw, shape, location, scale).map(|(_, (value, _))| value).collect()
}

/// Gradients `[K, D]` of the parameters from those of the factors.
pub(crate) fn draw_factors_backward(
    draw: &Draw,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
    d_factors: &[f32],
) -> ParameterGradients<Vec<f64>> {
    let (mut d_location, mut d_scale) = (vec![0.0; location.len()], vec![0.0; location.len()]);
    for ((at, (_, slopes)), gradient) in factors(draw, shape, location, scale).zip(d_factors) {
        if let Some([location, scale]) = slopes {
            d_location[at] += f64::from(*gradient) * location;
            d_scale[at] += f64::from(*gradient) * scale;
        }
    }
    ParameterGradients { d_location, d_scale }
}

/// The arrays of a layer in f64.
struct Wide {
    weight: Vec<f64>,
    input_factor: Option<Array3<f64>>,
    output_factor: Option<Array3<f64>>,
    bias: Option<Array2<f64>>,
}

fn wide<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| (*value).into()).collect()
}

impl Wide {
    fn new<T: Copy + Into<f64>>(
        layer: &PerturbedLayer<'_, [T]>,
        (k, b): (usize, usize),
        (c_in, c_out): (usize, usize),
    ) -> Self {
        let factor = |factor: Factor<'_, [T]>, width| {
            let rows = if factor.rows == FactorRows::PerMember { 1 } else { b };
            Array3::from_shape_vec((k, rows, width), wide(factor.values)).unwrap()
        };
        Self {
            weight: wide(layer.weight),
            input_factor: layer.input_factor.map(|of| factor(of, c_in)),
            output_factor: layer.output_factor.map(|of| factor(of, c_out)),
            bias: layer.bias.map(|bias| Array2::from_shape_vec((k, c_out), wide(bias)).unwrap()),
        }
    }

    fn factors(&self) -> [Option<ArrayView3<'_, f64>>; 2] {
        [&self.input_factor, &self.output_factor].map(|factor| factor.as_ref().map(|values| values.view()))
    }

    fn linear<T>(&self, shape: LinearShape, layer: &PerturbedLayer<'_, [T]>) -> PerturbedLinear<'_, f64> {
        let [input_factor, output_factor] = self.factors();
        PerturbedLinear {
            weight: ArrayView2::from_shape((shape.d_in, shape.d_out), &self.weight).unwrap(),
            input_factor,
            output_factor,
            bias: self.bias.as_ref().map(|bias| bias.view()),
            perturbation: layer.perturbation,
            n_members: shape.n_members,
        }
    }

    fn convolution<T>(&self, shape: ConvShape, layer: &PerturbedLayer<'_, [T]>) -> PerturbedConv2d<'_, f64> {
        let [input_factor, output_factor] = self.factors();
        let ConvShape { height, width, c_in, c_out, kernel, stride, dilation, .. } = shape;
        let Pads { top, bottom, left, right } = shape.pads;
        let padding = Padding::Explicit { top, bottom, left, right };
        let weight = ArrayView4::from_shape((kernel.0, kernel.1, c_in, c_out), &self.weight).unwrap();
        PerturbedConv2d {
            shape: conv::ConvShape { height, width, c_in, c_out, kernel, stride, dilation, padding },
            weight,
            input_factor,
            output_factor,
            bias: self.bias.as_ref().map(|bias| bias.view()),
            perturbation: layer.perturbation,
            n_members: shape.n_members,
        }
    }
}

fn activate(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Identity => z,
        Activation::Relu if z <= 0.0 => 0.0,
        Activation::Relu => z,
        Activation::Tanh => z.tanh(),
    }
}

/// The gradient before the activation, from the value before it.
fn activate_backward(activation: Activation, z: f64, gradient: f64) -> f64 {
    match activation {
        Activation::Identity => gradient,
        Activation::Relu if z <= 0.0 => 0.0,
        Activation::Relu => gradient,
        Activation::Tanh => gradient * (1.0 - z.tanh().powi(2)),
    }
}

/// Core's gradients as flat buffers, as a launch gives them.
fn gradients<D: Dimension>(
    x: Array<f64, D>,
    weight: Array<f64, D>,
    factors: [Option<Array3<f64>>; 2],
    bias: Option<Array2<f64>>,
) -> LayerGrads<Vec<f64>> {
    let [input_factor, output_factor] =
        factors.map(|factor| factor.map(|values| values.into_iter().collect()));
    LayerGrads {
        x: x.into_iter().collect(),
        weight: weight.into_iter().collect(),
        input_factor,
        output_factor,
        bias: bias.map(|values| values.into_iter().collect()),
    }
}

/// Outputs `[K * B, D_out]`.
pub(crate) fn perturbed_linear<T: Copy + Into<f64>>(
    shape: LinearShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
) -> Vec<f64> {
    let arrays = Wide::new(layer, (shape.n_members, shape.batch_size), (shape.d_in, shape.d_out));
    let x = Array2::from_shape_vec((shape.n_members * shape.batch_size, shape.d_in), wide(x)).unwrap();
    let z = arrays.linear(shape, layer).forward(x.view()).unwrap();
    z.into_iter().map(|z| activate(layer.activation, z)).collect()
}

/// Gradients of everything that the layer reads.
pub(crate) fn perturbed_linear_backward<T: Copy + Into<f64>>(
    shape: LinearShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
    grad_y: &[T],
) -> LayerGrads<Vec<f64>> {
    let rows = shape.n_members * shape.batch_size;
    let arrays = Wide::new(layer, (shape.n_members, shape.batch_size), (shape.d_in, shape.d_out));
    let core = arrays.linear(shape, layer);
    let x = Array2::from_shape_vec((rows, shape.d_in), wide(x)).unwrap();
    let mut gradient = Array2::from_shape_vec((rows, shape.d_out), wide(grad_y)).unwrap();
    let z = core.forward(x.view()).unwrap();
    gradient.zip_mut_with(&z, |gradient, z| *gradient = activate_backward(layer.activation, *z, *gradient));
    let got = core.backward(x.view(), gradient.view()).unwrap();
    gradients(got.x, got.weight, [got.input_factor, got.output_factor], got.bias)
}

/// Outputs `[K * B, OH, OW, C_out]`.
pub(crate) fn perturbed_convolution<T: Copy + Into<f64>>(
    shape: ConvShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
) -> Vec<f64> {
    let arrays = Wide::new(layer, (shape.n_members, shape.batch_size), (shape.c_in, shape.c_out));
    let z = arrays.convolution(shape, layer).forward(images(shape, &wide(x))).unwrap();
    z.into_iter().map(|z| activate(layer.activation, z)).collect()
}

fn images(shape: ConvShape, x: &[f64]) -> ArrayView4<'_, f64> {
    let n = shape.n_members * shape.batch_size;
    ArrayView4::from_shape((n, shape.height, shape.width, shape.c_in), x).unwrap()
}

/// Gradients of everything that the layer reads.
pub(crate) fn perturbed_convolution_backward<T: Copy + Into<f64>>(
    shape: ConvShape,
    layer: &PerturbedLayer<'_, [T]>,
    x: &[T],
    grad_y: &[T],
) -> LayerGrads<Vec<f64>> {
    let arrays = Wide::new(layer, (shape.n_members, shape.batch_size), (shape.c_in, shape.c_out));
    let core = arrays.convolution(shape, layer);
    let x = wide(x);
    let mut gradient = core.forward(images(shape, &x)).unwrap();
    for (gradient, grad_y) in gradient.iter_mut().zip(grad_y) {
        *gradient = activate_backward(layer.activation, *gradient, (*grad_y).into());
    }
    let got = core.backward(images(shape, &x), gradient.view()).unwrap();
    gradients(got.x, got.weight, [got.input_factor, got.output_factor], got.bias)
}

/// The loss of every example, and the gradients of their mean.
pub(crate) fn nll_with_gradient(
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &[f32],
    targets: &Targets,
    raw_noise: Option<&[f32]>,
) -> (Vec<f64>, NllGrads<f64>) {
    let OutputShape { n_samples, n_members, n_examples, n_outputs } = shape;
    let outputs = wide(outputs);
    let outputs = ArrayView4::from_shape((n_samples, n_members, n_examples, n_outputs), &outputs).unwrap();
    let raw_noise = raw_noise.map(|raw| Array1::from(wide(raw)));
    let raw_noise = raw_noise.as_ref().map(|raw: &Array1<f64>| -> ArrayView1<'_, f64> { raw.view() });
    let terms = log_likelihoods(likelihood, outputs, targets, raw_noise).unwrap();
    let of_example = |b: usize| nll_from_log_likelihoods(terms.slice(s![.., .., b..b + 1]), form).unwrap().0;
    let values = (0..n_examples).map(of_example).collect();
    (values, nll_from_outputs(likelihood, outputs, targets, raw_noise, form).unwrap())
}
