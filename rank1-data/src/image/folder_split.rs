//! A user's own images as a training and a test part: divided by the user, or here by a seeded share of every class.
//!
//! Not for named sets; see [`crate::load()`].

use std::fs;
use std::path::Path;

use super::arrange::PARTS;
use super::folder::{arrange, missing, read_divided, read_undivided, test_part};
use super::{FolderOptions, ImageError, ImageIndex, ImageSet, LeftOut};
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
/// then gives its share to the test part. A folder or an archive, as [`super::read_image_folder`] takes them.
///
/// # Errors
/// As [`super::read_image_folder`]; [`ImageError::Setting`] for a share of divided images; [`Error::Fraction`].
pub fn read_own_images(path: &Path, options: &FolderOptions, test: TestShare) -> Result<ImageSet, Error> {
    let arranged = arrange(path, options.formats)?;
    test.check(path, arranged.divided)?;
    if arranged.divided {
        return read_divided(path, arranged, options);
    }
    let (all, LeftOut { bad, told }) = read_undivided(path, arranged, options)?;
    let (train, held) = test.split(all.labels())?;
    let provenance =
        format!("image folder {}, {} of {} images held out", path.display(), held.len(), all.len());
    Ok(ImageSet { train: all.select(&train)?, test: all.select(&held)?, provenance, skipped: bad, told })
}

/// A user's images as lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedImages {
    /// The part to fit on.
    pub train: ImageIndex,
    /// The part to report on.
    pub test: ImageIndex,
    /// Files that are not listed.
    pub left_out: LeftOut,
}

/// Lists images of any size without decoding them: the training and the test part of a folder, as [`read_own_images`] finds them.
///
/// # Errors
/// [`ImageError::NotFound`] for an archive or a missing part, [`ImageError::BadImage`] for a file that is no image by its name
/// (unless they are skipped), [`ImageError::UnknownClass`], [`ImageError::EmptyClass`], [`ImageError::NestedImages`],
/// [`ImageError::Setting`] for a share of divided images, [`Error::Fraction`], [`Error::Io`].
pub fn index_own_images(
    path: &Path,
    options: &FolderOptions,
    test: TestShare,
) -> Result<IndexedImages, Error> {
    if !fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        let looked_for =
            "folder: images that are cropped while they are read are not read from an archive; unpack it";
        return Err(missing(path, looked_for).into());
    }
    let mut arranged = arrange(path, options.formats)?;
    test.check(path, arranged.divided)?;
    arranged.left_out.check(options.on_bad)?;
    let left_out = std::mem::take(&mut arranged.left_out);
    if !arranged.divided {
        let [all, ..] = arranged.parts;
        let all = ImageIndex::from_classes(path, all)?;
        let (train, held) = test.split(&all.labels())?;
        return Ok(IndexedImages { train: all.select(&train), test: all.select(&held), left_out });
    }
    let ([train, test], test_name) = test_part(path, &mut arranged)?;
    let train = ImageIndex::from_classes(&path.join(PARTS[0]), train)?;
    let test = ImageIndex::from_classes(&path.join(test_name), test)?.with_classes(train.class_names())?;
    Ok(IndexedImages { train, test, left_out })
}

/// Lists labelled images without decoding or dividing them: `<class>/<image>` of a folder, with what was left out. Which files
/// are images is decided as for [`index_own_images`].
///
/// # Errors
/// [`ImageError::NotFound`] for what is no folder, for one without class folders, and for one with parts of its own;
/// [`ImageError::BadImage`] for a file that is no image by its name (unless they are skipped), [`ImageError::EmptyClass`],
/// [`ImageError::NestedImages`], [`Error::Io`].
pub fn index_labeled_images(path: &Path, options: &FolderOptions) -> Result<(ImageIndex, LeftOut), Error> {
    if !fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        return Err(missing(path, "folder with `<class>/<image>`").into());
    }
    let arranged = arrange(path, options.formats)?;
    if arranged.divided {
        return Err(missing(path, "`<class>/<image>`: name one of its parts").into());
    }
    arranged.left_out.check(options.on_bad)?;
    let [all, ..] = arranged.parts;
    Ok((ImageIndex::from_classes(path, all)?, arranged.left_out))
}

#[cfg(test)]
#[path = "folder_split_tests.rs"]
mod tests;
