//! The hand-derived engine: forward and backward passes of a network on ndarray products.
//!
//! Generic over the scalar, so that the whole gradient is checked against central differences in `f64`; in
//! `f32` it is the training path on the CPU. It interprets the operations of [`Network`]; buffers are kept between steps.

mod activation;
mod arrival;
mod factor;
mod layer;
mod mean_field;
mod operation;
mod product;
mod profile;
mod recurrent;
mod rows;
mod transform;

use std::sync::Arc;

use ndarray::{Array4, ArrayView2};
use rank1_core::Real;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::{NllBuffers, nll_from_outputs_into};
use rank1_core::targets::Targets;

use self::arrival::{arrive, arrive_copy, keep};
use self::layer::LayerBuffers;
use self::operation::OperationBuffers;
pub use self::profile::OperationTimes;
use self::profile::Profile;
use self::rows::{Draws, Pass, Rows, Source};
use super::{Batch, DrawKey, Engine, NllRequest, check_listed};
use crate::error::Error;
use crate::network::{Network, Op, Origin};

/// A network with the buffers of its passes.
#[derive(Debug)]
pub struct AnalyticEngine<F> {
    network: Network,
    layers: Vec<LayerBuffers<F>>,
    operations: Vec<OperationBuffers<F>>,
    /// Rows that each operation gave.
    values: Vec<Vec<F>>,
    /// The activation that works in the place of each operation's rows, if one does.
    taken_by: Vec<Option<usize>>,
    /// Gradient with respect to the rows; empty where nothing has arrived yet.
    gradients: Vec<Vec<F>>,
    /// Memory for gradients, of any length and content.
    free: Vec<Vec<F>>,
    objective: NllBuffers<F>,
    /// The parameters whose weights the layers have packed.
    packed_for: Option<Arc<[f32]>>,
    profile: Profile,
}

impl<F: Real> AnalyticEngine<F> {
    /// An engine for `network`.
    #[must_use]
    pub fn new(network: Network) -> Self {
        let layers = network.layers.iter().map(|_| LayerBuffers::new()).collect();
        let operations = network.nodes.iter().map(|_| OperationBuffers::new()).collect();
        let values = network.nodes.iter().map(|_| Vec::new()).collect();
        let gradients = network.nodes.iter().map(|_| Vec::new()).collect();
        let taken_by = activation::taken_by(&network);
        let (free, profile) = (Vec::new(), Profile::default());
        let objective = NllBuffers::default();
        Self {
            network,
            layers,
            operations,
            values,
            taken_by,
            gradients,
            free,
            objective,
            packed_for: None,
            profile,
        }
    }

    fn forward(
        &mut self,
        parameters: &[F],
        inputs: ArrayView2<'_, F>,
        key: Draws<'_>,
        rows: Rows,
        training: bool,
    ) -> Result<(), Error> {
        if inputs.ncols() != self.network.shape.inputs() {
            return Err(Error::Mismatch {
                what: "number of input features",
                expected: self.network.shape.inputs(),
                got: inputs.ncols(),
            });
        }
        let network = &self.network;
        let pass = Pass { network, parameters, rows, key, training };
        for (index, node) in network.nodes.iter().enumerate() {
            if let Some(activation) = self.taken_by[index] {
                self.values[index] = std::mem::take(&mut self.values[activation]);
            }
            let (before, rest) = self.values.split_at_mut(index);
            let out = &mut rest[0];
            let started = self.profile.now();
            if let (Op::Activation(kind), Origin::Node(place)) = (node.op, node.origin)
                && self.taken_by[place] == Some(index)
            {
                *out = std::mem::take(&mut before[place]);
                activation::apply(kind, out);
                self.profile.forward(index, started);
                continue;
            }
            let source = |origin| match origin {
                Origin::Input => Source::Examples(inputs),
                Origin::Node(place) => Source::Rows(&before[place]),
            };
            match node.op {
                Op::Layer(layer) => {
                    self.layers[layer].forward(pass, layer, source(node.origin), out)?;
                }
                Op::Lstm(plan) => {
                    let buffers = &mut self.operations[index].recurrent;
                    buffers.forward(pass, plan, &mut self.layers, source(node.origin), inputs, out)?;
                }
                _ => self.operations[index].forward(pass, index, source, out)?,
            }
            self.profile.forward(index, started);
        }
        Ok(())
    }

    /// The mean negative log-likelihood of the batch and its gradient, added to `gradient`.
    ///
    /// # Errors
    /// As [`Engine::nll`].
    pub fn nll_and_gradient(
        &mut self,
        parameters: &[F],
        gradient: &mut [F],
        batch: Batch<'_, F>,
        key: DrawKey,
        request: NllRequest,
    ) -> Result<f64, Error> {
        let examples = batch.n_examples()?;
        let rows = Rows { samples: request.n_samples, members: self.network.n_members, examples };
        let key = Draws { key, listed: None };
        self.forward(parameters, batch.inputs, key, rows, true)?;
        let raw_noise = self.network.noise.map(|id| self.network.layout.vector(parameters, id));
        let likelihood = self.network.shape.likelihood;
        for gradient in &mut self.gradients {
            // Something is left only where a pass before ended in an error.
            gradient.clear();
        }
        let mut last = self.free.pop().unwrap_or_default();
        let mut objective = std::mem::take(&mut self.objective);
        let outputs = self.last_outputs(rows)?;
        layer::resize(&mut last, outputs.len());
        let d_noise = self.network.noise.map(|id| self.network.layout.slice_mut(gradient, id));
        let nll = nll_from_outputs_into(
            likelihood,
            outputs,
            batch.targets,
            raw_noise,
            request.form,
            (&mut last, d_noise),
            &mut objective,
        )?;
        self.objective = objective;
        if let Some(place) = self.gradients.last_mut() {
            *place = last;
        }
        self.backward(parameters, gradient, batch.inputs, rows, key)?;
        Ok(nll.wide())
    }

