//! A user's own images as a training and a test part: divided by the user, or here by a seeded share of every class.
//!
//! Not for named sets; see [`crate::load()`].

use std::fs;
use std::path::Path;

use super::folder::{PARTS, is_divided};
use super::{FolderOptions, ImageError, ImageIndex, ImageSet, read_class_folders, read_image_folder};
use crate::{Error, stratified_holdout};

/// How images that are not divided are divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestShare {
    /// Share of every class in the test part; `None` for a tenth, and no share may be given where there is a test part.
    pub fraction: Option<f64>,
    /// Seed of the choice.
    pub seed: u64,
}

/// Share of the test part unless another is asked for.
const FRACTION: f64 = 0.1;

impl TestShare {
    /// Refuses a share where the images are divided already.
    fn check(self, path: &Path, divided: bool) -> Result<(), Error> {
        let Some(fraction) = self.fraction.filter(|_| divided) else { return Ok(()) };
        let (argument, got) = ("test_fraction", format!("{fraction} for {}", path.display()));
        let expected = "none for a folder that has its own `train` and `test` or `val`";
        Err(ImageError::Setting { op: "images", argument, expected, got }.into())
    }

    fn split(self, labels: &[usize]) -> Result<(Vec<usize>, Vec<usize>), Error> {
        stratified_holdout(labels, self.fraction.unwrap_or(FRACTION), self.seed)
    }
}

/// Reads images of one size into memory: `train/<class>` and `test/<class>` (or `val`), or `<class>` alone, of which every class
/// then gives its share to the test part. A folder or an archive, as [`read_image_folder`] takes them.
///
/// # Errors
/// As [`read_image_folder`]; [`ImageError::Setting`] for a share of divided images; [`Error::Fraction`].
pub fn read_own_images(path: &Path, options: &FolderOptions, test: TestShare) -> Result<ImageSet, Error> {
    let divided = is_divided(path)?;
    test.check(path, divided)?;
    if divided {
        return read_image_folder(path, options);
    }
    let (all, skipped) = read_class_folders(path, options)?;
    let (train, held) = test.split(all.labels())?;
    let provenance =
        format!("image folder {}, {} of {} images held out", path.display(), held.len(), all.len());
    Ok(ImageSet { train: all.select(&train)?, test: all.select(&held)?, provenance, skipped })
}

/// Lists images of any size without decoding them: the training and the test part of a folder, as [`read_own_images`] finds them.
///
/// # Errors
/// [`ImageError::NotFound`] for an archive or a missing part, [`ImageError::UnknownClass`], [`ImageError::EmptyClass`],
/// [`ImageError::Setting`] for a share of divided images, [`Error::Fraction`], [`Error::Io`].
pub fn index_own_images(path: &Path, test: TestShare) -> Result<(ImageIndex, ImageIndex), Error> {
    let missing =
        |looked_for: &str| ImageError::NotFound { path: path.into(), looked_for: looked_for.into() };
    if !fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        return Err(missing(
            "folder: images that are cropped while they are read are not read from an archive; unpack it",
        )
        .into());
    }
    let divided = is_divided(path)?;
    test.check(path, divided)?;
    if !divided {
        let all = ImageIndex::from_class_folders(path)?;
        let (train, held) = test.split(&all.labels())?;
        return Ok((all.select(&train), all.select(&held)));
    }
    let train = ImageIndex::from_class_folders(&path.join(PARTS[0]))?;
    let test = PARTS[1..].iter().map(|part| path.join(part)).find(|folder| folder.is_dir());
    let test = test.ok_or_else(|| missing("`test/<class>/<image>` or `val/<class>/<image>`"))?;
    let test = ImageIndex::from_class_folders(&test)?.with_classes(train.class_names())?;
    Ok((train, test))
}

#[cfg(test)]
#[path = "folder_split_tests.rs"]
mod tests;
