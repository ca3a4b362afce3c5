//! The named image sets behind [`crate::load()`]: `cifar10`, `cifar100` and `cifar10-jpeg`.
//!
//! Not for a user's own images; see [`crate::image::load_image_folder`].

use std::path::{Path, PathBuf};

use super::{Cifar, FolderOptions, read_image_folder};
use crate::{Dataset, Error};

const JPEG: &str = "cifar10-jpeg";
const JPEG_ARCHIVE: &str = "cifar10-jpeg.tar.gz";

enum Named {
    Published(Cifar),
    Jpeg,
}

fn named(name: &str) -> Option<Named> {
    match name {
        JPEG => Some(Named::Jpeg),
        _ => {
            [Cifar::Ten, Cifar::Hundred].into_iter().find(|cifar| cifar.name() == name).map(Named::Published)
        }
    }
}

/// Whether this module loads the set.
pub(crate) fn has(name: &str) -> bool {
    named(name).is_some()
}

/// Loads the set from a data folder, its own folder or its archive.
pub(crate) fn load(name: &str, root: Option<&Path>) -> Result<Dataset, Error> {
    match (named(name), root) {
        (Some(Named::Published(cifar)), Some(root)) => cifar.read(root)?.to_dataset(cifar.name()),
        (Some(Named::Published(cifar)), None) => {
            Err(Error::RootNeeded { set: cifar.name(), looked_for: cifar.looked_for() })
        }
        (Some(Named::Jpeg), Some(root)) => {
            let place = find_jpeg(root).ok_or_else(|| Error::SetNotFound {
                set: JPEG,
                root: root.into(),
                looked_for: format!("`{JPEG_ARCHIVE}` or unpacked `train` and `test` folders"),
            })?;
            let mut set = read_image_folder(&place, &FolderOptions::default())?;
            set.provenance = format!("CIFAR-10 (JPEG), {}", place.display());
            set.to_dataset(JPEG)
        }
        (Some(Named::Jpeg), None) => {
            Err(Error::RootNeeded { set: JPEG, looked_for: "`cifar10-jpeg.tar.gz`" })
        }
        (None, _) => Err(Error::UnknownSet {
            name: name.to_owned(),
            hint: None,
            known: vec!["cifar10", "cifar100", JPEG],
        }),
    }
}

fn find_jpeg(root: &Path) -> Option<PathBuf> {
    if root.is_file() {
        return Some(root.to_owned());
    }
    let inside = root.join(JPEG);
    [root.join(JPEG_ARCHIVE), inside.join(JPEG_ARCHIVE)]
        .into_iter()
        .find(|path| path.is_file())
        .or_else(|| [inside, root.to_owned()].into_iter().find(|path| path.join("train").is_dir()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn absent_sets_are_refused_by_name() {
        let empty = tempfile::tempdir().unwrap();
        for name in ["cifar10", "cifar100", JPEG] {
            assert!(has(name));
            assert!(matches!(load(name, None), Err(Error::RootNeeded { set, .. }) if set == name));
            let got = load(name, Some(empty.path())).unwrap_err();
            assert!(matches!(&got, Error::SetNotFound { set, .. } if *set == name), "{got}");
        }
        assert!(!has("mnist"));
    }
}
