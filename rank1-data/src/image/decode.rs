//! JPEG and PNG files to bytes, complete or not at all.
//!
//! Not for resizing. A truncated JPEG file is refused although decoders would fill the missing part with grey.

use std::io::Cursor;
use std::path::Path;

use image::{ColorType, DynamicImage, ImageFormat, ImageReader};

use super::ImageError;

/// What becomes of the channels of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Channels {
    /// Three channels. Grey images are repeated, palettes resolved, an alpha channel dropped where everything is
    /// opaque. Transparent images, 16-bit channels and four-component (CMYK) JPEG files are refused.
    #[default]
    Rgb,
    /// As `Rgb`, and four-component JPEG files by the decoder's conversion; ImageNet's training set has some.
    RgbOrCmyk,
    /// One channel; only grey images are accepted.
    Grey,
}

impl Channels {
    /// Number of channels of a decoded image.
    pub fn count(self) -> usize {
        if self == Self::Grey { 1 } else { 3 }
    }
}

/// One decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Bytes, `[height, width, channels]`.
    pub pixels: Vec<u8>,
    /// Rows.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
}

/// Whether a file name ends as those of images do (`jpg`, `jpeg`, `png`, in any case).
pub(super) fn has_image_extension(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Decodes a JPEG or PNG file; `path` is for messages. The format is recognized by the content, not by the name.
///
/// # Errors
/// [`ImageError::BadImage`].
pub fn decode_image(bytes: &[u8], path: &Path, channels: Channels) -> Result<Picture, ImageError> {
    let refuse = |problem: String| ImageError::BadImage { path: path.into(), problem };
    let reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| refuse(e.to_string()))?;
    match reader.format() {
        Some(ImageFormat::Jpeg) => {
            let (components, complete) = jpeg_frame(bytes)
                .ok_or_else(|| refuse("the header of JPEG is incomplete or corrupt".into()))?;
            if components == 4 && channels != Channels::RgbOrCmyk {
                return Err(refuse("a JPEG file of four components (CMYK), expected grey or color".into()));
            }
            if !complete {
                return Err(refuse("truncated: the end marker of JPEG is missing".into()));
            }
        }
        Some(ImageFormat::Png) => {}
        _ => return Err(refuse("neither a JPEG nor a PNG file".into())),
    }
    let decoded = reader.decode().map_err(|error| refuse(error.to_string().replace('\n', " ")))?;
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
        _ => "an image of 16 bits per channel",
    }
}

fn wanted(channels: Channels) -> &'static str {
    match channels {
        Channels::Grey => "a grey image of 8 bits",
        _ => "an opaque grey or color image of 8 bits per channel",
    }
}

