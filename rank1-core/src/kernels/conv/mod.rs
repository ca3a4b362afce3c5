//! Products of two-dimensional convolutions on flat slices, in NHWC order.
//!
//! Not for factors and biases; see [`crate::conv`].

mod direct;
mod patches;
mod product;
mod tile;
mod winograd;

pub use product::{ConvScratch, forward, input_gradient, weight_gradient};

#[cfg(test)]
mod tests;
