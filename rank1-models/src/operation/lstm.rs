//! The LSTM: draws fixed over a sequence, the math of [`rank1_core::kernels::lstm`], gradients back to parameters.
//!
//! Samples run one after the other, because random weights are drawn once per sample.

use ndarray::ArrayView2;
use rank1_core::Real;
use rank1_core::kernels::lstm::{self, LstmCell, LstmFactors, LstmGrads, LstmShape, LstmTape};

use super::layer::{LayerBuffers, MeanFieldBuffers, location_slice};
use super::{
    Back, BiasOptions, Cost, LayerOptions, Op, Operation, Plan, Product, Reads, WeightPlan, WeightStart,
};
use crate::engine::analytic::{Pass, Rows, Source};
use crate::error::Error;
use crate::init::Initializer;
use crate::network::{Network, Origin, Volume};

/// Length of a sequence and width of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LstmPlan {
    /// Layer of the inputs, `[D, 4 U]`, gates in the order input, forget, cell, output; it owns the bias.
    pub input: usize,
    /// Layer of the state, `[U, 4 U]`.
    pub recurrent: usize,
    /// Steps.
    pub steps: usize,
    /// State width U.
    pub units: usize,
    /// Column of the network's input that holds the number of steps, if sequences are ragged.
    pub length_column: Option<usize>,
}

impl Plan {
    /// A recurrent layer over `steps` steps of `d_in` values; its value is the last state.
    pub(crate) fn lstm(
        &mut self,
        name: &str,
        at: Origin,
        d_in: usize,
        steps: usize,
        units: usize,
        length_column: Option<usize>,
    ) -> Origin {
        let options = LayerOptions { start: WeightStart::Glorot, ..LayerOptions::default() };
        let widths = (d_in, 4 * units);
        let input = self.layer(&format!("{name}.input"), Product::Recurrent, widths, options);
        let (start, bias) = (WeightStart::Orthogonal, BiasOptions::None);
        let options = LayerOptions { start, bias, ..LayerOptions::default() };
        let widths = (units, 4 * units);
        let recurrent = self.layer(&format!("{name}.recurrent"), Product::Recurrent, widths, options);
        let plan = LstmPlan { input, recurrent, steps, units, length_column };
        self.push(Op::Lstm(plan), at, Volume::columns(units))
    }
}

/// Biases of the forget gates start at one, so that a state is kept until there is a reason to forget it.
pub(super) fn start(init: &mut Initializer<'_>, plan: LstmPlan) {
    let Some(id) = init.network().layers[plan.input].bias else { return };
    for member in init.slice(id).chunks_exact_mut(4 * plan.units) {
        member[plan.units..2 * plan.units].fill(1.0);
    }
}

pub(super) fn cost(network: &Network, plan: LstmPlan) -> Cost {
    let (input, recurrent) = (&network.layers[plan.input], &network.layers[plan.recurrent]);
    let step = input.multiply_adds().saturating_add(recurrent.multiply_adds());
    Cost {
        name: input.name.trim_end_matches(".input").to_owned(),
        operation: format!("LSTM, {} steps", plan.steps),
        weight: Some([input.d_in + plan.units, 4 * plan.units]),
        parameters: input.n_parameters(network) + recurrent.n_parameters(network),
        multiply_adds: step.saturating_mul(plan.steps as u64),
        // Inputs, gates and their gradients, states and cells of every step.
        kept: plan.steps * (input.d_in + 10 * plan.units),
    }
}

/// The recurrent layer and what it keeps from its forward pass.
#[derive(Debug)]
pub(super) struct LstmPasses<F> {
    plan: LstmPlan,
    /// Of the inputs and of the state.
    layers: [LayerBuffers<F>; 2],
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

impl<F: Real> LstmPasses<F> {
    pub(super) fn new(plan: LstmPlan) -> Self {
        Self {
            plan,
            layers: std::array::from_fn(|_| LayerBuffers::new()),
            x: Vec::new(),
            lengths: Vec::new(),
            factors: std::array::from_fn(|_| Vec::new()),
            tapes: Vec::new(),
            grads: LstmGrads::default(),
            weights: std::array::from_fn(|_| MeanFieldBuffers::new()),
            row_gradients: std::array::from_fn(|_| Vec::new()),
        }
    }

    /// The cell of one sample: its weights and the factors of its rows.
    fn cell<'a>(&'a self, pass: Pass<'a, F>, sample: usize) -> Result<LstmCell<'a, F>, Error> {
        let plan = self.plan;
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
            (!plan.is_absent()).then(|| &all[sample * size..(sample + 1) * size])
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

    fn lengths_of(&self, rows: Rows, sample: usize) -> Option<&[usize]> {
        self.plan.length_column?;
        Some(&self.lengths[sample * rows.per_sample()..(sample + 1) * rows.per_sample()])
    }

    fn read_lengths(&mut self, rows: Rows, inputs: ArrayView2<'_, F>) -> Result<(), Error> {
        let plan = self.plan;
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

impl<F: Real> Operation<F> for LstmPasses<F> {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let Pass { network, rows, .. } = pass;
        let (plan, source) = (self.plan, reads.of(network.nodes[place].origin));
        let width = plan.steps * network.layers[plan.input].d_in;
        self.x.clear();
        for row in 0..rows.len() {
            let whole = match source {
                Source::Rows(_) => width,
                Source::Examples(inputs) => inputs.ncols(),
            };
            self.x.extend_from_slice(&source.row(rows, row, whole)[..width]);
        }
        self.read_lengths(rows, reads.inputs)?;
        for (half, index) in [plan.input, plan.recurrent].into_iter().enumerate() {
            let layer = &mut self.layers[half];
            layer.draw(pass, index);
            layer.input_factor.rows_into(
                &network.layers[index].input_factor,
                rows,
                &mut self.factors[2 * half],
            );
            layer.output_factor.rows_into(
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
            let cell = self.cell(pass, sample)?;
            lstm::forward(&cell, self.x_of(rows, sample), self.lengths_of(rows, sample), None, &mut tape)?;
            out.extend_from_slice(tape.last());
            self.tapes[sample] = tape;
        }
        Ok(())
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        _reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let Pass { network, parameters, rows, .. } = pass;
        let (plan, gradient, own) = (self.plan, back.parameters, back.own);
        let mut below = matches!(network.nodes[place].origin, Origin::Node(_)).then_some(back.below);
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
            let cell = self.cell(pass, sample)?;
            let (x, lengths) = (self.x_of(rows, sample), self.lengths_of(rows, sample));
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
            let (layer, buffers) = (&network.layers[index], &mut self.layers[half]);
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
}
