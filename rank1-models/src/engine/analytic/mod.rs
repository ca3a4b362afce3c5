//! The hand-derived engine: forward and backward passes of a perceptron on ndarray products.
//!
//! Generic over the scalar, so that the whole gradient is checked against central differences in `f64`; in
//! `f32` it is the training path of every MLP on the CPU. Buffers are kept between steps.

mod activation;
mod factor;
mod layer;

use ndarray::{Array3, ArrayView2};
use rank1_core::Real;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::nll_from_outputs;
use rank1_core::targets::Targets;

use self::factor::Rows;
use self::layer::{LayerBuffers, Source};
use super::{Batch, DrawKey, Engine, NllRequest};
use crate::error::Error;
use crate::network::Network;

/// A network with the buffers of its passes.
#[derive(Debug)]
pub struct AnalyticEngine<F> {
    network: Network,
    layers: Vec<LayerBuffers<F>>,
    /// Gradient with respect to the rows between two layers.
    gradient_rows: Vec<F>,
    spare_rows: Vec<F>,
}

impl<F: Real> AnalyticEngine<F> {
    /// An engine for `network`.
    #[must_use]
    pub fn new(network: Network) -> Self {
        let layers = network.layers.iter().map(|_| LayerBuffers::new()).collect();
        Self { network, layers, gradient_rows: Vec::new(), spare_rows: Vec::new() }
    }

    fn forward(
        &mut self,
        parameters: &[F],
        inputs: ArrayView2<'_, F>,
        key: DrawKey,
        rows: Rows,
    ) -> Result<(), Error> {
        if inputs.ncols() != self.network.shape.inputs {
            return Err(Error::Mismatch {
                what: "number of input features",
                expected: self.network.shape.inputs,
                got: inputs.ncols(),
            });
        }
        for index in 0..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(index);
            let source = match before.last() {
                Some(previous) => Source::Rows(previous.output()),
                None => Source::Examples(inputs),
            };
            rest[0].forward(&self.network, index, parameters, source, rows, key);
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
        let examples = batch.inputs.nrows();
        if batch.targets.len() != examples {
            return Err(Error::Mismatch {
                what: "number of targets",
                expected: examples,
                got: batch.targets.len(),
            });
        }
        let rows = Rows { samples: request.n_samples, members: self.network.n_members, examples };
        self.forward(parameters, batch.inputs, key, rows)?;
        let raw_noise = self.network.noise.map(|id| self.network.layout.vector(parameters, id));
        let likelihood = self.network.shape.likelihood;
        let nll =
            nll_from_outputs(likelihood, self.last_outputs(rows)?, batch.targets, raw_noise, request.form)?;
        if let (Some(id), Some(d_noise)) = (self.network.noise, &nll.raw_noise) {
            for (g, &d) in self.network.layout.slice_mut(gradient, id).iter_mut().zip(d_noise) {
                *g += d;
            }
        }
        self.gradient_rows.clear();
        self.gradient_rows.extend(nll.outputs.iter().copied());
        self.backward(parameters, gradient, batch.inputs, rows);
        Ok(nll.value.wide())
    }

    fn last_outputs(&self, rows: Rows) -> Result<ndarray::ArrayView4<'_, F>, Error> {
        let shape = (rows.samples, rows.members, rows.examples, self.network.shape.outputs);
        let flat = self.layers.last().map_or(&[][..], LayerBuffers::output);
        ndarray::ArrayView4::from_shape(shape, flat).map_err(|_| Error::Mismatch {
            what: "number of network outputs",
            expected: rows.len() * self.network.shape.outputs,
            got: flat.len(),
        })
    }

    fn backward(&mut self, parameters: &[F], gradient: &mut [F], inputs: ArrayView2<'_, F>, rows: Rows) {
        for index in (0..self.layers.len()).rev() {
            let (before, rest) = self.layers.split_at_mut(index);
            let source = match before.last() {
                Some(previous) => Source::Rows(previous.output()),
                None => Source::Examples(inputs),
            };
            rest[0].backward(
                &self.network,
                index,
                parameters,
                gradient,
                source,
                rows,
                &mut self.gradient_rows,
                &mut self.spare_rows,
            );
            std::mem::swap(&mut self.gradient_rows, &mut self.spare_rows);
        }
    }

    /// Network outputs of one sample of all members.
    ///
    /// # Shapes
    /// `inputs` `[B, D_in]`; the result is `[K, B, C]`, member-major.
    ///
    /// # Errors
    /// As [`Engine::outputs`].
    pub fn sample_outputs(
        &mut self,
        parameters: &[F],
        inputs: ArrayView2<'_, F>,
        key: DrawKey,
    ) -> Result<Array3<F>, Error> {
        let rows = Rows { samples: 1, members: self.network.n_members, examples: inputs.nrows() };
        self.forward(parameters, inputs, key, rows)?;
        Ok(self.last_outputs(rows)?.index_axis(ndarray::Axis(0), 0).to_owned())
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
        parameters: &[f32],
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
    ) -> Result<Array3<f32>, Error> {
        self.sample_outputs(parameters, inputs, key)
    }
}

/// Whether `targets` are of the kind that `likelihood` needs.
pub(crate) fn fits(likelihood: Likelihood, targets: &Targets) -> bool {
    likelihood.is_classification() == matches!(targets, Targets::Classes { .. })
}
