//! What a network consists of and costs, from its plan alone: parameters by kind, multiplications, memory of a step.
//!
//! Nothing is allocated or computed with; `rank1 info` prints it before anything is run.

use serde::Serialize;

use crate::error::Error;
use crate::method::Method;
use crate::network::{LayerPlan, Network, NetworkShape, Node, WeightPlan};
use crate::operation::{self, Cost};
use crate::optimizer::OptimizerSpec;
use crate::params::ParamGroup;

/// Scalars by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Shared weights, or their means.
    pub weights: usize,
    /// Scales of mean-field weights.
    pub weight_scales: usize,
    /// Locations of factors, and point factors.
    pub factor_locations: usize,
    /// Scales of factors.
    pub factor_scales: usize,
    /// Biases of all members.
    pub biases: usize,
    /// Scales and shifts of normalizations.
    pub norms: usize,
    /// Observation noise and parameters of priors.
    pub others: usize,
    /// Running statistics of normalizations: kept, not trained.
    pub statistics: usize,
}

impl Counts {
    fn of(network: &Network) -> Self {
        let count = |group| network.layout.count(group);
        Self {
            weights: count(ParamGroup::Weight),
            weight_scales: count(ParamGroup::WeightScale),
            factor_locations: count(ParamGroup::FactorLocation),
            factor_scales: count(ParamGroup::FactorScale),
            biases: count(ParamGroup::Bias),
            norms: count(ParamGroup::Norm),
            others: count(ParamGroup::Noise) + count(ParamGroup::Prior),
            statistics: count(ParamGroup::Statistic),
        }
    }

    /// All trained scalars.
    #[must_use]
    pub fn trainable(&self) -> usize {
        self.weights
            + self.weight_scales
            + self.factor_locations
            + self.factor_scales
            + self.biases
            + self.norms
            + self.others
    }

    /// Trained scalars and statistics.
    #[must_use]
    pub fn total(&self) -> usize {
        self.trainable() + self.statistics
    }
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Name of the layer or normalization; empty for operations without parameters.
    pub name: String,
    /// What it does.
    pub operation: String,
    /// Height, width and channels of the result; columns have height and width 1.
    pub output: [usize; 3],
    /// Shape of the weight, input side first.
    pub weight: Option<[usize; 2]>,
    /// Trained scalars.
    pub parameters: usize,
    /// Multiplications, each with an addition, of one row (one member, one sample, one example).
    pub multiply_adds: u64,
}

/// A network on paper.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Method.
    pub method: String,
    /// Members K of one network.
    pub members: usize,
    /// Independently trained networks.
    pub networks: usize,
    /// Operations in order.
    pub rows: Vec<Row>,
    /// Scalars of one network.
    pub counts: Counts,
    /// Trained scalars and statistics of all networks together.
    pub total: usize,
    /// Trained scalars of all networks together.
    pub trainable: usize,
    /// Trained scalars of the deterministic network of the same architecture.
    pub deterministic_trainable: usize,
    /// Trained scalars over those of the deterministic network, in percent.
    pub percent_over_deterministic: f64,
    /// Floating-point operations of one prediction of one example by every member, one sample each.
    pub flops_per_example: u64,
    /// Bytes that a training step holds: parameters, gradient, optimizer state, values and their gradients.
    pub step_bytes: u64,
    /// Of these, bytes that grow with the batch.
    pub activation_bytes: u64,
    /// Bytes that are held in addition while a checkpoint is written: tensors as bytes, then the file as a whole.
    pub save_bytes: u64,
}

