//! One training step on one batch: draws, likelihood and its gradient, penalty, clipping, optimizer.
//!
//! Knows no epochs and chooses no rows; the loop around it does.

use std::ops::Range;
use std::time::{Duration, Instant};

use ndarray::{Axis, Slice};
use rank1_core::objective::KlAnnealing;

use super::{TrainState, scales};
use crate::device::Compute;
use crate::engine::{Batch, DrawKey, Engine, NllRequest, Whole};
use crate::error::Error;
use crate::network::Network;
use crate::optimizer::{clip_global_norm, zero};
use crate::penalty::{Penalty, PenaltyWeights};
use crate::ranks::{BatchStatistics, Ranks};
use crate::recipe::{Lengths, Recipe};

/// What a step found before it moved the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepRecord {
    /// Mean negative log-likelihood of the batch, nats per example.
    pub nll: f64,
    /// Weight of the KL divergence in this step.
    pub kl_weight: f64,
    /// KL divergence of the whole posterior, nats; [`Penalty::kl_by_layer`] has its summands.
    pub kl: f64,
    /// The L2 penalty.
    pub penalty: f64,
    /// Learning rate before the multipliers of the groups.
    pub learning_rate: f64,
}

/// Where the time of a step went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepTimes {
    /// Forward and backward pass.
    pub passes: Duration,
    /// KL divergence and L2 penalty with their gradients.
    pub penalty: Duration,
    /// Clipping and optimizer.
    pub update: Duration,
}

/// Runs the steps of one network; keeps every buffer from step to step.
pub struct Stepper<'a> {
    network: &'a Network,
    recipe: &'a Recipe,
    engine: Box<dyn Engine>,
    /// Whether factors are points for now, which have no divergence.
    at_locations: bool,
    penalty: Penalty,
    gradient: Vec<f32>,
    annealing: KlAnnealing,
    lengths: Lengths,
    n_rows: usize,
    /// Those who compute the other rows of every batch.
    ranks: Option<Ranks>,
    times: StepTimes,
}

impl std::fmt::Debug for Stepper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepper").field("n_rows", &self.n_rows).finish_non_exhaustive()
    }
}

impl<'a> Stepper<'a> {
    /// Steps on a training set of `n_rows` rows with the engine that recipe and device ask for.
    #[must_use]
    pub fn new(network: &'a Network, recipe: &'a Recipe, compute: &Compute, n_rows: usize) -> Self {
        let lengths = recipe.train.lengths(n_rows, &recipe.method);
        let points = scales::trained_at_locations(network, recipe);
        Self {
            network,
            recipe,
            engine: compute.engine(recipe.train.engine, points.as_ref().unwrap_or(network)),
            at_locations: points.is_some(),
            penalty: Penalty::new(network),
            gradient: vec![0.0; network.layout.len()],
            annealing: KlAnnealing { steps: lengths.annealing },
            lengths,
            n_rows,
            ranks: compute.ranks().cloned(),
            times: StepTimes::default(),
        }
    }

    /// The engine, to predict with its buffers.
    pub fn engine(&mut self) -> &mut Box<dyn Engine> {
        &mut self.engine
    }

    /// The penalty of this network.
    #[must_use]
    pub fn penalty(&self) -> &Penalty {
        &self.penalty
    }

    /// Where the time of the last step went.
    #[must_use]
    pub fn times(&self) -> StepTimes {
        self.times
    }

    fn epoch_of(&self, step: u64) -> usize {
        (step / self.lengths.pass) as usize
    }

    /// Moves the parameters of `state` by one step on `batch`; where ranks share it, all of them give the whole batch.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the objective or the gradient is not finite; the parameters are then as before.
    /// [`Error::Ranks`] where a rank is gone.
    pub fn step(&mut self, state: &mut TrainState, batch: Batch<'_, f32>) -> Result<StepRecord, Error> {
        let rows = batch.n_examples()?;
        let part = self.part(rows);
        if part.len() == rows {
            return self.step_on_part(state, batch, rows);
        }
        let targets = batch.targets.select(&part.clone().collect::<Vec<_>>());
        let inputs = batch.inputs.slice_axis(Axis(0), Slice::from(part));
        self.step_on_part(state, Batch { inputs, targets: &targets }, rows)
    }

