//! Batches prepared ahead by worker threads, in order and within a bound of memory.
//!
//! Not for choosing the order or the examples. Batches are the same for any number of workers, because an example
//! depends on nothing but its index and its key.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use ndarray::Array2;

use super::{ImageError, example_key};
use crate::Error;

/// How batches are prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefetchOptions {
    /// Examples per batch; the last batch may be smaller.
    pub batch_size: usize,
    /// Values per example.
    pub n_values: usize,
    /// Most bytes of all batches that are being prepared or wait, at least one batch. The example a worker is at and
    /// the batch that was handed out come on top.
    pub memory_bytes: usize,
    /// Worker threads, at least one.
    pub workers: usize,
    /// Seed of the keys.
    pub seed: u64,
    /// Epoch of the keys.
    pub epoch: u32,
}

/// Some examples in the order asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The index of every example, to look up its label.
    pub indices: Vec<usize>,
    /// One row per example, shape `[B, D]`.
    pub inputs: Array2<f32>,
}

/// A running loader: an iterator over batches. An error takes the place of its batch, and the iteration may go on.
///
/// Dropping it stops the workers after the example they are at and waits for them.
#[derive(Debug)]
pub struct Prefetch {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Signaled when a batch is done, was taken, or everything stops.
    changed: Condvar,
    order: Vec<usize>,
    options: PrefetchOptions,
    /// Most batches in preparation or waiting.
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Next batch a worker takes on.
    next: usize,
    /// Next batch the consumer gets.
    delivered: usize,
    done: BTreeMap<usize, Result<Batch, Error>>,
    stopped: bool,
}

impl Prefetch {
    /// Starts the workers. `source` gives the values of an example from its index and its key
    /// [`example_key`]`(seed, epoch, index)`, for instance by [`crate::image::ImageIndex::decode`].
    ///
    /// # Errors
    /// [`ImageError::Setting`] for an empty order, sizes or workers of zero, and a bound below one batch; [`Error::Io`]
    /// if no thread can be started.
    pub fn new<S>(source: S, order: Vec<usize>, options: PrefetchOptions) -> Result<Self, Error>
    where
        S: Fn(usize, u64) -> Result<Vec<f32>, Error> + Send + Sync + 'static,
    {
        let refuse = |argument, expected, got: usize| {
            Err(ImageError::Setting { op: "prefetch", argument, expected, got: got.to_string() }.into())
        };
        let PrefetchOptions { batch_size, n_values, memory_bytes, workers, .. } = options;
        let sizes = [
            ("order", order.len()),
            ("batch_size", batch_size),
            ("n_values", n_values),
            ("workers", workers),
        ];
        if let Some((argument, got)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return refuse(argument, "at least 1", got);
        }
        let batch_bytes =
            batch_size.min(order.len()).saturating_mul(n_values).saturating_mul(size_of::<f32>());
        let capacity = memory_bytes / batch_bytes;
        if capacity == 0 {
            return refuse("memory_bytes", "room for one batch", memory_bytes);
        }
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { state, changed, order, options, capacity });
        let source = Arc::new(source);
        let mut prefetch = Self { shared, workers: Vec::new() };
        // More workers than batches in memory would only wait.
        for number in 0..workers.min(capacity) {
            let (shared, source) = (Arc::clone(&prefetch.shared), Arc::clone(&source));
            let builder = thread::Builder::new().name(format!("prefetch-{number}"));
            let worker = builder.spawn(move || shared.work(&*source)).map_err(Error::io("worker thread"))?;
            prefetch.workers.push(worker);
        }
        Ok(prefetch)
    }

    /// Number of batches of the whole order.
    pub fn n_batches(&self) -> usize {
        self.shared.n_batches()
    }
}

impl Iterator for Prefetch {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut state = self.shared.lock();
        if state.delivered == self.shared.n_batches() {
            return None;
        }
        loop {
            let wanted = state.delivered;
            if let Some(batch) = state.done.remove(&wanted) {
                state.delivered += 1;
                self.shared.changed.notify_all();
                return Some(batch);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its source; there is nothing else to report.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn n_batches(&self) -> usize {
        self.order.len().div_ceil(self.options.batch_size)
    }

    /// The state is consistent between any two statements, so that a poisoned lock is usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, source: &(impl Fn(usize, u64) -> Result<Vec<f32>, Error> + ?Sized)) {
        while let Some(number) = self.take_on() {
            let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(number, source)));
            let batch = match prepared {
                Ok(None) => return,
                Ok(Some(batch)) => batch,
                Err(_) => Err(ImageError::WorkerPanicked { batch: number }.into()),
            };
            self.lock().done.insert(number, batch);
            self.changed.notify_all();
        }
    }

    /// The next batch, as soon as there is room for it.
    fn take_on(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.next == self.n_batches() {
                return None;
            }
            if state.next < state.delivered + self.capacity {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// `None` if everything stopped meanwhile.
    fn prepare(
        &self,
        number: usize,
        source: &(impl Fn(usize, u64) -> Result<Vec<f32>, Error> + ?Sized),
    ) -> Option<Result<Batch, Error>> {
        let PrefetchOptions { batch_size, n_values, seed, epoch, .. } = self.options;
        let first = number * batch_size;
        let indices = self.order[first..self.order.len().min(first + batch_size)].to_vec();
        let mut values = Vec::with_capacity(indices.len() * n_values);
        for &index in &indices {
            if self.lock().stopped {
                return None;
            }
            match source(index, example_key(seed, epoch, index as u64)) {
                Ok(example) if example.len() == n_values => values.extend_from_slice(&example),
                Ok(example) => {
                    let (op, argument, got) = ("prefetch", "example", example.len());
                    return Some(Err(ImageError::Length { op, argument, expected: n_values, got }.into()));
                }
                Err(error) => return Some(Err(error)),
            }
        }
        let inputs = Array2::from_shape_vec((indices.len(), n_values), values)
            .expect("every example has the number of values that was checked");
        Some(Ok(Batch { indices, inputs }))
    }
}

#[cfg(test)]
#[path = "prefetch_tests.rs"]
mod tests;
