//! Decoding: channels, refusals in words, completeness, orientation and limits.

#![allow(clippy::unwrap_used)]

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

/// Exif data with an orientation and nothing else.
pub(crate) fn exif(orientation: u16) -> Vec<u8> {
    let mut bytes = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    bytes.extend(orientation.to_be_bytes());
    bytes.extend([0; 6]);
    bytes
}

/// A JPEG file with a segment of Exif data behind its first marker.
fn tagged_jpeg(file: &[u8], orientation: u16) -> Vec<u8> {
    let data = [&b"Exif\0\0"[..], &exif(orientation)].concat();
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&file[..2], &[0xff, 0xe1], &length, &data, &file[2..]].concat()
}

/// A PNG file with a chunk of Exif data before its pixels, or behind them.
fn tagged_png(file: &[u8], orientation: u16, late: bool) -> Vec<u8> {
    let data = [&b"eXIf"[..], &exif(orientation)].concat();
    let checksum = {
        let mut crc = flate2::Crc::new();
        crc.update(&data);
        crc.sum().to_be_bytes()
    };
    let chunk = [&(data.len() as u32 - 4).to_be_bytes()[..], &data, &checksum].concat();
    // The header takes 33 bytes, the end 12.
    let at = if late { file.len() - 12 } else { 33 };
    [&file[..at], &chunk, &file[at..]].concat()
}

/// A lossless WebP file.
pub(crate) fn webp(pixels: &[u8], width: u32, height: u32, orientation: Option<u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    if let Some(orientation) = orientation {
        encoder.set_exif_metadata(exif(orientation)).unwrap();
    }
    encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

pub(crate) fn bmp(pixels: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::bmp::BmpEncoder::new(&mut bytes).write_image(pixels, width, height, color).unwrap();
    bytes
}

/// A TIFF file of plain RGB pixels, as many pages and thumbnails of the same pixels.
pub(crate) fn tiff(
    pixels: &[u8],
    width: u16,
    height: u16,
    orientation: u16,
    pages: usize,
    thumbnails: usize,
) -> Vec<u8> {
    let mut bytes = b"II*\0".to_vec();
    let bits_at = 8 + pixels.len();
    bytes.extend((bits_at as u32 + 6).to_le_bytes());
    bytes.extend(pixels);
    bytes.extend([8, 0, 8, 0, 8, 0]);
    for page in 0..pages + thumbnails {
        let entries: [(u16, u16, u32, u32); 12] = [
            (254, 4, 1, u32::from(page >= pages)),
            (256, 3, 1, width.into()),
            (257, 3, 1, height.into()),
            (258, 3, 3, bits_at as u32),
            (259, 3, 1, 1),
            (262, 3, 1, 2),
            (273, 4, 1, 8),
            (274, 3, 1, orientation.into()),
            (277, 3, 1, 3),
            (278, 3, 1, height.into()),
            (279, 4, 1, pixels.len() as u32),
            (284, 3, 1, 1),
        ];
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        let next = if page + 1 < pages + thumbnails { bytes.len() as u32 + 4 } else { 0 };
        bytes.extend(next.to_le_bytes());
    }
    bytes
}

/// A smooth color image, 4 x 5 pixels by default of the callers.
pub(crate) fn gradient(width: u32, height: u32, shade: u8) -> Vec<u8> {
    (0..height).flat_map(|y| (0..width).flat_map(move |x| [shade, (x * 9) as u8, (y * 11) as u8])).collect()
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
    assert!(problem(b"GIF89a...", Channels::Rgb).contains("expected JPEG, PNG, WebP, BMP or TIFF"));
    assert!(problem(b"", Channels::Rgb).contains("expected JPEG, PNG, WebP, BMP or TIFF"));
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

/// Pixels as a camera stores them that writes this orientation: `upright` is what was seen, `[height, width, channels]`.
fn stored(upright: &[u8], width: usize, height: usize, orientation: u16) -> (Vec<u8>, usize, usize) {
    let channels = upright.len() / (width * height);
    let (w, h) = if orientation < 5 { (width, height) } else { (height, width) };
    let mut pixels = Vec::new();
    for y in 0..h {
        for x in 0..w {
            // Where the stored pixel is seen: the definitions of the Exif standard, row and column of 0 by their sides.
            let (column, row) = match orientation {
                1 => (x, y),
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (width - 1 - y, x),
                7 => (width - 1 - y, height - 1 - x),
                _ => (y, height - 1 - x),
            };
            let at = (row * width + column) * channels;
            pixels.extend(&upright[at..at + channels]);
        }
    }
    (pixels, w, h)
}

#[test]
fn every_orientation_of_every_format_is_turned_upright() {
    let (width, height) = (7, 5);
    let upright: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [20 * x + 30 * y, 200 - 20 * x, 25 * y].map(|v| v as u8)))
        .collect();
    let grey: Vec<u8> = upright.chunks(3).map(|pixel| pixel[0]).collect();
    for orientation in 1..=8_u16 {
        let (pixels, w, h) = stored(&upright, width, height, orientation);
        let (grey_pixels, ..) = stored(&grey, width, height, orientation);
        let (w32, h32) = (w as u32, h as u32);
        let plain = png(&pixels, w32, h32, ExtendedColorType::Rgb8);
        let exact = [
            ("png", tagged_png(&plain, orientation, false)),
            ("late png", tagged_png(&plain, orientation, true)),
            ("webp", webp(&pixels, w32, h32, Some(orientation))),
            ("tiff", tiff(&pixels, w as u16, h as u16, orientation, 1, 1)),
        ];
        for (kind, file) in exact {
            let picture = decode_image(&file, Path::new(kind), Channels::Rgb).unwrap();
            assert_eq!((picture.height, picture.width), (height, width), "{kind} {orientation}");
            assert_eq!(picture.pixels, upright, "{kind} {orientation}");
        }
        let close = |got: &[u8], expected: &[u8]| {
            got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) < 25)
        };
        let file = tagged_jpeg(&jpeg(&pixels, w32, h32, ExtendedColorType::Rgb8), orientation);
        let picture = decode_image(&file, Path::new("jpeg"), Channels::Rgb).unwrap();
        assert_eq!((picture.height, picture.width), (height, width), "jpeg {orientation}");
        assert!(close(&picture.pixels, &upright), "jpeg {orientation}: {:?}", picture.pixels);
        let file = tagged_jpeg(&jpeg(&grey_pixels, w32, h32, ExtendedColorType::L8), orientation);
        let picture = decode_image(&file, Path::new("grey"), Channels::Grey).unwrap();
        assert_eq!((picture.height, picture.width), (height, width), "grey {orientation}");
        assert!(close(&picture.pixels, &grey), "grey {orientation}");
    }
    // Values that the standard does not know, and damaged data, leave the pixels as they lie.
    let plain = jpeg(&upright, 7, 5, ExtendedColorType::Rgb8);
    let expected = decode_image(&plain, Path::new("x"), Channels::Rgb).unwrap();
    for strange in [0, 9, 300] {
        let got = decode_image(&tagged_jpeg(&plain, strange), Path::new("x"), Channels::Rgb).unwrap();
        assert_eq!(got, expected, "{strange}");
    }
}