    /// The part of a batch of `rows` rows that this process computes.
    pub(super) fn part(&self, rows: usize) -> Range<usize> {
        self.ranks.as_ref().map_or(0..rows, |ranks| ranks.part(rows))
    }

    /// As [`Stepper::step`], of a batch of `rows` rows of which `batch` has only the part of this process.
    pub(super) fn step_on_part(
        &mut self,
        state: &mut TrainState,
        batch: Batch<'_, f32>,
        rows: usize,
    ) -> Result<StepRecord, Error> {
        let t = &self.recipe.train;
        let step = state.optimizer.steps;
        let started = Instant::now();
        zero(&mut self.gradient);
        let key = DrawKey { seed: state.seed, step: step as u32, first_sample: 0, first_example: 0 };
        let request = NllRequest { n_samples: t.samples, form: t.objective };
        let nll = self
            .nll(&state.parameters, batch, rows, key, request)
            .map_err(|e| e.of_training(step, self.epoch_of(step)))?;
        let passed = Instant::now();
        let kl_weight = if self.at_locations { 0.0 } else { self.annealing.kl_weight(step) };
        let weights = PenaltyWeights {
            kl: kl_weight * t.posterior_temperature / self.n_rows as f64,
            entropy: t.entropy_weight,
            l2: t.l2,
            l2_norms: t.l2_norms,
            seed: state.seed,
            step: step as u32,
        };
        let parts = self.penalty.add_gradient(&state.parameters, &mut self.gradient, weights)?;
        let penalized = Instant::now();
        let objective = nll + weights.kl * (parts.kl + parts.entropy) + parts.l2;
        let norm = clip_global_norm(&mut self.gradient[..self.network.n_parameters()], t.clip_norm);
        for (quantity, value) in [("the objective", objective), ("the gradient's norm", norm)] {
            if !value.is_finite() {
                return Err(Error::Diverged { step, epoch: self.epoch_of(step), quantity, value });
            }
        }
        let factor = t.schedule.factor(step, self.lengths.epoch, self.lengths.horizon);
        state.optimizer.step(
            &self.network.layout,
            &t.multipliers,
            factor,
            &mut state.parameters,
            &self.gradient,
        );
        self.times =
            StepTimes { passes: passed - started, penalty: penalized - passed, update: penalized.elapsed() };
        Ok(StepRecord {
            nll,
            kl_weight,
            kl: parts.kl,
            penalty: parts.l2,
            learning_rate: t.optimizer.learning_rate() * factor,
        })
    }

    /// The mean NLL of a batch of `rows` rows, and its gradient in place of what was there.
    fn nll(
        &mut self,
        parameters: &[f32],
        batch: Batch<'_, f32>,
        rows: usize,
        key: DrawKey,
        request: NllRequest,
    ) -> Result<f64, Error> {
        let Some(ranks) = &self.ranks else {
            return self.engine.nll(parameters, &mut self.gradient, batch, key, request);
        };
        let shares_statistics =
            self.recipe.train.batch_statistics == BatchStatistics::AllRanks && !self.network.norms.is_empty();
        let whole = Whole { rows, statistics: shares_statistics.then_some(ranks) };
        let first_example = ranks.part(rows).start as u32;
        let key = DrawKey { first_example, ..key };
        let own = self.engine.nll_of_part(parameters, &mut self.gradient, batch, key, request, whole)?;
        let mut nll = [own];
        ranks.sum_doubles(&mut nll)?;
        ranks.sum(&mut self.gradient)?;
        Ok(nll[0])
    }
}
