//! ImageNet in its official archives and in class folders, two classes of a few images.

#![allow(clippy::unwrap_used)]

use image::ExtendedColorType::Rgb8;

use super::super::decode::tests::{cmyk, gradient, jpeg, png};
use super::*;
use crate::image::Preprocess;

pub(crate) const CAT: &str = "n02123045";
pub(crate) const FISH: &str = "n01440764";

pub(crate) fn photo(shade: u8) -> Vec<u8> {
    png(&gradient(12, 9, shade), 12, 9, Rgb8)
}

pub(crate) fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn class_tar(wnid: &str, shades: &[u8]) -> (String, Vec<u8>) {
    let files: Vec<_> =
        shades.iter().enumerate().map(|(i, &shade)| (format!("{wnid}_{i}.JPEG"), photo(shade))).collect();
    (format!("{wnid}.tar"), tar_of(&files))
}

pub(crate) fn val_files() -> Vec<(String, Vec<u8>)> {
    [3, 1, 2].map(|i| (format!("ILSVRC2012_val_0000000{i}.JPEG"), photo(i * 10))).to_vec()
}

fn shades(index: &ImageIndex) -> Vec<(u8, usize)> {
    (0..index.len()).map(|i| (index.picture(i).unwrap().pixels[0], index.label(i))).collect()
}

#[test]
fn the_training_archive_of_archives_and_its_folders_are_the_same_index() {
    let root = tempfile::tempdir().unwrap();
    let archive = root.path().join(TRAIN_TAR);
    fs::write(&archive, tar_of(&[class_tar(CAT, &[5, 6, 7]), class_tar(FISH, &[1])])).unwrap();
    let folders = tempfile::tempdir().unwrap();
    for (class, i, shade) in [(CAT, 0, 5), (CAT, 1, 6), (CAT, 2, 7), (FISH, 0, 1)] {
        let folder = folders.path().join("train").join(class);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{class}_{i}.JPEG")), photo(shade)).unwrap();
    }
    for path in [&archive, root.path(), folders.path(), &folders.path().join("train")] {
        let index = imagenet_train(path).unwrap();
        assert_eq!(index.class_names(), [FISH, CAT]);
        assert_eq!(shades(&index), [(1, 0), (5, 1), (6, 1), (7, 1)], "{}", path.display());
    }
    let index = imagenet_train(&archive).unwrap();
    assert!(index.name(3).to_string_lossy().ends_with(&format!("{TRAIN_TAR}:{CAT}_2.JPEG")));
    let preprocess = Preprocess::CenterCrop { size: 4, padding: 1 };
    assert_eq!(index.decode(2, preprocess, 0).unwrap().len(), 48);
}

#[test]
fn truncated_archives_and_empty_classes_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let archive = root.path().join(TRAIN_TAR);
    let whole = tar_of(&[class_tar(CAT, &[5, 6, 7]), class_tar(FISH, &[1])]);
    for cut in [whole.len() - 2048, whole.len() / 2, 700] {
        fs::write(&archive, &whole[..cut]).unwrap();
        assert!(imagenet_train(&archive).is_err(), "cut at {cut}");
    }
    let mut files = val_files();
    files[0].0 = "readme.txt".into();
    fs::write(&archive, tar_of(&[(format!("{CAT}.tar"), tar_of(&files[..1]))])).unwrap();
    let got = imagenet_train(&archive).unwrap_err();
    assert!(matches!(&got, Error::Image(ImageError::EmptyClass { class, .. }) if class == CAT), "{got}");
    fs::create_dir_all(root.path().join("val").join(FISH)).unwrap();
    assert!(matches!(imagenet_val(root.path(), None), Err(Error::Image(ImageError::EmptyClass { .. }))));
}

