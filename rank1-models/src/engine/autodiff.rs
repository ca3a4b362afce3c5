//! The autodiff engine: the network as Burn layers, gradients by Burn's backward pass.
//!
//! Slower than [`super::analytic`]; it is the independent check of that engine and runs on any Burn device.

mod nll;

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData, activation};
use ndarray::{Array3, ArrayView2};
use rank1_core::Error as CoreError;
use rank1_core::objective::NllForm;
use rank1_priors::PosteriorFamily;

use super::{Batch, DrawKey, Engine, NllRequest};
use crate::error::Error;
use crate::layer::{DrawRows, Dropout, Factor, MeanFieldLinear, Rank1Linear};
use crate::method::Granularity;
use crate::network::{Activation, FactorPlan, LayerPlan, Network, WeightPlan};
use crate::params::ParamId;

/// Computes likelihoods of a network with Burn tensors.
#[derive(Debug, Clone)]
pub struct AutodiffEngine {
    network: Network,
    device: Device,
}

/// Parameters of one call as trainable tensors; vectors are rows of one-row matrices.
type Leaves = BTreeMap<ParamId, Param<Tensor<2>>>;

impl AutodiffEngine {
    /// An engine for `network` on `device`; autodiff is switched on where it is needed.
    #[must_use]
    pub fn new(network: Network, device: Device) -> Self {
        Self { network, device: device.without_autodiff() }
    }

    fn leaves(&self, parameters: &[f32], device: &Device) -> Result<Leaves, Error> {
        let layout = &self.network.layout;
        if parameters.len() != layout.len() {
            return Err(Error::Mismatch {
                what: "length of the parameter vector",
                expected: layout.len(),
                got: parameters.len(),
            });
        }
        let leaf = |id: ParamId| {
            let shape = match layout.spec(id).shape[..] {
                [rows, columns] => [rows, columns],
                ref other => [1, other.iter().product()],
            };
            let values = layout.slice(parameters, id).to_vec();
            Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
        };
        Ok(parameters_of(&self.network).into_iter().map(|id| (id, leaf(id))).collect())
    }

