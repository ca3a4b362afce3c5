//! Sets in MNIST's form: `mnist10k` (embedded), the full `mnist` and `fashion-mnist` (four IDX files each), and the letters used as
//! out-of-distribution images.
//!
//! Not for other image formats. Pixels are divided by 255; nothing else is changed.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use rank1_core::targets::Targets;

use crate::embedded::{self, Asset};
use crate::idx::{self, IdxArray};
use crate::{Dataset, Error, InputLayout, OodSet, Split, Task, permutation};

/// Seed of the permutation that divides the 10,000 MNIST test images into `mnist10k`.
pub const MNIST10K_SEED: u64 = 10_000;
/// Number of training images of `mnist10k`; the remaining 2,000 are its test images.
pub const MNIST10K_TRAIN: usize = 8_000;

const N_CLASSES: usize = 10;

/// Decoded images with their labels and size.
struct Images {
    split: Split,
    size: (usize, usize),
}

/// The 10,000 MNIST test images as a small set of its own.
///
/// The official order is not random: its first 5,000 images come from other writers than its last 5,000 and are easier.
/// The images are therefore permuted by [`permutation`]`(10_000, `[`MNIST10K_SEED`]`)` once; the first
/// [`MNIST10K_TRAIN`] of that order train, the others test. There is one split.
pub(crate) fn mnist10k() -> Result<Dataset, Error> {
    let images = embedded_images(embedded::MNIST_IMAGES, embedded::MNIST_LABELS)?;
    let order = permutation(images.split.len(), MNIST10K_SEED);
    let (train, test) = order.split_at(MNIST10K_TRAIN);
    Ok(Dataset {
        name: "mnist10k".into(),
        task: Task::Classification,
        train: images.split.select(train),
        test: images.split.select(test),
        feature_names: pixel_names(images.size),
        class_names: digit_names(),
        image: Some(images.size),
        layout: grey(images.size),
        provenance: "the 10,000 MNIST test images (LeCun et al., CC BY-SA 3.0), embedded; 8,000 train, 2,000 test by a \
                     fixed permutation"
            .into(),
    })
}

/// What distinguishes the sets that come as the same four files.
struct FourFiles {
    set: &'static str,
    class_names: fn() -> Vec<String>,
    about: &'static str,
}

const MNIST: FourFiles =
    FourFiles { set: "mnist", class_names: digit_names, about: "MNIST (LeCun et al., CC BY-SA 3.0)" };

const FASHION_MNIST: FourFiles = FourFiles {
    set: "fashion-mnist",
    class_names: garment_names,
    about: "Fashion-MNIST (Zalando Research, MIT)",
};

/// The full MNIST from a folder that holds its four files, or from its `mnist` subfolder.
pub(crate) fn mnist(root: &Path) -> Result<Dataset, Error> {
    MNIST.load(root)
}

/// Fashion-MNIST from a folder that holds its four files, or from its `fashion-mnist` subfolder.
pub(crate) fn fashion_mnist(root: &Path) -> Result<Dataset, Error> {
    FASHION_MNIST.load(root)
}

impl FourFiles {
    fn load(&self, root: &Path) -> Result<Dataset, Error> {
        let folder = [root.join(self.set), root.to_path_buf()]
            .into_iter()
            .find(|folder| idx_file(folder, "train-images-idx3-ubyte").is_some())
            .ok_or_else(|| self.not_found(root, "train-images-idx3-ubyte"))?;
        let part = |name: &str| -> Result<(Images, PathBuf), Error> {
            let find = |file: String| idx_file(&folder, &file).ok_or_else(|| self.not_found(&folder, &file));
            let images = find(format!("{name}-images-idx3-ubyte"))?;
            let labels = find(format!("{name}-labels-idx1-ubyte"))?;
            Ok((decode(idx::read_idx(&images, 3)?, &images, idx::read_idx(&labels, 1)?, &labels)?, images))
        };
        let (train, _) = part("train")?;
        let (test, test_path) = part("t10k")?;
        if train.size != test.size {
            return Err(Error::ImageSize { path: test_path, expected: train.size, got: test.size });
        }
        Ok(Dataset {
            name: self.set.into(),
            task: Task::Classification,
            train: train.split,
            test: test.split,
            feature_names: pixel_names(train.size),
            class_names: (self.class_names)(),
            image: Some(train.size),
            layout: grey(train.size),
            provenance: format!("{}, IDX files in {}", self.about, folder.display()),
        })
    }

    fn not_found(&self, root: &Path, file: &str) -> Error {
        Error::SetNotFound {
            set: self.set,
            root: root.into(),
            looked_for: format!("`{file}` or `{file}.gz`"),
        }
    }
}

/// The embedded letters A to J.
pub(crate) fn glyphs() -> Result<OodSet, Error> {
    let images = embedded_images(embedded::GLYPH_IMAGES, embedded::GLYPH_LABELS)?;
    Ok(OodSet {
        name: "glyphs".into(),
        split: images.split,
        image: Some(images.size),
        layout: grey(images.size),
        provenance: "9,840 letters A-J rendered from 984 open-licensed fonts, embedded; free to use".into(),
    })
}

