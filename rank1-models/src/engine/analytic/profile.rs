//! Where the time of a pass goes, by operation.
//!
//! Off unless asked for: reading the clock twice per operation would show in the smallest networks.

use std::time::{Duration, Instant};

/// Time of one operation of a network, all passes since measuring began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationTimes {
    /// Forward passes.
    pub forward: Duration,
    /// Backward passes.
    pub backward: Duration,
}

/// Times of all operations; empty while nothing is measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Profile {
    times: Vec<OperationTimes>,
}

impl Profile {
    /// Starts again from zero for `operations` operations.
    pub(super) fn start(&mut self, operations: usize) {
        self.times = vec![OperationTimes::default(); operations];
    }

    pub(super) fn times(&self) -> &[OperationTimes] {
        &self.times
    }

    /// The time now, if anything is measured.
    pub(super) fn now(&self) -> Option<Instant> {
        (!self.times.is_empty()).then(Instant::now)
    }

    /// Adds the time since `started` to the forward pass of an operation.
    pub(super) fn forward(&mut self, operation: usize, started: Option<Instant>) {
        if let (Some(times), Some(started)) = (self.times.get_mut(operation), started) {
            times.forward += started.elapsed();
        }
    }

    /// Adds the time since `started` to the backward pass of an operation.
    pub(super) fn backward(&mut self, operation: usize, started: Option<Instant>) {
        if let (Some(times), Some(started)) = (self.times.get_mut(operation), started) {
            times.backward += started.elapsed();
        }
    }
}
