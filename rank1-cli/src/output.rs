//! Where a result goes: standard output, a pipe or device, or a file that is replaced in one piece.
//!
//! Not for the files of a run folder; see [`crate::run_folder`].

mod stream;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rank1_models::Error as ModelError;
use rank1_models::checkpoint::write_synced;

pub use stream::OutputStream;

/// The word that stands for standard input or output.
pub const DASH: &str = "-";

/// Links that are followed before a chain of them counts as a loop.
const MOST_LINKS: usize = 40;

/// Files of a run folder, beside its checkpoint, that no output may replace.
const RUN_FILES: [&str; 7] = [
    "recipe.toml",
    "start.json",
    "run.json",
    "metrics.csv",
    "evaluation.json",
    "calibration.json",
    "reference.json",
];

/// A place to write to, as it was typed and as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    typed: PathBuf,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Stdout,
    /// A pipe, a device, or a file that another process has open: written to as it is.
    Through(PathBuf),
    /// A file at the end of all links, there or not.
    File(PathBuf),
}

impl Output {
    /// Looks at a path before anything is computed.
    ///
    /// # Errors
    /// A folder, a file in a folder that is not there, links in a circle.
    pub fn at(typed: &Path) -> Result<Self> {
        let place = Place::of(typed).with_context(|| format!("cannot write {}", typed.display()))?;
        Ok(Self { typed: typed.into(), place })
    }

    /// Refuses to write over a file that is read, under whatever name.
    ///
    /// # Errors
    /// The same file, also through links.
    pub fn differs_from(&self, input: &Path) -> Result<()> {
        let Place::File(path) = &self.place else { return Ok(()) };
        let (Ok(there), Ok(read)) = (fs::metadata(path), fs::metadata(input)) else { return Ok(()) };
        if there.is_file() && same_file(&there, &read) {
            bail!(
                "cannot write {}: it is the input {}; choose another --output",
                self.typed.display(),
                input.display()
            );
        }
        Ok(())
    }

    /// Refuses to write over a file that makes up a run.
    ///
    /// # Errors
    /// A file of the checkpoint, or one of the run's own documents.
    pub fn spares(&self, run: &Path) -> Result<()> {
        let Place::File(path) = &self.place else { return Ok(()) };
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (Ok(folder), Ok(run)) = (fs::canonicalize(folder), fs::canonicalize(run)) else { return Ok(()) };
        let named = path.file_name().is_some_and(|name| RUN_FILES.iter().any(|own| name == *own));
        if folder.starts_with(run.join("checkpoint")) || (folder == run && named) {
            bail!("cannot write {}: it is a part of the run; choose another --output", self.typed.display());
        }
        Ok(())
    }

    /// Begins to write piece by piece; a file has its name only when the stream is committed.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn begin(&self) -> Result<OutputStream> {
        OutputStream::to(&self.place).with_context(|| self.cannot_write())
    }

    /// What an error of writing begins with.
    #[must_use]
    pub fn cannot_write(&self) -> String {
        format!("cannot write {}", self.typed.display())
    }

    /// Whether it is standard output, and that is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.place == Place::Stdout && io::stdout().is_terminal()
    }

    /// Writes everything: a file at once under its name, what is no file as it comes.
    ///
    /// A reader that goes away has seen enough, which is no error.
    ///
    /// # Errors
    /// A place that takes no more; a file keeps what it held before.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let written = match &self.place {
            Place::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Place::Through(path) => {
                OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(bytes))
            }
            Place::File(path) => replace(path, bytes),
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.with_context(|| format!("cannot write {}", self.typed.display())),
        }
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Stdout => f.write_str("standard output"),
            _ => write!(f, "{}", self.typed.display()),
        }
    }
}

impl Place {
    fn of(typed: &Path) -> io::Result<Self> {
        if typed.as_os_str() == DASH {
            return Ok(Self::Stdout);
        }
        let (path, open) = end_of_links(typed)?;
        match fs::metadata(&path) {
            Ok(there) if is_stdout(&there) => Ok(Self::Stdout),
            Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(there) if open || !there.is_file() => Ok(Self::Through(path)),
            Ok(_) => Ok(Self::File(path)),
            Err(error) if error.kind() == ErrorKind::NotFound && path.file_name().is_some() => {
                let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                match folder.map(fs::metadata) {
                    Some(Err(error)) => Err(error),
                    Some(Ok(there)) if !there.is_dir() => Err(ErrorKind::NotADirectory.into()),
                    _ => Ok(Self::File(path)),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// The path behind all links, which need not exist, and whether it is an open file of a process (`/proc/self/fd/1`), which is
/// written to and not replaced.
fn end_of_links(typed: &Path) -> io::Result<(PathBuf, bool)> {
    let mut path = typed.to_path_buf();
    for _ in 0..MOST_LINKS {
        if !fs::symlink_metadata(&path).is_ok_and(|there| there.is_symlink()) {
            return Ok((path, false));
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let real = fs::canonicalize(folder)?;
        if real.starts_with("/proc") && real.ends_with("fd") {
            return Ok((path, true));
        }
        path = folder.join(fs::read_link(&path)?);
    }
    Err(io::Error::other("too many links"))
}

fn same_file(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Whether a file is what standard output leads to, so that what was printed before it stays.
fn is_stdout(there: &Metadata) -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    stdout.is_ok_and(|stdout| same_file(&stdout, there))
}

/// A regular file as a whole; its permissions stay. Where the folder allows no other file in its place (a single mounted file, a
/// folder of someone else), its content is replaced.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let before = fs::metadata(path).ok().map(|there| there.permissions());
    match (write_synced(path, bytes).map_err(cause), before) {
        (Ok(()), Some(permissions)) => fs::set_permissions(path, permissions),
        (Err(error), Some(_)) if may_be_mounted(error.kind()) => fs::write(path, bytes),
        (written, _) => written,
    }
}

fn may_be_mounted(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ResourceBusy | ErrorKind::CrossesDevices)
}

fn cause(error: ModelError) -> io::Error {
    match error {
        ModelError::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}
