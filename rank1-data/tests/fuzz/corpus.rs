//! Small real files of images, arrays and archives.

use std::io::{Cursor, Write};

use image::{DynamicImage, ImageFormat, RgbImage};

use crate::harness::Entry;

/// A lossy WebP file of 16 x 9 pixels.
const LOSSY_WEBP: &str = "5249464644000000574542505650382038000000b001009d012a1000090003805a25b00274010eb4d58000fef337a98d5051fc58c54df2d6\
    b3b0cea7cf2eac4c26fe7c11a35fe75e63970000";

/// The same with a transparent layer, in the extended form.
const ALPHA_WEBP: &str = "524946466600000057454250565038580a000000100000000f0000080000414c50480a000000010750e488084444ff035650382036000000\
    b001009d012a1000090004006825b00274010eae518800feef6761b713d8684d4be2196ef3278df7e4df1ef3f02fcbfbe63b44000000";

/// A progressive JPEG file of 16 x 9 pixels.
const PROGRESSIVE_JPEG: &str = "ffd8ffe000104a46494600010100000100010000ffdb004300281c1e231e19282321232d2b28303c64413c37373c7b585d4964918099968f\
    808c8aa0b4e6c3a0aadaad8a8cc8ffcbdaeef5ffffff9bc1fffffffaffe6fdfff8ffdb0043012b2d2d3c353c76414176f8a58ca5f8f8f8f8\
    f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8ffc20011080009001003\
    012200021101031101ffc4001500010100000000000000000000000000000203ffc4001501010100000000000000000000000000000102ff\
    da000c03010002100310000001937483ffc400161001010100000000000000000000000000120010ffda000801010001050231dfffc40016\
    1101010100000000000000000000000000020001ffda0008010301013f010b6fffc400161100030000000000000000000000000000000102\
    ffda0008010201013f01747fffc40014100100000000000000000000000000000020ffda0008010100063f021fffc4001510010100000000\
    000000000000000000000001ffda0008010100013f2184223fffda000c030100020003000000106bffc40014110100000000000000000000\
    000000000000ffda0008010301013f102fffc4001511010100000000000000000000000000000001ffda0008010201013f10a3ffc4001610\
    01010100000000000000000000000000610010ffda0008010100013f1038f7ffd9";

/// A TIFF file of 16 x 9 pixels, LZW.
const LZW_TIFF: &str = "49492a005401000080000005007c0c3d0316c0c790325c0cb50334c0cf10343c0d2d0352c0d690361c0da50370c0c0019824903d2416c907\
    92425c90b52434c90f12443c912d2452c91692461c91a52470c900032825103d4416d10794425d10b54434d10f14443d112d4452d1169446\
    1d11a54470d10004b825903d6416d90796425d90b56434d90f16443d912d6452d91696461d91a56470d900064826103d8416e10798425e10\
    b58434e10f18443e112d8452e11698461e11a58470e10007d826903da416e9079a425e90b5a434e90f1a443e912da452e9169a461e91a5a4\
    70e900096827103dc416f1079c425f10b5c434f10f1c443f112dc452f1169c461f11a5c470f1000af827903de416f9079e425f90b5e434f9\
    0f1e443f912de452f9169e461f91a4f21c2f2000642090203d0205b0207902097020b5020d3020f10210f0212d0214b0216902187021a502\
    1c3022020a000001030001000000100000000101030001000000090000000201030003000000d20100000301030001000000050000000601\
    0300010000000200000011010400010000000800000015010300010000000300000016010300010000000900000017010400010000004c01\
    00001c010300010000000100000000000000080008000800";

/// A TIFF file whose pixels are a JPEG file.
const JPEG_TIFF: &str = "49492a0048000000ffd8ffc10011080009001003521100471100421100ffda000c03520047004200003f00a16bdaabfd83daaad6c5af6a3e\
    c1ed4563daf6ad6a2b62d7b51457ffd90b000001030001000000100000000101030001000000090000000201030003000000d20000000301\
    0300010000000700000006010300010000000200000011010400010000000800000015010300010000000300000016010300010000000900\
    00001701040001000000400000001c01030001000000010000005b01070061010000d800000000000000080008000800ffd8ffdb00831000\
    28001c001e0023001e00190028002300210023002d002b00280030003c00640041003c00370037003c007b0058005d004900640091008000\
    990096008f0080008c008a00a000b400e600c300a000aa00da00ad008a008c00c8011100cb00da00ee00f5010201040102009b00c1011b01\
    2f011800fa012c00e600fd010200f8ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b510000201\
    0303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a16171819\
    1a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a9293\
    9495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3\
    f4f5f6f7f8f9faffd9";

