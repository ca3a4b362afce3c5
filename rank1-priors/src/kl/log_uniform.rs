//! Divergences from the improper log-uniform prior, exact, and the approximation of Molchanov et al.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI, SQRT_2};
use std::sync::OnceLock;

use super::closed::{Entry, sum_entries};
use super::{Form, KlValue};
use crate::constraint::sigmoid;
use crate::error::Error;
use crate::posterior::{Entries, HALF_LN_2PI, PosteriorFamily};
use crate::real::Real;

const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// What is added to the divergence from `1 / |x|` so that it is 0 at location 0, where it has a value: the infimum, for a
/// half-Cauchy over locations that are not negative.
pub(crate) fn offset(q: Form) -> f64 {
    match q {
        Form::Normal => HALF_LN_2PI + 0.5 + 0.5 * (EULER_GAMMA + LN_2),
        Form::Cauchy => (4.0 * PI).ln(),
        Form::HalfCauchy => (2.0 * PI).ln(),
        Form::LogNormal | Form::Point => 0.0,
    }
}

/// Normal posterior: `F(|loc| / scale)` with `F(m) = E[ln |m + z|] - E[ln |z|]`, `z` standard normal.
#[inline]
pub(super) fn normal_log_uniform(loc: f64, scale: f64) -> Entry {
    let m = loc.abs() / scale;
    let (value, slope) = mean_log_rise(m);
    Entry { value, d_loc: loc.signum() * slope / scale, d_scale: -slope * m / scale }
}

/// Cauchy posterior: `ln(1 + (loc / scale)^2) / 2`.
#[inline]
pub(super) fn cauchy_log_uniform(loc: f64, scale: f64) -> Entry {
    let m = loc / scale;
    let pull = m / (1.0 + m * m) / scale;
    Entry { value: 0.5 * (m * m).ln_1p(), d_loc: pull, d_scale: -m * pull }
}

/// Half-Cauchy posterior: `ln(1 + m^2) / 2 + h(m)` at `m = loc / scale`, `h` odd with
/// `h'(m) = -(2 / pi) ln |m| / (1 + m^2)`, so that `h(m) = -(2 / pi) (arctan(m) ln |m| - Ti2(m))`.
///
/// `d/dm E[ln |m + |t||]` is `(m - (2 / pi) ln |m|) / (1 + m^2)` for both signs (partial fractions; for `m < 0` the principal
/// value); it is plus infinity at 0, where the density of the prior has its pole.
#[inline]
pub(super) fn half_cauchy_log_uniform(loc: f64, scale: f64) -> Entry {
    const TWO_OVER_PI: f64 = std::f64::consts::FRAC_2_PI;
    let m = loc / scale;
    let log = m.abs().ln();
    let (even, slope) = (0.5 * (m * m).ln_1p(), (m - TWO_OVER_PI * log) / (1.0 + m * m) / scale);
    let odd = if m.abs() > 1.0 {
        // Ti2(m) = Ti2(1 / m) + (pi / 2) ln m, and arctan(m) = pi / 2 - arctan(1 / m), for m > 0.
        m.signum() * TWO_OVER_PI * ((1.0 / m.abs()).atan() * log + inverse_tangent_integral(1.0 / m.abs()))
    } else if m.abs() > 0.0 {
        -TWO_OVER_PI * (m.atan() * log - m.signum() * inverse_tangent_integral(m.abs()))
    } else {
        // Zero; NaN goes on.
        m
    };
    Entry { value: even + odd, d_loc: slope, d_scale: if m.abs() > 0.0 { -m * slope } else { m } }
}

/// `Ti2(x) = sum (-1)^k x^(2k+1) / (2k+1)^2` for `0 <= x <= 1`, its alternating series accelerated (Cohen, Rodriguez Villegas
/// and Zagier 2000, algorithm 1): the error is below `5.8^-24`.
fn inverse_tangent_integral(x: f64) -> f64 {
    const TERMS: i32 = 24;
    let power = (3.0 + 2.0 * SQRT_2).powi(TERMS);
    let total = 0.5 * (power + 1.0 / power);
    let (mut b, mut c, mut sum, mut odd_power) = (-1.0, -total, 0.0, x);
    for k in 0..TERMS {
        let (n, k) = (f64::from(TERMS), f64::from(k));
        c = b - c;
        sum += c * odd_power / ((2.0 * k + 1.0) * (2.0 * k + 1.0));
        b *= (k + n) * (k - n) / ((k + 0.5) * (k + 1.0));
        odd_power *= x * x;
    }
    sum / total
}

