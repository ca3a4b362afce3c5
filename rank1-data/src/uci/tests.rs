//! The UCI reader on the embedded sets and on small folders written here; not on downloaded data.

use std::fs;
use std::path::Path;

use super::*;

/// A yacht folder with five rows of three columns, two standard splits and one gap split.
fn write_folder(root: &Path) {
    let standard = root.join("standard/yacht/data");
    let gap = root.join("gap/yacht/data");
    fs::create_dir_all(&standard).unwrap();
    fs::create_dir_all(&gap).unwrap();
    for (name, text) in [
        ("data.txt", "1 10 0.5\n2 20 0.25 \n 3\t30 1e-1\n4 40 7\n5 50 -2\n\n"),
        ("index_features.txt", "0\n2\n"),
        ("index_target.txt", "1\n"),
        ("index_train_0.txt", "0\n1\n2\n3\n"),
        ("index_test_0.txt", "4\n"),
        ("index_train_1.txt", "4\n0\n1\n"),
        ("index_test_1.txt", "3\n2\n"),
        ("n_epochs.txt", "not read"),
    ] {
        fs::write(standard.join(name), text).unwrap();
    }
    fs::write(gap.join("index_train_0.txt"), "0\n4\n").unwrap();
    fs::write(gap.join("index_test_0.txt"), "1\n2\n3\n").unwrap();
}

fn open_changed(file: &str, text: &str) -> Error {
    let root = tempfile::tempdir().unwrap();
    write_folder(root.path());
    fs::write(root.path().join("standard/yacht/data").join(file), text).unwrap();
    UciSet::open("yacht", Some(root.path())).unwrap_err()
}

#[test]
fn target_features_and_row_order_follow_the_index_files() {
    let root = tempfile::tempdir().unwrap();
    write_folder(root.path());
    let set = UciSet::open("yacht", Some(root.path())).unwrap();
    assert_eq!((set.n_splits(false), set.n_splits(true)), (2, 1));
    let split = set.split(1, false).unwrap();
    assert_eq!(split.train.targets, Targets::Values(ndarray::array![50.0, 10.0, 20.0]));
    assert_eq!(split.test.inputs, ndarray::array![[4.0, 7.0], [3.0, 0.1]]);
    assert_eq!(set.split(0, true).unwrap().test.len(), 3);
    assert_eq!(split.feature_names, ["x0", "x1"]);
}

#[test]
fn every_published_form_of_the_folder_is_found() {
    let root = tempfile::tempdir().unwrap();
    let nested = root.path().join("uci/uci_regression_splits");
    write_folder(&nested);
    for form in [root.path(), &root.path().join("uci"), &nested] {
        assert_eq!(UciSet::open("yacht", Some(form)).unwrap().n_splits(false), 2, "{}", form.display());
    }
}

#[test]
fn an_archive_and_its_extracted_folder_are_the_same_set() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("folder");
    write_folder(&folder);
    let archive = root.path().join("uci_regression_splits.tar.gz");
    let encoder =
        flate2::write::GzEncoder::new(fs::File::create(&archive).unwrap(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    builder.append_dir_all("./wrapped", &folder).unwrap();
    builder.into_inner().unwrap().finish().unwrap();
    let from_folder = UciSet::open("yacht", Some(&folder)).unwrap().split(1, false).unwrap();
    for form in [archive.as_path(), root.path()] {
        let from_archive = UciSet::open("yacht", Some(form)).unwrap().split(1, false).unwrap();
        assert_eq!((&from_archive.train, &from_archive.test), (&from_folder.train, &from_folder.test));
    }
    let missing = UciSet::open("kin8nm", Some(&archive)).unwrap_err();
    assert!(matches!(missing, Error::SetNotFound { set: "kin8nm", .. }), "{missing}");
}

#[test]
fn faults_in_the_files_are_named_with_their_line() {
    let cases: [(&str, &str, &str); 9] = [
        ("data.txt", "1 2 3\n4 x 6\n", "data.txt: row 2, field 2: `x` is not a finite number"),
        ("data.txt", "1 2 3\n4 nan 6\n", "data.txt: row 2, field 2: `nan` is not a finite number"),
        ("data.txt", "1 2 3\n\n4 5\n", "data.txt: row 3 has 2 fields, expected 3"),
        ("data.txt", " \n", "data.txt: the file is empty"),
        ("index_target.txt", "3\n", "index_target.txt: row 1: index 3 is not below 3"),
        ("index_train_0.txt", "0\n5\n", "index_train_0.txt: row 2: index 5 is not below 5"),
        (
            "index_train_0.txt",
            "0\n-1\n",
            "index_train_0.txt: row 2, field 1: `-1` is not a row or column number",
        ),
        ("index_test_0.txt", "2\n", "index_test_0.txt: table row 2 is already used by this split"),
        ("index_target.txt", "0\n1\n", "index_target.txt: row 1 has 2 fields, expected 1"),
    ];
    for (file, text, expected) in cases {
        let got = open_changed(file, text).to_string();
        assert!(got.ends_with(&format!("standard/yacht/data/{expected}")), "{got}");
    }
}

#[test]
fn a_split_without_its_test_file_is_refused() {
    let root = tempfile::tempdir().unwrap();
    write_folder(root.path());
    fs::remove_file(root.path().join("standard/yacht/data/index_test_1.txt")).unwrap();
    let got = UciSet::open("yacht", Some(root.path())).unwrap_err();
    assert!(got.to_string().contains("no `standard/yacht/data/index_test_1.txt`"), "{got}");
}

#[test]
fn names_splits_and_roots_that_do_not_exist_are_refused() {
    let got = UciSet::open("bostn", None).unwrap_err();
    assert!(matches!(&got, Error::UnknownSet { hint: Some(hint), .. } if hint == "boston"), "{got}");
    assert!(matches!(UciSet::open("protein", None), Err(Error::RootNeeded { set: "protein", .. })));
    let empty = tempfile::tempdir().unwrap();
    let got = UciSet::open("protein", Some(empty.path()));
    assert!(matches!(got, Err(Error::SetNotFound { set: "protein", .. })));
    let absent = empty.path().join("absent");
    assert!(matches!(UciSet::open("boston", Some(&absent)), Err(Error::Io { .. })));
    let boston = UciSet::open("boston", Some(empty.path())).unwrap();
    assert!(matches!(
        boston.split(20, false),
        Err(Error::SplitOutOfRange { split: 20, available: 20, kind: "standard", .. })
    ));
}

#[test]
fn embedded_sets_match_the_catalogue_and_their_splits_cover_every_row() {
    for info in crate::catalogue().iter().filter(|info| info.is_uci() && info.embedded) {
        let set = UciSet::open(info.name, None).unwrap();
        assert_eq!(set.inputs.dim(), (info.rows, info.features), "{}", info.name);
        assert_eq!(
            (set.n_splits(false), set.n_splits(true)),
            (info.splits, info.gap_splits),
            "{}",
            info.name
        );
        assert_ne!(set.feature_names()[0], "x0", "{}", info.name);
        for fold in set.standard.iter().chain(&set.gap) {
            assert_eq!(fold.train.len() + fold.test.len(), info.rows, "{}", info.name);
        }
    }
}

#[test]
fn first_rows_of_the_embedded_tables_are_the_published_ones() {
    let energy = UciSet::open("energy", None).unwrap();
    assert_eq!(energy.inputs.row(0).to_vec(), [0.98, 514.5, 294.0, 110.25, 7.0, 2.0, 0.0, 0.0]);
    let Targets::Values(loads) = &energy.targets else { panic!("energy is a regression set") };
    assert_eq!(loads[0], 15.55);
}
