//! The readers on the real files of a data folder.
//!
//! The folder is the environment variable `RANK1_DATA`, by default `shared/data` beside the checkout. Without it the
//! tests say that they skip.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::PathBuf;

use rank1_core::targets::Targets;
use rank1_data::{
    Error, InputScaling, LoadOptions, Normalizer, Physionet2012, Role, Task, UciSet, catalogue, load,
};

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
    let normalizer = Normalizer::fit(&set.train, set.layout).unwrap();
    let InputScaling::PerChannel { channels, .. } = normalizer.inputs() else {
        panic!("images have a scale per channel")
    };
    let [pixel] = channels[..] else { panic!("grey images have one channel") };
    assert!((pixel.mean - 0.1307).abs() < 5e-5 && (pixel.std - 0.3081).abs() < 5e-5, "{pixel:?}");
    let Targets::Classes { labels, .. } = &set.train.targets else { panic!("digits have classes") };
    let mut counts = [0; 10];
    labels.iter().for_each(|&label| counts[label] += 1);
    assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let direct = LoadOptions { root: Some(root.join("mnist")), ..LoadOptions::default() };
    assert_eq!(load("mnist", &direct).unwrap().test, set.test);
}

#[test]
fn fashion_mnist_has_its_published_pixel_statistics_and_equal_classes() {
    let Some(root) = data_root("fashion-mnist") else { return };
    let set = load("fashion-mnist", &LoadOptions { root: Some(root), ..LoadOptions::default() }).unwrap();
    assert_eq!((set.train.len(), set.test.len(), set.image), (60_000, 10_000, Some((28, 28))));
    let normalizer = Normalizer::fit(&set.train, set.layout).unwrap();
    let InputScaling::PerChannel { channels, .. } = normalizer.inputs() else {
        panic!("images have a scale per channel")
    };
    let [pixel] = channels[..] else { panic!("grey images have one channel") };
    assert!((pixel.mean - 0.2860).abs() < 5e-5 && (pixel.std - 0.3530).abs() < 5e-5, "{pixel:?}");
    for (split, each) in [(&set.train, 6_000), (&set.test, 1_000)] {
        let Targets::Classes { labels, .. } = &split.targets else { panic!("garments have classes") };
        let mut counts = [0; 10];
        labels.iter().for_each(|&label| counts[label] += 1);
        assert_eq!(counts, [each; 10]);
    }
    assert_eq!((set.class_names[0].as_str(), set.class_names[9].as_str()), ("t-shirt", "ankle boot"));
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

#[test]
fn physionet_2012_has_its_published_deaths_and_bounded_inputs() {
    let Some(root) = data_root("physionet2012/set-a.tar.gz") else { return };
    for (set, deaths) in [('a', 554), ('b', 568)] {
        let raw = Physionet2012::open(&root, set).unwrap();
        assert_eq!((raw.len(), raw.labels.sum()), (4_000, deaths));
        assert!(raw.discards.unknown.is_empty() && raw.discards.late > 400, "{:?}", raw.discards);
        // Implausible readings are rare: below 1 in 100 of the roughly 1.7 million.
        assert!(raw.discards.implausible.values().sum::<usize>() < 17_000, "{:?}", raw.discards);
    }
    let started = std::time::Instant::now();
    let options = LoadOptions { root: Some(root), ..LoadOptions::default() };
    let set = load("physionet2012", &options).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("loaded in {seconds:.2} s");
    assert_eq!((set.train.inputs.dim(), set.test.inputs.dim()), ((4_000, 5_532), (4_000, 5_532)));
    assert_eq!((set.feature_names.len(), set.n_classes()), (5_532, Some(2)));
    for part in [&set.train, &set.test] {
        assert!(part.inputs.iter().all(|value| value.abs() <= 5.0));
    }
}

#[test]
fn cifar10_as_jpeg_files_has_6000_images_of_every_class() {
    let Some(root) = data_root("cifar10-jpeg") else { return };
    let options = LoadOptions { root: Some(root), ..LoadOptions::default() };
    let set = load("cifar10-jpeg", &options).unwrap();
    assert_eq!((set.train.inputs.dim(), set.test.inputs.dim()), ((50_000, 3072), (10_000, 3072)));
    assert_eq!((set.layout.width(), set.image), (Some(3072), None));
    assert_eq!(set.class_names[..2], ["airplane", "automobile"]);
    assert!(set.provenance.starts_with("CIFAR-10 (JPEG)"), "{}", set.provenance);
    for (split, share) in [(&set.train, 5_000), (&set.test, 1_000)] {
        let Targets::Classes { labels, .. } = &split.targets else { panic!("images have classes") };
        let mut counts = [0; 10];
        labels.iter().for_each(|&label| counts[label] += 1);
        assert_eq!(counts, [share; 10]);
    }
    // The published channel means are 0.4914, 0.4822 and 0.4465; compression moves them little.
    let mut sums = [0.0_f64; 3];
    set.train.inputs.iter().enumerate().for_each(|(i, &pixel)| sums[i % 3] += f64::from(pixel));
    for (sum, mean) in sums.iter().zip([0.4914, 0.4822, 0.4465]) {
        let got = sum / (50_000.0 * 1024.0);
        assert!((got - mean).abs() < 5e-3, "channel mean {got}, expected {mean}");
    }
}
