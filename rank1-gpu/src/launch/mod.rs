//! The functions to call: each checks shapes, limits and features, then launches its kernels and returns at once.
//!
//! Not for strided tensors: buffers are contiguous, and `f32` unless a function's name ends in `_in` and it is given another
//! [`crate::Precision`]. A failure of the device itself shows when the result is read.

mod checks;
mod convolution;
mod draw;
mod draw_backward;
mod draw_samples;
mod drawn_linear;
mod drawn_linear_backward;
mod engine;
mod fold;
mod layer;
mod layer_library;
mod layer_operands;
mod library;
mod likelihood;
mod linear;
mod parts;
mod product;
mod row_sums;

pub use convolution::{
    convolution_fits, perturbed_convolution, perturbed_convolution_backward,
    perturbed_convolution_backward_in, perturbed_convolution_in,
};
pub use draw::{draw_factors, draw_factors_in, draw_fits, stream_words};
pub use draw_backward::{draw_factors_backward, draw_factors_backward_in};
pub use draw_samples::{draw_samples, draw_samples_backward};
pub use drawn_linear::drawn_linear;
pub use drawn_linear_backward::drawn_linear_backward;
pub use engine::{convolution_engine, engine};
pub use likelihood::{NllGrads, nll, nll_fits, nll_in, nll_with_gradient, nll_with_gradient_in};
pub use linear::{
    linear_fits, perturbed_linear, perturbed_linear_backward, perturbed_linear_backward_in,
    perturbed_linear_in,
};
