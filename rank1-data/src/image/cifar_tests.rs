//! CIFAR files in exactly the published formats, of a few images each, and what is refused of them.

#![allow(clippy::unwrap_used)]

use super::*;

fn name_list(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("class_{i}")).collect()
}

/// Three planes that differ everywhere between images, planes and places.
fn planes(image: usize) -> Vec<u8> {
    (0..VALUES).map(|i| ((i * 7 + image * 31) % 251) as u8).collect()
}

fn binary(labels: &[&[u8]]) -> Vec<u8> {
    labels.iter().enumerate().flat_map(|(i, label)| [label.to_vec(), planes(i)].concat()).collect()
}

fn write_binary_ten(folder: &Path) {
    for batch in 1..=5_u8 {
        fs::write(folder.join(format!("data_batch_{batch}.bin")), binary(&[&[batch], &[9 - batch]])).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), binary(&[&[0], &[9], &[4]])).unwrap();
    // The published file ends with an empty line.
    fs::write(folder.join("batches.meta.txt"), name_list(10).join("\n") + "\n\n").unwrap();
}

/// How a writer spells bytes, short texts and globals.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Writer {
    /// Protocol 2 by Python 2, as the set is published.
    Python2,
    /// Protocol 2 by Python 3: bytes are Latin-1 texts.
    Python3Protocol2,
    Protocol3,
    Protocol4,
}

impl Writer {
    fn text(self, text: &str) -> Vec<u8> {
        let n = text.len();
        match self {
            Self::Python2 => [b"U", [n as u8].as_slice(), text.as_bytes()].concat(),
            Self::Protocol4 => [[0x8c, n as u8].as_slice(), text.as_bytes(), &[0x94]].concat(),
            _ => [b"X", (n as u32).to_le_bytes().as_slice(), text.as_bytes()].concat(),
        }
    }

    fn bytes(self, bytes: &[u8]) -> Vec<u8> {
        let length = (bytes.len() as u32).to_le_bytes();
        match self {
            Self::Python2 => [b"T", length.as_slice(), bytes].concat(),
            Self::Python3Protocol2 => {
                let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
                [self.global("_codecs", "encode"), self.text(&text), self.text("latin1"), b"\x86R".to_vec()]
                    .concat()
            }
            _ => [b"B", length.as_slice(), bytes].concat(),
        }
    }

    fn global(self, module: &str, name: &str) -> Vec<u8> {
        match self {
            Self::Protocol4 => [self.text(module), self.text(name), vec![0x93, 0x94]].concat(),
            _ => format!("c{module}\n{name}\n").into_bytes(),
        }
    }

    fn header(self) -> Vec<u8> {
        match self {
            Self::Protocol3 => vec![0x80, 3],
            Self::Protocol4 => [[0x80, 4, 0x95].as_slice(), &[0; 8]].concat(),
            _ => vec![0x80, 2],
        }
    }

    fn array(self, n: usize, width: usize, data: &[u8]) -> Vec<u8> {
        let short = |n: usize| [b"M".as_slice(), &(n as u16).to_le_bytes()].concat();
        [
            self.global("numpy.core.multiarray", "_reconstruct"),
            self.global("numpy", "ndarray"),
            [b"K\x00\x85".to_vec(), self.text("b"), b"\x87Rq\x09".to_vec()].concat(),
            [b"(K\x01".to_vec(), short(n), short(width), b"\x86".to_vec()].concat(),
            self.global("numpy", "dtype"),
            [self.text("u1"), b"K\x00K\x01\x87R(K\x03".to_vec(), self.text("|")].concat(),
            b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89".to_vec(),
            [self.bytes(data), b"tb".to_vec()].concat(),
        ]
        .concat()
    }

    /// A dictionary as the published files have it.
    fn batch(self, key: &str, labels: &[u8]) -> Vec<u8> {
        let data: Vec<u8> = (0..labels.len()).flat_map(planes).collect();
        let list: Vec<u8> = labels.iter().flat_map(|&label| [b'K', label]).collect();
        [
            [self.header(), b"}q\x01(".to_vec(), self.text("batch_label"), self.text("batch 1 of 5")]
                .concat(),
            [self.text(key), b"]q\x04(".to_vec(), list, b"e".to_vec()].concat(),
            [self.text("data"), self.array(labels.len(), VALUES, &data), b"u.".to_vec()].concat(),
        ]
        .concat()
    }

    fn meta(self, key: &str, names: &[String]) -> Vec<u8> {
        let list: Vec<u8> = names.iter().flat_map(|name| self.text(name)).collect();
        [self.header(), b"}(".to_vec(), self.text(key), b"](".to_vec(), list, b"eu.".to_vec()].concat()
    }
}

fn write_python_ten(folder: &Path, writer: Writer) {
    for batch in 1..=5_u8 {
        let bytes = writer.batch("labels", &[batch, 9 - batch]);
        fs::write(folder.join(format!("data_batch_{batch}")), bytes).unwrap();
    }
    fs::write(folder.join("test_batch"), writer.batch("labels", &[0, 9, 4])).unwrap();
    fs::write(folder.join("batches.meta"), writer.meta("label_names", &name_list(10))).unwrap();
}

