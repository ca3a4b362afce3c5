//! Downloads of published data sets: only complete and checked files get their final names.
//!
//! Not for reading the files and not for printing progress. A file grows under the name `FILE.part`, which a later call
//! continues; it is renamed after its size and SHA-256 are right. Wrong bytes are removed.

mod address;
mod client;
pub mod error;
mod part;
pub mod source;
mod transfer;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::FetchError;
pub use source::{Source, SourceFile, Withheld, source, sources, withheld};

use part::file_digest;

/// Which proxy is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// The one that `https_proxy`, `http_proxy` or `all_proxy` names, except for the hosts in `no_proxy`.
    #[default]
    Environment,
    /// None.
    Off,
    /// This one: `http://[USER:PASSWORD@]HOST:PORT`. It must allow `CONNECT`, also for `http` addresses.
    Address(String),
}

/// How to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOptions {
    /// The data folder; each set has a subfolder in it.
    pub folder: PathBuf,
    /// Another server: an address that replaces scheme and host of every official one, or an address in which `{file}`
    /// stands for the file name and `{path}` for the path below the data folder.
    pub mirror: Option<String>,
    /// The proxy.
    pub proxy: ProxyChoice,
    /// Further attempts after a failure that may pass; a mebibyte of progress starts the count anew.
    pub retries: u32,
    /// Pause before the first further attempt; it doubles each time, up to a minute.
    pub pause: Duration,
    /// How long nothing may come before an attempt counts as failed.
    pub timeout: Duration,
    /// Whether digests are compared.
    pub verify: bool,
    /// Whether a file that is there but is not the published one is replaced.
    pub replace: bool,
}

impl FetchOptions {
    /// The usual options for a data folder: no mirror, the proxy of the environment, five retries, 30 seconds, digests compared.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            mirror: None,
            proxy: ProxyChoice::default(),
            retries: 5,
            pause: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            verify: true,
            replace: false,
        }
    }
}

/// What the caller hears during a download.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A file is there already and is not downloaded.
    Present {
        /// Path below the data folder.
        file: &'a str,
        /// Its size.
        bytes: u64,
    },
    /// Bytes have come.
    Bytes {
        /// Path below the data folder.
        file: &'a str,
        /// Bytes that are there, earlier calls included.
        done: u64,
        /// Bytes of the whole file, where known.
        total: Option<u64>,
    },
    /// An attempt failed; the next one follows after the pause.
    Retry {
        /// Path below the data folder.
        file: &'a str,
        /// Number of the coming further attempt, from 1.
        attempt: u32,
        /// Further attempts that are allowed.
        retries: u32,
        /// The pause before it.
        pause: Duration,
        /// Why the last one failed.
        reason: &'a FetchError,
    },
}

/// How a file came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was there before.
    Present,
    /// All of it was downloaded.
    Downloaded,
    /// This many bytes were left by an earlier call, the others were downloaded.
    Continued(u64),
}

/// Whether a file is known to be the published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Its SHA-256 is the published one.
    Matches,
    /// There is no published digest to compare with.
    NotPublished,
    /// The caller did not want a comparison.
    NotWanted,
}

/// One file of a [`FetchReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// How it came to be there.
    pub origin: Origin,
    /// Whether it is known to be the published one.
    pub verification: Verification,
    /// The address it came from; `None` if it was there before.
    pub url: Option<String>,
}

/// The files of a set after a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchReport {
    /// The set.
    pub set: String,
    /// Its files, in the order of the table.
    pub files: Vec<FetchedFile>,
}

impl FetchReport {
    /// Whether every file is known to be the published one.
    pub fn is_verified(&self) -> bool {
        self.files.iter().all(|file| file.verification == Verification::Matches)
    }
}

/// Downloads the files of a set that are not there yet.
///
/// `progress` hears of bytes and further attempts; when it breaks, the download stops with [`FetchError::Stopped`] and can be
/// continued by another call.
///
/// # Errors
///
/// [`FetchError`]: an unknown or withheld set, refused settings, a failing server, wrong bytes, or a refusing disk. Files that
/// were complete before the error stay.
pub fn fetch(
    set: &str,
    options: &FetchOptions,
    mut progress: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<FetchReport, FetchError> {
    let source = source(set)?;
    let files = fetch_files(source.files, options, &mut progress)?;
    Ok(FetchReport { set: set.to_owned(), files })
}

/// Downloads files that are not in the table of sets; see [`fetch`].
///
/// # Errors
///
/// As [`fetch`].
pub fn fetch_files(
    files: &[SourceFile<'_>],
    options: &FetchOptions,
    progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<FetchedFile>, FetchError> {
    let targets = files
        .iter()
        .map(|file| Ok((file, address::addresses(file, options.mirror.as_deref())?)))
        .collect::<Result<Vec<_>, FetchError>>()?;
    targets.iter().map(|(file, urls)| fetch_file(file, urls, options, progress)).collect()
}

fn fetch_file(
    file: &SourceFile<'_>,
    urls: &[String],
    options: &FetchOptions,
    progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Result<FetchedFile, FetchError> {
    let path: PathBuf = options.folder.join(file.path.split('/').collect::<PathBuf>());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(FetchError::file("create the folder", folder))?;
    }
    if let Some(present) = present(file, &path, options)? {
        // A stop at this point leaves nothing unfinished; the next file notices it.
        let _ = progress(&Progress::Present { file: file.path, bytes: present.bytes });
        return Ok(present);
    }
    let Some(received) = transfer::download(file, &path, urls, options, progress)? else {
        return present(file, &path, options)?.ok_or(FetchError::Locked { path });
    };
    Ok(FetchedFile {
        path,
        bytes: received.bytes,
        sha256: received.sha256,
        origin: if received.kept > 0 { Origin::Continued(received.kept) } else { Origin::Downloaded },
        verification: verification(file, options),
        url: Some(received.url),
    })
}

/// The file that is there, if it is the published one as far as can be told.
fn present(
    file: &SourceFile<'_>,
    path: &Path,
    options: &FetchOptions,
) -> Result<Option<FetchedFile>, FetchError> {
    if !path.exists() {
        return Ok(None);
    }
    let (bytes, sha256) = file_digest(path)?;
    let difference = match (file.bytes, file.sha256.filter(|_| options.verify)) {
        (Some(expected), _) if expected != bytes => {
            Some((format!("{expected} bytes"), format!("{bytes} bytes")))
        }
        (_, Some(expected)) if expected != sha256 => {
            Some((format!("SHA-256 {expected}"), format!("SHA-256 {sha256}")))
        }
        _ => None,
    };
    match difference {
        None => Ok(Some(FetchedFile {
            path: path.to_path_buf(),
            bytes,
            sha256,
            origin: Origin::Present,
            verification: verification(file, options),
            url: None,
        })),
        Some(_) if options.replace => {
            fs::remove_file(path).map_err(FetchError::file("remove", path))?;
            Ok(None)
        }
        Some((expected, got)) => Err(FetchError::Existing { path: path.to_path_buf(), expected, got }),
    }
}

fn verification(file: &SourceFile<'_>, options: &FetchOptions) -> Verification {
    match file.sha256 {
        None => Verification::NotPublished,
        Some(_) if !options.verify => Verification::NotWanted,
        Some(_) => Verification::Matches,
    }
}