    /// Outputs of S samples, `[S*K*B, C]`.
    fn forward(
        &self,
        leaves: &Leaves,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Tensor<2>, Error> {
        let network = &self.network;
        let (n_examples, d_in) = inputs.dim();
        if d_in != network.shape.inputs {
            return Err(Error::Mismatch {
                what: "number of input features",
                expected: network.shape.inputs,
                got: d_in,
            });
        }
        if n_examples == 0 || n_samples == 0 {
            return Err(CoreError::Empty { op: "AutodiffEngine", argument: "batch or samples" }.into());
        }
        let values: Vec<f32> = inputs.iter().copied().collect();
        let x = Tensor::<2>::from_data(TensorData::new(values, [n_examples, d_in]), &self.device);
        let mut h = x.repeat_dim(0, n_samples * network.n_members);
        for (index, layer) in network.layers.iter().enumerate() {
            let rows = DrawRows { key, layer: index, n_samples, n_members: network.n_members, n_examples };
            h = activate(self.layer(layer, leaves, h, &rows)?, layer.activation);
        }
        Ok(h)
    }

    fn layer(
        &self,
        plan: &LayerPlan,
        leaves: &Leaves,
        mut x: Tensor<2>,
        rows: &DrawRows,
    ) -> Result<Tensor<2>, Error> {
        let param = |id: ParamId| leaves[&id].clone();
        if let FactorPlan::Dropout { rate } = plan.input_factor {
            let dropout = Dropout::new(rate)?;
            let mask = dropout.mask(rows, plan.d_in, &self.device);
            x = dropout.forward(x, mask)?;
        }
        if let WeightPlan::MeanField { scale, estimator, .. } = &plan.weight_plan {
            let layer = MeanFieldLinear {
                mean: param(plan.weight),
                raw_scale: param(*scale),
                bias: Some(param(plan.bias)),
            };
            return layer.forward(x, &layer.noise(rows, *estimator));
        }
        let layer = Rank1Linear {
            weight: param(plan.weight),
            bias: Some(param(plan.bias)),
            input_factor: factor(&plan.input_factor, leaves)?,
            output_factor: factor(&plan.output_factor, leaves)?,
            perturbation: plan.perturbation,
            n_members: self.network.n_members,
        };
        layer.forward(x, &layer.noise(rows)?)
    }
}

/// The parameters that the outputs or the likelihood read; those of priors are not among them.
fn parameters_of(network: &Network) -> Vec<ParamId> {
    let mut ids: Vec<ParamId> = network.noise.into_iter().collect();
    for layer in &network.layers {
        ids.extend([layer.weight, layer.bias]);
        if let WeightPlan::MeanField { scale, .. } = layer.weight_plan {
            ids.push(scale);
        }
        for factor in [&layer.input_factor, &layer.output_factor] {
            match factor {
                FactorPlan::Point { location, .. } => ids.push(*location),
                FactorPlan::Random { location, scale, .. } => {
                    ids.extend([Some(*location), *scale].into_iter().flatten())
                }
                _ => {}
            }
        }
    }
    ids
}

/// The factor of a plan with this call's parameters; dropout masks are no factors here.
fn factor(plan: &FactorPlan, leaves: &Leaves) -> Result<Option<Factor>, Error> {
    let param = |id: &ParamId| leaves[id].clone();
    Ok(match plan {
        FactorPlan::Absent | FactorPlan::Dropout { .. } => None,
        FactorPlan::Point { location, .. } => Some(Factor {
            location: param(location),
            raw_scale: None,
            family: PosteriorFamily::PointMass,
            granularity: Granularity::PerBatch,
            clip: None,
        }),
        FactorPlan::Random { family, location, scale, granularity, clip, .. } => Some(Factor {
            location: param(location),
            raw_scale: scale.as_ref().map(param),
            family: *family,
            granularity: *granularity,
            // Engines clip draws; the locations of a point mass are none.
            clip: clip.filter(|_| *family != PosteriorFamily::PointMass),
        }),
    })
}

fn activate(z: Tensor<2>, activation: Activation) -> Tensor<2> {
    match activation {
        Activation::Relu => activation::relu(z),
        Activation::Relu6 => z.clamp(0.0, 6.0),
        Activation::Tanh => z.tanh(),
        Activation::Silu => activation::silu(z),
        Activation::Softplus => crate::layer::softplus(z),
        Activation::Linear => z,
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
        let leaves = self.leaves(parameters, &device)?;
        if gradient.len() != parameters.len() {
            return Err(Error::Mismatch {
                what: "length of the gradient vector",
                expected: parameters.len(),
                got: gradient.len(),
            });
        }
        if batch.targets.len() != batch.inputs.nrows() {
            return Err(Error::Mismatch {
                what: "number of targets",
                expected: batch.inputs.nrows(),
                got: batch.targets.len(),
            });
        }
        let likelihood = self.network.shape.likelihood;
        let mut outputs = self.forward(&leaves, batch.inputs, key, request.n_samples)?;
        if request.form == NllForm::MarginalizedLogits {
            outputs = nll::averaged_logits(likelihood, outputs, batch.targets.len())?;
        }
        let raw_noise = self.network.noise.map(|id| leaves[&id].val());
        let log_likelihoods =
            nll::log_likelihoods(likelihood, outputs, batch.targets, raw_noise, request.n_samples)?;
        let loss = nll::reduce(log_likelihoods, request.form);
        let gradients = loss.backward();
        for (id, leaf) in &leaves {
            let Some(values) = leaf.val().grad(&gradients) else { continue };
            let slot = self.network.layout.slice_mut(gradient, *id);
            for (slot, value) in slot.iter_mut().zip(values.into_data().iter::<f32>()) {
                *slot += value;
            }
        }
        Ok(loss.into_scalar::<f64>())
    }

    fn outputs(
        &mut self,
        parameters: &[f32],
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
    ) -> Result<Array3<f32>, Error> {
        let leaves = self.leaves(parameters, &self.device)?;
        let outputs = self.forward(&leaves, inputs, key, 1)?;
        let [_, width] = outputs.dims();
        let shape = (self.network.n_members, inputs.nrows(), width);
        let values: Vec<f32> = outputs.into_data().iter::<f32>().collect();
        Ok(Array3::from_shape_vec(shape, values).expect("one row per member and example"))
    }
}