/// Packs a folder as the publisher does: one top folder, gzip.
fn pack(folder: &Path, top: &str, target: &Path) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    builder.append_dir_all(top, folder).unwrap();
    let bytes = builder.into_inner().unwrap().finish().unwrap();
    fs::write(target, &bytes).unwrap();
    bytes
}

fn refusal(got: Result<ImageSet, Error>) -> ImageError {
    match got {
        Err(Error::Image(error)) => error,
        other => panic!("expected a refused image file, got {other:?}"),
    }
}

#[test]
fn both_versions_and_every_place_give_the_same_images() {
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join("cifar-10-batches-bin");
    fs::create_dir(&bin).unwrap();
    write_binary_ten(&bin);
    let set = Cifar::Ten.read(&bin).unwrap();
    assert_eq!(set.train.labels(), [1, 8, 2, 7, 3, 6, 4, 5, 5, 4]);
    assert_eq!((set.test.labels(), set.test.size()), ([0, 9, 4].as_slice(), (32, 32, 3)));
    assert_eq!(set.train.class_names()[7], "class_7");
    // Row 3, column 5, blue of the second image: plane 2, place 3 * 32 + 5.
    assert_eq!(set.test.image(1)[(3 * 32 + 5) * 3 + 2], planes(1)[2 * PLANE + 101]);
    let images = |path: &Path| {
        let set = Cifar::Ten.read(path).unwrap();
        (set.train, set.test)
    };
    let expected = (set.train, set.test);
    assert_eq!(images(root.path()), expected);
    let elsewhere = tempfile::tempdir().unwrap();
    let archive = elsewhere.path().join("cifar-10-binary.tar.gz");
    pack(&bin, "cifar-10-batches-bin", &archive);
    assert_eq!(images(&archive), expected);
    assert_eq!(images(elsewhere.path()), expected);
    for writer in [Writer::Python2, Writer::Python3Protocol2, Writer::Protocol3, Writer::Protocol4] {
        let root = tempfile::tempdir().unwrap();
        let py = root.path().join("cifar-10-batches-py");
        fs::create_dir(&py).unwrap();
        write_python_ten(&py, writer);
        assert_eq!(images(&py), expected, "{writer:?}");
        assert_eq!(images(root.path()), expected, "{writer:?}");
    }
}

#[test]
fn the_named_set_has_columns_row_by_row_with_channels_together() {
    let root = tempfile::tempdir().unwrap();
    write_binary_ten(root.path());
    let options = crate::LoadOptions { root: Some(root.path().into()), ..Default::default() };
    let set = crate::load("cifar10", &options).unwrap();
    assert_eq!((set.name.as_str(), set.n_classes(), set.image), ("cifar10", Some(10), None));
    assert_eq!(set.layout, crate::InputLayout::Image { height: 32, width: 32, channels: 3 });
    assert_eq!(set.feature_names[32 * 3 + 1], "pixel_1_0_1");
    assert_eq!(set.test.inputs[[2, 32 * 3 + 1]], f32::from(planes(2)[PLANE + 32]) / 255.0);
    assert!(set.provenance.contains("binary version"), "{}", set.provenance);
}

#[test]
fn cifar_100_takes_the_fine_labels_of_both_versions() {
    let root = tempfile::tempdir().unwrap();
    let (bin, py) = (root.path().join("b"), root.path().join("p"));
    fs::create_dir(&bin).unwrap();
    fs::create_dir(&py).unwrap();
    fs::write(bin.join("train.bin"), binary(&[&[19, 99], &[3, 0], &[7, 41]])).unwrap();
    fs::write(bin.join("test.bin"), binary(&[&[1, 2]])).unwrap();
    fs::write(bin.join("fine_label_names.txt"), name_list(100).join("\n")).unwrap();
    fs::write(py.join("train"), Writer::Python2.batch("fine_labels", &[99, 0, 41])).unwrap();
    fs::write(py.join("test"), Writer::Python2.batch("fine_labels", &[2])).unwrap();
    fs::write(py.join("meta"), Writer::Python2.meta("fine_label_names", &name_list(100))).unwrap();
    let (bin, py) = (Cifar::Hundred.read(&bin).unwrap(), Cifar::Hundred.read(&py).unwrap());
    assert_eq!(bin.train.labels(), [99, 0, 41]);
    assert_eq!((&bin.train, &bin.test), (&py.train, &py.test));
}

#[test]
fn a_truncated_archive_is_refused_wherever_it_ends() {
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join("cifar-10-batches-bin");
    fs::create_dir(&bin).unwrap();
    write_binary_ten(&bin);
    let archive = root.path().join("copy.tar.gz");
    let whole = pack(&bin, "cifar-10-batches-bin", &archive);
    for cut in [20, whole.len() / 2, whole.len() - 3] {
        fs::write(&archive, &whole[..cut]).unwrap();
        let got = Cifar::Ten.read(&archive).unwrap_err();
        assert!(matches!(got, Error::Compressed { .. }), "cut at {cut}: {got}");
    }
}

