//! The recurrent layer: draws fixed over a sequence, the math of [`rank1_core::kernels::lstm`], gradients back to parameters.
//!
//! Samples run one after the other, because random weights are drawn once per sample.

use ndarray::ArrayView2;
use rank1_core::Real;
use rank1_core::kernels::lstm::{self, LstmCell, LstmFactors, LstmGrads, LstmShape, LstmTape};

use super::layer::{LayerBuffers, location_slice};
use super::mean_field::MeanFieldBuffers;
use super::rows::{Pass, Rows, Source};
use crate::error::Error;
use crate::network::{FactorPlan, LstmPlan, WeightPlan};

/// What a recurrent layer keeps from its forward pass.
#[derive(Debug)]
pub(super) struct RecurrentBuffers<F> {
    /// Steps of all rows, `[S K B, T, D]`.
    x: Vec<F>,
    lengths: Vec<usize>,
    /// Factors of all rows: on the inputs, on their product, on the state, on its product.
    factors: [Vec<F>; 4],
    /// One tape per sample.
    tapes: Vec<LstmTape<F>>,
    grads: LstmGrads<F>,
    weights: [MeanFieldBuffers<F>; 2],
    row_gradients: [Vec<F>; 4],
}

impl<F: Real> RecurrentBuffers<F> {
    pub(super) fn new() -> Self {
        Self {
            x: Vec::new(),
            lengths: Vec::new(),
            factors: std::array::from_fn(|_| Vec::new()),
            tapes: Vec::new(),
            grads: LstmGrads::default(),
            weights: std::array::from_fn(|_| MeanFieldBuffers::new()),
            row_gradients: std::array::from_fn(|_| Vec::new()),
        }
    }

    pub(super) fn forward(
        &mut self,
        pass: Pass<'_, F>,
        plan: LstmPlan,
        layers: &mut [LayerBuffers<F>],
        source: Source<'_, F>,
        inputs: ArrayView2<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let Pass { network, rows, .. } = pass;
        let width = plan.steps * network.layers[plan.input].d_in;
        self.x.clear();
        for row in 0..rows.len() {
            let whole = match source {
                Source::Rows(_) => width,
                Source::Examples(inputs) => inputs.ncols(),
            };
            self.x.extend_from_slice(&source.row(rows, row, whole)[..width]);
        }
        self.read_lengths(plan, rows, inputs)?;
        for (half, index) in [plan.input, plan.recurrent].into_iter().enumerate() {
            layers[index].draw(pass, index);
            layers[index].input_factor.rows_into(
                &network.layers[index].input_factor,
                rows,
                &mut self.factors[2 * half],
            );
            layers[index].output_factor.rows_into(
                &network.layers[index].output_factor,
                rows,
                &mut self.factors[2 * half + 1],
            );
            if matches!(network.layers[index].weight_plan, WeightPlan::MeanField { .. }) {
                self.weights[half].draw(pass, index);
            }
        }
        self.tapes.resize_with(rows.samples, LstmTape::new);
        out.clear();
        for sample in 0..rows.samples {
            let mut tape = std::mem::take(&mut self.tapes[sample]);
            let cell = self.cell(pass, plan, sample)?;
            lstm::forward(
                &cell,
                self.x_of(rows, sample),
                self.lengths_of(plan, rows, sample),
                None,
                &mut tape,
            )?;
            out.extend_from_slice(tape.last());
            self.tapes[sample] = tape;
        }
        Ok(())
    }

