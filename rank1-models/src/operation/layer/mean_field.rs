//! Random weight matrices: one draw per sample, by reparameterization or Flipout.
//!
//! Flipout (Wen et al. 2018) multiplies the deviations by random signs per row, in and out, which decorrelates the rows of
//! a batch at the price of a second product.

use rank1_core::Real;
use rank1_core::noise::At;
use rank1_core::numeric::{sigmoid, softplus};
use rank1_priors::SCALE_FLOOR;

use super::WeightPlan;
use super::product::ProductBuffers;
use crate::engine::Site;
use crate::engine::analytic::{Draws, Pass, Rows, resize};
use crate::error::Error;
use crate::method::Estimator;
use crate::params::ParamId;

/// Draws of one layer's weights and what their gradients need.
#[derive(Debug)]
pub(in crate::operation) struct MeanFieldBuffers<F> {
    /// Standard noise, one weight matrix per sample.
    noise: Vec<F>,
    /// Drawn weights (reparameterized) or drawn deviations (flipout), like `noise`.
    weights: Vec<F>,
    /// Signs per row and channel.
    input_signs: Vec<F>,
    output_signs: Vec<F>,
    signed_inputs: Vec<F>,
    signed_products: Vec<F>,
    spare: Vec<F>,
    raw: Vec<f32>,
}

