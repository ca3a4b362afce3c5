//! Where the files of a set are: a folder or an archive of records, and the outcome file beside it.
//!
//! Not for their content. Archive members are read into memory, never unpacked to disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, archive};

/// Names under which an archive of a set is looked for, after the extracted folder.
const ARCHIVES: [&str; 4] = ["tar.gz", "tgz", "tar", "tar.xz"];

#[derive(Debug)]
pub(super) struct SetFiles {
    /// The folder or archive of records.
    pub(super) records: PathBuf,
    /// The outcome file.
    pub(super) outcomes: PathBuf,
}

/// Looks in `root`, then in `root/physionet2012`.
pub(super) fn find(root: &Path, set: char) -> Result<SetFiles, Error> {
    fs::metadata(root).map_err(Error::io(root))?;
    let folders = [root.to_owned(), root.join("physionet2012")];
    let missing = |looked_for| Error::SetNotFound { set: "physionet2012", root: root.into(), looked_for };
    for folder in &folders {
        let extracted = folder.join(format!("set-{set}"));
        let archive = ARCHIVES.map(|ending| folder.join(format!("set-{set}.{ending}"))).into_iter();
        let records = if extracted.is_dir() {
            Some(extracted.clone())
        } else {
            archive.into_iter().find(|path| path.is_file())
        };
        let Some(records) = records else { continue };
        let name = format!("Outcomes-{set}.txt");
        let outcomes = [folder.join(&name), extracted.join(&name)].into_iter().find(|path| path.is_file());
        return Ok(SetFiles { records, outcomes: outcomes.ok_or_else(|| missing(format!("`{name}`")))? });
    }
    Err(missing(format!("`set-{set}.tar.gz` or folder `set-{set}`")))
}

/// The record files by number; other files (outcome files, hidden files of some archivers) are left alone.
pub(super) fn read_records(path: &Path) -> Result<BTreeMap<u64, Vec<u8>>, Error> {
    if path.is_dir() {
        let mut records = BTreeMap::new();
        for entry in fs::read_dir(path).map_err(Error::io(path))? {
            let file = entry.map_err(Error::io(path))?.path();
            if let Some(id) = file.to_str().and_then(record_number) {
                records.insert(id, fs::read(&file).map_err(Error::io(&file))?);
            }
        }
        return Ok(records);
    }
    let source = fs::File::open(path).map_err(Error::io(path))?;
    let members = archive::read_members(source, path, |name| record_number(name).map(|id| id.to_string()))?;
    Ok(members.into_iter().filter_map(|(key, bytes)| Some((key.parse().ok()?, bytes))).collect())
}

fn record_number(name: &str) -> Option<u64> {
    let stem = name.rsplit(['/', '\\']).next()?.strip_suffix(".txt")?;
    stem.parse().ok().filter(|_| stem.bytes().all(|byte| byte.is_ascii_digit()))
}
