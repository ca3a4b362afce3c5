//! The unfinished file: locked, hashed while it grows, renamed to its final name only when it is complete.
//!
//! Not for connections.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::FetchError;

pub(super) const CHUNK: usize = 64 * 1024;

/// A file under its `.part` name, held by this process alone.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    hasher: Sha256,
    done: u64,
}

impl Part {
    /// Opens and locks the part of `target`, with what an earlier call left; `None` when `target` appeared meanwhile.
    pub(super) fn open(target: &Path) -> Result<Option<Self>, FetchError> {
        const TRIES: usize = 3;
        let path = part_path(target);
        for _ in 0..TRIES {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(FetchError::file("create", &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(FetchError::Locked { path }),
                // Some network file systems have no locks; the digest still protects the result.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(FetchError::file("lock", &path)(error)),
            }
            // Whoever held the lock before may have renamed or removed the file that is open here.
            if target.exists() {
                return Ok(None);
            }
            if path.exists() {
                let mut part = Self { path, file, hasher: Sha256::new(), done: 0 };
                part.hash_existing()?;
                return Ok(Some(part));
            }
        }
        Err(FetchError::Locked { path })
    }

    pub(super) fn done(&self) -> u64 {
        self.done
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets what has come.
    pub(super) fn restart(&mut self) -> Result<(), FetchError> {
        if self.done > 0 {
            self.file.set_len(0).map_err(FetchError::file("empty", &self.path))?;
            self.file.seek(SeekFrom::Start(0)).map_err(FetchError::file("write", &self.path))?;
        }
        self.hasher = Sha256::new();
        self.done = 0;
        Ok(())
    }

    /// Writes the next bytes; `total` is for the message only.
    pub(super) fn append(&mut self, bytes: &[u8], total: Option<u64>) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                FetchError::DiskFull { path: self.path.clone(), done: self.done, total }
            }
            _ => FetchError::File { action: "write", path: self.path.clone(), source },
        })?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// SHA-256 of what has come, in lowercase hexadecimal digits.
    pub(super) fn digest(&self) -> String {
        hexadecimal(self.hasher.clone())
    }

    /// Writes everything through to the disk and gives the file its final name.
    pub(super) fn finish(self, target: &Path) -> Result<(), FetchError> {
        self.file.sync_all().map_err(FetchError::file("write", &self.path))?;
        fs::rename(&self.path, target).map_err(FetchError::file("rename", &self.path))?;
        if let Some(folder) = target.parent() {
            // Not every system can sync a folder; the file itself is safe by now.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    /// Removes the file when it holds nothing worth keeping.
    pub(super) fn close(self) {
        if self.done == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }

    fn hash_existing(&mut self) -> Result<(), FetchError> {
        let (hasher, done) = hash(&mut self.file).map_err(FetchError::file("read", &self.path))?;
        (self.hasher, self.done) = (hasher, done);
        Ok(())
    }
}

/// Size and SHA-256 of a file.
pub(super) fn file_digest(path: &Path) -> Result<(u64, String), FetchError> {
    let mut file = File::open(path).map_err(FetchError::file("read", path))?;
    let (hasher, bytes) = hash(&mut file).map_err(FetchError::file("read", path))?;
    Ok((bytes, hexadecimal(hasher)))
}

fn part_path(target: &Path) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(".part");
    name.into()
}

fn hash(file: &mut File) -> io::Result<(Sha256, u64)> {
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    // A device or pipe under this name is never read.
    if !file.metadata()?.is_file() {
        return Ok((hasher, bytes));
    }
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((hasher, bytes)),
            n => {
                hasher.update(&chunk[..n]);
                bytes += n as u64;
            }
        }
    }
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
