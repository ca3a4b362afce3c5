//! What goes wrong while a data set is downloaded; every message names the file or address, what was expected and what came.
//!
//! Not for the content of the files; that is read and refused by the readers.

use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

use crate::error::hint_text;

/// A download that did not happen, or whose bytes were refused.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum FetchError {
    /// No set of this name is in the table of downloads.
    #[error("no download is known for `{name}`{}; known: {}", hint_text(hint), known.join(", "))]
    UnknownSource {
        /// The name that came.
        name: String,
        /// The nearest known name.
        hint: Option<String>,
        /// All names of the table.
        known: Vec<&'static str>,
    },
    /// The owners of the set do not allow that a program downloads it.
    #[error("`{set}` cannot be downloaded by this program: {reason}; apply at {apply_at}")]
    Withheld {
        /// The set.
        set: &'static str,
        /// Why it is withheld.
        reason: &'static str,
        /// Where a person applies for access.
        apply_at: &'static str,
    },
    /// A mirror or proxy is not written in an accepted form.
    #[error("{option} `{value}`: expected {expected}")]
    Setting {
        /// The option.
        option: &'static str,
        /// The value that came, without any password.
        value: String,
        /// The accepted forms.
        expected: &'static str,
    },
    /// The system refused to create, read, write or rename a file of the data folder.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The disk is full; what has come is kept and a later call continues with it.
    #[error(
        "the disk is full: {} has {done} bytes of {}; make room and run again, the download continues there",
        path.display(), amount(*total)
    )]
    DiskFull {
        /// The unfinished file.
        path: PathBuf,
        /// Bytes written.
        done: u64,
        /// Bytes of the whole file, if known.
        total: Option<u64>,
    },
    /// Another process is downloading the same file.
    #[error("{} is being written by another process", path.display())]
    Locked {
        /// The unfinished file.
        path: PathBuf,
    },
    /// A file of that name is there and is another file.
    #[error(
        "{} exists but is not the published file: expected {expected}, got {got}; move it away or ask for replacement",
        path.display()
    )]
    Existing {
        /// The file.
        path: PathBuf,
        /// Published size or digest.
        expected: String,
        /// Size or digest of the file.
        got: String,
    },
    /// No connection, or it broke before an answer came.
    #[error("{url}: {reason}")]
    Connection {
        /// The address.
        url: String,
        /// The reason in words.
        reason: String,
        /// Whether trying again may help.
        passing: bool,
    },
    /// The server sent nothing for the length of the read timeout.
    #[error("{url}: nothing came for {seconds} s, after {done} bytes")]
    Stalled {
        /// The address.
        url: String,
        /// The read timeout.
        seconds: f64,
        /// Bytes that had come, earlier attempts included.
        done: u64,
    },
    /// The server refused.
    #[error("{url}: HTTP status {status}")]
    Status {
        /// The address.
        url: String,
        /// The status code.
        status: u16,
        /// Seconds after which the server wants to be asked again.
        retry_after: Option<u64>,
    },
    /// The connection ended before the file was complete.
    #[error("{url}: the connection ended after {got} of {expected} bytes")]
    Truncated {
        /// The address.
        url: String,
        /// Bytes of the whole file.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The server offers a file of another size than the published one.
    #[error("{url}: {got} bytes offered, the published file has {expected}; this is another file")]
    Length {
        /// The address.
        url: String,
        /// The published size.
        expected: u64,
        /// The size that is offered.
        got: u64,
    },
    /// A range that was asked for came back as another range.
    #[error("{url}: asked for the bytes from {expected} on, got `{got}`")]
    Range {
        /// The address.
        url: String,
        /// The first byte that was asked for.
        expected: u64,
        /// The `Content-Range` header that came.
        got: String,
    },
    /// The bytes are not the published ones; they were removed.
    #[error("{url}: wrong bytes, not kept: expected SHA-256 {expected}, got {got}")]
    Digest {
        /// The address.
        url: String,
        /// The published digest.
        expected: String,
        /// The digest of what came.
        got: String,
    },
    /// The caller stopped the download; what has come is kept.
    #[error("stopped: {} keeps {done} bytes", path.display())]
    Stopped {
        /// The unfinished file.
        path: PathBuf,
        /// Bytes written.
        done: u64,
    },
    /// Every attempt failed; the last reason is given.
    #[error("{last} (gave up after {attempts} attempts)")]
    GaveUp {
        /// Attempts at this address without progress.
        attempts: u32,
        /// The last error.
        #[source]
        last: Box<FetchError>,
    },
}

impl FetchError {
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }

    /// Whether the same request may succeed a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Connection { passing, .. } => *passing,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Stalled { .. } | Self::Truncated { .. } | Self::Range { .. } => true,
            _ => false,
        }
    }

    /// Whether another address of the same file may do better.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Connection { .. }
                | Self::Stalled { .. }
                | Self::Status { .. }
                | Self::Truncated { .. }
                | Self::Length { .. }
                | Self::Range { .. }
                | Self::Digest { .. }
                | Self::GaveUp { .. }
        )
    }
}

fn amount(total: Option<u64>) -> String {
    total.map_or_else(|| "an unknown number".to_owned(), |total| total.to_string())
}
