//! From a recipe and rows to trained networks: the search over settings, then all networks of an ensemble.

mod data;
mod on_ranks;
mod search;

pub use data::{TrainingData, TrainingInputs};
pub use search::Trial;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rank1_core::noise::philox4x32;
use rayon::prelude::*;

use crate::checkpoint::{Origin, Slot};
use crate::device::Compute;
use crate::error::Error;
use crate::network::{Network, NetworkShape};
use crate::predict::TrainedNetwork;
use crate::ranks::Ranks;
use crate::recipe::{CheckedRecipe, Recipe};
use crate::train::{EpochRecord, Observer, Spike, StepProgress, TrainState, TrainingSets, train};
use data::Parts;
use search::search;

/// Least time between two reports within an epoch.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// What is told while fitting.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A trial of the search ended with this validation NLL.
    Trial {
        /// Number of the trial, from 0.
        trial: usize,
        /// Number of trials.
        of: usize,
        /// Validation NLL (normalized targets).
        nll: f64,
    },
    /// Steps were done; told a few times a second.
    Steps {
        /// Index of the network.
        network: usize,
        /// Rows of a full batch.
        batch_size: usize,
        /// How far the network has come.
        progress: StepProgress,
    },
    /// A network came to the end of an epoch, a validation or a checkpoint.
    Event {
        /// Index of the network.
        network: usize,
        /// Its record.
        record: &'a EpochRecord,
    },
    /// The NLL of a batch is out of all proportion.
    Spike {
        /// Index of the network.
        network: usize,
        /// The batch.
        spike: Spike,
    },
}

/// Settings of a fit that change no result, but for rounding on another device.
#[derive(Clone, Copy)]
pub struct FitOptions<'a> {
    /// Networks trained at a time.
    pub threads: usize,
    /// Where to compute.
    pub compute: &'a Compute,
    /// Folder of the checkpoint; none keeps everything in memory.
    pub checkpoint: Option<&'a Path>,
    /// Told of trials, steps and epochs, from several threads.
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

impl std::fmt::Debug for FitOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FitOptions")
            .field("threads", &self.threads)
            .field("compute", &self.compute)
            .field("checkpoint", &self.checkpoint)
            .finish_non_exhaustive()
    }
}

/// Trained networks and how they came about.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The networks, selected parameters.
    pub networks: Vec<TrainedNetwork>,
    /// Epoch records of every network.
    pub histories: Vec<Vec<EpochRecord>>,
    /// Trials of the search, in order.
    pub trials: Vec<Trial>,
    /// Validation NLL of each network at the step that was kept, with early stopping.
    pub best_nlls: Vec<f64>,
    /// The recipe that the networks were trained with: searched keys replaced by the chosen values.
    pub chosen: CheckedRecipe,
}

/// The seed of network `index` of a run.
#[must_use]
pub fn network_seed(seed: u64, index: usize) -> u64 {
    let words = philox4x32([index as u32, 0, 0, 0x5345_4544], [seed as u32, (seed >> 32) as u32]);
    u64::from(words[0]) | u64::from(words[1]) << 32
}

/// Searches (if the recipe asks for it), then trains every network of the method.
///
/// With a search, each combination of values trains one network on the rows outside the validation part and is
/// judged by its validation NLL; the best is trained again on all rows, on the same schedule and up to the same step. For an
/// ensemble the search judges a single network. Without a search, early stopping trains on the rows outside the
/// validation part and keeps the best step; without that too, all rows are trained on.
///
/// Where several ranks train, all of them call this with the same arguments: trials and whole networks are dealt to them, and
/// the rows of what is left are shared. Every rank gets all networks. A checkpoint is written by the first rank, and the state of
/// a network that was dealt also by the rank that trains it.
///
/// # Errors
/// As [`train`], and checkpoint errors. A diverged trial of the search loses, and is no error unless all diverge.
pub fn fit(
    recipe: &CheckedRecipe,
    shape: &NetworkShape,
    data: &TrainingData,
    options: FitOptions<'_>,
) -> Result<Fitted, Error> {
    fit_until(recipe, shape, data, options, &AtomicBool::new(false))
}

/// As [`fit`], until `stop` is set: every network that is being trained then saves its state, and none is begun.
///
/// # Errors
/// As [`fit`], and [`Error::Interrupted`] when it was stopped; the same call goes on from what was saved.
pub fn fit_until(
    recipe: &CheckedRecipe,
    shape: &NetworkShape,
    data: &TrainingData,
    options: FitOptions<'_>,
    stop: &AtomicBool,
) -> Result<Fitted, Error> {
    Compute::supports(recipe.get().train.engine)?;
    data.check(recipe.get(), shape)?;
    if let Some(ranks) = options.compute.ranks() {
        let origin = [recipe.hash(), shape.hash(), data.fingerprint()].concat();
        ranks.agree("another recipe, program or training rows", origin.as_bytes())?;
    }
    let (trials, chosen) = search(recipe, shape, data, options, stop)?;
    let network = Network::new(shape.clone(), &chosen.get().method)?;
    // Rows are copied only where some are held out.
    let parts = chosen.get().train.early_stopping.is_some().then(|| data.parts());
    let sets = parts.as_ref().map_or_else(|| data.all(), Parts::sets);
    // Read from end to end, so only where there is a folder to compare with.
    let checkpoint = options.checkpoint.map(|root| {
        let origin = Origin { recipe: recipe.hash(), shape: shape.hash(), data: data.fingerprint() };
        (root, origin)
    });
    let one = |index| {
        let slot = checkpoint.as_ref().map(|(root, origin)| Slot::new(root, index, origin.clone()));
        fit_network(&network, chosen.get(), sets, index, slot, options, stop)
    };
    let indices = 0..recipe.get().method.n_networks();
    let states: Vec<TrainState> = if let Some(ranks) = options.compute.ranks() {
        let job =
            on_ranks::Job { network: &network, recipe: chosen.get(), sets, checkpoint: checkpoint.as_ref() };
        rayon::join(|| job.fit(ranks, indices.end, options, stop), || ()).0?
    } else if options.threads <= 1 {
        // On a thread of the pool, where handing out work costs least.
        rayon::join(|| indices.map(one).collect::<Result<_, _>>(), || ()).0?
    } else {
        pool(options.threads)?.install(|| indices.into_par_iter().map(one).collect::<Result<_, _>>())?
    };
    Ok(Fitted {
        networks: states.iter().map(|state| state.trained(&network)).collect::<Result<_, _>>()?,
        best_nlls: states.iter().filter_map(|s| s.best.as_ref()).map(|best| best.nll).collect(),
        histories: states.into_iter().map(|s| s.history).collect(),
        trials,
        chosen,
    })
}

