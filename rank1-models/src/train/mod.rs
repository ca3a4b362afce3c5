//! The training loop of one network: epochs, steps, validation, early stopping.
//!
//! Knows nothing of files or terminals: epochs are reported to an [`Observer`], which may also store the state.

mod batches;
mod feed;
mod history;
mod step;

pub use batches::epoch_order;
pub use history::EpochRecord;
pub use step::{StepRecord, StepTimes, Stepper};

use ndarray::ArrayView2;
use rank1_core::targets::Targets;

use crate::device::Compute;
use crate::engine::Batch;
use crate::engine::analytic::fits;
use crate::error::Error;
use crate::init::initialize;
use crate::inputs::Inputs;
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::predict::{TrainedNetwork, predict};
use crate::recipe::Recipe;
use feed::Feed;

/// Rows and targets, normalized.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Inputs `[N, D]`, row-major, in memory or streamed.
    pub inputs: Inputs<'a>,
    /// Targets of the N rows.
    pub targets: &'a Targets,
}

/// Random changes of a training row, anew in every epoch.
///
/// A pure function of its arguments: a resumed run changes the same rows in the same way.
pub trait Augmentation: Send + Sync + std::fmt::Debug {
    /// Changes the normalized row `index` of the training rows in place.
    ///
    /// # Shapes
    /// `row`: `[D]`.
    fn apply(&self, row: &mut [f32], seed: u64, epoch: usize, index: usize);
}

/// What a network is trained on, and what it is stopped by.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSets<'a> {
    /// Rows whose likelihood is maximized.
    pub train: Rows<'a>,
    /// Rows held out of the training rows; needed for early stopping.
    pub validation: Option<Rows<'a>>,
    /// Applied to training rows in memory, never to validation rows; a stream changes its rows itself.
    pub augmentation: Option<&'a dyn Augmentation>,
}

/// Everything that a network's training carries from epoch to epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    /// Seed of this network.
    pub seed: u64,
    /// Epochs done.
    pub epoch: usize,
    /// Current parameters.
    pub parameters: Vec<f32>,
    /// Optimizer state.
    pub optimizer: Optimizer,
    /// Best validation NLL so far, its epoch and its parameters.
    pub best: Option<Best>,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// Whether training has ended.
    pub finished: bool,
}

/// The best epoch by validation NLL.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// Epochs done when it was reached.
    pub epoch: usize,
    /// Validation NLL in nats per example, in the normalized target unit.
    pub nll: f64,
    /// Parameters at that epoch.
    pub parameters: Vec<f32>,
}

impl TrainState {
    /// The state before the first epoch.
    ///
    /// # Errors
    /// Parameters of the initial distributions that the recipe check let pass but cannot be drawn from.
    pub fn start(network: &Network, recipe: &Recipe, seed: u64) -> Result<Self, Error> {
        let parameters = initialize(network, seed)?;
        let optimizer = Optimizer::new(recipe.train.optimizer.clone(), parameters.len());
        Ok(Self { seed, epoch: 0, parameters, optimizer, best: None, history: Vec::new(), finished: false })
    }

    /// The parameters to predict with: the best by validation where early stopping is on, else the last.
    #[must_use]
    pub fn selected(&self) -> &[f32] {
        self.best.as_ref().map_or(&self.parameters, |best| &best.parameters)
    }
}

/// How far an epoch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochProgress {
    /// Epochs done before this one.
    pub epoch: usize,
    /// Training rows of this epoch that were stepped on.
    pub rows: usize,
    /// Training rows.
    pub of: usize,
}

/// Told of every epoch; may store the state and may stop the run by an error.
pub trait Observer {
    /// Called after each step; has to be quick.
    fn step(&mut self, _: EpochProgress) {}

    /// Called after each epoch with the state as it would be stored.
    ///
    /// # Errors
    /// Whatever keeps the caller from going on, a full disk for one.
    fn epoch(&mut self, state: &TrainState) -> Result<(), Error>;
}

/// Ignores every epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn epoch(&mut self, _: &TrainState) -> Result<(), Error> {
        Ok(())
    }
}

/// Trains one network from `state` to its end.
///
/// The result depends on the recipe, the rows and the state only: draws and orders are functions of the seed
/// and the step, so that a run interrupted after any epoch and resumed ends with the same bits.
///
/// # Errors
/// [`Error::Diverged`] when the objective or a parameter is not finite; [`Error::Mismatch`] when the rows do
/// not fit the network; [`Error::Stream`]; errors of the observer.
pub fn train<'a>(
    network: &'a Network,
    recipe: &'a Recipe,
    compute: &Compute,
    sets: TrainingSets<'a>,
    mut state: TrainState,
    observer: &mut dyn Observer,
) -> Result<TrainState, Error> {
    check_rows(network, sets.train)?;
    if let Some(rows) = sets.validation {
        check_rows(network, rows)?;
    }
    let mut run = Run::new(network, recipe, compute, sets);
    while !state.finished {
        run.epoch(&mut state, observer)?;
        state.finished = state.epoch >= run.epochs || run.exhausted(&state);
        observer.epoch(&state)?;
    }
    Ok(state)
}

