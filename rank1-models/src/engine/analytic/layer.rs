//! One perturbed linear layer: `h = activation(((a ∘ s) W) ∘ r + b)` and its gradient, for all rows at once.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rank1_core::Real;
use rank1_core::noise::{At, NoiseStream};
use rank1_core::numeric::{sigmoid, softplus};
use rank1_priors::SCALE_FLOOR;

use super::activation;
use super::factor::{FactorBuffers, Rows};
use crate::engine::{DrawKey, Site};
use crate::method::Estimator;
use crate::network::{FactorPlan, LayerPlan, Network, WeightPlan};

/// What a layer reads: the batch's examples (shared by members and samples), or the rows of the layer below.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a, F> {
    Examples(ArrayView2<'a, F>),
    Rows(&'a [F]),
}

impl<'a, F> Source<'a, F> {
    fn row(self, rows: Rows, row: usize, width: usize) -> &'a [F] {
        match self {
            Self::Rows(flat) => &flat[row * width..(row + 1) * width],
            Self::Examples(inputs) => {
                let row = inputs.index_axis_move(ndarray::Axis(0), row % rows.examples);
                row.to_slice().expect("batches are contiguous by construction")
            }
        }
    }
}

/// What the backward pass of a layer needs from its forward pass.
#[derive(Debug)]
pub(super) struct LayerBuffers<F> {
    input_factor: FactorBuffers<F>,
    output_factor: FactorBuffers<F>,
    /// Rows after the input factor.
    perturbed: Vec<F>,
    /// Rows after the product, before the output factor.
    product: Vec<F>,
    /// Rows after factor and bias.
    pre: Vec<F>,
    /// Rows after the activation.
    out: Vec<F>,
    mean_field: MeanFieldBuffers<F>,
}

#[derive(Debug)]
struct MeanFieldBuffers<F> {
    /// Standard noise `[S, D_in, D_out]`.
    noise: Vec<F>,
    /// Drawn weights (reparameterized) or drawn deviations (flipout), like `noise`.
    weights: Vec<F>,
    input_signs: Vec<F>,
    output_signs: Vec<F>,
    signed_inputs: Vec<F>,
    signed_products: Vec<F>,
    raw: Vec<f32>,
}

impl<F: Real> LayerBuffers<F> {
    pub(super) fn new() -> Self {
        let mean_field = MeanFieldBuffers {
            noise: Vec::new(),
            weights: Vec::new(),
            input_signs: Vec::new(),
            output_signs: Vec::new(),
            signed_inputs: Vec::new(),
            signed_products: Vec::new(),
            raw: Vec::new(),
        };
        Self {
            input_factor: FactorBuffers::new(),
            output_factor: FactorBuffers::new(),
            perturbed: Vec::new(),
            product: Vec::new(),
            pre: Vec::new(),
            out: Vec::new(),
            mean_field,
        }
    }

    pub(super) fn output(&self) -> &[F] {
        &self.out
    }

    pub(super) fn forward(
        &mut self,
        network: &Network,
        index: usize,
        parameters: &[F],
        source: Source<'_, F>,
        rows: Rows,
        key: DrawKey,
    ) {
        let layer = &network.layers[index];
        let layout = &network.layout;
        let (d_in, d_out, n) = (layer.d_in, layer.d_out, rows.len());
        let site = (Site::InputFactor, index);
        self.input_factor.prepare(&layer.input_factor, layout, parameters, d_in, rows, site, key);
        let site = (Site::OutputFactor, index);
        self.output_factor.prepare(&layer.output_factor, layout, parameters, d_out, rows, site, key);
        resize(&mut self.perturbed, n * d_in);
        for (row, out) in self.perturbed.chunks_exact_mut(d_in).enumerate() {
            let x = source.row(rows, row, d_in);
            self.input_factor.apply(&layer.input_factor, layer.perturbation, rows, row, x, out);
        }
        resize(&mut self.product, n * d_out);
        self.multiply(network, index, parameters, rows, key);
        resize(&mut self.pre, n * d_out);
        let bias = layout.slice(parameters, layer.bias);
        for (row, (pre, z)) in
            self.pre.chunks_exact_mut(d_out).zip(self.product.chunks_exact(d_out)).enumerate()
        {
            self.output_factor.apply(&layer.output_factor, layer.perturbation, rows, row, z, pre);
            let member = rows.member(row);
            for (p, &b) in pre.iter_mut().zip(&bias[member * d_out..(member + 1) * d_out]) {
                *p += b;
            }
        }
        resize(&mut self.out, n * d_out);
        activation::apply(layer.activation, &self.pre, &mut self.out);
    }

