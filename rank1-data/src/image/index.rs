//! A list of image files and their labels, decoded one by one when they are needed.
//!
//! Not for holding pixels; a set of ImageNet's size stays on disk, as files or within uncompressed tar archives.

use std::fs;
use std::path::{Path, PathBuf};

use super::arrange::{ClassFiles, arrange_classes, arrange_unlabeled};
use super::names::PICTURE_ENDINGS;
use super::picture::read_picture_file;
use super::scan::{self, scan_folder};
use super::section::Section;
use super::{Channels, ImageError, LeftOut, OnBadImage, Picture, Preprocess, decode_image};
use crate::Error;

/// Where one file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(Box<Path>),
    /// A part of the archive.
    Member {
        name: Box<str>,
        offset: u64,
        length: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    place: Place,
    label: u32,
}

/// Image files with labels, read lazily; reading needs no lock, so that many threads may decode at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageIndex {
    archive: Option<PathBuf>,
    entries: Vec<Entry>,
    class_names: Vec<String>,
    channels: Channels,
}

impl ImageIndex {
    /// The files of a folder with a sub-folder per class, by class and file name (`val/<wnid>/*.JPEG`, or one severity
    /// of ImageNet-C). Which files are images is decided by one rule; see the crate's README.
    ///
    /// # Errors
    /// [`ImageError::NotFound`] for a folder without sub-folders, [`ImageError::EmptyClass`], [`ImageError::NestedImages`],
    /// [`ImageError::BadImage`] for a file that is no image by its name, [`Error::Io`].
    pub fn from_class_folders(folder: &Path) -> Result<Self, Error> {
        fs::metadata(folder).map_err(Error::io(folder))?;
        let (classes, left_out) = arrange_classes(folder, scan_folder(folder)?)?;
        left_out.check(OnBadImage::Stop)?;
        Self::from_classes(folder, classes)
    }

    /// The files of judged class folders.
    pub(super) fn from_classes(folder: &Path, classes: Vec<ClassFiles>) -> Result<Self, Error> {
        let (mut entries, mut class_names) = (Vec::new(), Vec::new());
        for ClassFiles { name: class, files } in classes {
            let (label, before) = (class_names.len() as u32, entries.len());
            entries.extend(files.into_iter().filter_map(|file| match file.place {
                scan::Place::Path(path) => Some(Entry { place: Place::File(path), label }),
                scan::Place::Member(_) => None,
            }));
            if entries.len() == before {
                return Err(ImageError::EmptyClass { path: folder.join(&class), class }.into());
            }
            class_names.push(class);
        }
        if class_names.is_empty() {
            return Err(
                ImageError::NotFound { path: folder.into(), looked_for: "class sub-folders".into() }.into()
            );
        }
        Ok(Self { archive: None, entries, class_names, channels: Channels::RgbOrCmyk })
    }

    /// Sections of one file with their labels, in the order given.
    pub(super) fn from_sections(
        archive: &Path,
        sections: Vec<(Section, usize)>,
        class_names: Vec<String>,
    ) -> Result<Self, Error> {
        if sections.is_empty() {
            return Err(ImageError::NotFound { path: archive.into(), looked_for: "image".into() }.into());
        }
        let entries = sections.into_iter().map(|(section, label)| {
            let name = section.member_name().into_boxed_str();
            let place = Place::Member { name, offset: section.offset, length: section.length };
            Entry { place, label: label as u32 }
        });
        let (archive, entries) = (Some(archive.to_owned()), entries.collect());
        Ok(Self { archive, entries, class_names, channels: Channels::RgbOrCmyk })
    }

    /// Files with their labels, in the order given.
    pub(super) fn from_files(files: Vec<(PathBuf, usize)>, class_names: Vec<String>) -> Self {
        let entry = |(path, label): (PathBuf, usize)| Entry {
            place: Place::File(path.into_boxed_path()),
            label: label as u32,
        };
        let entries = files.into_iter().map(entry).collect();
        Self { archive: None, entries, class_names, channels: Channels::RgbOrCmyk }
    }

