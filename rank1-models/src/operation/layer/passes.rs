//! One perturbed layer: `h = activation(((a ∘ s) W) ∘ r + b)` and its gradient, for all rows at once.
//!
//! The product is a matrix or a convolution; factors act per channel, the same at every position.

use rank1_core::Real;
use rank1_core::kernels::simd::vectorized;
use rank1_core::perturb::Perturbation;
use rayon::prelude::*;

use super::factor::FactorBuffers;
use super::mean_field::MeanFieldBuffers;
use super::product::ProductBuffers;
use super::{LayerPlan, Product, WeightPlan};
use crate::engine::Site;
use crate::engine::analytic::{PARALLEL_VALUES, Pass, Rows, Source, for_chunks, resize};
use crate::error::Error;
use crate::network::{Activation, FactorPlan, Network};
use crate::operation::activation;

/// Entries of the largest weight that is multiplied by its factors, once for each draw, to spare the rows that.
const MATRIX: usize = 1 << 16;

/// What the backward pass of a layer needs from its forward pass.
#[derive(Debug)]
pub(in crate::operation) struct LayerBuffers<F> {
    pub(in crate::operation) input_factor: FactorBuffers<F>,
    pub(in crate::operation) output_factor: FactorBuffers<F>,
    /// Rows after the input factor, where that changes them before the product reads them.
    perturbed: Vec<F>,
    /// Input factor of every row, where the product multiplies by it.
    folded: Vec<F>,
    /// Rows after the product, where an output factor follows.
    product: Vec<F>,
    /// Rows before the activation, where its derivative needs them.
    pre: Vec<F>,
    products: ProductBuffers<F>,
    mean_field: MeanFieldBuffers<F>,
    /// Weight of one draw with its factors in it.
    drawn_weight: Vec<F>,
}

impl<F: Real> LayerBuffers<F> {
    pub(in crate::operation) fn new() -> Self {
        Self {
            input_factor: FactorBuffers::new(),
            output_factor: FactorBuffers::new(),
            perturbed: Vec::new(),
            folded: Vec::new(),
            product: Vec::new(),
            pre: Vec::new(),
            products: ProductBuffers::new(),
            mean_field: MeanFieldBuffers::new(),
            drawn_weight: Vec::new(),
        }
    }

    /// To be called when the weight is another than in the predictions before.
    pub(in crate::operation) fn forget_weight(&mut self) {
        self.products.forget_weight();
    }

    /// Draws the factors of this pass.
    pub(in crate::operation) fn draw(&mut self, pass: Pass<'_, F>, index: usize) {
        let Pass { network, parameters, rows, key, .. } = pass;
        let (layer, layout) = (&network.layers[index], &network.layout);
        let site = (Site::InputFactor, index);
        self.input_factor.prepare(&layer.input_factor, layout, parameters, layer.d_in, rows, site, key);
        let site = (Site::OutputFactor, index);
        self.output_factor.prepare(&layer.output_factor, layout, parameters, layer.d_out, rows, site, key);
    }

    pub(in crate::operation) fn forward(
        &mut self,
        pass: Pass<'_, F>,
        index: usize,
        source: Source<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let Pass { network, parameters, rows, .. } = pass;
        let layer = &network.layers[index];
        self.draw(pass, index);
        if self.draws_are_matrices(pass, layer) {
            return self.forward_matrices(pass, layer, source, out);
        }
        if folds(layer, source) {
            self.input_factor.rows_into(&layer.input_factor, rows, &mut self.folded);
        } else if unperturbed(layer, source).is_none() {
            resize(&mut self.perturbed, rows.len() * layer.in_positions() * layer.d_in);
            self.input_factor.apply(
                &layer.input_factor,
                layer.perturbation,
                rows,
                source,
                &mut self.perturbed,
            );
        }
        resize(out, rows.len() * layer.out_positions() * layer.d_out);
        let has_output_factor = !layer.output_factor.is_absent();
        // The backward pass reads the product before its factor.
        let keeps_product = has_output_factor && pass.training.is_some();
        if keeps_product {
            resize(&mut self.product, out.len());
        }
        let x = unperturbed(layer, source).unwrap_or(&self.perturbed);
        let factor = folds(layer, source).then_some(&self.folded[..]);
        let z = if keeps_product { &mut self.product[..] } else { &mut out[..] };
        match &layer.weight_plan {
            WeightPlan::Point => {
                let weight = network.layout.slice(parameters, layer.weight);
                self.products.forward(
                    layer,
                    x,
                    factor,
                    (weight, pass.training.is_none()),
                    rows.examples,
                    z,
                )?;
            }
            WeightPlan::MeanField { .. } => {
                self.mean_field.forward(pass, index, &mut self.products, x, z)?;
            }
        }
        let bias = layer.bias.map(|id| network.layout.slice(parameters, id));
        let needs_pre = activation::needs_pre(layer.activation);
        let width = layer.out_positions() * layer.d_out;
        let changes = has_output_factor || bias.is_some() || layer.activation != Activation::Linear;
        // Without anything to do no thread is woken.
        for_chunks(
            if changes { out } else { &mut [] },
            width,
            #[inline(always)]
            |row, out| {
                if has_output_factor {
                    let z = keeps_product.then(|| &self.product[row * width..(row + 1) * width]);
                    self.output_factor.apply_to_row(layer.perturbation, rows, row, z, out);
                }
                if let Some(bias) = bias {
                    let shared = bias.len() == layer.d_out;
                    let member = if shared { 0 } else { rows.member(row) };
                    add_bias(&bias[member * layer.d_out..(member + 1) * layer.d_out], out);
                }
                if !needs_pre {
                    activation::apply_here(layer.activation, out);
                }
            },
        );
        if needs_pre {
            self.pre.clear();
            self.pre.extend_from_slice(out);
            activation::apply(layer.activation, out);
        }
        Ok(())
    }

