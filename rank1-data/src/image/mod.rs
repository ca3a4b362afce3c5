//! Sets of color images: CIFAR, its corrupted copies, image folders and ImageNet.
//!
//! Not for MNIST as published (see [`crate::mnist`]); not for networks that read images.

mod cifar;
pub mod error;
mod images;
mod pickle;
mod pickle_value;

pub use cifar::Cifar;
pub use error::ImageError;
pub use images::{ImageSet, Images, SkippedImage};
