//! The training loop of one network: steps, passes over the rows, validation, early stopping.
//!
//! Knows nothing of files or terminals: events are reported to an [`Observer`], which may also store the state.

mod average;
mod batches;
mod feed;
mod history;
mod prune;
mod scales;
mod spike;
mod state;
mod state_bytes;
mod step;

pub use average::Average;
pub use batches::epoch_order;
pub use history::EpochRecord;
pub use state::{Best, Pending, TrainState};
pub use step::{StepRecord, StepTimes, Stepper};

use ndarray::ArrayView2;
use rank1_core::targets::Targets;
use sha2::{Digest, Sha256};

use crate::device::Compute;
use crate::engine::analytic::fits;
use crate::engine::{Batch, Engine};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::{TrainedNetwork, predict};
use crate::ranks::Ranks;
use crate::recipe::{Lengths, Recipe};
use feed::Feed;
use spike::SpikeWatch;

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

/// How far a network has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepProgress {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run, if it does not stop early.
    pub of: u64,
}

/// A batch whose NLL is out of all proportion to those before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spike {
    /// The step, from 0.
    pub step: u64,
    /// Its NLL, nats per example.
    pub nll: f64,
    /// Median of the hundred steps before.
    pub median: f64,
}

/// Told of steps and events; may store the state and may stop the run by an error.
pub trait Observer {
    /// Called after each step, and after the event that it may be; has to be quick.
    ///
    /// # Errors
    /// Whatever keeps the caller from going on; a state stored here is gone on from to the same bits.
    fn step(&mut self, _: &TrainState, _: StepProgress) -> Result<(), Error> {
        Ok(())
    }

    /// Called after each event with the state as it would be stored; `save` says that a checkpoint is due.
    ///
    /// # Errors
    /// Whatever keeps the caller from going on, a full disk for one.
    fn event(&mut self, state: &TrainState, save: bool) -> Result<(), Error>;

    /// Asked between steps after which nothing can be stored; the run then goes on from the event before.
    ///
    /// # Errors
    /// Whatever keeps the caller from going on.
    fn between(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Told once of a run, of the first spike.
    fn spike(&mut self, _: Spike) {}
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &TrainState, _: bool) -> Result<(), Error> {
        Ok(())
    }
}

/// Trains one network from `state` to its end.
///
/// The result depends on the recipe, the rows and the state only: draws and orders are functions of the seed
/// and the step, so that a run interrupted after any step and resumed ends with the same bits.
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
        run.pass(&mut state, observer)?;
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

/// Most samples of each member when a network is judged on the validation rows.
const JUDGED_SAMPLES: usize = 8;

struct Run<'a> {
    network: &'a Network,
    recipe: &'a Recipe,
    sets: TrainingSets<'a>,
    stepper: Stepper<'a>,
    /// The network that is stepped and judged while it trains, where that is another.
    points: Option<Network>,
    compute: Compute,
    lengths: Lengths,
    spikes: SpikeWatch,
}

impl<'a> Run<'a> {
    fn new(network: &'a Network, recipe: &'a Recipe, compute: &Compute, sets: TrainingSets<'a>) -> Self {
        let n = sets.train.inputs.n_rows();
        let lengths = recipe.train.lengths(n, &recipe.method);
        let stepper = Stepper::new(network, recipe, compute, n);
        let points = scales::trained_at_locations(network, recipe);
        Self {
            network,
            recipe,
            sets,
            stepper,
            points,
            compute: compute.clone(),
            lengths,
            spikes: SpikeWatch::default(),
        }
    }