impl Summary {
    /// Describes the networks of `method` and a training step with `samples` times `batch_size` rows per member.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn new(
        shape: &NetworkShape,
        method: &Method,
        optimizer: &OptimizerSpec,
        batch_size: usize,
        samples: usize,
    ) -> Result<Self, Error> {
        let shape = &shape.with_most_bins();
        let network = Network::new(shape.clone(), method)?;
        let counts = Counts::of(&network);
        let plain = Counts::of(&Network::new(shape.clone(), &Method::Deterministic)?).trainable();
        let networks = method.n_networks();
        let trainable = networks * counts.trainable();
        let costs: Vec<Cost> = network.nodes.iter().map(|node| operation::cost(&network, node)).collect();
        let rows: Vec<Row> = network.nodes.iter().zip(&costs).map(|(node, cost)| row(node, cost)).collect();
        // Results, their gradients, and what operations keep beside them.
        let kept = network.nodes.iter().zip(&costs).map(|(node, cost)| 2 * node.volume.len() + cost.kept);
        let values_per_row = kept.sum::<usize>() as u64;
        let multiply_adds = rows.iter().map(|r| r.multiply_adds).fold(0, u64::saturating_add);
        let flips = if network.layers.iter().any(is_flipout) { 2 } else { 1 };
        let slots = match optimizer {
            OptimizerSpec::Sgd { .. } => 1,
            OptimizerSpec::Adam { .. } => 2,
        };
        // A recipe may ask for more than there is; such a plan is as large as a number can be.
        let batch_rows =
            (samples as u64).saturating_mul((network.n_members as u64).saturating_mul(batch_size as u64));
        let activation_bytes = batch_rows.saturating_mul(4 * values_per_row);
        // Values, gradient and moments; a checkpoint has the selected parameters in place of the gradient.
        let parameters = 4 * (network.layout.len() as u64) * (2 + slots);
        let drawn =
            network.layers.iter().map(|l| drawn_weights(&network, l, samples)).fold(0, u64::saturating_add);
        Ok(Self {
            method: method.label(),
            members: network.n_members,
            networks,
            counts,
            total: networks * counts.total(),
            trainable,
            deterministic_trainable: plain,
            percent_over_deterministic: 100.0 * (trainable as f64 / plain as f64 - 1.0),
            flops_per_example: multiply_adds
                .saturating_mul(2 * flips)
                .saturating_mul((network.n_members * networks) as u64),
            step_bytes: activation_bytes.saturating_add(parameters).saturating_add(drawn.saturating_mul(4)),
            activation_bytes,
            save_bytes: 2 * parameters,
            rows,
        })
    }
}

fn is_flipout(layer: &LayerPlan) -> bool {
    let flipout = crate::method::Estimator::Flipout;
    matches!(layer.weight_plan, WeightPlan::MeanField { estimator, .. } if estimator == flipout)
}

/// Noise and draws of mean-field weights.
fn drawn_weights(network: &Network, layer: &LayerPlan, samples: usize) -> u64 {
    match layer.weight_plan {
        WeightPlan::Point => 0,
        WeightPlan::MeanField { .. } => {
            (3 * network.layout.spec(layer.weight).range.len() as u64).saturating_mul(samples as u64)
        }
    }
}

fn row(node: &Node, cost: &Cost) -> Row {
    Row {
        name: cost.name.clone(),
        operation: cost.operation.clone(),
        output: [node.volume.height, node.volume.width, node.volume.channels],
        weight: cost.weight,
        parameters: cost.parameters,
        multiply_adds: cost.multiply_adds,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_core::likelihood::Likelihood;

    use super::*;
    use crate::network::{Body, InputShape};

    #[test]
    fn a_network_that_no_machine_holds_costs_as_much_as_a_number_can_say() {
        let shape = NetworkShape {
            input: InputShape::Image { height: 224, width: 224, channels: 3 },
            body: Body::WideResnet { depth: 28, widen: 1_000_000, norm: Default::default() },
            outputs: 2,
            likelihood: Likelihood::Categorical,
        };
        let optimizer = OptimizerSpec::Sgd { learning_rate: 0.1, momentum: 0.9, nesterov: true };
        let summary = Summary::new(&shape, &Method::Deterministic, &optimizer, usize::MAX, 1).unwrap();
        assert_eq!(summary.flops_per_example, u64::MAX);
        assert_eq!(summary.step_bytes, u64::MAX);
    }
}
