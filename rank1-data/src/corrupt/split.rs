//! Corruption of the image rows of a split.
//!
//! Not for normalized rows: corruptions work on pixels from 0 to 1.

use super::{CorruptError, Corruption};
use crate::{Error, InputLayout, Split};

/// The split with every image corrupted and its targets unchanged; row `i` is the image with index `i`.
///
/// Pixels are rounded to bytes first, which changes nothing for images that were read from bytes.
///
/// # Shapes
/// Inputs and result: `[N, height * width * channels]` as in `layout`.
///
/// # Errors
/// [`CorruptError::NotImages`] if `layout` is no image, [`Error::Width`] if the rows do not have its size,
/// [`CorruptError::NotPixel`] for a value outside `[0, 1]`, and the errors of [`Corruption::apply_all`].
pub fn corrupt_split(
    split: &Split,
    layout: InputLayout,
    corruption: Corruption,
    seed: u64,
) -> Result<Split, Error> {
    let refused = |got| CorruptError::NotImages { corruption: corruption.to_string(), got };
    let (height, width, channels) = match layout {
        InputLayout::Image { height, width, channels } => (height, width, channels),
        InputLayout::Columns => return Err(refused("plain columns").into()),
        InputLayout::Sequence { .. } => return Err(refused("sequences").into()),
    };
    let columns = height * width * channels;
    if split.n_features() != columns {
        return Err(Error::Width { op: "corrupt_split", expected: columns, got: split.n_features() });
    }
    let mut bytes = Vec::with_capacity(split.inputs.len());
    for ((row, column), &value) in split.inputs.indexed_iter() {
        if !(0.0..=1.0).contains(&value) {
            return Err(CorruptError::NotPixel { row, column, value }.into());
        }
        bytes.push((255.0 * value).round() as u8);
    }
    let corrupted = corruption.apply_all(&bytes, split.len(), height, width, channels, seed)?;
    let mut out = split.clone();
    for (value, byte) in out.inputs.iter_mut().zip(corrupted) {
        *value = f32::from(byte) / 255.0;
    }
    Ok(out)
}