/// Reads the networks of a run.
///
/// # Errors
/// [`Error::Checkpoint`], also for states of another recipe or shape, and [`Error::Io`]; a network that is missing.
pub fn load(
    chosen: &Recipe,
    recipe_hash: &str,
    shape: &NetworkShape,
    checkpoint: &Path,
) -> Result<Vec<TrainState>, Error> {
    let network = Network::new(shape.clone(), &chosen.method)?;
    let origin = Origin { recipe: recipe_hash.into(), shape: shape.hash(), data: String::new() };
    let mut states = Vec::new();
    for index in 0..chosen.method.n_networks() {
        let state = Slot::new(checkpoint, index, origin.clone()).load(&network, chosen)?;
        states.push(state.ok_or_else(|| Error::Io {
            action: "read the manifest of",
            path: checkpoint.join(format!("network{index}")),
            source: std::io::ErrorKind::NotFound.into(),
        })?);
    }
    Ok(states)
}

/// Writes trained networks as the finished states that [`load`] reads.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn save(
    networks: &[TrainedNetwork],
    recipe_hash: &str,
    shape: &NetworkShape,
    checkpoint: &Path,
) -> Result<(), Error> {
    let origin = Origin { recipe: recipe_hash.into(), shape: shape.hash(), data: String::new() };
    for (index, TrainedNetwork { network, parameters, seed, kept }) in networks.iter().enumerate() {
        let state = TrainState::finished(parameters.to_vec(), *seed, kept.clone());
        Slot::new(checkpoint, index, origin.clone()).save(network, &state)?;
    }
    Ok(())
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, Error> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| Error::Io {
        action: "start threads for",
        path: "training".into(),
        source: std::io::Error::other(e),
    })
}

struct Saver<'a> {
    network: &'a Network,
    index: usize,
    slot: Option<Slot>,
    batch_size: usize,
    progress: &'a (dyn Fn(Progress<'_>) + Sync),
    /// When steps were last reported.
    told: Instant,
    stop: &'a AtomicBool,
    /// Those who stop together.
    ranks: Option<&'a Ranks>,
}

impl Observer for Saver<'_> {
    fn step(&mut self, state: &TrainState, progress: StepProgress) -> Result<(), Error> {
        if self.told.elapsed() >= REPORT_EVERY || progress.step == progress.of {
            self.told = Instant::now();
            let (network, batch_size) = (self.index, self.batch_size);
            (self.progress)(Progress::Steps { network, batch_size, progress });
        }
        let stopped = if state.finished { Ok(()) } else { interrupted(self.stop, self.ranks) };
        if let (Err(_), Some(slot)) = (&stopped, &self.slot) {
            slot.save(self.network, state)?;
        }
        stopped
    }

    fn event(&mut self, state: &TrainState, save: bool) -> Result<(), Error> {
        if let Some(record) = state.history.last() {
            (self.progress)(Progress::Event { network: self.index, record });
        }
        match &self.slot {
            Some(slot) if save => slot.save(self.network, state),
            _ => Ok(()),
        }
    }

    fn between(&mut self) -> Result<(), Error> {
        interrupted(self.stop, self.ranks)
    }

    fn spike(&mut self, spike: Spike) {
        (self.progress)(Progress::Spike { network: self.index, spike });
    }
}

/// Whether training is to stop, here or on any of the ranks.
fn interrupted(stop: &AtomicBool, ranks: Option<&Ranks>) -> Result<(), Error> {
    let own = stop.load(Ordering::Relaxed);
    let stops = match ranks {
        Some(ranks) => ranks.any(own)?,
        None => own,
    };
    if stops { Err(Error::Interrupted) } else { Ok(()) }
}

fn fit_network<'a>(
    network: &'a Network,
    recipe: &'a Recipe,
    sets: TrainingSets<'a>,
    index: usize,
    slot: Option<Slot>,
    options: FitOptions<'_>,
    stop: &AtomicBool,
) -> Result<TrainState, Error> {
    let ranks = options.compute.ranks();
    interrupted(stop, ranks)?;
    let mut saved = slot.as_ref().map(|slot| slot.load(network, recipe)).transpose()?.flatten();
    slot.as_ref().map_or(Ok(()), Slot::clean)?;
    if let Some(ranks) = ranks {
        saved = on_ranks::of_rank(ranks, 0, saved.as_ref(), recipe)?;
    }
    let state = match saved {
        Some(state) => state,
        None => TrainState::start(network, recipe, network_seed(recipe.seed, index))?,
    };
    let (batch_size, progress) = (recipe.train.batch_size, options.progress);
    let mut saver = Saver { network, index, slot, batch_size, progress, told: Instant::now(), stop, ranks };
    train(network, recipe, options.compute, sets, state, &mut saver)
}