#[test]
fn binary_files_with_wrong_lengths_labels_or_names_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let with = |name: &str, bytes: Vec<u8>| {
        write_binary_ten(folder);
        fs::write(folder.join(name), bytes).unwrap();
        refusal(Cifar::Ten.read(folder))
    };
    let mut short = binary(&[&[1], &[2]]);
    short.pop();
    assert!(matches!(with("data_batch_3.bin", short), ImageError::FileSize { got: 6145, .. }));
    assert!(matches!(with("test_batch.bin", Vec::new()), ImageError::FileSize { got: 0, .. }));
    let got = with("data_batch_2.bin", binary(&[&[1], &[10]]));
    assert!(
        matches!(got, ImageError::LabelOutOfRange { position: 1, label: 10, n_classes: 10, .. }),
        "{got}"
    );
    let got = with("batches.meta.txt", b"cat\ndog\n".to_vec());
    assert!(matches!(got, ImageError::ClassNames { expected: 10, got: 2, .. }), "{got}");
    write_binary_ten(folder);
    fs::remove_file(folder.join("data_batch_4.bin")).unwrap();
    let got = Cifar::Ten.read(folder).unwrap_err();
    assert!(
        matches!(&got, Error::SetNotFound { looked_for, .. } if looked_for == "`data_batch_4.bin`"),
        "{got}"
    );
}

#[test]
fn pickles_of_another_protocol_or_with_anything_to_execute_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let with = |bytes: &[u8]| {
        write_python_ten(folder, Writer::Python2);
        fs::write(folder.join("data_batch_1"), bytes).unwrap();
        refusal(Cifar::Ten.read(folder))
    };
    assert!(matches!(with(b"\x80\x05}."), ImageError::PickleProtocol { got: 5, .. }));
    assert!(matches!(with(b"(dp1\nS'data'\n"), ImageError::PickleProtocol { got: 0, .. }));
    let got = with(b"\x80\x02cos\nsystem\nU\x02ls\x85R.");
    assert!(
        matches!(&got, ImageError::Pickle { offset: 2, problem, .. } if problem.contains("os.system")),
        "{got}"
    );
    // EXT1, an opcode that would look up a registered class.
    assert!(matches!(with(b"\x80\x02N\x82\x01."), ImageError::PickleOpcode { offset: 3, opcode: 0x82, .. }));
    assert!(matches!(with(b"\x80\x02]."), ImageError::PickleEntry { key: "data", .. }));
    let good = Writer::Python2.batch("labels", &[1, 2]);
    for cut in [0, 1, 2, 40, good.len() / 2, good.len() - 1] {
        assert!(matches!(with(&good[..cut]), ImageError::Pickle { .. }), "cut at {cut}");
    }
    assert!(matches!(with(&[&good[..], b"x"].concat()), ImageError::Pickle { .. }));
    let got = with(&Writer::Python2.batch("coarse_labels", &[1, 2]));
    assert!(matches!(got, ImageError::PickleEntry { key: "labels", .. }), "{got}");
    let got = with(&Writer::Python2.batch("labels", &[1, 200]));
    assert!(matches!(got, ImageError::LabelOutOfRange { position: 1, label: 200, .. }), "{got}");
}

#[test]
fn arrays_that_are_no_byte_images_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let good = Writer::Python2.batch("labels", &[1, 2]);
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).unwrap();
        let bytes = [&good[..at], to, &good[at + from.len()..]].concat();
        write_python_ten(folder, Writer::Python2);
        fs::write(folder.join("data_batch_1"), bytes).unwrap();
        refusal(Cifar::Ten.read(folder))
    };
    assert!(matches!(replaced(b"U\x02u1", b"U\x02f4"), ImageError::Pickle { .. }));
    assert!(matches!(replaced(b"K\x00tb\x89", b"K\x00tb\x88"), ImageError::Pickle { .. }), "Fortran order");
    assert!(
        matches!(replaced(b"M\x02\x00", b"M\x03\x00"), ImageError::Pickle { .. }),
        "shape against length"
    );
    let got = replaced(b"M\x02\x00M\x00\x0c", b"M\x04\x00M\x00\x06");
    assert!(matches!(got, ImageError::PickleEntry { key: "data", .. }), "{got}");
    assert!(matches!(replaced(b"K\x02e", b"e"), ImageError::LabelCount { n_images: 2, n_labels: 1, .. }));
}

#[test]
fn malformed_pickles_never_panic() {
    let good = Writer::Protocol4.batch("labels", &[1]);
    let path = Path::new("fuzzed");
    for at in 2..good.len().min(400) {
        for value in [0, b'.', b'(', b't', b'R', b'b', b'h', b'e', 0x85, 0x93, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            if let Ok(parsed) = pickle::parse(&bytes, path) {
                let _ = (parsed.array("data"), parsed.integers("labels"));
            }
        }
    }
}
