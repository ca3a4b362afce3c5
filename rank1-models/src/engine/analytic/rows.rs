//! The rows of a pass, and where an operation reads them from.

use ndarray::ArrayView2;
use rank1_core::Real;
use rank1_core::kernels::simd::vectorized;
use rank1_core::noise::{NoiseKind, NoiseStream, Rows as NoiseRows};
use rayon::prelude::*;

use crate::engine::{DrawKey, Whole};
use crate::network::Network;

/// Number of samples, members and examples; row `(s K + k) B + b` is sample s of member k on example b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) samples: usize,
    pub(crate) members: usize,
    pub(crate) examples: usize,
}

impl Rows {
    pub(crate) fn len(self) -> usize {
        self.samples * self.members * self.examples
    }

    pub(crate) fn per_sample(self) -> usize {
        self.members * self.examples
    }

    pub(crate) fn member(self, row: usize) -> usize {
        (row / self.examples) % self.members
    }

    /// All rows of one member, in order.
    pub(crate) fn of_member(self, member: usize) -> impl Iterator<Item = usize> {
        (0..self.samples).flat_map(move |sample| {
            let first = (sample * self.members + member) * self.examples;
            first..first + self.examples
        })
    }
}

/// The key of a pass, and the numbers of its examples where they do not follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws<'a> {
    pub(crate) key: DrawKey,
    pub(crate) examples: Examples<'a>,
}

/// By which numbers the examples of a batch draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Examples<'a> {
    /// From the key's first example on.
    InOrder,
    /// These.
    Listed(&'a [u32]),
    /// All by number 0, so that they share their draws.
    Alike,
}

impl Draws<'_> {
    /// The number by which example `i` of the batch draws.
    pub(crate) fn example(&self, i: usize) -> u32 {
        match self.examples {
            Examples::InOrder => self.key.first_example + i as u32,
            Examples::Listed(examples) => examples[i],
            Examples::Alike => 0,
        }
    }

    /// Draws rows of `width` values for `examples` examples of member `member`, one after the other.
    pub(crate) fn fill(
        &self,
        stream: NoiseStream,
        kind: NoiseKind,
        (member, examples): (usize, usize),
        width: usize,
        out: &mut [f32],
    ) {
        let block = |first_example, n_examples| NoiseRows {
            step: self.key.step,
            first_member: member as u32,
            n_members: 1,
            first_example,
            n_examples,
        };
        let fill = |rows: NoiseRows, out: &mut [f32]| {
            stream.fill_rows(kind, rows, width, out).expect("the block has the size of its rows");
        };
        match self.examples {
            Examples::InOrder => fill(block(self.key.first_example, examples), out),
            Examples::Listed(listed) => {
                let rows = out.chunks_exact_mut(width).zip(listed);
                rows.for_each(|(out, &example)| fill(block(example, 1), out));
            }
            Examples::Alike => {
                let (first, others) = out.split_at_mut(width.min(out.len()));
                fill(block(0, 1), first);
                others.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(first));
            }
        }
    }
}

/// What every operation of a pass reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a, F> {
    pub(crate) network: &'a Network,
    pub(crate) parameters: &'a [F],
    pub(crate) rows: Rows,
    pub(crate) key: Draws<'a>,
    /// The batch that these rows are of, where normalizations take its statistics; none in predictions.
    pub(crate) training: Option<Whole<'a>>,
}

/// What an operation reads: the batch's examples (shared by members and samples), or the rows of an earlier one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a, F> {
    Examples(ArrayView2<'a, F>),
    Rows(&'a [F]),
}

impl<'a, F> Source<'a, F> {
    pub(crate) fn row(self, rows: Rows, row: usize, width: usize) -> &'a [F] {
        match self {
            Self::Rows(flat) => &flat[row * width..(row + 1) * width],
            Self::Examples(inputs) => {
                let row = inputs.index_axis_move(ndarray::Axis(0), row % rows.examples);
                row.to_slice().expect("batches are contiguous by construction")
            }
        }
    }
}

impl<'a, F> Source<'a, F> {
    /// The rows of one draw, of which `first` is the first.
    pub(crate) fn block(self, first: usize, examples: usize, width: usize) -> &'a [F] {
        match self {
            Self::Rows(flat) => &flat[first * width..(first + examples) * width],
            Self::Examples(inputs) => inputs.to_slice().expect("batches are contiguous by construction"),
        }
    }
}

/// Values below which splitting work over threads costs more than it saves.
pub(crate) const PARALLEL_VALUES: usize = 1 << 16;

/// Values that one thread takes at a time where rows do not matter.
pub(crate) const CHUNK: usize = 1 << 14;

/// As [`PARALLEL_VALUES`], of random values.
pub(crate) const PARALLEL_DRAWS: usize = 1 << 13;

/// Runs `work` on the chunks of a slice with their numbers, on all threads where that pays.
pub(crate) fn for_chunks<T: Send>(
    values: &mut [T],
    len: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    // The only place that calls `work`, so that it is compiled into the call.
    let one = |(i, chunk): (usize, &mut [T])| {
        vectorized(
            #[inline(always)]
            || work(i, chunk),
        )
    };
    if values.len() < PARALLEL_VALUES {
        values.chunks_exact_mut(len).enumerate().for_each(one);
    } else {
        values.par_chunks_exact_mut(len).enumerate().for_each(one);
    }
}

/// Runs `work` on pieces of two slices of one length, on all threads where that pays.
pub(crate) fn zip_chunks<T: Send, U: Sync>(
    values: &mut [T],
    with: &[U],
    work: impl Fn(&mut [T], &[U]) + Sync + Send,
) {
    let one = |(values, with): (&mut [T], &[U])| {
        vectorized(
            #[inline(always)]
            || work(values, with),
        )
    };
    if values.len() < PARALLEL_VALUES {
        one((values, with));
    } else {
        values.par_chunks_mut(CHUNK).zip(with.par_chunks(CHUNK)).for_each(one);
    }
}

/// Sets the length; what was there before is overwritten by the caller.
pub(crate) fn resize<F: Real>(buffer: &mut Vec<F>, len: usize) {
    buffer.resize(len, F::zero());
}
