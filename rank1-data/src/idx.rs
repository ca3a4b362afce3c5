//! The IDX format of MNIST and its relatives: big-endian header, unsigned bytes, plain or gzipped.
//!
//! Not for other element types of the format (the image sets in use have none) and not for writing.
//!
//! Whether a file is gzipped is decided by its first two bytes, not by its name. A gzipped file is read to its end, so
//! that its checksum is verified even when the announced data are already complete.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::Error;

/// An array of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxArray {
    /// Axis lengths, slowest first.
    pub shape: Vec<usize>,
    /// The elements, last axis fastest.
    pub data: Vec<u8>,
}

/// Reads an IDX file with `axes` axes (3 for images, 1 for labels).
///
/// # Errors
/// [`Error::Io`], [`Error::Compressed`] for truncated or corrupt gzip data (its checksum included), [`Error::IdxMagic`],
/// [`Error::IdxType`], [`Error::IdxAxes`], [`Error::IdxSizes`], [`Error::IdxTruncated`], [`Error::IdxTrailing`].
pub fn read_idx(path: &Path, axes: u8) -> Result<IdxArray, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    read_idx_from(BufReader::new(file), path, axes)
}

/// As [`read_idx`], from any byte source; `path` is only used to name the source in errors.
///
/// # Errors
/// As [`read_idx`].
pub fn read_idx_from(mut source: impl Read, path: &Path, axes: u8) -> Result<IdxArray, Error> {
    let mut start = Vec::new();
    source.by_ref().take(2).read_to_end(&mut start).map_err(Error::io(path))?;
    let gzipped = start == [0x1f, 0x8b];
    let whole = io::Cursor::new(start).chain(source);
    if gzipped {
        parse(MultiGzDecoder::new(whole), path, axes, |source| Error::Compressed {
            path: path.into(),
            format: "gzip",
            source,
        })
    } else {
        parse(whole, path, axes, |source| Error::Io { path: path.into(), source })
    }
}

