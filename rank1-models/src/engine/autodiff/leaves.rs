//! The parameters of one call as trainable tensors, and the way of their gradients back to the flat vector.
//!
//! Running statistics are among them, but no gradient reaches them: see [`super::AutodiffEngine`].

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::error::Error;
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

/// The values of a tensor; waits for its device, and learns here what went wrong there.
pub(super) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Error> {
    let data = tensor.try_into_data();
    let data = data.map_err(|error| Error::DeviceFailed { reason: root_cause(&error.to_string()) })?;
    Ok(data.iter::<f32>().collect())
}

/// What stands last in a report of causes; their order and their backtraces are the device library's own affair.
fn root_cause(report: &str) -> String {
    let cause = report.rsplit("Caused by:").flat_map(str::lines).map(str::trim).find(|line| !line.is_empty());
    cause.unwrap_or("it gave no reason").to_owned()
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

#[cfg(test)]
mod tests {
    use super::root_cause;

    #[test]
    fn the_last_cause_is_the_one_that_is_told() {
        let report = "An error\nCaused by:\n  several\n skipped\nCaused by:\n  can't allocate 7 bytes\nAsked at:\n there";
        assert_eq!(root_cause(report), "can't allocate 7 bytes");
        assert_eq!(root_cause("a driver is gone"), "a driver is gone");
        assert_eq!(root_cause(" \n"), "it gave no reason");
    }
}