    /// What is left of the pass over the rows that the state is in.
    fn pass(&mut self, state: &mut TrainState, observer: &mut dyn Observer) -> Result<(), Error> {
        let n = self.sets.train.inputs.n_rows();
        let lengths = self.lengths;
        let pass = (state.step() / lengths.pass) as usize;
        let batch_size = self.recipe.train.batch_size;
        let order = epoch_order(state.seed, pass, n);
        let done = (state.step() % lengths.pass) as usize * batch_size;
        let left = ((lengths.end - state.step()).saturating_mul(batch_size as u64)).min((n - done) as u64);
        let order = &order[done..done + left as usize];
        let mut feed = Feed::new(self.sets, &self.stepper, order, batch_size, (state.seed, pass))?;
        for rows in order.chunks(batch_size) {
            let own = &rows[self.stepper.part(rows.len())];
            let record = self.step(state, feed.next(own)?, own, rows.len())?;
            if let Some(spike) = self.spikes.see(state.step() - 1, record.nll) {
                observer.spike(spike);
            }
            if lengths.is_event(state.step()) {
                self.event(state, record, observer)?;
                observer.event(state, lengths.is_save(state.step()) || state.finished)?;
            }
            observer.step(state, StepProgress { step: state.step(), of: lengths.end })?;
            if state.finished {
                break;
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        state: &mut TrainState,
        inputs: ArrayView2<'_, f32>,
        own: &[usize],
        rows: usize,
    ) -> Result<StepRecord, Error> {
        let targets = self.sets.train.targets.select(own);
        let record = self.stepper.step_on_part(state, Batch { inputs, targets: &targets }, rows)?;
        if self.lengths.average_from.is_some_and(|skipped| state.step() > skipped) {
            match &mut state.average {
                Some(average) => average.add(&state.parameters),
                none => *none = Some(Average { steps: 1, parameters: state.parameters.clone() }),
            }
        }
        state.pending.nll += record.nll * rows as f64;
        state.pending.rows += rows as u64;
        Ok(record)
    }

    fn event(
        &mut self,
        state: &mut TrainState,
        step: StepRecord,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        // The last update is followed by no objective that would show it.
        if let Some(&value) = state.parameters.iter().find(|v| !v.is_finite()) {
            let (step, value) = (state.step() - 1, f64::from(value));
            return Err(Error::Diverged { step, epoch: self.epoch_of(step), quantity: "a parameter", value });
        }
        if let Some(ranks) = self.compute.ranks() {
            ranks.agree(
                "other parameters (machines whose processors compute differently?)",
                &digest(&state.parameters),
            )?;
        }
        let n = self.sets.train.inputs.n_rows();
        let mut record = EpochRecord {
            epoch: state.step() as f64 / self.lengths.pass as f64,
            step: state.step(),
            train_nll: state.pending.nll / state.pending.rows as f64,
            kl_weight: step.kl_weight,
            penalty: step.penalty,
            learning_rate: step.learning_rate,
            ..EpochRecord::default()
        };
        state.pending = Pending::default();
        record.describe(self.network, &state.parameters, self.stepper.penalty(), n);
        if self.lengths.is_check(state.step()) {
            self.validate(state, &mut record)?;
        }
        state.history.push(record);
        state.finished = state.step() >= self.lengths.end || self.exhausted(state);
        if state.finished && self.recipe.train.scales_after.is_some() {
            self.add_scales(state, observer)?;
        }
        if state.finished {
            self.prune(state, observer)?;
        }
        Ok(())
    }

    fn epoch_of(&self, step: u64) -> usize {
        (step / self.lengths.pass) as usize
    }

    fn validate(&mut self, state: &mut TrainState, record: &mut EpochRecord) -> Result<(), Error> {
        let Some(rows) = self.sets.validation else { return Ok(()) };
        let last = state.step() - 1;
        let parameters = state.of_step().to_vec();
        let nll = self
            .validation_nll(&parameters, state.seed, rows)
            .map_err(|e| e.of_training(last, self.epoch_of(last)))?;
        record.valid_nll = Some(nll);
        if self.recipe.train.early_stopping.is_some()
            && state.step() >= self.lengths.judged_from
            && nll.is_finite()
            && state.best.as_ref().is_none_or(|best| nll < best.nll)
        {
            state.best = Some(Best { step: state.step(), nll, parameters });
        }
        Ok(())
    }

    fn validation_nll(&mut self, parameters: &[f32], seed: u64, rows: Rows<'_>) -> Result<f64, Error> {
        let samples = if self.points.is_some() { 1 } else { self.judged_samples() };
        let network = self.points.as_ref().unwrap_or(self.network).clone();
        let trained = TrainedNetwork { network, parameters: parameters.into(), seed, kept: None };
        judge(self.recipe, &trained, self.stepper.engine(), rows, samples, self.compute.ranks())
    }

    fn judged_samples(&self) -> usize {
        self.recipe.method.n_samples(self.recipe.predict.samples.min(JUDGED_SAMPLES))
    }

    /// Whether early stopping has run out of patience.
    fn exhausted(&self, state: &TrainState) -> bool {
        let (Some(stopping), Some(every)) = (self.recipe.train.early_stopping, self.lengths.check) else {
            return false;
        };
        state.best.as_ref().is_some_and(|best| state.step() - best.step >= stopping.patience as u64 * every)
    }
}

fn digest(values: &[f32]) -> Vec<u8> {
    let mut sha = Sha256::new();
    for chunk in values.chunks(1024) {
        sha.update(chunk.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    }
    sha.finalize().to_vec()
}

/// Mean NLL of a network's predictions of held-out rows, nats; of several ranks the first finds it.
fn judge(
    recipe: &Recipe,
    trained: &TrainedNetwork,
    engine: &mut Box<dyn Engine>,
    rows: Rows<'_>,
    samples: usize,
    ranks: Option<&Ranks>,
) -> Result<f64, Error> {
    if let Some(ranks) = ranks {
        // As bits: JSON has no word for what is not finite.
        let found = ranks.of_first(|| judge(recipe, trained, engine, rows, samples, None).map(f64::to_bits));
        return found.map(f64::from_bits);
    }
    let (networks, engines) = (std::slice::from_ref(trained), std::slice::from_mut(engine));
    predict(networks, engines, rows.inputs, samples, recipe.predict.chunk_rows)?.nll(rows.targets)
}
