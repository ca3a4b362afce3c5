//! Images that stay on disk as the rows of a network: decoded, cropped, shifted and normalized ahead of their use.
//!
//! Not for finding files; see [`rank1_data::image`].

use std::sync::Arc;

use anyhow::Result;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use rank1_core::targets::Targets;
use rank1_data::image::{Channels, ImageIndex, Picture, Prefetch, PrefetchOptions, Preprocess};
use rank1_data::{InputLayout, Normalizer};
use rank1_models::Error;
use rank1_models::inputs::{Batches, InputStream, Purpose};

use crate::shift::{InputShift, Rows};

/// Most bytes of batches that are prepared or wait, of all streams that run at a time.
const MEMORY_BYTES: usize = 1 << 30;

/// Most bytes of rows, times members and samples, that a prediction holds at once.
const CHUNK_BYTES: usize = 1 << 26;

/// How a file becomes a row of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Cropped to a square of three channels.
    Cropped {
        /// Crop of an epoch of training.
        training: Preprocess,
        /// Crop of validation and prediction, of the same size.
        evaluation: Preprocess,
    },
    /// As it is; another size is refused.
    Whole {
        /// Rows of pixels.
        height: usize,
        /// Pixels per row.
        width: usize,
        /// Values per pixel.
        channels: usize,
    },
}

impl Reading {
    /// The crops of ResNet, scaled to this side.
    #[must_use]
    pub fn resnet(size: usize) -> Self {
        Self::Cropped { training: Preprocess::training(size), evaluation: Preprocess::evaluation(size) }
    }

    /// What the columns of a row are.
    #[must_use]
    pub fn layout(self) -> InputLayout {
        match self {
            Self::Cropped { evaluation, .. } => {
                let side = evaluation.size();
                InputLayout::Image { height: side, width: side, channels: 3 }
            }
            Self::Whole { height, width, channels } => InputLayout::Image { height, width, channels },
        }
    }

    fn width(self) -> usize {
        self.layout().width().unwrap_or(0)
    }

    /// Whether a picture can become a row.
    ///
    /// # Errors
    /// Why not, in words: another size where pictures are taken as they are.
    pub fn check(self, picture: &Picture) -> Result<(), String> {
        let Self::Whole { height, width, .. } = self else { return Ok(()) };
        if (picture.height, picture.width) == (height, width) {
            return Ok(());
        }
        Err(format!(
            "image of {} x {} pixels (height x width), the model reads {height} x {width}",
            picture.height, picture.width
        ))
    }

    /// What becomes of the channels of a file.
    #[must_use]
    pub fn channels(self) -> Channels {
        if matches!(self, Self::Whole { channels: 1, .. }) { Channels::Grey } else { Channels::RgbOrCmyk }
    }

    /// Pixels from 0 to 1, but for the overshoot of interpolation.
    fn read(self, index: &ImageIndex, i: usize, key: Option<u64>) -> Result<Vec<f32>, rank1_data::Error> {
        match (self, key) {
            (Self::Cropped { training, .. }, Some(key)) => return index.decode(i, training, key),
            (Self::Cropped { evaluation, .. }, None) => return index.decode(i, evaluation, 0),
            (Self::Whole { .. }, _) => {}
        }
        let picture = index.picture(i)?;
        self.check(&picture).map_err(|problem| index.refused(i, problem))?;
        Ok(picture.pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect())
    }
}

/// Image files as normalized rows. Crops are a function of seed, epoch and place in the list; nothing depends on threads.
#[derive(Debug, Clone)]
pub struct ImageStream {
    index: Arc<ImageIndex>,
    reading: Reading,
    normalizer: Arc<Normalizer>,
    /// A shift of the pixels and its seed.
    shift: Option<(InputShift, u64)>,
    /// Streams that share memory and cores with this one, itself included.
    sharers: usize,
}

impl ImageStream {
    /// The files of an index. The channels of a file are those of the reading.
    #[must_use]
    pub fn new(index: ImageIndex, reading: Reading, normalizer: Normalizer) -> Self {
        let (index, normalizer) = (Arc::new(index.with_channels(reading.channels())), Arc::new(normalizer));
        Self { index, reading, normalizer, shift: None, sharers: 1 }
    }

