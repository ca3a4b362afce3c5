//! Where input rows come from: memory, or a stream that prepares them batch by batch while they are needed.
//!
//! Not for files: what lies behind a stream is the caller's.

use std::fmt;

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2, Slice};

use crate::error::Error;

/// What rows are read for; a stream may prepare them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An epoch of training: random changes are a pure function of these numbers and the row's index.
    Training {
        /// Seed of the network.
        seed: u64,
        /// Epoch, from 0.
        epoch: usize,
    },
    /// Validation or prediction: rows without random changes.
    Evaluation,
}

/// Batches in the order asked for, each `[B, D]`.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Array2<f32>, Error>> + 'a>;

/// Normalized rows that need not fit in memory.
///
/// Row `i` is a pure function of `i` and the [`Purpose`]: the same in any order, in any batch and on any thread.
pub trait InputStream: Send + Sync + fmt::Debug {
    /// Number of rows.
    fn n_rows(&self) -> usize;

    /// Numbers per row.
    fn width(&self) -> usize;

    /// Most rows, times members and samples, that prediction should hold at once; bounds memory.
    fn rows_at_once(&self) -> usize;

    /// The rows of `order` in batches of `batch_size`, the last maybe smaller.
    ///
    /// # Shapes
    /// `order`: indices below [`InputStream::n_rows`]; every batch `[B, D]`.
    ///
    /// # Errors
    /// [`Error::Stream`] where reading cannot begin; an item is an error where its rows cannot be read.
    fn batches(&self, order: Vec<usize>, batch_size: usize, purpose: Purpose) -> Result<Batches<'_>, Error>;
}

/// Input rows `[N, D]` as training and prediction take them.
#[derive(Debug, Clone, Copy)]
pub enum Inputs<'a> {
    /// In memory.
    Stored(ArrayView2<'a, f32>),
    /// Read while they are needed.
    Streamed {
        /// Where they come from.
        stream: &'a dyn InputStream,
        /// The rows of the stream that are meant, in this order; none for all.
        rows: Option<&'a [usize]>,
    },
}

impl<'a> From<ArrayView2<'a, f32>> for Inputs<'a> {
    fn from(rows: ArrayView2<'a, f32>) -> Self {
        Self::Stored(rows)
    }
}

impl<'a> From<&'a dyn InputStream> for Inputs<'a> {
    fn from(stream: &'a dyn InputStream) -> Self {
        Self::Streamed { stream, rows: None }
    }
}

impl<'a> Inputs<'a> {
    /// Number of rows N.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Stored(rows) => rows.nrows(),
            Self::Streamed { rows: Some(rows), .. } => rows.len(),
            Self::Streamed { stream, rows: None } => stream.n_rows(),
        }
    }

    /// Numbers per row D.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Stored(rows) => rows.ncols(),
            Self::Streamed { stream, .. } => stream.width(),
        }
    }

    /// `wanted` rows, or fewer where a stream bounds them.
    pub(crate) fn rows_at_once(&self, wanted: usize) -> usize {
        match self {
            Self::Stored(_) => wanted,
            Self::Streamed { stream, .. } => wanted.min(stream.rows_at_once()),
        }
    }

    /// All rows in their order, at most `size` at a time.
    pub(crate) fn chunks(self, size: usize) -> Result<Chunks<'a>, Error> {
        match self {
            Self::Stored(rows) => Ok(Chunks::Stored { rows, at: 0, size: size.max(1) }),
            Self::Streamed { stream, .. } => {
                let order = (0..self.n_rows()).collect();
                Ok(Chunks::Streamed(self.batches(stream, order, size.max(1), Purpose::Evaluation)?))
            }
        }
    }

    /// Batches of a stream for positions among the rows that are meant; every batch is checked.
    pub(crate) fn batches(
        &self,
        stream: &'a dyn InputStream,
        mut order: Vec<usize>,
        size: usize,
        purpose: Purpose,
    ) -> Result<Checked<'a>, Error> {
        if let Self::Streamed { rows: Some(rows), .. } = self {
            order.iter_mut().for_each(|position| *position = rows[*position]);
        }
        let left = order.len();
        let batches = stream.batches(order, size, purpose)?;
        Ok(Checked { batches, width: stream.width(), size, left, read: 0 })
    }
}

/// Rows in their order, some at a time.
pub(crate) enum Chunks<'a> {
    Stored { rows: ArrayView2<'a, f32>, at: usize, size: usize },
    Streamed(Checked<'a>),
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<CowArray<'a, f32, Ix2>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Stored { rows, at, size } => {
                let start = *at;
                *at = rows.nrows().min(start + *size);
                let chunk = rows.slice_axis_move(Axis(0), Slice::from(start..*at));
                (start < *at).then(|| Ok(chunk.into()))
            }
            Self::Streamed(batches) => batches.next().map(|batch| batch.map(Into::into)),
        }
    }
}

