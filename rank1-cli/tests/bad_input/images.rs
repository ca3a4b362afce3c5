//! Broken image files: truncated or corrupt gzip and IDX, in a data folder and at prediction.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::workbench::{Bench, Toy, assert_says};

/// An IDX file of `n` images of `size` by `size` pixels.
fn images(n: u32, size: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    [n, size, size].iter().for_each(|number| bytes.extend(number.to_be_bytes()));
    bytes.extend((0..n * size * size).map(|i| (i * 7 % 251) as u8));
    bytes
}

/// An IDX file of `n` labels, the digits in turn.
fn labels(n: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend(n.to_be_bytes());
    bytes.extend((0..n).map(|i| (i % 10) as u8));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder `mnist` with a tiny set in the files of the full one, and a recipe for it.
fn tiny_mnist() -> Bench {
    let bench = Bench::with(&Toy { data: "set = \"mnist\"", ..Toy::default() });
    fs::create_dir(bench.path("mnist")).unwrap();
    for (part, n) in [("train", 40), ("t10k", 20)] {
        bench.write(&format!("mnist/{part}-images-idx3-ubyte.gz"), gzip(&images(n, 6)));
        bench.write(&format!("mnist/{part}-labels-idx1-ubyte.gz"), gzip(&labels(n)));
    }
    bench
}

const TRAIN: [&str; 7] = ["train", "recipe.toml", "--quiet", "--out", "run", "--data", "."];

/// Training is refused when this file of the set holds these bytes.
fn refuses_set(file: &str, bytes: &[u8], texts: &[&str]) {
    let bench = tiny_mnist();
    bench.write(&format!("mnist/{file}"), bytes);
    assert_says(&bench.refused(&TRAIN), &[&[file], texts].concat());
}

/// Prediction is refused when the input holds these bytes.
fn refuses_input(bench: &Bench, bytes: &[u8], texts: &[&str]) {
    bench.write("input", bytes);
    let line = bench.refused(&["predict", "run", "--input", "input", "--output", "out.csv"]);
    assert_says(&line, &[&["input"], texts].concat());
}

#[test]
fn broken_files_of_a_set_are_refused() {
    let (train, test) = ("train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz");
    let good = gzip(&images(40, 6));
    refuses_set(train, &good[..good.len() / 2], &["truncated or corrupt gzip"]);
    refuses_set(train, &good[..good.len() - 3], &["truncated or corrupt gzip"]);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0x10;
    refuses_set(train, &flipped, &["gzip"]);
    refuses_set(train, &images(40, 6)[..700], &["truncated IDX file", "expected 1456 bytes, got 700"]);
    refuses_set(train, b"", &["truncated IDX file", "got 0"]);
    refuses_set(train, b"not images at all", &["not an IDX file"]);
    refuses_set(train, &gzip(&labels(40)), &["1 axes, expected 3"]);
    refuses_set(train, &gzip(&images(39, 6)), &["39 images", "40 labels"]);
    refuses_set(test, &gzip(&labels(19)), &["20 images", "19 labels"]);
    let mut wild = labels(20);
    wild[8 + 4] = 10;
    refuses_set(test, &gzip(&wild), &["label 10 at position 4", "below 10"]);
    refuses_set("t10k-images-idx3-ubyte.gz", &gzip(&images(20, 5)), &["(5, 5)", "expected (6, 6)"]);
}

#[test]
fn a_set_with_a_missing_file_or_folder_is_refused() {
    let bench = tiny_mnist();
    fs::remove_file(bench.path("mnist/t10k-labels-idx1-ubyte.gz")).unwrap();
    assert_says(&bench.refused(&TRAIN), &["`mnist`", "t10k-labels-idx1-ubyte"]);
    let line = bench.refused(&[&TRAIN[..6], &["elsewhere"]].concat());
    assert_says(&line, &["elsewhere", "No such file"]);
    assert_says(&bench.refused(&TRAIN[..5]), &["`mnist` is not embedded", "--data DIR"]);
}

#[test]
fn broken_images_at_prediction_are_refused() {
    let bench = tiny_mnist();
    bench.train("run", &["--data", "."]);
    let good = images(7, 6);
    bench.write("input", gzip(&good));
    bench.succeed(&["predict", "run", "--input", "input", "--output", "good.csv"]);
    refuses_input(&bench, &good[..good.len() - 1], &["truncated IDX file", "expected 268 bytes, got 267"]);
    refuses_input(&bench, &[&good[..], b"x"].concat(), &["trailing bytes"]);
    refuses_input(&bench, &good[..9], &["truncated IDX file"]);
    let packed = gzip(&good);
    refuses_input(&bench, &packed[..packed.len() / 2], &["truncated or corrupt gzip"]);
    let mut checksum = packed.clone();
    *checksum.iter_mut().rev().nth(5).unwrap() ^= 1;
    refuses_input(&bench, &checksum, &["truncated or corrupt gzip"]);
    refuses_input(&bench, &images(7, 5), &["images are 5x5", "6x6"]);
    refuses_input(&bench, &labels(7), &["1 axes, expected 3"]);
    refuses_input(&bench, b"pixel_0_0,pixel_0_1\n1,2\n", &["not an IDX file"]);
    refuses_input(&bench, b"", &["truncated IDX file"]);
    let line = bench.refused(&["predict", "run", "--input", ".", "--output", "out.csv"]);
    assert_says(&line, &["no image (.jpg, .jpeg, .jfif, .png, .webp, .bmp, .tif or .tiff)"]);
    let line = bench.refused(&["predict", "run", "--input", "absent", "--output", "out.csv"]);
    assert_says(&line, &["absent", "No such file"]);
}

#[test]
fn a_model_of_the_embedded_digits_refuses_truncated_images() {
    let data = "set = \"mnist10k\"";
    let method = "kind = \"deterministic\"";
    let bench = Bench::with(&Toy { data, method, train: "epochs = 1", ..Toy::default() });
    bench.train("run", &["--set", "train.batch_size=256"]);
    let good = images(3, 28);
    bench.write("input", &good);
    bench.succeed(&["predict", "run", "--input", "input", "--output", "good.csv"]);
    let packed = gzip(&good);
    refuses_input(&bench, &packed[..packed.len() - 9], &["truncated or corrupt gzip"]);
    refuses_input(&bench, &good[..2000], &["truncated IDX file", "expected 2368 bytes, got 2000"]);
}
