//! The perturbed convolution of all members at once, in NHWC order: sizes, padding and the readable reference layer.
//!
//! Not for pooling or normalization, and not what a training step runs; see [`crate::kernels`].

mod geometry;
mod perturbed;

pub use geometry::{ConvShape, Padding, Pads};
pub(crate) use geometry::{check_sizes, positions};
pub use perturbed::{PerturbedConv2d, PerturbedConv2dGrads};