/// Number of components of a JPEG frame, and whether the end marker follows the first scan.
fn jpeg_frame(bytes: &[u8]) -> Option<(u8, bool)> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};

    use super::*;

    pub(crate) fn jpeg(pixels: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 100).write_image(pixels, width, height, color).unwrap();
        bytes
    }

    pub(crate) fn png(pixels: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(pixels, width, height, color).unwrap();
        bytes
    }

    /// A smooth color image, 4 x 5 pixels by default of the callers.
    pub(crate) fn gradient(width: u32, height: u32, shade: u8) -> Vec<u8> {
        (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [shade, (x * 9) as u8, (y * 11) as u8]))
            .collect()
    }

    /// A JPEG file whose frame header says four components.
    pub(crate) fn cmyk() -> Vec<u8> {
        let mut bytes = jpeg(&gradient(8, 8, 50), 8, 8, ExtendedColorType::Rgb8);
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        bytes[frame + 9] = 4;
        bytes
    }

    /// A real file of 3 x 2 equal pixels, cyan 200, magenta 20, yellow 60, black 40 of 255.
    const REAL_CMYK: &str = "ffd8ffee000e41646f626500640000000000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17\
        202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc000140800020003\
        044311004d11005911004b1100ffc4001500010100000000000000000000000000000607ffc400141001000000000000\
        00000000000000000000ffda000e0443004d0059004b00003f0024a1149b3fffd9";

    #[test]
    fn four_components_are_converted_on_demand_only() {
        let digits = REAL_CMYK.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
        assert!(problem(&bytes, Channels::Rgb).contains("CMYK"));
        let picture = decode_image(&bytes, Path::new("x"), Channels::RgbOrCmyk).unwrap();
        assert_eq!((picture.height, picture.width, picture.channels), (2, 3, 3));
        // Ink on white: (255 - ink) (255 - black) / 255.
        for pixel in picture.pixels.chunks(3) {
            let expected = [46_u8, 198, 164];
            assert!(pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 6), "{pixel:?}");
        }
    }

    fn problem(bytes: &[u8], channels: Channels) -> String {
        match decode_image(bytes, Path::new("cat.jpg"), channels) {
            Err(ImageError::BadImage { problem, .. }) => problem,
            other => panic!("expected a refused image, got {other:?}"),
        }
    }

    #[test]
    fn color_grey_and_opaque_files_become_three_channels() {
        let rgb = gradient(4, 5, 77);
        let picture =
            decode_image(&png(&rgb, 4, 5, ExtendedColorType::Rgb8), Path::new("x"), Channels::Rgb).unwrap();
        assert_eq!((picture.height, picture.width, picture.channels, &picture.pixels), (5, 4, 3, &rgb));
        let file = jpeg(&[90; 15], 3, 5, ExtendedColorType::L8);
        let picture = decode_image(&file, Path::new("x"), Channels::Rgb).unwrap();
        assert_eq!(picture.pixels, [90; 45]);
        assert_eq!(decode_image(&file, Path::new("x"), Channels::Grey).unwrap().pixels, [90; 15]);
        let opaque = png(&[1, 2, 3, 255, 4, 5, 6, 255], 2, 1, ExtendedColorType::Rgba8);
        assert_eq!(decode_image(&opaque, Path::new("x"), Channels::Rgb).unwrap().pixels, [1, 2, 3, 4, 5, 6]);
        let decoded =
            decode_image(&jpeg(&rgb, 4, 5, ExtendedColorType::Rgb8), Path::new("x"), Channels::Rgb).unwrap();
        let worst = decoded.pixels.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst < Some(30), "{worst:?}");
    }

    #[test]
    fn what_cannot_be_converted_is_refused_in_words() {
        let transparent = png(&[1, 2, 3, 255, 4, 5, 6, 254], 2, 1, ExtendedColorType::Rgba8);
        assert!(problem(&transparent, Channels::Rgb).contains("transparent"));
        assert!(problem(&png(&[0; 6], 1, 1, ExtendedColorType::Rgb16), Channels::Rgb).contains("16 bits"));
        assert!(problem(&cmyk(), Channels::Rgb).contains("CMYK"));
        let color = png(&gradient(4, 5, 1), 4, 5, ExtendedColorType::Rgb8);
        assert!(problem(&color, Channels::Grey).contains("a color image, expected a grey image"));
        assert!(problem(b"GIF89a...", Channels::Rgb).contains("neither"));
        assert!(problem(b"", Channels::Rgb).contains("neither"));
    }

    #[test]
    fn truncated_files_are_refused_wherever_they_end() {
        let whole = jpeg(&gradient(16, 9, 200), 16, 9, ExtendedColorType::Rgb8);
        for cut in (4..whole.len()).step_by(3) {
            problem(&whole[..cut], Channels::Rgb);
        }
        problem(&whole[..whole.len() - 1], Channels::Rgb);
        let whole = png(&gradient(16, 9, 200), 16, 9, ExtendedColorType::Rgb8);
        for cut in [10, 40, whole.len() / 2, whole.len() - 20] {
            problem(&whole[..cut], Channels::Rgb);
        }
    }
}
