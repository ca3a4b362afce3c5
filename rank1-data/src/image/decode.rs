//! JPEG, PNG, WebP, BMP and TIFF files to bytes as they are shown, complete or not at all.
//!
//! Not for resizing. A truncated JPEG file is refused although decoders would fill the missing part with grey.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::ImageError;
use super::container::{
    has_whole_palette, is_complete, jpeg_frame, kind_of, more_pictures, orientation, wrapped_pixels,
};
use super::names::shown;
use super::picture::{Channels, Picture};

/// Bytes of pixels that any file may have, and how many more for each of its own bytes: no packing does better on photographs,
/// and few do on flat areas.
const SMALL: u64 = 1 << 26;
const PER_BYTE: u64 = 1_100;

/// Most bytes of pixels of a picture.
const MOST: u64 = 640 << 20;

/// Most pixels along a side: what a JPEG file can say.
const LONGEST_SIDE: u32 = 65_535;

/// Decodes a JPEG, PNG, WebP, BMP or TIFF file and turns it as its Exif orientation says; `path` is for messages. The format is
/// recognized by the content, not by the name.
///
/// Height and width are those of the picture as it is shown. At most 640 MiB of pixels are decoded, of a small file at most
/// 64 MiB and 1,100 bytes per byte of the file; decoders need up to four times as much beside them.
///
/// # Errors
/// [`ImageError::BadImage`], also for animations and files of several pages.
pub fn decode_image(bytes: &[u8], path: &Path, channels: Channels) -> Result<Picture, ImageError> {
    let refuse = |problem: String| ImageError::BadImage { path: shown(path), problem };
    let failed = |error: image::ImageError| refuse(error.to_string().replace('\n', " "));
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| refuse(e.to_string()))?;
    let format = match reader.format() {
        Some(
            format @ (ImageFormat::Jpeg
            | ImageFormat::Png
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Tiff),
        ) => format,
        _ => return Err(refuse(format!("{}, expected JPEG, PNG, WebP, BMP or TIFF", kind_of(bytes)))),
    };
    if format == ImageFormat::Jpeg {
        let (components, complete) =
            jpeg_frame(bytes).ok_or_else(|| refuse("the header of JPEG is incomplete or corrupt".into()))?;
        if components == 4 && channels != Channels::RgbOrCmyk {
            return Err(refuse("a JPEG file of four components (CMYK), expected grey or color".into()));
        }
        if !complete {
            return Err(refuse("truncated: the end marker of JPEG is missing".into()));
        }
    }
    if !is_complete(format, bytes) {
        return Err(refuse("truncated: the file ends before its picture".into()));
    }
    if !has_whole_palette(format, bytes) {
        return Err(refuse("the palette of PNG is corrupt: its last color is not whole".into()));
    }
    if let Some(kind) = more_pictures(format, bytes) {
        return Err(refuse(format!("{kind}, expected a single picture")));
    }
    let most = MOST.min(SMALL + PER_BYTE * bytes.len() as u64);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST_SIDE), Some(LONGEST_SIDE));
    // Decoders count their own copies too.
    limits.max_alloc = Some(2 * most);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    if decoder.total_bytes() > most {
        let ((width, height), length) = (decoder.dimensions(), bytes.len());
        let size = format!("{height} x {width} pixels (height x width)");
        return Err(refuse(format!("{size} in a file of {length} bytes, more than {most} bytes of pixels")));
    }
    if let Some(pixels) = wrapped_pixels(format, bytes)
        && 3 * pixels > most
    {
        return Err(refuse(format!(
            "a picture of {pixels} pixels within, in a file of {} bytes",
            bytes.len()
        )));
    }
    if decoder.original_color_type() == ExtendedColorType::Cmyk8 && channels != Channels::RgbOrCmyk {
        return Err(refuse("a picture of four inks (CMYK), expected grey or color".into()));
    }
    let turn = match format {
        ImageFormat::Tiff => decoder.orientation().ok(),
        // Damaged Exif data are no reason to refuse good pixels.
        _ => orientation(format, bytes, decoder.exif_metadata().ok().flatten().as_deref()),
    };
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    decoded.apply_orientation(turn.unwrap_or(Orientation::NoTransforms));
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let color = decoded.color();
    let pixels = match (channels, decoded) {
        (Channels::Grey, DynamicImage::ImageLuma8(grey)) => Some(grey.into_raw()),
        (Channels::Grey, _) => None,
        (_, decoded @ (DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_))) => {
            Some(decoded.into_rgb8().into_raw())
        }
        (_, decoded @ (DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_))) => {
            let rgba = decoded.into_rgba8().into_raw();
            let opaque = rgba.chunks_exact(4).all(|pixel| pixel[3] == 255);
            opaque.then(|| rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
        }
        _ => None,
    };
    let pixels =
        pixels.ok_or_else(|| refuse(format!("{}, expected {}", describe(color), wanted(channels))))?;
    Ok(Picture { pixels, height, width, channels: channels.count() })
}

fn describe(color: ColorType) -> &'static str {
    match color {
        ColorType::L8 => "a grey image",
        ColorType::Rgb8 => "a color image",
        ColorType::La8 | ColorType::Rgba8 => "an image with transparent pixels",
        ColorType::Rgb32F | ColorType::Rgba32F => "an image of floating-point numbers",
        _ => "an image of 16 bits per channel",
    }
}

fn wanted(channels: Channels) -> &'static str {
    match channels {
        Channels::Grey => "a grey image of 8 bits",
        _ => "an opaque grey or color image of 8 bits per channel",
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
pub(super) mod tests;
