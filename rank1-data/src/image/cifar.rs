//! CIFAR-10 and CIFAR-100 as published: the binary version and the Python version, as archive or unpacked.
//!
//! Not for corrupted copies (see [`crate::image::CifarC`]) and not for CIFAR-10 as JPEG files, which is an image folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{ImageError, ImageSet, Images, cifar_names, pickle};
use crate::Error;
use crate::archive::read_members;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const VALUES: usize = 3 * PLANE;

/// Which of the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cifar {
    /// Ten classes, five training files.
    Ten,
    /// One hundred (fine) classes, one training file.
    Hundred,
}

/// The two published encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Binary,
    Python,
}

impl Cifar {
    /// The name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ten => "cifar10",
            Self::Hundred => "cifar100",
        }
    }

    /// Number of classes.
    pub fn n_classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    /// The names of the classes in the order of the labels.
    pub fn class_names(self) -> Vec<String> {
        let names = match self {
            Self::Ten => cifar_names::TEN,
            Self::Hundred => cifar_names::HUNDRED,
        };
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// What a data folder must hold, in words.
    pub(crate) fn looked_for(self) -> &'static str {
        match self {
            Self::Ten => "`cifar-10-binary.tar.gz` or `cifar-10-python.tar.gz` (or the unpacked folder)",
            Self::Hundred => {
                "`cifar-100-binary.tar.gz` or `cifar-100-python.tar.gz` (or the unpacked folder)"
            }
        }
    }

    /// Folders of the unpacked versions and archives, in order of preference.
    fn places(self) -> [&'static str; 4] {
        match self {
            Self::Ten => [
                "cifar-10-batches-bin",
                "cifar-10-batches-py",
                "cifar-10-binary.tar.gz",
                "cifar-10-python.tar.gz",
            ],
            Self::Hundred => {
                ["cifar-100-binary", "cifar-100-python", "cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"]
            }
        }
    }

    /// Training files, test file and the file of the class names.
    fn files(self, version: Version) -> (&'static [&'static str], &'static str, &'static str) {
        const BINARY: [&str; 5] = [
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ];
        const PYTHON: [&str; 5] =
            ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"];
        match (self, version) {
            (Self::Ten, Version::Binary) => (&BINARY, "test_batch.bin", "batches.meta.txt"),
            (Self::Ten, Version::Python) => (&PYTHON, "test_batch", "batches.meta"),
            (Self::Hundred, Version::Binary) => (&["train.bin"], "test.bin", "fine_label_names.txt"),
            (Self::Hundred, Version::Python) => (&["train"], "test", "meta"),
        }
    }

    /// Reads the set from its archive, from its unpacked folder, or from a data folder that holds one of them (in it or
    /// in its sub-folder of the set's name).
    ///
    /// Images keep the order of the files; labels are the fine ones. Pixels come out row by row with the channels of a
    /// pixel together.
    ///
    /// # Errors
    /// [`Error::SetNotFound`], [`Error::Io`], [`Error::Compressed`] for a truncated archive, and [`ImageError`] for
    /// files of a wrong length, labels out of range and pickles that hold anything else than such a set.
    pub fn read(self, path: &Path) -> Result<ImageSet, Error> {
        let place = self.find(path)?;
        let members = self.members(&place)?;
        let has = |version| members.contains_key(self.files(version).1);
        let version = if has(Version::Binary) { Version::Binary } else { Version::Python };
        let (train, test, meta) = self.files(version);
        let get = |name: &str| -> Result<(PathBuf, &[u8]), Error> {
            let bytes = members.get(name).ok_or_else(|| self.not_found(&place, format!("`{name}`")))?;
            Ok((place.join(name), bytes.as_slice()))
        };
        let class_names = self.read_class_names(get(meta)?, version)?;
        let part = |files: &[&str]| -> Result<Images, Error> {
            let (mut pixels, mut labels) = (Vec::new(), Vec::new());
            for file in files {
                let (path, bytes) = get(file)?;
                match version {
                    Version::Binary => self.read_binary(&path, bytes, &mut pixels, &mut labels)?,
                    Version::Python => self.read_python(&path, bytes, &mut pixels, &mut labels)?,
                }
            }
            Images::new(pixels, (SIDE, SIDE, 3), labels, class_names.clone())
        };
        let version = match version {
            Version::Binary => "binary",
            Version::Python => "Python",
        };
        let provenance =
            format!("CIFAR-{} (Krizhevsky 2009), {version} version in {}", self.n_classes(), place.display());
        Ok(ImageSet {
            train: part(train)?,
            test: part(&[test])?,
            provenance,
            skipped: Vec::new(),
            told: Vec::new(),
        })
    }

    fn not_found(self, root: &Path, looked_for: impl Into<String>) -> Error {
        Error::SetNotFound { set: self.name(), root: root.into(), looked_for: looked_for.into() }
    }

    fn find(self, path: &Path) -> Result<PathBuf, Error> {
        if !fs::metadata(path).map_err(Error::io(path))?.is_dir() {
            return Ok(path.to_owned());
        }
        let holds_set = |version| path.join(self.files(version).1).is_file();
        if holds_set(Version::Binary)
            || (holds_set(Version::Python) && path.join(self.files(Version::Python).2).is_file())
        {
            return Ok(path.to_owned());
        }
        [path.to_owned(), path.join(self.name())]
            .iter()
            .flat_map(|folder| self.places().map(|place| folder.join(place)))
            .find(|place| place.exists())
            .ok_or_else(|| self.not_found(path, self.looked_for()))
    }

    fn members(self, place: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let is_wanted = |name: &str| {
            [Version::Binary, Version::Python].into_iter().any(|version| {
                let (train, test, meta) = self.files(version);
                train.contains(&name) || name == test || name == meta
            })
        };
        if place.is_dir() {
            let mut members = BTreeMap::new();
            for entry in fs::read_dir(place).map_err(Error::io(place))? {
                let entry = entry.map_err(Error::io(place))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if is_wanted(&name) && entry.path().is_file() {
                    members.insert(name, fs::read(entry.path()).map_err(Error::io(entry.path()))?);
                }
            }
            return Ok(members);
        }
        let file = fs::File::open(place).map_err(Error::io(place))?;
        read_members(file, place, |member| {
            let name = member.rsplit('/').next().unwrap_or(member);
            is_wanted(name).then(|| name.to_owned())
        })
    }

    fn read_class_names(
        self,
        (path, bytes): (PathBuf, &[u8]),
        version: Version,
    ) -> Result<Vec<String>, Error> {
        let names: Vec<String> = match version {
            Version::Binary => String::from_utf8_lossy(bytes)
                .lines()
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty())
                .collect(),
            Version::Python => {
                let key = if self == Self::Ten { "label_names" } else { "fine_label_names" };
                pickle::parse(bytes, &path)?.texts(key)?
            }
        };
        if names.len() != self.n_classes() {
            return Err(ImageError::ClassNames { path, expected: self.n_classes(), got: names.len() }.into());
        }
        Ok(names)
    }

    /// Records of one label byte (CIFAR-100: a coarse and a fine one) and three planes.
    fn read_binary(
        self,
        path: &Path,
        bytes: &[u8],
        pixels: &mut Vec<u8>,
        labels: &mut Vec<usize>,
    ) -> Result<(), Error> {
        let n_label_bytes = if self == Self::Ten { 1 } else { 2 };
        let record = n_label_bytes + VALUES;
        if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
            let expected = format!("a multiple of {record}");
            return Err(ImageError::FileSize { path: path.into(), expected, got: bytes.len() as u64 }.into());
        }
        for (position, record) in bytes.chunks_exact(record).enumerate() {
            let label = i64::from(record[n_label_bytes - 1]);
            labels.push(self.check_label(path, position, label)?);
            interleave(&record[n_label_bytes..], pixels);
        }
        Ok(())
    }

    fn read_python(
        self,
        path: &Path,
        bytes: &[u8],
        pixels: &mut Vec<u8>,
        labels: &mut Vec<usize>,
    ) -> Result<(), Error> {
        let pickle = pickle::parse(bytes, path)?;
        let (shape, data) = pickle.array("data")?;
        let n_images = match *shape {
            [n, VALUES] if n > 0 => n,
            _ => {
                let problem = format!("array of shape {shape:?}, expected [N, {VALUES}]");
                return Err(ImageError::PickleEntry { path: path.into(), key: "data", problem }.into());
            }
        };
        let classes = pickle.integers(if self == Self::Ten { "labels" } else { "fine_labels" })?;
        if classes.len() != n_images {
            return Err(
                ImageError::LabelCount { path: path.into(), n_images, n_labels: classes.len() }.into()
            );
        }
        for (position, (&label, planes)) in classes.iter().zip(data.chunks_exact(VALUES)).enumerate() {
            labels.push(self.check_label(path, position, label)?);
            interleave(planes, pixels);
        }
        Ok(())
    }

    fn check_label(self, path: &Path, position: usize, label: i64) -> Result<usize, ImageError> {
        let n_classes = self.n_classes();
        usize::try_from(label)
            .ok()
            .filter(|&label| label < n_classes)
            .ok_or_else(|| ImageError::LabelOutOfRange { path: path.into(), position, label, n_classes })
    }
}

/// Appends three planes (red, green, blue) pixel by pixel.
fn interleave(planes: &[u8], pixels: &mut Vec<u8>) {
    pixels.extend((0..PLANE).flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]]));
}

#[cfg(test)]
#[path = "cifar_tests.rs"]
mod tests;
