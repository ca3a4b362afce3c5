//! Ranks: processes that train one network together, each on its part of the rows of every batch.
//!
//! What is exchanged and in which order it is summed; how bytes travel is a [`Communicator`]'s. A sum is made in the order of
//! ranks and everyone holds the same bytes of it, so that a run of as many ranks can be repeated to the last bit.

#[cfg(feature = "mpi")]
mod mpi;
mod threads;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[cfg(feature = "mpi")]
pub use self::mpi::Mpi;
pub use self::threads::{Threads, on_threads};
use crate::error::Error;

/// Rows that batch normalization takes its statistics from, where several ranks share a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatistics {
    /// Those of all ranks: the network is the one that a single process trains.
    #[default]
    AllRanks,
    /// Those of each rank alone; running statistics move by the mean over ranks.
    PerRank,
}

impl BatchStatistics {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How ranks reach each other; all of them call the same methods in the same order.
///
/// Every method may wait for the slowest rank, and fails where one is gone.
pub trait Communicator: Send + Sync + Debug {
    /// Number of this rank, from 0.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn size(&self) -> usize;

    /// Writes the bytes of every rank to `all`, in the order of ranks; each gives as many.
    ///
    /// # Errors
    /// [`Error::Ranks`].
    fn gather(&self, own: &[u8], all: &mut Vec<u8>) -> Result<(), Error>;

    /// Replaces `bytes` by those of one rank; all are as long.
    ///
    /// # Errors
    /// [`Error::Ranks`].
    fn broadcast(&self, from: usize, bytes: &mut [u8]) -> Result<(), Error>;

    /// Replaces values by their sums over all ranks, added in the order of ranks.
    ///
    /// # Errors
    /// [`Error::Ranks`].
    fn sum(&self, values: &mut [f32]) -> Result<(), Error>;
}

/// The ranks of a run as one of them sees them.
#[derive(Debug, Clone)]
pub struct Ranks(Arc<dyn Communicator>);

impl Ranks {
    /// Ranks that reach each other in this way.
    pub fn new(communicator: impl Communicator + 'static) -> Self {
        Self(Arc::new(communicator))
    }

    /// Number of this rank, from 0.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.rank()
    }

    /// Number of ranks.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Whether this is the rank that judges, writes and prints.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// The part of `rows` rows of one batch that is this rank's; the first ranks take one row more.
    #[must_use]
    pub fn part(&self, rows: usize) -> Range<usize> {
        part(self.rank(), self.size(), rows)
    }

    /// Sums over all ranks, in their order.
    ///
    /// # Errors
    /// [`Error::Ranks`] where a rank is gone.
    pub fn sum(&self, values: &mut [f32]) -> Result<(), Error> {
        self.0.sum(values)
    }

    /// As [`Ranks::sum`], of few values in double precision.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn sum_doubles(&self, values: &mut [f64]) -> Result<(), Error> {
        let own: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut all = Vec::new();
        self.0.gather(&own, &mut all)?;
        values.fill(0.0);
        for of_rank in all.chunks_exact(own.len().max(1)) {
            let (words, _) = of_rank.as_chunks::<8>();
            values.iter_mut().zip(words).for_each(|(sum, &word)| *sum += f64::from_le_bytes(word));
        }
        Ok(())
    }

    /// Whether it holds on any rank.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn any(&self, holds: bool) -> Result<bool, Error> {
        let mut all = Vec::new();
        self.0.gather(&[u8::from(holds)], &mut all)?;
        Ok(all.iter().any(|&flag| flag != 0))
    }

    /// Refuses to go on where a rank has other bytes than the first; `what` names them.
    ///
    /// # Errors
    /// [`Error::Ranks`] on every rank.
    pub fn agree(&self, what: &str, digest: &[u8]) -> Result<(), Error> {
        let mut all = Vec::new();
        self.0.gather(digest, &mut all)?;
        let mut of_ranks = all.chunks_exact(digest.len().max(1));
        match of_ranks.position(|other| *other != all[..digest.len()]) {
            Some(rank) => Err(Error::Ranks { reason: format!("rank {rank} has {what} than rank 0") }),
            None => Ok(()),
        }
    }

    /// The bytes of one rank, of any length, on all of them; what others give is not read.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn bytes_of(&self, from: usize, own: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut length = (own.len() as u64).to_le_bytes();
        self.0.broadcast(from, &mut length)?;
        let mut bytes = own;
        bytes.resize(u64::from_le_bytes(length) as usize, 0);
        self.0.broadcast(from, &mut bytes)?;
        Ok(bytes)
    }

    /// What the first rank found, on all of them. Its error is told by itself and is not sent; it ends the others.
    ///
    /// # Errors
    /// Of the first rank its own, and as [`Ranks::sum`].
    pub fn of_first<T: Serialize + DeserializeOwned, E: From<Error>>(
        &self,
        find: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let unreadable = |cause: serde_json::Error| Error::Ranks { reason: cause.to_string() };
        if self.is_first() {
            let found = find()?;
            self.bytes_of(0, serde_json::to_vec(&found).map_err(unreadable)?)?;
            return Ok(found);
        }
        let bytes = self.bytes_of(0, Vec::new())?;
        Ok(serde_json::from_slice(&bytes).map_err(unreadable)?)
    }

    /// Waits until all have come here.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn wait(&self) -> Result<(), Error> {
        self.any(false).map(drop)
    }
}