    /// `product = perturbed · W`, with W drawn where it is random.
    fn multiply(&mut self, network: &Network, index: usize, parameters: &[F], rows: Rows, key: DrawKey) {
        let layer = &network.layers[index];
        let (d_in, d_out) = (layer.d_in, layer.d_out);
        let weight = network.layout.matrix(parameters, layer.weight);
        let WeightPlan::MeanField { scale, estimator, .. } = &layer.weight_plan else {
            product(matrix(&self.perturbed, d_in), weight, F::zero(), matrix_mut(&mut self.product, d_out));
            return;
        };
        self.draw_weights(network, index, parameters, *scale, *estimator, rows, key);
        let buffers = &mut self.mean_field;
        let per_sample = rows.members * rows.examples;
        if *estimator == Estimator::Reparameterized {
            for (sample, drawn) in buffers.weights.chunks_exact(d_in * d_out).enumerate() {
                let input = matrix(block(&self.perturbed, sample, per_sample * d_in), d_in);
                let out = matrix_mut(block_mut(&mut self.product, sample, per_sample * d_out), d_out);
                product(input, matrix(drawn, d_out), F::zero(), out);
            }
            return;
        }
        resize(&mut buffers.signed_inputs, self.perturbed.len());
        multiply_into(&mut buffers.signed_inputs, &self.perturbed, &buffers.input_signs);
        for (sample, drawn) in buffers.weights.chunks_exact(d_in * d_out).enumerate() {
            let input = matrix(block(&buffers.signed_inputs, sample, per_sample * d_in), d_in);
            let out = matrix_mut(block_mut(&mut self.product, sample, per_sample * d_out), d_out);
            product(input, matrix(drawn, d_out), F::zero(), out);
        }
        for (z, &sign) in self.product.iter_mut().zip(&buffers.output_signs) {
            *z *= sign;
        }
        product(matrix(&self.perturbed, d_in), weight, F::one(), matrix_mut(&mut self.product, d_out));
    }

    fn draw_weights(
        &mut self,
        network: &Network,
        index: usize,
        parameters: &[F],
        scale: crate::params::ParamId,
        estimator: Estimator,
        rows: Rows,
        key: DrawKey,
    ) {
        let layer = &network.layers[index];
        let size = layer.d_in * layer.d_out;
        let b = &mut self.mean_field;
        b.raw.resize(rows.samples * size, 0.0);
        for (sample, out) in b.raw.chunks_exact_mut(size).enumerate() {
            let stream = Site::Weight.stream(key.seed, index, key.first_sample + sample as u32);
            stream.fill_normal(At { step: key.step, member: 0, example: 0 }, out);
        }
        b.noise.clear();
        b.noise.extend(b.raw.iter().map(|&n| F::of(f64::from(n))));
        let raw_scale = network.layout.slice(parameters, scale);
        let mean = network.layout.slice(parameters, layer.weight);
        let floor = F::of(SCALE_FLOOR);
        resize(&mut b.weights, b.noise.len());
        for (drawn, noise) in b.weights.chunks_exact_mut(size).zip(b.noise.chunks_exact(size)) {
            for (((w, &n), &raw), &m) in drawn.iter_mut().zip(noise).zip(raw_scale).zip(mean) {
                let deviation = (softplus(raw) + floor) * n;
                *w = if estimator == Estimator::Flipout { deviation } else { m + deviation };
            }
        }
        if estimator == Estimator::Flipout {
            signs(&mut b.input_signs, &mut b.raw, Site::InputSign, index, layer.d_in, rows, key);
            signs(&mut b.output_signs, &mut b.raw, Site::OutputSign, index, layer.d_out, rows, key);
        }
    }

