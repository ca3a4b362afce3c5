//! The autodiff engine: the network as Burn layers, gradients by Burn's backward pass.
//!
//! Slower than [`super::analytic`]; it is the independent check of that engine and runs on any Burn device. It
//! interprets the operations of [`Network`] and computes nothing itself.

mod embedding;
mod layer;
mod leaves;
mod operation;
mod recurrent;
mod value;

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array4, ArrayView2};
use rank1_core::Error as CoreError;
use rank1_core::kernels::batch_norm::unbiased;

use self::leaves::Leaves;
use self::value::Value;
use super::{Batch, DrawKey, Engine, NllRequest};
use crate::error::Error;
use crate::layer::host::read;
use crate::layer::{BatchStatistics, DrawRows, Pass, mean_nll};
use crate::network::{Network, NormPlan, Op, Origin};

/// Computes likelihoods of a network with Burn tensors.
#[derive(Debug, Clone)]
pub struct AutodiffEngine {
    network: Network,
    device: Device,
}

/// What every operation of a call reads.
#[derive(Debug)]
struct Call<'a> {
    network: &'a Network,
    leaves: &'a Leaves,
    /// The device of the leaves.
    device: &'a Device,
    pass: Pass,
    n_examples: usize,
    /// Whether normalizations take the statistics of the batch.
    training: bool,
}

impl Call<'_> {
    /// The device of masks and noise.
    fn plain_device(&self) -> Device {
        self.device.clone().without_autodiff()
    }

    /// Rows of every value, S*K*B.
    fn n_rows(&self) -> usize {
        self.pass.n_samples * self.pass.n_members * self.n_examples
    }

    /// The rows of this call, for the draws of layer number `layer`.
    fn rows(&self, layer: usize) -> Result<DrawRows, CoreError> {
        self.pass.rows(layer, self.n_rows())
    }
}

/// What a pass gives.
#[derive(Debug)]
struct Outcome {
    /// Outputs of all samples, `[S*K*B, C]`.
    outputs: Tensor<2>,
    /// Statistics of the batch at each normalization, by its index; empty outside training.
    statistics: Vec<(usize, BatchStatistics)>,
}

impl AutodiffEngine {
    /// An engine for `network` on `device`; autodiff is switched on where it is needed.
    #[must_use]
    pub fn new(network: Network, device: Device) -> Self {
        Self { network, device: device.without_autodiff() }
    }

    fn forward(&self, call: &Call<'_>, inputs: ArrayView2<'_, f32>) -> Result<Outcome, Error> {
        let network = &self.network;
        let (n_examples, d_in) = inputs.dim();
        if d_in != network.shape.inputs() {
            return Err(Error::Mismatch {
                what: "number of input features",
                expected: network.shape.inputs(),
                got: d_in,
            });
        }
        if n_examples == 0 || call.pass.n_samples == 0 {
            return Err(CoreError::Empty { op: "AutodiffEngine", argument: "batch or samples" }.into());
        }
        let values: Vec<f32> = inputs.iter().copied().collect();
        let x = Tensor::<2>::from_data(TensorData::new(values, [n_examples, d_in]), call.device);
        let x = Value::Columns(call.pass.tile(x)?);
        let mut values: Vec<Value> = Vec::with_capacity(network.nodes.len());
        let mut statistics = Vec::new();
        for (index, node) in network.nodes.iter().enumerate() {
            let value = |origin: Origin| match origin {
                Origin::Input => x.clone(),
                Origin::Node(place) => values[place].clone(),
            };
            let own = value(node.origin);
            let next = match node.op {
                Op::Layer(layer) => layer::forward(call, layer, own)?,
                Op::Lstm(plan) => Value::Columns(recurrent::forward(call, plan, own, inputs)?),
                Op::Norm(norm) => {
                    let (value, batch) = operation::normalize(call, norm, own.image(node.volume))?;
                    statistics.extend(batch.map(|batch| (norm, batch)));
                    value
                }
                _ => operation::forward(call, index, own, value)?,
            };
            values.push(next);
        }
        let outputs = values.pop().unwrap_or(x).columns();
        Ok(Outcome { outputs, statistics })
    }

    /// Adds what a step subtracts from the running statistics, so that they move by the batch's.
    fn add_statistics(
        &self,
        statistics: Vec<(usize, BatchStatistics)>,
        parameters: &[f32],
        gradient: &mut [f32],
    ) -> Result<(), Error> {
        let layout = &self.network.layout;
        let share = (1.0 - NormPlan::MOMENTUM) as f32;
        for (index, batch) in statistics {
            let norm = &self.network.norms[index];
            let count = batch.n;
            let mean = read(batch.mean)?;
            let variance: Vec<f32> = read(batch.variance)?.into_iter().map(|v| unbiased(v, count)).collect();
            for (id, batch) in [(norm.mean, mean), (norm.variance, variance)] {
                let running = layout.slice(parameters, id);
                let slots = layout.slice_mut(gradient, id).iter_mut();
                slots.zip(running).zip(batch).for_each(|((g, &r), b)| *g += share * (r - b));
            }
        }
        Ok(())
    }
}

impl Engine for AutodiffEngine {
    fn nll(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        batch: Batch<'_, f32>,
        key: DrawKey,
        request: NllRequest,
    ) -> Result<f64, Error> {
        let device = self.device.clone().autodiff();
        let network = &self.network;
        let leaves = Leaves::new(network, parameters, &device)?;
        if gradient.len() != parameters.len() {
            return Err(Error::Mismatch {
                what: "length of the gradient vector",
                expected: parameters.len(),
                got: gradient.len(),
            });
        }
        let n_examples = batch.n_examples()?;
        let pass = Pass { key, n_samples: request.n_samples, n_members: network.n_members };
        let call = Call { network, leaves: &leaves, device: &device, pass, n_examples, training: true };
        let Outcome { outputs, statistics } = self.forward(&call, batch.inputs)?;
        let raw_noise = network.noise.map(|id| leaves.tensor(id));
        let likelihood = network.shape.likelihood;
        let loss = mean_nll(likelihood, outputs, batch.targets, raw_noise, &pass, request.form)?;
        leaves.add_gradients(&network.layout, &loss.backward(), gradient)?;
        self.add_statistics(statistics, parameters, gradient)?;
        Ok(read(loss)?.into_iter().map(f64::from).sum())
    }

    fn outputs(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        let network = &self.network;
        let leaves = Leaves::new(network, parameters, &self.device)?;
        let pass = Pass { key, n_samples, n_members: network.n_members };
        let (device, n_examples) = (&self.device, inputs.nrows());
        let call = Call { network, leaves: &leaves, device, pass, n_examples, training: false };
        let outputs = self.forward(&call, inputs)?.outputs;
        let [_, width] = outputs.dims();
        let shape = (n_samples, network.n_members, inputs.nrows(), width);
        let values = read(outputs)?;
        Ok(Array4::from_shape_vec(shape, values).expect("one row per sample, member and example"))
    }
}
