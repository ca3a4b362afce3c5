//! Random words to uniform, normal, Cauchy and sign values by plain `f32` arithmetic.
//!
//! Only additions, multiplications, divisions and square roots: each is exactly rounded, so every machine and every
//! vector width gives the same bits. Polynomial coefficients were fitted at Chebyshev nodes for this file.

const INV_2_23: f32 = 1.0 / 8_388_608.0;

/// Midpoint of one of `2^23` equal cells of the unit interval: never 0, never 1, exact in `f32`.
#[inline(always)]
pub(super) fn unit(word: u32) -> f32 {
    // Through i32, because converting a signed integer is one instruction and an unsigned one is not.
    ((word >> 9) as i32 as f32 + 0.5) * INV_2_23
}

/// `ln(u)` for `u` in (0, 1), relative error below 2e-7.
#[inline(always)]
fn ln_unit(u: f32) -> f32 {
    // Mantissa between sqrt(1/2) and sqrt(2), so that values near one keep their relative accuracy.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = u.to_bits();
    let exponent = (bits.wrapping_sub(SQRT_HALF) as i32) >> 23;
    let f = f32::from_bits(bits.wrapping_sub((exponent << 23) as u32)) - 1.0;
    let mut p = -0.079_027_44_f32;
    p = p * f + 0.126_223_2;
    p = p * f - 0.129_981_84;
    p = p * f + 0.142_144_96;
    p = p * f - 0.166_412_81;
    p = p * f + 0.200_010_45;
    p = p * f - 0.250_003_06;
    p = p * f + 0.333_333_3;
    let ff = f * f;
    exponent as f32 * std::f32::consts::LN_2 + (f - 0.5 * ff + ff * f * p)
}

/// `sin` and `cos` of `t` quarter turns, `|t| <= 1/2`.
#[inline(always)]
fn sin_cos_quarter(t: f32) -> (f32, f32) {
    let v = t * t;
    let mut s = -0.004_602_149_f32;
    s = s * v + 0.079_680_22;
    s = s * v - 0.645_963_5;
    s = s * v + std::f32::consts::FRAC_PI_2;
    let mut c = 0.000_903_628_07_f32;
    c = c * v - 0.020_860_07;
    c = c * v + 0.253_669_2;
    c = c * v - 1.233_700_5;
    c = c * v + 1.0;
    (s * t, c)
}

/// Two independent standard normals from two words (Box-Muller), the first with the cosine.
///
/// The radius ends at 5.77: values farther out have probability 8e-9 and do not occur.
#[inline(always)]
pub(super) fn normal_pair(first: u32, second: u32) -> (f32, f32) {
    let radius = (-2.0 * ln_unit(unit(first))).sqrt();
    // The two top bits choose the quarter turn, the next 23 the place in it.
    let quarter = second >> 30;
    let t = (((second << 2) >> 9) as i32 as f32 + 0.5) * INV_2_23 - 0.5;
    let (s, c) = sin_cos_quarter(t);
    let odd = 0_u32.wrapping_sub(quarter & 1);
    let (sb, cb) = (s.to_bits(), c.to_bits());
    let cos = (cb & !odd) | (sb & odd);
    let sin = (sb & !odd) | (cb & odd);
    // A quarter turn maps (cos, sin) to (-sin, cos): the cosine changes sign in quarters 1 and 2, the sine in 2 and 3.
    let cos = f32::from_bits(cos ^ (((quarter + 1) & 2) << 30));
    let sin = f32::from_bits(sin ^ ((quarter & 2) << 30));
    (radius * cos, radius * sin)
}

/// `tan(pi (u - 1/2))` with `u` = [`unit`] of the word; largest magnitude 5.4e6.
#[inline(always)]
pub(super) fn cauchy(word: u32) -> f32 {
    // In quarter turns the angle is v in (-1, 1), exact; beyond 1/2 the tangent is a cotangent of the rest.
    let v = 2.0 * unit(word) - 1.0;
    let a = v.abs();
    let outer = a > 0.5;
    let (s, c) = sin_cos_quarter(if outer { 1.0 - a } else { a });
    let (numerator, denominator) = if outer { (c, s) } else { (s, c) };
    (numerator / denominator).copysign(v)
}

/// `+1` or `-1` by the top bit.
#[inline(always)]
pub(super) fn sign(word: u32) -> f32 {
    f32::from_bits(1.0_f32.to_bits() | (word & 0x8000_0000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::philox4x32;

    fn words() -> impl Iterator<Item = [u32; 4]> {
        let edges = [0, 1, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xc000_0000, u32::MAX];
        let corners = edges.into_iter().flat_map(move |a| edges.map(|b| [a, b, b, a]));
        corners.chain((0..20_000).map(|i| philox4x32([i, 0, 0, 0], [1, 2])))
    }

    #[test]
    fn uniforms_stay_inside_the_open_interval() {
        assert_eq!(unit(0), 0.5 / 8_388_608.0);
        assert!(unit(u32::MAX) < 1.0 && 1.0 - unit(u32::MAX) > 5e-8);
    }

    #[test]
    fn the_logarithm_keeps_its_relative_accuracy_near_one() {
        for [a, b, ..] in words() {
            for u in [unit(a), unit(b)] {
                let exact = f64::from(u).ln();
                assert!((f64::from(ln_unit(u)) - exact).abs() < 2e-7 * exact.abs(), "u = {u}");
            }
        }
    }

    #[test]
    fn normals_match_box_muller_in_double_precision() {
        for [a, b, ..] in words() {
            let turn = (f64::from(b >> 7) + 0.5) / 33_554_432.0;
            // Quarter q is centered on q quarter turns.
            let angle = std::f64::consts::TAU * (turn - 0.125);
            let radius = (-2.0 * f64::from(unit(a)).ln()).sqrt();
            let (x, y) = normal_pair(a, b);
            assert!((f64::from(x) - radius * angle.cos()).abs() < 3e-7 * (1.0 + radius), "{a} {b}");
            assert!((f64::from(y) - radius * angle.sin()).abs() < 3e-7 * (1.0 + radius), "{a} {b}");
        }
    }

    #[test]
    fn cauchy_values_match_the_tangent() {
        for [a, b, ..] in words() {
            for word in [a, b] {
                let exact = (std::f64::consts::PI * (f64::from(unit(word)) - 0.5)).tan();
                assert!((f64::from(cauchy(word)) - exact).abs() < 4e-7 * exact.abs(), "{word}: {exact}");
            }
        }
    }
}
