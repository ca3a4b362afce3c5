//! How a training was started: by hand, or by `mpirun` as one of several ranks. The first rank prints and writes.
//!
//! Only a build with the feature `mpi` knows of ranks; in any other every process is alone.

#[cfg(feature = "mpi")]
use std::time::Duration;

use anyhow::Result;
use rank1_models::device::DeviceNames;
#[cfg(feature = "mpi")]
use rank1_models::ranks::Mpi;
use rank1_models::ranks::Ranks;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::tables;

/// How long another rank than the first waits with its error: mostly all have the same, and the first tells it and ends all.
#[cfg(feature = "mpi")]
const FIRST_TELLS: Duration = Duration::from_secs(3);

/// A process that was started by hand, or one of several ranks.
#[derive(Debug, Default)]
pub struct Launch {
    #[cfg(feature = "mpi")]
    mpi: Option<Mpi>,
}

impl Launch {
    /// A process that trains alone, whoever started it.
    #[must_use]
    pub fn alone() -> Self {
        Self::default()
    }

    /// As this process was started. Ranks but the first print nothing from here on.
    ///
    /// # Errors
    /// An MPI that cannot be used.
    #[cfg(feature = "mpi")]
    pub fn found() -> Result<Self> {
        let launch = Self { mpi: Mpi::start()? };
        if !launch.is_first() {
            tables::set_silent(true);
        }
        Ok(launch)
    }

    /// As [`Launch::alone`]: this build knows no ranks.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "mpi"))]
    pub fn found() -> Result<Self> {
        Ok(Self::alone())
    }

    /// The ranks that train together; none for a process that trains alone.
    #[cfg(feature = "mpi")]
    #[must_use]
    pub fn ranks(&self) -> Option<&Ranks> {
        self.mpi.as_ref().map(Mpi::ranks).filter(|ranks| ranks.size() > 1)
    }

    /// None: this build knows no ranks.
    #[cfg(not(feature = "mpi"))]
    #[must_use]
    pub fn ranks(&self) -> Option<&Ranks> {
        None
    }

    /// Whether this process prints and writes.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.ranks().is_none_or(Ranks::is_first)
    }

    /// What the first rank does, and what came of it on all of them.
    ///
    /// # Errors
    /// Its own on the first rank, which ends the others.
    pub fn of_first<T: Serialize + DeserializeOwned>(&self, find: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.ranks() {
            Some(ranks) => ranks.of_first(find),
            None => find(),
        }
    }

    /// The device of this rank: of several one each, in turn among the ranks of a machine.
    #[must_use]
    pub fn device(&self, names: &DeviceNames) -> DeviceNames {
        #[cfg(feature = "mpi")]
        if let Some(mpi) = self.mpi.as_ref().filter(|_| self.ranks().is_some()) {
            return names.of_rank(mpi.on_machine());
        }
        names.clone()
    }

    /// The command line that goes on with a run, from the one of a process.
    #[must_use]
    pub fn command(&self, words: String) -> String {
        match self.ranks() {
            Some(ranks) => format!("mpirun -n {} {words}", ranks.size()),
            None => words,
        }
    }

    /// Tells why this process ends; where it is one of several ranks, all of them end with it.
    ///
    /// After `stopped` ranks end by themselves: each was asked to, and the first may still be saving.
    pub fn fail(&self, line: &str, exit_code: u8, stopped: bool) {
        #[cfg(feature = "mpi")]
        if let Some(mpi) = self.mpi.as_ref().filter(|_| self.ranks().is_some() && !stopped) {
            if !self.is_first() {
                std::thread::sleep(FIRST_TELLS);
                tables::set_silent(false);
                tables::note(&format!("rank {}: {line}", mpi.ranks().rank()));
            } else {
                tables::note(line);
            }
            mpi.abort(exit_code);
        }
        let _ = (exit_code, stopped);
        tables::note(line);
    }
}
