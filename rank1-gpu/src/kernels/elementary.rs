//! Logarithm, softplus and sigmoid on the device, and the test for NaN.
//!
//! The logarithm is a polynomial, because WGSL allows its own an absolute error of 2^-21 near one. The exponential is the
//! device's: WGSL allows it `3 + 2 |x|` units in the last place.

use cubecl::prelude::*;

const ABSOLUTE_BITS: u32 = 0x7fff_ffff;
const INFINITY_BITS: u32 = 0x7f80_0000;
const SMALLEST_NORMAL_BITS: u32 = 0x0080_0000;
/// Bits of `sqrt(1/2)`.
const SQRT_HALF: u32 = 0x3f35_04f3;
/// Added to exponents so that they stay positive.
const EXPONENT_OFFSET: u32 = 128;
const LN_2: f32 = std::f32::consts::LN_2;
const SQRT_2_MINUS_1: f32 = 0.414_213_57;

/// By its bits: comparisons with NaN may be folded into ones that drop it, as some OpenGL drivers do.
#[cube]
pub(crate) fn is_nan(x: f32) -> bool {
    u32::reinterpret(x) & ABSOLUTE_BITS > INFINITY_BITS
}

/// `ln(1 + f)` for `sqrt(1/2) <= 1 + f <= sqrt(2)`, to two units in the last place.
#[cube]
pub(crate) fn ln_near_one(f: f32) -> f32 {
    let mut p = f * -0.079_027_44_f32 + 0.126_223_2_f32;
    p = p * f - 0.129_981_84_f32;
    p = p * f + 0.142_144_96_f32;
    p = p * f - 0.166_412_81_f32;
    p = p * f + 0.200_010_45_f32;
    p = p * f - 0.250_003_06_f32;
    p = p * f + 0.333_333_3_f32;
    let ff = f * f;
    f - 0.5f32 * ff + ff * f * p
}

/// `ln(x)`; what is not a positive normal number gets the device's own logarithm, and NaN stays NaN.
#[cube]
pub(crate) fn ln(x: f32) -> f32 {
    // Mantissa between sqrt(1/2) and sqrt(2), in unsigned arithmetic.
    let bits = u32::reinterpret(x);
    let exponent = (bits + (EXPONENT_OFFSET << 23u32) - SQRT_HALF) >> 23u32;
    let f = f32::reinterpret(bits + ((EXPONENT_OFFSET - exponent) << 23u32)) - 1.0f32;
    let whole = f32::cast_from(exponent) - f32::cast_from(EXPONENT_OFFSET);
    let value = whole * LN_2 + ln_near_one(f);
    let is_normal = bits - SMALLEST_NORMAL_BITS < INFINITY_BITS - SMALLEST_NORMAL_BITS;
    let value = select(is_normal, value, x.ln());
    select(is_nan(x), x, value)
}

/// `ln(1 + x)` for `x >= 0`, accurate in proportion however small `x` is.
#[cube]
fn ln_1p(x: f32) -> f32 {
    select(x < SQRT_2_MINUS_1, ln_near_one(x), ln(1.0f32 + x))
}

/// `ln(1 + exp(x))` without overflow; NaN passes through.
#[cube]
pub(crate) fn softplus(x: f32) -> f32 {
    let negative = x < 0.0f32;
    let e = select(negative, x, -x).exp();
    let value = select(negative, 0.0f32, x) + ln_1p(e);
    select(is_nan(x), x, value)
}

/// `1 / (1 + exp(-x))` without overflow, the slope of the softplus; NaN passes through.
#[cube]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let negative = x < 0.0f32;
    let e = select(negative, x, -x).exp();
    let value = select(negative, e, 1.0f32) / (1.0f32 + e);
    select(is_nan(x), x, value)
}
