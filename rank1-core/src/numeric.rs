//! Scalar and row functions that stay accurate where the textbook formula overflows or cancels.
//!
//! Not for densities of factor distributions; those live in the priors crate.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::Real;

pub(crate) mod saturating;

/// `ln(2 pi)`, the constant of every Gaussian log-density.
pub const LN_TWO_PI: f64 = 1.837_877_066_409_345_5;

/// `ln(1 + e^x)`.
///
/// # Numerics
/// No overflow for any finite `x`; for very negative `x` the result keeps full relative accuracy. NaN passes through.
///
/// # Source
/// Maps an unconstrained parameter to a positive scale (Dusenberry et al. 2020, appendix B).
pub fn softplus<F: Real>(x: F) -> F {
    if x > F::zero() { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// The `x` with `softplus(x) = y`, for `y > 0`; NaN for negative `y`, `-inf` for zero.
///
/// # Numerics
/// `y + ln(1 - e^-y)`, accurate for tiny and for huge `y`.
///
/// # Source
/// The initial unconstrained scale `ln(e^y - 1)` of the reference code.
pub fn inverse_softplus<F: Real>(y: F) -> F {
    y + (-(-y).exp_m1()).ln()
}

/// `1 / (1 + e^-x)`, the derivative of [`softplus`].
///
/// # Numerics
/// Full relative accuracy in the lower tail; no overflow. NaN passes through.
pub fn sigmoid<F: Real>(x: F) -> F {
    if x >= F::zero() {
        F::one() / (F::one() + (-x).exp())
    } else {
        let e = x.exp();
        e / (F::one() + e)
    }
}

/// `ln(1 / (1 + e^-x)) = -softplus(-x)`.
///
/// # Source
/// Log-likelihood of a positive label under a Bernoulli logit.
pub fn log_sigmoid<F: Real>(x: F) -> F {
    -softplus(-x)
}

/// `ln(sum_i e^(x_i))` of the values of an iterator that can be walked twice.
///
/// # Shapes
/// `values`: any number of scalars; an empty iterator gives `-inf`.
///
/// # Numerics
/// The largest value is taken out first. All `-inf` gives `-inf`, any `+inf` gives `+inf`, any NaN gives NaN.
pub fn log_sum_exp<F: Real, I>(values: I) -> F
where
    I: IntoIterator<Item = F>,
    I::IntoIter: Clone,
{
    let values = values.into_iter();
    // `Float::max` drops NaN, so NaN is carried by the sum below instead.
    let largest = values.clone().fold(F::neg_infinity(), F::max);
    if largest == F::infinity() {
        return if values.clone().any(F::is_nan) { F::nan() } else { largest };
    }
    if largest == F::neg_infinity() {
        return if values.clone().any(F::is_nan) { F::nan() } else { largest };
    }
    largest + values.map(|x| (x - largest).exp()).sum::<F>().ln()
}

/// `ln((1/n) sum_i e^(x_i))`: the logarithm of a mean of `n` probabilities given their logarithms.
///
/// # Shapes
/// `values`: one or more scalars; an empty iterator gives NaN.
///
/// # Numerics
/// As [`log_sum_exp`].
///
/// # Source
/// Predictive of an equally weighted mixture, Dusenberry et al. 2020, appendix E (14).
pub fn log_mean_exp<F: Real, I>(values: I) -> F
where
    I: IntoIterator<Item = F>,
    I::IntoIter: Clone,
{
    let values = values.into_iter();
    let n = values.clone().count();
    log_sum_exp(values) - F::of(n as f64).ln()
}

/// `out[r, c] = logits[r, c] - ln(sum_c' e^(logits[r, c']))`.
///
/// # Shapes
/// `logits`: `[R, C]`; returns `[R, C]`.
///
/// # Numerics
/// Row maximum is taken out first; exact zeros of probability become `-inf` only beyond the range of the type.
pub fn log_softmax<F: Real>(logits: ArrayView2<'_, F>) -> Array2<F> {
    let mut out = logits.to_owned();
    for mut row in out.rows_mut() {
        let largest = row.fold(F::neg_infinity(), |a, &b| a.max(b));
        // Subtract the maximum before the logarithm of the sum: logits near 1e6 keep their small differences.
        row.mapv_inplace(|x| x - largest);
        let norm = row.iter().map(|&x| x.exp()).sum::<F>().ln();
        row.mapv_inplace(|x| x - norm);
    }
    out
}

/// `e^(log_softmax)` of one row.
///
/// # Shapes
/// `logits`: `[C]`; returns `C` probabilities.
pub fn softmax<F: Real>(logits: ArrayView1<'_, F>) -> Vec<F> {
    let mut out = vec![F::zero(); logits.len()];
    softmax_into(&logits.to_vec(), &mut out);
    out
}

/// [`softmax`] into `out`, which is as long as `logits`.
pub(crate) fn softmax_into<F: Real>(logits: &[F], out: &mut [F]) {
    let largest = logits.iter().fold(F::neg_infinity(), |a, &b| a.max(b));
    let mut total = F::zero();
    for (p, &x) in out.iter_mut().zip(logits) {
        *p = (x - largest).exp();
        total += *p;
    }
    out.iter_mut().for_each(|p| *p /= total);
}

/// Error function.
///
/// # Numerics
/// Evaluated in double precision by `libm`, then rounded once.
pub fn erf<F: Real>(x: F) -> F {
    F::of(libm::erf(x.wide()))
}

/// Density of the standard normal distribution.
pub fn normal_pdf<F: Real>(x: F) -> F {
    let x = x.wide();
    F::of((-0.5 * (x * x + LN_TWO_PI)).exp())
}

/// Distribution function of the standard normal.
///
/// # Numerics
/// Through the complementary error function, so the lower tail keeps its relative accuracy.
pub fn normal_cdf<F: Real>(x: F) -> F {
    F::of(0.5 * libm::erfc(-x.wide() * std::f64::consts::FRAC_1_SQRT_2))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn softplus_holds_at_both_ends() {
        assert_relative_eq!(softplus(0.0_f64), std::f64::consts::LN_2, max_relative = 1e-15);
        assert_eq!(softplus(1e4_f64), 1e4);
        assert_relative_eq!(softplus(-700.0_f64), (-700.0_f64).exp(), max_relative = 1e-12);
        assert!(softplus(f64::NAN).is_nan());
    }

    #[test]
    fn the_dropout_rate_table_of_initial_scales_is_met() {
        for (p, raw) in [(1e-3, -3.437_516), (1e-6, -6.907_255), (5e-7, -7.253_975), (0.1, -0.927_320)] {
            let std: f64 = f64::sqrt(p / (1.0 - p));
            assert!((inverse_softplus(std) - raw).abs() < 5e-7);
        }
    }

    #[test]
    fn log_sum_exp_carries_infinities_and_nan() {
        assert_eq!(log_sum_exp([f64::NEG_INFINITY; 3]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(Vec::<f64>::new()), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp([1.0, f64::INFINITY]), f64::INFINITY);
        for rest in [0.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(log_sum_exp([f64::NAN, rest]).is_nan());
        }
        assert_relative_eq!(log_mean_exp([-1e6_f64, -1e6]), -1e6, max_relative = 1e-15);
    }

    #[test]
    fn erf_and_normal_cdf_meet_tabled_values() {
        // Abramowitz and Stegun, table 7.1 and 26.1.
        assert_relative_eq!(erf(0.5_f64), 0.520_499_877_813_046_5, max_relative = 1e-14);
        assert_relative_eq!(normal_cdf(1.96_f64), 0.975_002_104_851_779_5, max_relative = 1e-13);
        assert_relative_eq!(normal_cdf(-10.0_f64), 7.619_853_024_160_527e-24, max_relative = 1e-10);
        assert_relative_eq!(normal_pdf(0.0_f64), 0.398_942_280_401_432_7, max_relative = 1e-15);
    }

    #[test]
    fn log_softmax_of_huge_logits_keeps_small_differences() {
        let got = log_softmax(array![[1e6_f64, 1e6 - 1.0, -1e6]].view());
        let norm = (1.0 + (-1.0_f64).exp()).ln();
        assert_relative_eq!(got[[0, 0]], -norm, max_relative = 1e-14);
        assert_relative_eq!(got[[0, 1]], -1.0 - norm, max_relative = 1e-14);
        assert_relative_eq!(got[[0, 2]], -2e6, max_relative = 1e-6);
    }

    proptest! {
        #[test]
        fn inverse_softplus_undoes_softplus(y in 1e-12_f64..1e3) {
            prop_assert!((softplus(inverse_softplus(y)) - y).abs() <= 1e-12 * y);
        }

        #[test]
        fn sigmoid_is_the_slope_of_softplus(x in -30.0_f64..30.0) {
            let h = 1e-5;
            let slope = (softplus(x + h) - softplus(x - h)) / (2.0 * h);
            prop_assert!((slope - sigmoid(x)).abs() < 1e-9);
            prop_assert!((log_sigmoid(x) - sigmoid(x).ln()).abs() < 1e-12);
        }

        #[test]
        fn log_sum_exp_moves_with_a_common_shift(
            x in proptest::collection::vec(-50.0_f64..50.0, 1..8), shift in -1e5_f64..1e5
        ) {
            let moved = log_sum_exp(x.iter().map(|v| v + shift));
            prop_assert!((moved - shift - log_sum_exp(x.iter().copied())).abs() < 1e-9);
            let naive = x.iter().map(|v| v.exp()).sum::<f64>().ln();
            prop_assert!((log_sum_exp(x.iter().copied()) - naive).abs() < 1e-12);
        }

        #[test]
        fn rows_of_softmax_sum_to_one(x in proptest::collection::vec(-900.0_f64..900.0, 1..8)) {
            let row = ndarray::Array1::from(x);
            let p = softmax(row.view());
            prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let logs = log_softmax(row.view().insert_axis(ndarray::Axis(0)));
            for (c, &q) in p.iter().enumerate() {
                prop_assert!((logs[[0, c]].exp() - q).abs() < 1e-12);
            }
        }
    }
}
