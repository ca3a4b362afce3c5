//! Two-dimensional convolutions in NHWC order: geometry, products on flat slices, and the perturbed reference layer.
//!
//! Not for pooling or normalization; see [`crate::pool`] and [`crate::batch_norm`].

mod direct;
mod geometry;
mod patches;
mod perturbed;
mod product;
mod tile;
mod winograd;

pub use geometry::{ConvShape, Padding, Pads};
pub(crate) use geometry::{check_sizes, positions};
pub use perturbed::{PerturbedConv2d, PerturbedConv2dGrads};
pub use product::{ConvScratch, forward, input_gradient, weight_gradient};

#[cfg(test)]
mod tests;