/// Log-normal posterior against the density `1 / x`: minus the entropy of the logarithm.
#[inline]
pub(super) fn log_normal_log_uniform(scale: f64) -> Entry {
    Entry { value: -scale.ln() - HALF_LN_2PI - 0.5, d_loc: 0.0, d_scale: -1.0 / scale }
}

/// Spacing of the table of [`mean_log_rise`], and where it ends.
const SPACING: f64 = 0.0625;
const TABLE_END: f64 = 9.0;

/// `F(m) = E[ln |m + z|] - E[ln |z|]` for `m >= 0` and its derivative `g(m) = sqrt(2) D(m / sqrt(2))`, D Dawson's integral.
///
/// Up to 9 by Taylor's series around the nearest entry of a table, whose derivatives follow from `g' = 1 - m g`;
/// beyond, from the moments of `ln |1 + z / m|`, whose smallest term is below 1e-17 there.
fn mean_log_rise(m: f64) -> (f64, f64) {
    if m.is_nan() {
        return (f64::NAN, f64::NAN);
    }
    if m > TABLE_END {
        let inverse = 1.0 / (m * m);
        // term = (2k-1)!! / m^2k
        let (mut term, mut value, mut slope) = (1.0, 0.0, 1.0);
        for k in 1..40 {
            term *= f64::from(2 * k - 1) * inverse;
            value -= term / f64::from(2 * k);
            slope += term;
            if term < 1e-18 {
                break;
            }
        }
        return (m.ln() + 0.5 * (EULER_GAMMA + LN_2) + value, slope / m);
    }
    static TABLE: OnceLock<Vec<(f64, f64)>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let last = (TABLE_END / SPACING) as u32;
        (0..=last).map(|k| sampling_series(f64::from(k) * SPACING)).collect()
    });
    let nearest = (m / SPACING).round();
    let (center, step) = (nearest * SPACING, m - nearest * SPACING);
    let (mut value, g) = table[nearest as usize];
    // `power` is step^n / n!, `this` the n-th derivative of g.
    let (mut slope, mut power, mut before, mut this) = (0.0, 1.0, 0.0, g);
    for n in 0..11 {
        let n = f64::from(n);
        slope += this * power;
        power *= step / (n + 1.0);
        value += this * power;
        let next = if n > 0.0 { -center * this - n * before } else { 1.0 - center * this };
        (before, this) = (this, next);
    }
    (value, slope)
}

/// [`mean_log_rise`] by Rybicki's sampling series; its truncation error at step 1/4 is about 1e-17.
fn sampling_series(m: f64) -> (f64, f64) {
    const STEP: f64 = 0.25;
    let y = m * FRAC_1_SQRT_2;
    let last = ((y + 6.5) / STEP).ceil() as u32;
    let (mut integral, mut dawson) = (0.0, 0.0);
    for n in (1..=last).step_by(2) {
        let n = f64::from(n);
        let node = n * STEP;
        let (below, above) = (y - node, y + node);
        dawson += ((-below * below).exp() - (-above * above).exp()) / n;
        integral += (2.0 * libm::erf(node) + libm::erf(below) - libm::erf(above)) / n;
    }
    (integral, SQRT_2 * dawson / PI.sqrt())
}

