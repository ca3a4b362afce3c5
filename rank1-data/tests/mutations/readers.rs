//! The readers of small files as functions of bytes; each gives whether it accepted them.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rank1_data::idx::read_idx_from;
use rank1_data::image::{Channels, Cifar, CifarC, FolderOptions, OnBadImage, TestShare};
use rank1_data::image::{decode_image, read_npy, read_own_images};
use tempfile::TempDir;

use crate::corpus;

/// A picture; what is accepted has as many bytes as it says.
pub(crate) fn picture(bytes: &[u8]) -> bool {
    let Ok(picture) = decode_image(bytes, Path::new("x"), Channels::RgbOrCmyk) else { return false };
    assert_eq!(picture.pixels.len(), picture.height * picture.width * picture.channels);
    true
}

pub(crate) fn idx(bytes: &[u8]) -> bool {
    read_idx_from(bytes, Path::new("x"), 3).is_ok_and(|array| {
        assert_eq!(array.data.len(), array.shape.iter().product::<usize>());
        true
    })
}

/// A folder in which files are put before they are read.
pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn npy(&self, bytes: &[u8]) -> bool {
        read_npy(&self.put("x.npy", bytes)).is_ok()
    }

    /// A corrupted copy whose labels or severities are these bytes.
    pub(crate) fn cifar_c(&self, name: &str, bytes: &[u8]) -> bool {
        self.put("c/fog.npy", &corpus::npy("(2, 32, 32, 3)", &[7; 6_144]));
        self.put("c/labels.npy", &corpus::npy("(2,)", &[3, 3]));
        self.put("c/severities.json", br#"{"severities": [2, 4]}"#);
        let file = self.put(&format!("c/{name}"), bytes);
        let opened = CifarC::open(Cifar::Ten, file.parent().unwrap(), None);
        opened.is_ok_and(|set| set.severities().iter().all(|&s| set.load("fog", s.into()).is_ok()))
    }

    /// Class folders in an archive; bad pictures are skipped, so that all are looked at.
    pub(crate) fn archive(&self, bytes: &[u8]) -> bool {
        let options = FolderOptions { on_bad: OnBadImage::Skip, ..FolderOptions::default() };
        let test = TestShare { fraction: Some(0.5), seed: 1 };
        read_own_images(&self.put("x.tar", bytes), &options, test).is_ok()
    }

    pub(crate) fn cifar_binary(&self, bytes: &[u8]) -> bool {
        let names: Vec<String> = (0..100).map(|i| format!("class_{i}")).collect();
        self.put("b/fine_label_names.txt", names.join("\n").as_bytes());
        self.put("b/test.bin", &corpus::cifar_binary());
        let file = self.put("b/train.bin", bytes);
        Cifar::Hundred.read(file.parent().unwrap()).is_ok()
    }

    pub(crate) fn cifar_pickle(&self, bytes: &[u8]) -> bool {
        self.put("p/meta", &corpus::cifar_meta());
        self.put("p/test", &corpus::cifar_pickle());
        let file = self.put("p/train", bytes);
        Cifar::Hundred.read(file.parent().unwrap()).is_ok()
    }
}
