//! Image folders and their archives, with good and bad files.

#![allow(clippy::unwrap_used)]

use image::ExtendedColorType::{L8, Rgb8};

use super::super::decode::tests::{cmyk, gradient, jpeg, png};
use super::*;

const SKIP: FolderOptions = FolderOptions {
    channels: Channels::Rgb,
    on_bad: OnBadImage::Skip,
    formats: Formats { webp: false, bmp: false, tiff: false },
};

fn put(root: &Path, file: &str, bytes: &[u8]) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn image(shade: u8) -> Vec<u8> {
    png(&gradient(8, 5, shade), 8, 5, Rgb8)
}

/// Two classes, three and one training images, one test image; names out of order.
fn write(root: &Path, test: &str) {
    put(root, "train/dog/b.png", &image(2));
    put(root, "train/cat/z.PNG", &image(30));
    put(root, "train/cat/a.png", &image(10));
    put(root, "train/cat/k.jpg", &jpeg(&[20; 40], 8, 5, L8));
    put(root, "train/cat/.hidden", b"no image");
    put(root, &format!("{test}/dog/x.png"), &image(4));
}

fn archive(root: &Path, gzip: bool) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let level = if gzip { flate2::Compression::fast() } else { flate2::Compression::none() };
    let mut builder = tar::Builder::new(Vec::new());
    // The test part first: the order in the archive must not matter.
    for part in ["test", "val", "train"].iter().filter(|part| root.join(part).exists()) {
        builder.append_dir_all(format!("./outer/{part}"), root.join(part)).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    if gzip {
        let mut encoder = flate2::write::GzEncoder::new(fs::File::create(file.path()).unwrap(), level);
        std::io::Write::write_all(&mut encoder, &tar).unwrap();
        encoder.finish().unwrap();
    } else {
        fs::write(file.path(), tar).unwrap();
    }
    file
}

fn refusal(path: &Path, options: &FolderOptions) -> ImageError {
    match read_image_folder(path, options) {
        Err(Error::Image(error)) => error,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_folder_and_its_archives_are_the_same_set_in_the_order_of_the_names() {
    for test in ["test", "val"] {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), test);
        let set = read_image_folder(root.path(), &FolderOptions::default()).unwrap();
        assert_eq!(set.train.class_names(), ["cat", "dog"]);
        assert_eq!((set.train.labels(), set.test.labels()), ([0, 0, 0, 1].as_slice(), [1].as_slice()));
        let shades: Vec<u8> = (0..4).map(|i| set.train.image(i)[0]).collect();
        assert_eq!((shades, set.train.size()), (vec![10, 20, 30, 2], (5, 8, 3)));
        for gzip in [false, true] {
            let archive = archive(root.path(), gzip);
            let read = read_image_folder(archive.path(), &FolderOptions::default()).unwrap();
            assert_eq!((read.train, read.test), (set.train.clone(), set.test.clone()), "gzip: {gzip}");
        }
        let dataset = load_image_folder(root.path(), &FolderOptions::default()).unwrap();
        assert_eq!((dataset.n_features(), dataset.image, dataset.layout), (120, None, set.train.layout()));
    }
}

#[test]
fn bad_files_among_good_ones_stop_the_reading_or_are_listed() {
    let whole = jpeg(&gradient(8, 5, 9), 8, 5, Rgb8);
    let bad: [(&str, &[u8], &str); 4] = [
        ("train/cat/cmyk.jpg", &cmyk(), "CMYK"),
        ("train/cat/short.jpg", &whole[..whole.len() - 20], "truncated"),
        ("train/dog/text.png", b"not an image", "expected JPEG, PNG"),
        ("test/dog/notes.txt", b"hello", "does not end in"),
    ];
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "test");
    let clean = read_image_folder(root.path(), &SKIP).unwrap();
    for (file, bytes, problem) in bad {
        put(root.path(), file, bytes);
        for options in
            [FolderOptions::default(), FolderOptions { channels: Channels::Rgb, ..Default::default() }]
        {
            let got = refusal(root.path(), &options).to_string();
            assert!(got.contains(file) && got.contains(problem), "{got}");
        }
        let set = read_image_folder(root.path(), &SKIP).unwrap();
        assert_eq!((&set.train, &set.test), (&clean.train, &clean.test));
        assert_eq!(set.skipped.len(), 1);
        assert!(set.skipped[0].path.ends_with(file), "{:?}", set.skipped);
        assert!(set.to_dataset("x").unwrap().provenance.ends_with("; 1 unusable files left out"));
        let archive = archive(root.path(), true);
        assert!(refusal(archive.path(), &FolderOptions::default()).to_string().contains(file));
        assert_eq!(read_image_folder(archive.path(), &SKIP).unwrap().train, clean.train);
        fs::remove_file(root.path().join(file)).unwrap();
    }
}

#[test]
fn mixed_sizes_are_refused_with_both_files_and_sizes() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "test");
    put(root.path(), "train/dog/odd.png", &png(&gradient(5, 8, 1), 5, 8, Rgb8));
    for options in [FolderOptions::default(), SKIP] {
        let got = refusal(root.path(), &options);
        let ImageError::MixedSizes { first, expected, path, got } = got else { panic!("{got}") };
        assert!(first.ends_with("train/cat/a.png") && path.ends_with("train/dog/odd.png"));
        assert_eq!((expected, got), ((5, 8), (8, 5)));
    }
}

#[test]
fn empty_and_unknown_classes_and_missing_parts_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    assert!(matches!(refusal(path, &SKIP), ImageError::NotFound { .. }));
    put(path, "train/cat/a.png", &image(1));
    assert!(refusal(path, &SKIP).to_string().contains("`test/<class>/<image>`"));
    put(path, "test/cat/a.png", &image(1));
    assert!(read_image_folder(path, &SKIP).is_ok());
    put(path, "test/cow/a.png", &image(1));
    assert!(matches!(refusal(path, &SKIP), ImageError::UnknownClass { class, .. } if class == "cow"));
    fs::create_dir(path.join("train/cow")).unwrap();
    for place in [path, archive(path, true).path()] {
        assert!(matches!(refusal(place, &SKIP), ImageError::EmptyClass { class, .. } if class == "cow"));
    }
    put(path, "train/cow/bad.png", b"not an image");
    assert!(matches!(refusal(path, &SKIP), ImageError::EmptyClass { class, .. } if class == "cow"));
}

#[test]
fn a_truncated_archive_is_refused() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "test");
    let archive = archive(root.path(), true);
    let bytes = fs::read(archive.path()).unwrap();
    for cut in [30, bytes.len() / 2, bytes.len() - 2] {
        fs::write(archive.path(), &bytes[..cut]).unwrap();
        let got = read_image_folder(archive.path(), &SKIP).unwrap_err();
        assert!(matches!(got, Error::Compressed { .. }), "cut at {cut}: {got}");
    }
}

#[test]
fn names_of_any_characters_are_told_on_one_line() {
    let class = "ca\u{1a}\nt".to_owned();
    for error in [
        ImageError::EmptyClass { path: PathBuf::from("x.tar").join(&class), class: class.clone() },
        ImageError::BadImage { path: format!("x.tar:{class}/0.png").into(), problem: "no image".into() },
        ImageError::NestedImages { path: class.clone().into(), example: class },
    ] {
        let text = error.to_string();
        assert!(text.contains("ca\\u{1a}\\nt") && !text.contains(char::is_control), "{text}");
    }
}