    /// Whether a prediction multiplies the factors of a draw into the weight. Whatever the number of rows: a row has the same
    /// bits in any company.
    fn draws_are_matrices(&self, pass: Pass<'_, F>, layer: &LayerPlan) -> bool {
        let shared = |plan: &FactorPlan, factor: &FactorBuffers<F>| plan.is_absent() || factor.is_shared();
        pass.training.is_none()
            && layer.product == Product::Linear
            && matches!(layer.weight_plan, WeightPlan::Point)
            && layer.perturbation == Perturbation::Multiplicative
            && !(layer.input_factor.is_absent() && layer.output_factor.is_absent())
            && shared(&layer.input_factor, &self.input_factor)
            && shared(&layer.output_factor, &self.output_factor)
            && layer.d_in * layer.d_out <= MATRIX
    }

    /// The forward pass with one matrix for each draw.
    fn forward_matrices(
        &mut self,
        pass: Pass<'_, F>,
        layer: &LayerPlan,
        source: Source<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let Pass { network, parameters, rows, .. } = pass;
        let (d_in, d_out) = (layer.d_in, layer.d_out);
        let weight = network.layout.slice(parameters, layer.weight);
        let bias = layer.bias.map(|id| network.layout.slice(parameters, id));
        resize(out, rows.len() * d_out);
        resize(&mut self.drawn_weight, weight.len());
        for (block, out) in out.chunks_exact_mut(rows.examples * d_out).enumerate() {
            let first = block * rows.examples;
            let input = self.input_factor.of_row(&layer.input_factor, rows, first);
            let output = self.output_factor.of_row(&layer.output_factor, rows, first);
            let drawn = &mut self.drawn_weight[..];
            vectorized(
                #[inline(always)]
                || multiply_in(weight, input, output, d_out, drawn),
            );
            let x = source.block(first, rows.examples, d_in);
            self.products.forward_other(layer, x, drawn, out)?;
            let member = bias.map(|bias| {
                if bias.len() == d_out { bias } else { &bias[rows.member(first) * d_out..][..d_out] }
            });
            for_chunks(
                if member.is_some() || layer.activation != Activation::Linear { out } else { &mut [] },
                d_out,
                #[inline(always)]
                |_, out| {
                    if let Some(bias) = member {
                        add_bias(bias, out);
                    }
                    activation::apply_here(layer.activation, out);
                },
            );
        }
        Ok(())
    }

