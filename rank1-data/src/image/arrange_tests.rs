//! The rule of image folders on real folders and their archives, in memory and as lists.

#![allow(clippy::unwrap_used)]

use image::ExtendedColorType::Rgb8;

use super::super::decode::tests::{gradient, png};
use super::super::{FolderOptions, OnBadImage, TestShare, index_own_images, read_own_images};
use super::*;
use crate::Error;

fn put(root: &Path, file: &str, bytes: &[u8]) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn photo(shade: u8) -> Vec<u8> {
    png(&gradient(6, 5, shade), 6, 5, Rgb8)
}

/// Ten pictures in each of two classes.
fn classes() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for i in 0..10 {
        put(root.path(), &format!("cat/{i}.png"), &photo(i));
        put(root.path(), &format!("dog/{i}.png"), &photo(100 + i));
    }
    root
}

/// Pictures that are read, names that are bad, names that are told.
type Outcome = (usize, Vec<String>, Vec<String>);

/// What comes of a folder, or the refusal: in memory, from its archive, and as a list.
fn outcomes(root: &Path, on_bad: OnBadImage) -> Vec<Result<Outcome, String>> {
    let formats = Formats { webp: true, ..Formats::default() };
    let options = FolderOptions { on_bad, formats, ..FolderOptions::default() };
    let test = TestShare { fraction: None, seed: 1 };
    let archive = tempfile::NamedTempFile::new().unwrap();
    let mut builder = tar::Builder::new(fs::File::create(archive.path()).unwrap());
    builder.follow_symlinks(false);
    builder.append_dir_all("./outer/set", root).unwrap();
    builder.finish().unwrap();
    let names = |files: &[SkippedImage]| -> Vec<String> {
        let name =
            |file: &SkippedImage| file.path.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        files.iter().map(name).collect()
    };
    let stored = |path: &Path| {
        let set = read_own_images(path, &options, test).map_err(|e| e.to_string())?;
        Ok((set.train.len() + set.test.len(), names(&set.skipped), names(&set.told)))
    };
    let listed = index_own_images(root, &options, test).map_err(|e: Error| e.to_string());
    let listed = listed.map(|set| {
        let left = set.left_out;
        (set.train.len() + set.test.len(), names(&left.bad), names(&left.told))
    });
    vec![stored(root), stored(archive.path()), listed]
}

#[test]
fn every_mode_reads_ignores_names_and_refuses_the_same_files() {
    // File, whether its bytes are a picture, and what becomes of it: read, ignored, told or bad.
    let cases = [
        ("cat/a.PNG", true, "read"),
        ("cat/b.JFIF", true, "read"),
        ("dog/c.webp", true, "read"),
        ("dog/d.tIff", true, "bad"),
        ("e.bmp", true, "bad"),
        ("dog/sub/deep.png", true, "nested"),
        ("dog/sub/more/deep.png", true, "nested"),
        (".DS_Store", false, "ignored"),
        ("cat/.DS_Store", false, "ignored"),
        ("cat/._0.png", false, "ignored"),
        ("cat/.ipynb_checkpoints/0.png", true, "ignored"),
        (".ipynb_checkpoints/0.png", true, "ignored"),
        ("__MACOSX/cat/._0.png", false, "ignored"),
        ("cat/Thumbs.db", false, "ignored"),
        ("cat/thumbs.DB", false, "ignored"),
        ("desktop.ini", false, "ignored"),
        ("dog/@eaDir/0.png/SYNOPHOTO_THUMB.jpg", true, "ignored"),
        ("readme.txt", false, "told"),
        ("labels.csv", false, "told"),
        ("loose.png", true, "bad"),
        ("loose.gif", false, "bad"),
        ("cat/notes.txt", false, "bad"),
        ("cat/no_ending", true, "bad"),
        ("dog/sub/notes.txt", false, "bad"),
        ("dog/x.heic", false, "bad"),
    ];
    for (file, is_picture, expected) in cases {
        let root = classes();
        put(root.path(), file, &if is_picture { photo(7) } else { b"text".to_vec() });
        let name = file.rsplit('/').next().unwrap();
        for (mode, got) in outcomes(root.path(), OnBadImage::Stop).into_iter().enumerate() {
            let at = format!("{file}, mode {mode}: {got:?}");
            match expected {
                "read" => assert_eq!(got.unwrap(), (21, vec![], vec![]), "{at}"),
                "nested" => assert_eq!(got.unwrap(), (21, vec![], vec!["dog".to_owned()]), "{at}"),
                "ignored" => assert_eq!(got.unwrap(), (20, vec![], vec![]), "{at}"),
                "told" => assert_eq!(got.unwrap(), (20, vec![], vec![name.to_owned()]), "{at}"),
                _ => assert!(got.as_ref().unwrap_err().contains(name), "{at}"),
            }
        }
        for (mode, got) in outcomes(root.path(), OnBadImage::Skip).into_iter().enumerate() {
            let (n, bad, _) = got.unwrap();
            if expected == "bad" {
                assert_eq!((n, bad), (20, vec![name.to_owned()]), "{file}, mode {mode}");
            } else {
                assert_eq!(bad, Vec::<String>::new(), "{file}, mode {mode}");
            }
        }
    }
}

