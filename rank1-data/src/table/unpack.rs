//! Packed tables: gzip, xz and Zstandard, told by their first bytes.
//!
//! Not for archives of several files; see [`crate::archive`].

use std::io::{self, BufRead, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::error::TableError;
use crate::Error;

/// Largest dictionary or window that a stream may ask for (the strongest ordinary levels ask for 64 and 128 MiB).
const WINDOW: u64 = 128 << 20;

/// What a small file may unpack to.
const LEAST_BOUND: u64 = 256 << 20;

/// Beyond that, how many times its own size a file may unpack to.
const MOST_RATIO: u64 = 1000;

/// The compression that the first bytes tell.
pub(super) fn packing(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some("xz"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        // A frame that decoders skip: some writers begin with one.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some("zstd"),
        _ => None,
    }
}

/// The content of a packed file; files that are not packed pass as they are.
///
/// # Errors
/// [`Error::Compressed`] for truncated and corrupt streams, [`TableError::UnpacksTooLarge`] beyond 256 MiB and a thousand
/// times the packed size.
pub(super) fn unpacked(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>, Error> {
    let bound = LEAST_BOUND.max(MOST_RATIO.saturating_mul(bytes.len() as u64));
    unpacked_within(bytes, path, bound)
}

fn unpacked_within(bytes: Vec<u8>, path: &Path, bound: u64) -> Result<Vec<u8>, Error> {
    let Some(format) = packing(&bytes) else { return Ok(bytes) };
    let mut out = Vec::new();
    let read = unpacking(bytes.as_slice(), format).take(bound + 1).read_to_end(&mut out);
    read.map_err(|source| Error::Compressed { path: path.into(), format, source })?;
    if out.len() as u64 > bound {
        return Err(TableError::UnpacksTooLarge { path: path.into(), format, bound }.into());
    }
    Ok(out)
}

/// The content of packed bytes as a stream; `format` is what [`packing`] tells.
///
/// Reading fails where the bytes are truncated or corrupt. No bound but that of windows: what is not kept needs none.
pub(super) fn unpacking<'a>(packed: impl BufRead + Send + 'a, format: &str) -> Box<dyn Read + Send + 'a> {
    match format {
        "gzip" => Box::new(MultiGzDecoder::new(packed)),
        "xz" => Box::new(XzReader::new_mem_limit(packed, true, (WINDOW >> 10) as u32)),
        _ => Box::new(ZstdFrames::new(packed)),
    }
}

/// All frames of a Zstandard file, one after the other, with their checksums where they have some.
struct ZstdFrames<R> {
    packed: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(packed: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Self { packed, decoder, within: false }
    }

    /// Begins a frame; frames that decoders skip are skipped.
    fn begin(&mut self) -> io::Result<()> {
        match self.decoder.init(&mut self.packed) {
            Ok(()) => self.within = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let length = u64::from(length);
                if io::copy(&mut self.packed.by_ref().take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }

    /// Ends a frame.
    fn end(&mut self) -> io::Result<()> {
        self.within = false;
        let sums = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        match sums {
            (Some(stored), Some(computed)) if stored != computed => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum does not match"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within {
                if self.packed.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.begin()?;
                continue;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let blocks = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.packed, blocks).map_err(io::Error::other)?;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            self.end()?;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed() -> Vec<(&'static str, Vec<u8>)> {
        let text = b"a,y\n1,2\n3,4\n".repeat(50);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&text).unwrap();
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(3)).unwrap();
        xz.write_all(&text).unwrap();
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(text.as_slice(), level);
        vec![("gzip", gzip.finish().unwrap()), ("xz", xz.finish().unwrap()), ("zstd", zstd)]
    }

    #[test]
    fn packed_files_are_told_by_their_first_bytes_and_unpacked() {
        let text = b"a,y\n1,2\n3,4\n".repeat(50);
        for (format, bytes) in packed() {
            assert_eq!(packing(&bytes), Some(format));
            assert_eq!(unpacked(bytes.clone(), Path::new("t.csv")).unwrap(), text, "{format}");
            // Two streams one after the other are one file, as `cat a.gz b.gz` makes it.
            let twice = [bytes.clone(), bytes].concat();
            assert_eq!(unpacked(twice, Path::new("t.csv")).unwrap(), text.repeat(2), "{format}");
        }
        assert_eq!(unpacked(text.clone(), Path::new("t.csv")).unwrap(), text);
    }

    #[test]
    fn a_truncated_file_is_refused_wherever_it_is_cut() {
        for (format, bytes) in packed() {
            for length in 6..bytes.len() {
                let got = unpacked(bytes[..length].to_vec(), Path::new("t.csv"));
                let named = matches!(got, Err(Error::Compressed { format: named, .. }) if named == format);
                assert!(named, "{format} cut to {length} bytes");
            }
        }
    }

    #[test]
    fn a_file_that_unpacks_beyond_the_bound_is_refused() {
        for (format, bytes) in packed() {
            assert_eq!(unpacked_within(bytes.clone(), Path::new("t.csv"), 600).unwrap().len(), 600);
            let got = unpacked_within(bytes, Path::new("t.csv"), 599).unwrap_err();
            let named = matches!(got, Error::Table(TableError::UnpacksTooLarge { bound: 599, .. }));
            assert!(named, "{format}: {got}");
        }
    }
}
