//! Changed files of every format: each is read or refused in one short line, soon, within stated memory, without a panic.
//!
//! `cargo test` reads a few hundred inputs a reader, `cargo xtask fuzz` any number. Not for recipes and checkpoints, whose
//! readers are in `rank1-models`.
#![allow(clippy::unwrap_used)]

mod archives;
mod arrays;
mod clinical;
mod corpus;
#[path = "harness/mod.rs"]
mod harness;
mod numbers;
#[cfg(feature = "parquet")]
mod parquet;
mod pictures;
mod place;
mod tables;
#[cfg(feature = "parquet")]
#[path = "../parquet/writing.rs"]
#[allow(dead_code)]
mod writing;

use harness::fuzz;
use image::ImageFormat;

macro_rules! readers {
    ($($name:ident: $reader:expr;)*) => {
        $(#[test]
        fn $name() {
            fuzz($reader);
        })*
    };
}

readers! {
    csv: tables::plain();
    packed_csv: tables::packed();
    prediction_csv: tables::prediction();
    uci: numbers::uci();
    idx: arrays::idx();
    npy: arrays::npy();
    cifar_c: arrays::cifar_c();
    cifar_binary: arrays::cifar_binary();
    cifar_pickle: arrays::cifar_pickle();
    png: pictures::reader("png", ImageFormat::Png);
    jpeg: pictures::reader("jpeg", ImageFormat::Jpeg);
    webp: pictures::reader("webp", ImageFormat::WebP);
    bmp: pictures::reader("bmp", ImageFormat::Bmp);
    tiff: pictures::reader("tiff", ImageFormat::Tiff);
    tar: archives::tar();
    packed_tar: archives::packed();
    imagenet_labels: numbers::imagenet_labels();
    physionet: clinical::physionet();
    mimic: clinical::mimic();
}

#[cfg(feature = "parquet")]
#[test]
fn parquet() {
    fuzz(parquet::reader());
}