    /// The files.
    #[must_use]
    pub fn index(&self) -> &ImageIndex {
        &self.index
    }

    /// The scaling of its rows.
    #[must_use]
    pub fn normalizer(&self) -> &Normalizer {
        &self.normalizer
    }

    /// The class of every file.
    #[must_use]
    pub fn targets(&self) -> Targets {
        let labels = Array1::from(self.index.labels());
        Targets::Classes { labels, n_classes: self.index.class_names().len() }
    }

    /// What the columns of a row are.
    #[must_use]
    pub fn layout(&self) -> InputLayout {
        self.reading.layout()
    }

    /// The named files.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { index: Arc::new(self.index.select(rows)), ..self.clone() }
    }

    /// The same files with shifted pixels; the random numbers of a row follow from the seed and its place.
    ///
    /// # Errors
    /// A shift that does not apply to such images.
    pub fn shifted(&self, shift: InputShift, seed: u64) -> Result<Self> {
        let layout = self.layout();
        shift.apply_row(&mut vec![0.0; self.width()], Rows { image: None, layout }, 0, seed)?;
        Ok(Self { shift: Some((shift, seed)), ..self.clone() })
    }

    /// The same files for one of several networks that are trained at a time.
    #[must_use]
    pub fn shared_by(&self, sharers: usize) -> Self {
        Self { sharers: sharers.max(1), ..self.clone() }
    }

    /// The first rows, at most `n`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn first_rows(&self, n: usize) -> Result<Array2<f32>> {
        let n = n.min(self.n_rows());
        let mut values = Vec::with_capacity(n * self.width());
        for i in 0..n {
            values.extend(self.row(i, None)?);
        }
        Ok(Array2::from_shape_vec((n, self.width()), values)?)
    }

    /// One normalized row; with a key as for training.
    fn row(&self, i: usize, key: Option<u64>) -> Result<Vec<f32>, rank1_data::Error> {
        let mut values = self.reading.read(&self.index, i, key)?;
        if let Some((shift, seed)) = &self.shift {
            shift.apply_row(&mut values, Rows { image: None, layout: self.layout() }, i, *seed)?;
        }
        let row = ArrayView1::from(&values).insert_axis(Axis(0));
        Ok(self.normalizer.apply_inputs(row)?.into_iter().collect())
    }

    /// As many batches ahead as the bound has room for, at least one.
    fn options(&self, batch_size: usize, n: usize, seed: u64, epoch: u32) -> PrefetchOptions {
        let n_values = self.width();
        let batch_bytes = batch_size.min(n).saturating_mul(n_values * size_of::<f32>());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        PrefetchOptions {
            batch_size,
            n_values,
            memory_bytes: (MEMORY_BYTES / self.sharers).max(batch_bytes),
            workers: (cores / self.sharers).max(1),
            seed,
            epoch,
        }
    }
}

impl InputStream for ImageStream {
    fn n_rows(&self) -> usize {
        self.index.len()
    }

    fn width(&self) -> usize {
        self.reading.width()
    }

    fn rows_at_once(&self) -> usize {
        (CHUNK_BYTES / (self.width() * size_of::<f32>()).max(1)).max(1)
    }

    fn batches(&self, order: Vec<usize>, batch_size: usize, purpose: Purpose) -> Result<Batches<'_>, Error> {
        let (training, seed, epoch) = match purpose {
            Purpose::Training { seed, epoch } => (true, seed, epoch as u32),
            Purpose::Evaluation => (false, 0, 0),
        };
        let options = self.options(batch_size, order.len(), seed, epoch);
        let images = self.clone();
        // Nothing below uses the pool of threads that waits for these batches.
        let source = move |i, key| images.row(i, training.then_some(key));
        let stopped = |error: rank1_data::Error| Error::Stream(Box::new(error));
        let batches = Prefetch::new(source, order, options).map_err(stopped)?;
        Ok(Box::new(batches.map(move |batch| batch.map(|batch| batch.inputs).map_err(stopped))))
    }
}

#[cfg(test)]
#[path = "image_stream_tests.rs"]
mod tests;
