//! Where the files of one UCI set lie: archive, extracted folder or the bytes compiled in.
//!
//! Not for interpreting them. Keys are `standard/NAME.txt` and `gap/NAME.txt`; published paths are
//! `standard/SET/data/NAME.txt`, below any number of leading folders.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::catalogue::SetInfo;
use crate::{Error, archive, embedded};

const LOOKED_FOR: &str = "uci/uci_regression_splits.tar.xz or its extracted folder";

/// The bytes of one set's index and data files.
pub(super) struct Files {
    set: &'static str,
    origin: PathBuf,
    archived: bool,
    members: BTreeMap<String, Vec<u8>>,
}

impl Files {
    /// Finds and reads the files of `info` under `root`, or among the embedded ones.
    pub(super) fn locate(info: &'static SetInfo, root: Option<&Path>) -> Result<Self, Error> {
        let set = info.name;
        if let Some(root) = root {
            fs::metadata(root).map_err(Error::io(root))?;
            for place in places(root) {
                if place.join("standard").join(set).join("data").is_dir() {
                    return Self::from_folder(set, &place);
                }
                if place.is_file() {
                    return Self::from_archive(set, &place);
                }
            }
        }
        match root {
            _ if info.embedded => Self::from_embedded(set),
            Some(root) => {
                Err(Error::SetNotFound { set, root: root.into(), looked_for: LOOKED_FOR.to_owned() })
            }
            None => Err(Error::RootNeeded { set, looked_for: LOOKED_FOR }),
        }
    }

    fn from_embedded(set: &'static str) -> Result<Self, Error> {
        let origin = PathBuf::from(embedded::UCI.name);
        let members = archive::read_members(embedded::UCI.bytes, &origin, |name| key(name, set))?;
        Ok(Self { set, origin, archived: true, members })
    }

    fn from_archive(set: &'static str, path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let members = archive::read_members(file, path, |name| key(name, set))?;
        if members.is_empty() {
            let looked_for = format!("`standard/{set}/data/data.txt`");
            return Err(Error::SetNotFound { set, root: path.into(), looked_for });
        }
        Ok(Self { set, origin: path.into(), archived: true, members })
    }

    fn from_folder(set: &'static str, folder: &Path) -> Result<Self, Error> {
        let mut members = BTreeMap::new();
        for kind in ["standard", "gap"] {
            let data = folder.join(kind).join(set).join("data");
            if !data.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&data).map_err(Error::io(&data))? {
                let path = entry.map_err(Error::io(&data))?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if is_needed(&name) {
                    members.insert(format!("{kind}/{name}"), fs::read(&path).map_err(Error::io(&path))?);
                }
            }
        }
        Ok(Self { set, origin: folder.into(), archived: false, members })
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// The bytes of a member; a missing one is [`Error::SetNotFound`].
    pub(super) fn bytes(&self, key: &str) -> Result<&[u8], Error> {
        self.members.get(key).map(Vec::as_slice).ok_or_else(|| Error::SetNotFound {
            set: self.set,
            root: self.origin.clone(),
            looked_for: format!("`{}`", member(key, self.set)),
        })
    }

    /// How a member is named in messages.
    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.origin.join(member(key, self.set))
    }

    /// Where the files came from, in words.
    pub(super) fn describe(&self) -> String {
        let form = if self.archived { "archive" } else { "folder" };
        format!("published splits from the {form} {}", self.origin.display())
    }
}

/// The places under `root` where the sets may lie, most specific name first.
fn places(root: &Path) -> Vec<PathBuf> {
    let uci = root.join("uci");
    let mut places = vec![root.to_path_buf(), uci.clone()];
    for folder in [uci.as_path(), root] {
        for name in ["", ".tar.xz", ".tar.gz", ".tar"] {
            places.push(folder.join(format!("uci_regression_splits{name}")));
        }
    }
    places
}

/// `standard/SET/data/NAME` below any leading folders becomes `standard/NAME`; other members are not needed.
fn key(path: &str, set: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let [.., kind @ ("standard" | "gap"), folder, "data", name] = parts.as_slice() else { return None };
    (*folder == set && is_needed(name)).then(|| format!("{kind}/{name}"))
}

fn is_needed(name: &str) -> bool {
    name == "data.txt" || (name.starts_with("index_") && name.ends_with(".txt"))
}

fn member(key: &str, set: &str) -> String {
    let (kind, name) = key.split_once('/').unwrap_or(("standard", key));
    format!("{kind}/{set}/data/{name}")
}
