//! Rows of images on disk: the numbers of rows in memory, crops by seed, epoch and place, and a bound of memory.

#![allow(clippy::unwrap_used)]

use std::fs;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use rank1_core::likelihood::Likelihood;
use rank1_models::device::Compute;
use rank1_models::fit::{FitOptions, TrainingData, TrainingInputs, fit};
use rank1_models::network::{Activation, NetworkShape};
use rank1_models::recipe::{CheckedRecipe, parse};

use super::*;

const RECIPE: &str = r#"
name = "test/photos"
data = { set = "imagenet", image_size = 8, validation = 0.3 }
model = { kind = "mlp", hidden = [5] }
method = { kind = "rank1", members = 2 }
predict = { samples = 2 }
[train]
epochs = 3
batch_size = 4
optimizer = { kind = "adam", learning_rate = 0.01 }
early_stopping = { patience = 2 }
"#;

/// Two classes of images of 13 x 9 pixels.
fn photos(n: usize) -> (tempfile::TempDir, ImageIndex) {
    let root = tempfile::tempdir().unwrap();
    for i in 0..n {
        let folder = root.path().join(["even", "odd"][i % 2]);
        fs::create_dir_all(&folder).unwrap();
        let pixels: Vec<u8> = (0..13 * 9 * 3).map(|j| ((j * (7 + i) + 90 * (i % 2)) % 256) as u8).collect();
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(&pixels, 13, 9, ExtendedColorType::Rgb8).unwrap();
        fs::write(folder.join(format!("{i:02}.png")), bytes).unwrap();
    }
    let index = ImageIndex::from_class_folders(root.path()).unwrap();
    (root, index)
}

fn stream(index: &ImageIndex, reading: Reading) -> ImageStream {
    ImageStream::new(index.clone(), reading, Normalizer::imagenet(reading.width()))
}

fn recipe() -> CheckedRecipe {
    parse(RECIPE, &[]).unwrap()
}

fn rows_of(images: &ImageStream, order: Vec<usize>, size: usize, purpose: Purpose) -> Array2<f32> {
    let batches: Vec<Array2<f32>> =
        images.batches(order, size, purpose).unwrap().map(Result::unwrap).collect();
    let views: Vec<_> = batches.iter().map(|batch| batch.view()).collect();
    ndarray::concatenate(Axis(0), &views).unwrap()
}

#[test]
fn a_fixed_crop_trains_to_the_bits_of_rows_in_memory() {
    let (_root, index) = photos(14);
    let center = Preprocess::evaluation(8);
    let images = stream(&index, Reading::Cropped { training: center, evaluation: center });
    let shape = NetworkShape::mlp(192, vec![5], 2, Activation::Relu, Likelihood::Categorical);
    let fitted = |inputs: TrainingInputs| {
        let data = TrainingData {
            inputs,
            targets: images.targets(),
            validation: vec![1, 5, 9, 12],
            augmentation: None,
        };
        fit(
            &recipe(),
            &shape,
            &data,
            FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &|_| {} },
        )
        .unwrap()
    };
    let stored = fitted(images.first_rows(14).unwrap().into());
    let streamed = fitted(TrainingInputs::Streamed(Arc::new(images.clone())));
    assert_eq!(stored.networks, streamed.networks);
    assert_eq!(stored.histories, streamed.histories);
}

#[test]
fn crops_follow_from_seed_epoch_and_place_and_not_from_order_or_batches() {
    let (_root, index) = photos(9);
    let images = stream(&index, Reading::resnet(8));
    let epoch = |seed, epoch| Purpose::Training { seed, epoch };
    let all = rows_of(&images, (0..9).collect(), 4, epoch(3, 1));
    let backwards = rows_of(&images, (0..9).rev().collect(), 2, epoch(3, 1));
    (0..9).for_each(|i| assert_eq!(all.row(i), backwards.row(8 - i)));
    assert_ne!(all, rows_of(&images, (0..9).collect(), 4, epoch(3, 2)));
    assert_ne!(all, rows_of(&images, (0..9).collect(), 4, epoch(4, 1)));
    let evaluated = rows_of(&images, (0..9).collect(), 4, Purpose::Evaluation);
    assert_eq!(evaluated, images.first_rows(99).unwrap());
    assert_ne!(all, evaluated);
}

#[test]
fn a_shift_acts_on_pixels_and_follows_the_place_of_a_row() {
    let (_root, index) = photos(6);
    let plain = stream(&index, Reading::resnet(8));
    for text in ["corrupt/fog:3", "corrupt/gaussian_noise:2", "gaussian_noise:0.2"] {
        let shifted = plain.shifted(text.parse().unwrap(), 5).unwrap();
        let all = rows_of(&shifted, (0..6).collect(), 4, Purpose::Evaluation);
        assert_eq!(all, shifted.first_rows(6).unwrap(), "{text}");
        assert_ne!(all, plain.first_rows(6).unwrap(), "{text}");
        // The fourth file has other random numbers in the second place.
        let chosen = shifted.select(&[0, 4]).first_rows(2).unwrap();
        assert!(chosen.row(0) == all.row(0) && chosen.row(1) != all.row(4), "{text}");
    }
    let refused = plain.shifted("rotation:30".parse().unwrap(), 5).unwrap_err().to_string();
    assert!(refused.contains("needs images"), "{refused}");
}

#[test]
fn images_of_another_size_than_a_model_reads_are_named() {
    let (_root, index) = photos(3);
    let whole = stream(&index, Reading::Whole { height: 9, width: 13, channels: 3 });
    assert_eq!(whole.first_rows(1).unwrap().dim(), (1, 351));
    let other = stream(&index, Reading::Whole { height: 9, width: 12, channels: 3 });
    let refused = other.first_rows(1).unwrap_err().to_string();
    assert!(refused.contains("even/00.png: image of 9 x 13"), "{refused}");
    let gray = stream(&index, Reading::Whole { height: 9, width: 13, channels: 1 });
    assert!(gray.first_rows(1).unwrap_err().to_string().contains("expected a grey image"));
}

#[test]
fn batches_ahead_stay_within_the_bound_or_are_a_single_one() {
    let (_root, index) = photos(1);
    let images = stream(&index, Reading::resnet(224));
    let bytes = |batch: usize| batch * 224 * 224 * 3 * 4;
    let ahead = |images: &ImageStream, batch| {
        let options = images.options(batch, 1_000_000, 0, 0);
        (options.memory_bytes / bytes(batch), options.memory_bytes)
    };
    for batch in [32, 256, 1_000] {
        let (batches, memory) = ahead(&images, batch);
        assert!(batches >= 1 && memory == MEMORY_BYTES, "{batch}: {batches} in {memory}");
    }
    assert_eq!(ahead(&images, 4_096), (1, bytes(4_096)));
    assert_eq!(ahead(&images.shared_by(4), 32).1, MEMORY_BYTES / 4);
    assert_eq!(images.options(4_096, 5, 0, 0).memory_bytes, MEMORY_BYTES, "no batch is larger than all rows");
    assert!(images.rows_at_once() * bytes(1) <= CHUNK_BYTES);
}