    fn last_outputs(&self, rows: Rows) -> Result<ndarray::ArrayView4<'_, F>, Error> {
        let shape = (rows.samples, rows.members, rows.examples, self.network.shape.outputs);
        let flat = self.values.last().map_or(&[][..], Vec::as_slice);
        ndarray::ArrayView4::from_shape(shape, flat).map_err(|_| Error::Mismatch {
            what: "number of network outputs",
            expected: rows.len() * self.network.shape.outputs,
            got: flat.len(),
        })
    }

    fn backward(
        &mut self,
        parameters: &[F],
        gradient: &mut [F],
        inputs: ArrayView2<'_, F>,
        rows: Rows,
        key: Draws<'_>,
    ) -> Result<(), Error> {
        let network = &self.network;
        let pass = Pass { network, parameters, rows, key, training: true };
        for (index, node) in network.nodes.iter().enumerate().rev() {
            let mut own = std::mem::take(&mut self.gradients[index]);
            if own.is_empty() {
                continue;
            }
            let (before, rest) = self.values.split_at(index);
            let source = |origin| match origin {
                Origin::Input => Source::Examples(inputs),
                Origin::Node(place) => Source::Rows(&before[place]),
            };
            let mut memory = self.free.pop().unwrap_or_default();
            let below = &mut memory;
            let started = self.profile.now();
            match node.op {
                Op::Layer(layer) => self.layers[layer].backward(
                    pass,
                    layer,
                    gradient,
                    source(node.origin),
                    &rest[0],
                    &mut own,
                    below,
                )?,
                Op::Lstm(plan) => {
                    let buffers = &mut self.operations[index].recurrent;
                    let wanted = matches!(node.origin, Origin::Node(_));
                    buffers.backward(
                        pass,
                        plan,
                        &mut self.layers,
                        gradient,
                        &own,
                        wanted.then_some(below),
                    )?;
                }
                Op::Add(other) => {
                    if let Origin::Node(place) = other {
                        arrive_copy(&mut self.gradients[place], &own, &mut self.free);
                    }
                    std::mem::swap(&mut own, below);
                }
                Op::Concat(other) => {
                    let mut side = self.free.pop().unwrap_or_default();
                    operation::split(node, network, &own, below, &mut side, rows);
                    if let Origin::Node(place) = other {
                        arrive(&mut self.gradients[place], &mut side);
                    }
                    keep(&mut self.free, side);
                }
                _ => {
                    self.operations[index].backward(
                        pass,
                        index,
                        gradient,
                        source(node.origin),
                        &rest[0],
                        &mut own,
                        below,
                    )?;
                }
            }
            if let Origin::Node(place) = node.origin {
                arrive(&mut self.gradients[place], &mut memory);
            }
            keep(&mut self.free, own);
            keep(&mut self.free, memory);
            self.profile.backward(index, started);
        }
        Ok(())
    }

    /// Network outputs of several samples of all members, all in one pass.
    ///
    /// # Shapes
    /// `inputs` `[B, D_in]`; the result is `[S, K, B, C]`.
    ///
    /// # Errors
    /// As [`Engine::outputs`].
    pub fn sample_outputs(
        &mut self,
        parameters: &[F],
        inputs: ArrayView2<'_, F>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<F>, Error> {
        self.forget_weights();
        self.outputs_of(parameters, inputs, Draws { key, listed: None }, n_samples)
    }

    fn forget_weights(&mut self) {
        self.packed_for = None;
        self.layers.iter_mut().for_each(LayerBuffers::forget_weight);
    }

    fn outputs_of(
        &mut self,
        parameters: &[F],
        inputs: ArrayView2<'_, F>,
        key: Draws<'_>,
        n_samples: usize,
    ) -> Result<Array4<F>, Error> {
        let rows = Rows { samples: n_samples, members: self.network.n_members, examples: inputs.nrows() };
        self.forward(parameters, inputs, key, rows, false)?;
        Ok(self.last_outputs(rows)?.to_owned())
    }
}

impl Engine for AnalyticEngine<f32> {
    fn nll(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        batch: Batch<'_, f32>,
        key: DrawKey,
        request: NllRequest,
    ) -> Result<f64, Error> {
        self.nll_and_gradient(parameters, gradient, batch, key, request)
    }

    fn outputs(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        self.outputs_kept(parameters, inputs, Draws { key, listed: None }, n_samples)
    }

    fn outputs_listed(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        examples: &[u32],
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        check_listed(inputs, examples)?;
        self.outputs_kept(parameters, inputs, Draws { key, listed: Some(examples) }, n_samples)
    }

    fn measure(&mut self) {
        self.profile.start(self.network.nodes.len());
    }

    fn operation_times(&self) -> &[OperationTimes] {
        self.profile.times()
    }
}

impl AnalyticEngine<f32> {
    /// Outputs with weights that are packed once for the same parameters.
    fn outputs_kept(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: Draws<'_>,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        // What is shared is not changed by anybody, so that the same place means the same values.
        if !self.packed_for.as_ref().is_some_and(|packed| Arc::ptr_eq(packed, parameters)) {
            self.forget_weights();
            self.packed_for = Some(Arc::clone(parameters));
        }
        self.outputs_of(parameters, inputs, key, n_samples)
    }
}

/// Whether `targets` are of the kind that `likelihood` needs.
pub(crate) fn fits(likelihood: Likelihood, targets: &Targets) -> bool {
    likelihood.is_classification() == matches!(targets, Targets::Classes { .. })
}

#[cfg(test)]
mod tests;
