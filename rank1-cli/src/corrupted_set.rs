//! Corrupted images as NumPy files, laid out as CIFAR-10-C: one array per corruption, severities one after the other.
//!
//! Not for reading them again; see [`rank1_data::image::CifarC`].

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rank1_core::targets::Targets;
use rank1_data::image::{SEVERITIES_FILE, Severities};
use rank1_data::{Corruption, CorruptionKind, Split};
use rank1_models::checkpoint::write_synced;

/// Images to corrupt and what is made of them.
#[derive(Debug)]
pub struct CorruptedSet {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    size: (usize, usize, usize),
    severities: Vec<u8>,
    seed: u64,
}

impl CorruptedSet {
    /// Takes images over as bytes.
    ///
    /// # Errors
    /// Targets that are no classes, or more than 256 of them.
    pub fn new(split: &Split, size: (usize, usize, usize), severities: Vec<u8>, seed: u64) -> Result<Self> {
        let Targets::Classes { labels, .. } = &split.targets else {
            bail!("images with classes are expected, the targets are values");
        };
        let labels: Result<Vec<u8>, _> = labels.iter().map(|&label| u8::try_from(label)).collect();
        let labels = labels.context("labels are stored as bytes: at most 256 classes are expected")?;
        let pixels = split.inputs.iter().map(|value| (255.0 * value).round() as u8).collect();
        Ok(Self { pixels, labels, size, severities, seed })
    }

    /// Severities in the order of the files.
    #[must_use]
    pub fn severities(&self) -> &[u8] {
        &self.severities
    }

