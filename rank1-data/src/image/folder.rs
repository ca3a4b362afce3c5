//! Image folders: a sub-folder per class in `train` and `test` (or `val`), as a folder or a tar archive read in one pass.
//!
//! Not for images of different sizes or more than memory holds; see [`crate::image::ImageIndex`].

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::decode::{decode_image, has_image_extension};
use super::folder_part::{FolderPart, Key};
use super::{Channels, ImageError, ImageSet, Images, Picture, SkippedImage};
use crate::archive::{MemberKind, for_each_member};
use crate::{Dataset, Error};

/// Files decoded at once; bounds the memory for compressed files.
const CHUNK: usize = 1024;

/// What to do with a file in a class folder that is no usable image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnBadImage {
    /// Refuse the set and name the file.
    #[default]
    Stop,
    /// Leave the file out and list it in [`ImageSet::skipped`].
    Skip,
}

/// How an image folder is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// What becomes of the channels.
    pub channels: Channels,
    /// What to do with unusable files.
    pub on_bad: OnBadImage,
}

/// The parts that are looked for, the training part first.
pub(super) const PARTS: [&str; 3] = ["train", "test", "val"];

/// Loads a user's image folder or tar archive as a data set of numbers from 0 to 1.
///
/// # Errors
/// As [`read_image_folder`].
pub fn load_image_folder(path: &Path, options: &FolderOptions) -> Result<Dataset, Error> {
    let name = path.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned());
    let stem = [".tar.gz", ".tgz", ".tar.xz", ".tar"].iter().find_map(|end| name.strip_suffix(end));
    read_image_folder(path, options)?.to_dataset(stem.unwrap_or(&name))
}

/// Reads `train/<class>/<file>` and `test/<class>/<file>` (or `val`) below a folder or within a `.tar`, `.tar.gz`,
/// `.tgz` or `.tar.xz` archive, there under any number of outer folders.
///
/// Classes are the sub-folders of `train` by name, images are ordered by class and file name, so that a folder and its
/// archive are the same set. Names that start with a dot are ignored; any other file in a class folder has to be a JPEG
/// or PNG image of the size of the first. Files are decoded on all cores; nothing depends on their number.
///
/// # Errors
/// [`ImageError::BadImage`] for the first unusable file (with [`OnBadImage::Stop`]), [`ImageError::MixedSizes`] (always),
/// [`ImageError::EmptyClass`], [`ImageError::UnknownClass`], [`ImageError::NotFound`] for a missing part, [`Error::Io`],
/// [`Error::Compressed`].
pub fn read_image_folder(path: &Path, options: &FolderOptions) -> Result<ImageSet, Error> {
    let mut reader = Reader::new(path, options);
    if fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        reader.read_folder()?;
    } else {
        reader.read_archive()?;
    }
    reader.finish()
}

/// Reads `<class>/<file>` below a folder or within an archive, there under any number of outer folders: the images of one
/// part, and the files that were left out.
///
/// Otherwise as [`read_image_folder`].
///
/// # Errors
/// As [`read_image_folder`].
pub fn read_class_folders(
    path: &Path,
    options: &FolderOptions,
) -> Result<(Images, Vec<SkippedImage>), Error> {
    let mut reader = Reader { divided: false, ..Reader::new(path, options) };
    if fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        reader.read_classes(0, path)?;
        reader.decode_pending()?;
    } else {
        reader.read_archive()?;
    }
    let missing = || ImageError::NotFound { path: path.into(), looked_for: "`<class>/<image>`".into() };
    let [part, ..] = reader.parts;
    part.check_classes(path, "")?;
    let (height, width) = reader.first.map(|(_, size)| size).ok_or_else(missing)?;
    let class_names = part.class_names();
    let skipped = part.skipped.clone();
    Ok((part.into_images((height, width, options.channels.count()), &class_names)?, skipped))
}

/// Whether a folder or archive has a part `train/<class>`.
pub(super) fn is_divided(path: &Path) -> Result<bool, Error> {
    if fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        return Ok(path.join(PARTS[0]).is_dir());
    }
    let (mut found, file) = (false, fs::File::open(path).map_err(Error::io(path))?);
    let look = |name: &str, kind| {
        found |= place(name, kind, true).is_some_and(|place| place.part == 0);
        None::<()>
    };
    for_each_member(file, path, look, |(), _| Ok(()))?;
    Ok(found)
}

/// Where a member of an archive belongs.
struct Place {
    part: usize,
    key: Key,
    kind: MemberKind,
}

/// The last folders of a member's name are its part, if the archive is divided, and its class.
fn place(name: &str, kind: MemberKind, divided: bool) -> Option<Place> {
    let mut names: Vec<&str> = name.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    let file = if kind == MemberKind::File { names.pop()? } else { "" };
    let class = names.pop()?;
    let part = if divided {
        let part = names.pop()?;
        PARTS.iter().position(|known| *known == part)?
    } else if kind == MemberKind::Folder {
        // An outer folder looks like a class.
        return None;
    } else {
        0
    };
    let hidden = class.starts_with('.') || file.starts_with('.');
    (!hidden).then(|| Place { part, key: (class.to_owned(), file.to_owned()), kind })
}

/// A file that waits for being decoded.
struct Pending {
    part: usize,
    key: Key,
    path: PathBuf,
    /// `None`: read from `path`.
    bytes: Option<Vec<u8>>,
}

