//! Hyperbolic tangent, logistic function and softplus of whole slices, vectorized in `f32`.
//!
//! The single-precision versions use additions, multiplications and divisions only: each is exactly rounded, so every
//! machine and every vector width gives the same bits. Powers of two come from the exponent bits, the rest from the Taylor
//! series of `e^r - 1`.

/// Replaces every value by its hyperbolic tangent.
pub(crate) fn tanh_f32(values: &mut [f32]) {
    crate::kernels::simd::arch().dispatch(Each(values, tanh));
}

/// Replaces every value by `1 / (1 + e^-x)`.
pub(crate) fn sigmoid_f32(values: &mut [f32]) {
    crate::kernels::simd::arch().dispatch(Each(values, sigmoid));
}

/// Replaces every value by `ln(1 + e^x)`.
pub(crate) fn softplus_f32(values: &mut [f32]) {
    crate::kernels::simd::arch().dispatch(Each(values, softplus));
}

/// A slice and a function as a value, so that the loop over it is compiled once per instruction set.
struct Each<'a, M>(&'a mut [f32], M);

impl<M: Fn(f32) -> f32> pulp::WithSimd for Each<'_, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) {
        self.0.iter_mut().for_each(|x| *x = (self.1)(*x));
    }
}

/// `e^x` as `power (rest + 1)` with a power of two, for `|x| <= 87`; NaN stays in the rest.
#[inline(always)]
fn exp_parts(x: f32) -> (f32, f32) {
    // Adding 1.5 * 2^23 rounds to a whole number, which then sits in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // The upper part of ln 2 has 9 trailing zeros, so that its product with a small whole number is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    let rest = r + r * r * p;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    (power, rest)
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    // From here on the result rounds to one. Comparisons keep NaN, `min` would drop it.
    const SATURATION: f32 = 20.0;
    let y = 2.0 * x.abs();
    let (power, rest) = exp_parts(if y > SATURATION { SATURATION } else { y });
    // e^y - 1 without cancellation: the power is 1 while y is small.
    let minus_one = power * rest + (power - 1.0);
    (minus_one / (minus_one + 2.0)).copysign(x)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    // Beyond this e^-x leaves the normal range.
    const LARGEST: f32 = 87.0;
    let y = -x;
    let y = if y > LARGEST { LARGEST } else { y };
    let (power, rest) = exp_parts(if y < -LARGEST { -LARGEST } else { y });
    1.0 / (1.0 + (power * rest + power))
}

/// `max(x, 0) + ln(1 + t)` with `t = e^-|x|`, the logarithm as `2 artanh(t / (2 + t))`.
#[inline(always)]
fn softplus(x: f32) -> f32 {
    const LARGEST: f32 = 87.0;
    let y = x.abs();
    let (power, rest) = exp_parts(-(if y > LARGEST { LARGEST } else { y }));
    let t = power * rest + power;
    let s = t / (2.0 + t);
    let q = s * s;
    let mut p = 1.0 / 15.0;
    for odd in [13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        p = p * q + 1.0 / odd;
    }
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + 2.0 * s * p
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both signs, from the smallest normal numbers to far beyond saturation, denser where the function bends.
    fn arguments() -> Vec<f32> {
        let scales = (0..4_000).map(|i| 10_f64.powf(f64::from(i) / 100.0 - 37.0));
        let bend = (0..40_000).map(|i| f64::from(i) / 400.0);
        let sizes: Vec<f32> = scales.chain(bend).map(|x| x as f32).collect();
        sizes.iter().copied().chain(sizes.iter().map(|x| -x)).collect()
    }

    #[test]
    fn tanh_agrees_with_double_precision_over_the_whole_range() {
        let x = arguments();
        let mut y = x.clone();
        tanh_f32(&mut y);
        for (x, y) in x.into_iter().zip(y) {
            let exact = f64::from(x).tanh();
            assert!((f64::from(y) - exact).abs() <= 3e-7 * exact.abs(), "{x}: {y} and {exact}");
        }
    }

    #[test]
    fn sigmoid_agrees_with_double_precision_down_to_the_smallest_numbers() {
        let x = arguments();
        let mut y = x.clone();
        sigmoid_f32(&mut y);
        for (x, y) in x.into_iter().zip(y) {
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(y) - exact).abs() <= 3e-7 * exact + 2e-38, "{x}: {y} and {exact}");
        }
    }

    #[test]
    fn softplus_agrees_with_double_precision_down_to_the_smallest_numbers() {
        let x = arguments();
        let mut y = x.clone();
        softplus_f32(&mut y);
        for (x, y) in x.into_iter().zip(y) {
            let exact = f64::from(x).max(0.0) + (-f64::from(x).abs()).exp().ln_1p();
            assert!((f64::from(y) - exact).abs() <= 3e-7 * exact + 2e-38, "{x}: {y} and {exact}");
        }
    }

    #[test]
    fn the_ends_saturate_and_nan_passes_through() {
        let mut ends = [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::NAN];
        tanh_f32(&mut ends);
        assert_eq!(ends[..3], [1.0, -1.0, 0.0]);
        assert!(ends[3].is_sign_negative() && ends[4].is_nan());
        let mut ends = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        softplus_f32(&mut ends);
        assert!(ends[0] == f32::INFINITY && ends[1] < 2e-38 && ends[2].is_nan());
        let mut ends = [f32::INFINITY, f32::NEG_INFINITY, 0.0, f32::NAN];
        sigmoid_f32(&mut ends);
        assert!(ends[0] == 1.0 && ends[1] < 2e-38 && ends[2] == 0.5 && ends[3].is_nan());
    }

    #[test]
    fn vector_and_scalar_code_give_the_same_bits() {
        let x = arguments();
        let (mut tanhs, mut sigmoids, mut softpluses) = (x.clone(), x.clone(), x.clone());
        tanh_f32(&mut tanhs);
        sigmoid_f32(&mut sigmoids);
        softplus_f32(&mut softpluses);
        for (((x, t), s), p) in x.into_iter().zip(tanhs).zip(sigmoids).zip(softpluses) {
            assert_eq!((t.to_bits(), s.to_bits()), (tanh(x).to_bits(), sigmoid(x).to_bits()), "{x}");
            assert_eq!(p.to_bits(), softplus(x).to_bits(), "{x}");
        }
    }
}
