//! What is known at an event of a run, mostly the end of an epoch: the parts of the objective, and per layer the KL and the spread of factors.

use serde::{Deserialize, Serialize};

use crate::network::{FactorPlan, Network};
use crate::penalty::Penalty;

/// One network at an event: the end of an epoch, a validation or a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epochs done: steps over those of a pass.
    pub epoch: f64,
    /// Optimizer steps done.
    pub step: u64,
    /// Mean training NLL since the record before, nats per example (normalized targets).
    pub train_nll: f64,
    /// KL of the whole posterior, nats.
    pub kl: f64,
    /// KL / N, nats per example.
    pub kl_per_example: f64,
    /// Annealing weight of the KL at the last step.
    pub kl_weight: f64,
    /// L2 penalty at the last step.
    pub penalty: f64,
    /// Learning rate at the last step.
    pub learning_rate: f64,
    /// Validation NLL, where it was measured.
    pub valid_nll: Option<f64>,
    /// KL of each layer.
    pub kl_by_layer: Vec<f64>,
    /// Mean posterior scale of each layer's input factor, where it is random.
    pub input_spread: Vec<Option<f64>>,
    /// Mean posterior scale of each layer's output factor, where it is random.
    pub output_spread: Vec<Option<f64>>,
}

impl EpochRecord {
    pub(super) fn describe(&mut self, network: &Network, parameters: &[f32], penalty: &Penalty, n: usize) {
        self.kl_by_layer = penalty.kl_by_layer().to_vec();
        self.kl = self.kl_by_layer.iter().sum();
        self.kl_per_example = self.kl / n as f64;
        self.describe_spread(network, parameters, penalty);
    }

    /// The spread of these parameters, where it was chosen after training.
    pub(super) fn describe_spread(&mut self, network: &Network, parameters: &[f32], penalty: &Penalty) {
        let spread = |plan: &FactorPlan| penalty.mean_scale(plan, parameters);
        self.input_spread = network.layers.iter().map(|l| spread(&l.input_factor)).collect();
        self.output_spread = network.layers.iter().map(|l| spread(&l.output_factor)).collect();
    }

    /// Column names of `metrics.csv` for a network with layers of these names.
    #[must_use]
    pub fn csv_header<'a>(layers: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut names: Vec<String> = [
            "network",
            "epoch",
            "step",
            "train_nll",
            "kl",
            "kl_per_example",
            "kl_weight",
            "penalty",
            "learning_rate",
            "valid_nll",
        ]
        .map(String::from)
        .to_vec();
        for layer in layers {
            names.push(format!("kl/{layer}"));
            names.push(format!("spread/{layer}/input"));
            names.push(format!("spread/{layer}/output"));
        }
        names
    }

    /// The fields in the order of [`EpochRecord::csv_header`]; what was not measured is empty.
    #[must_use]
    pub fn csv_fields(&self, network: usize) -> Vec<String> {
        let optional = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
        let mut fields = vec![network.to_string(), self.epoch.to_string(), self.step.to_string()];
        let numbers =
            [self.train_nll, self.kl, self.kl_per_example, self.kl_weight, self.penalty, self.learning_rate];
        fields.extend(numbers.iter().map(ToString::to_string));
        fields.push(optional(self.valid_nll));
        for (index, kl) in self.kl_by_layer.iter().enumerate() {
            fields.push(kl.to_string());
            fields.push(optional(self.input_spread.get(index).copied().flatten()));
            fields.push(optional(self.output_spread.get(index).copied().flatten()));
        }
        fields
    }
}
