//! Arrays of bytes: IDX, NumPy, both versions of CIFAR, its corrupted copies.

use std::fs;
use std::path::Path;

use rank1_data::idx::read_idx_from;
use rank1_data::image::{Cifar, CifarC, NpyValues, read_npy};

use crate::corpus;
use crate::harness::{Entry, Reader};
use crate::place::{Place, text};

/// What small files of arrays may take, with the buffers of decoders.
const MOST: usize = 16 << 20;

pub(crate) fn idx() -> Reader<'static> {
    Reader {
        name: "idx",
        most_bytes: MOST,
        entries: vec![Entry::new("idx", corpus::idx()), Entry::new("idx.gz", corpus::gzip(&corpus::idx()))],
        words: &[],
        mend: None,
        read: Box::new(|input| {
            // A file that is packed after it was changed has a right checksum.
            let packed = (input.variation % 8 == 1).then(|| corpus::gzip(input.bytes));
            let bytes = packed.as_deref().unwrap_or(input.bytes);
            let array = read_idx_from(bytes, Path::new("x"), 3).map_err(text)?;
            assert_eq!(array.data.len(), array.shape.iter().product::<usize>());
            Ok(())
        }),
    }
}

pub(crate) fn npy() -> Reader<'static> {
    let place = Place::new();
    let wide = [corpus::npy("(2, 3)", &[]).as_slice(), &[0x40; 48]].concat();
    let replaced = |from: &str, to: &str| {
        let text: Vec<u8> = wide.clone();
        let at = text.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&text[..at], to.as_bytes(), &text[at + from.len()..]].concat()
    };
    Reader {
        name: "npy",
        most_bytes: MOST,
        entries: vec![
            Entry::new("bytes", corpus::npy("(3, 5)", &[1; 15])),
            Entry::new("doubles", replaced("'|u1'", "'<f8'")),
            Entry::new("integers", replaced("'|u1'", "'<i8'")),
            Entry::new("scalar", corpus::npy("()", &[1])),
        ],
        words: &[
            "'descr'",
            "'fortran_order'",
            "'shape'",
            "True",
            "False",
            "|u1",
            "<i4",
            "<f4",
            "<i8",
            "<f8",
            ">f8",
            "|O",
            "(,)",
        ],
        mend: None,
        read: Box::new(move |input| {
            let array = read_npy(&place.put("x.npy", input.bytes)).map_err(text)?;
            let length = match &array.values {
                NpyValues::U8(values) => values.len(),
                NpyValues::I32(values) => values.len(),
                NpyValues::I64(values) => values.len(),
                NpyValues::F32(values) => values.len(),
                NpyValues::F64(values) => values.len(),
                other => panic!("{other:?}"),
            };
            assert_eq!(length, array.shape.iter().product::<usize>());
            Ok(())
        }),
    }
}

/// A corrupted copy: pixels, labels and severities.
pub(crate) fn cifar_c() -> Reader<'static> {
    let files = [
        ("fog.npy", corpus::npy("(2, 32, 32, 3)", &[7; 6_144])),
        ("labels.npy", corpus::npy("(2,)", &[3, 3])),
        ("severities.json", br#"{"severities": [2, 4]}"#.to_vec()),
    ];
    let place = Place::new();
    files.iter().for_each(|(name, bytes)| drop(place.put(name, bytes)));
    Reader {
        name: "cifar_c",
        most_bytes: MOST,
        entries: files.iter().map(|(name, bytes)| Entry::new(name, bytes.clone())).collect(),
        words: &["'descr'", "'fortran_order'", "'shape'", "|u1", "<i8", "\"severities\""],
        mend: None,
        read: Box::new(move |input| {
            let (name, before) = &files[input.entry];
            place.with(name, input.bytes, before, |_| {
                let set = CifarC::open(Cifar::Ten, place.path(), None).map_err(text)?;
                set.severities().iter().try_for_each(|&s| set.load("fog", s.into()).map(drop).map_err(text))
            })
        }),
    }
}

/// A version of CIFAR-100, of which the training part, the test part or the names are changed.
fn cifar(name: &'static str, files: [(&'static str, Vec<u8>); 3]) -> Reader<'static> {
    let place = Place::new();
    files.iter().for_each(|(name, bytes)| drop(place.put(name, bytes)));
    Reader {
        name,
        most_bytes: MOST,
        entries: files.iter().map(|(name, bytes)| Entry::new(name, bytes.clone())).collect(),
        words: &[
            "numpy",
            "_codecs",
            "encode",
            "latin1",
            "fine_labels",
            "coarse_labels",
            "data",
            "R",
            "b",
            "\u{80}\u{4}",
        ],
        mend: None,
        read: Box::new(move |input| {
            let (name, before) = &files[input.entry];
            place.with(name, input.bytes, before, |_| {
                Cifar::Hundred.read(place.path()).map(drop).map_err(text)
            })
        }),
    }
}

pub(crate) fn cifar_binary() -> Reader<'static> {
    let names: Vec<String> = (0..100).map(|i| format!("class_{i}")).collect();
    let file = corpus::cifar_binary();
    cifar(
        "cifar_binary",
        [
            ("train.bin", file.clone()),
            ("test.bin", file),
            ("fine_label_names.txt", names.join("\n").into_bytes()),
        ],
    )
}

pub(crate) fn cifar_pickle() -> Reader<'static> {
    let file = corpus::cifar_pickle();
    cifar("cifar_pickle", [("train", file.clone()), ("test", file), ("meta", corpus::cifar_meta())])
}

#[test]
fn an_array_whose_header_lies_asks_for_no_memory() {
    let mut idx = corpus::idx();
    idx[4..8].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let refused = read_idx_from(idx.as_slice(), Path::new("x"), 3).unwrap_err();
    assert!(refused.to_string().contains("truncated"), "{refused}");
    let place = Place::new();
    let path = place.put("x.npy", &corpus::npy("(99999999999, 99999999)", &[1; 15]));
    assert!(read_npy(&path).is_err());
    fs::remove_file(path).unwrap();
}
