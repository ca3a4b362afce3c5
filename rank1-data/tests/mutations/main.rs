//! Arbitrary changes of small files: every reader accepts or refuses them, within ten seconds and without a panic.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p rank1-data --test mutations` is a long run; memory is counted in
//! `mutation_memory`.

#![allow(clippy::unwrap_used)]

mod corpus;
mod readers;

use std::time::{Duration, Instant};

use corpus::{changed, changes};
use proptest::prelude::*;
use readers::Bench;

/// Runs a reader, which must not take long.
fn soon(what: &str, read: impl FnOnce() -> bool) {
    let started = Instant::now();
    read();
    assert!(started.elapsed() < Duration::from_secs(10), "{what}: {:?}", started.elapsed());
}

#[test]
fn the_files_are_accepted_before_they_are_changed() {
    let bench = Bench::new();
    for (name, file) in corpus::pictures() {
        // Transparency and JPEG within TIFF are refused, but by the last steps of their readers.
        let refused = ["transparent webp", "jpeg tiff"].contains(&name);
        assert!(readers::picture(&file) || refused, "{name}");
    }
    assert!(readers::idx(&corpus::idx()) && readers::idx(&corpus::gzip(&corpus::idx())));
    assert!(bench.npy(&corpus::npy("(3, 5)", &[1; 15])));
    assert!(bench.cifar_c("labels.npy", &corpus::npy("(2,)", &[4, 4])));
    assert!(bench.cifar_binary(&corpus::cifar_binary()));
    assert!(bench.cifar_pickle(&corpus::cifar_pickle()));
    for archive in [corpus::tar(), corpus::gzip(&corpus::tar()), corpus::tar_xz()] {
        assert!(bench.archive(&archive));
    }
}

proptest! {
    #[test]
    fn pictures(changes in changes()) {
        for (name, file) in corpus::pictures() {
            soon(name, || readers::picture(&changed(&file, &changes)));
        }
    }

    #[test]
    fn bytes_that_were_never_a_picture(start in 0..11_usize, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let file = &corpus::pictures()[start].1;
        soon("noise", || readers::picture(&[&file[..12.min(file.len())], &bytes].concat()));
        soon("noise", || readers::picture(&bytes));
    }

    #[test]
    fn idx_files(changes in changes()) {
        soon("idx", || readers::idx(&changed(&corpus::idx(), &changes)));
        soon("gzip", || readers::idx(&changed(&corpus::gzip(&corpus::idx()), &changes)));
    }

    #[test]
    fn arrays_and_severities(changes in changes()) {
        let bench = Bench::new();
        soon("npy", || bench.npy(&changed(&corpus::npy("(3, 5)", &[1; 15]), &changes)));
        let labels = changed(&corpus::npy("(2,)", &[3, 3]), &changes);
        soon("labels", || bench.cifar_c("labels.npy", &labels));
        let list = changed(br#"{"severities": [2, 4]}"#, &changes);
        soon("severities", || bench.cifar_c("severities.json", &list));
        let fog = changed(&corpus::npy("(2, 32, 32, 3)", &[7; 6_144]), &changes);
        soon("pixels", || bench.cifar_c("fog.npy", &fog));
    }

    #[test]
    fn both_versions_of_cifar(changes in changes()) {
        let bench = Bench::new();
        soon("binary", || bench.cifar_binary(&changed(&corpus::cifar_binary(), &changes)));
        soon("pickle", || bench.cifar_pickle(&changed(&corpus::cifar_pickle(), &changes)));
    }

    #[test]
    fn archives(changes in changes()) {
        let bench = Bench::new();
        soon("tar", || bench.archive(&changed(&corpus::tar(), &changes)));
        soon("tar.gz of a changed tar", || bench.archive(&corpus::gzip(&changed(&corpus::tar(), &changes))));
        soon("tar.gz", || bench.archive(&changed(&corpus::gzip(&corpus::tar()), &changes)));
        soon("tar.xz", || bench.archive(&changed(&corpus::tar_xz(), &changes)));
    }
}