/// Molchanov's approximation of the normal posterior's divergence from the log-uniform prior, with the right sign.
///
/// Within 0.01 nats per entry of the exact value that [`crate::kl_and_grad`] gives; falls to 0 as the noise grows. The ratio of
/// variance to squared location is clipped to `exp(-8)` and `exp(8)`, with zero gradient outside.
///
/// # Shapes
/// As in [`crate::kl_and_grad`].
///
/// # Errors
/// [`Error::NoKl`] unless the family is normal; [`Error::Length`], [`Error::Scale`].
///
/// # Source
/// Molchanov, Ashukha and Vetrov 2017, equation 14; the reference code returns the negative.
pub fn molchanov_kl_and_grad<T: Real>(
    family: PosteriorFamily,
    loc: &[T],
    scale: &[T],
) -> Result<KlValue<T>, Error> {
    const OP: &str = "molchanov_kl_and_grad";
    const K: [f64; 3] = [0.63576, 1.8732, 1.48695];
    if super::form(family) != Form::Normal {
        return Err(Error::NoKl {
            family,
            prior: crate::PriorSpec::LogUniform,
            reason: "the approximation was fitted to normal posteriors",
        });
    }
    let entries = Entries::new(OP, family, loc, scale)?.with_positive_scales(OP)?;
    let mut out = KlValue::default();
    sum_entries(&entries, &mut out, |i| {
        let (loc, scale) = (entries.loc(i), entries.scale(i));
        let square = loc * loc + 1e-7;
        let free = 2.0 * scale.ln() - square.ln();
        let log_alpha = free.clamp(-8.0, 8.0);
        let gate = sigmoid(K[1] + K[2] * log_alpha);
        let value = K[0] - K[0] * gate + 0.5 * (-log_alpha).exp().ln_1p();
        let inside = if (-8.0..=8.0).contains(&free) { 1.0 } else { 0.0 };
        let slope = inside * (-K[0] * K[2] * gate * (1.0 - gate) - 0.5 * sigmoid(-log_alpha));
        Entry { value, d_loc: slope * -2.0 * loc / square, d_scale: slope * 2.0 / scale }
    });
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_agrees_with_the_series_between_its_entries() {
        // Steps that are no multiple of the spacing, and the largest distance from an entry.
        for m in (0..900).map(|i| 0.01 * f64::from(i)).chain((0..144).map(|k| (f64::from(k) + 0.5) * SPACING))
        {
            let (table, series) = (mean_log_rise(m), sampling_series(m));
            approx::assert_relative_eq!(table.0, series.0, max_relative = 1e-13, epsilon = 1e-15);
            approx::assert_relative_eq!(table.1, series.1, max_relative = 1e-13, epsilon = 1e-15);
        }
    }

    #[test]
    fn the_inverse_tangent_integral_has_its_known_values() {
        // Catalan's constant, and the series itself where it converges fast.
        approx::assert_relative_eq!(
            inverse_tangent_integral(1.0),
            0.915_965_594_177_219,
            max_relative = 1e-15
        );
        let x: f64 = 0.1;
        let series: f64 =
            (0..12).map(|k| (-1_f64).powi(k) * x.powi(2 * k + 1) / f64::from(2 * k + 1).powi(2)).sum();
        approx::assert_relative_eq!(inverse_tangent_integral(x), series, max_relative = 1e-14);
        assert_eq!(inverse_tangent_integral(0.0), 0.0);
    }

    #[test]
    fn the_half_cauchy_divergence_is_smooth_where_its_formula_changes_and_passes_nan() {
        for sign in [-1.0, 1.0] {
            let at = |m: f64| half_cauchy_log_uniform(sign * m, 1.0);
            let (below, above) = (at(1.0 - 1e-9), at(1.0 + 1e-9));
            let step = sign * 2e-9;
            approx::assert_relative_eq!(below.value + step * below.d_loc, above.value, max_relative = 1e-12);
        }
        let nan = half_cauchy_log_uniform(f64::NAN, 1.0);
        assert!(nan.value.is_nan() && nan.d_loc.is_nan());
        let zero = half_cauchy_log_uniform(0.0, 0.4);
        assert!(zero.value == 0.0 && zero.d_scale == 0.0 && zero.d_loc == f64::INFINITY);
    }

    #[test]
    fn small_ratios_keep_their_relative_precision() {
        let (value, slope) = mean_log_rise(1e-6);
        approx::assert_relative_eq!(value, 5e-13, max_relative = 1e-11);
        approx::assert_relative_eq!(slope, 1e-6, max_relative = 1e-11);
    }
}
