//! Second pass: events of all stays in steps of equal length.
//!
//! Not for filling gaps or scaling; see `assemble`.

use super::events::Item;
use super::vocabulary::{Place, Vocabulary};

#[derive(Debug)]
pub(super) struct Grid {
    pub(super) steps: usize,
    pub(super) n_dense: usize,
    pub(super) n_bag: usize,
    step_seconds: i64,
    amounts: Vec<bool>,
    /// `[N, steps, n_dense]`, NaN where nothing was seen.
    values: Vec<f32>,
    /// Seconds within the step of the kept value.
    stamps: Vec<u32>,
    /// `[N, steps, n_bag]`.
    counts: Vec<f32>,
    /// Steps up to the last one with an event.
    pub(super) lengths: Vec<usize>,
}

impl Grid {
    pub(super) fn new(stays: usize, steps: usize, step_seconds: i64, vocabulary: &Vocabulary) -> Self {
        let (n_dense, n_bag) = (vocabulary.dense.len(), vocabulary.n_bag());
        Self {
            steps,
            n_dense,
            n_bag,
            step_seconds,
            amounts: vocabulary.dense.iter().copied().map(Item::is_amount).collect(),
            values: vec![f32::NAN; stays * steps * n_dense],
            stamps: vec![0; stays * steps * n_dense],
            counts: vec![0.0; stays * steps * n_bag],
            lengths: vec![0; stays],
        }
    }

    /// `seconds` is the time since the start of the stay, inside its window.
    pub(super) fn take(&mut self, stay: usize, seconds: i64, place: Place) {
        let step = (seconds / self.step_seconds) as usize;
        self.lengths[stay] = self.lengths[stay].max(step + 1);
        match place {
            Place::Bag(which) => self.counts[(stay * self.steps + step) * self.n_bag + which] += 1.0,
            Place::Dense(which, value) => {
                let at = (stay * self.steps + step) * self.n_dense + which;
                let (cell, stamp, value) = (&mut self.values[at], &mut self.stamps[at], value as f32);
                let second = (seconds % self.step_seconds) as u32;
                if cell.is_nan() {
                    (*cell, *stamp) = (value, second);
                } else if self.amounts[which] {
                    *cell += value;
                } else if second >= *stamp {
                    (*cell, *stamp) = (value, second);
                }
            }
        }
    }

    pub(super) fn values(&self, stay: usize, step: usize) -> &[f32] {
        let start = (stay * self.steps + step) * self.n_dense;
        &self.values[start..start + self.n_dense]
    }

    pub(super) fn counts(&self, stay: usize, step: usize) -> &[f32] {
        let start = (stay * self.steps + step) * self.n_bag;
        &self.counts[start..start + self.n_bag]
    }
}
