//! Both parts of ImageNet in the places where users keep them, and what does not fit together.

#![allow(clippy::unwrap_used)]

use super::super::imagenet::tests::{CAT, FISH, class_tar, photo, tar_of, val_files};
use super::*;

/// A folder with the two official archives, the training one of these classes.
fn archives(classes: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let members: Vec<_> = classes.iter().map(|class| class_tar(class, &[5, 6])).collect();
    fs::write(root.path().join(TRAIN_TAR), tar_of(&members)).unwrap();
    fs::write(root.path().join(VAL_TAR), tar_of(&val_files())).unwrap();
    root
}

fn put(root: &Path, file: &str, content: &[u8]) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn archives_with_labels_and_folders_are_found_and_share_their_classes() {
    let root = archives(&[CAT, FISH]);
    put(root.path(), "LOC_val_solution.csv", b"ImageId,PredictionString\n");
    let labels = format!("{CAT}\n{FISH}\n{CAT}\n");
    // Our own name comes first, so that a user can overrule.
    put(root.path(), "val_labels.txt", labels.as_bytes());
    let set = ImageNet::open(root.path()).unwrap();
    assert_eq!(set.train.class_names(), [FISH, CAT]);
    assert_eq!((set.train.labels(), set.val.labels()), (vec![0, 0, 1, 1], vec![1, 0, 1]));
    let unpacked = tempfile::tempdir().unwrap();
    for (file, shade) in [("train/A/a.JPEG", 1), ("train/B/b.JPEG", 2), ("train/C/c.JPEG", 3)] {
        put(unpacked.path(), &format!("imagenet/{file}"), &photo(shade));
    }
    put(unpacked.path(), "imagenet/val/C/v.JPEG", &photo(9));
    let set = ImageNet::open(unpacked.path()).unwrap();
    assert_eq!((set.train.len(), set.val.labels()), (3, vec![2]));
    assert_eq!(set.val.class_names(), ["A", "B", "C"]);
    assert!(set.provenance.starts_with("ImageNet (ILSVRC2012), 3 classes"), "{}", set.provenance);
}

#[test]
fn the_devkit_needs_the_list_of_its_numbers() {
    let root = archives(&[CAT, FISH]);
    put(root.path(), "ILSVRC2012_validation_ground_truth.txt", b"1\n2\n1\n");
    let got = ImageNet::open(root.path()).unwrap_err().to_string();
    assert!(got.contains("no labels (val_labels.txt") && got.contains("ILSVRC2012_synsets.txt"), "{got}");
    put(root.path(), "ILSVRC2012_synsets.txt", format!("{CAT}\n{FISH}\n").as_bytes());
    assert_eq!(ImageNet::open(root.path()).unwrap().val.labels(), [1, 0, 1]);
}

#[test]
fn missing_parts_and_classes_that_are_not_trained_on_are_refused() {
    let root = archives(&[FISH]);
    put(root.path(), "val_labels.txt", format!("{FISH}\n{CAT}\n{FISH}\n").as_bytes());
    match ImageNet::open(root.path()).unwrap_err() {
        Error::Image(ImageError::UnknownClass { path, class }) => {
            assert_eq!(class, CAT);
            assert!(path.to_string_lossy().ends_with("ILSVRC2012_val_00000002.JPEG"), "{}", path.display());
        }
        other => panic!("{other}"),
    }
    fs::remove_file(root.path().join(VAL_TAR)).unwrap();
    let got = ImageNet::open(root.path()).unwrap_err();
    assert!(
        matches!(&got, Error::SetNotFound { looked_for, .. } if looked_for.contains("`val` folder")),
        "{got}"
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(ImageNet::open(empty.path()), Err(Error::SetNotFound { set: "imagenet", .. })));
    assert!(matches!(ImageNet::open(&empty.path().join("absent")), Err(Error::Io { .. })));
}