/// The part of rank `rank` of `size`.
fn part(rank: usize, size: usize, rows: usize) -> Range<usize> {
    let start = |rank: usize| rank * (rows / size) + rank.min(rows % size);
    start(rank)..start(rank + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_take_in_every_row() {
        for (size, rows) in [(1, 5), (2, 5), (3, 2), (4, 4), (3, 0)] {
            let parts: Vec<_> = (0..size).map(|rank| part(rank, size, rows)).collect();
            let all: Vec<usize> = parts.iter().cloned().flatten().collect();
            assert_eq!(all, (0..rows).collect::<Vec<_>>(), "{size} {rows}");
            assert!(parts.iter().all(|part| part.len().abs_diff(rows / size) <= 1), "{parts:?}");
        }
    }

    #[test]
    fn sums_are_made_in_the_order_of_ranks_and_are_the_same_everywhere() {
        // Another order gives another sum.
        let values = [1.0_f32, 1e8, -1e8];
        let doubles = [1.0_f64, 1e17, -1e17];
        let found = on_threads(3, |ranks| {
            let (mut sums, mut wide) = (vec![values[ranks.rank()]; 5], [doubles[ranks.rank()], 1.0]);
            ranks.sum(&mut sums)?;
            ranks.sum_doubles(&mut wide)?;
            Ok((sums, wide))
        });
        for found in found {
            let (sums, wide) = found.unwrap();
            assert_eq!((sums, wide), (vec![1.0 + 1e8 - 1e8; 5], [1.0 + 1e17 - 1e17, 3.0]));
        }
    }

    #[test]
    fn what_one_rank_found_reaches_all_and_differences_are_named() {
        let found = on_threads(3, |ranks| {
            let name = ranks.of_first(|| Ok::<_, Error>(format!("rank {}", ranks.rank())))?;
            let bytes = ranks.bytes_of(2, vec![7; ranks.rank() + 1])?;
            let any = [ranks.any(ranks.rank() == 1)?, ranks.any(false)?];
            let same = ranks.agree("other rows", &[3]).is_ok();
            let other = ranks.agree("other rows", &[ranks.rank() as u8 / 2]).unwrap_err().to_string();
            Ok((name, bytes, any, same, other))
        });
        for found in found {
            let (name, bytes, any, same, other) = found.unwrap();
            assert_eq!((name.as_str(), bytes, any, same), ("rank 0", vec![7; 3], [true, false], true));
            assert!(other.contains("rank 2 has other rows than rank 0"), "{other}");
        }
    }

    #[test]
    fn a_rank_that_is_gone_is_an_error_of_the_others() {
        let found = on_threads(3, |ranks| {
            ranks.wait()?;
            if ranks.rank() == 1 {
                return Err(Error::Interrupted);
            }
            ranks.sum(&mut [1.0])
        });
        assert!(matches!(found[1], Err(Error::Interrupted)));
        assert!([0, 2].iter().all(|&rank| matches!(found[rank], Err(Error::Ranks { .. }))), "{found:?}");
    }
}
