//! Factor math, objectives, predictives and metrics of rank-1 Bayesian neural networks on `ndarray`.
//!
//! Pure functions, generic over `f32` and `f64`: no random state, no input or output, no tensor framework.
#![forbid(unsafe_code)]

pub mod batch_norm;
pub mod conv;
pub mod dense;
pub mod diversity;
pub mod error;
pub mod factor;
pub mod layout;
pub mod likelihood;
pub mod lstm;

pub mod metrics;
pub mod moments;
pub mod noise;
pub mod numeric;
pub mod objective;
mod partition;
pub mod perturb;
pub mod pool;
pub mod predictive;
mod product;
pub mod real;
pub mod scaling;
mod scratch;
pub mod simd;
pub mod targets;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::Error;
pub use real::Real;
