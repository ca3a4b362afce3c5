//! What containers say, on files of every format that is read.

use super::super::decode::tests::{exif, gradient, png, tiff, webp};
use super::*;

#[test]
fn several_pictures_in_a_file_are_told_from_one() {
    let rgb = gradient(4, 5, 9);
    for (pages, thumbnails, expected) in [(1, 0, false), (1, 1, false), (2, 0, true), (2, 1, true)] {
        let file = tiff(&rgb, 4, 5, 1, pages, thumbnails);
        assert_eq!(more_pictures(ImageFormat::Tiff, &file).is_some(), expected, "{pages} {thumbnails}");
    }
    let mut file = png(&rgb, 4, 5, image::ExtendedColorType::Rgb8);
    assert_eq!(more_pictures(ImageFormat::Png, &file), None);
    file.splice(33..33, [&[0, 0, 0, 8], &b"acTL"[..], &[0; 12]].concat());
    assert_eq!(more_pictures(ImageFormat::Png, &file), Some("an animated picture"));
    assert_eq!(more_pictures(ImageFormat::WebP, &webp(&rgb, 4, 5, None)), None);
    let mut animated = webp(&rgb, 4, 5, Some(1));
    assert_eq!((&animated[12..16], more_pictures(ImageFormat::WebP, &animated)), (&b"VP8X"[..], None));
    animated[20] |= 2;
    assert!(more_pictures(ImageFormat::WebP, &animated).is_some());
}

#[test]
fn pixels_of_wrapped_pictures_are_those_of_their_own_headers() {
    let rgb = gradient(4, 5, 9);
    for orientation in [None, Some(1)] {
        assert_eq!(wrapped_pixels(ImageFormat::WebP, &webp(&rgb, 4, 5, orientation)), Some(20));
    }
    let lossy =
        [b"RIFF", &[22, 0, 0, 0][..], b"WEBPVP8 ", &[10, 0, 0, 0], &[0, 0, 0, 0x9d, 1, 0x2a, 4, 0x40, 5, 0]];
    assert_eq!(wrapped_pixels(ImageFormat::WebP, &lossy.concat()), Some(20));
    // Raw pixels that look like a header are no header.
    let mut file = tiff(&rgb, 4, 5, 1, 1, 0);
    file[8..17].copy_from_slice(&[0xff, 0xc1, 0, 17, 8, 0, 4, 0, 5]);
    assert_eq!(wrapped_pixels(ImageFormat::Tiff, &file), None);
    let compression = file.windows(4).position(|entry| entry == [3, 1, 3, 0]).unwrap();
    file[compression + 8] = 7;
    assert_eq!(wrapped_pixels(ImageFormat::Tiff, &file), Some(20));
}

#[test]
fn no_bytes_are_too_few_or_too_strange() {
    let rgb = gradient(4, 5, 9);
    let files = [
        png(&rgb, 4, 5, image::ExtendedColorType::Rgb8),
        tiff(&rgb, 4, 5, 6, 2, 1),
        webp(&rgb, 4, 5, Some(3)),
    ];
    let formats =
        [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Jpeg, ImageFormat::Bmp];
    for file in &files {
        for cut in 0..file.len() {
            for format in formats {
                more_pictures(format, &file[..cut]);
                is_complete(format, &file[..cut]);
                wrapped_pixels(format, &file[..cut]);
                orientation(format, &file[..cut], None);
            }
            jpeg_frame(&file[..cut]);
            kind_of(&file[..cut]);
        }
    }
    // Offsets and counts that lie outside.
    for fill in [0, 1, 0xff] {
        let mut file = tiff(&rgb, 4, 5, 6, 2, 1);
        file[4..].fill(fill);
        more_pictures(ImageFormat::Tiff, &file);
        wrapped_pixels(ImageFormat::Tiff, &file);
        file[2] = 43;
        more_pictures(ImageFormat::Tiff, &file);
    }
    let marked = [&b"Exif\0\0"[..], &exif(6)].concat();
    assert_eq!(orientation(ImageFormat::WebP, &[], Some(&marked)), Some(Orientation::Rotate90));
    assert_eq!(orientation(ImageFormat::WebP, &[], Some(&exif(9))), None);
}