fn check_rows(network: &Network, rows: Rows<'_>) -> Result<(), Error> {
    let n = rows.inputs.n_rows();
    if n == 0 {
        return Err(Error::Mismatch { what: "number of training or validation rows", expected: 1, got: 0 });
    }
    let (expected, got) = (network.shape.inputs(), rows.inputs.width());
    if expected != got {
        return Err(Error::Mismatch { what: "number of input columns", expected, got });
    }
    if rows.targets.len() != n {
        return Err(Error::Mismatch { what: "number of targets", expected: n, got: rows.targets.len() });
    }
    if !fits(network.shape.likelihood, rows.targets) {
        return Err(rank1_core::Error::Undefined {
            op: "train",
            what: "this likelihood with targets of the other kind (classes or values)",
        }
        .into());
    }
    // Streamed rows are looked at when they come.
    if let Inputs::Stored(inputs) = rows.inputs
        && let Some((index, _)) = inputs.indexed_iter().find(|(_, x)| !x.is_finite())
    {
        return Err(rank1_core::Error::NotFinite {
            op: "train",
            argument: "inputs",
            index: vec![index.0, index.1],
        }
        .into());
    }
    Ok(rows.targets.check()?)
}

struct Run<'a> {
    network: &'a Network,
    recipe: &'a Recipe,
    sets: TrainingSets<'a>,
    stepper: Stepper<'a>,
    epochs: usize,
}

impl<'a> Run<'a> {
    fn new(network: &'a Network, recipe: &'a Recipe, compute: &Compute, sets: TrainingSets<'a>) -> Self {
        let n = sets.train.inputs.n_rows();
        let (stepper, epochs) = (Stepper::new(network, recipe, compute, n), recipe.train.n_epochs(n));
        Self { network, recipe, sets, stepper, epochs }
    }

    fn epoch(&mut self, state: &mut TrainState, observer: &mut dyn Observer) -> Result<(), Error> {
        let n = self.sets.train.inputs.n_rows();
        let order = epoch_order(state.seed, state.epoch, n);
        let mut record = EpochRecord::new(self.network, state.epoch + 1);
        let batch_size = self.recipe.train.batch_size;
        let mut feed = Feed::new(self.sets, &order, batch_size, state.seed, state.epoch)?;
        let mut done = 0;
        for rows in order.chunks(batch_size) {
            let nll = self.step(state, feed.next(rows)?, rows, &mut record)?;
            record.train_nll += nll * rows.len() as f64 / n as f64;
            done += rows.len();
            observer.step(EpochProgress { epoch: state.epoch, rows: done, of: n });
        }
        // The last update of an epoch is followed by no objective that would show it.
        let step = state.optimizer.steps.saturating_sub(1);
        if let Some(&value) = state.parameters.iter().find(|v| !v.is_finite()) {
            let (epoch, value) = (state.epoch, f64::from(value));
            return Err(Error::Diverged { step, epoch, quantity: "a parameter", value });
        }
        state.epoch += 1;
        record.step = state.optimizer.steps;
        record.describe(self.network, &state.parameters, self.stepper.penalty(), n);
        self.validate(state, &mut record)?;
        state.history.push(record);
        Ok(())
    }

    fn step(
        &mut self,
        state: &mut TrainState,
        inputs: ArrayView2<'_, f32>,
        rows: &[usize],
        record: &mut EpochRecord,
    ) -> Result<f64, Error> {
        let targets = self.sets.train.targets.select(rows);
        let batch = Batch { inputs, targets: &targets };
        let step = self.stepper.step(state, batch)?;
        record.kl_weight = step.kl_weight;
        record.penalty = step.penalty;
        record.learning_rate = step.learning_rate;
        Ok(step.nll)
    }

    fn validate(&mut self, state: &mut TrainState, record: &mut EpochRecord) -> Result<(), Error> {
        let Some(rows) = self.sets.validation else { return Ok(()) };
        // Without early stopping only the last epoch is judged: a validation costs S times an epoch of a small set.
        let every = self.recipe.train.early_stopping.map_or(self.epochs, |e| e.every);
        if !state.epoch.is_multiple_of(every) && state.epoch != self.epochs {
            return Ok(());
        }
        let last_step = state.optimizer.steps.saturating_sub(1);
        let nll = self.validation_nll(state, rows).map_err(|e| e.of_training(last_step, state.epoch - 1))?;
        record.valid_nll = Some(nll);
        if self.recipe.train.early_stopping.is_some()
            && nll.is_finite()
            && state.best.as_ref().is_none_or(|best| nll < best.nll)
        {
            state.best = Some(Best { epoch: state.epoch, nll, parameters: state.parameters.clone() });
        }
        Ok(())
    }

    fn validation_nll(&mut self, state: &TrainState, rows: Rows<'_>) -> Result<f64, Error> {
        let trained = TrainedNetwork {
            network: self.network.clone(),
            parameters: state.parameters.as_slice().into(),
            seed: state.seed,
        };
        let predictive = predict(
            std::slice::from_ref(&trained),
            std::slice::from_mut(self.stepper.engine()),
            rows.inputs,
            self.recipe.method.n_samples(self.recipe.predict.samples),
            self.recipe.predict.chunk_rows,
        )?;
        predictive.nll(rows.targets)
    }

    /// Whether early stopping has run out of patience.
    fn exhausted(&self, state: &TrainState) -> bool {
        let Some(stopping) = self.recipe.train.early_stopping else { return false };
        state.best.as_ref().is_some_and(|best| state.epoch - best.epoch >= stopping.patience * stopping.every)
    }
}
