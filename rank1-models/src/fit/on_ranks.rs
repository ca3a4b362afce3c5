//! The networks of a run on several ranks: whole networks are dealt first, and what is left is trained by all together.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::{FitOptions, fit_network};
use crate::checkpoint::{Origin, Slot};
use crate::error::Error;
use crate::network::Network;
use crate::ranks::Ranks;
use crate::recipe::Recipe;
use crate::train::{TrainState, TrainingSets};

/// What the networks of a run have in common.
pub(super) struct Job<'a> {
    pub(super) network: &'a Network,
    pub(super) recipe: &'a Recipe,
    pub(super) sets: TrainingSets<'a>,
    pub(super) checkpoint: Option<&'a (&'a Path, Origin)>,
}

impl Job<'_> {
    /// All networks, on every rank.
    pub(super) fn fit(
        &self,
        ranks: &Ranks,
        networks: usize,
        options: FitOptions<'_>,
        stop: &AtomicBool,
    ) -> Result<Vec<TrainState>, Error> {
        // As many as every rank gets alike.
        let dealt = networks / ranks.size() * ranks.size();
        let alone = options.compute.clone().with_ranks(None);
        let options_alone = FitOptions { compute: &alone, ..options };
        let own = (ranks.rank()..dealt).step_by(ranks.size());
        let own = own.map(|index| self.one(index, self.slot(index), options_alone, stop)).collect();
        let own: Vec<TrainState> = stopped_together(ranks, own)?;
        let mut own = own.iter();
        let mut states = Vec::new();
        for index in 0..networks {
            let first = self.slot(index).filter(|_| ranks.is_first());
            if index >= dealt {
                states.push(self.one(index, first, options, stop)?);
                continue;
            }
            let owner = index % ranks.size();
            let mine = if owner == ranks.rank() { own.next() } else { None };
            let gone = || Error::Ranks { reason: format!("rank {owner} sent no network") };
            let state = of_rank(ranks, owner, mine, self.recipe)?.ok_or_else(gone)?;
            // A file system that the ranks do not share holds what this rank alone has written.
            if let Some(slot) = first
                && slot.load(self.network, self.recipe)?.is_none()
            {
                slot.save(self.network, &state)?;
            }
            states.push(state);
        }
        Ok(states)
    }

    fn slot(&self, index: usize) -> Option<Slot> {
        self.checkpoint.map(|(root, origin)| Slot::new(root, index, origin.clone()))
    }

    fn one(
        &self,
        index: usize,
        slot: Option<Slot>,
        options: FitOptions<'_>,
        stop: &AtomicBool,
    ) -> Result<TrainState, Error> {
        fit_network(self.network, self.recipe, self.sets, index, slot, options, stop)
    }
}

/// What this rank has done alone; where one was stopped, all are.
pub(super) fn stopped_together<T>(ranks: &Ranks, done: Result<T, Error>) -> Result<T, Error> {
    match done {
        Err(error) if !matches!(error, Error::Interrupted) => Err(error),
        done => {
            let stopped = ranks.any(done.is_err())?;
            if stopped { Err(Error::Interrupted) } else { done }
        }
    }
}

/// The state that rank `from` has, if it has one; what others give is not read.
pub(super) fn of_rank(
    ranks: &Ranks,
    from: usize,
    own: Option<&TrainState>,
    recipe: &Recipe,
) -> Result<Option<TrainState>, Error> {
    let bytes = ranks.bytes_of(from, own.map_or(Vec::new(), TrainState::to_bytes))?;
    if bytes.is_empty() { Ok(None) } else { TrainState::from_bytes(&bytes, recipe).map(Some) }
}