#[test]
fn other_formats_are_read_as_png_is_and_refused_where_they_end_early() {
    let rgb = gradient(16, 9, 77);
    let files = [
        ("webp", webp(&rgb, 16, 9, None)),
        ("bmp", bmp(&rgb, 16, 9, ExtendedColorType::Rgb8)),
        ("tiff", tiff(&rgb, 16, 9, 1, 1, 0)),
    ];
    for (kind, file) in files {
        let picture = decode_image(&file, Path::new("wrong_ending.png"), Channels::Rgb).unwrap();
        assert_eq!((picture.height, picture.width, &picture.pixels), (9, 16, &rgb), "{kind}");
        for cut in (0..file.len() - 1).step_by(5) {
            assert!(
                decode_image(&file[..cut], Path::new(kind), Channels::Rgb).is_err(),
                "{kind} cut at {cut}"
            );
        }
    }
    let grey = bmp(&[40, 90], 2, 1, ExtendedColorType::L8);
    assert_eq!(decode_image(&grey, Path::new("x"), Channels::Rgb).unwrap().pixels, [40, 40, 40, 90, 90, 90]);
    assert!(problem(&tiff(&rgb, 16, 9, 1, 2, 0), Channels::Rgb).contains("several pages"));
    let mut animated = webp(&rgb, 16, 9, Some(1));
    animated[20] |= 2;
    assert!(problem(&animated, Channels::Rgb).contains("an animated picture, expected a single picture"));
    for (start, kind) in
        [(&b"GIF89a"[..], "a GIF file"), (b"\0\0\0\x18ftypheic", "HEIC"), (b"version https", "Git LFS")]
    {
        assert!(
            problem(start, Channels::Rgb).starts_with(kind) || problem(start, Channels::Rgb).contains(kind)
        );
    }
}

#[test]
fn a_small_file_that_says_it_is_huge_is_refused_before_its_pixels_are_made() {
    // A PNG header alone, and a whole file of one color: 20,000 x 20,000 pixels of three bytes.
    let mut encoder = png(&[1, 2, 3], 1, 1, ExtendedColorType::Rgb8);
    encoder[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let mut crc = flate2::Crc::new();
    crc.update(&encoder[12..29]);
    encoder[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let got = problem(&encoder, Channels::Rgb);
    assert!(got.contains("20000 x 20000") || got.contains("limit"), "{got}");
    let mut file = bmp(&[1, 2, 3], 1, 1, ExtendedColorType::Rgb8);
    file[18..26].copy_from_slice(&[0x20, 0x4e, 0, 0, 0x20, 0x4e, 0, 0]);
    problem(&file, Channels::Rgb);
    let mut file = tiff(&gradient(4, 5, 1), 4, 5, 1, 1, 0);
    let directory = 8 + 60 + 6 + 2;
    file[directory + 12 + 8..][..2].copy_from_slice(&[0x20, 0x4e]);
    file[directory + 24 + 8..][..2].copy_from_slice(&[0x20, 0x4e]);
    problem(&file, Channels::Rgb);
    // Containers of 4 x 5 pixels around a picture that says 16,000 x 16,000.
    let mut file = webp(&gradient(4, 5, 1), 4, 5, Some(1));
    let frame = file.windows(4).position(|kind| kind == b"VP8L").unwrap() + 9;
    let sides = (15_999_u32 | 15_999 << 14).to_le_bytes();
    file[frame..frame + 4].copy_from_slice(&sides);
    assert!(problem(&file, Channels::Rgb).contains("256000000 pixels within"));
    let mut file = tiff(&gradient(4, 5, 1), 4, 5, 1, 1, 0);
    file[directory + 4 * 12 + 8] = 7;
    file[8..17].copy_from_slice(&[0xff, 0xc0, 0, 17, 8, 0x3e, 0x80, 0x3e, 0x80]);
    assert!(problem(&file, Channels::Rgb).contains("256000000 pixels within"));
    // One color is small in every packing; 4,000 x 4,000 pixels of it are a picture.
    let side = 4_000_usize;
    let flat = png(&vec![9; side * side * 3], side as u32, side as u32, ExtendedColorType::Rgb8);
    assert_eq!(decode_image(&flat, Path::new("x"), Channels::Rgb).unwrap().width, side);
}
