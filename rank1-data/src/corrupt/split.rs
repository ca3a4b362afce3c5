//! Corruption of the image rows of a split.
//!
//! Not for normalized rows: corruptions work on pixels from 0 to 1.

use super::{CorruptError, Corruption, ImageKey};
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
    let (height, width, channels) = image_of(layout, corruption)?;
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

/// Corrupts one image in place, as the image with that index of a set; what lies beyond 0 and 1, as interpolation leaves
/// it, is clipped.
///
/// # Shapes
/// `values`: `[height * width * channels]` as in `layout`.
///
/// # Errors
/// [`CorruptError::NotImages`] and [`Error::Width`] as [`corrupt_split`], and the errors of [`Corruption::apply`].
pub fn corrupt_row(
    values: &mut [f32],
    layout: InputLayout,
    corruption: Corruption,
    key: ImageKey,
) -> Result<(), Error> {
    let (height, width, channels) = image_of(layout, corruption)?;
    let (expected, got) = (height * width * channels, values.len());
    if expected != got {
        return Err(Error::Width { op: "corrupt_row", expected, got });
    }
    // A conversion to bytes saturates.
    let bytes: Vec<u8> = values.iter().map(|value| (255.0 * value).round() as u8).collect();
    let corrupted = corruption.apply(&bytes, height, width, channels, key)?;
    values.iter_mut().zip(corrupted).for_each(|(value, byte)| *value = f32::from(byte) / 255.0);
    Ok(())
}

fn image_of(layout: InputLayout, corruption: Corruption) -> Result<(usize, usize, usize), CorruptError> {
    let got = match layout {
        InputLayout::Image { height, width, channels } => return Ok((height, width, channels)),
        InputLayout::Columns => "plain columns",
        InputLayout::Sequence { .. } => "sequences",
    };
    Err(CorruptError::NotImages { corruption: corruption.to_string(), got })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, Array2};
    use rank1_core::targets::Targets;

    use super::*;

    #[test]
    fn an_image_alone_is_corrupted_as_in_its_set_and_overshoot_is_clipped() {
        let layout = InputLayout::Image { height: 9, width: 7, channels: 3 };
        let inputs = Array2::from_shape_fn((3, 9 * 7 * 3), |(i, j)| ((i * 50 + j) % 256) as f32 / 255.0);
        let split = Split { inputs, remainder: None, targets: Targets::Values(Array1::zeros(3)) };
        for text in ["gaussian_noise:3", "frost:5"] {
            let corruption: Corruption = text.parse().unwrap();
            let all = corrupt_split(&split, layout, corruption, 8).unwrap();
            for row in 0..3 {
                let mut alone = split.inputs.row(row).to_vec();
                corrupt_row(&mut alone, layout, corruption, ImageKey { seed: 8, index: row as u64 }).unwrap();
                assert_eq!(alone, all.inputs.row(row).to_vec(), "{text}");
            }
        }
        let brightness: Corruption = "brightness:1".parse().unwrap();
        let key = ImageKey { seed: 0, index: 0 };
        let of = |value: f32| {
            let mut row = vec![value; 9 * 7 * 3];
            corrupt_row(&mut row, layout, brightness, key).unwrap();
            row
        };
        assert_eq!((of(1.2), of(-0.2)), (of(1.0), of(0.0)));
        let got = corrupt_row(&mut [0.0; 5], layout, brightness, key);
        assert!(matches!(got, Err(Error::Width { expected: 189, got: 5, .. })));
    }
}
