//! Image folders: a sub-folder per class in `train` and `test` (or `val`), as a folder or a tar archive read in one pass.
//!
//! Not for images of different sizes or more than memory holds; see [`crate::image::ImageIndex`].

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::arrange::{Arranged, ClassFiles, PARTS, arrange_set};
use super::decode::decode_image;
use super::folder_part::{FolderPart, Key};
use super::names::{escaped_bytes, shown};
use super::picture::read_picture_file;
use super::scan::{Place, scan_archive, scan_folder};
use super::{Channels, Formats, ImageError, ImageSet, Images, LeftOut, Picture, SkippedImage};
use crate::archive::for_each_member;
use crate::{Dataset, Error};

/// Files decoded at once; bounds the memory for compressed files.
const CHUNK: usize = 1024;

/// What to do with a file that should be an image and is no usable one.
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
    /// What is read beside JPEG and PNG files.
    pub formats: Formats,
}

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
/// archive are the same set. Which files are images is decided by one rule (see the crate's README); what should have been
/// one and is not stops the reading or is skipped, and all of one size are expected. Files are decoded on all cores;
/// nothing depends on their number.
///
/// # Errors
/// [`ImageError::BadImage`] for the first unusable file (with [`OnBadImage::Stop`]), [`ImageError::MixedSizes`] (always),
/// [`ImageError::EmptyClass`], [`ImageError::NestedImages`], [`ImageError::UnknownClass`], [`ImageError::NotFound`] for a
/// missing part, [`ImageError::ArchiveKind`], [`Error::Io`], [`Error::Compressed`].
pub fn read_image_folder(path: &Path, options: &FolderOptions) -> Result<ImageSet, Error> {
    let arranged = arrange(path, options.formats)?;
    if !arranged.divided {
        return Err(missing(path, "`train/<class>/<image>`").into());
    }
    read_divided(path, arranged, options)
}

pub(super) fn missing(path: &Path, looked_for: &str) -> ImageError {
    ImageError::NotFound { path: path.into(), looked_for: looked_for.into() }
}

/// The files of a folder or archive by the rule of image folders.
pub(super) fn arrange(path: &Path, formats: Formats) -> Result<Arranged, Error> {
    let tree = if fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        scan_folder(path)?
    } else {
        refuse_other_archives(path)?;
        scan_archive(path)?
    };
    Ok(arrange_set(path, tree, formats)?)
}

fn refuse_other_archives(path: &Path) -> Result<(), Error> {
    let mut start = [0; 8];
    let n = fs::File::open(path).and_then(|mut file| file.read(&mut start)).map_err(Error::io(path))?;
    let kind = match &start[..n] {
        [b'P', b'K', 3 | 5, ..] => "a zip archive",
        [b'B', b'Z', b'h', ..] => "a bzip2 archive",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd archive",
        [b'7', b'z', 0xbc, 0xaf, ..] => "a 7z archive",
        [b'R', b'a', b'r', b'!', ..] => "a rar archive",
        _ => return Ok(()),
    };
    Err(ImageError::ArchiveKind { path: path.into(), kind }.into())
}

/// The training and the test part, if there are both.
pub(super) fn test_part(path: &Path, arranged: &mut Arranged) -> Result<(Parts, &'static str), ImageError> {
    let [train, test, val] = std::mem::take(&mut arranged.parts);
    let (test, name) = if test.is_empty() { (val, PARTS[2]) } else { (test, PARTS[1]) };
    if train.is_empty() {
        return Err(missing(path, "`train/<class>/<image>`"));
    }
    if test.is_empty() {
        return Err(missing(path, "`test/<class>/<image>` or `val/<class>/<image>`"));
    }
    if let Some(class) = test.iter().find(|class| !train.iter().any(|known| known.name == class.name)) {
        return Err(ImageError::UnknownClass { path: path.join(name), class: class.name.clone() });
    }
    Ok(([train, test], name))
}

type Parts = [Vec<ClassFiles>; 2];

pub(super) fn read_divided(
    path: &Path,
    mut arranged: Arranged,
    options: &FolderOptions,
) -> Result<ImageSet, Error> {
    let ([train, test], test_name) = test_part(path, &mut arranged)?;
    let mut reader = Reader::new(path, options, arranged.left_out)?;
    reader.read([train, test])?;
    let [train, test] = reader.parts;
    train.check_classes(path, PARTS[0])?;
    test.check_classes(path, test_name)?;
    let (height, width) = reader.first.map(|(_, size)| size).ok_or_else(|| missing(path, "image"))?;
    let size = (height, width, options.channels.count());
    let class_names = train.class_names();
    let (train, test) = (train.into_images(size, &class_names)?, test.into_images(size, &class_names)?);
    let provenance = format!("image folder {}", path.display());
    Ok(ImageSet { train, test, provenance, skipped: reader.left_out.bad, told: reader.left_out.told })
}

