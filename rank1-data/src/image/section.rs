//! A file, or a part of an uncompressed tar archive, that is read in place.
//!
//! Not for compressed archives, which have no places; see the streaming reader of archives.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::ImageError;
use crate::Error;

/// Bytes of a file from `offset` on, known under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// The file that is opened.
    pub(super) path: PathBuf,
    /// The name in messages.
    pub(super) name: PathBuf,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Section {
    /// A whole file.
    pub(super) fn whole(path: &Path) -> Result<Self, Error> {
        let length = fs::metadata(path).map_err(Error::io(path))?.len();
        Ok(Self { path: path.into(), name: path.into(), offset: 0, length })
    }

    /// `length` bytes from `start` on, both counted within the section.
    pub(super) fn read_range(&self, start: u64, length: usize) -> Result<Vec<u8>, Error> {
        let mut file = File::open(&self.path).map_err(Error::io(&self.path))?;
        file.seek(SeekFrom::Start(self.offset + start)).map_err(Error::io(&self.name))?;
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes).map_err(Error::io(&self.name))?;
        Ok(bytes)
    }

    /// All its bytes.
    pub(super) fn read(&self) -> Result<Vec<u8>, Error> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        self.read_range(0, length)
    }

    /// The files of the tar archive that this section is, in their order.
    ///
    /// # Errors
    /// [`ImageError::CompressedArchive`], [`ImageError::TruncatedTar`], [`Error::Compressed`], [`Error::Io`].
    pub(super) fn tar_members(&self) -> Result<Vec<Self>, Error> {
        let corrupt = |source| Error::Compressed { path: self.name.clone(), format: "tar", source };
        let mut file = File::open(&self.path).map_err(Error::io(&self.path))?;
        file.seek(SeekFrom::Start(self.offset)).map_err(Error::io(&self.name))?;
        let mut start = Vec::new();
        file.by_ref().take(6).read_to_end(&mut start).map_err(Error::io(&self.name))?;
        if matches!(start.as_slice(), [0x1f, 0x8b, ..] | [0xfd, b'7', b'z', b'X', b'Z', 0]) {
            return Err(ImageError::CompressedArchive { path: self.name.clone() }.into());
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(Error::io(&self.name))?;
        let window = Window { file: BufReader::new(file), start: self.offset, length: self.length, at: 0 };
        let mut archive = tar::Archive::new(window);
        let (mut members, mut end) = (Vec::new(), 0);
        for entry in archive.entries_with_seek().map_err(corrupt)? {
            let entry = entry.map_err(corrupt)?;
            let (at, length) = (entry.raw_file_position(), entry.size());
            end = at.saturating_add(length).checked_next_multiple_of(512).unwrap_or(u64::MAX);
            let member = entry.path().map_err(corrupt)?.to_string_lossy().into_owned();
            if end > self.length {
                let problem = format!("`{member}` goes on to byte {end} of {}", self.length);
                return Err(ImageError::TruncatedTar { path: self.name.clone(), problem }.into());
            }
            if entry.header().entry_type().is_file() {
                let name = PathBuf::from(format!("{}:{member}", self.name.display()));
                members.push(Self { path: self.path.clone(), name, offset: self.offset + at, length });
            }
        }
        if end.saturating_add(512) > self.length {
            let problem = "the closing block is missing".to_owned();
            return Err(ImageError::TruncatedTar { path: self.name.clone(), problem }.into());
        }
        Ok(members)
    }

    /// The name within its archive, or the whole name.
    pub(super) fn member_name(&self) -> String {
        let name = self.name.to_string_lossy();
        if self.name == self.path {
            name.into_owned()
        } else {
            name.rsplit(':').next().unwrap_or(&name).to_owned()
        }
    }

    /// The last part of the name.
    pub(super) fn file_name(&self) -> String {
        let name = self.member_name();
        name.rsplit(['/', '\\']).next().unwrap_or(&name).to_owned()
    }
}

/// A part of a file as if it were a file.
struct Window {
    file: BufReader<File>,
    start: u64,
    length: u64,
    at: u64,
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let n = buffer.len().min(left);
        let got = self.file.read(&mut buffer[..n])?;
        self.at += got as u64;
        Ok(got)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(step) => self.at.checked_add_signed(step),
            SeekFrom::End(step) => self.length.checked_add_signed(step),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(self.start.saturating_add(target)))?;
        self.at = target;
        Ok(target)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn members_of_an_archive_within_an_archive_are_read_in_place() {
        let long = format!("{}/b.bin", "x".repeat(150));
        let inner = tar_of(&[("a.bin", &[7; 700]), (&long, b"second")]);
        let outer = tar_of(&[("skip", b"..."), ("inner.tar", &inner)]);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &outer).unwrap();
        let members = Section::whole(file.path()).unwrap().tar_members().unwrap();
        let found = members[1].tar_members().unwrap();
        assert_eq!(found[0].read().unwrap(), [7; 700]);
        assert_eq!(
            (found[1].read().unwrap().as_slice(), found[1].file_name().as_str()),
            (b"second".as_slice(), "b.bin")
        );
        assert_eq!(found[1].member_name(), long);
    }

    #[test]
    fn truncated_and_compressed_archives_are_refused() {
        let whole = tar_of(&[("a", &[1; 600]), ("b", &[2; 600])]);
        let file = tempfile::NamedTempFile::new().unwrap();
        // Within a header, within the data, and at the end of the data.
        for cut in [100, 512 + 1024 + 300, 512 + 100, 2 * (512 + 1024)] {
            fs::write(file.path(), &whole[..cut]).unwrap();
            let got = Section::whole(file.path()).unwrap().tar_members().unwrap_err();
            let known =
                matches!(got, Error::Image(ImageError::TruncatedTar { .. }) | Error::Compressed { .. });
            assert!(known, "cut at {cut}: {got}");
        }
        fs::write(file.path(), [0x1f, 0x8b, 8, 0, 0, 0, 0]).unwrap();
        let got = Section::whole(file.path()).unwrap().tar_members().unwrap_err();
        assert!(matches!(got, Error::Image(ImageError::CompressedArchive { .. })), "{got}");
    }
}
