//! An output that is written piece by piece: a file gets its name when all of it is there.
//!
//! Not for results that are in memory; see [`Output::write`](super::Output::write).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Place, may_be_mounted};

/// The ending of a file that is not complete.
const UNFINISHED: &str = ".tmp";

/// Takes bytes; what was not committed leaves a file as it was.
///
/// A reader that goes away has seen enough: what comes later is taken and dropped.
#[derive(Debug)]
pub struct OutputStream {
    sink: Sink,
    closed: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Sink {
    Stdout(io::Stdout),
    Through(File),
    /// A new file beside the one that it will replace.
    Beside(Unfinished),
    /// A file without a name, where the folder allows no other file in the place of this one.
    Apart(File, PathBuf),
}

/// A file that is removed unless it gets its final name.
#[derive(Debug)]
struct Unfinished {
    file: File,
    path: PathBuf,
    final_path: PathBuf,
    named: bool,
}

impl OutputStream {
    pub(super) fn to(place: &Place) -> io::Result<Self> {
        let sink = match place {
            Place::Stdout => Sink::Stdout(io::stdout()),
            Place::Through(path) => Sink::Through(OpenOptions::new().append(true).open(path)?),
            Place::File(path) => match Unfinished::beside(path) {
                Ok(unfinished) => Sink::Beside(unfinished),
                Err(error) if may_be_mounted(error.kind()) && path.exists() => {
                    // Told now, not when everything is computed.
                    OpenOptions::new().append(true).open(path)?;
                    Sink::Apart(tempfile::tempfile()?, path.clone())
                }
                Err(error) => return Err(error),
            },
        };
        Ok(Self { sink, closed: Arc::default() })
    }

    /// Becomes true when the reader has gone away.
    #[must_use]
    pub fn closed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closed)
    }

    /// Gives a file its name, on disk.
    ///
    /// # Errors
    /// A place that takes no more.
    pub fn commit(mut self) -> io::Result<()> {
        self.flush()?;
        match self.sink {
            Sink::Stdout(_) | Sink::Through(_) => Ok(()),
            Sink::Beside(unfinished) => unfinished.finish(),
            Sink::Apart(mut file, path) => {
                file.rewind()?;
                let mut there = OpenOptions::new().write(true).truncate(true).open(path)?;
                io::copy(&mut file, &mut there)?;
                there.sync_all()
            }
        }
    }

    fn passed<T>(&self, done: io::Result<T>, instead: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(instead)
            }
            done => done,
        }
    }
}

impl Write for OutputStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed.load(Ordering::Relaxed) {
            return Ok(bytes.len());
        }
        let written = match &mut self.sink {
            Sink::Stdout(out) => out.write(bytes),
            Sink::Through(file) | Sink::Apart(file, _) => file.write(bytes),
            Sink::Beside(unfinished) => unfinished.file.write(bytes),
        };
        self.passed(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let flushed = match &mut self.sink {
            Sink::Stdout(out) => out.flush(),
            Sink::Through(file) | Sink::Apart(file, _) => file.flush(),
            Sink::Beside(unfinished) => unfinished.file.flush(),
        };
        self.passed(flushed, ())
    }
}

impl Unfinished {
    fn beside(final_path: &Path) -> io::Result<Self> {
        let mut name = final_path.file_name().unwrap_or_default().to_os_string();
        name.push(UNFINISHED);
        let path = final_path.with_file_name(name);
        let file = File::create(&path)?;
        Ok(Self { file, path, final_path: final_path.into(), named: false })
    }

    fn finish(mut self) -> io::Result<()> {
        let before = fs::metadata(&self.final_path).ok().map(|there| there.permissions());
        self.file.sync_all()?;
        match (fs::rename(&self.path, &self.final_path), before) {
            (Ok(()), before) => {
                self.named = true;
                if let Some(permissions) = before {
                    fs::set_permissions(&self.final_path, permissions)?;
                }
                // The new name itself must reach the disk too.
                let folder = self.final_path.parent().filter(|folder| !folder.as_os_str().is_empty());
                folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
            }
            (Err(error), Some(_)) if may_be_mounted(error.kind()) => {
                let mut there = OpenOptions::new().write(true).truncate(true).open(&self.final_path)?;
                io::copy(&mut File::open(&self.path)?, &mut there)?;
                there.sync_all()
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.named {
            // Nobody can be told that it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "before").unwrap();
        let place = Place::File(path.clone());
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut stream = OutputStream::to(&place).unwrap();
        stream.write_all(b"half").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("before", 2));
        drop(stream);
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("before", 1));
        let mut stream = OutputStream::to(&place).unwrap();
        stream.write_all(b"whole").unwrap();
        stream.commit().unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("whole", 1));
    }
}
