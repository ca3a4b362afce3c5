//! The parameters of one call as trainable tensors, and the way of their gradients back to the flat vector.
//!
//! Running statistics are among them, but no gradient reaches them: see [`super::AutodiffEngine`].

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::error::Error;
use crate::layer::host::read;
use crate::network::{FactorPlan, Network, WeightPlan};
use crate::params::{ParamId, ParamLayout};

/// Matrices; vectors are rows of one-row matrices.
#[derive(Debug)]
pub(super) struct Leaves(BTreeMap<ParamId, Param<Tensor<2>>>);

impl Leaves {
    /// Everything that the outputs or the likelihood of `network` read, with the values of `parameters`.
    pub(super) fn new(network: &Network, parameters: &[f32], device: &Device) -> Result<Self, Error> {
        let layout = &network.layout;
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
        Ok(Self(parameters_of(network).into_iter().map(|id| (id, leaf(id))).collect()))
    }

    /// The parameter, to put into a Burn module.
    pub(super) fn param(&self, id: ParamId) -> Param<Tensor<2>> {
        self.0[&id].clone()
    }

    pub(super) fn tensor(&self, id: ParamId) -> Tensor<2> {
        self.0[&id].val()
    }

    /// Adds the gradients of all parameters that the loss depends on.
    pub(super) fn add_gradients(
        &self,
        layout: &ParamLayout,
        gradients: &Gradients,
        into: &mut [f32],
    ) -> Result<(), Error> {
        for (id, leaf) in &self.0 {
            let Some(values) = leaf.val().grad(gradients) else { continue };
            let slots = layout.slice_mut(into, *id).iter_mut();
            slots.zip(read(values)?).for_each(|(slot, value)| *slot += value);
        }
        Ok(())
    }
}

/// Parameters of layers, normalizations and noise; those of priors are not among them.
fn parameters_of(network: &Network) -> Vec<ParamId> {
    let mut ids: Vec<ParamId> = network.noise.into_iter().collect();
    for norm in &network.norms {
        ids.extend([norm.scale, norm.shift, norm.mean, norm.variance]);
    }
    for embedding in &network.embeddings {
        ids.extend(embedding.parameters());
    }
    for layer in &network.layers {
        ids.push(layer.weight);
        ids.extend(layer.bias);
        if let WeightPlan::MeanField { scale, .. } = layer.weight_plan {
            ids.push(scale);
        }
        for factor in [&layer.input_factor, &layer.output_factor].into_iter().filter_map(FactorPlan::trained)
        {
            ids.extend([Some(factor.location), factor.scale].into_iter().flatten());
        }
    }
    ids
}