    pub(super) fn backward(
        &mut self,
        pass: Pass<'_, F>,
        plan: LstmPlan,
        layers: &mut [LayerBuffers<F>],
        gradient: &mut [F],
        own: &[F],
        mut below: Option<&mut Vec<F>>,
    ) -> Result<(), Error> {
        let Pass { network, parameters, rows, .. } = pass;
        self.row_gradients.iter_mut().for_each(Vec::clear);
        if let Some(below) = below.as_deref_mut() {
            below.clear();
        }
        for (sample, d_last) in own.chunks_exact(rows.per_sample() * plan.units).enumerate() {
            let mut tape = std::mem::take(&mut self.tapes[sample]);
            let mut grads = std::mem::take(&mut self.grads);
            if below.is_some() {
                grads.x.get_or_insert_default();
            }
            let cell = self.cell(pass, plan, sample)?;
            let (x, lengths) = (self.x_of(rows, sample), self.lengths_of(plan, rows, sample));
            lstm::backward(&cell, x, lengths, d_last, None, &mut tape, &mut grads)?;
            for (half, index) in [plan.input, plan.recurrent].into_iter().enumerate() {
                let drawn = if half == 0 { &grads.weight } else { &grads.recurrent_weight };
                match network.layers[index].weight_plan {
                    WeightPlan::Point => {
                        let own = network.layout.slice_mut(gradient, network.layers[index].weight);
                        own.iter_mut().zip(drawn).for_each(|(o, &d)| *o += d);
                    }
                    WeightPlan::MeanField { .. } => {
                        self.weights[half].add_drawn_gradient(pass, index, sample, drawn, gradient);
                    }
                }
            }
            if let Some(id) = network.layers[plan.input].bias {
                let own = network.layout.slice_mut(gradient, id);
                own.iter_mut().zip(&grads.bias).for_each(|(o, &d)| *o += d);
            }
            let parts = [&grads.input, &grads.gates, &grads.recurrent_input, &grads.recurrent_gates];
            for (all, part) in self.row_gradients.iter_mut().zip(parts) {
                all.extend_from_slice(part);
            }
            if let (Some(below), Some(d_x)) = (below.as_deref_mut(), &grads.x) {
                below.extend_from_slice(d_x);
            }
            self.tapes[sample] = tape;
            self.grads = grads;
        }
        for (half, index) in [plan.input, plan.recurrent].into_iter().enumerate() {
            let (layer, buffers) = (&network.layers[index], &mut layers[index]);
            let sides = [
                (&layer.input_factor, &mut buffers.input_factor),
                (&layer.output_factor, &mut buffers.output_factor),
            ];
            for (side, (plan, factor)) in sides.into_iter().enumerate() {
                let Some(sink) = location_slice(plan, network, gradient) else { continue };
                factor.add_row_gradients(plan, rows, &self.row_gradients[2 * half + side], sink);
                factor.finish(plan, network, parameters, gradient);
            }
        }
        Ok(())
    }

    /// The cell of one sample: its weights and the factors of its rows.
    fn cell<'a>(
        &'a self,
        pass: Pass<'a, F>,
        plan: LstmPlan,
        sample: usize,
    ) -> Result<LstmCell<'a, F>, Error> {
        let Pass { network, parameters, rows, .. } = pass;
        let weight = |half: usize, index: usize| match network.layers[index].weight_plan {
            WeightPlan::Point => network.layout.slice(parameters, network.layers[index].weight),
            WeightPlan::MeanField { .. } => self.weights[half].weights_of(sample, rows.samples),
        };
        let factor = |place: usize, index: usize| {
            let layer = &network.layers[index];
            let plan = if place.is_multiple_of(2) { &layer.input_factor } else { &layer.output_factor };
            let all = &self.factors[place];
            let size = all.len() / rows.samples;
            (!matches!(plan, FactorPlan::Absent)).then(|| &all[sample * size..(sample + 1) * size])
        };
        let bias = network.layers[plan.input].bias.ok_or(rank1_core::Error::Undefined {
            op: "AnalyticEngine",
            what: "a recurrent layer without a bias",
        })?;
        Ok(LstmCell {
            shape: LstmShape {
                n_samples: 1,
                n_members: rows.members,
                n_examples: rows.examples,
                steps: plan.steps,
                d_in: network.layers[plan.input].d_in,
                units: plan.units,
            },
            weight: weight(0, plan.input),
            recurrent_weight: weight(1, plan.recurrent),
            bias: network.layout.slice(parameters, bias),
            factors: LstmFactors {
                input: factor(0, plan.input),
                gates: factor(1, plan.input),
                recurrent_input: factor(2, plan.recurrent),
                recurrent_gates: factor(3, plan.recurrent),
            },
            perturbation: network.layers[plan.input].perturbation,
        })
    }

    fn x_of(&self, rows: Rows, sample: usize) -> &[F] {
        let size = self.x.len() / rows.samples;
        &self.x[sample * size..(sample + 1) * size]
    }

    fn lengths_of(&self, plan: LstmPlan, rows: Rows, sample: usize) -> Option<&[usize]> {
        plan.length_column?;
        Some(&self.lengths[sample * rows.per_sample()..(sample + 1) * rows.per_sample()])
    }

    fn read_lengths(&mut self, plan: LstmPlan, rows: Rows, inputs: ArrayView2<'_, F>) -> Result<(), Error> {
        self.lengths.clear();
        let Some(column) = plan.length_column else { return Ok(()) };
        for row in 0..rows.len() {
            let length = inputs[[row % rows.examples, column]].wide();
            if !(length >= 0.0 && length <= plan.steps as f64 && length.fract() == 0.0) {
                return Err(rank1_core::Error::OutOfRange {
                    op: "AnalyticEngine",
                    argument: "number of steps (last column)",
                    value: length,
                    expected: "a whole number from 0 to the steps of the network",
                }
                .into());
            }
            self.lengths.push(length as usize);
        }
        Ok(())
    }
}
