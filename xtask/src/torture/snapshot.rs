//! The files of a run folder and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Files that tell times, and so differ.
const TIMED: [&str; 1] = ["run.json"];

/// A process that is killed leaves this file; the lock on it is gone with the process.
const LOCK: &str = ".lock";

/// Content of every file below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, Vec<u8>>);

impl Snapshot {
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let mut found = BTreeMap::new();
        let mut open = vec![folder.to_path_buf()];
        while let Some(next) = open.pop() {
            let entries =
                std::fs::read_dir(&next).with_context(|| format!("cannot list {}", next.display()))?;
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let bytes =
                    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                found.insert(path.strip_prefix(folder).unwrap_or(&path).to_path_buf(), bytes);
            }
        }
        Ok(Self(found))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|bytes| bytes.len() as u64).sum()
    }

    /// Names of files that only one has or whose content differs, but for times.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let files = self.0.keys().chain(other.0.keys());
        let names: BTreeSet<&PathBuf> = files.filter(|name| *name != Path::new(LOCK)).collect();
        let timed = |name: &Path| TIMED.iter().any(|timed| name == Path::new(timed));
        let differs = |name: &&&PathBuf| match (self.0.get(**name), other.0.get(**name)) {
            (Some(a), Some(b)) => a != b && !timed(name),
            _ => true,
        };
        names.iter().filter(differs).map(|name| name.display().to_string()).collect()
    }

    /// Whether every byte is the same, times too.
    pub(crate) fn is_untouched(&self, other: &Self) -> bool {
        self == other
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn other_content_and_further_files_are_found_and_times_and_locks_are_not() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, epoch) in [(&a, "1"), (&b, "2")] {
            std::fs::create_dir(folder.path().join("checkpoint")).unwrap();
            std::fs::write(folder.path().join("checkpoint/manifest.json"), epoch).unwrap();
            std::fs::write(folder.path().join("run.json"), epoch).unwrap();
        }
        std::fs::write(b.path().join(".lock"), "").unwrap();
        std::fs::write(b.path().join("half.tmp"), "7").unwrap();
        let (a, b) = (Snapshot::of(a.path()).unwrap(), Snapshot::of(b.path()).unwrap());
        assert_eq!(a.differences(&b), ["checkpoint/manifest.json", "half.tmp"]);
        assert_eq!((a.bytes(), b.bytes()), (2, 3));
        assert!(a.differences(&a).is_empty() && !a.is_untouched(&b));
    }
}
