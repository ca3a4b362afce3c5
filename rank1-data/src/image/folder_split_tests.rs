//! A user's own images, divided or not, in memory and as a list.

#![allow(clippy::unwrap_used)]

use image::ExtendedColorType::Rgb8;

use super::super::decode::tests::{gradient, png};
use super::*;
use crate::image::OnBadImage;

const STOP: OnBadImage = OnBadImage::Stop;
const TENTH: TestShare = TestShare { fraction: None, seed: 3 };

fn put(root: &Path, file: &str, bytes: &[u8]) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn photo(shade: u8) -> Vec<u8> {
    png(&gradient(6, 5, shade), 6, 5, Rgb8)
}

/// Twenty images of one class and ten of the other.
fn undivided() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for i in 0..20 {
        put(root.path(), &format!("rose/{i:02}.png"), &photo(i));
        if i < 10 {
            put(root.path(), &format!("oak/{i:02}.png"), &photo(100 + i));
        }
    }
    root
}

#[test]
fn every_class_gives_its_share_in_memory_as_a_list_and_from_an_archive() {
    let root = undivided();
    let set = read_own_images(root.path(), &FolderOptions::default(), TENTH).unwrap();
    assert_eq!(set.train.class_names(), ["oak", "rose"]);
    let count = |labels: &[usize]| [0, 1].map(|class| labels.iter().filter(|&&l| l == class).count());
    assert_eq!((count(set.train.labels()), count(set.test.labels())), ([9, 18], [1, 2]));
    let IndexedImages { train, test, .. } =
        index_own_images(root.path(), &FolderOptions::default(), TENTH).unwrap();
    assert_eq!(
        (train.labels().as_slice(), test.labels().as_slice()),
        (set.train.labels(), set.test.labels())
    );
    assert_eq!(test.picture(2).unwrap().pixels, set.test.image(2));
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut builder = tar::Builder::new(fs::File::create(file.path()).unwrap());
    builder.append_dir_all("./flowers", root.path()).unwrap();
    builder.finish().unwrap();
    drop(builder);
    let packed = read_own_images(file.path(), &FolderOptions::default(), TENTH).unwrap();
    assert_eq!((packed.train, packed.test), (set.train, set.test));
    let got = index_own_images(file.path(), &FolderOptions::default(), TENTH).unwrap_err().to_string();
    assert!(got.contains("unpack it"), "{got}");
    let half = TestShare { fraction: Some(0.5), ..TENTH };
    assert_eq!(index_own_images(root.path(), &FolderOptions::default(), half).unwrap().test.len(), 15);
}

#[test]
fn images_that_are_divided_stay_so_and_take_no_share() {
    let root = tempfile::tempdir().unwrap();
    for (file, shade) in [("train/oak/a.png", 1), ("train/rose/b.png", 2), ("val/rose/c.png", 3)] {
        put(root.path(), file, &photo(shade));
    }
    let set = read_own_images(root.path(), &FolderOptions::default(), TENTH).unwrap();
    let IndexedImages { train, test, .. } =
        index_own_images(root.path(), &FolderOptions::default(), TENTH).unwrap();
    assert_eq!((set.train.len(), set.test.labels()), (2, [1].as_slice()));
    assert_eq!((train.len(), test.labels()), (2, vec![1]));
    let share = TestShare { fraction: Some(0.2), ..TENTH };
    for got in [
        read_own_images(root.path(), &FolderOptions::default(), share).map(|_| ()),
        index_own_images(root.path(), &FolderOptions::default(), share).map(|_| ()),
    ] {
        assert!(got.unwrap_err().to_string().contains("`test_fraction` is 0.2"));
    }
    put(root.path(), "val/fern/d.png", &photo(4));
    let got = index_own_images(root.path(), &FolderOptions::default(), TENTH).unwrap_err();
    assert!(
        matches!(got, Error::Image(ImageError::UnknownClass { ref class, .. }) if class == "fern"),
        "{got}"
    );
}