#[test]
fn validation_labels_come_from_lists_or_the_devkit() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    fs::write(path.join(VAL_TAR), tar_of(&val_files())).unwrap();
    let flat = tempfile::tempdir().unwrap();
    fs::create_dir(flat.path().join("val")).unwrap();
    val_files()
        .iter()
        .for_each(|(name, bytes)| fs::write(flat.path().join("val").join(name), bytes).unwrap());
    let text = |name: &str, text: &str| {
        fs::write(path.join(name), text).unwrap();
        path.join(name)
    };
    let in_order = text("order.txt", &format!("{CAT}\n{FISH}\n{CAT}\n"));
    let by_name = text(
        "val_labels.csv",
        &format!(
            "ImageId,Label\nILSVRC2012_val_00000002,{FISH} 1 2 3 4\nILSVRC2012_val_00000001.JPEG,{CAT}\nILSVRC2012_val_00000003,{CAT}\n"
        ),
    );
    // Number 1 is the cat although its id sorts behind the fish's.
    let ids = text("ids.txt", &format!("{CAT} cat\n{FISH} fish\n"));
    let ground_truth = text(&format!("x_{}", "ILSVRC2012_validation_ground_truth.txt"), "1\n2\n1\n");
    let devkit = path.join("ILSVRC2012_devkit_t12.tar.gz");
    let member = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt".to_owned();
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(&devkit).unwrap(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &tar_of(&[(member, b"1\n2\n1\n".to_vec())])).unwrap();
    encoder.finish().unwrap();
    let sources = [
        ValLabels::Synsets(in_order),
        ValLabels::Synsets(by_name),
        ValLabels::Devkit { ground_truth: ground_truth.clone(), synsets: ids.clone() },
        ValLabels::Devkit { ground_truth: devkit, synsets: ids.clone() },
    ];
    for labels in &sources {
        for place in [path, flat.path()] {
            let index = imagenet_val(place, Some(labels)).unwrap();
            assert_eq!(shades(&index), [(10, 1), (20, 0), (30, 1)], "{labels:?}");
            assert_eq!(index.class_names(), [FISH, CAT]);
        }
    }
    assert!(matches!(imagenet_val(path, None), Err(Error::Image(ImageError::NotFound { .. }))));
    let refusal = |labels| imagenet_val(path, Some(&labels)).unwrap_err();
    let got = refusal(ValLabels::Synsets(text("short.txt", &format!("{CAT}\n{FISH}\n"))));
    assert!(matches!(got, Error::Image(ImageError::LabelCount { n_images: 3, n_labels: 2, .. })), "{got}");
    let got = refusal(ValLabels::Synsets(text("bad.txt", &format!("{CAT}\ncat\n{CAT}\n"))));
    assert!(matches!(got, Error::Image(ImageError::LabelLine { row: 2, .. })), "{got}");
    // A list in the order of the ids is published too, and is not the one that the numbers mean.
    let sorted: String = (0..1_000).map(|i| format!("n{i:08}\n")).collect();
    let sorted =
        ValLabels::Devkit { ground_truth: ground_truth.clone(), synsets: text("sorted.txt", &sorted) };
    assert!(refusal(sorted).to_string().contains("the list is sorted, the numbers are not"));
    for number in ["0", "3", "x"] {
        fs::write(&ground_truth, format!("1\n{number}\n1\n")).unwrap();
        let got = refusal(ValLabels::Devkit { ground_truth: ground_truth.clone(), synsets: ids.clone() });
        assert!(matches!(got, Error::Image(ImageError::LabelLine { row: 2, .. })), "{got}");
    }
}

#[test]
fn corrupted_copies_are_indexed_by_name_and_severity_in_both_layouts() {
    let root = tempfile::tempdir().unwrap();
    for (corruption, shade) in [("blur/defocus_blur", 40), ("fog", 50)] {
        for severity in 1..=2_u8 {
            let folder = root.path().join(corruption).join(severity.to_string()).join(FISH);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("a.JPEG"), photo(shade + severity)).unwrap();
        }
    }
    let set = ImageNetC::open(root.path()).unwrap();
    assert_eq!(set.corruptions(), ["defocus_blur", "fog"]);
    assert!(set.has("fog", 2) && !set.has("fog", 3) && !set.has("frost", 1));
    assert_eq!(shades(&set.index("defocus_blur", 2).unwrap()), [(42, 0)]);
    let got = set.index("defocus_blr", 1).unwrap_err().to_string();
    assert!(got.contains("did you mean `defocus_blur`?"), "{got}");
    assert!(matches!(set.index("fog", 6), Err(Error::Image(ImageError::Setting { .. }))));
    assert!(matches!(set.index("fog", 3), Err(Error::Io { .. })), "severity 3 is not there");
}

#[test]
fn a_bad_file_is_named_when_it_is_decoded_and_the_others_are_not_touched() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(CAT);
    fs::create_dir(&folder).unwrap();
    let whole = jpeg(&gradient(12, 9, 1), 12, 9, Rgb8);
    fs::write(folder.join("a.JPEG"), &whole[..whole.len() - 9]).unwrap();
    fs::write(folder.join("b.JPEG"), &whole).unwrap();
    fs::write(folder.join("c.JPEG"), cmyk()).unwrap();
    let index = ImageIndex::from_class_folders(root.path()).unwrap();
    let got = index.picture(0).unwrap_err().to_string();
    assert!(got.contains("a.JPEG: truncated"), "{got}");
    assert_eq!(index.picture(1).unwrap().width, 12);
    let strict = index.clone().with_channels(crate::image::Channels::Rgb);
    assert!(strict.picture(2).unwrap_err().to_string().contains("CMYK"));
    assert!(!index.picture(2).unwrap_err().to_string().contains("(CMYK), expected"));
}
