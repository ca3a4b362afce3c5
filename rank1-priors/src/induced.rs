//! The prior density of an effective weight: a normal weight times its random factors, by quadrature.

use crate::dist::{LogDensity, Normal};
use crate::error::{Error, finite};
use crate::quadrature::integrate;

/// Density of `w' = w r s` with `w ~ Normal(0, weight_std^2)` and independent factors.
///
/// `factors` holds the laws of the random ones: none leaves the normal density, one draws the paper's figure 1
/// (`s = 1`), two are the rank-1 prior. The order does not matter.
///
/// Infinite at `w' = 0` when a factor has density at zero, however small: real-valued normal and Cauchy factors, half-Cauchy.
///
/// # Shapes
/// `factors` is `[F]`, usually 0, 1 or 2; the cost grows by a factor of about 500 with each.
///
/// # Units
/// Per unit of the weight.
///
/// # Errors
/// [`Error::Parameter`] unless `weight_std` is positive and `w` finite.
///
/// # Numerics
/// Relative error below 1e-8 for one factor and 1e-6 for two, from the spike to the tails: against closed
/// forms (horseshoe, Student-t, Bessel) for one, and both orders of integration for two.
/// The integral is taken over the logarithm of each factor's magnitude.
///
/// # Source
/// Dusenberry et al. 2020, section 3: `p(W') = int int N(W' | 0, (r s^T sigma)^2) p(r) p(s) dr ds`, one entry.
///
/// # Example
/// ```
/// use rank1_priors::{dist::HalfCauchy, induced_density};
/// let factor = HalfCauchy::new(0.0, 1.0)?;
/// let at_one = induced_density(1.0, 1.0, &[&factor])?;
/// assert!((at_one - 0.11719).abs() < 1e-4); // the horseshoe density
/// # Ok::<(), rank1_priors::Error>(())
/// ```
pub fn induced_density(w: f64, weight_std: f64, factors: &[&dyn LogDensity]) -> Result<f64, Error> {
    let weight = Normal::new(0.0, weight_std)?;
    let w = finite("induced_density", "w", w)?;
    let infinite = w.abs() <= 0.0 && factors.iter().any(|f| f.log_density(0.0) > f64::NEG_INFINITY);
    if infinite {
        return Ok(f64::INFINITY);
    }
    let tolerance = if factors.len() > 1 { 1e-8 } else { 1e-10 };
    Ok(product_density(w, &weight, weight_std, factors, tolerance))
}

/// Density at `w` of the weight times all factors; each level integrates one factor out.
fn product_density(
    w: f64,
    weight: &Normal,
    weight_std: f64,
    factors: &[&dyn LogDensity],
    tolerance: f64,
) -> f64 {
    let Some((factor, rest)) = factors.split_last() else {
        return weight.log_density(w).exp();
    };
    let typical_rest = rest.iter().fold(weight_std, |spread, f| {
        let (center, width) = f.bulk();
        spread * (center.abs() + width)
    });
    let points = break_points(*factor, (w.abs() / typical_rest).ln());
    let integrand = |t: f64| {
        let magnitude = t.exp();
        // p(f) df / |f| = p(f) dt at f = exp(t), and the same on the negative side.
        let mass = factor.log_density(magnitude).exp() + factor.log_density(-magnitude).exp();
        if mass > 0.0 {
            mass * product_density(w / magnitude, weight, weight_std, rest, tolerance * 0.1)
        } else {
            0.0
        }
    };
    integrate(integrand, &points, tolerance)
}