    /// Adds this layer's parameter gradients; `gradient_rows` (of the output) becomes `below` (of the source).
    pub(super) fn backward(
        &mut self,
        network: &Network,
        index: usize,
        parameters: &[F],
        gradient: &mut [F],
        source: Source<'_, F>,
        rows: Rows,
        gradient_rows: &mut [F],
        below: &mut Vec<F>,
    ) {
        let layer = &network.layers[index];
        let layout = &network.layout;
        let (d_in, d_out) = (layer.d_in, layer.d_out);
        activation::backward(layer.activation, &self.pre, &self.out, gradient_rows);
        let bias = layout.slice_mut(gradient, layer.bias);
        for (row, g) in gradient_rows.chunks_exact(d_out).enumerate() {
            let member = rows.member(row);
            for (b, &g) in bias[member * d_out..(member + 1) * d_out].iter_mut().zip(g) {
                *b += g;
            }
        }
        let mut none = [];
        let sink = location_slice(&layer.output_factor, network, gradient).unwrap_or(&mut none);
        let parts = gradient_rows.chunks_exact_mut(d_out).zip(self.product.chunks_exact(d_out));
        for (row, (g, z)) in parts.enumerate() {
            self.output_factor.backward(&layer.output_factor, layer.perturbation, rows, row, z, g, sink);
        }
        self.output_factor.finish(&layer.output_factor, network, parameters, gradient);
        self.product_backward(network, index, parameters, gradient, rows, gradient_rows);
        let learns_input = matches!(layer.input_factor, FactorPlan::Point { .. } | FactorPlan::Random { .. });
        if index == 0 && !learns_input {
            return;
        }
        resize(below, rows.len() * d_in);
        self.rows_below(layer, network, parameters, rows, gradient_rows, below);
        let mut none = [];
        let sink = location_slice(&layer.input_factor, network, gradient).unwrap_or(&mut none);
        for (row, g) in below.chunks_exact_mut(d_in).enumerate() {
            let x = source.row(rows, row, d_in);
            self.input_factor.backward(&layer.input_factor, layer.perturbation, rows, row, x, g, sink);
        }
        self.input_factor.finish(&layer.input_factor, network, parameters, gradient);
    }

    /// Adds the gradients of the weight matrix (and of its scales).
    fn product_backward(
        &mut self,
        network: &Network,
        index: usize,
        parameters: &[F],
        gradient: &mut [F],
        rows: Rows,
        dz: &[F],
    ) {
        let layer = &network.layers[index];
        let (d_in, d_out) = (layer.d_in, layer.d_out);
        let own = network.layout.slice_mut(gradient, layer.weight);
        let shared = matrix(&self.perturbed, d_in);
        let WeightPlan::MeanField { scale, estimator, .. } = &layer.weight_plan else {
            product(shared.t(), matrix(dz, d_out), F::one(), matrix_mut(own, d_out));
            return;
        };
        let buffers = &mut self.mean_field;
        let per_sample = rows.members * rows.examples;
        let flipout = *estimator == Estimator::Flipout;
        if flipout {
            product(shared.t(), matrix(dz, d_out), F::one(), matrix_mut(own, d_out));
            resize(&mut buffers.signed_products, dz.len());
            multiply_into(&mut buffers.signed_products, dz, &buffers.output_signs);
        }
        let raw_scale = network.layout.slice(parameters, *scale).to_vec();
        let mut d_drawn = vec![F::zero(); d_in * d_out];
        for sample in 0..rows.samples {
            let (left, right) = if flipout {
                (&buffers.signed_inputs[..], &buffers.signed_products[..])
            } else {
                (&self.perturbed[..], dz)
            };
            let left = matrix(block(left, sample, per_sample * d_in), d_in);
            let right = matrix(block(right, sample, per_sample * d_out), d_out);
            product(left.t(), right, F::zero(), matrix_mut(&mut d_drawn, d_out));
            if !flipout {
                let own = network.layout.slice_mut(gradient, layer.weight);
                own.iter_mut().zip(&d_drawn).for_each(|(o, &d)| *o += d);
            }
            let noise = block(&buffers.noise, sample, d_in * d_out);
            let out = network.layout.slice_mut(gradient, *scale);
            for (((o, &d), &n), &raw) in out.iter_mut().zip(&d_drawn).zip(noise).zip(&raw_scale) {
                *o += d * n * sigmoid(raw);
            }
        }
    }

