//! The scalar trait of this crate: `f32` on the fast path, `f64` in the reference.

use std::fmt::Debug;
use std::iter::Sum;

use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::{Float, NumAssignOps};

use crate::numeric::{saturating, sigmoid, softplus};

/// A floating-point scalar that every function of this crate accepts.
///
/// Implemented for `f32` and `f64` only; conversions go through `f64` and round once.
pub trait Real: Float + NumAssignOps + LinalgScalar + ScalarOperand + Sum + Debug + Send + Sync {
    /// Rounds a double to this type.
    fn of(value: f64) -> Self;
    /// Widens to a double, exactly.
    fn wide(self) -> f64;
    /// The values themselves where this type is `f32`: for kernels that exist in single precision only.
    fn as_f32(values: &[Self]) -> Option<&[f32]>;
    /// As [`Real::as_f32`], to be written.
    fn as_f32_mut(values: &mut [Self]) -> Option<&mut [f32]>;
    /// Replaces every value by its hyperbolic tangent.
    ///
    /// # Numerics
    /// `f32`: vectorized, relative error below 3e-7, the same bits on every machine. NaN passes through.
    fn tanh_in_place(values: &mut [Self]);
    /// Replaces every value by `1 / (1 + e^-x)`.
    ///
    /// # Numerics
    /// `f32`: vectorized, relative error below 3e-7 for results above 2e-38, the same bits on every machine. NaN passes
    /// through.
    fn sigmoid_in_place(values: &mut [Self]);
    /// Replaces every value by `ln(1 + e^x)`.
    ///
    /// # Numerics
    /// As [`Real::sigmoid_in_place`].
    fn softplus_in_place(values: &mut [Self]);
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn as_f32(values: &[Self]) -> Option<&[f32]> {
        Some(values)
    }
    fn as_f32_mut(values: &mut [Self]) -> Option<&mut [f32]> {
        Some(values)
    }
    fn tanh_in_place(values: &mut [Self]) {
        saturating::tanh_f32(values);
    }
    fn sigmoid_in_place(values: &mut [Self]) {
        saturating::sigmoid_f32(values);
    }
    fn softplus_in_place(values: &mut [Self]) {
        saturating::softplus_f32(values);
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }
    fn as_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }
    fn tanh_in_place(values: &mut [Self]) {
        values.iter_mut().for_each(|x| *x = x.tanh());
    }
    fn sigmoid_in_place(values: &mut [Self]) {
        values.iter_mut().for_each(|x| *x = sigmoid(*x));
    }
    fn softplus_in_place(values: &mut [Self]) {
        values.iter_mut().for_each(|x| *x = softplus(*x));
    }
}
