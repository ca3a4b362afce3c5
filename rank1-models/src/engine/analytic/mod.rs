//! The hand-derived engine: forward and backward passes of a network on ndarray products.
//!
//! Generic over the scalar, so that the whole gradient is checked against central differences in `f64`; in
//! `f32` it is the training path on the CPU. It interprets the operations of [`Network`]; buffers are kept between steps.

pub(crate) mod accumulate;
mod profile;
mod rows;

use std::sync::Arc;

use ndarray::{Array4, ArrayView2};
use rank1_core::Real;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::{NllBuffers, nll_from_outputs_into};
use rank1_core::targets::Targets;

pub use self::profile::OperationTimes;
use self::profile::Profile;
pub(crate) use self::rows::{
    CHUNK, Draws, Examples, PARALLEL_DRAWS, PARALLEL_VALUES, Pass, Rows, Source, for_chunks, resize,
    zip_chunks,
};
use super::{Batch, DrawKey, Engine, NllRequest, Whole, check_listed};
use crate::error::Error;
use crate::network::{Network, Op, Origin};
use crate::operation::{self, Back, Operation, Reads, activation};

/// A network with the buffers of its passes.
#[derive(Debug)]
pub struct AnalyticEngine<F> {
    network: Network,
    operations: Vec<Box<dyn Operation<F>>>,
    /// Rows that each operation gave.
    values: Vec<Vec<F>>,
    /// The activation that works in the place of each operation's rows, if one does.
    taken_by: Vec<Option<usize>>,
    /// Gradient with respect to the rows; empty where nothing is accumulated yet.
    gradients: Vec<Vec<F>>,
    /// Memory for gradients, of any length and content.
    free: Vec<Vec<F>>,
    objective: NllBuffers<F>,
    /// The parameters whose weights the layers have packed.
    packed_for: Option<Arc<[f32]>>,
    profile: Profile,
}

impl<F: Real + 'static> AnalyticEngine<F> {
    /// An engine for `network`.
    #[must_use]
    pub fn new(network: Network) -> Self {
        let operations = network.nodes.iter().map(|node| operation::passes(node.op)).collect();
        let values = network.nodes.iter().map(|_| Vec::new()).collect();
        let gradients = network.nodes.iter().map(|_| Vec::new()).collect();
        let taken_by = activation::taken_by(&network);
        let (free, profile) = (Vec::new(), Profile::default());
        let objective = NllBuffers::default();
        Self { network, operations, values, taken_by, gradients, free, objective, packed_for: None, profile }
    }

    fn forward(
        &mut self,
        parameters: &[F],
        inputs: ArrayView2<'_, F>,
        key: Draws<'_>,
        rows: Rows,
        training: Option<Whole<'_>>,
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
            let reads = Reads { network, inputs, before };
            self.operations[index].forward(pass, index, reads, out)?;
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
        let whole = Whole { rows: batch.n_examples()?, statistics: None };
        self.part_and_gradient(parameters, gradient, batch, key, request, whole)
    }

    fn part_and_gradient(
        &mut self,
        parameters: &[F],
        gradient: &mut [F],
        batch: Batch<'_, F>,
        key: DrawKey,
        request: NllRequest,
        whole: Whole<'_>,
    ) -> Result<f64, Error> {
        let examples = batch.n_examples()?;
        if examples == 0
            && let Some(ranks) = whole.statistics
        {
            operation::attend(&self.network, ranks)?;
            return Ok(0.0);
        }
        let share = whole.share(examples);
        let rows = Rows { samples: request.n_samples, members: self.network.n_members, examples };
        let key = Draws { key, examples: Examples::InOrder };
        self.forward(parameters, batch.inputs, key, rows, Some(whole))?;
        let raw_noise = self.network.noise.map(|id| self.network.layout.vector(parameters, id));
        let likelihood = self.network.shape.likelihood;
        for gradient in &mut self.gradients {
            // Something is left only where a pass before ended in an error.
            gradient.clear();
        }
        let mut last = self.free.pop().unwrap_or_default();
        let mut objective = std::mem::take(&mut self.objective);
        let outputs = self.last_outputs(rows)?;
        resize(&mut last, outputs.len());
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
        if share != 1.0 {
            let noise = self.network.noise.map(|id| self.network.layout.slice_mut(gradient, id));
            last.iter_mut().chain(noise.into_iter().flatten()).for_each(|slope| *slope *= F::of(share));
        }
        if let Some(place) = self.gradients.last_mut() {
            *place = last;
        }
        self.backward(parameters, gradient, batch.inputs, rows, key, whole)?;
        Ok(share * nll.wide())
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
        whole: Whole<'_>,
    ) -> Result<(), Error> {
        let network = &self.network;
        let pass = Pass { network, parameters, rows, key, training: Some(whole) };
        for (index, node) in network.nodes.iter().enumerate().rev() {
            let mut own = std::mem::take(&mut self.gradients[index]);
            if own.is_empty() {
                continue;
            }
            let (before, rest) = self.values.split_at(index);
            let mut memory = self.free.pop().unwrap_or_default();
            let started = self.profile.now();
            let back = Back {
                parameters: &mut *gradient,
                own: &mut own,
                below: &mut memory,
                before: &mut self.gradients[..index],
                free: &mut self.free,
            };
            self.operations[index].backward(
                pass,
                index,
                Reads { network, inputs, before },
                &rest[0],
                back,
            )?;
            if let Origin::Node(place) = node.origin {
                if network.is_shared(node.origin) {
                    accumulate::sum_rows(&mut memory, rows.examples * network.nodes[place].volume.len());
                }
                accumulate::add(&mut self.gradients[place], &mut memory);
            }
            accumulate::keep(&mut self.free, own);
            accumulate::keep(&mut self.free, memory);
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
        self.outputs_of(parameters, inputs, Draws { key, examples: Examples::InOrder }, n_samples)
    }

    fn forget_weights(&mut self) {
        self.packed_for = None;
        self.operations.iter_mut().for_each(|operation| operation.forget_weights());
    }

    fn outputs_of(
        &mut self,
        parameters: &[F],
        inputs: ArrayView2<'_, F>,
        key: Draws<'_>,
        n_samples: usize,
    ) -> Result<Array4<F>, Error> {
        let rows = Rows { samples: n_samples, members: self.network.n_members, examples: inputs.nrows() };
        self.forward(parameters, inputs, key, rows, None)?;
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

    fn nll_of_part(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        batch: Batch<'_, f32>,
        key: DrawKey,
        request: NllRequest,
        whole: Whole<'_>,
    ) -> Result<f64, Error> {
        if batch.inputs.nrows() == 0 && whole.statistics.is_none() {
            return Ok(0.0);
        }
        self.part_and_gradient(parameters, gradient, batch, key, request, whole)
    }

    fn outputs(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        self.outputs_kept(parameters, inputs, Draws { key, examples: Examples::InOrder }, n_samples)
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
        let key = Draws { key, examples: Examples::Listed(examples) };
        self.outputs_kept(parameters, inputs, key, n_samples)
    }

    fn outputs_alike(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        self.outputs_kept(parameters, inputs, Draws { key, examples: Examples::Alike }, n_samples)
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
