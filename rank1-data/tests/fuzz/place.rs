//! A folder in memory, where there is such a file system, in which files are put before they are read.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        Self(TempDir::new_in(memory).or_else(|_| TempDir::new()).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, folders on the way included.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        if fs::write(&path, bytes).is_err() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
        }
        path
    }

    /// Reads with one file replaced, which then is as before.
    pub(crate) fn with<T>(
        &self,
        name: &str,
        bytes: &[u8],
        before: &[u8],
        read: impl FnOnce(&Path) -> T,
    ) -> T {
        let path = self.put(name, bytes);
        let got = read(&path);
        self.put(name, before);
        got
    }
}

/// The name without what the messages of a place begin with, which differs from run to run.
pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
