//! CIFAR-10-C and CIFAR-100-C: one `.npy` file per corruption, its severities one after the other.
//!
//! Not for making corruptions; only the images of the asked severity are read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::npy::{self, NpyType};
use super::section::Section;
use super::severities::{SEVERITIES_FILE, Severities};
use super::{Cifar, ImageError, Images};
use crate::nearest::nearest;
use crate::{CorruptionKind, Error};

const SIDE: usize = 32;

/// An opened corrupted copy of a CIFAR test set.
#[derive(Debug, Clone)]
pub struct CifarC {
    path: PathBuf,
    corruptions: BTreeMap<String, Section>,
    /// Labels of the images of one severity after the other.
    labels: Vec<usize>,
    severities: Vec<u8>,
    class_names: Vec<String>,
}

impl CifarC {
    /// Opens the folder `CIFAR-10-C` (or `CIFAR-100-C`), the uncompressed tar archive of it, or a data folder that holds one of them.
    ///
    /// The severities are those that [`SEVERITIES_FILE`] beside the arrays tells; where it is missing, the caller's
    /// `severities`; else the five of the published files, if the labels are five times the same.
    ///
    /// # Errors
    /// [`ImageError::NotFound`], [`ImageError::CompressedArchive`], [`ImageError::Severities`], the errors of `labels.npy`, and
    /// [`ImageError::UnknownCorruption`] for a file named nearly as a corruption.
    pub fn open(cifar: Cifar, path: &Path, severities: Option<&[u8]>) -> Result<Self, Error> {
        let name = format!("CIFAR-{}-C", cifar.n_classes());
        let inside = [path.join(&name), path.join(format!("{name}.tar"))];
        let path = match inside.iter().find(|place| place.exists()) {
            Some(found) if !path.join("labels.npy").exists() => found.as_path(),
            _ => path,
        };
        let (mut corruptions, told) = npy_files(path)?;
        let missing =
            |looked_for: &str| ImageError::NotFound { path: path.into(), looked_for: looked_for.into() };
        let labels = corruptions.remove("labels").ok_or_else(|| missing("`labels.npy`"))?;
        if corruptions.is_empty() {
            return Err(missing("`<corruption>.npy`").into());
        }
        check_names(path, &corruptions)?;
        let class_names = cifar.class_names();
        let read = npy::read_labels(&labels, class_names.len())?;
        let told = told.map(|section| Severities::read(&section)).transpose()?;
        let severities = Severities::of(told.as_ref(), severities, &read, &labels.name)?;
        Ok(Self { path: path.into(), corruptions, labels: read, severities, class_names })
    }

    /// The severities that every file holds, ascending.
    pub fn severities(&self) -> &[u8] {
        &self.severities
    }

    /// The corruptions that are there, by name.
    pub fn corruptions(&self) -> Vec<&str> {
        self.corruptions.keys().map(String::as_str).collect()
    }

    /// The images of one corruption at one of the severities, in the order of the test set.
    ///
    /// # Errors
    /// [`ImageError::UnknownCorruption`], [`ImageError::Setting`] for a severity that is not there, [`ImageError::NpyArray`] for
    /// anything else than bytes of shape `[severities * N, 32, 32, 3]`, [`ImageError::NpyHeader`], [`ImageError::FileSize`].
    pub fn load(&self, corruption: &str, severity: usize) -> Result<Images, Error> {
        let section = find(&self.path, &self.corruptions, corruption)?;
        let place = self.severities.iter().position(|&there| usize::from(there) == severity);
        let place = place.ok_or_else(|| {
            let got = severity.to_string();
            let expected = "a severity that the files hold";
            ImageError::Setting { op: "CIFAR-C", argument: "severity", expected, got }
        })?;
        let header = npy::read_header(section)?;
        if header.dtype != NpyType::U8 || header.shape != [self.labels.len(), SIDE, SIDE, 3] {
            return Err(ImageError::NpyArray {
                path: section.name.clone(),
                expected: format!("uint8 [{}, {SIDE}, {SIDE}, 3]", self.labels.len()),
                got: header.describe(),
            }
            .into());
        }
        let n = self.labels.len() / self.severities.len();
        let (first, bytes) = (place * n, n * SIDE * SIDE * 3);
        let pixels = section.read_range(header.start + (first * SIDE * SIDE * 3) as u64, bytes)?;
        let labels = self.labels[first..first + n].to_vec();
        Images::new(pixels, (SIDE, SIDE, 3), labels, self.class_names.clone())
    }
}

