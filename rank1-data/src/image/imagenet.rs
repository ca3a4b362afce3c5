//! ImageNet (ILSVRC2012) and ImageNet-C as indices: official tar archives, read in place, or class folders.
//!
//! Not for the devkit's `meta.mat`, which is a MATLAB file: the order of its classes comes from a plain list.

use std::fs;
use std::path::{Path, PathBuf};

use super::imagenet_labels::{ValLabels, synsets_of};
use super::names::{is_left_alone, is_picture};
use super::section::Section;
use super::{ImageError, ImageIndex, cifar_c};
use crate::Error;

pub(super) const TRAIN_TAR: &str = "ILSVRC2012_img_train.tar";
pub(super) const VAL_TAR: &str = "ILSVRC2012_img_val.tar";

/// Indexes the training images: the archive `ILSVRC2012_img_train.tar` (of one archive per class), a folder with a
/// sub-folder per class, or a folder that holds one of them (the latter as `train`).
///
/// A class index is the rank of the class's WordNet id among all of them.
///
/// # Errors
/// [`ImageError::NotFound`], [`ImageError::EmptyClass`], [`ImageError::CompressedArchive`],
/// [`ImageError::TruncatedTar`], [`Error::Compressed`], [`Error::Io`].
pub fn imagenet_train(path: &Path) -> Result<ImageIndex, Error> {
    let Some(archive) = archive_at(path, TRAIN_TAR)? else {
        return ImageIndex::from_class_folders(&inside(path, "train"));
    };
    let mut classes: Vec<(String, Section)> = Section::whole(&archive)?
        .tar_members()?
        .into_iter()
        .filter_map(|section| Some((section.file_name().strip_suffix(".tar")?.to_owned(), section)))
        .collect();
    classes.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut sections, mut class_names) = (Vec::new(), Vec::new());
    for (label, (class, section)) in classes.into_iter().enumerate() {
        let mut images = section.tar_members()?;
        images.retain(|image| is_picture(&image.file_name()));
        if images.is_empty() {
            return Err(ImageError::EmptyClass { path: section.name, class }.into());
        }
        images.sort_by_key(Section::file_name);
        sections.extend(images.into_iter().map(|image| (image, label)));
        class_names.push(class);
    }
    ImageIndex::from_sections(&archive, sections, class_names)
}

/// Indexes the validation images in the order of their names: the archive `ILSVRC2012_img_val.tar` or a flat folder of
/// its files, with labels; or, without labels, a folder with a sub-folder per class. A folder that holds one of them
/// (the latter two as `val`) is accepted.
///
/// # Errors
/// As [`imagenet_train`]; [`ImageError::NotFound`] for a flat folder or archive without labels, and
/// [`ImageError::LabelCount`] and [`ImageError::LabelLine`] for labels that do not fit.
pub fn imagenet_val(path: &Path, labels: Option<&ValLabels>) -> Result<ImageIndex, Error> {
    let archive = archive_at(path, VAL_TAR)?;
    let Some(labels) = labels else {
        return match archive {
            Some(path) => {
                Err(ImageError::NotFound { path, looked_for: "labels; give a list of them".into() }.into())
            }
            None => ImageIndex::from_class_folders(&inside(path, "val")),
        };
    };
    if let Some(archive) = archive {
        let mut images = Section::whole(&archive)?.tar_members()?;
        images.retain(|image| is_picture(&image.file_name()));
        images.sort_by_key(Section::file_name);
        let names: Vec<String> = images.iter().map(Section::file_name).collect();
        let (classes, class_names) = synsets_of(labels, &names)?;
        return ImageIndex::from_sections(&archive, images.into_iter().zip(classes).collect(), class_names);
    }
    let folder = inside(path, "val");
    let mut names = sorted_names(&folder)?;
    names.retain(|name| is_picture(name));
    if names.is_empty() {
        return Err(ImageError::NotFound { path: folder, looked_for: "image".into() }.into());
    }
    let (classes, class_names) = synsets_of(labels, &names)?;
    let files = names.into_iter().map(|name| folder.join(name)).zip(classes).collect();
    Ok(ImageIndex::from_files(files, class_names))
}

/// The archive if `path` is a file or holds it under its official name.
fn archive_at(path: &Path, name: &str) -> Result<Option<PathBuf>, Error> {
    let is_folder = fs::metadata(path).map_err(Error::io(path))?.is_dir();
    let archive = if is_folder { path.join(name) } else { path.to_owned() };
    Ok(archive.is_file().then_some(archive))
}

/// The names in a folder but for those that are left alone, sorted.
pub(super) fn sorted_names(folder: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let name = entry.map_err(Error::io(folder))?.file_name().to_string_lossy().into_owned();
        if !is_left_alone(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn inside(path: &Path, name: &str) -> PathBuf {
    let folder = path.join(name);
    if folder.is_dir() { folder } else { path.to_owned() }
}

/// An opened folder of ImageNet-C: `<corruption>/<severity>/<wnid>/*.JPEG`, also one level deeper in the groups
/// (`blur`, `noise`, ...) in which it is published.
#[derive(Debug, Clone)]
pub struct ImageNetC {
    path: PathBuf,
    corruptions: std::collections::BTreeMap<String, PathBuf>,
}

impl ImageNetC {
    /// Opens the folder; a corruption is what has a sub-folder `1`.
    ///
    /// # Errors
    /// [`ImageError::NotFound`], [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut corruptions = std::collections::BTreeMap::new();
        for name in sorted_names(path)? {
            let folder = path.join(&name);
            if folder.join("1").is_dir() {
                corruptions.insert(name, folder);
            } else if folder.is_dir() {
                for name in sorted_names(&folder)? {
                    let folder = folder.join(&name);
                    if folder.join("1").is_dir() {
                        corruptions.insert(name, folder);
                    }
                }
            }
        }
        if corruptions.is_empty() {
            let looked_for = "`<corruption>/1/<wnid>`".into();
            return Err(ImageError::NotFound { path: path.into(), looked_for }.into());
        }
        Ok(Self { path: path.into(), corruptions })
    }

    /// The corruptions that are there, by name.
    pub fn corruptions(&self) -> Vec<&str> {
        self.corruptions.keys().map(String::as_str).collect()
    }

    /// Whether a corruption is there at a severity.
    pub fn has(&self, corruption: &str, severity: usize) -> bool {
        self.corruptions.get(corruption).is_some_and(|folder| folder.join(severity.to_string()).is_dir())
    }

    /// The images of one corruption at one severity from 1 to 5.
    ///
    /// # Errors
    /// [`ImageError::UnknownCorruption`], [`ImageError::Setting`] for another severity, and as
    /// [`ImageIndex::from_class_folders`].
    pub fn index(&self, corruption: &str, severity: usize) -> Result<ImageIndex, Error> {
        let folder = cifar_c::find(&self.path, &self.corruptions, corruption)?;
        if !(1..=5).contains(&severity) {
            let (got, expected) = (severity.to_string(), "a severity from 1 to 5");
            return Err(ImageError::Setting { op: "ImageNet-C", argument: "severity", expected, got }.into());
        }
        ImageIndex::from_class_folders(&folder.join(severity.to_string()))
    }
}

#[cfg(test)]
#[path = "imagenet_tests.rs"]
pub(super) mod tests;