fn parse(
    mut source: impl Read,
    path: &Path,
    axes: u8,
    failed: impl Fn(io::Error) -> Error + Copy,
) -> Result<IdxArray, Error> {
    let header_len = 4 + 4 * u64::from(axes);
    let mut magic = Vec::new();
    source.by_ref().take(4).read_to_end(&mut magic).map_err(failed)?;
    let &[zero_a, zero_b, element, n_axes] = magic.as_slice() else {
        return Err(Error::IdxTruncated { path: path.into(), expected: header_len, got: magic.len() as u64 });
    };
    if (zero_a, zero_b) != (0, 0) {
        let got = [zero_a, zero_b, element, n_axes];
        return Err(Error::IdxMagic { path: path.into(), expected_axes: axes, got });
    }
    if element != 0x08 {
        return Err(Error::IdxType { path: path.into(), got: element });
    }
    if n_axes != axes {
        return Err(Error::IdxAxes { path: path.into(), expected: axes, got: n_axes });
    }

    let mut sizes = Vec::new();
    source.by_ref().take(header_len - 4).read_to_end(&mut sizes).map_err(failed)?;
    if (sizes.len() as u64) < header_len - 4 {
        let got = 4 + sizes.len() as u64;
        return Err(Error::IdxTruncated { path: path.into(), expected: header_len, got });
    }
    let shape: Vec<usize> =
        sizes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let n_elements = shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size))
        .filter(|&n| n > 0 && isize::try_from(n).is_ok())
        .ok_or_else(|| Error::IdxSizes { path: path.into(), sizes: shape.clone() })?;

    // Grows with what really arrives: a lying header cannot ask for memory.
    let mut data = Vec::new();
    source.by_ref().take(n_elements as u64).read_to_end(&mut data).map_err(failed)?;
    let expected = header_len + n_elements as u64;
    if data.len() < n_elements {
        return Err(Error::IdxTruncated { path: path.into(), expected, got: header_len + data.len() as u64 });
    }
    let rest = io::copy(&mut source, &mut io::sink()).map_err(failed)?;
    if rest > 0 {
        return Err(Error::IdxTrailing { path: path.into(), expected, got: expected + rest });
    }
    Ok(IdxArray { shape, data })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// Three images of 5x7 pixels counting upwards.
    fn images() -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 7];
        bytes.extend(0..105_u8);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], axes: u8) -> Result<IdxArray, Error> {
        read_idx_from(bytes, Path::new("images.idx"), axes)
    }

    #[test]
    fn plain_and_gzipped_files_hold_the_same_array() {
        let plain = read(&images(), 3).unwrap();
        assert_eq!((plain.shape.as_slice(), plain.data[104]), ([3, 5, 7].as_slice(), 104));
        assert_eq!(read(&gzip(&images()), 3).unwrap(), plain);
    }

    #[test]
    fn every_truncation_of_a_plain_file_is_an_error_with_the_byte_counts() {
        let bytes = images();
        for cut in 0..bytes.len() {
            match read(&bytes[..cut], 3) {
                Err(Error::IdxTruncated { expected, got, .. }) => {
                    assert_eq!((expected, got), (if cut < 16 { 16 } else { 121 }, cut as u64));
                }
                other => panic!("cut at {cut}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_truncation_of_a_gzipped_file_is_an_error() {
        let bytes = gzip(&images());
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], 3).is_err(), "cut at {cut} was accepted");
        }
        let got = read(&bytes[..bytes.len() - 3], 3).unwrap_err();
        assert!(matches!(got, Error::Compressed { format: "gzip", .. }), "{got}");
    }

    #[test]
    fn a_flipped_bit_in_a_gzipped_file_never_changes_what_is_read() {
        let bytes = gzip(&images());
        let expected = read(&images(), 3).unwrap();
        // The ten-byte gzip header has fields without effect on the content, and a deflate block may be padded.
        let mut accepted = 0;
        for bit in 80..8 * bytes.len() {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(array) = read(&bad, 3) {
                assert_eq!(array, expected, "flip of bit {bit} changed the array");
                accepted += 1;
            }
        }
        assert!(accepted < 8, "{accepted} flips had no effect");
        for position in bytes.len() - 8..bytes.len() - 4 {
            let mut bad = bytes.clone();
            bad[position] ^= 0x10;
            let got = read(&bad, 3);
            assert!(matches!(got, Err(Error::Compressed { format: "gzip", .. })), "checksum byte {position}");
        }
    }

    #[test]
    fn trailing_bytes_are_counted() {
        let mut bytes = images();
        bytes.extend([1, 2, 3]);
        for form in [bytes.clone(), gzip(&bytes)] {
            let got = read(&form, 3);
            assert!(matches!(got, Err(Error::IdxTrailing { expected: 121, got: 124, .. })), "{got:?}");
        }
    }

    #[test]
    fn magic_type_axes_and_sizes_are_checked() {
        let changed = |position: usize, byte: u8| {
            let mut bytes = images();
            bytes[position] = byte;
            read(&bytes, 3).unwrap_err()
        };
        assert!(matches!(changed(0, 1), Error::IdxMagic { got: [1, 0, 8, 3], .. }));
        assert!(matches!(changed(2, 0x0d), Error::IdxType { got: 0x0d, .. }));
        assert!(matches!(changed(3, 1), Error::IdxAxes { expected: 3, got: 1, .. }));
        assert!(matches!(changed(7, 0), Error::IdxSizes { .. }));
        let huge = [&[0, 0, 8, 3][..], &[0xff; 12]].concat();
        assert!(matches!(read(&huge, 3), Err(Error::IdxSizes { .. })));
        let message = changed(0, 1).to_string();
        assert_eq!(
            message,
            "images.idx: not an IDX file: magic bytes [01, 00, 08, 03], expected [00, 00, 08, 03]"
        );
    }
}
