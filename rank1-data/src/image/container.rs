//! What the files around pictures say beside pixels: completeness, orientation, and whether there is more than one picture.
//!
//! Not for decoding. Every reader here accepts any bytes.

use image::ImageFormat;
use image::metadata::Orientation;

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
        ImageFormat::Tiff => return tiff_pages(bytes).then_some("a TIFF file of several pages"),
        _ => false,
    };
    several.then_some("an animated picture")
}

/// Whether a second picture that is no thumbnail follows the first.
fn tiff_pages(bytes: &[u8]) -> bool {
    let little = bytes.starts_with(b"II");
    let big = matches!(bytes.get(..4), Some([b'I', b'I', 43, 0] | [b'M', b'M', 0, 43]));
    // Sizes in bytes of an offset, a count of entries, and an entry.
    let (offset_size, count_size, entry_size) = if big { (8, 8, 20) } else { (4, 2, 12) };
    let number = |at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if little { field.iter().rev().fold(0, join) } else { field.iter().fold(0, join) })
    };
    let next = |directory: usize| -> Option<usize> {
        let entries = usize::try_from(number(directory, count_size)?).ok()?;
        let at = directory.checked_add(count_size)?.checked_add(entries.checked_mul(entry_size)?)?;
        usize::try_from(number(at, offset_size)?).ok().filter(|&next| next != 0)
    };
    let is_thumbnail = |directory: usize| -> Option<bool> {
        let entries = usize::try_from(number(directory, count_size)?).ok()?.min(bytes.len() / entry_size);
        let kind = (0..entries).map(|i| directory + count_size + i * entry_size).find_map(|at| {
            // `NewSubfileType`, whose bit 0 says that the picture is a smaller copy of another.
            (number(at, 2)? == 254).then(|| number(at + entry_size - offset_size, 4)).flatten()
        });
        Some(kind.is_some_and(|kind| kind & 1 == 1))
    };
    let first = number(if big { 8 } else { 4 }, offset_size).and_then(|at| usize::try_from(at).ok());
    let second = first.and_then(next);
    second.and_then(is_thumbnail).is_some_and(|thumbnail| !thumbnail)
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
