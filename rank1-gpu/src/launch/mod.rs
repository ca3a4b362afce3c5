//! The functions to call: each checks shapes, limits and features, then launches its kernels and returns at once.
//!
//! Not for strided tensors: buffers are contiguous `f32`. A failure of the device itself shows when the result is read.

mod checks;
mod draw;
mod likelihood;
mod predictive;

pub use draw::{draw_factors, scale_by_draw, stream_words};
pub use likelihood::{NllGrads, nll, nll_with_gradient};
pub use predictive::{ClassPredictive, NO_CLASS, PredictiveAccumulator, class_predictive};