    /// Image files without labels: one file, or those in a folder and its sub-folders, by name and each once, with what was
    /// left out. All files have class 0 of none.
    ///
    /// # Errors
    /// [`ImageError::BadImage`] for the first file that should be an image by its name and is none (with
    /// [`OnBadImage::Stop`]), [`ImageError::NotFound`] for a folder without images, [`Error::Io`].
    pub fn unlabeled(path: &Path, on_bad: OnBadImage) -> Result<(Self, LeftOut), Error> {
        if !fs::metadata(path).map_err(Error::io(path))?.is_dir() {
            return Ok((Self::from_files(vec![(path.to_owned(), 0)], Vec::new()), LeftOut::default()));
        }
        let (found, left_out) = arrange_unlabeled(path, scan_folder(path)?);
        left_out.check(on_bad)?;
        let files: Vec<_> = found
            .into_iter()
            .filter_map(|file| match file.place {
                scan::Place::Path(path) => Some((path.into_path_buf(), 0)),
                scan::Place::Member(_) => None,
            })
            .collect();
        if files.is_empty() {
            let looked_for = format!("image ({PICTURE_ENDINGS})");
            return Err(ImageError::NotFound { path: path.into(), looked_for }.into());
        }
        Ok((Self::from_files(files, Vec::new()), left_out))
    }

    /// The named files, in the order of `indices`; an index may repeat.
    ///
    /// # Panics
    /// If an index is not below [`ImageIndex::len`].
    #[must_use]
    #[track_caller]
    pub fn select(&self, indices: &[usize]) -> Self {
        let entries = indices.iter().map(|&i| self.entries[i].clone()).collect();
        Self { archive: self.archive.clone(), entries, class_names: self.class_names.clone(), ..*self }
    }

    /// The same files with the classes of another index, found by name.
    ///
    /// # Errors
    /// [`ImageError::UnknownClass`] for the first file whose class is not among them.
    pub fn with_classes(mut self, class_names: &[String]) -> Result<Self, Error> {
        let place = |name: &String| class_names.iter().position(|known| known == name);
        let places: Vec<Option<usize>> = self.class_names.iter().map(place).collect();
        for i in 0..self.len() {
            let class = self.label(i);
            let Some(place) = places[class] else {
                let class = self.class_names[class].clone();
                return Err(ImageError::UnknownClass { path: self.name(i), class }.into());
            };
            self.entries[i].label = place as u32;
        }
        self.class_names = class_names.to_vec();
        Ok(self)
    }

    /// The same files with another treatment of channels; [`Channels::RgbOrCmyk`] unless changed.
    #[must_use]
    pub fn with_channels(mut self, channels: Channels) -> Self {
        self.channels = channels;
        self
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no file (never for an index that was read).
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// One name per class.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The class of file `i`.
    ///
    /// # Panics
    /// If `i` is not below [`ImageIndex::len`].
    #[track_caller]
    pub fn label(&self, i: usize) -> usize {
        self.entries[i].label as usize
    }

    /// The class of every file.
    pub fn labels(&self) -> Vec<usize> {
        self.entries.iter().map(|entry| entry.label as usize).collect()
    }

    /// The file `i` as messages name it; `archive:member` for members of archives.
    ///
    /// # Panics
    /// If `i` is not below [`ImageIndex::len`].
    #[track_caller]
    pub fn name(&self, i: usize) -> PathBuf {
        match (&self.entries[i].place, &self.archive) {
            (Place::File(path), _) => path.to_path_buf(),
            (Place::Member { name, .. }, Some(archive)) => {
                PathBuf::from(format!("{}:{name}", archive.display()))
            }
            (Place::Member { name, .. }, None) => PathBuf::from(&**name),
        }
    }

    /// Reads and decodes file `i`.
    ///
    /// # Errors
    /// [`ImageError::BadImage`], [`Error::Io`].
    ///
    /// # Panics
    /// If `i` is not below [`ImageIndex::len`].
    #[track_caller]
    pub fn picture(&self, i: usize) -> Result<Picture, Error> {
        let name = self.name(i);
        let bytes = match (&self.entries[i].place, &self.archive) {
            (Place::Member { offset, length, .. }, Some(archive)) => {
                let (path, name) = (archive.clone(), name.clone());
                Section { path, name, offset: *offset, length: *length }.read()?
            }
            _ => read_picture_file(&name)?,
        };
        Ok(decode_image(&bytes, &name, self.channels)?)
    }

    /// Reads, decodes, crops and resizes file `i`; pixels from 0 to 1 (see [`Preprocess::apply`]).
    ///
    /// # Shapes
    /// Returns `[size, size, channels]`.
    ///
    /// # Errors
    /// As [`ImageIndex::picture`] and [`Preprocess::apply`].
    ///
    /// # Panics
    /// If `i` is not below [`ImageIndex::len`].
    #[track_caller]
    pub fn decode(&self, i: usize, preprocess: Preprocess, key: u64) -> Result<Vec<f32>, Error> {
        Ok(preprocess.apply(&self.picture(i)?, key)?)
    }
}
