//! Images of one size as bytes, with their labels: what every image reader returns.
//!
//! Not for images of different sizes or sets larger than memory; see [`crate::image::ImageIndex`].

use ndarray::{Array1, Array2};
use rank1_core::targets::Targets;

use super::{ImageError, OnBadImage};
use crate::{Dataset, Error, InputLayout, Split, Task};

/// `N` images of one size; bytes, because CIFAR alone takes 740 MB as `f32`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    pixels: Vec<u8>,
    size: (usize, usize, usize),
    labels: Vec<usize>,
    class_names: Vec<String>,
}

impl Images {
    /// Checked constructor: as many bytes as the sizes say, every label below the number of classes.
    ///
    /// # Shapes
    /// `pixels`: `[N, height, width, channels]`, row-major; `labels`: `N`; all at least 1.
    ///
    /// # Errors
    /// [`ImageError::Setting`] for a size of zero, [`ImageError::Length`], [`Error::NoRows`], [`Error::Label`].
    pub fn new(
        pixels: Vec<u8>,
        (height, width, channels): (usize, usize, usize),
        labels: Vec<usize>,
        class_names: Vec<String>,
    ) -> Result<Self, Error> {
        const OP: &str = "images";
        for (argument, size) in [("height", height), ("width", width), ("channels", channels)] {
            if size == 0 {
                let got = size.to_string();
                return Err(ImageError::Setting { op: OP, argument, expected: "at least 1", got }.into());
            }
        }
        if labels.is_empty() {
            return Err(Error::NoRows { op: OP });
        }
        let expected = [labels.len(), height, width, channels]
            .into_iter()
            .try_fold(1_usize, usize::checked_mul)
            .unwrap_or(usize::MAX);
        if pixels.len() != expected {
            let got = pixels.len();
            return Err(ImageError::Length { op: OP, argument: "pixels", expected, got }.into());
        }
        let n_classes = class_names.len();
        if let Some(row) = labels.iter().position(|&label| label >= n_classes) {
            return Err(Error::Label { op: OP, row, label: labels[row], n_classes });
        }
        Ok(Self { pixels, size: (height, width, channels), labels, class_names })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image (never for a checked value).
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Height, width and channels of every image.
    pub fn size(&self) -> (usize, usize, usize) {
        self.size
    }

    /// All bytes, image after image, `[N, height, width, channels]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// One class index per image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// One name per class.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The bytes of image `i`, `[height, width, channels]`.
    ///
    /// # Panics
    /// If `i` is not below [`Images::len`].
    #[track_caller]
    pub fn image(&self, i: usize) -> &[u8] {
        let width = self.n_values();
        &self.pixels[i * width..(i + 1) * width]
    }

    /// The named images, in the order of `indices`; an index may repeat.
    ///
    /// # Errors
    /// [`Error::NoRows`] if `indices` is empty.
    ///
    /// # Panics
    /// If an index is not below [`Images::len`].
    #[track_caller]
    pub fn select(&self, indices: &[usize]) -> Result<Self, Error> {
        let mut pixels = Vec::with_capacity(indices.len() * self.n_values());
        indices.iter().for_each(|&i| pixels.extend_from_slice(self.image(i)));
        let labels = indices.iter().map(|&i| self.labels[i]).collect();
        Self::new(pixels, self.size, labels, self.class_names.clone())
    }

    /// What the columns of [`Images::to_split`] are.
    pub fn layout(&self) -> InputLayout {
        let (height, width, channels) = self.size;
        InputLayout::Image { height, width, channels }
    }

    /// The images as rows of numbers from 0 to 1: every byte divided by 255.
    ///
    /// # Shapes
    /// Inputs `[N, height * width * channels]` in the order of the bytes.
    ///
    /// # Errors
    /// None for a checked value.
    pub fn to_split(&self) -> Result<Split, Error> {
        let scaled = self.pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
        let inputs = Array2::from_shape_vec((self.len(), self.n_values()), scaled)
            .expect("the constructor checked the number of bytes");
        let labels = Array1::from(self.labels.clone());
        Split::new(inputs, Targets::Classes { labels, n_classes: self.class_names.len() })
    }

    fn n_values(&self) -> usize {
        self.size.0 * self.size.1 * self.size.2
    }
}

/// A file that could not be used, by choice left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedImage {
    /// The file; `archive:member` for members of archives.
    pub path: String,
    /// Why, in words.
    pub problem: String,
}

