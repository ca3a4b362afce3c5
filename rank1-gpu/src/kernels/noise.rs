//! Random words to uniform, normal and Cauchy noise on the device, by polynomials instead of the device's own functions.
//!
//! WGSL allows its sine an absolute error of 2^-11, which no tolerance of a test could live with.

use cubecl::prelude::*;

use super::elementary::ln_near_one;
use super::philox::Block;
use crate::draw::NoiseKind;

const INV_2_23: f32 = 1.0 / 8_388_608.0;
/// Bits of `sqrt(1/2)`.
const SQRT_HALF: u32 = 0x3f35_04f3;
/// Added to exponents so that they stay positive; those of a uniform reach from -24 to 0.
const EXPONENT_OFFSET: u32 = 64;
const LN_2: f32 = std::f32::consts::LN_2;
const HALF_PI: f32 = std::f32::consts::FRAC_PI_2;

/// The noise of four consecutive entries.
#[cube]
pub(crate) fn noise_of(words: Block, #[comptime] kind: NoiseKind) -> Sequence<f32> {
    let mut noise = Sequence::<f32>::new();
    match comptime!(kind) {
        NoiseKind::Uniform => {
            noise.push(unit(words.word_0));
            noise.push(unit(words.word_1));
            noise.push(unit(words.word_2));
            noise.push(unit(words.word_3));
        }
        NoiseKind::Normal => {
            normal_pair(&mut noise, words.word_0, words.word_1);
            normal_pair(&mut noise, words.word_2, words.word_3);
        }
        NoiseKind::Cauchy => {
            noise.push(cauchy(words.word_0));
            noise.push(cauchy(words.word_1));
            noise.push(cauchy(words.word_2));
            noise.push(cauchy(words.word_3));
        }
    }
    noise
}

/// Midpoint of one of `2^23` equal cells of the unit interval: never 0, never 1, exact.
#[cube]
fn unit(word: u32) -> f32 {
    (f32::cast_from(word >> 9u32) + 0.5f32) * INV_2_23
}

/// `ln(u)` for `u` = [`unit`] of a word.
#[cube]
fn ln_unit(u: f32) -> f32 {
    // Mantissa between sqrt(1/2) and sqrt(2), so that values near one keep their relative accuracy. In unsigned
    // arithmetic, because shifting a negative number right is not the same everywhere.
    let bits = u32::reinterpret(u);
    let exponent = (bits + (EXPONENT_OFFSET << 23u32) - SQRT_HALF) >> 23u32;
    let f = f32::reinterpret(bits + ((EXPONENT_OFFSET - exponent) << 23u32)) - 1.0f32;
    let whole = f32::cast_from(exponent) - f32::cast_from(EXPONENT_OFFSET);
    whole * LN_2 + ln_near_one(f)
}

/// Sine of `t` quarter turns, `|t| <= 1/2`.
#[cube]
fn sin_quarter(t: f32) -> f32 {
    let v = t * t;
    let mut s = v * -0.004_602_149_f32 + 0.079_680_22_f32;
    s = s * v - 0.645_963_5_f32;
    s = s * v + HALF_PI;
    s * t
}

/// Cosine of `t` quarter turns, `|t| <= 1/2`.
#[cube]
fn cos_quarter(t: f32) -> f32 {
    let v = t * t;
    let mut c = v * 0.000_903_628_07_f32 - 0.020_860_07_f32;
    c = c * v + 0.253_669_2_f32;
    c = c * v - 1.233_700_5_f32;
    c * v + 1.0f32
}

/// Two independent standard normals from two words (Box-Muller), the first with the cosine.
#[cube]
fn normal_pair(noise: &mut Sequence<f32>, first: u32, second: u32) {
    let radius = (ln_unit(unit(first)) * -2.0f32).sqrt();
    // The two top bits choose the quarter turn, the next 23 the place in it.
    let quarter = second >> 30u32;
    let t = unit(second << 2u32) - 0.5f32;
    let s = sin_quarter(t);
    let c = cos_quarter(t);
    let odd = quarter & 1u32 == 1u32;
    let cos = select(odd, s, c);
    let sin = select(odd, c, s);
    // A quarter turn maps (cos, sin) to (-sin, cos): the cosine changes sign in quarters 1 and 2, the sine in 2 and 3.
    let negative_cos = (quarter + 1u32) & 2u32 == 2u32;
    let negative_sin = quarter & 2u32 == 2u32;
    noise.push(radius * select(negative_cos, -cos, cos));
    noise.push(radius * select(negative_sin, -sin, sin));
}

/// `tan(pi (u - 1/2))` with `u` = [`unit`] of the word.
#[cube]
fn cauchy(word: u32) -> f32 {
    // In quarter turns the angle is v in (-1, 1), exact; beyond 1/2 the tangent is a cotangent of the rest.
    let v = 2.0f32 * unit(word) - 1.0f32;
    let negative = v < 0.0f32;
    let a = select(negative, -v, v);
    let outer = a > 0.5f32;
    let t = select(outer, 1.0f32 - a, a);
    let s = sin_quarter(t);
    let c = cos_quarter(t);
    let magnitude = select(outer, c, s) / select(outer, s, c);
    select(negative, -magnitude, magnitude)
}
