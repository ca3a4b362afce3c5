//! The lock of a run folder: one process writes to it, the next is refused.
//!
//! The system's lock on an open file, which ends with its process however that ends; the file itself means nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Name of the locked file in the run folder.
pub const LOCK_FILE: &str = ".lock";

/// A lock that another process holds for a moment, to look at the folder, is waited for this often.
const TRIES: u32 = 10;

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The process that writes to a run folder, as text that may be empty; `None` if nobody does, or if it cannot be known.
#[must_use]
pub fn holder(run: &Path) -> Option<String> {
    let mut file = File::open(run.join(LOCK_FILE)).ok()?;
    // Held for a moment; who wants to write meanwhile tries again.
    let Err(TryLockError::WouldBlock) = file.try_lock_shared() else { return None };
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    Some(text.trim().to_owned())
}

/// Holds a run folder until it is dropped; the file is then gone.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    file: File,
}

impl RunLock {
    /// Takes the lock of a folder.
    ///
    /// # Errors
    /// A folder that another process holds, with its number, or that cannot be written.
    pub fn acquire(run: &Path) -> Result<Self> {
        let path = run.join(LOCK_FILE);
        let mut holder = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(PAUSE);
            }
            let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file =
                options.with_context(|| format!("cannot write to run folder {}", run.display()))?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    holder.clear();
                    // Who holds it is only told.
                    let _ = file.read_to_string(&mut holder);
                    continue;
                }
                // A file system without locks; two processes on it are not kept apart.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
                Ok(()) => {}
            }
            // The process before may have removed the file between its opening and its locking here.
            if is_still_there(&file, &path) {
                let _ = write_holder(&mut file);
                return Ok(Self { path, file });
            }
        }
        let process = match holder.trim() {
            "" => String::new(),
            number => format!(" ({number})"),
        };
        bail!(
            "{}: another process{process} is writing to this run folder; wait for it or choose another --out",
            run.display()
        )
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // While it is held nobody else can have put a lock of theirs under this name.
        if is_still_there(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_still_there(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

/// The process number, for the message of the process that is refused; a full disk is no reason to stop.
fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_free_again_after_a_drop() {
        let folder = tempfile::tempdir().unwrap();
        let held = RunLock::acquire(folder.path()).unwrap();
        let refused = RunLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("another process ({})", std::process::id())), "{refused}");
        assert_eq!(holder(folder.path()), Some(std::process::id().to_string()));
        drop(held);
        assert_eq!(holder(folder.path()), None);
        assert!(!folder.path().join(LOCK_FILE).exists());
        RunLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_file_that_a_killed_process_left_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOCK_FILE), "4711").unwrap();
        assert_eq!(holder(folder.path()), None);
        drop(RunLock::acquire(folder.path()).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