    /// Makes the folder, its `labels.npy` and the list of severities; those that are there must be these.
    ///
    /// # Errors
    /// A file of one of the corruptions or other labels that are there, a folder that cannot be written.
    pub fn open(&self, folder: &Path, kinds: &[CorruptionKind]) -> Result<()> {
        for &kind in kinds {
            let path = folder.join(file_name(kind));
            if path.exists() {
                bail!("{} exists; choose another folder or other corruptions", path.display());
            }
        }
        let labels = npy(&[self.rows()], &self.labels.repeat(self.severities.len()));
        let path = folder.join("labels.npy");
        let told = folder.join(SEVERITIES_FILE);
        let list = serde_json::to_vec(&Severities::new(self.severities.clone(), &told)?)?;
        if path.exists() {
            if read(&path)? != labels {
                bail!("{} has labels of other images or severities; choose another folder", path.display());
            }
            if told.exists() {
                let there: Option<Severities> = serde_json::from_slice(&read(&told)?).ok();
                if there.is_none_or(|there| there.severities != self.severities) {
                    bail!("{} tells other severities; choose another folder", told.display());
                }
                return Ok(());
            }
            // The published files tell none: they have all.
            if !self.severities.iter().copied().eq(1..=Corruption::SEVERITIES) {
                let (path, there) = (path.display(), told.display());
                bail!(
                    "{path} is there without {there}, so that its severities are not known; choose another folder"
                );
            }
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        write_synced(&told, &list)?;
        Ok(write_synced(&path, &labels)?)
    }

    /// Writes one corruption at all severities, under its final name only when it is complete; each severity is told when it begins.
    ///
    /// # Errors
    /// Images that are neither gray nor RGB, a file that cannot be written.
    pub fn write(&self, folder: &Path, kind: CorruptionKind, begins: impl Fn(u8)) -> Result<()> {
        let (height, width, channels) = self.size;
        let mut stacked = Vec::with_capacity(self.pixels.len() * self.severities.len());
        for &severity in &self.severities {
            begins(severity);
            let corruption = Corruption::new(kind, severity)?;
            let n = self.labels.len();
            stacked.extend(corruption.apply_all(&self.pixels, n, height, width, channels, self.seed)?);
        }
        let array = npy(&[self.rows(), height, width, channels], &stacked);
        Ok(write_synced(&folder.join(file_name(kind)), &array)?)
    }

    fn rows(&self) -> usize {
        self.labels.len() * self.severities.len()
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn file_name(kind: CorruptionKind) -> String {
    format!("{kind}.npy")
}

/// An array of bytes as a version 1 `.npy` file.
fn npy(shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    // The data begin at a multiple of 64 bytes; ten stand before the header, a line break ends it.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', length - 1 - header.len()));
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((length as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array2, array};
    use rank1_data::image::{Cifar, CifarC};

    use super::*;

    /// Three color images of 32 x 32.
    fn images() -> Split {
        let inputs = Array2::from_shape_fn((3, 32 * 32 * 3), |(i, j)| ((i * 71 + j) % 256) as f32 / 255.0);
        Split::new(inputs, Targets::Classes { labels: array![3, 9, 0], n_classes: 10 }).unwrap()
    }

    #[test]
    fn color_images_of_the_size_of_cifar_are_read_as_a_corrupted_cifar() {
        let folder = tempfile::tempdir().unwrap();
        let set = CorruptedSet::new(&images(), (32, 32, 3), vec![1, 2, 3, 4, 5], 7).unwrap();
        let kinds = [CorruptionKind::Contrast, CorruptionKind::GaussianNoise];
        set.open(folder.path(), &kinds).unwrap();
        for kind in kinds {
            set.write(folder.path(), kind, drop).unwrap();
        }
        let read = CifarC::open(Cifar::Ten, folder.path(), None).unwrap();
        assert_eq!(read.corruptions(), ["contrast", "gaussian_noise"]);
        for (kind, severity) in kinds.into_iter().flat_map(|kind| (1..=5).map(move |s| (kind, s))) {
            let found = read.load(kind.name(), usize::from(severity)).unwrap();
            let corruption = Corruption::new(kind, severity).unwrap();
            let expected = corruption.apply_all(&set.pixels, 3, 32, 32, 3, 7).unwrap();
            assert_eq!((found.labels(), found.pixels()), (&[3, 9, 0][..], &expected[..]));
        }
    }

    #[test]
    fn more_corruptions_join_a_folder_but_nothing_is_replaced_or_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let set = CorruptedSet::new(&images(), (32, 32, 3), vec![2], 7).unwrap();
        set.open(folder.path(), &[CorruptionKind::Contrast]).unwrap();
        set.write(folder.path(), CorruptionKind::Contrast, drop).unwrap();
        set.open(folder.path(), &[CorruptionKind::Brightness]).unwrap();
        let refused = set.open(folder.path(), &[CorruptionKind::Contrast]).unwrap_err().to_string();
        assert!(refused.contains("contrast.npy exists"), "{refused}");
        let other = CorruptedSet::new(&images(), (32, 32, 3), vec![2, 3], 7).unwrap();
        let refused = other.open(folder.path(), &[CorruptionKind::Brightness]).unwrap_err().to_string();
        assert!(refused.contains("other images or severities"), "{refused}");
    }

    #[test]
    fn severities_are_told_beside_the_files_and_never_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let set =
            |severities: &[u8]| CorruptedSet::new(&images(), (32, 32, 3), severities.to_vec(), 7).unwrap();
        set(&[3]).open(folder.path(), &[CorruptionKind::Contrast]).unwrap();
        set(&[3]).write(folder.path(), CorruptionKind::Contrast, drop).unwrap();
        let read = CifarC::open(Cifar::Ten, folder.path(), None).unwrap();
        assert_eq!(read.severities(), [3]);
        let expected = Corruption::new(CorruptionKind::Contrast, 3).unwrap();
        let expected = expected.apply_all(&set(&[3]).pixels, 3, 32, 32, 3, 7).unwrap();
        assert_eq!(read.load("contrast", 3).unwrap().pixels(), expected);
        // As many labels, another severity.
        let refused =
            |set: &CorruptedSet| set.open(folder.path(), &[CorruptionKind::Fog]).unwrap_err().to_string();
        assert!(refused(&set(&[4])).contains("tells other severities"));
        fs::remove_file(folder.path().join(SEVERITIES_FILE)).unwrap();
        assert!(refused(&set(&[3])).contains("severities are not known"));
    }
}