#[test]
fn folders_that_could_be_parts_or_classes_are_refused_and_outer_ones_are_not() {
    let root = tempfile::tempdir().unwrap();
    for part in ["Train", "Test"] {
        put(root.path(), &format!("{part}/cat/0.png"), &photo(1));
        put(root.path(), &format!("{part}/dog/0.png"), &photo(2));
    }
    for got in outcomes(root.path(), OnBadImage::Skip) {
        let got = got.unwrap_err();
        assert!(
            got.contains("Test") && got.contains("cat/0.png") && got.contains("`train` and `test`"),
            "{got}"
        );
    }
    // One folder around all classes is no class.
    let inner = classes();
    let outer = tempfile::tempdir().unwrap();
    fs::rename(inner.path(), outer.path().join("animals")).unwrap();
    put(outer.path(), "README.md", b"text");
    for got in outcomes(outer.path(), OnBadImage::Stop) {
        assert_eq!(got.unwrap(), (20, vec![], vec!["README.md".to_owned()]));
    }
    fs::create_dir(inner.path()).unwrap();
}

#[test]
fn parts_that_are_not_used_are_told_and_a_class_may_be_called_train() {
    let root = tempfile::tempdir().unwrap();
    for (file, shade) in [("train/cat/0.png", 1), ("train/dog/0.png", 2), ("test/cat/0.png", 3)] {
        put(root.path(), file, &photo(shade));
    }
    put(root.path(), "val/cat/0.png", &photo(4));
    put(root.path(), "extra/0.png", &photo(5));
    for got in outcomes(root.path(), OnBadImage::Stop) {
        assert_eq!(got.unwrap(), (3, vec![], vec!["extra".to_owned(), "val".to_owned()]));
    }
    put(root.path(), "train/loose.png", &photo(6));
    for got in outcomes(root.path(), OnBadImage::Stop) {
        assert!(got.unwrap_err().contains("train/loose.png"));
    }
    let vehicles = tempfile::tempdir().unwrap();
    for i in 0..10 {
        put(vehicles.path(), &format!("bus/{i}.png"), &photo(i));
        put(vehicles.path(), &format!("train/{i}.png"), &photo(i));
    }
    for got in outcomes(vehicles.path(), OnBadImage::Stop) {
        assert_eq!(got.unwrap(), (20, vec![], vec![]));
    }
}

#[cfg(unix)]
#[test]
fn links_count_once_in_their_own_folder_and_lead_nowhere_by_name() {
    use std::os::unix::fs::symlink;
    let stored = |root: &Path, on_bad| outcomes(root, on_bad).into_iter().step_by(2).collect::<Vec<_>>();
    let elsewhere = classes();
    let root = classes();
    symlink(elsewhere.path().join("cat/0.png"), root.path().join("dog/link.png")).unwrap();
    symlink(elsewhere.path().join("cat"), root.path().join("dog/more")).unwrap();
    for got in stored(root.path(), OnBadImage::Stop) {
        let (n, bad, told) = got.unwrap();
        // The picture that is reached twice is read once.
        assert_eq!((n, bad.len(), told.len()), (30, 0, 2), "{told:?}");
    }
    symlink("0.png", root.path().join("cat/again.png")).unwrap();
    assert!(stored(root.path(), OnBadImage::Stop).into_iter().all(|got| got.unwrap().0 == 30));
    for (link, to) in
        [("cat/loop", ".."), ("cat/self", "."), ("dog/gone.png", "nowhere.png"), ("fox", "gone")]
    {
        let place = root.path().join(link);
        symlink(to, &place).unwrap();
        for got in stored(root.path(), OnBadImage::Stop) {
            let got = got.unwrap_err();
            assert!(got.contains(link) && got.contains("link") && got.contains(&format!("`{to}`")), "{got}");
        }
        for got in stored(root.path(), OnBadImage::Skip) {
            let (n, bad, _) = got.unwrap();
            assert_eq!((n, bad.len()), (30, 1), "{link}: {bad:?}");
        }
        fs::remove_file(place).unwrap();
    }
    // The members of an archive that are links have no bytes.
    let got = outcomes(root.path(), OnBadImage::Skip).swap_remove(1).unwrap();
    assert!(got.0 >= 20, "{got:?}");
}

