//! ImageNet's training and validation images with one list of classes, found in a folder by their official names.
//!
//! Not for ImageNet-C; see [`crate::image::ImageNetC`].

use std::fs;
use std::path::{Path, PathBuf};

use super::imagenet::{TRAIN_TAR, VAL_TAR, sorted_names};
use super::{ImageError, ImageIndex, ValLabels, imagenet_train, imagenet_val};
use crate::Error;

const SET: &str = "imagenet";

/// Both parts of ImageNet, or of some of its classes; images stay on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageNet {
    /// The part to fit on; its classes are those of the set.
    pub train: ImageIndex,
    /// The validation images, which are the part to report on: the labels of the test images are not public.
    pub val: ImageIndex,
    /// Where the images came from, in one sentence.
    pub provenance: String,
}

impl ImageNet {
    /// Finds both parts in a folder, or in its sub-folder `imagenet`.
    ///
    /// Training images: `train/<wnid>/*.JPEG` or `ILSVRC2012_img_train.tar`. Validation images: `val/<wnid>/*.JPEG`, or
    /// `val/*.JPEG` or `ILSVRC2012_img_val.tar` with labels beside them (see [`ValLabels::find`]). Unpacked folders come
    /// before archives.
    ///
    /// # Errors
    /// [`Error::SetNotFound`] for a missing part, [`ImageError::NotFound`] for missing labels,
    /// [`ImageError::UnknownClass`] for a validation image of a class that is not trained on, and as [`imagenet_train`] and
    /// [`imagenet_val`].
    pub fn open(root: &Path) -> Result<Self, Error> {
        fs::metadata(root).map_err(Error::io(root))?;
        let inside = root.join(SET);
        let root = if inside.is_dir() { inside.as_path() } else { root };
        let train = imagenet_train(&part(root, "train", TRAIN_TAR)?)?;
        let place = part(root, "val", VAL_TAR)?;
        let labels = if place.is_dir() && has_folders(&place)? {
            None
        } else {
            let missing = || ImageError::NotFound { path: root.into(), looked_for: ValLabels::looked_for() };
            Some(ValLabels::find(root).ok_or_else(missing)?)
        };
        let val = imagenet_val(&place, labels.as_ref())?.with_classes(train.class_names())?;
        let n_classes = train.class_names().len();
        let provenance = format!("ImageNet (ILSVRC2012), {n_classes} classes, {}", root.display());
        Ok(Self { train, val, provenance })
    }
}

fn part(root: &Path, folder: &str, archive: &str) -> Result<PathBuf, Error> {
    let (unpacked, packed) = (root.join(folder), root.join(archive));
    if unpacked.is_dir() {
        Ok(unpacked)
    } else if packed.is_file() {
        Ok(packed)
    } else {
        let looked_for = format!("`{folder}` folder or `{archive}`");
        Err(Error::SetNotFound { set: SET, root: root.into(), looked_for })
    }
}

fn has_folders(folder: &Path) -> Result<bool, Error> {
    Ok(sorted_names(folder)?.iter().any(|name| folder.join(name).is_dir()))
}

#[cfg(test)]
#[path = "imagenet_set_tests.rs"]
mod tests;