/// A PNG file of eight colors in a palette.
const PALETTE_PNG: &str = "89504e470d0a1a0a0000000d4948445200000010000000090403000000c904b10100000018504c5445a5af50a571502daf502d7150a53250\
    a500502d32502d0050a7bd5b7c000000284944415478da632c6760f8f780818181e53d03c3bff70c0c0c4c0c500067301a43d5c045f02806\
    0014590a33a264ac310000000049454e44ae426082";

/// Two classes of two pictures of 2 x 2 pixels, packed by xz.
const TAR_XZ: &str = "fd377a585a000004e6d6b446020021010c0000008f98419ce027ff00b35d0031984aeb21a0f089259f9b6ccc5abbdc5e8fc41c979cca70cb\
    bea8452dc9bc562e050e3bdf1c7cd635e37ce467df8ae9cc8bfac46ff995f4e3d0724ee50c73bc716d3fe0e40099bd3ebfbb02cf8c2175b0\
    0a59308c9e6b15926b6073c334acaa6d64e93e811535b93f168ff0d7850790166ae2fef76a947d7e80f4c4406ef534a1a20d3ed8aa3b2815\
    cffc6f6f2b3d3e088a4829c2e1a462c2d651192616d188bd84e427f88c52795d9cf4e7b6c8c4cb3d83000000847adcaae51bf6f20001cf01\
    8050000087c96e9fb1c467fb020000000004595a";

/// Hexadecimal digits to bytes.
fn bytes(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(byte).collect()
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(16, 9, |x, y| image::Rgb([x as u8 * 15, y as u8 * 25, 80]));
    let mut file = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image).write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Exif data with an orientation and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let mut data = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    data.push(orientation);
    data.extend([0; 6]);
    data
}

/// Picture files of a format by name.
pub(crate) fn pictures(format: ImageFormat) -> Vec<Entry> {
    let plain = encoded(format);
    match format {
        ImageFormat::Png => {
            let data = [&b"eXIf"[..], &exif(6)].concat();
            let chunk = [&(data.len() as u32 - 4).to_be_bytes()[..], &data, &[0; 4]].concat();
            let mut turned = [&plain[..33], &chunk, &plain[33..]].concat();
            mend_png(&mut turned);
            vec![
                Entry::new("png", plain),
                Entry::new("palette", bytes(PALETTE_PNG)),
                Entry::new("turned", turned),
            ]
        }
        ImageFormat::Jpeg => {
            let data = [&b"Exif\0\0"[..], &exif(8)].concat();
            let length = (data.len() as u16 + 2).to_be_bytes();
            let turned = [&plain[..2], &[0xff, 0xe1], &length, &data, &plain[2..]].concat();
            let progressive = bytes(PROGRESSIVE_JPEG);
            vec![
                Entry::new("jpeg", plain),
                Entry::new("progressive", progressive),
                Entry::new("turned", turned),
            ]
        }
        ImageFormat::WebP => vec![
            Entry::new("lossless", plain),
            Entry::new("lossy", bytes(LOSSY_WEBP)),
            Entry::refused("transparent", bytes(ALPHA_WEBP)),
        ],
        ImageFormat::Tiff => vec![
            Entry::new("tiff", plain),
            Entry::new("lzw", bytes(LZW_TIFF)),
            Entry::new("jpeg in tiff", bytes(JPEG_TIFF)),
        ],
        _ => vec![Entry::new("plain", plain)],
    }
}

/// The PNG file with a palette, of so many bytes.
pub(crate) fn palette_of(length: usize) -> Vec<u8> {
    let file = bytes(PALETTE_PNG);
    // The header takes 33 bytes, the palette as many bytes as its first four say, and twelve.
    let end = 33 + 12 + usize::from(file[36]);
    let chunk = [&(length as u32).to_be_bytes()[..], b"PLTE", &vec![7; length], &[0; 4]].concat();
    let mut file = [&file[..33], &chunk, &file[end..]].concat();
    mend_png(&mut file);
    file
}