fn embedded_images(images: Asset, labels: Asset) -> Result<Images, Error> {
    let (images_path, labels_path) = (Path::new(images.name), Path::new(labels.name));
    let pixels = idx::read_idx_from(images.bytes, images_path, 3)?;
    let classes = idx::read_idx_from(labels.bytes, labels_path, 1)?;
    decode(pixels, images_path, classes, labels_path)
}

fn decode(pixels: IdxArray, images: &Path, classes: IdxArray, labels: &Path) -> Result<Images, Error> {
    let (n_images, height, width) = (pixels.shape[0], pixels.shape[1], pixels.shape[2]);
    let n_labels = classes.shape[0];
    if n_images != n_labels {
        return Err(Error::CountMismatch {
            images: images.into(),
            labels: labels.into(),
            n_images,
            n_labels,
        });
    }
    if let Some(position) = classes.data.iter().position(|&label| usize::from(label) >= N_CLASSES) {
        let label = usize::from(classes.data[position]);
        return Err(Error::LabelOutOfRange { path: labels.into(), position, label, n_classes: N_CLASSES });
    }
    let scaled = pixels.data.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let inputs = Array2::from_shape_vec((n_images, height * width), scaled)
        .expect("the IDX reader returns as many bytes as its sizes say");
    let labels = Array1::from_iter(classes.data.iter().map(|&label| usize::from(label)));
    let split = Split::new(inputs, Targets::Classes { labels, n_classes: N_CLASSES })?;
    Ok(Images { split, size: (height, width) })
}

/// The file under one of the names in use: plain or gzipped, with a dash or (as some copies have it) a dot.
fn idx_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    [name, &dotted]
        .into_iter()
        .flat_map(|name| [format!("{name}.gz"), name.to_owned()])
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn grey((height, width): (usize, usize)) -> InputLayout {
    InputLayout::Image { height, width, channels: 1 }
}

fn pixel_names((height, width): (usize, usize)) -> Vec<String> {
    (0..height * width).map(|i| format!("pixel_{}_{}", i / width, i % width)).collect()
}

/// The published names of Fashion-MNIST's classes, in the order of their labels.
fn garment_names() -> Vec<String> {
    let names = [
        "t-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ];
    names.map(String::from).to_vec()
}

fn digit_names() -> Vec<String> {
    (0..N_CLASSES).map(|digit| digit.to_string()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn class_counts(split: &Split) -> [usize; N_CLASSES] {
        let Targets::Classes { labels, .. } = &split.targets else { panic!("digits have classes") };
        let mut counts = [0; N_CLASSES];
        labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }

    #[test]
    fn mnist10k_is_split_8000_to_2000_with_every_class_near_its_share() {
        let set = mnist10k().unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.n_features()), (8_000, 2_000, 784));
        let (train, test) = (class_counts(&set.train), class_counts(&set.test));
        let whole = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
        for class in 0..N_CLASSES {
            assert_eq!(train[class] + test[class], whole[class]);
            // Hypergeometric: standard deviation of a test count is below 13; three of them are allowed.
            let share = whole[class] as f64 / 5.0;
            assert!((test[class] as f64 - share).abs() < 39.0, "class {class}: {} of {share}", test[class]);
        }
    }

    #[test]
    fn mnist10k_takes_both_halves_of_the_official_order_in_proportion() {
        let order = permutation(10_000, MNIST10K_SEED);
        let late = order[MNIST10K_TRAIN..].iter().filter(|&&index| index >= 5_000).count();
        assert!((late as f64 - 1_000.0).abs() < 60.0, "{late} of 2,000 test images from the second half");
    }

    #[test]
    fn glyphs_are_ten_balanced_letters_of_the_size_of_digits() {
        let set = glyphs().unwrap();
        assert_eq!(class_counts(&set.split), [984; 10]);
        assert_eq!(set.image, Some((28, 28)));
        let (low, high) = set.split.inputs.iter().fold((1.0_f32, 0.0_f32), |(l, h), &x| (l.min(x), h.max(x)));
        assert_eq!((low, high), (0.0, 1.0));
    }

    #[test]
    fn images_without_their_labels_are_refused_by_count() {
        let pixels = IdxArray { shape: vec![3, 1, 2], data: vec![0; 6] };
        let classes = IdxArray { shape: vec![2], data: vec![0, 1] };
        let got = decode(pixels.clone(), Path::new("i"), classes, Path::new("l")).err();
        assert!(matches!(got, Some(Error::CountMismatch { n_images: 3, n_labels: 2, .. })));
        let classes = IdxArray { shape: vec![3], data: vec![0, 1, 10] };
        let got = decode(pixels, Path::new("i"), classes, Path::new("l")).err();
        assert!(matches!(got, Some(Error::LabelOutOfRange { position: 2, label: 10, .. })));
    }
}
