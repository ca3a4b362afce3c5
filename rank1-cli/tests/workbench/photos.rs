//! Photographs made for tests: a tiny ImageNet in its official archives and in folders, and images of a user's own.

use std::fs;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::Bench;

/// Three classes in the order of their ids.
pub const CLASSES: [&str; 3] = ["n01440764", "n02123045", "n03000684"];

/// Training images of each class.
pub const TRAIN_EACH: usize = 8;

/// Validation images, the classes in turn.
pub const N_VAL: usize = 9;

/// Bytes of a picture whose color is that of its class.
fn pixels(class: usize, number: usize, width: u32, height: u32) -> Vec<u8> {
    let shade = |x: u32, y: u32, c: usize| {
        let light = if c == class % 3 { 170 } else { 40 };
        (light + (x * (3 + number as u32) + y * 5) % 60) as u8
    };
    (0..height).flat_map(|y| (0..width).flat_map(move |x| [0, 1, 2].map(|c| shade(x, y, c)))).collect()
}

/// A JPEG file; its size depends on the number.
pub fn jpeg(class: usize, number: usize) -> Vec<u8> {
    let (width, height) = (20 + (number as u32 * 7) % 19, 18 + (number as u32 * 5) % 23);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90)
        .write_image(&pixels(class, number, width, height), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// A PNG file of this side.
pub fn png(class: usize, number: usize, side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&pixels(class, number, side, side), side, side, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

pub fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn train_files(class: usize) -> Vec<(String, Vec<u8>)> {
    (0..TRAIN_EACH).map(|i| (format!("{}_{i}.JPEG", CLASSES[class]), jpeg(class, i))).collect()
}

fn val_files() -> Vec<(String, Vec<u8>)> {
    (0..N_VAL).map(|i| (format!("ILSVRC2012_val_{:08}.JPEG", i + 1), jpeg(i % 3, 50 + i))).collect()
}

/// Writes a file and the folders it lies in.
pub fn put(bench: &Bench, file: &str, content: impl AsRef<[u8]>) {
    let path = bench.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The set in `folder`: an archive of archives, an archive, and the labels of the latter.
pub fn packed_imagenet(bench: &Bench, folder: &str) {
    let classes: Vec<_> =
        (0..3).map(|class| (format!("{}.tar", CLASSES[class]), tar(&train_files(class)))).collect();
    put(bench, &format!("{folder}/ILSVRC2012_img_train.tar"), tar(&classes));
    put(bench, &format!("{folder}/ILSVRC2012_img_val.tar"), tar(&val_files()));
    let labels: Vec<&str> = (0..N_VAL).map(|i| CLASSES[i % 3]).collect();
    put(bench, &format!("{folder}/val_labels.txt"), labels.join("\n"));
}

/// The same training images in folders, the same validation images in a flat one.
pub fn unpacked_imagenet(bench: &Bench, folder: &str) {
    for (class, id) in CLASSES.iter().enumerate() {
        for (name, content) in train_files(class) {
            put(bench, &format!("{folder}/train/{id}/{name}"), content);
        }
    }
    let mut labels = String::from("ImageId,PredictionString\n");
    for (i, (name, content)) in val_files().into_iter().enumerate() {
        labels +=
            &format!("{},{} 1 2 3 4\n", Path::new(&name).file_stem().unwrap().display(), CLASSES[i % 3]);
        put(bench, &format!("{folder}/val/{name}"), content);
    }
    put(bench, &format!("{folder}/LOC_val_solution.csv"), labels);
}

/// Images of 16 x 16 pixels in two class folders, twelve each.
pub fn flowers(bench: &Bench, folder: &str) {
    for i in 0..12 {
        put(bench, &format!("{folder}/oak/{i:02}.png"), png(0, i, 16));
        put(bench, &format!("{folder}/rose/{i:02}.png"), png(1, i, 16));
    }
}
