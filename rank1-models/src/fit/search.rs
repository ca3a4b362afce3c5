//! The search over settings: every combination of values is tried on the rows outside the validation part and judged by it.

use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use super::data::{Parts, TrainingData};
use super::on_ranks::stopped_together;
use super::{FitOptions, Progress, interrupted, network_seed, pool};
use crate::device::Compute;
use crate::error::Error;
use crate::network::{Network, NetworkShape};
use crate::ranks::Ranks;
use crate::recipe::{CheckedRecipe, Override, Recipe};
use crate::train::{Observer, StepProgress, TrainState, train};

/// A trial of the search: the values tried and what they reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Values of the searched keys.
    pub values: Vec<Override>,
    /// Best validation NLL; infinite where training diverged.
    pub nll: f64,
    /// Steps done when it was reached.
    pub step: u64,
}

/// Every combination of the searched values, in the order of keys and values.
fn combinations(recipe: &Recipe) -> Vec<Vec<Override>> {
    let mut all = vec![Vec::new()];
    for (key, values) in &recipe.search {
        all = all
            .into_iter()
            .flat_map(|before: Vec<Override>| {
                values.iter().map(move |value| {
                    let mut next = before.clone();
                    next.push(Override::new(key, value.clone()));
                    next
                })
            })
            .collect();
    }
    all
}

/// The trials, and the recipe with the best values; none, and the recipe as it is, where nothing is searched.
pub(super) fn search(
    recipe: &CheckedRecipe,
    shape: &NetworkShape,
    data: &TrainingData,
    options: FitOptions<'_>,
    stop: &AtomicBool,
) -> Result<(Vec<Trial>, CheckedRecipe), Error> {
    if recipe.get().search.is_empty() {
        return Ok((Vec::new(), recipe.clone()));
    }
    let parts = &data.parts();
    let combinations = combinations(recipe.get());
    let of = combinations.len();
    let one = |(trial, values): (usize, &Vec<Override>)| {
        let found = try_values(recipe, shape, parts, values, options.compute, stop)?;
        (options.progress)(Progress::Trial { trial, of, nll: found.nll });
        Ok(found)
    };
    let trials: Vec<Trial> = if let Some(ranks) = options.compute.ranks() {
        let alone = options.compute.clone().with_ranks(None);
        let try_one = |values: &Vec<Override>| try_values(recipe, shape, parts, values, &alone, stop);
        dealt(ranks, &combinations, try_one, options)?
    } else if options.threads <= 1 {
        combinations.iter().enumerate().map(one).collect::<Result<_, Error>>()?
    } else {
        let run = || combinations.par_iter().enumerate().map(one).collect::<Result<_, Error>>();
        pool(options.threads)?.install(run)?
    };
    let best =
        trials.iter().min_by(|a, b| a.nll.total_cmp(&b.nll)).filter(|best| best.nll.is_finite()).ok_or(
            Error::Diverged { step: 0, epoch: 0, quantity: "every trial of [search]", value: f64::NAN },
        )?;
    let judged = settled(recipe, &best.values, None)?;
    let rows = parts.sets().train.inputs.n_rows();
    let epoch_steps = judged.get().train.lengths(rows, &judged.get().method).epoch;
    let chosen = settled(recipe, &best.values, Some(Stop { step: best.step, epoch_steps }))?;
    Ok((trials.clone(), chosen))
}

/// The trials of all ranks, each of which tries a combination in turn.
fn dealt(
    ranks: &Ranks,
    combinations: &[Vec<Override>],
    try_one: impl Fn(&Vec<Override>) -> Result<Trial, Error>,
    options: FitOptions<'_>,
) -> Result<Vec<Trial>, Error> {
    let of = combinations.len();
    let mut found = vec![0.0; 2 * of];
    let tried = (ranks.rank()..of).step_by(ranks.size()).try_for_each(|trial| {
        let Trial { nll, step, .. } = try_one(&combinations[trial])?;
        (found[2 * trial], found[2 * trial + 1]) = (nll, step as f64);
        (options.progress)(Progress::Trial { trial, of, nll });
        Ok(())
    });
    stopped_together(ranks, tried)?;
    // Zeros everywhere but from the rank that tried.
    ranks.sum_doubles(&mut found)?;
    let trials = combinations.iter().zip(found.chunks_exact(2)).enumerate();
    let trial = |(trial, (values, found)): (usize, (&Vec<Override>, &[f64]))| {
        if trial % ranks.size() != ranks.rank() {
            (options.progress)(Progress::Trial { trial, of, nll: found[0] });
        }
        Trial { values: values.clone(), nll: found[0], step: found[1] as u64 }
    };
    Ok(trials.map(trial).collect())
}

fn try_values(
    recipe: &CheckedRecipe,
    shape: &NetworkShape,
    parts: &Parts<'_>,
    values: &[Override],
    compute: &Compute,
    stop: &AtomicBool,
) -> Result<Trial, Error> {
    interrupted(stop, None)?;
    let candidate = settled(recipe, values, None)?;
    let recipe = candidate.get();
    let network = Network::new(shape.clone(), &recipe.method)?;
    let start = TrainState::start(&network, recipe, network_seed(recipe.seed, 0))?;
    let (nll, step) = match train(&network, recipe, compute, parts.sets(), start, &mut Stoppable(stop)) {
        Ok(state) => match (&state.best, state.history.last().and_then(|r| r.valid_nll)) {
            (Some(best), _) => (best.nll, best.step),
            (None, last) => (last.filter(|nll| nll.is_finite()).unwrap_or(f64::INFINITY), state.step()),
        },
        Err(e) if e.is_divergence() => (f64::INFINITY, 0),
        Err(e) => return Err(e),
    };
    Ok(Trial { values: values.to_vec(), nll, step })
}

/// Where a judged run was at its best.
#[derive(Debug, Clone, Copy)]
struct Stop {
    step: u64,
    epoch_steps: u64,
}

/// The recipe with the searched keys set; a stop turns early stopping off and keeps the schedule of the judged run,
/// whose epochs were those of fewer rows.
fn settled(recipe: &CheckedRecipe, values: &[Override], stop: Option<Stop>) -> Result<CheckedRecipe, Error> {
    let mut settled = recipe.with(values)?.get().clone();
    settled.search.clear();
    if let Some(stop) = stop {
        settled.train.early_stopping = None;
        settled.train.stop_step = Some(stop.step);
        settled.train.epoch_steps = Some(stop.epoch_steps);
    }
    crate::recipe::check(settled)
}

/// Stores nothing; stops a trial of the search.
struct Stoppable<'a>(&'a AtomicBool);

impl Observer for Stoppable<'_> {
    fn step(&mut self, _: &TrainState, _: StepProgress) -> Result<(), Error> {
        interrupted(self.0, None)
    }

    fn event(&mut self, _: &TrainState, _: bool) -> Result<(), Error> {
        Ok(())
    }

    fn between(&mut self) -> Result<(), Error> {
        interrupted(self.0, None)
    }
}
