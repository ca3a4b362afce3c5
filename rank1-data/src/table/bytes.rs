//! A table's bytes: read in one piece, unpacked, checked to be text, with a digest of the content.
//!
//! Not for what the text says; see [`super::read`].

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::TableError;
use super::unpack::unpacked;
use crate::Error;

/// The byte order mark of UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// How far a file that is no text is looked into for NUL bytes.
const LOOKED_AT: usize = 1024;

/// The first bytes of a Parquet file.
pub(super) const PARQUET: &[u8] = b"PAR1";

/// The first bytes of files that are often taken for tables.
const OTHER_FORMATS: [(&[u8], &str); 9] = [
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (PARQUET, "a Parquet file that was packed; unpack it"),
    (b"BZh", "a bzip2 file"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
];

/// The text of a table, or its Parquet file, and the SHA-256 of it.
pub(super) struct Content {
    /// Without a byte order mark.
    pub(super) bytes: Vec<u8>,
    /// Whether the bytes are those of a Parquet file.
    pub(super) parquet: bool,
    /// Of the unpacked bytes, in hexadecimal digits.
    pub(super) digest: String,
}

impl Content {
    /// Reads a file, which must not change meanwhile.
    pub(super) fn of_file(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let before = file.metadata().map_err(Error::io(path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io(path))?;
        if before.is_file() {
            let after = file.metadata().map_err(Error::io(path))?;
            let now = std::fs::metadata(path).map_err(Error::io(path))?;
            check_unchanged(path, &before, bytes.len() as u64, [&after, &now])?;
        }
        Self::of_bytes(bytes, path)
    }

    /// Reads a stream to its end; `name` stands for it in messages.
    pub(super) fn of_reader(mut reader: impl Read, name: &Path) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(Error::io(name))?;
        Self::of_bytes(bytes, name)
    }

    pub(super) fn of_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self, Error> {
        let parquet = bytes.starts_with(PARQUET);
        let bytes = if parquet { bytes } else { unpacked(bytes, path)? };
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if parquet {
            return Ok(Self { bytes, parquet, digest });
        }
        check_text(&bytes, path)?;
        let bytes = bytes.strip_prefix(MARK).map(<[u8]>::to_vec).unwrap_or(bytes);
        Ok(Self { bytes, parquet, digest })
    }
}

/// Whether the first bytes may be those of a text.
pub(super) fn check_text(start: &[u8], path: &Path) -> Result<(), TableError> {
    let start = start.strip_prefix(MARK).unwrap_or(start);
    match other_format(start) {
        Some(what) => Err(TableError::NotText { path: path.into(), what }),
        None => Ok(()),
    }
}

/// A regular file and how it was when it was opened.
#[derive(Debug)]
pub(super) struct Watched {
    file: File,
    before: Metadata,
    path: PathBuf,
}

impl Watched {
    /// Watches a file; `None` for what is no regular file.
    pub(super) fn of(file: &File, path: &Path) -> Result<Option<Self>, Error> {
        let before = file.metadata().map_err(Error::io(path))?;
        if !before.is_file() {
            return Ok(None);
        }
        let file = file.try_clone().map_err(Error::io(path))?;
        Ok(Some(Self { file, before, path: path.into() }))
    }

    /// Whether the file is as it was, behind the last row.
    pub(super) fn check(&self) -> Result<(), Error> {
        let after = self.file.metadata().map_err(Error::io(&self.path))?;
        let now = std::fs::metadata(&self.path).map_err(Error::io(&self.path))?;
        check_unchanged(&self.path, &self.before, after.len(), [&after, &now])
    }
}

/// A file that grew, shrank or was replaced between its opening and its end.
fn check_unchanged(path: &Path, before: &Metadata, read: u64, later: [&Metadata; 2]) -> Result<(), Error> {
    let same = |later: &Metadata| {
        later.len() == before.len()
            && later.modified().ok() == before.modified().ok()
            && identity(later) == identity(before)
    };
    if read == before.len() && later.into_iter().all(same) {
        return Ok(());
    }
    Err(TableError::Changed { path: path.into(), before: before.len(), read }.into())
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

fn other_format(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, what)) = OTHER_FORMATS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(what);
    }
    bytes.iter().take(LOOKED_AT).any(|&byte| byte == 0).then_some("UTF-16 text or binary data")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "a,y\n1,2\n").unwrap();
        let before = std::fs::metadata(&path).unwrap();
        assert!(check_unchanged(&path, &before, 8, [&before, &before]).is_ok());
        // Bytes were added while the file was read, and after it was read.
        assert!(check_unchanged(&path, &before, 12, [&before, &before]).is_err());
        std::fs::write(&path, "a,y\n1,2\n3,4\n").unwrap();
        let grown = std::fs::metadata(&path).unwrap();
        let got = check_unchanged(&path, &before, 8, [&grown, &grown]).unwrap_err().to_string();
        assert!(got.ends_with("t.csv: changed while it was read (8 bytes at first, 8 read); read it again when it is complete"), "{got}");
        // Replaced by another file of the same length.
        let other = folder.path().join("other");
        std::fs::write(&other, "a,y\n5,6\n").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(check_unchanged(&path, &before, 8, [&before, &std::fs::metadata(&path).unwrap()]).is_err());
    }

    #[test]
    fn the_digest_is_that_of_the_content_whether_packed_or_not() {
        use std::io::Write as _;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(b"a,y\n1,2\n").unwrap();
        let digest = |bytes: Vec<u8>| Content::of_bytes(bytes, Path::new("t.csv")).unwrap().digest;
        assert_eq!(digest(packed.finish().unwrap()), digest(b"a,y\n1,2\n".to_vec()));
        assert_ne!(digest(b"a,y\n1,2\n".to_vec()), digest(b"a,y\n1,3\n".to_vec()));
    }
}
