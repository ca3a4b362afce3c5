//! Factor math, objectives, predictives and metrics of rank-1 Bayesian neural networks on `ndarray`.
//!
//! Pure functions, generic over `f32` and `f64`: no random state, no input or output, no tensor framework.
#![forbid(unsafe_code)]

pub mod calibration;
pub mod conformal;
pub mod conv;
pub mod decision;
pub mod diversity;
pub mod drift;
pub mod embedding;
pub mod error;
pub mod factor;
#[doc(hidden)]
pub mod kernels;
pub mod layout;
pub mod likelihood;
pub mod metrics;
pub mod moments;
pub mod noise;
pub mod numeric;
pub mod objective;
pub mod perturb;
pub mod predictive;
pub mod real;
pub mod scaling;
pub mod targets;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::Error;
pub use real::Real;
