//! The input batches of one epoch: rows of memory gathered and augmented, or the batches of a stream.

use ndarray::{Array2, ArrayView2, Axis};

use super::{Augmentation, Stepper, TrainingSets};
use crate::error::Error;
use crate::inputs::{Checked, Inputs, Purpose};

/// Hands out the batches of one epoch in their order.
pub(super) enum Feed<'a> {
    Stored {
        inputs: ArrayView2<'a, f32>,
        augmentation: Option<&'a dyn Augmentation>,
        seed: u64,
        epoch: usize,
        batch: Array2<f32>,
    },
    Streamed {
        /// None where none of the rows is to be read here.
        batches: Option<Checked<'a>>,
        batch: Array2<f32>,
    },
}

impl<'a> Feed<'a> {
    /// The rows of an epoch that `stepper` computes; of the batches of a stream no others are read.
    pub(super) fn new(
        sets: TrainingSets<'a>,
        stepper: &Stepper<'_>,
        order: &[usize],
        batch_size: usize,
        (seed, epoch): (u64, usize),
    ) -> Result<Self, Error> {
        let batch = Array2::zeros((0, sets.train.inputs.width()));
        Ok(match sets.train.inputs {
            Inputs::Stored(inputs) => {
                Self::Stored { inputs, augmentation: sets.augmentation, seed, epoch, batch }
            }
            Inputs::Streamed { stream, .. } => {
                let purpose = Purpose::Training { seed, epoch };
                let own = order.chunks(batch_size).flat_map(|rows| &rows[stepper.part(rows.len())]);
                // Of the last batch, which may be smaller, nobody has more rows than of a full one.
                let own_size = stepper.part(batch_size).len().max(1);
                let own: Vec<usize> = own.copied().collect();
                let read = |own| sets.train.inputs.batches(stream, own, own_size, purpose);
                let batches = if own.is_empty() { None } else { Some(read(own)?) };
                Self::Streamed { batches, batch }
            }
        })
    }

    /// The part of a batch that has these rows, which are the next of the epoch's order; there may be none.
    pub(super) fn next(&mut self, rows: &[usize]) -> Result<ArrayView2<'_, f32>, Error> {
        match self {
            Self::Stored { inputs, augmentation, seed, epoch, batch } => {
                if batch.nrows() != rows.len() {
                    *batch = Array2::zeros((rows.len(), inputs.ncols()));
                }
                for (mut to, &from) in batch.rows_mut().into_iter().zip(rows) {
                    to.assign(&inputs.index_axis(Axis(0), from));
                    if let (Some(augmentation), Some(row)) = (*augmentation, to.as_slice_mut()) {
                        augmentation.apply(row, *seed, *epoch, from);
                    }
                }
                Ok(batch.view())
            }
            Self::Streamed { batches, batch } => {
                let what = "number of rows that a stream gave in an epoch";
                let ended = Error::Mismatch { what, expected: rows.len(), got: 0 };
                *batch = match rows {
                    [] => Array2::zeros((0, batch.ncols())),
                    _ => batches.as_mut().and_then(Iterator::next).ok_or(ended)??,
                };
                Ok(batch.view())
            }
        }
    }
}