struct Reader<'a> {
    path: &'a Path,
    options: &'a FolderOptions,
    /// Whether class folders lie in parts.
    divided: bool,
    parts: [FolderPart; 3],
    pending: Vec<Pending>,
    /// The first image and its height and width.
    first: Option<(PathBuf, (usize, usize))>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path, options: &'a FolderOptions) -> Self {
        Self { path, options, divided: true, parts: Default::default(), pending: Vec::new(), first: None }
    }

    fn read_folder(&mut self) -> Result<(), Error> {
        for (part, name) in PARTS.iter().enumerate() {
            let folder = self.path.join(name);
            if !folder.is_dir() {
                continue;
            }
            self.read_classes(part, &folder)?;
        }
        self.decode_pending()
    }

    fn read_classes(&mut self, part: usize, folder: &Path) -> Result<(), Error> {
        for class in sorted_names(folder)? {
            let class_folder = folder.join(&class);
            if !class_folder.is_dir() {
                continue;
            }
            self.parts[part].add_class(&class);
            for file in sorted_names(&class_folder)? {
                let path = class_folder.join(&file);
                if path.is_file() {
                    self.add(Pending { part, key: (class.clone(), file), path, bytes: None })?;
                }
            }
        }
        Ok(())
    }

    fn read_archive(&mut self) -> Result<(), Error> {
        let (path, file) = (self.path, fs::File::open(self.path).map_err(Error::io(self.path))?);
        let divided = self.divided;
        let key_of = |name: &str, kind| place(name, kind, divided).map(|place| (place, name.to_owned()));
        for_each_member(file, path, key_of, |(Place { part, key, kind }, name), bytes| {
            self.parts[part].add_class(&key.0);
            if kind == MemberKind::Folder {
                return Ok(());
            }
            let path = PathBuf::from(format!("{}:{name}", path.display()));
            self.add(Pending { part, key, path, bytes: Some(bytes) })
        })?;
        self.decode_pending()
    }

    fn add(&mut self, file: Pending) -> Result<(), Error> {
        self.pending.push(file);
        if self.pending.len() < CHUNK { Ok(()) } else { self.decode_pending() }
    }

    fn decode_pending(&mut self) -> Result<(), Error> {
        let channels = self.options.channels;
        let files = std::mem::take(&mut self.pending);
        let decoded: Vec<Result<Picture, Error>> =
            files.par_iter().map(|file| decode(file, channels)).collect();
        for (file, picture) in files.into_iter().zip(decoded) {
            let part = &mut self.parts[file.part];
            let picture = match picture {
                Ok(picture) => picture,
                Err(Error::Image(ImageError::BadImage { path, problem }))
                    if self.options.on_bad == OnBadImage::Skip =>
                {
                    part.skipped.push(SkippedImage { path: path.display().to_string(), problem });
                    continue;
                }
                Err(error) => return Err(error),
            };
            let got = (picture.height, picture.width);
            let (first, expected) = self.first.get_or_insert_with(|| (file.path.clone(), got));
            if *expected != got {
                let (first, expected) = (first.clone(), *expected);
                return Err(ImageError::MixedSizes { first, expected, path: file.path, got }.into());
            }
            part.add_image(file.key, &picture.pixels);
        }
        Ok(())
    }

    fn finish(self) -> Result<ImageSet, Error> {
        let missing =
            |looked_for: &str| ImageError::NotFound { path: self.path.into(), looked_for: looked_for.into() };
        let [train, test, val] = self.parts;
        if train.is_absent() {
            return Err(missing("`train/<class>/<image>`").into());
        }
        let (test, test_name) = if test.is_absent() { (val, PARTS[2]) } else { (test, PARTS[1]) };
        if test.is_absent() {
            return Err(missing("`test/<class>/<image>` or `val/<class>/<image>`").into());
        }
        train.check_classes(self.path, PARTS[0])?;
        test.check_classes(self.path, test_name)?;
        let size = self.first.map(|(_, size)| size).ok_or_else(|| missing("image"))?;
        let size = (size.0, size.1, self.options.channels.count());
        let class_names = train.class_names();
        if let Some(class) = test.class_names().into_iter().find(|class| !class_names.contains(class)) {
            return Err(ImageError::UnknownClass { path: self.path.join(test_name), class }.into());
        }
        let skipped = [train.skipped.as_slice(), test.skipped.as_slice()].concat();
        let (train, test) = (train.into_images(size, &class_names)?, test.into_images(size, &class_names)?);
        let provenance = format!("image folder {}", self.path.display());
        Ok(ImageSet { train, test, provenance, skipped })
    }
}

fn decode(file: &Pending, channels: Channels) -> Result<Picture, Error> {
    if !has_image_extension(&file.key.1) {
        let problem = "the name does not end in .jpg, .jpeg or .png".to_owned();
        return Err(ImageError::BadImage { path: file.path.clone(), problem }.into());
    }
    let picture = match &file.bytes {
        Some(bytes) => decode_image(bytes, &file.path, channels),
        None => decode_image(&fs::read(&file.path).map_err(Error::io(&file.path))?, &file.path, channels),
    };
    Ok(picture?)
}

/// The names in a folder that do not start with a dot, sorted.
pub(super) fn sorted_names(folder: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let name = entry.map_err(Error::io(folder))?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
