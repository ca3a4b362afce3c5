//! `.npy` files of every accepted type, and what is refused of them.

#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;

/// A file as NumPy writes it: the header padded with blanks to a multiple of 64 bytes.
pub(crate) fn npy(version: u8, descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let prefix = if version == 1 { 10 } else { 12 };
    let mut text = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    while (prefix + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let length = (text.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    [b"\x93NUMPY".as_slice(), &[version, 0], length, text.as_bytes(), data].concat()
}

pub(crate) fn bytes_array(shape: &str, data: &[u8]) -> Vec<u8> {
    npy(1, "'|u1'", "False", shape, data)
}

fn read(bytes: &[u8]) -> Result<NpyArray, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    read_npy(file.path())
}

fn problem(bytes: &[u8]) -> String {
    match read(bytes).unwrap_err() {
        Error::Image(ImageError::NpyHeader { problem, .. }) => problem,
        other => panic!("expected a refused header, got {other}"),
    }
}

#[test]
fn every_accepted_type_is_read_in_both_versions() {
    for version in [1, 2] {
        let array = read(&npy(version, "'|u1'", "False", "(2, 3)", &[1, 2, 3, 4, 5, 255])).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 3], NpyValues::U8(vec![1, 2, 3, 4, 5, 255])));
        let data = [-5_i64, 1 << 40].map(i64::to_le_bytes).concat();
        let array = read(&npy(version, "'<i8'", "False", "(2,)", &data)).unwrap();
        assert_eq!((array.shape, array.values), (vec![2], NpyValues::I64(vec![-5, 1 << 40])));
        let array = read(&npy(version, "'<i4'", "False", "(1,)", &(-7_i32).to_le_bytes())).unwrap();
        assert_eq!(array.values, NpyValues::I32(vec![-7]));
        let array = read(&npy(version, "'<f4'", "False", "(1, 1)", &0.1_f32.to_le_bytes())).unwrap();
        assert_eq!(array.values, NpyValues::F32(vec![0.1]));
        let array = read(&npy(version, "'<f8'", "False", "()", &0.1_f64.to_le_bytes())).unwrap();
        assert_eq!((array.shape, array.values), (vec![], NpyValues::F64(vec![0.1])));
    }
}

#[test]
fn other_types_orders_and_versions_are_refused_in_words() {
    assert!(problem(&npy(1, "'|O'", "False", "(1,)", &[0; 8])).contains("pickled"));
    assert!(problem(&npy(1, "'|u1'", "True", "(1, 1)", &[0])).contains("Fortran"));
    assert!(problem(&npy(1, "'>i8'", "False", "(1,)", &[0; 8])).contains("`>i8`"));
    assert!(problem(&npy(1, "[('a', '<i4')]", "False", "(1,)", &[0; 4])).contains("structured"));
    assert!(problem(&npy(3, "'|u1'", "False", "(1,)", &[0])).contains("version 3"));
    assert!(problem(&npy(1, "'|u1'", "False", "(-1,)", &[0])).contains("shape"));
    assert!(problem(&npy(1, "'<f8'", "False", "(99999999999, 99999999999)", &[])).contains("memory"));
    // Sizes that, with the header before them, are beyond the largest number.
    for size in [u64::MAX, u64::MAX - 1, u64::MAX - 9, u64::MAX - 126, u64::MAX - 127] {
        let lying = npy(1, "'|u1'", "False", &format!("({size},)"), &[]);
        assert!(problem(&lying).contains("memory"), "{size}");
    }
    assert!(problem(b"PK\x03\x04 an npz archive").contains("does not start"));
}

#[test]
fn every_truncation_and_trailing_bytes_are_refused() {
    let good = npy(1, "'<i4'", "False", "(2,)", &[0; 8]);
    for cut in 0..good.len() {
        assert!(read(&good[..cut]).is_err(), "cut at {cut}");
    }
    let got = read(&[&good[..], b"x"].concat()).unwrap_err();
    assert!(matches!(got, Error::Image(ImageError::FileSize { .. })), "{got}");
}

#[test]
fn labels_are_integers_of_one_axis_in_range() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let labels = |bytes: &[u8]| {
        fs::write(file.path(), bytes).unwrap();
        read_labels(&Section::whole(file.path()).unwrap(), 10)
    };
    assert_eq!(labels(&bytes_array("(3,)", &[0, 9, 4])).unwrap(), [0, 9, 4]);
    assert_eq!(labels(&npy(2, "'<i8'", "False", "(1,)", &7_i64.to_le_bytes())).unwrap(), [7]);
    let got = labels(&npy(1, "'<i8'", "False", "(1,)", &(-1_i64).to_le_bytes())).unwrap_err();
    assert!(matches!(got, Error::Image(ImageError::LabelOutOfRange { label: -1, .. })), "{got}");
    let got = labels(&npy(1, "'<f4'", "False", "(1,)", &[0; 4])).unwrap_err();
    assert!(got.to_string().contains("float32 [1], expected integers of shape [N]"), "{got}");
    assert!(labels(&bytes_array("(1, 2)", &[1, 2])).is_err());
}
