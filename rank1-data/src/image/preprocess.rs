//! From a photograph of any size to the input of an ImageNet network: the crops of the ResNet evaluation and training.
//!
//! Not for small images of one size; see [`crate::image::Augment`].

use super::draws::Draws;
use super::resize::{Window, bicubic};
use super::{ImageError, Picture};

/// Mean of the red, green and blue channel over ImageNet's training set, pixels from 0 to 1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of the three channels over ImageNet's training set, pixels from 0 to 1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

const PURPOSE: u32 = 2;
const ATTEMPTS: usize = 100;
/// Smallest share of the photograph that a random crop aims at, and the bounds of width over height.
const MIN_AREA: f64 = 0.08;
const ASPECT: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
/// The reference code also asks that a tenth of the one object, the whole photograph, is covered.
const MIN_COVERED: f64 = 0.1;
/// Largest side of the output; bounds what a wrong setting could allocate.
const MAX_SIZE: usize = 1 << 14;

/// How a photograph becomes `[size, size, channels]` numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preprocess {
    /// Evaluation: the central square of `size / (size + padding)` of the shorter side, resized.
    CenterCrop {
        /// Side of the output.
        size: usize,
        /// Pixels, at the scale of the output, that are cut off the shorter side.
        padding: usize,
    },
    /// Training: a random window of 8 to 100 % of the area with a width of 3/4 to 4/3 of its height, resized, and half
    /// of the time mirrored. After 100 windows that do not fit, the central crop of the evaluation.
    RandomCrop {
        /// Side of the output.
        size: usize,
    },
}

impl Preprocess {
    /// The evaluation of ResNet-50: 224 pixels out of 256.
    pub const RESNET_EVALUATION: Self = Self::CenterCrop { size: 224, padding: 32 };
    /// The training of ResNet-50.
    pub const RESNET_TRAINING: Self = Self::RandomCrop { size: 224 };

    /// The evaluation of ResNet-50 at another size: seven eighths of the shorter side, as 224 of 256.
    pub const fn evaluation(size: usize) -> Self {
        Self::CenterCrop { size, padding: size / 7 }
    }

    /// The training of ResNet-50 at another size.
    pub const fn training(size: usize) -> Self {
        Self::RandomCrop { size }
    }

    /// Side of the output.
    pub fn size(self) -> usize {
        match self {
            Self::CenterCrop { size, .. } | Self::RandomCrop { size } => size,
        }
    }

    /// Crops and resizes by bicubic interpolation; bytes are divided by 255 and may overshoot 0 and 1 a little.
    ///
    /// A pure function of the picture and the key (see [`crate::image::example_key`]); evaluation ignores the key.
    ///
    /// # Shapes
    /// Returns `[size, size, channels]`.
    ///
    /// # Errors
    /// [`ImageError::Setting`] for a size of zero or beyond 16,384, [`ImageError::Length`] for an inconsistent picture.
    pub fn apply(self, picture: &Picture, key: u64) -> Result<Vec<f32>, ImageError> {
        const OP: &str = "preprocess";
        let size = self.size();
        if !(1..=MAX_SIZE).contains(&size) {
            let got = size.to_string();
            return Err(ImageError::Setting { op: OP, argument: "size", expected: "1 to 16384", got });
        }
        let expected = picture.height * picture.width * picture.channels;
        if picture.pixels.len() != expected || expected == 0 {
            let got = picture.pixels.len();
            return Err(ImageError::Length { op: OP, argument: "pixels", expected: expected.max(1), got });
        }
        let (height, width) = (picture.height, picture.width);
        let (window, flip) = match self {
            Self::CenterCrop { padding, .. } => (center_window(height, width, size, padding), false),
            Self::RandomCrop { .. } => {
                let mut draws = Draws::new(key, PURPOSE);
                let flip = draws.coin();
                let window = random_window(height, width, &mut draws);
                (window.unwrap_or_else(|| center_window(height, width, size, size / 7)), flip)
            }
        };
        let mut values = bicubic(picture, window, size);
        values.iter_mut().for_each(|value| *value /= 255.0);
        if flip {
            for row in values.chunks_exact_mut(size * picture.channels) {
                mirror(row, picture.channels);
            }
        }
        Ok(values)
    }
}

/// Subtracts ImageNet's channel means and divides by its standard deviations, in place.
///
/// # Shapes
/// `values`: `[.., 3]`, pixels from 0 to 1.
///
/// # Errors
/// [`ImageError::Length`] if the number of values is no multiple of three.
pub fn standardize_imagenet(values: &mut [f32]) -> Result<(), ImageError> {
    if !values.len().is_multiple_of(3) {
        let (got, expected) = (values.len(), values.len().next_multiple_of(3));
        return Err(ImageError::Length { op: "standardize", argument: "values", expected, got });
    }
    for pixel in values.chunks_exact_mut(3) {
        for (value, (mean, std)) in pixel.iter_mut().zip(IMAGENET_MEAN.iter().zip(&IMAGENET_STD)) {
            *value = (*value - mean) / std;
        }
    }
    Ok(())
}

fn mirror(row: &mut [f32], channels: usize) {
    let n = row.len() / channels;
    for x in 0..n / 2 {
        for c in 0..channels {
            row.swap(x * channels + c, (n - 1 - x) * channels + c);
        }
    }
}

