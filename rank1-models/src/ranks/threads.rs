//! Ranks that are threads of one process: what MPI does, where there is none.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Communicator, Ranks};
use crate::error::Error;

/// One of several threads that work as ranks.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    meeting: Arc<Meeting>,
}

/// Where all ranks leave their bytes, and take those of the others when the last has come.
#[derive(Debug)]
struct Meeting {
    size: usize,
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Now {
    /// Number of the exchange that is going on.
    round: u64,
    given: Vec<Option<Vec<u8>>>,
    /// All bytes of the exchange before.
    all: Arc<Vec<Vec<u8>>>,
    /// A rank has ended.
    is_left: bool,
}

impl Meeting {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Threads {
    /// Gives bytes and takes those of all ranks.
    fn exchange(&self, own: Vec<u8>) -> Result<Arc<Vec<Vec<u8>>>, Error> {
        let Meeting { size, changed, .. } = &*self.meeting;
        let mut now = self.meeting.now();
        let round = now.round;
        now.given.resize(*size, None);
        now.given[self.rank] = Some(own);
        if now.given.iter().all(Option::is_some) {
            now.all = Arc::new(now.given.drain(..).flatten().collect());
            now.round += 1;
            changed.notify_all();
        }
        while now.round == round {
            if now.is_left {
                return Err(Error::Ranks { reason: "another rank has ended".into() });
            }
            now = changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(Arc::clone(&now.all))
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.meeting.size
    }

    fn gather(&self, own: &[u8], all: &mut Vec<u8>) -> Result<(), Error> {
        let given = self.exchange(own.to_vec())?;
        all.clear();
        given.iter().for_each(|bytes| all.extend(bytes));
        Ok(())
    }

    fn broadcast(&self, from: usize, bytes: &mut [u8]) -> Result<(), Error> {
        let own = if from == self.rank { bytes.to_vec() } else { Vec::new() };
        bytes.copy_from_slice(&self.exchange(own)?[from]);
        Ok(())
    }

    fn sum(&self, values: &mut [f32]) -> Result<(), Error> {
        let given = self.exchange(values.iter().flat_map(|value| value.to_le_bytes()).collect())?;
        values.fill(0.0);
        for bytes in given.iter() {
            let (words, _) = bytes.as_chunks::<4>();
            values.iter_mut().zip(words).for_each(|(sum, &word)| *sum += f32::from_le_bytes(word));
        }
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.meeting.now().is_left = true;
        self.meeting.changed.notify_all();
    }
}

/// Runs `work` on `size` ranks, a thread and a pool of one thread each; results in the order of ranks.
///
/// # Panics
/// Where a rank panics, and where the system gives no threads.
pub fn on_threads<R: Send>(
    size: usize,
    work: impl Fn(Ranks) -> Result<R, Error> + Sync,
) -> Vec<Result<R, Error>> {
    let meeting = Meeting { size, now: Mutex::default(), changed: Condvar::new() };
    let meeting = &Arc::new(meeting);
    let work = &work;
    std::thread::scope(|scope| {
        let ranks: Vec<_> = (0..size)
            .map(|rank| {
                let ranks = Ranks::new(Threads { rank, meeting: Arc::clone(meeting) });
                scope.spawn(move || {
                    // A rank that waits must not hold a thread that another one needs.
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
                    pool.expect("the system gives a thread").install(|| work(ranks))
                })
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().expect("no rank panics")).collect()
    })
}