    /// `below = dz · Wᵀ`, before the input factor.
    fn rows_below(
        &mut self,
        layer: &LayerPlan,
        network: &Network,
        parameters: &[F],
        rows: Rows,
        dz: &[F],
        below: &mut [F],
    ) {
        let (d_in, d_out) = (layer.d_in, layer.d_out);
        let weight = network.layout.matrix(parameters, layer.weight);
        let per_sample = rows.members * rows.examples;
        let WeightPlan::MeanField { estimator, .. } = &layer.weight_plan else {
            product(matrix(dz, d_out), weight.t(), F::zero(), matrix_mut(below, d_in));
            return;
        };
        let buffers = &self.mean_field;
        let flipout = *estimator == Estimator::Flipout;
        let gradients = if flipout { &buffers.signed_products[..] } else { dz };
        for (sample, drawn) in buffers.weights.chunks_exact(d_in * d_out).enumerate() {
            let g = matrix(block(gradients, sample, per_sample * d_out), d_out);
            let out = matrix_mut(block_mut(below, sample, per_sample * d_in), d_in);
            product(g, matrix(drawn, d_out).t(), F::zero(), out);
        }
        if flipout {
            below.iter_mut().zip(&buffers.input_signs).for_each(|(o, &sign)| *o *= sign);
            product(matrix(dz, d_out), weight.t(), F::one(), matrix_mut(below, d_in));
        }
    }
}

fn location_slice<'a, F>(plan: &FactorPlan, network: &Network, gradient: &'a mut [F]) -> Option<&'a mut [F]> {
    match plan {
        FactorPlan::Point { location, .. } | FactorPlan::Random { location, .. } => {
            Some(network.layout.slice_mut(gradient, *location))
        }
        _ => None,
    }
}

fn signs<F: Real>(
    out: &mut Vec<F>,
    raw: &mut Vec<f32>,
    site: Site,
    layer: usize,
    width: usize,
    rows: Rows,
    key: DrawKey,
) {
    raw.resize(rows.len() * width, 0.0);
    for (row, chunk) in raw.chunks_exact_mut(width).enumerate() {
        let sample = (row / (rows.members * rows.examples)) as u32;
        let stream: NoiseStream = site.stream(key.seed, layer, key.first_sample + sample);
        let example = key.first_example + (row % rows.examples) as u32;
        stream.fill_sign(At { step: key.step, member: 0, example }, chunk);
    }
    out.clear();
    out.extend(raw.iter().map(|&s| F::of(f64::from(s))));
}

/// `out = a · b + beta * out`.
fn product<F: Real>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, beta: F, mut out: ArrayViewMut2<'_, F>) {
    general_mat_mul(F::one(), &a, &b, beta, &mut out);
}

fn matrix<F>(flat: &[F], columns: usize) -> ArrayView2<'_, F> {
    ArrayView2::from_shape((flat.len() / columns, columns), flat).expect("buffers hold whole rows")
}

fn matrix_mut<F>(flat: &mut [F], columns: usize) -> ArrayViewMut2<'_, F> {
    ArrayViewMut2::from_shape((flat.len() / columns, columns), flat).expect("buffers hold whole rows")
}

fn block<F>(flat: &[F], index: usize, size: usize) -> &[F] {
    &flat[index * size..(index + 1) * size]
}

fn block_mut<F>(flat: &mut [F], index: usize, size: usize) -> &mut [F] {
    &mut flat[index * size..(index + 1) * size]
}

fn resize<F: Real>(buffer: &mut Vec<F>, len: usize) {
    buffer.resize(len, F::zero());
}

fn multiply_into<F: Real>(out: &mut [F], a: &[F], b: &[F]) {
    for ((o, &x), &y) in out.iter_mut().zip(a).zip(b) {
        *o = x * y;
    }
}
