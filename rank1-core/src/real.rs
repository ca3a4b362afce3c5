//! The scalar trait of this crate: `f32` on the fast path, `f64` in the reference.

use std::fmt::Debug;
use std::iter::Sum;

use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::{Float, NumAssignOps};

/// A floating-point scalar that every function of this crate accepts.
///
/// Implemented for `f32` and `f64` only; conversions go through `f64` and round once.
pub trait Real: Float + NumAssignOps + LinalgScalar + ScalarOperand + Sum + Debug + Send + Sync {
    /// Rounds a double to this type.
    fn of(value: f64) -> Self;
    /// Widens to a double, exactly.
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}
