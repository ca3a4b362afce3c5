//! What the files around pictures say beside pixels: completeness, orientation, and whether there is more than one picture.
//!
//! Not for decoding. Every reader here accepts any bytes.

use image::ImageFormat;
use image::metadata::Orientation;

use super::tiff::Tiff;

/// The name of a format that a file starts as, for messages.
pub(super) fn kind_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [b'G', b'I', b'F', b'8', ..] => "a GIF file",
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', ..] => "an HEIC or HEIF file",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', ..] => "an AVIF file",
        [0xff, 0x0a, ..] => "a JPEG XL file",
        [0, 0, 0, 12, b'j', b'P', ..] => "a JPEG 2000 file",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop file",
        [b'%', b'P', b'D', b'F', ..] => "a PDF file",
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', ..] => "a Git LFS pointer",
        [b'<', ..] => "a text of markup",
        _ => "a file of another kind",
    }
}

/// Number of components of a JPEG frame, and whether the end marker follows the first scan.
pub(super) fn jpeg_frame(bytes: &[u8]) -> Option<(u8, bool)> {
    let (mut at, mut components) = (2, None);
    loop {
        // A segment is 0xff, a marker and, but for a few markers, a length that counts itself. Stray bytes before it are
        // passed over, as decoders do.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
        at += bytes.get(at..)?.windows(2).position(is_marker)?;
        let marker = bytes[at + 1];
        if matches!(marker, 0x01 | 0xd0..=0xd7) {
            at += 2;
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
        match marker {
            // Start of frame: length, precision, height, width, components.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => components = bytes.get(at + 9).copied(),
            // Start of scan.
            0xda => {
                let complete = bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
                return components.map(|components| (components, complete));
            }
            _ => {}
        }
        at += 2 + length;
    }
}

/// A chunk of a PNG file: its kind and data. The walk ends where the file does.
fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let data = after.get(..u32::from_be_bytes(*length) as usize)?;
        rest = after.get(data.len() + 4..).unwrap_or_default();
        Some((*kind, data))
    })
}

/// Whether the file ends as long as it says; where the decoder does not look itself.
pub(super) fn is_complete(format: ImageFormat, bytes: &[u8]) -> bool {
    match format {
        ImageFormat::Png => png_chunks(bytes).any(|(kind, _)| kind == *b"IEND"),
        ImageFormat::WebP => {
            let length = bytes.get(4..8).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
            length.is_some_and(|length| bytes.len() as u64 >= u64::from(length) + 8)
        }
        _ => true,
    }
}

/// Whether the palettes of a PNG file are whole colors; its decoder takes them as they are and would read beyond the last.
pub(super) fn has_whole_palette(format: ImageFormat, bytes: &[u8]) -> bool {
    format != ImageFormat::Png
        || png_chunks(bytes).all(|(kind, data)| kind != *b"PLTE" || data.len().is_multiple_of(3))
}

/// How a picture is to be turned, by its Exif data; a chunk of a PNG file may lie behind the pixels, where decoders do not
/// look.
pub(super) fn orientation(format: ImageFormat, bytes: &[u8], exif: Option<&[u8]>) -> Option<Orientation> {
    let late = || png_chunks(bytes).find(|(kind, _)| kind == b"eXIf").map(|(_, data)| data);
    let exif = exif.or_else(|| if format == ImageFormat::Png { late() } else { None })?;
    // Some writers leave the mark of JPEG segments before it.
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

/// Pixels of the largest picture that the container wraps, by that picture's own header: decoders make room for it before they
/// compare it with what the container says. `None` for formats without such a header.
pub(super) fn wrapped_pixels(format: ImageFormat, bytes: &[u8]) -> Option<u64> {
    match format {
        // A frame header of JPEG, whole or damaged: marker, length, precision of 8 bits, height, width.
        ImageFormat::Tiff if Tiff::new(bytes).wraps_jpeg() => {
            let pixels = |header: &[u8]| match *header {
                [0xff, 0xc0..=0xc2, 0, _, 8, h1, h0, w1, w0] => {
                    Some(u64::from(u16::from_be_bytes([h1, h0])) * u64::from(u16::from_be_bytes([w1, w0])))
                }
                _ => None,
            };
            bytes.windows(9).filter_map(pixels).max()
        }
        ImageFormat::WebP => webp_chunks(bytes).filter_map(webp_frame_pixels).max(),
        _ => None,
    }
}

/// Pixels of the frame of a chunk: lossy ones begin with a tag of three bytes and a start code, lossless ones with a signature.
/// Sides take 14 bits.
fn webp_frame_pixels(chunk: ([u8; 4], &[u8])) -> Option<u64> {
    let side = |bits: u32| u64::from(bits & 0x3fff);
    match (&chunk.0, chunk.1) {
        (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
            let number = |low, high| u32::from(u16::from_le_bytes([low, high]));
            Some(side(number(*w0, *w1)) * side(number(*h0, *h1)))
        }
        (b"VP8L", [0x2f, b0, b1, b2, b3, ..]) => {
            let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
            Some((side(bits) + 1) * (side(bits >> 14) + 1))
        }
        _ => None,
    }
}

/// A chunk of a WebP file: its kind, and what the file holds of its data. Data of odd length are followed by a byte.
fn webp_chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        rest = after.get(length + length % 2..).unwrap_or_default();
        Some((*kind, &after[..length.min(after.len())]))
    })
}

/// What a file holds beside one picture, in words.
pub(super) fn more_pictures(format: ImageFormat, bytes: &[u8]) -> Option<&'static str> {
    let several = match format {
        ImageFormat::Png => {
            png_chunks(bytes).take_while(|(kind, _)| kind != b"IDAT").any(|c| c.0 == *b"acTL")
        }
        // The first chunk, its flags behind eight bytes: bit 1 is animation.
        ImageFormat::WebP => {
            bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        ImageFormat::Tiff => return Tiff::new(bytes).has_pages().then_some("a TIFF file of several pages"),
        _ => false,
    };
    several.then_some("an animated picture")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "container_tests.rs"]
mod tests;
