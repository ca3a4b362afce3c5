//! The readers on the real files of a data folder.
//!
//! The folder is the environment variable `RANK1_DATA`, by default `shared/data` beside the checkout. Without it the
//! tests say that they skip.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::PathBuf;

use rank1_core::targets::Targets;
use rank1_data::{Error, InputScaling, LoadOptions, Normalizer, Role, Task, UciSet, catalogue, load};

fn data_root(needed: &str) -> Option<PathBuf> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = std::env::var_os("RANK1_DATA").map_or_else(default, PathBuf::from);
    if root.join(needed).exists() {
        return Some(root);
    }
    eprintln!("skipped: no {needed} in {} (set RANK1_DATA)", root.display());
    None
}

#[test]
fn every_uci_set_of_the_archive_matches_the_catalogue() {
    let Some(root) = data_root("uci") else { return };
    for info in catalogue().iter().filter(|info| info.task == Task::Regression) {
        let set = UciSet::open(info.name, Some(&root)).unwrap();
        assert_eq!(
            (set.n_splits(false), set.n_splits(true)),
            (info.splits, info.gap_splits),
            "{}",
            info.name
        );
        for (gap, last) in [(false, info.splits - 1), (true, info.gap_splits - 1)] {
            let split = set.split(last, gap).unwrap();
            assert_eq!(split.train.len() + split.test.len(), info.rows, "{}", info.name);
            assert_eq!(split.n_features(), info.features, "{}", info.name);
            let share = split.test.len() as f64 / info.rows as f64;
            let expected = if gap { 1.0 / 3.0 } else { 0.1 };
            assert!((share - expected).abs() < 0.01, "{}: test share {share}", info.name);
        }
    }
}

#[test]
fn embedded_uci_sets_are_the_archive_s_sets() {
    let Some(root) = data_root("uci") else { return };
    for info in catalogue().iter().filter(|info| info.embedded && info.task == Task::Regression) {
        let (embedded, archive) =
            (UciSet::open(info.name, None).unwrap(), UciSet::open(info.name, Some(&root)).unwrap());
        for (gap, n_splits) in [(false, info.splits), (true, info.gap_splits)] {
            for split in 0..n_splits {
                let (ours, theirs) =
                    (embedded.split(split, gap).unwrap(), archive.split(split, gap).unwrap());
                assert_eq!((ours.train, ours.test), (theirs.train, theirs.test), "{} {split}", info.name);
            }
        }
    }
}

#[test]
fn the_full_mnist_has_its_published_pixel_statistics() {
    let Some(root) = data_root("mnist") else { return };
    let options = LoadOptions { root: Some(root.clone()), ..LoadOptions::default() };
    let set = load("mnist", &options).unwrap();
    assert_eq!((set.train.len(), set.test.len(), set.image), (60_000, 10_000, Some((28, 28))));
    let normalizer = Normalizer::fit(&set.train, true).unwrap();
    let InputScaling::Scalar { pixel, .. } = normalizer.inputs() else { panic!("images have one scale") };
    assert!((pixel.mean - 0.1307).abs() < 5e-5 && (pixel.std - 0.3081).abs() < 5e-5, "{pixel:?}");
    let Targets::Classes { labels, .. } = &set.train.targets else { panic!("digits have classes") };
    let mut counts = [0; 10];
    labels.iter().for_each(|&label| counts[label] += 1);
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let direct = LoadOptions { root: Some(root.join("mnist")), ..LoadOptions::default() };
    assert_eq!(load("mnist", &direct).unwrap().test, set.test);
}

#[test]
fn a_truncated_copy_of_the_archive_is_refused() {
    let Some(root) = data_root("uci/uci_regression_splits.tar.xz") else { return };
    let bytes = std::fs::read(root.join("uci/uci_regression_splits.tar.xz")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("uci_regression_splits.tar.xz");
    std::fs::write(&copy, &bytes[..bytes.len() / 3]).unwrap();
    let got = UciSet::open("kin8nm", Some(&copy)).unwrap_err();
    assert!(matches!(got, Error::Compressed { format: "xz", .. }), "{got}");
}

#[test]
fn a_benchmark_that_is_not_embedded_is_found_or_refused_and_never_replaced() {
    for info in catalogue().iter().filter(|info| info.role == Role::Benchmark && !info.embedded) {
        let got = load(info.name, &LoadOptions::default());
        assert!(matches!(got, Err(Error::RootNeeded { .. })), "{}", info.name);
    }
}