#[cfg(unix)]
#[test]
fn a_folder_to_predict_gives_every_picture_once_whatever_links_it_holds() {
    use std::os::unix::fs::symlink;
    let root = classes();
    symlink(".", root.path().join("again")).unwrap();
    symlink("..", root.path().join("cat/up")).unwrap();
    symlink("dog", root.path().join("a_link_before_dog")).unwrap();
    symlink("cat/0.png", root.path().join("0.png")).unwrap();
    let (files, left) = arrange_unlabeled(root.path(), super::super::scan::scan_folder(root.path()).unwrap());
    assert_eq!((files.len(), left.bad.len()), (20, 0), "{left:?}");
    assert!(files.iter().all(|file| !file.linked));
    assert!(left.told.iter().any(|file| file.path.ends_with("again") && file.problem.contains("link")));
    symlink("nowhere.png", root.path().join("gone.png")).unwrap();
    let (_, left) = arrange_unlabeled(root.path(), super::super::scan::scan_folder(root.path()).unwrap());
    assert!(left.bad[0].problem.contains("dangling link: it leads to `nowhere.png`"), "{left:?}");
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_read_and_stay_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = classes();
    for (i, name) in [&b"bad\xff.png"[..], b"bad\xfe.png", b"bad\\xff.png"].into_iter().enumerate() {
        fs::write(root.path().join("cat").join(OsStr::from_bytes(name)), photo(50 + i as u8)).unwrap();
    }
    fs::rename(root.path().join("dog"), root.path().join(OsStr::from_bytes(b"do\xe9g"))).unwrap();
    for got in outcomes(root.path(), OnBadImage::Stop) {
        assert_eq!(got.unwrap(), (23, vec![], vec![]));
    }
    let set = read_own_images(root.path(), &FolderOptions::default(), TestShare { fraction: None, seed: 1 });
    assert_eq!(set.unwrap().train.class_names(), ["cat", "do\\xe9g"]);
    fs::write(root.path().join("cat").join(OsStr::from_bytes(b"bad\xff.png")), b"text").unwrap();
    // A list does not decode.
    for got in outcomes(root.path(), OnBadImage::Stop).into_iter().take(2) {
        let got = got.unwrap_err();
        assert!(got.contains("cat/bad\\xff.png: "), "{got}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_never_opened() {
    let root = classes();
    let made = std::os::unix::net::UnixListener::bind(root.path().join("cat/pipe.png")).unwrap();
    let got = outcomes_of_folder(root.path());
    drop(made);
    assert!(got.contains("cat/pipe.png: no regular file"), "{got}");
}

#[cfg(unix)]
fn outcomes_of_folder(root: &Path) -> String {
    let test = TestShare { fraction: None, seed: 1 };
    read_own_images(root, &FolderOptions::default(), test).unwrap_err().to_string()
}

#[test]
fn a_link_that_was_unpacked_as_a_text_is_followed_and_told() {
    let (root, elsewhere) = (classes(), classes());
    let target = elsewhere.path().join("dog/3.png");
    put(root.path(), "cat/link.png", target.to_str().unwrap().as_bytes());
    put(root.path(), "cat/again.png", b"../cat/3.png");
    for got in outcomes(root.path(), OnBadImage::Stop).into_iter().step_by(2) {
        let (n, bad, told) = got.unwrap();
        assert_eq!((n, bad.len(), told.len()), (21, 0, 3), "{told:?}");
    }
    put(root.path(), "cat/gone.png", b"nowhere.png");
    let got = outcomes(root.path(), OnBadImage::Stop).swap_remove(0).unwrap_err();
    assert!(got.contains("cat/gone.png: a file of another kind"), "{got}");
}

#[test]
fn archives_of_another_kind_say_what_to_do() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let test = TestShare { fraction: None, seed: 1 };
    for (start, kind) in
        [(&b"PK\x03\x04...."[..], "zip"), (b"BZh91AY&SY", "bzip2"), (b"\x28\xb5\x2f\xfd...", "zstd")]
    {
        fs::write(file.path(), start).unwrap();
        let got = read_own_images(file.path(), &FolderOptions::default(), test).unwrap_err().to_string();
        assert!(got.contains(kind) && got.contains("pack it as .tar"), "{got}");
    }
}