impl<F: Real> MeanFieldBuffers<F> {
    pub(in crate::operation) fn new() -> Self {
        Self {
            noise: Vec::new(),
            weights: Vec::new(),
            input_signs: Vec::new(),
            output_signs: Vec::new(),
            signed_inputs: Vec::new(),
            signed_products: Vec::new(),
            spare: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// `z = x W` with the W of each sample.
    pub(in crate::operation) fn forward(
        &mut self,
        pass: Pass<'_, F>,
        index: usize,
        products: &mut ProductBuffers<F>,
        x: &[F],
        z: &mut [F],
    ) -> Result<(), Error> {
        self.draw(pass, index);
        let layer = &pass.network.layers[index];
        let flipout = plan(pass, index).1 == Estimator::Flipout;
        if flipout {
            self.draw_signs(pass, index);
            resize(&mut self.signed_inputs, x.len());
            signed(&mut self.signed_inputs, x, &self.input_signs, layer.d_in, pass.rows);
        }
        let x_drawn = if flipout { &self.signed_inputs[..] } else { x };
        let samples = x_drawn.chunks_exact(x.len() / pass.rows.samples);
        let outs = z.chunks_exact_mut(z.len() / pass.rows.samples);
        let size = self.weights.len() / pass.rows.samples;
        for ((x, z), weight) in samples.zip(outs).zip(self.weights.chunks_exact(size)) {
            products.forward(layer, x, None, (weight, false), pass.rows.examples, z)?;
        }
        if flipout {
            sign_in_place(z, &self.output_signs, layer.d_out, pass.rows);
            resize(&mut self.spare, z.len());
            let mean = pass.network.layout.slice(pass.parameters, layer.weight);
            products.forward(layer, x, None, (mean, false), pass.rows.examples, &mut self.spare)?;
            z.iter_mut().zip(&self.spare).for_each(|(z, &mean)| *z += mean);
        }
        Ok(())
    }

    /// Adds the gradients of means and scales; `dz` is that of the product.
    pub(in crate::operation) fn weight_gradient(
        &mut self,
        pass: Pass<'_, F>,
        index: usize,
        products: &mut ProductBuffers<F>,
        x: &[F],
        dz: &[F],
        gradient: &mut [F],
    ) -> Result<(), Error> {
        let network = pass.network;
        let layer = &network.layers[index];
        let (scale, estimator) = plan(pass, index);
        let flipout = estimator == Estimator::Flipout;
        if flipout {
            let own = network.layout.slice_mut(gradient, layer.weight);
            products.weight_gradient(layer, x, None, dz, pass.rows.examples, own)?;
            resize(&mut self.signed_products, dz.len());
            signed(&mut self.signed_products, dz, &self.output_signs, layer.d_out, pass.rows);
        }
        let (x, dz) = if flipout { (&self.signed_inputs[..], &self.signed_products[..]) } else { (x, dz) };
        let raw_scale = network.layout.slice(pass.parameters, scale);
        let size = raw_scale.len();
        let parts =
            x.chunks_exact(x.len() / pass.rows.samples).zip(dz.chunks_exact(dz.len() / pass.rows.samples));
        for ((x, dz), noise) in parts.zip(self.noise.chunks_exact(size)) {
            self.spare.clear();
            self.spare.resize(size, F::zero());
            products.weight_gradient(layer, x, None, dz, pass.rows.examples, &mut self.spare)?;
            if !flipout {
                let own = network.layout.slice_mut(gradient, layer.weight);
                own.iter_mut().zip(&self.spare).for_each(|(o, &d)| *o += d);
            }
            let out = network.layout.slice_mut(gradient, scale);
            for (((o, &d), &n), &raw) in out.iter_mut().zip(&self.spare).zip(noise).zip(raw_scale) {
                *o += d * n * sigmoid(raw);
            }
        }
        Ok(())
    }

    /// `below = dz Wᵀ` with the W of each sample; after [`MeanFieldBuffers::weight_gradient`], whose signs it reads.
    pub(in crate::operation) fn input_gradient(
        &mut self,
        pass: Pass<'_, F>,
        index: usize,
        products: &mut ProductBuffers<F>,
        dz: &[F],
        below: &mut [F],
    ) -> Result<(), Error> {
        let layer = &pass.network.layers[index];
        let flipout = plan(pass, index).1 == Estimator::Flipout;
        let drawn = if flipout { &self.signed_products[..] } else { dz };
        let size = self.weights.len() / pass.rows.samples;
        let outs = below.chunks_exact_mut(below.len() / pass.rows.samples);
        let parts = drawn.chunks_exact(dz.len() / pass.rows.samples).zip(outs);
        for ((dz, out), weight) in parts.zip(self.weights.chunks_exact(size)) {
            products.input_gradient(layer, dz, weight, pass.rows.examples, out)?;
        }
        if flipout {
            sign_in_place(below, &self.input_signs, layer.d_in, pass.rows);
            resize(&mut self.spare, below.len());
            let mean = pass.network.layout.slice(pass.parameters, layer.weight);
            products.input_gradient(layer, dz, mean, pass.rows.examples, &mut self.spare)?;
            below.iter_mut().zip(&self.spare).for_each(|(o, &mean)| *o += mean);
        }
        Ok(())
    }

    /// The weights drawn for sample `sample`; for recurrent layers, which multiply by them themselves.
    pub(in crate::operation) fn weights_of(&self, sample: usize, samples: usize) -> &[F] {
        let size = self.weights.len() / samples;
        &self.weights[sample * size..(sample + 1) * size]
    }

    /// Adds the gradients of means and scales from those of one sample's drawn weights.
    pub(in crate::operation) fn add_drawn_gradient(
        &self,
        pass: Pass<'_, F>,
        index: usize,
        sample: usize,
        drawn: &[F],
        gradient: &mut [F],
    ) {
        let network = pass.network;
        let (scale, _) = plan(pass, index);
        let own = network.layout.slice_mut(gradient, network.layers[index].weight);
        own.iter_mut().zip(drawn).for_each(|(o, &d)| *o += d);
        let raw_scale = network.layout.slice(pass.parameters, scale);
        let noise = &self.noise[sample * drawn.len()..(sample + 1) * drawn.len()];
        let out = network.layout.slice_mut(gradient, scale);
        for (((o, &d), &n), &raw) in out.iter_mut().zip(drawn).zip(noise).zip(raw_scale) {
            *o += d * n * sigmoid(raw);
        }
    }

    /// Draws the weights of all samples.
    pub(in crate::operation) fn draw(&mut self, pass: Pass<'_, F>, index: usize) {
        let Pass { network, parameters, rows, key: Draws { key, .. }, .. } = pass;
        let layer = &network.layers[index];
        let (scale, estimator) = plan(pass, index);
        let raw_scale = network.layout.slice(parameters, scale);
        let mean = network.layout.slice(parameters, layer.weight);
        let size = mean.len();
        self.raw.resize(rows.samples * size, 0.0);
        for (sample, out) in self.raw.chunks_exact_mut(size).enumerate() {
            let stream = Site::Weight.stream(key.seed, index, key.first_sample + sample as u32);
            stream.fill_normal(At { step: key.step, member: 0, example: 0 }, out);
        }
        self.noise.clear();
        self.noise.extend(self.raw.iter().map(|&n| F::of(f64::from(n))));
        let floor = F::of(SCALE_FLOOR);
        resize(&mut self.weights, self.noise.len());
        for (drawn, noise) in self.weights.chunks_exact_mut(size).zip(self.noise.chunks_exact(size)) {
            for (((w, &n), &raw), &m) in drawn.iter_mut().zip(noise).zip(raw_scale).zip(mean) {
                let deviation = (softplus(raw) + floor) * n;
                *w = if estimator == Estimator::Flipout { deviation } else { m + deviation };
            }
        }
    }

    fn draw_signs(&mut self, pass: Pass<'_, F>, index: usize) {
        let layer = &pass.network.layers[index];
        let Pass { rows, key, .. } = pass;
        signs(&mut self.input_signs, &mut self.raw, (Site::InputSign, index), layer.d_in, rows, key);
        signs(&mut self.output_signs, &mut self.raw, (Site::OutputSign, index), layer.d_out, rows, key);
    }
}

fn plan<F>(pass: Pass<'_, F>, index: usize) -> (ParamId, Estimator) {
    match &pass.network.layers[index].weight_plan {
        WeightPlan::MeanField { scale, estimator, .. } => (*scale, *estimator),
        WeightPlan::Point => unreachable!("only random weights have mean-field buffers"),
    }
}

fn signs<F: Real>(
    out: &mut Vec<F>,
    raw: &mut Vec<f32>,
    (site, layer): (Site, usize),
    width: usize,
    rows: Rows,
    key: Draws<'_>,
) {
    raw.resize(rows.len() * width, 0.0);
    for (row, chunk) in raw.chunks_exact_mut(width).enumerate() {
        let sample = (row / rows.per_sample()) as u32;
        let stream = site.stream(key.key.seed, layer, key.key.first_sample + sample);
        let example = key.example(row % rows.examples);
        stream.fill_sign(At { step: key.key.step, member: 0, example }, chunk);
    }
    out.clear();
    out.extend(raw.iter().map(|&s| F::of(f64::from(s))));
}

/// `out = values ∘ signs`, the signs of a row repeated at every position.
fn signed<F: Real>(out: &mut [F], values: &[F], signs: &[F], channels: usize, rows: Rows) {
    out.copy_from_slice(values);
    sign_in_place(out, signs, channels, rows);
}

fn sign_in_place<F: Real>(values: &mut [F], signs: &[F], channels: usize, rows: Rows) {
    let width = values.len() / rows.len();
    for (values, signs) in values.chunks_exact_mut(width).zip(signs.chunks_exact(channels)) {
        for values in values.chunks_exact_mut(channels) {
            values.iter_mut().zip(signs).for_each(|(v, &s)| *v *= s);
        }
    }
}
