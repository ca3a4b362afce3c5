//! Tests of density, moments and CRPS: closed forms of one term, quadrature, scaling.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;

fn column(terms: &[(f64, f64)]) -> GaussianMixturePredictive {
    let part = |f: fn(&(f64, f64)) -> f64| {
        Array2::from_shape_vec((terms.len(), 1), terms.iter().map(f).collect()).unwrap()
    };
    GaussianMixturePredictive::new(part(|t| t.0), part(|t| t.1)).unwrap()
}

fn terms() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((-3.0..3.0_f64, 0.2..2.0_f64), 1..6)
}

#[test]
fn crps_of_one_gaussian_is_the_textbook_form() {
    // sd (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), here with z = 0.5, sd = 2; Phi(0.5) = 0.691462461274013.
    let z = 0.5_f64;
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    let expected =
        2.0 * (z * (2.0 * 0.691_462_461_274_013 - 1.0) + 2.0 * density - 1.0 / std::f64::consts::PI.sqrt());
    let got = column(&[(1.0, 2.0)]).crps(array![2.0].view()).unwrap();
    assert_relative_eq!(got[0], expected, max_relative = 1e-13);
}

#[test]
fn density_is_the_mixture_and_not_a_moment_match() {
    // Two narrow peaks at -5 and 5: between them there is almost nothing.
    let mixture = column(&[(-5.0, 0.1), (5.0, 0.1)]);
    let log_density = mixture.log_density(array![5.0].view()).unwrap()[0];
    let peak: f64 = 0.5 / (0.1 * std::f64::consts::TAU.sqrt());
    assert_relative_eq!(log_density, peak.ln(), max_relative = 1e-13);
    assert!(mixture.log_density(array![0.0].view()).unwrap()[0] < -1000.0);
    assert_relative_eq!(mixture.variance()[0], 25.01, max_relative = 1e-13);
    assert_relative_eq!(mixture.aleatoric_variance()[0], 0.01, max_relative = 1e-13);
    assert_relative_eq!(mixture.epistemic_variance()[0], 25.0, max_relative = 1e-13);
    assert_eq!(mixture.mean()[0], 0.0);
}

/// Simpson's rule.
fn integrate(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    // A term of width 0.2 that is cut off in its middle needs this many for 1e-9.
    const STEPS: usize = 16_000;
    let h = (high - low) / STEPS as f64;
    let weight = |i: usize| {
        if i == 0 || i == STEPS {
            1.0
        } else if i % 2 == 1 {
            4.0
        } else {
            2.0
        }
    };
    (0..=STEPS).map(|i| weight(i) * f(low + h * i as f64)).sum::<f64>() * h / 3.0
}

/// How far the integral of the density up to `target` is from the distribution function, and its first moment from the mean.
fn errors_of_the_density(terms: &[(f64, f64)], target: f64) -> [f64; 2] {
    let mixture = column(terms);
    let density = |x: f64| mixture.log_density(array![x].view()).unwrap()[0].exp();
    let cdf = mixture.cdf(array![target].view()).unwrap()[0];
    let mass = integrate(density, -25.0, target) - cdf;
    [mass.abs(), (integrate(|x| x * density(x), -25.0, 25.0) - mixture.mean()[0]).abs()]
}

#[test]
fn a_narrow_term_cut_off_in_its_middle_is_integrated_as_well() {
    let [mass, mean] = errors_of_the_density(&[(0.733_460_216_966_975_3, 0.2)], 0.946_676_129_687_141_9);
    assert!(mass < 1e-9 && mean < 1e-9, "{mass} {mean}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn crps_is_the_integral_of_its_definition(terms in terms(), target in -5.0..5.0_f64) {
        let mixture = column(&terms);
        let cdf = |x: f64| mixture.cdf(array![x].view()).unwrap()[0];
        // The integrand jumps at the target, so each side is integrated on its own.
        let below = integrate(|x| cdf(x).powi(2), -25.0, target);
        let above = integrate(|x| (1.0 - cdf(x)).powi(2), target, 25.0);
        let got = mixture.crps(array![target].view()).unwrap()[0];
        prop_assert!((got - below - above).abs() < 1e-9, "{got} {}", below + above);
    }

    #[test]
    fn density_integrates_to_the_distribution_function(terms in terms(), target in -5.0..5.0_f64) {
        let [mass, mean] = errors_of_the_density(&terms, target);
        prop_assert!(mass < 1e-9 && mean < 1e-9, "{mass} {mean}");
    }

    #[test]
    fn affine_maps_scale_every_quantity(terms in terms(), y in -5.0..5.0_f64, a in 0.1..10.0_f64, b in -9.0..9.0_f64) {
        let (mixture, target) = (column(&terms), array![y]);
        let (mapped, image) = (mixture.affine(a, b).unwrap(), array![a * y + b]);
        let shift = mixture.log_density(target.view()).unwrap()[0] - mapped.log_density(image.view()).unwrap()[0];
        prop_assert!((shift - a.ln()).abs() < 1e-9);
        let (one, two) = (mixture.crps(target.view()).unwrap()[0], mapped.crps(image.view()).unwrap()[0]);
        prop_assert!((two - a * one).abs() < 1e-11 * a);
    }
}