/// Batches of a stream that have the promised shapes and hold numbers; ends with the first error.
pub(crate) struct Checked<'a> {
    batches: Batches<'a>,
    width: usize,
    size: usize,
    /// Rows that are still to come.
    left: usize,
    read: usize,
}

impl Checked<'_> {
    fn read(&mut self) -> Result<Array2<f32>, Error> {
        let expected = self.size.min(self.left);
        let missing = Error::Mismatch { what: "number of rows in a batch of a stream", expected, got: 0 };
        let batch = self.batches.next().ok_or(missing)??;
        for (what, expected, got) in [
            ("number of rows in a batch of a stream", expected, batch.nrows()),
            ("number of columns of a stream", self.width, batch.ncols()),
        ] {
            if expected != got {
                return Err(Error::Mismatch { what, expected, got });
            }
        }
        if let Some(((row, column), _)) = batch.indexed_iter().find(|(_, x)| !x.is_finite()) {
            let index = vec![self.read + row, column];
            // As an error of the stream: it is no divergence of the network that reads the row.
            let source = rank1_core::Error::NotFinite { op: "read rows", argument: "inputs", index };
            return Err(Error::Stream(Box::new(source)));
        }
        self.left -= expected;
        self.read += expected;
        Ok(batch)
    }
}

impl Iterator for Checked<'_> {
    type Item = Result<Array2<f32>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let batch = self.read();
        if batch.is_err() {
            self.left = 0;
        }
        Some(batch)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Serves its rows, or what a test makes of them.
    #[derive(Debug)]
    struct Served {
        rows: Array2<f32>,
        /// Rows that are left out at the end of every batch.
        short: usize,
    }

    impl InputStream for Served {
        fn n_rows(&self) -> usize {
            self.rows.nrows()
        }
        fn width(&self) -> usize {
            2
        }
        fn rows_at_once(&self) -> usize {
            2
        }
        fn batches(&self, order: Vec<usize>, size: usize, _: Purpose) -> Result<Batches<'_>, Error> {
            let batches: Vec<_> = order
                .chunks(size)
                .map(|rows| Ok(self.rows.select(Axis(0), &rows[..rows.len() - self.short])))
                .collect();
            Ok(Box::new(batches.into_iter()))
        }
    }

    fn served(rows: Array2<f32>) -> Served {
        Served { rows, short: 0 }
    }

    fn rows() -> Array2<f32> {
        array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0], [8.0, 9.0]]
    }

    fn read(inputs: Inputs<'_>, size: usize) -> Vec<Array2<f32>> {
        inputs.chunks(size).unwrap().map(|chunk| chunk.unwrap().into_owned()).collect()
    }

    #[test]
    fn a_stream_gives_the_rows_of_memory() {
        let (stored, stream) = (rows(), served(rows()));
        let streamed = Inputs::from(&stream as &dyn InputStream);
        assert_eq!(read(streamed, 2), read(stored.view().into(), 2));
        assert_eq!(read(streamed, 100), [rows()]);
        assert_eq!((streamed.rows_at_once(100), Inputs::from(stored.view()).rows_at_once(100)), (2, 100));
        assert_eq!((streamed.n_rows(), streamed.width()), (5, 2));
    }

    #[test]
    fn chosen_rows_come_in_the_order_they_are_named() {
        let stream = served(rows());
        let chosen = Inputs::Streamed { stream: &stream, rows: Some(&[4, 0, 3]) };
        assert_eq!(read(chosen, 2), [array![[8.0, 9.0], [0.0, 1.0]], array![[6.0, 7.0]]]);
        let purpose = Purpose::Training { seed: 7, epoch: 0 };
        let batches = chosen.batches(&stream, vec![2, 1, 0], 3, purpose).unwrap();
        let batches: Vec<_> = batches.map(Result::unwrap).collect();
        assert_eq!(batches, [array![[6.0, 7.0], [0.0, 1.0], [8.0, 9.0]]]);
    }

    #[test]
    fn batches_of_another_shape_and_numbers_that_are_none_end_the_reading() {
        let first_error = |stream: &Served| {
            let mut chunks = Inputs::from(stream as &dyn InputStream).chunks(2).unwrap();
            let error = chunks.find_map(Result::err).unwrap();
            assert!(chunks.next().is_none());
            error
        };
        let short = Served { short: 1, ..served(rows()) };
        assert!(matches!(first_error(&short), Error::Mismatch { expected: 2, got: 1, .. }));
        let wide = served(array![[1.0, 2.0, 3.0]]);
        assert!(matches!(first_error(&wide), Error::Mismatch { expected: 2, got: 3, .. }));
        let mut broken = rows();
        broken[[3, 1]] = f32::NAN;
        let error = first_error(&served(broken));
        assert!(matches!(error, Error::Stream(_)) && error.to_string().contains("[3, 1]"), "{error}");
    }
}
