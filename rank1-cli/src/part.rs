//! One part of a data set: rows in memory, or images that stay on disk.

use anyhow::Result;
use rank1_core::targets::Targets;
use rank1_data::Split;
use rank1_models::inputs::InputStream as _;

use crate::image_stream::ImageStream;
use crate::shift::{InputShift, Rows};

/// Raw rows, or a stream of normalized ones, with their targets.
#[derive(Debug, Clone)]
pub enum Part {
    /// Raw rows in memory.
    Stored(Split),
    /// Images on disk.
    Streamed {
        /// The files.
        images: ImageStream,
        /// Their classes.
        targets: Targets,
    },
}

impl From<Split> for Part {
    fn from(split: Split) -> Self {
        Self::Stored(split)
    }
}

impl From<ImageStream> for Part {
    fn from(images: ImageStream) -> Self {
        Self::Streamed { targets: images.targets(), images }
    }
}

impl Part {
    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets().len()
    }

    /// Whether there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Targets of the examples.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        match self {
            Self::Stored(split) => &split.targets,
            Self::Streamed { targets, .. } => targets,
        }
    }

    /// Number of input columns.
    #[must_use]
    pub fn n_features(&self) -> usize {
        match self {
            Self::Stored(split) => split.n_features(),
            Self::Streamed { images, .. } => images.width(),
        }
    }

    /// The named examples, in the order of `rows`.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Stored(split) => Self::Stored(split.select(rows)),
            Self::Streamed { images, .. } => images.select(rows).into(),
        }
    }

    /// The same examples with shifted inputs.
    ///
    /// # Errors
    /// Rows that are no images where images are needed, and values that are no pixels where pixels are.
    pub fn shifted(&self, shift: InputShift, rows: Rows, seed: u64) -> Result<Self> {
        Ok(match self {
            Self::Stored(split) => Self::Stored(shift.apply(split, rows, seed)?),
            Self::Streamed { images, targets } => {
                Self::Streamed { images: images.shifted(shift, seed)?, targets: targets.clone() }
            }
        })
    }
}
