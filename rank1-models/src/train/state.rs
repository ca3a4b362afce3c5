//! What a network's training carries from step to step, and what is kept of it.

use serde::{Deserialize, Serialize};

use super::{Average, EpochRecord};
use crate::error::Error;
use crate::init::initialize;
use crate::network::Network;
use crate::optimizer::{Optimizer, OptimizerSpec};
use crate::predict::TrainedNetwork;
use crate::recipe::Recipe;

/// Everything that a network's training carries from step to step.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    /// Seed of this network.
    pub seed: u64,
    /// Current parameters.
    pub parameters: Vec<f32>,
    /// Optimizer state; it counts the steps.
    pub optimizer: Optimizer,
    /// Best validation NLL so far, its step and its parameters.
    pub best: Option<Best>,
    /// Mean of the parameters over the last steps, if the recipe asks for it and training has come so far.
    pub average: Option<Average>,
    /// One record per event: the end of an epoch, a validation, a checkpoint.
    pub history: Vec<EpochRecord>,
    /// What the next record has accumulated.
    pub pending: Pending,
    /// Whether training has ended.
    pub finished: bool,
    /// Members that were kept after training, rising; none for all. The selected parameters are theirs.
    pub kept: Option<Vec<usize>>,
}

/// The sum of the training NLL since the last record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Sum over rows, nats.
    pub nll: f64,
    /// Rows.
    pub rows: u64,
}

/// The best step by validation NLL.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// Steps done when it was reached.
    pub step: u64,
    /// Validation NLL in nats per example, in the normalized target unit.
    pub nll: f64,
    /// Parameters at that step.
    pub parameters: Vec<f32>,
}

impl TrainState {
    /// The state before the first step.
    ///
    /// # Errors
    /// Parameters of the initial distributions that the recipe check let pass but cannot be drawn from.
    pub fn start(network: &Network, recipe: &Recipe, seed: u64) -> Result<Self, Error> {
        let parameters = initialize(network, seed)?;
        let optimizer = Optimizer::new(recipe.train.optimizer.clone(), parameters.len());
        Ok(Self {
            seed,
            parameters,
            optimizer,
            best: None,
            average: None,
            history: Vec::new(),
            pending: Pending::default(),
            finished: false,
            kept: None,
        })
    }

    /// A state of which only the selected parameters are known.
    pub(crate) fn finished(parameters: Vec<f32>, seed: u64, kept: Option<Vec<usize>>) -> Self {
        Self {
            seed,
            parameters,
            optimizer: Optimizer::new(OptimizerSpec::adam(0.0), 0),
            best: None,
            average: None,
            history: Vec::new(),
            pending: Pending::default(),
            finished: true,
            kept,
        }
    }

    /// The network with the selected parameters: that of the kept members, where some were dropped.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn trained(&self, network: &Network) -> Result<TrainedNetwork, Error> {
        Ok(TrainedNetwork {
            network: self.network_of_kept(network)?.unwrap_or_else(|| network.clone()),
            parameters: self.selected().into(),
            seed: self.seed,
            kept: self.kept.clone(),
        })
    }

    /// The network that the selected parameters are of, if it is smaller than this one.
    pub(crate) fn network_of_kept(&self, network: &Network) -> Result<Option<Network>, Error> {
        let smaller = self.kept.as_ref().filter(|kept| kept.len() != network.n_members);
        smaller.map(|kept| network.with_members(kept.len())).transpose()
    }

    /// Steps done.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.optimizer.steps
    }

    /// The parameters to predict with: the best by validation where early stopping is on, else those of this step.
    #[must_use]
    pub fn selected(&self) -> &[f32] {
        self.best.as_ref().map_or(self.of_step(), |best| &best.parameters)
    }

    /// What is judged after this step: the mean of the parameters if there is one, else the parameters themselves.
    #[must_use]
    pub fn of_step(&self) -> &[f32] {
        self.average.as_ref().map_or(&self.parameters, |average| &average.parameters)
    }
}
