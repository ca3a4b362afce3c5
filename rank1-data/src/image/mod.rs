//! Image sets: CIFAR and its corrupted copies, MNIST-C, image folders and ImageNet; augmentation and loading ahead.
//!
//! Not for MNIST as published (see [`crate::mnist`]), not for making corruptions, not for networks that read images.
//!
//! | what | where |
//! |---|---|
//! | sets in memory, bytes | [`Images`], [`ImageSet`] |
//! | CIFAR-10 and CIFAR-100 as published | [`Cifar::read`] |
//! | CIFAR-10-C, CIFAR-100-C, MNIST-C | [`CifarC`], [`MnistC`] |
//! | class sub-folders or their archive | [`read_image_folder`], [`read_class_folders`], [`read_own_images`], [`index_own_images`], [`index_labeled_images`] |
//! | ImageNet and ImageNet-C, decoded when needed | [`ImageNet`], [`ImageNetC`], [`ImageIndex`] |
//! | crops and flips | [`Augment`], [`Preprocess`], [`example_key`] |
//! | batches prepared ahead | [`Prefetch`] |

mod arrange;
mod augment;
mod cifar;
mod cifar_c;
mod cifar_names;
#[cfg(feature = "images")]
mod container;
#[cfg_attr(not(feature = "images"), path = "decode_absent.rs")]
mod decode;
mod draws;
pub mod error;
mod folder;
mod folder_part;
mod folder_split;
mod imagenet;
mod imagenet_labels;
mod imagenet_set;
mod images;
mod index;
mod index_check;
mod mnist_c;
mod names;
mod npy;
mod pickle;
mod pickle_value;
mod picture;
mod prefetch;
mod preprocess;
mod resize;
mod scan;
mod section;
pub(crate) mod sets;
mod severities;
#[cfg(feature = "images")]
mod tiff;

pub use augment::Augment;
pub use cifar::Cifar;
pub use cifar_c::CifarC;
pub use decode::decode_image;
pub use draws::example_key;
pub use error::ImageError;
pub use folder::{FolderOptions, OnBadImage, load_image_folder, read_class_folders, read_image_folder};
pub use folder_split::{IndexedImages, TestShare, index_labeled_images, index_own_images, read_own_images};
pub use imagenet::{ImageNetC, imagenet_train, imagenet_val};
pub use imagenet_labels::ValLabels;
pub use imagenet_set::ImageNet;
pub use images::{ImageSet, Images, LeftOut, SkippedImage};
pub use index::ImageIndex;
pub use mnist_c::{MnistC, Part};
pub use names::{Formats, PICTURE_ENDINGS, escaped_name, has_picture_ending};
pub use npy::{NpyArray, NpyValues, read_npy};
pub use picture::{Channels, Picture};
pub use prefetch::{Batch, Prefetch, PrefetchOptions};
pub use preprocess::{IMAGENET_MEAN, IMAGENET_STD, Preprocess, standardize_imagenet};
pub use severities::{SEVERITIES_FILE, Severities};
