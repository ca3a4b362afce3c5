//! Pictures, from memory.

use std::path::Path;

use image::ImageFormat;
use rank1_data::image::{Channels, decode_image};

use crate::corpus;
use crate::harness::Reader;
use crate::place::text;

/// What `decode_image` states for a file of a few kilobytes: 64 MiB of pixels, and four times as much beside them.
const MOST: usize = 384 << 20;

pub(crate) fn reader(name: &'static str, format: ImageFormat) -> Reader<'static> {
    Reader {
        name,
        most_bytes: MOST,
        entries: corpus::pictures(format),
        words: &[
            "IHDR",
            "PLTE",
            "tRNS",
            "IDAT",
            "IEND",
            "iCCP",
            "eXIf",
            "acTL",
            "fcTL",
            "iTXt",
            "RIFF",
            "WEBP",
            "VP8 ",
            "VP8L",
            "VP8X",
            "ALPH",
            "ANIM",
            "ANMF",
            "EXIF",
            "ICCP",
            "XMP ",
            "BM",
            "II*\0",
            "MM\0*",
            "\u{1}\u{1}",
            "Exif\0\0",
            "JFIF\0",
            "Adobe\0",
            "ICC_PROFILE\0",
        ],
        mend: (format == ImageFormat::Png).then_some(corpus::mend_png),
        read: Box::new(|input| {
            let picture = decode_image(input.bytes, Path::new("x"), Channels::RgbOrCmyk).map_err(text)?;
            assert_eq!(picture.pixels.len(), picture.height * picture.width * picture.channels);
            Ok(())
        }),
    }
}

#[test]
fn a_palette_of_any_length_is_read_or_refused() {
    for length in 0..=800 {
        let read = decode_image(&corpus::palette_of(length), Path::new("x"), Channels::Rgb);
        // Eight colors are in use, 256 are the most.
        let whole = length % 3 == 0 && (24..=768).contains(&length);
        assert!(read.is_ok() || !whole, "{length}: {read:?}");
        assert!(read.is_err() || length % 3 == 0, "{length}");
    }
}
