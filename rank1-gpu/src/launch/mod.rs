//! The functions to call: each checks shapes, limits and features, then launches its kernels and returns at once.
//!
//! Not for strided tensors: buffers are contiguous, and `f32` but for linear maps of another [`crate::Precision`]. A failure of the device itself shows when the result is read.

mod checks;
mod convolution;
mod draw;
mod draw_backward;
mod drawn_linear;
mod drawn_linear_backward;
mod fold;
mod kl;
mod layer;
mod library;
mod likelihood;
mod linear;
mod linear_library;
mod parts;
mod predictive;
mod product;
mod scale;
mod scale_backward;

pub use convolution::{convolution_fits, perturbed_convolution, perturbed_convolution_backward};
pub use draw::{draw_factors, draw_fits, stream_words};
pub use draw_backward::draw_factors_backward;
pub use drawn_linear::drawn_linear;
pub use drawn_linear_backward::drawn_linear_backward;
pub use kl::{kl_closed, kl_monte_carlo};
pub use likelihood::{NllGrads, nll, nll_fits, nll_with_gradient};
pub use linear::{
    engine, linear_fits, perturbed_linear, perturbed_linear_backward, perturbed_linear_backward_in,
    perturbed_linear_in,
};
pub use predictive::{ClassPredictive, NO_CLASS, PredictiveAccumulator, class_predictive};
pub use scale::{scale_by_draw, scale_images_by_draw};
pub use scale_backward::{scale_by_draw_backward, scale_images_by_draw_backward};