#[test]
fn unusable_files_of_a_list_are_left_out_on_demand() {
    let root = undivided();
    put(root.path(), "oak/03.png", b"no image");
    put(root.path(), "rose/17.png", &photo(1)[..60]);
    let all = ImageIndex::from_class_folders(root.path()).unwrap();
    let mut heard = 0;
    let (clean, skipped) = all.without_bad_images(|done| heard = done).unwrap();
    assert_eq!((clean.len(), heard), (28, 30));
    assert!(skipped[0].path.ends_with("03.png") && skipped[1].path.ends_with("17.png"), "{skipped:?}");
    let skip = FolderOptions { on_bad: OnBadImage::Skip, ..FolderOptions::default() };
    let stored = read_own_images(root.path(), &skip, TENTH).unwrap();
    assert_eq!(stored.train.len() + stored.test.len(), 28);
    assert_eq!(stored.skipped, skipped);
    for i in 0..10 {
        put(root.path(), &format!("oak/{i:02}.png"), b"no image");
    }
    let got = all.without_bad_images(|_| ()).unwrap_err();
    assert!(matches!(got, Error::Image(ImageError::EmptyClass { ref class, .. }) if class == "oak"), "{got}");
}

#[test]
fn files_to_predict_are_found_below_a_folder_by_name() {
    let root = undivided();
    put(root.path(), "notes.txt", b"no image");
    put(root.path(), "a.png", &photo(7));
    let (found, left) = ImageIndex::unlabeled(root.path(), STOP).unwrap();
    assert_eq!((found.len(), left.bad.len()), (31, 0));
    assert!(found.name(0).ends_with("a.png") && found.name(30).ends_with("rose/19.png"));
    assert!(left.told.len() == 1 && left.told[0].path.ends_with("notes.txt"), "{left:?}");
    assert_eq!(ImageIndex::unlabeled(&root.path().join("a.png"), STOP).unwrap().0.len(), 1);
    let empty = tempfile::tempdir().unwrap();
    let got = ImageIndex::unlabeled(empty.path(), STOP).unwrap_err();
    assert!(matches!(got, Error::Image(ImageError::NotFound { .. })), "{got}");
    // A picture of a format that is not read is no note beside pictures.
    put(root.path(), "oak/b.heic", b"....ftypheic");
    let got = ImageIndex::unlabeled(root.path(), STOP).unwrap_err().to_string();
    assert!(
        got.contains(
            "oak/b.heic: a .heic file; JPEG and PNG are read, WebP, BMP and TIFF if `formats` has them"
        ),
        "{got}"
    );
    let (found, left) = ImageIndex::unlabeled(root.path(), OnBadImage::Skip).unwrap();
    assert_eq!((found.len(), left.bad.len()), (31, 1));
}

#[test]
fn files_to_predict_that_cannot_be_used_are_found_before_anything_depends_on_them() {
    let root = undivided();
    put(root.path(), "oak/03.png", b"no image");
    put(root.path(), "rose/02.png", &png(&gradient(5, 6, 1), 5, 6, Rgb8));
    let (found, _) = ImageIndex::unlabeled(root.path(), STOP).unwrap();
    let of_size = |picture: &crate::image::Picture| {
        if picture.width == 6 { Ok(()) } else { Err(format!("{} pixels wide", picture.width)) }
    };
    let got = found.usable_images(STOP, of_size, |_| ()).unwrap_err().to_string();
    assert!(got.contains("oak/03.png"), "{got}");
    let (kept, skipped) = found.usable_images(OnBadImage::Skip, of_size, |_| ()).unwrap();
    assert_eq!((kept.len(), skipped.len()), (28, 2));
    assert_eq!(skipped[1].problem, "5 pixels wide");
    assert!(kept.name(3).ends_with("oak/04.png"));
}

#[test]
fn labeled_images_are_listed_whole_and_only_where_nothing_divides_them() {
    let root = undivided();
    let options = FolderOptions::default();
    let (index, left_out) = index_labeled_images(root.path(), &options).unwrap();
    assert_eq!(
        (index.len(), index.class_names(), left_out),
        (30, &["oak", "rose"].map(String::from)[..], LeftOut::default())
    );
    put(root.path(), "oak/notes.txt", b"no image");
    let refused = index_labeled_images(root.path(), &options).unwrap_err().to_string();
    assert!(refused.contains("notes.txt"), "{refused}");
    let skip = FolderOptions { on_bad: OnBadImage::Skip, ..options.clone() };
    let (index, left_out) = index_labeled_images(root.path(), &skip).unwrap();
    assert_eq!((index.len(), left_out.bad.len()), (30, 1));
    let divided = tempfile::tempdir().unwrap();
    put(divided.path(), "train/oak/1.png", &photo(1));
    put(divided.path(), "test/oak/1.png", &photo(2));
    for path in [divided.path().to_path_buf(), root.path().join("rose/00.png")] {
        let refused = index_labeled_images(&path, &options).unwrap_err().to_string();
        assert!(refused.contains("<class>/<image>"), "{refused}");
    }
}
