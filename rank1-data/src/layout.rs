//! What the columns of one input row are: plain columns, the pixels of an image, or the steps of a sequence.
//!
//! Not for reading or changing values; readers fill rows in this order and networks read them in it.

use serde::{Deserialize, Serialize};

/// The meaning of the columns of one row of a [`crate::Split`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InputLayout {
    /// Columns without an order.
    #[default]
    Columns,
    /// An image, rows first, then columns, then channels: column `(y * width + x) * channels + c`.
    Image {
        /// Rows of pixels.
        height: usize,
        /// Pixels per row.
        width: usize,
        /// Values per pixel.
        channels: usize,
    },
    /// A sequence, step by step, followed by values that belong to no step: column `t * features + f`, then
    /// `steps * features + c`. When ragged one more column, the last, holds the number of steps that are present
    /// (from 0 to `steps`); the steps after them are zero.
    Sequence {
        /// Most steps.
        steps: usize,
        /// Values per step.
        features: usize,
        /// Values of the whole example.
        context: usize,
        /// Whether examples have their own length.
        ragged: bool,
    },
}

impl InputLayout {
    /// Number of columns of a row; `None` for plain columns, which may be any number.
    #[must_use]
    pub fn width(self) -> Option<usize> {
        match self {
            Self::Columns => None,
            Self::Image { height, width, channels } => Some(height * width * channels),
            Self::Sequence { steps, features, context, ragged } => {
                Some(steps * features + context + usize::from(ragged))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ragged_sequence_has_one_column_more() {
        let width = |ragged| InputLayout::Sequence { steps: 3, features: 5, context: 2, ragged }.width();
        assert_eq!((width(false), width(true)), (Some(17), Some(18)));
        assert_eq!(InputLayout::Image { height: 5, width: 7, channels: 3 }.width(), Some(105));
        assert_eq!(InputLayout::Columns.width(), None);
    }
}