/// Arrays by the stem of their name.
type Arrays = BTreeMap<String, Section>;

/// The `.npy` files of a folder or uncompressed archive, and [`SEVERITIES_FILE`].
fn npy_files(path: &Path) -> Result<(Arrays, Option<Section>), Error> {
    let sections: Vec<Section> = if fs::metadata(path).map_err(Error::io(path))?.is_dir() {
        let entries =
            fs::read_dir(path).map_err(Error::io(path))?.map(|entry| entry.map(|entry| entry.path()));
        let paths: Vec<PathBuf> = entries.collect::<Result<_, _>>().map_err(Error::io(path))?;
        paths
            .iter()
            .filter(|path| path.is_file())
            .map(|path| Section::whole(path))
            .collect::<Result<_, _>>()?
    } else {
        Section::whole(path)?.tar_members()?
    };
    let (mut arrays, mut told) = (BTreeMap::new(), None);
    for section in sections {
        let name = section.file_name();
        if name == SEVERITIES_FILE {
            told = Some(section);
        } else if let Some(stem) = name.strip_suffix(".npy").filter(|stem| !stem.starts_with('.')) {
            arrays.insert(stem.to_owned(), section);
        }
    }
    Ok((arrays, told))
}

/// Corruptions of one's own may have any name, but not one that is a known one but for a letter.
fn check_names(path: &Path, corruptions: &Arrays) -> Result<(), ImageError> {
    let known = || CorruptionKind::all().iter().map(|kind| kind.name());
    for name in corruptions.keys().filter(|name| !known().any(|known| known == **name)) {
        if let Some(hint) = known().find(|known| strsim::damerau_levenshtein(known, name) == 1) {
            let (path, name, hint) = (path.to_owned(), name.clone(), Some(hint.to_owned()));
            let known = known().map(str::to_owned).collect();
            return Err(ImageError::UnknownCorruption { path, name, hint, known });
        }
    }
    Ok(())
}

