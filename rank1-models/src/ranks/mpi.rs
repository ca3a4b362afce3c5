//! Ranks that are processes under `mpirun`, by whichever MPI the program was built with.
//!
//! Errors of MPI itself end all processes, as MPI does where nobody handles them.

use std::sync::{Mutex, PoisonError};

use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Root as _};
use mpi::{Rank, Threading};

use super::{Communicator, Ranks};
use crate::error::Error;

/// Variables that launchers give every process; one of them tells that there are ranks.
const LAUNCHED: [&str; 4] = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MPI_LOCALRANKID"];

/// Variables that number the ranks of a machine.
const ON_MACHINE: [&str; 3] = ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"];

/// Values of all ranks together up to which every rank sums all of them: one message instead of two.
const FEW: usize = 1 << 14;

/// MPI in this process, from the start to the end of it.
pub struct Mpi {
    _universe: Universe,
    ranks: Ranks,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mpi").field("ranks", &self.ranks).finish_non_exhaustive()
    }
}

impl Mpi {
    /// Starts MPI where a launcher started this process; none where it was started by hand, or where MPI runs already.
    ///
    /// # Errors
    /// [`Error::Ranks`] for an MPI that only its first thread may call.
    pub fn start() -> Result<Option<Self>, Error> {
        if !LAUNCHED.iter().any(|name| std::env::var_os(name).is_some()) {
            return Ok(None);
        }
        let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Serialized) else {
            return Ok(None);
        };
        let world = universe.world();
        let ranks =
            World { rank: world.rank() as usize, size: world.size() as usize, memory: Mutex::default() };
        if threading < Threading::Serialized {
            let reason = "this MPI was built without threads (MPI_THREAD_SERIALIZED); training needs one that has them";
            return Err(Error::Ranks { reason: reason.into() });
        }
        Ok(Some(Self { _universe: universe, ranks: Ranks::new(ranks) }))
    }

    /// The ranks.
    #[must_use]
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Number of this rank among those of its machine.
    #[must_use]
    pub fn on_machine(&self) -> usize {
        let number = ON_MACHINE.iter().find_map(|name| std::env::var(name).ok()?.parse().ok());
        number.unwrap_or_else(|| self.ranks.rank())
    }

    /// Ends all ranks.
    pub fn abort(&self, exit_code: u8) -> ! {
        SimpleCommunicator::world().abort(exit_code.into())
    }
}

/// All processes of the launcher.
#[derive(Debug)]
struct World {
    rank: usize,
    size: usize,
    memory: Mutex<Memory>,
}

/// Memory of sums, kept from step to step.
#[derive(Debug, Default)]
struct Memory {
    /// A part of the values for each rank.
    parts: Vec<f32>,
    /// The values of all ranks for this rank's part.
    of_all: Vec<f32>,
}

impl Communicator for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, own: &[u8], all: &mut Vec<u8>) -> Result<(), Error> {
        all.resize(own.len() * self.size, 0);
        SimpleCommunicator::world().all_gather_into(own, &mut all[..]);
        Ok(())
    }

    fn broadcast(&self, from: usize, bytes: &mut [u8]) -> Result<(), Error> {
        let world = SimpleCommunicator::world();
        // Counts of MPI have 31 bits.
        bytes.chunks_mut(1 << 30).for_each(|bytes| world.process_at_rank(from as Rank).broadcast_into(bytes));
        Ok(())
    }

    fn sum(&self, values: &mut [f32]) -> Result<(), Error> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Memory { parts, of_all } = &mut *memory;
        let world = SimpleCommunicator::world();
        if values.len() * self.size <= FEW {
            of_all.resize(values.len() * self.size, 0.0);
            world.all_gather_into(&*values, &mut of_all[..]);
            sum_of(of_all, values);
            return Ok(());
        }
        // Each rank sums a part of the values and hands the sums round.
        let part = values.len().div_ceil(self.size);
        parts.resize(part * self.size, 0.0);
        of_all.resize(part * self.size, 0.0);
        parts[..values.len()].copy_from_slice(values);
        world.all_to_all_into(&parts[..], &mut of_all[..]);
        let own = self.rank * part..(self.rank + 1) * part;
        sum_of(of_all, &mut parts[own.clone()]);
        world.all_gather_into(&parts[own], &mut of_all[..]);
        values.copy_from_slice(&of_all[..values.len()]);
        Ok(())
    }
}

/// Sums blocks that follow each other, in their order.
fn sum_of(blocks: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for block in blocks.chunks_exact(sums.len().max(1)) {
        sums.iter_mut().zip(block).for_each(|(sum, &value)| *sum += value);
    }
}