/// Files that are not among the pictures, and why: nothing but what is left alone by name is missing here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// What should have been a picture; it stops the reading unless it is to be skipped.
    pub bad: Vec<SkippedImage>,
    /// What no picture is lost by: files that are none by their names, second links to a file, parts that are not used.
    pub told: Vec<SkippedImage>,
}

impl LeftOut {
    /// Refuses the first bad file unless such files are to be skipped.
    pub(super) fn check(&self, on_bad: OnBadImage) -> Result<(), ImageError> {
        match self.bad.first() {
            Some(SkippedImage { path, problem }) if on_bad == OnBadImage::Stop => {
                let problem = match self.bad.len() - 1 {
                    0 => problem.clone(),
                    more => format!("{problem}; {more} more files are no usable images"),
                };
                Err(ImageError::BadImage { path: path.into(), problem })
            }
            _ => Ok(()),
        }
    }
}

/// Training and test images of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// The part to fit on.
    pub train: Images,
    /// The part to report on.
    pub test: Images,
    /// Where the images came from, in one sentence.
    pub provenance: String,
    /// Files that were left out although they should have been pictures.
    pub skipped: Vec<SkippedImage>,
    /// Files that are no pictures, and what else is worth a word; see [`LeftOut`].
    pub told: Vec<SkippedImage>,
}

impl ImageSet {
    /// The set as numbers from 0 to 1 under a name.
    ///
    /// # Errors
    /// [`ImageError::Setting`] if the two parts differ in image size.
    pub fn to_dataset(&self, name: &str) -> Result<Dataset, Error> {
        if self.train.size != self.test.size {
            return Err(ImageError::Setting {
                op: "image set",
                argument: "test",
                expected: "images of the size of the training images",
                got: format!("{:?} against {:?}", self.test.size, self.train.size),
            }
            .into());
        }
        let (height, width, channels) = self.train.size;
        let provenance = match self.skipped.len() {
            0 => self.provenance.clone(),
            n => format!("{}; {n} unusable files left out", self.provenance),
        };
        Ok(Dataset {
            name: name.into(),
            task: Task::Classification,
            train: self.train.to_split()?,
            test: self.test.to_split()?,
            feature_names: pixel_names(self.train.size),
            class_names: self.train.class_names.clone(),
            image: (channels == 1).then_some((height, width)),
            layout: self.train.layout(),
            provenance,
        })
    }
}

fn pixel_names((height, width, channels): (usize, usize, usize)) -> Vec<String> {
    (0..height * width * channels)
        .map(|i| {
            let (pixel, channel) = (i / channels, i % channels);
            let place = format!("pixel_{}_{}", pixel / width, pixel % width);
            if channels == 1 { place } else { format!("{place}_{channel}") }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class{i}")).collect()
    }

    #[test]
    fn bytes_become_rows_in_their_order_divided_by_255() {
        let images = Images::new((0..60).map(|i| i * 4).collect(), (2, 5, 3), vec![1, 0], names(2)).unwrap();
        assert_eq!(images.image(1)[..3], [120, 124, 128]);
        let split = images.to_split().unwrap();
        assert_eq!(split.inputs.dim(), (2, 30));
        assert_eq!(split.inputs[[1, 2]], 128.0 / 255.0);
        let swapped = images.select(&[1, 0, 1]).unwrap();
        assert_eq!((swapped.labels(), swapped.image(2)), ([0, 1, 0].as_slice(), images.image(1)));
        assert_eq!(images.layout().width(), Some(30));
    }

    #[test]
    fn sizes_and_labels_that_do_not_fit_are_refused() {
        let refusal =
            |n_pixels, size, labels| Images::new(vec![0; n_pixels], size, labels, names(3)).unwrap_err();
        let got = refusal(29, (2, 5, 3), vec![0]);
        assert!(matches!(got, Error::Image(ImageError::Length { expected: 30, got: 29, .. })), "{got}");
        assert!(matches!(refusal(0, (2, 0, 3), vec![0]), Error::Image(ImageError::Setting { .. })));
        assert!(matches!(refusal(0, (2, 5, 3), vec![]), Error::NoRows { .. }));
        assert!(matches!(refusal(60, (2, 5, 3), vec![0, 3]), Error::Label { row: 1, label: 3, .. }));
    }

    #[test]
    fn column_names_tell_row_column_and_channel() {
        assert_eq!(pixel_names((2, 3, 2))[9], "pixel_1_1_1");
        assert_eq!(pixel_names((2, 3, 1))[4], "pixel_1_1");
    }
}