/// The entry of this name; the error lists what there is.
pub(super) fn find<'a, T>(
    path: &Path,
    all: &'a BTreeMap<String, T>,
    name: &str,
) -> Result<&'a T, ImageError> {
    all.get(name).ok_or_else(|| {
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        ImageError::UnknownCorruption {
            path: path.into(),
            name: name.into(),
            hint: nearest(name, &known),
            known: known.into_iter().map(str::to_owned).collect(),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::npy::tests::{bytes_array, npy};
    use super::*;

    const IMAGE: usize = SIDE * SIDE * 3;

    /// Five severities of two images; every byte of an image is its number.
    fn stacked() -> Vec<u8> {
        bytes_array("(10, 32, 32, 3)", &(0..10_u8).flat_map(|i| vec![i * 3; IMAGE]).collect::<Vec<u8>>())
    }

    fn write(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("labels.npy"), bytes_array("(10,)", &[3, 8, 3, 8, 3, 8, 3, 8, 3, 8])).unwrap();
        fs::write(folder.join("gaussian_noise.npy"), stacked()).unwrap();
        fs::write(folder.join("fog.npy"), stacked()).unwrap();
    }

    fn refusal(folder: &Path) -> ImageError {
        match CifarC::open(Cifar::Ten, folder, None).and_then(|set| set.load("fog", 1)) {
            Err(Error::Image(error)) => error,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn a_severity_is_its_fifth_of_the_file_from_folder_and_tar() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("CIFAR-10-C");
        write(&folder);
        let tar = root.path().join("copy.tar");
        let mut builder = tar::Builder::new(fs::File::create(&tar).unwrap());
        builder.append_dir_all("CIFAR-10-C", &folder).unwrap();
        builder.finish().unwrap();
        for place in [root.path(), &folder, &tar] {
            let set = CifarC::open(Cifar::Ten, place, None).unwrap();
            assert_eq!(set.corruptions(), ["fog", "gaussian_noise"]);
            for severity in 1..=5 {
                let images = set.load("gaussian_noise", severity).unwrap();
                let first = (severity as u8 - 1) * 6;
                assert_eq!((images.image(0)[5], images.image(1)[IMAGE - 1]), (first, first + 3));
                assert_eq!(images.labels(), [3, 8]);
            }
            let got = set.load("gausian_noise", 1).unwrap_err().to_string();
            assert!(got.contains("did you mean `gaussian_noise`?"), "{got}");
            for severity in [0, 6] {
                let got = set.load("fog", severity).unwrap_err();
                assert!(matches!(got, Error::Image(ImageError::Setting { argument: "severity", .. })));
            }
        }
    }

    #[test]
    fn wrong_types_shapes_labels_and_truncated_files_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let with = |name: &str, bytes: Vec<u8>| {
            write(root.path());
            fs::write(root.path().join(name), bytes).unwrap();
            refusal(root.path())
        };
        let floats = npy(1, "'<f4'", "False", "(10, 32, 32, 3)", &vec![0; 10 * IMAGE * 4]);
        let got = with("fog.npy", floats).to_string();
        assert!(got.contains("float32 [10, 32, 32, 3], expected uint8 [10, 32, 32, 3]"), "{got}");
        let planes = bytes_array("(10, 3, 32, 32)", &vec![0; 10 * IMAGE]);
        assert!(matches!(with("fog.npy", planes), ImageError::NpyArray { .. }));
        let mut short = stacked();
        short.pop();
        assert!(matches!(with("fog.npy", short), ImageError::FileSize { .. }));
        let got = with("labels.npy", bytes_array("(10,)", &[3, 8, 3, 8, 3, 8, 3, 8, 3, 10]));
        assert!(matches!(got, ImageError::LabelOutOfRange { position: 9, label: 10, .. }), "{got}");
        assert!(matches!(with("labels.npy", bytes_array("(4,)", &[0; 4])), ImageError::Severities { .. }));
        write(root.path());
        fs::remove_file(root.path().join("labels.npy")).unwrap();
        assert!(matches!(refusal(root.path()), ImageError::NotFound { .. }));
    }

    #[test]
    fn severities_travel_with_the_files_and_near_names_are_refused() {
        let root = tempfile::tempdir().unwrap();
        write(root.path());
        let json = root.path().join(SEVERITIES_FILE);
        fs::write(&json, r#"{"severities": [2, 4]}"#).unwrap();
        let open = |asked| CifarC::open(Cifar::Ten, root.path(), asked);
        let got = open(None).unwrap_err().to_string();
        assert!(got.contains("once for each of the severities [2, 4]"), "{got}");
        fs::write(root.path().join("labels.npy"), bytes_array("(10,)", &[3, 8, 3, 8, 3, 3, 8, 3, 8, 3]))
            .unwrap();
        let set = open(None).unwrap();
        assert_eq!(set.severities(), [2, 4]);
        assert_eq!((set.load("fog", 4).unwrap().image(0)[0], set.load("fog", 2).unwrap().len()), (15, 5));
        assert!(set.load("fog", 1).is_err() && set.load("fog", 5).is_err());
        let got = open(Some(&[1, 2])).unwrap_err().to_string();
        assert!(got.contains("severities.json says severities [2, 4], asked for are [1, 2]"), "{got}");
        for wrong in
            ["", "[2, 4]", r#"{"severities": []}"#, r#"{"severities": [4, 2]}"#, r#"{"severities": [7]}"#]
        {
            fs::write(&json, wrong).unwrap();
            let got = open(None).unwrap_err();
            assert!(matches!(got, Error::Image(ImageError::Severities { .. })), "{wrong}: {got}");
        }
        fs::remove_file(&json).unwrap();
        assert!(matches!(open(None), Err(Error::Image(ImageError::Severities { .. }))));
        assert_eq!(open(Some(&[1, 3])).unwrap().load("fog", 3).unwrap().image(0)[0], 15);
        fs::rename(root.path().join("fog.npy"), root.path().join("fogg.npy")).unwrap();
        let got = open(Some(&[1, 3])).unwrap_err().to_string();
        assert!(got.contains("no corruption `fogg` (did you mean `fog`?)"), "{got}");
        fs::rename(root.path().join("fogg.npy"), root.path().join("caustics.npy")).unwrap();
        assert_eq!(open(Some(&[1, 3])).unwrap().corruptions(), ["caustics", "gaussian_noise"]);
    }
}
