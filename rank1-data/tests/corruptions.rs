//! How much every corruption changes real images, by severity, pinned: MNIST digits and, where the data folder has them, CIFAR-10.
//!
//! The folder is the environment variable `RANK1_DATA`, by default `shared/data` beside the checkout. Without it the
//! test on color images says that it skips.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rank1_data::{Corruption, CorruptionKind, LoadOptions, load};

/// Images of each kind: enough for the order of the severities, few enough for a quick test.
const N_GRAY: usize = 300;
const N_COLOR: usize = 1_000;
/// Largest relative difference from a pinned change.
const TOLERANCE: f64 = 0.01;

type Row = (&'static str, [f64; 5]);

/// Mean absolute change in bytes on the first 300 test digits of `mnist10k`, 28 x 28 x 1, seed 0.
const GRAY: &[Row] = &[
    ("gaussian_noise", [4.418, 6.635, 8.899, 9.923, 11.045]),
    ("shot_noise", [1.110, 1.523, 2.351, 2.676, 3.216]),
    ("impulse_noise", [1.253, 2.617, 3.890, 6.202, 9.016]),
    ("defocus_blur", [1.759, 4.512, 6.875, 8.906, 12.797]),
    ("glass_blur", [14.866, 14.978, 15.334, 26.777, 26.157]),
    ("motion_blur", [9.237, 14.507, 19.014, 19.003, 22.632]),
    ("zoom_blur", [11.083, 13.575, 17.023, 19.621, 22.926]),
    ("snow", [7.848, 17.950, 20.470, 34.298, 43.640]),
    ("frost", [22.303, 33.820, 44.763, 43.104, 48.522]),
    ("fog", [20.035, 40.768, 52.089, 60.693, 71.624]),
    ("brightness", [11.232, 23.146, 34.952, 46.672, 68.999]),
    ("contrast", [13.154, 26.644, 32.048, 37.445, 45.520]),
    ("elastic_transform", [26.057, 22.716, 21.094, 19.258, 16.170]),
    ("pixelate", [2.896, 3.460, 5.273, 7.156, 9.748]),
    ("jpeg_compression", [2.062, 3.193, 3.574, 3.981, 4.875]),
    ("speckle_noise", [1.229, 1.938, 2.329, 2.994, 3.711]),
    ("gaussian_blur", [1.757, 7.051, 9.164, 11.085, 14.665]),
    ("spatter", [1.090, 2.839, 6.781, 2.113, 3.620]),
    ("saturate", [0.000, 0.000, 0.000, 0.000, 0.000]),
];

/// The same on 1,000 test images of CIFAR-10 (JPEG), 32 x 32 x 3, seed 0.
const COLOR: &[Row] = &[
    ("gaussian_noise", [7.989, 11.893, 15.750, 17.665, 19.505]),
    ("shot_noise", [5.896, 8.290, 12.992, 14.942, 18.184]),
    ("impulse_noise", [1.270, 2.551, 3.831, 6.371, 8.923]),
    ("defocus_blur", [1.380, 3.352, 5.063, 6.530, 9.433]),
    ("glass_blur", [11.501, 11.549, 11.355, 18.488, 17.716]),
    ("motion_blur", [7.152, 10.593, 13.178, 13.194, 15.545]),
    ("zoom_blur", [8.983, 10.533, 12.544, 14.615, 16.490]),
    ("snow", [10.673, 23.935, 25.327, 37.262, 52.247]),
    ("frost", [23.170, 34.540, 35.493, 30.465, 28.908]),
    ("fog", [10.647, 21.202, 26.988, 32.172, 38.954]),
    ("brightness", [10.039, 20.357, 30.245, 39.645, 56.440]),
    ("contrast", [10.533, 21.063, 25.277, 29.490, 35.809]),
    ("elastic_transform", [22.009, 20.336, 18.026, 16.820, 13.737]),
    ("pixelate", [1.981, 3.471, 4.315, 6.399, 8.828]),
    ("jpeg_compression", [2.150, 3.636, 5.147, 6.963, 7.265]),
    ("speckle_noise", [5.634, 9.262, 11.058, 14.585, 18.045]),
    ("gaussian_blur", [1.329, 4.966, 6.353, 7.525, 9.533]),
    ("spatter", [1.045, 2.791, 6.763, 2.936, 5.000]),
    ("saturate", [10.870, 14.042, 7.557, 19.833, 29.275]),
];

/// Severities that change gray digits no more than the severity before; the published constants have it so.
///
/// `glass_blur`: severities 2 and 3, and 4 and 5, move pixels alike and differ by the blur only.
/// `motion_blur`: severities 3 and 4 have the same streak but for its faint end. `frost`: more ice, but a darker image
/// under it. `elastic_transform`: the affine part shrinks as the displacement grows. `spatter`: water becomes mud.
/// `saturate`: colors get paler, then stronger; digits have none.
const GRAY_EXCEPTIONS: &[(&str, &[usize])] = &[
    ("glass_blur", &[5]),
    ("motion_blur", &[4]),
    ("frost", &[4]),
    ("elastic_transform", &[2, 3, 4, 5]),
    ("spatter", &[4]),
    ("saturate", &[2, 3, 4, 5]),
];

/// The same for color images.
const COLOR_EXCEPTIONS: &[(&str, &[usize])] = &[
    ("glass_blur", &[3, 5]),
    ("frost", &[4, 5]),
    ("elastic_transform", &[2, 3, 4, 5]),
    ("spatter", &[4]),
    ("saturate", &[3]),
];

fn changes(images: &[u8], side: usize, channels: usize) -> Vec<(&'static str, [f64; 5])> {
    let n = images.len() / (side * side * channels);
    let change = |kind, severity| {
        let corruption = Corruption::new(kind, severity).unwrap();
        let corrupted = corruption.apply_all(images, n, side, side, channels, 0).unwrap();
        let sum: u64 = corrupted.iter().zip(images).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / images.len() as f64
    };
    CorruptionKind::all()
        .iter()
        .map(|&kind| (kind.name(), [1, 2, 3, 4, 5].map(|s| change(kind, s))))
        .collect()
}

/// Severities, from 2, that change no more than the one before.
fn falls(changes: &[f64; 5]) -> Vec<usize> {
    (2..=5).filter(|&severity| changes[severity - 1] <= changes[severity - 2]).collect()
}

fn check(measured: &[Row], pinned: &[Row], exceptions: &[(&str, &[usize])]) {
    let mut table = String::new();
    for (name, changes) in measured {
        let cells = changes.map(|change| format!("{change:.3}")).join(", ");
        writeln!(table, "    (\"{name}\", [{cells}]),").unwrap();
    }
    for (name, changes) in measured {
        let expected =
            exceptions.iter().find(|(kind, _)| kind == name).map_or(&[][..], |(_, severities)| severities);
        assert_eq!(falls(changes), expected, "{name}: {changes:?}\n{table}");
    }
    assert_eq!(measured.len(), pinned.len(), "measured:\n{table}");
    for ((name, got), (expected_name, expected)) in measured.iter().zip(pinned) {
        assert_eq!(name, expected_name);
        for (got, expected) in got.iter().zip(expected) {
            let is_near = (got - expected).abs() <= TOLERANCE * expected;
            assert!(is_near, "{name}: {got:.3}, pinned {expected:.3}; measured:\n{table}");
        }
    }
}

#[test]
fn every_severity_changes_gray_digits_as_pinned() {
    let set = load("mnist10k", &LoadOptions::default()).unwrap();
    let images: Vec<u8> =
        set.test.inputs.iter().take(N_GRAY * 784).map(|value| (value * 255.0).round() as u8).collect();
    check(&changes(&images, 28, 1), GRAY, GRAY_EXCEPTIONS);
}

#[test]
fn every_severity_changes_color_images_as_pinned() {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let root = std::env::var_os("RANK1_DATA").map_or_else(default, PathBuf::from);
    let archive = root.join("cifar10-jpeg/cifar10-jpeg.tar.gz");
    if !archive.exists() {
        eprintln!("skipped: no {} (set RANK1_DATA)", archive.display());
        return;
    }
    check(&changes(&color_images(&archive), 32, 3), COLOR, COLOR_EXCEPTIONS);
}

/// Every tenth test image of the archive, so that all classes occur.
fn color_images(archive: &Path) -> Vec<u8> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive).unwrap()));
    let mut images = Vec::with_capacity(N_COLOR * 3_072);
    let mut place = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if !path.starts_with("test") || path.extension().is_none_or(|extension| extension != "jpg") {
            continue;
        }
        if place % 10 == 0 {
            let mut file = Vec::new();
            entry.read_to_end(&mut file).unwrap();
            let decoded = image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg).unwrap();
            images.extend(decoded.into_rgb8().into_raw());
        }
        place += 1;
    }
    assert_eq!(images.len(), N_COLOR * 3_072);
    images
}