    /// Adds this layer's parameter gradients; `gradient_rows` (of the output) becomes that of the source in `below`.
    ///
    /// Nothing is written to `below` where neither an operation before (`wanted`) nor the input factor needs it.
    pub(in crate::operation) fn backward(
        &mut self,
        pass: Pass<'_, F>,
        (index, wanted): (usize, bool),
        gradient: &mut [F],
        source: Source<'_, F>,
        out: &[F],
        gradient_rows: &mut [F],
        below: &mut Vec<F>,
    ) -> Result<(), Error> {
        let Pass { network, parameters, rows, .. } = pass;
        let layer = &network.layers[index];
        let before = if activation::needs_pre(layer.activation) { &self.pre[..] } else { out };
        activation::backward(layer.activation, before, out, gradient_rows);
        if let Some(id) = layer.bias {
            add_bias_gradient(network.layout.slice_mut(gradient, id), layer, rows, gradient_rows);
        }
        let mut none = [];
        let sink = location_slice(&layer.output_factor, network, gradient).unwrap_or(&mut none);
        let z = Source::Rows(&self.product);
        self.output_factor.backward(&layer.output_factor, layer.perturbation, rows, z, gradient_rows, sink);
        self.output_factor.finish(&layer.output_factor, network, parameters, gradient);
        let x = unperturbed(layer, source).unwrap_or(&self.perturbed);
        let factor = folds(layer, source).then_some(&self.folded[..]);
        match &layer.weight_plan {
            WeightPlan::Point => {
                let own = network.layout.slice_mut(gradient, layer.weight);
                self.products.weight_gradient(layer, x, factor, gradient_rows, rows.examples, own)?;
            }
            WeightPlan::MeanField { .. } => {
                self.mean_field.weight_gradient(
                    pass,
                    index,
                    &mut self.products,
                    x,
                    gradient_rows,
                    gradient,
                )?;
            }
        }
        let learns_input = layer.input_factor.trained().is_some();
        if !wanted && !learns_input {
            return Ok(());
        }
        resize(below, rows.len() * layer.in_positions() * layer.d_in);
        match &layer.weight_plan {
            WeightPlan::Point => {
                let weight = network.layout.slice(parameters, layer.weight);
                self.products.input_gradient(layer, gradient_rows, weight, rows.examples, below)?;
            }
            WeightPlan::MeanField { .. } => {
                self.mean_field.input_gradient(pass, index, &mut self.products, gradient_rows, below)?;
            }
        }
        let mut none = [];
        let sink = location_slice(&layer.input_factor, network, gradient).unwrap_or(&mut none);
        self.input_factor.backward(&layer.input_factor, layer.perturbation, rows, source, below, sink);
        self.input_factor.finish(&layer.input_factor, network, parameters, gradient);
        Ok(())
    }
}

/// `out = diag(input) W diag(output)`; a factor that is absent is one.
#[inline(always)]
fn multiply_in<F: Real>(
    weight: &[F],
    input: Option<&[F]>,
    output: Option<&[F]>,
    d_out: usize,
    out: &mut [F],
) {
    for (i, (out, weight)) in out.chunks_exact_mut(d_out).zip(weight.chunks_exact(d_out)).enumerate() {
        let input = input.map_or(F::one(), |input| input[i]);
        match output {
            Some(output) => {
                let all = out.iter_mut().zip(weight).zip(output);
                all.for_each(|((o, &w), &r)| *o = input * w * r);
            }
            None => out.iter_mut().zip(weight).for_each(|(o, &w)| *o = input * w),
        }
    }
}

/// The rows that enter the product as they are: those of an earlier operation, with no factor or one that is folded in.
fn unperturbed<'a, F: Real>(layer: &LayerPlan, source: Source<'a, F>) -> Option<&'a [F]> {
    match source {
        Source::Rows(rows) if layer.input_factor.is_absent() || folds(layer, source) => Some(rows),
        _ => None,
    }
}

/// Whether the product multiplies by the input factor itself: a convolution of rows of its own, which it copies anyway.
fn folds<F: Real>(layer: &LayerPlan, source: Source<'_, F>) -> bool {
    matches!(layer.product, Product::Conv(_))
        && matches!(source, Source::Rows(_))
        && matches!(layer.weight_plan, WeightPlan::Point)
        && !layer.input_factor.is_absent()
        && layer.perturbation == Perturbation::Multiplicative
}

#[inline(always)]
fn add_bias<F: Real>(bias: &[F], row: &mut [F]) {
    for values in row.chunks_exact_mut(bias.len()) {
        values.iter_mut().zip(bias).for_each(|(value, &b)| *value += b);
    }
}

fn add_bias_gradient<F: Real>(bias: &mut [F], layer: &LayerPlan, rows: Rows, gradient_rows: &[F]) {
    let width = layer.out_positions() * layer.d_out;
    let one = |(member, bias): (usize, &mut [F])| {
        vectorized(
            #[inline(always)]
            || {
                for row in rows.of_member(member) {
                    for g in gradient_rows[row * width..(row + 1) * width].chunks_exact(layer.d_out) {
                        bias.iter_mut().zip(g).for_each(|(b, &g)| *b += g);
                    }
                }
            },
        );
    };
    if bias.len() == layer.d_out {
        // One bias for all members.
        (0..rows.members).for_each(|member| one((member, &mut *bias)));
    } else if gradient_rows.len() < PARALLEL_VALUES {
        bias.chunks_exact_mut(layer.d_out).enumerate().for_each(one);
    } else {
        bias.par_chunks_exact_mut(layer.d_out).enumerate().for_each(one);
    }
}

/// The gradient slice of a factor's locations.
pub(in crate::operation) fn location_slice<'a, F>(
    plan: &FactorPlan,
    network: &Network,
    gradient: &'a mut [F],
) -> Option<&'a mut [F]> {
    plan.trained().map(|factor| network.layout.slice_mut(gradient, factor.location))
}