/// Where the integral over the logarithm of a factor's magnitude starts, ends and may bend.
///
/// `turn` is the logarithm of the magnitude at which the rest stops vanishing; minus infinity at `w' = 0`.
fn break_points(factor: &dyn LogDensity, turn: f64) -> Vec<f64> {
    const REACH: f64 = 45.0;
    let (center, width) = factor.bulk();
    let mut points: Vec<f64> = [-30.0, -8.0, -3.0, -1.0, 0.0, 1.0, 3.0, 8.0, 30.0]
        .iter()
        .map(|k| (center + k * width).abs().ln())
        .chain([width.ln(), turn, turn + 1.0, turn - 1.0])
        .filter(|p| p.is_finite())
        .collect();
    points.sort_by(f64::total_cmp);
    let (first, last) = match (points.first(), points.last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (0.0, 0.0),
    };
    points.insert(0, first - REACH);
    points.push(last + REACH);
    points.dedup();
    points
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dist::{Cauchy, HalfCauchy, Horseshoe, LogNormal, RootInverseGamma, StudentT};

    const POINTS: [f64; 7] = [1e-6, 0.003, 0.1, 0.7, -1.3, 6.0, 200.0];

    #[test]
    fn half_cauchy_factor_induces_the_horseshoe() {
        let (factor, closed) = (HalfCauchy::new(0.0, 0.4).unwrap(), Horseshoe::new(0.0, 0.4 * 1.7).unwrap());
        for w in POINTS {
            let density = induced_density(w, 1.7, &[&factor]).unwrap();
            approx::assert_relative_eq!(density, closed.log_density(w).exp(), max_relative = 1e-8);
        }
    }

    #[test]
    fn a_real_cauchy_factor_around_zero_induces_the_same_density() {
        let (half, real) = (HalfCauchy::new(0.0, 0.4).unwrap(), Cauchy::new(0.0, 0.4).unwrap());
        for w in POINTS {
            let a = induced_density(w, 1.0, &[&half]).unwrap();
            approx::assert_relative_eq!(a, induced_density(w, 1.0, &[&real]).unwrap(), max_relative = 1e-8);
        }
    }

    #[test]
    fn root_inverse_gamma_factor_induces_student_t() {
        let factor = RootInverseGamma::new(1.5, 0.8).unwrap();
        let closed = StudentT::new(3.0, 0.0, 0.6 * (0.8f64 / 1.5).sqrt()).unwrap();
        for w in POINTS.iter().chain(&[0.0]) {
            let density = induced_density(*w, 0.6, &[&factor]).unwrap();
            approx::assert_relative_eq!(density, closed.log_density(*w).exp(), max_relative = 1e-8);
        }
    }

    #[test]
    fn two_log_normal_factors_equal_one_with_summed_logarithms() {
        let (a, b) = (LogNormal::new(0.2, 0.3).unwrap(), LogNormal::new(-0.1, 0.4).unwrap());
        let product = LogNormal::new(0.1, 0.5).unwrap();
        for w in [0.0, 0.01, -0.9, 4.0] {
            let two = induced_density(w, 1.0, &[&a, &b]).unwrap();
            approx::assert_relative_eq!(
                two,
                induced_density(w, 1.0, &[&product]).unwrap(),
                max_relative = 1e-6
            );
        }
    }

    #[test]
    fn a_centred_normal_factor_induces_the_bessel_density() {
        let factor = Normal::new(0.0, 1.0).unwrap();
        // Modified Bessel function of the second kind, order 0.
        for (w, bessel) in
            [(0.1, 2.4270690247020164), (1.0, 0.42102443824070834), (-5.0, 0.0036910983340425942)]
        {
            let density = induced_density(w, 1.0, &[&factor]).unwrap();
            approx::assert_relative_eq!(density, bessel / std::f64::consts::PI, max_relative = 1e-8);
        }
    }

    #[test]
    fn the_order_of_factors_does_not_matter() {
        let (a, b) = (HalfCauchy::new(0.0, 0.7).unwrap(), Normal::new(1.0, 0.3).unwrap());
        for w in [1e-3, 0.4, -30.0] {
            let one = induced_density(w, 0.5, &[&a, &b]).unwrap();
            let other = induced_density(w, 0.5, &[&b, &a]).unwrap();
            approx::assert_relative_eq!(one, other, max_relative = 1e-6);
        }
    }

    #[test]
    fn a_narrow_normal_factor_leaves_the_weight_alone() {
        let factor = Normal::new(1.0, 1e-4).unwrap();
        for w in [0.02, 0.5, -2.0] {
            let density = induced_density(w, 1.0, &[&factor]).unwrap();
            let bare = Normal::new(0.0, 1.0).unwrap().log_density(w).exp();
            approx::assert_relative_eq!(density, bare, max_relative = 1e-7);
        }
    }

    #[test]
    fn normal_factors_induce_a_density_of_mass_one_with_a_spike() {
        let factor = Normal::new(1.0, 0.5).unwrap();
        let density = |w: f64| induced_density(w, 1.0, &[&factor]).unwrap();
        let half_mass = integrate(|t| density(t.exp()) * t.exp(), &[-40.0, -3.0, 0.0, 2.0, 5.0], 1e-8);
        approx::assert_relative_eq!(half_mass, 0.5, max_relative = 1e-7);
        assert!(density(0.0).is_infinite());
        assert!(density(1e-8) > density(1e-4) && density(1e-4) > density(0.1));
    }

    #[test]
    fn impossible_arguments_are_refused() {
        assert!(induced_density(f64::NAN, 1.0, &[]).is_err());
        assert!(induced_density(0.3, 0.0, &[]).is_err());
    }
}
