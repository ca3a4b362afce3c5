//! Activations and their derivatives on the device.

use cubecl::prelude::*;

use super::elementary::is_nan;
use crate::linear::Activation;

const ABSOLUTE_BITS: u32 = 0x7fff_ffff;

/// `activation(z)`; NaN stays NaN.
#[cube]
pub(crate) fn activate(z: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::Identity => z,
        Activation::Relu => select(is_nan(z), z, select(z > 0.0f32, z, 0.0f32)),
        Activation::Tanh => tanh(z),
    }
}

/// `grad * activation'(z)` by `y = activation(z)`; NaN in either stays NaN.
#[cube]
pub(crate) fn through_activation(grad: f32, y: f32, #[comptime] activation: Activation) -> f32 {
    match comptime!(activation) {
        Activation::Identity => grad,
        Activation::Relu => select(is_nan(y), y, select(y > 0.0f32, grad, 0.0f32)),
        Activation::Tanh => grad * (1.0f32 - y * y),
    }
}

/// `grad * activation'(z)` of the entry at `at`; without `y` there is no activation.
#[cube]
pub(crate) fn before_activation<F: Float>(
    grad: &[F],
    y: &ComptimeOption<Box<[F]>>,
    at: usize,
    #[comptime] activation: Activation,
) -> f32 {
    #[comptime]
    match y {
        ComptimeOption::Some(y) => {
            through_activation(f32::cast_from(grad[at]), f32::cast_from(y[at]), activation)
        }
        ComptimeOption::None => f32::cast_from(grad[at]),
    }
}

/// WGSL bounds the error of its own `tanh` only through a quotient that overflows; this one relies on `exp` alone, whose
/// error of `3 + 2 |x|` units the quotient makes small.
#[cube]
fn tanh(z: f32) -> f32 {
    let absolute = f32::reinterpret(u32::reinterpret(z) & ABSOLUTE_BITS);
    // Cephes' polynomial where the quotient would cancel.
    let zz = z * z;
    let mut p = zz * -5.704_988_7e-3_f32 + 2.063_909e-2_f32;
    p = p * zz - 5.373_971_5e-2_f32;
    p = p * zz + 1.333_144_2e-1_f32;
    p = p * zz - 3.333_328e-1_f32;
    let near = z + z * zz * p;
    // Beyond 10 the result rounds to one.
    let bounded = select(absolute > 10.0f32, 10.0f32, absolute);
    let far = 1.0f32 - 2.0f32 / ((2.0f32 * bounded).exp() + 1.0f32);
    let far = select(z < 0.0f32, -far, far);
    select(is_nan(z), z, select(absolute < 0.625f32, near, far))
}