fn center_window(height: usize, width: usize, size: usize, padding: usize) -> Window {
    let share = size as f64 / (size as f64 + padding as f64);
    let side = ((share * height.min(width) as f64) as usize).max(1);
    // An odd remainder leaves the larger half above and to the left.
    Window { top: (height - side).div_ceil(2), left: (width - side).div_ceil(2), height: side, width: side }
}

/// The heights that the area and the photograph allow are equally likely, as in TensorFlow.
fn random_window(height: usize, width: usize, draws: &mut Draws) -> Option<Window> {
    let area = height as f64 * width as f64;
    (0..ATTEMPTS).find_map(|_| {
        let aspect = ASPECT.0 + draws.unit() * (ASPECT.1 - ASPECT.0);
        let lowest = (MIN_AREA * area / aspect).sqrt().round() as usize;
        let highest = (area / aspect).sqrt().round();
        let highest = highest.min(((width as f64 + 0.499_999) / aspect).floor()).min(height as f64) as usize;
        let tall = lowest.min(highest) + draws.below(highest.saturating_sub(lowest) + 1);
        let wide = (tall as f64 * aspect).round() as usize;
        let covered = tall as f64 * wide as f64;
        let fits = tall >= 1 && wide >= 1 && tall <= height && wide <= width && covered >= MIN_COVERED * area;
        let top = draws.below((height + 1).saturating_sub(tall));
        let left = draws.below((width + 1).saturating_sub(wide));
        fits.then_some(Window { top, left, height: tall, width: wide })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::image::example_key;

    #[test]
    fn the_center_crop_keeps_224_of_256_of_the_shorter_side() {
        // 375 x 500: int(0.875 * 375) = 328; offsets (47 + 1) / 2 and (172 + 1) / 2.
        let window = center_window(375, 500, 224, 32);
        assert_eq!(window, Window { top: 24, left: 86, height: 328, width: 328 });
        assert_eq!(center_window(1, 9, 224, 32), Window { top: 0, left: 4, height: 1, width: 1 });
    }

    #[test]
    fn crops_of_any_size_scale_with_those_of_resnet() {
        assert_eq!(Preprocess::evaluation(224), Preprocess::RESNET_EVALUATION);
        assert_eq!(Preprocess::training(224), Preprocess::RESNET_TRAINING);
        assert_eq!(Preprocess::evaluation(64), Preprocess::CenterCrop { size: 64, padding: 9 });
    }

    #[test]
    fn random_windows_keep_area_shape_and_borders_and_reach_all_of_them() {
        let (height, width) = (97, 131);
        let (mut smallest, mut largest, mut corner) = (1.0_f64, 0.0_f64, 0);
        for index in 0..3_000 {
            let mut draws = Draws::new(example_key(1, 0, index), PURPOSE);
            let window = random_window(height, width, &mut draws).unwrap();
            assert!(window.top + window.height <= height && window.left + window.width <= width);
            let aspect = window.width as f64 / window.height as f64;
            // Rounding of the width moves the ratio by at most half a pixel.
            let slack = 0.5 / window.height as f64 + 1e-9;
            assert!((ASPECT.0 - slack..=ASPECT.1 + slack).contains(&aspect), "{window:?}");
            let share = (window.height * window.width) as f64 / (height * width) as f64;
            (smallest, largest) = (smallest.min(share), largest.max(share));
            corner += usize::from(window.top + window.height == height);
        }
        assert!((MIN_COVERED..0.13).contains(&smallest), "{smallest}");
        assert!((0.9..=1.0).contains(&largest), "{largest}");
        assert!(corner > 0);
    }

    #[test]
    fn training_is_a_function_of_the_key_and_a_strip_falls_back_to_its_center() {
        let pixels: Vec<u8> = (0..40 * 30 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let picture = Picture { pixels, height: 40, width: 30, channels: 3 };
        let random = Preprocess::RandomCrop { size: 11 };
        let of = |key| random.apply(&picture, key).unwrap();
        assert_eq!(of(5), of(5));
        assert_ne!(of(5), of(6));
        assert_eq!(of(5).len(), 11 * 11 * 3);
        let strip =
            Picture { pixels: (0..90).map(|i| (i * 2) as u8).collect(), height: 1, width: 30, channels: 3 };
        let center = Preprocess::evaluation(3).apply(&strip, 0).unwrap();
        for key in 0..8 {
            let mut got = Preprocess::RandomCrop { size: 3 }.apply(&strip, key).unwrap();
            if got != center {
                got.chunks_exact_mut(9).for_each(|row| mirror(row, 3));
            }
            assert_eq!(got, center);
        }
    }

    #[test]
    fn mirrored_rows_keep_their_pixels_together() {
        let mut row = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        mirror(&mut row, 2);
        assert_eq!(row, [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
    }

    #[test]
    fn standardized_means_are_zero_and_wrong_sizes_are_refused() {
        let mut values = [IMAGENET_MEAN, [0.714, 0.68, 0.631]].concat();
        standardize_imagenet(&mut values).unwrap();
        assert_eq!(values[..3], [0.0; 3]);
        assert!(values[3..].iter().all(|value| (value - 1.0).abs() < 1e-6), "{values:?}");
        assert!(matches!(standardize_imagenet(&mut [0.0; 4]), Err(ImageError::Length { got: 4, .. })));
        let picture = Picture { pixels: vec![0; 3], height: 1, width: 1, channels: 3 };
        for size in [0, MAX_SIZE + 1] {
            let got = Preprocess::RandomCrop { size }.apply(&picture, 0);
            assert!(matches!(got, Err(ImageError::Setting { argument: "size", .. })));
        }
    }
}
