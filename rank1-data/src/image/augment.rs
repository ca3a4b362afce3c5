//! Augmentation of small images: padding with zeros, a random crop of the old size, and a horizontal flip.
//!
//! Not for photographs of different sizes; see [`crate::image::Preprocess`].

use super::ImageError;
use super::draws::Draws;
use crate::InputLayout;

const PURPOSE: u32 = 1;
const MAX_PAD: usize = 1 << 16;

/// Pad, crop and flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Augment {
    /// Pixels of zeros on every side before the crop; 0 leaves the image in place.
    pub pad: usize,
    /// Whether half of the images are mirrored left to right.
    pub flip: bool,
}

impl Default for Augment {
    /// Four pixels and a flip, as is usual for CIFAR.
    fn default() -> Self {
        Self { pad: 4, flip: true }
    }
}

impl Augment {
    /// Writes the changed image; a pure function of the image and the key (see [`crate::image::example_key`]).
    ///
    /// Zero means black for bytes and, for standardized values, the mean.
    ///
    /// # Shapes
    /// `image` and `out`: `[height, width, channels]` of the layout.
    ///
    /// # Errors
    /// [`ImageError::Setting`] for a layout that is no image and a padding beyond 65,536, [`ImageError::Length`].
    pub fn apply<T: Copy + Default>(
        &self,
        image: &[T],
        layout: InputLayout,
        key: u64,
        out: &mut [T],
    ) -> Result<(), ImageError> {
        const OP: &str = "augment";
        let InputLayout::Image { height, width, channels } = layout else {
            let got = format!("{layout:?}");
            return Err(ImageError::Setting { op: OP, argument: "layout", expected: "an image", got });
        };
        if self.pad > MAX_PAD {
            let got = self.pad.to_string();
            return Err(ImageError::Setting { op: OP, argument: "pad", expected: "at most 65536", got });
        }
        let expected = height * width * channels;
        for (argument, got) in [("image", image.len()), ("out", out.len())] {
            if got != expected {
                return Err(ImageError::Length { op: OP, argument, expected, got });
            }
        }
        let mut draws = Draws::new(key, PURPOSE);
        let (down, right) = (draws.below(2 * self.pad + 1), draws.below(2 * self.pad + 1));
        let flip = self.flip && draws.coin();
        for (at, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let (y, x) = (at / width, at % width);
            let x = if flip { width - 1 - x } else { x };
            // Places in the padded image, minus the padding.
            let from = (y + down).checked_sub(self.pad).zip((x + right).checked_sub(self.pad));
            match from {
                Some((y, x)) if y < height && x < width => {
                    let start = (y * width + x) * channels;
                    pixel.copy_from_slice(&image[start..start + channels]);
                }
                _ => pixel.fill(T::default()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const LAYOUT: InputLayout = InputLayout::Image { height: 3, width: 5, channels: 2 };

    fn image() -> Vec<u8> {
        (1..=30).collect()
    }

    fn applied(augment: Augment, key: u64) -> Vec<u8> {
        let mut out = vec![99; 30];
        augment.apply(&image(), LAYOUT, key, &mut out).unwrap();
        out
    }

    /// The definition, by way of the padded image.
    fn padded_crop(pad: usize, down: usize, right: usize, flip: bool) -> Vec<u8> {
        let (height, width) = (3 + 2 * pad, 5 + 2 * pad);
        let mut padded = vec![0; height * width * 2];
        for y in 0..3 {
            for x in 0..10 {
                padded[(y + pad) * width * 2 + pad * 2 + x] = image()[y * 10 + x];
            }
        }
        let mut out = Vec::new();
        for y in 0..3 {
            for x in 0..5 {
                let x = if flip { 4 - x } else { x };
                let at = ((y + down) * width + x + right) * 2;
                out.extend_from_slice(&padded[at..at + 2]);
            }
        }
        out
    }

    #[test]
    fn every_crop_and_flip_of_the_padded_image_occurs_and_nothing_else() {
        let pad = 1;
        let mut expected = BTreeMap::new();
        for down in 0..3 {
            for right in 0..3 {
                for flip in [false, true] {
                    expected.insert(padded_crop(pad, down, right, flip), 0_u32);
                }
            }
        }
        assert_eq!(expected.len(), 18);
        for key in 0..3_600 {
            *expected.get_mut(&applied(Augment { pad, flip: true }, key)).unwrap() += 1;
        }
        // Four standard deviations of a binomial count with p = 1/18.
        assert!(expected.values().all(|&n| (f64::from(n) - 200.0).abs() < 56.0), "{expected:?}");
    }

    #[test]
    fn without_padding_and_flip_the_image_stays() {
        assert!((0..20).all(|key| applied(Augment { pad: 0, flip: false }, key) == image()));
    }

    #[test]
    fn floats_move_as_bytes_do_and_equal_keys_give_equal_images() {
        let floats: Vec<f32> = image().iter().map(|&byte| f32::from(byte)).collect();
        for key in 0..50 {
            let mut out = vec![0.0_f32; 30];
            Augment::default().apply(&floats, LAYOUT, key, &mut out).unwrap();
            let bytes = applied(Augment::default(), key);
            assert_eq!(out, bytes.iter().map(|&byte| f32::from(byte)).collect::<Vec<f32>>());
        }
    }

    #[test]
    fn wrong_lengths_and_layouts_are_refused() {
        let refusal =
            |n, layout, n_out| Augment::default().apply(&vec![0_u8; n], layout, 0, &mut vec![0; n_out]);
        assert!(matches!(
            refusal(29, LAYOUT, 30),
            Err(ImageError::Length { argument: "image", got: 29, .. })
        ));
        assert!(matches!(refusal(30, LAYOUT, 31), Err(ImageError::Length { argument: "out", got: 31, .. })));
        assert!(matches!(refusal(30, InputLayout::Columns, 30), Err(ImageError::Setting { .. })));
    }
}
