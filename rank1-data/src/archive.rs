//! Selected members of a tar archive (xz, gzip or uncompressed) as bytes in memory.
//!
//! Not for unpacking to disk: member names are only compared, never used as paths, so no archive can write anywhere.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use tar::EntryType;

use crate::Error;

/// Largest dictionary an xz stream may ask for, in KiB (the strongest preset asks for 64 MiB).
const XZ_MEMORY_KIB: u32 = 512 * 1024;

/// Largest member that is read into memory.
const MEMBER_BYTES: u64 = 1 << 30;

/// Reads the members for which `wanted` gives a key; later members with the same key replace earlier ones.
///
/// The compression is recognized by the first bytes. The stream is read to its end, so its checksums are verified.
///
/// # Errors
/// [`Error::Io`] if the source cannot be read, [`Error::Compressed`] if it is truncated or corrupt.
pub(crate) fn read_members(
    source: impl Read,
    path: &Path,
    wanted: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut members = BTreeMap::new();
    let key_of = |name: &[u8], kind| {
        if kind == MemberKind::File { wanted(&String::from_utf8_lossy(name)) } else { None }
    };
    for_each_member(source, path, key_of, |key, bytes| {
        members.insert(key, bytes);
        Ok(())
    })?;
    Ok(members)
}

/// What a member of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind {
    File,
    Folder,
    /// A symbolic or hard link, which has no bytes.
    Link,
    /// A device, a pipe or a sparse file.
    Other,
}

/// Hands every member for which `key_of` gives a key to `take`, in the order of the archive; only files have bytes. Names
/// are bytes.
///
/// # Errors
/// As [`read_members`], and the first error of `take`.
pub(crate) fn for_each_member<K>(
    mut source: impl Read,
    path: &Path,
    key_of: impl FnMut(&[u8], MemberKind) -> Option<K>,
    take: impl FnMut(K, Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut start = Vec::new();
    source.by_ref().take(6).read_to_end(&mut start).map_err(Error::io(path))?;
    let format = match start.as_slice() {
        [0xfd, b'7', b'z', b'X', b'Z', 0] => "xz",
        [0x1f, 0x8b, ..] => "gzip",
        _ => "tar",
    };
    let whole = BufReader::new(io::Cursor::new(start).chain(source));
    let read = match format {
        "xz" => untar(XzReader::new_mem_limit(whole, true, XZ_MEMORY_KIB), key_of, take),
        "gzip" => untar(MultiGzDecoder::new(whole), key_of, take),
        _ => untar(whole, key_of, take),
    };
    read.map_err(|source| Error::Compressed { path: path.into(), format, source })?
}

/// The outer result is the stream's, the inner one the receiver's.
fn untar<K>(
    mut stream: impl Read,
    mut key_of: impl FnMut(&[u8], MemberKind) -> Option<K>,
    mut take: impl FnMut(K, Vec<u8>) -> Result<(), Error>,
) -> io::Result<Result<(), Error>> {
    for entry in tar::Archive::new(&mut stream).entries()? {
        let mut entry = entry?;
        let Some(kind) = kind_of(entry.header().entry_type()) else { continue };
        let Some(key) = key_of(&entry.path_bytes(), kind) else { continue };
        let mut bytes = Vec::new();
        if kind == MemberKind::File {
            if entry.size() > MEMBER_BYTES {
                let text = format!("a member of {} bytes, at most {MEMBER_BYTES} are read", entry.size());
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
            }
            entry.read_to_end(&mut bytes)?;
            if bytes.len() as u64 != entry.size() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if let Err(error) = take(key, bytes) {
            return Ok(Err(error));
        }
    }
    io::copy(&mut stream, &mut io::sink())?;
    Ok(Ok(()))
}

/// None for what only describes other members.
fn kind_of(kind: EntryType) -> Option<MemberKind> {
    match kind {
        EntryType::Regular => Some(MemberKind::File),
        EntryType::Directory => Some(MemberKind::Folder),
        EntryType::Link | EntryType::Symlink => Some(MemberKind::Link),
        EntryType::XGlobalHeader | EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink => {
            None
        }
        _ => Some(MemberKind::Other),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in [("a/one.txt", "1\n2\n"), ("a/two.bin", "skipped"), ("b/three.txt", "3\n")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn texts(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        read_members(bytes, Path::new("sets.tar"), |name| name.ends_with(".txt").then(|| name.to_owned()))
    }

    #[test]
    fn only_wanted_members_are_kept_plain_or_gzipped() {
        let plain = texts(&archive()).unwrap();
        assert_eq!(plain.keys().collect::<Vec<_>>(), ["a/one.txt", "b/three.txt"]);
        assert_eq!(plain["a/one.txt"], b"1\n2\n");
        assert_eq!(texts(&gzip(&archive())).unwrap(), plain);
    }

    #[test]
    fn truncated_and_corrupt_archives_are_refused() {
        let gz = gzip(&archive());
        for cut in [3, 11, gz.len() / 2, gz.len() - 1] {
            assert!(matches!(texts(&gz[..cut]), Err(Error::Compressed { .. })), "cut at {cut}");
        }
        let mut flipped = gz.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        assert!(matches!(texts(&flipped), Err(Error::Compressed { format: "gzip", .. })));
        assert!(matches!(texts(b"this is no archive at all"), Err(Error::Compressed { format: "tar", .. })));
        assert!(matches!(texts(&archive()[..515]), Err(Error::Compressed { format: "tar", .. })));
    }
}
