//! MNIST-C: a folder per corruption with training and test images and labels as `.npy` files.
//!
//! Not for MNIST itself; see [`crate::mnist`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::cifar_c::find;
use super::npy::{self, NpyType};
use super::section::Section;
use super::{ImageError, Images};
use crate::Error;

const N_CLASSES: usize = 10;

/// Training or test part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The training part.
    Train,
    /// The test part.
    Test,
}

/// An opened folder `mnist_c`.
#[derive(Debug, Clone)]
pub struct MnistC {
    path: PathBuf,
    corruptions: BTreeMap<String, PathBuf>,
}

impl MnistC {
    /// Opens the folder `mnist_c` or a data folder that holds it.
    ///
    /// # Errors
    /// [`ImageError::NotFound`] if no sub-folder holds `test_images.npy`, [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let inside = path.join("mnist_c");
        let path = if inside.is_dir() { inside } else { path.to_owned() };
        let mut corruptions = BTreeMap::new();
        for entry in fs::read_dir(&path).map_err(Error::io(&path))? {
            let entry = entry.map_err(Error::io(&path))?;
            if entry.path().join("test_images.npy").is_file() {
                corruptions.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
            }
        }
        if corruptions.is_empty() {
            return Err(
                ImageError::NotFound { path, looked_for: "`<corruption>/test_images.npy`".into() }.into()
            );
        }
        Ok(Self { path, corruptions })
    }

    /// The corruptions that are there (`identity` is the unchanged set), by name.
    pub fn corruptions(&self) -> Vec<&str> {
        self.corruptions.keys().map(String::as_str).collect()
    }

    /// The images of one corruption.
    ///
    /// # Errors
    /// [`ImageError::UnknownCorruption`], [`ImageError::NpyArray`] for anything else than bytes of shape
    /// `[N, height, width, 1]`, [`ImageError::LabelCount`], [`ImageError::LabelOutOfRange`].
    pub fn load(&self, corruption: &str, part: Part) -> Result<Images, Error> {
        let folder = find(&self.path, &self.corruptions, corruption)?;
        let part = match part {
            Part::Train => "train",
            Part::Test => "test",
        };
        let images = Section::whole(&folder.join(format!("{part}_images.npy")))?;
        let labels = Section::whole(&folder.join(format!("{part}_labels.npy")))?;
        let header = npy::read_header(&images)?;
        let (NpyType::U8, [n_images, height, width, 1]) = (header.dtype, header.shape.as_slice()) else {
            return Err(ImageError::NpyArray {
                path: images.name,
                expected: "uint8 [N, height, width, 1]".into(),
                got: header.describe(),
            }
            .into());
        };
        let classes = npy::read_labels(&labels, N_CLASSES)?;
        if classes.len() != *n_images {
            let n_labels = classes.len();
            return Err(ImageError::LabelCount { path: labels.name, n_images: *n_images, n_labels }.into());
        }
        let bytes = usize::try_from(images.length - header.start).unwrap_or(usize::MAX);
        let pixels = images.read_range(header.start, bytes)?;
        let names = (0..N_CLASSES).map(|digit| digit.to_string()).collect();
        Images::new(pixels, (*height, *width, 1), classes, names)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::npy::tests::{bytes_array, npy};
    use super::*;

    #[test]
    fn a_corruption_has_its_own_parts_and_wrong_arrays_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("mnist_c/fog");
        fs::create_dir_all(&folder).unwrap();
        let labels = [3_i64, 9].map(i64::to_le_bytes).concat();
        fs::write(folder.join("test_images.npy"), bytes_array("(2, 5, 7, 1)", &[6; 70])).unwrap();
        fs::write(folder.join("test_labels.npy"), npy(1, "'<i8'", "False", "(2,)", &labels)).unwrap();
        fs::write(folder.join("train_images.npy"), bytes_array("(3, 5, 7, 1)", &[1; 105])).unwrap();
        fs::write(folder.join("train_labels.npy"), npy(1, "'<i8'", "False", "(2,)", &labels)).unwrap();
        let set = MnistC::open(root.path()).unwrap();
        assert_eq!(set.corruptions(), ["fog"]);
        let images = set.load("fog", Part::Test).unwrap();
        assert_eq!((images.size(), images.labels(), images.image(1)[34]), ((5, 7, 1), [3, 9].as_slice(), 6));
        let got = set.load("fog", Part::Train).unwrap_err();
        assert!(
            matches!(got, Error::Image(ImageError::LabelCount { n_images: 3, n_labels: 2, .. })),
            "{got}"
        );
        fs::write(folder.join("train_images.npy"), bytes_array("(3, 35)", &[1; 105])).unwrap();
        let got = set.load("fog", Part::Train).unwrap_err();
        assert!(matches!(got, Error::Image(ImageError::NpyArray { .. })), "{got}");
        assert!(matches!(MnistC::open(&folder), Err(Error::Image(ImageError::NotFound { .. }))));
    }
}