/// Reads `<class>/<file>` below a folder or within an archive, there under any number of outer folders: the images of one
/// part, and the files that were left out.
///
/// Otherwise as [`read_image_folder`].
///
/// # Errors
/// As [`read_image_folder`].
pub fn read_class_folders(path: &Path, options: &FolderOptions) -> Result<(Images, LeftOut), Error> {
    read_undivided(path, arrange(path, options.formats)?, options)
}

pub(super) fn read_undivided(
    path: &Path,
    arranged: Arranged,
    options: &FolderOptions,
) -> Result<(Images, LeftOut), Error> {
    let [all, ..] = arranged.parts;
    let mut reader = Reader::new(path, options, arranged.left_out)?;
    reader.read([all, Vec::new()])?;
    let [part, _] = reader.parts;
    part.check_classes(path, "")?;
    let size = reader.first.map(|(_, size)| size);
    let (height, width) = size.ok_or_else(|| missing(path, "`<class>/<image>`"))?;
    let class_names = part.class_names();
    let images = part.into_images((height, width, options.channels.count()), &class_names)?;
    Ok((images, reader.left_out))
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
    parts: [FolderPart; 2],
    pending: Vec<Pending>,
    /// The first image and its height and width.
    first: Option<(PathBuf, (usize, usize))>,
    left_out: LeftOut,
}

impl<'a> Reader<'a> {
    /// Refuses files that are bad by their names.
    fn new(path: &'a Path, options: &'a FolderOptions, left_out: LeftOut) -> Result<Self, ImageError> {
        left_out.check(options.on_bad)?;
        let parts = Default::default();
        Ok(Self { path, options, parts, pending: Vec::new(), first: None, left_out })
    }

    fn read(&mut self, parts: Parts) -> Result<(), Error> {
        let mut members = HashMap::new();
        for (part, classes) in parts.into_iter().enumerate() {
            for ClassFiles { name: class, files } in classes {
                self.parts[part].add_class(&class);
                for file in files {
                    let key = (class.clone(), file.name);
                    match file.place {
                        Place::Path(path) => {
                            self.add(Pending { part, key, path: path.into(), bytes: None })?;
                        }
                        Place::Member(number) => {
                            members.insert(number, (part, key));
                        }
                    }
                }
            }
        }
        if !members.is_empty() {
            self.read_members(members)?;
        }
        self.decode_pending()
    }

    fn read_members(&mut self, mut members: HashMap<usize, (usize, Key)>) -> Result<(), Error> {
        let (path, file) = (self.path, fs::File::open(self.path).map_err(Error::io(self.path))?);
        let mut number = 0;
        let key_of = |name: &[u8], _| {
            number += 1;
            Some((members.remove(&(number - 1))?, escaped_bytes(name)))
        };
        for_each_member(file, path, key_of, |((part, key), name), bytes| {
            let path = PathBuf::from(format!("{}:{name}", path.display()));
            self.add(Pending { part, key, path, bytes: Some(bytes) })
        })
    }

    fn add(&mut self, file: Pending) -> Result<(), Error> {
        self.pending.push(file);
        if self.pending.len() < CHUNK { Ok(()) } else { self.decode_pending() }
    }

    fn decode_pending(&mut self) -> Result<(), Error> {
        let channels = self.options.channels;
        let files = std::mem::take(&mut self.pending);
        let decoded: Vec<Result<Picture, ImageError>> =
            files.par_iter().map(|file| decode(file, channels)).collect();
        for (file, picture) in files.into_iter().zip(decoded) {
            let part = &mut self.parts[file.part];
            let picture = match picture {
                Ok(picture) => picture,
                Err(ImageError::BadImage { path, problem }) if self.options.on_bad == OnBadImage::Skip => {
                    self.left_out.bad.push(SkippedImage { path: path.display().to_string(), problem });
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let got = (picture.height, picture.width);
            let (first, expected) = self.first.get_or_insert_with(|| (file.path.clone(), got));
            if *expected != got {
                let (first, expected) = (shown(first), *expected);
                return Err(ImageError::MixedSizes { first, expected, path: shown(&file.path), got }.into());
            }
            part.add_image(file.key, &picture.pixels);
        }
        Ok(())
    }
}

fn decode(file: &Pending, channels: Channels) -> Result<Picture, ImageError> {
    match &file.bytes {
        Some(bytes) => decode_image(bytes, &file.path, channels),
        None => decode_image(&read_picture_file(&file.path)?, &file.path, channels),
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