/// Makes the checksums of the chunks of a PNG file right.
pub(crate) fn mend_png(file: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = file.get(at..at + 4) {
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let Some(data) = file.get(at + 4..(at + 8).saturating_add(length)) else { return };
        let mut sum = flate2::Crc::new();
        sum.update(data);
        let end = at + 8 + length;
        if let Some(place) = file.get_mut(end..end + 4) {
            place.copy_from_slice(&sum.sum().to_be_bytes());
        }
        at = end + 4;
    }
}

/// Makes the checksums of the headers of a tar archive right, for members that end where their header says.
pub(crate) fn mend_tar(file: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = file.get_mut(at..at + 512) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let text = String::from_utf8_lossy(&header[124..136]).into_owned();
        let size = usize::from_str_radix(text.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        at = at.saturating_add(512).saturating_add(size.div_ceil(512).saturating_mul(512));
    }
}

/// Three images of 5 x 7 bytes.
pub(crate) fn idx() -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 7];
    file.extend(0..105_u8);
    file
}

/// A NumPy array of bytes, version 1.
pub(crate) fn npy(shape: &str, values: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    header.extend(std::iter::repeat_n(' ', (header.len() + 11).next_multiple_of(64) - header.len() - 11));
    header.push('\n');
    [&b"\x93NUMPY\x01\0"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), values].concat()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two classes of two pictures.
pub(crate) fn tar() -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for name in ["cat/0.png", "cat/1.png", "dog/0.jpg", "dog/1.jpg"] {
        let file = encoded(if name.ends_with("png") { ImageFormat::Png } else { ImageFormat::Jpeg });
        let mut header = ::tar::Header::new_gnu();
        header.set_size(file.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, file.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The same, but that the first file says to be as long as a number can be.
pub(crate) fn endless_tar() -> Vec<u8> {
    let mut file = tar();
    file[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    mend_tar(&mut file);
    file
}

pub(crate) fn tar_xz() -> Vec<u8> {
    bytes(TAR_XZ)
}

/// CIFAR-100's binary version: coarse and fine label, three planes; two images.
pub(crate) fn cifar_binary() -> Vec<u8> {
    [[1, 99], [0, 41]].iter().flat_map(|labels| [&labels[..], &[7; 3_072]].concat()).collect()
}

/// CIFAR-100's Python version of the same images, as protocol 2 of Python 3 has it.
pub(crate) fn cifar_pickle() -> Vec<u8> {
    let before = b"\x80\x02}q\x00(c_codecs\nencode\nq\x01X\x0b\x00\x00\x00fine_labelsq\x02X\x06\x00\x00\x00latin1q\x03\x86q\x04Rq\x05\
        ]q\x06(KcK)eh\x01X\x04\x00\x00\x00dataq\x07h\x03\x86q\x08Rq\tcnumpy._core.multiarray\n_reconstruct\nq\n\
        cnumpy\nndarray\nq\x0bK\x00\x85q\x0ch\x01X\x01\x00\x00\x00bq\rh\x03\x86q\x0eRq\x0f\x87q\x10Rq\x11(K\x01K\x02M\x00\x0c\x86q\x12\
        cnumpy\ndtype\nq\x13X\x02\x00\x00\x00u1q\x14\x89\x88\x87q\x15Rq\x16(K\x03X\x01\x00\x00\x00|q\x17NNNJ\xff\xff\xff\xff\
        J\xff\xff\xff\xffK\x00tq\x18b\x89h\x01X\x00\x18\x00\x00";
    let after = b"q\x19h\x03\x86q\x1aRq\x1btq\x1cbu.";
    [&before[..], &[7; 6_144], &after[..]].concat()
}

/// The class names of CIFAR-100's Python version.
pub(crate) fn cifar_meta() -> Vec<u8> {
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let names: Vec<u8> = (0..100).flat_map(|i| text(&format!("class_{i}"))).collect();
    [&b"\x80\x02}("[..], &text("fine_label_names"), b"](", &names, b"eu."].concat()
}
