//! Log-densities against statrs, their total mass, their slopes, and what constructors refuse.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rank1_priors::Error;
use rank1_priors::dist::{
    Cauchy, HalfCauchy, Horseshoe, InverseGamma, LogDensity, LogNormal, LogUniform, Normal, PointMass,
    RootInverseGamma, StudentT,
};
use rank1_priors::quadrature::integrate;
use statrs::distribution::Continuous;

fn all() -> Vec<(&'static str, Box<dyn LogDensity>)> {
    vec![
        ("normal", Box::new(Normal::new(0.7, 0.3).unwrap())),
        ("cauchy", Box::new(Cauchy::new(-0.4, 0.2).unwrap())),
        ("half_cauchy", Box::new(HalfCauchy::new(0.3, 0.8).unwrap())),
        ("log_normal", Box::new(LogNormal::new(0.2, 0.6).unwrap())),
        ("log_uniform", Box::new(LogUniform::new(0.05, 11.0).unwrap())),
        ("inverse_gamma", Box::new(InverseGamma::new(2.01, 0.101).unwrap())),
        ("root_inverse_gamma", Box::new(RootInverseGamma::new(1.5, 0.7).unwrap())),
        ("student_t", Box::new(StudentT::new(3.0, 1.0, 0.4).unwrap())),
        ("horseshoe", Box::new(Horseshoe::new(0.0, 0.5).unwrap())),
    ]
}

const POSITIVE: [f64; 7] = [1e-3, 0.05, 0.31, 1.0, 2.7, 19.0, 1e3];

#[test]
fn log_densities_agree_with_statrs() {
    let normal = (Normal::new(0.7, 0.3).unwrap(), statrs::distribution::Normal::new(0.7, 0.3).unwrap());
    let cauchy = (Cauchy::new(-0.4, 0.2).unwrap(), statrs::distribution::Cauchy::new(-0.4, 0.2).unwrap());
    let log_normal =
        (LogNormal::new(0.2, 0.6).unwrap(), statrs::distribution::LogNormal::new(0.2, 0.6).unwrap());
    let inverse_gamma = (
        InverseGamma::new(2.01, 0.101).unwrap(),
        statrs::distribution::InverseGamma::new(2.01, 0.101).unwrap(),
    );
    let student =
        (StudentT::new(3.0, 1.0, 0.4).unwrap(), statrs::distribution::StudentsT::new(1.0, 0.4, 3.0).unwrap());
    for x in POSITIVE {
        for sign in [1.0, -1.0] {
            assert_relative_eq!(
                normal.0.log_density(sign * x),
                normal.1.ln_pdf(sign * x),
                max_relative = 1e-12
            );
            assert_relative_eq!(
                cauchy.0.log_density(sign * x),
                cauchy.1.ln_pdf(sign * x),
                max_relative = 1e-10
            );
            assert_relative_eq!(
                student.0.log_density(sign * x),
                student.1.ln_pdf(sign * x),
                max_relative = 1e-10
            );
        }
        assert_relative_eq!(log_normal.0.log_density(x), log_normal.1.ln_pdf(x), max_relative = 1e-10);
        assert_relative_eq!(inverse_gamma.0.log_density(x), inverse_gamma.1.ln_pdf(x), max_relative = 1e-10);
    }
}

#[test]
fn every_density_has_mass_one() {
    for (name, law) in all() {
        let (center, width) = law.bulk();
        // The axis is cut at the centre; each side is integrated over the logarithm of the distance.
        let points: Vec<f64> =
            [-60.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 60.0].iter().map(|t| t + width.ln()).collect();
        let side = |sign: f64| {
            integrate(|t: f64| law.log_density(center + sign * t.exp()).exp() * t.exp(), &points, 1e-10)
        };
        // The jump of the log-uniform density at its bounds limits the rule.
        let tolerance = if name == "log_uniform" { 1e-6 } else { 1e-9 };
        assert!((side(1.0) + side(-1.0) - 1.0).abs() < tolerance, "{name}: {}", side(1.0) + side(-1.0));
    }
}

/// Failing cases are kept in `regressions/` beside the test file.
fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn slopes_equal_central_differences(x in 0.31f64..8.0) {
        for (name, law) in all() {
            let h = 1e-6 * x;
            let numeric = (law.log_density(x + h) - law.log_density(x - h)) / (2.0 * h);
            // Near a zero of the slope the difference quotient itself is off by about 1e-9.
            let bound = 1e-6 * numeric.abs().max(0.1);
            prop_assert!((law.log_density_slope(x) - numeric).abs() <= bound, "{name} at {x}");
        }
    }

    #[test]
    fn scores_equal_central_differences(x in -5.0f64..5.0, a in -1.0f64..1.0, b in 0.2f64..2.0) {
        let h = 1e-6;
        let near = |numeric: f64, exact: f64| (numeric - exact).abs() <= 1e-6 * exact.abs().max(1.0);
        let normal = |a, b| Normal::new(a, b).unwrap().log_density(x);
        let score = Normal::new(a, b).unwrap().log_density_score(x);
        prop_assert!(near((normal(a + h, b) - normal(a - h, b)) / (2.0 * h), score[0]));
        prop_assert!(near((normal(a, b + h) - normal(a, b - h)) / (2.0 * h), score[1]));
        let cauchy = |a, b| Cauchy::new(a, b).unwrap().log_density(x);
        let score = Cauchy::new(a, b).unwrap().log_density_score(x);
        prop_assert!(near((cauchy(a + h, b) - cauchy(a - h, b)) / (2.0 * h), score[0]));
        prop_assert!(near((cauchy(a, b + h) - cauchy(a, b - h)) / (2.0 * h), score[1]));
    }
}

#[test]
fn student_t_with_one_degree_of_freedom_is_cauchy() {
    let (student, cauchy) = (StudentT::new(1.0, 0.3, 0.7).unwrap(), Cauchy::new(0.3, 0.7).unwrap());
    for x in [-40.0, -0.2, 0.3, 5.0] {
        assert_relative_eq!(student.log_density(x), cauchy.log_density(x), max_relative = 1e-12);
        assert_relative_eq!(student.log_density_slope(x), cauchy.log_density_slope(x), max_relative = 1e-12);
    }
}

#[test]
fn horseshoe_is_smooth_where_its_formula_changes_and_has_inverse_square_tails() {
    let law = Horseshoe::new(0.0, 1.0).unwrap();
    // u = x^2 / 2 passes 1 and 100 at these points.
    for x in [2f64.sqrt(), 200f64.sqrt()] {
        let (below, above) = (x * (1.0 - 1e-9), x * (1.0 + 1e-9));
        assert_relative_eq!(law.log_density(below), law.log_density(above), max_relative = 1e-8);
        assert_relative_eq!(law.log_density_slope(below), law.log_density_slope(above), max_relative = 1e-8);
    }
    for x in [1e4, 1e8] {
        assert_relative_eq!(law.log_density_slope(x) * x, -2.0, max_relative = 1e-6);
    }
    assert!(law.log_density(0.0) == f64::INFINITY);
    assert!(law.log_density(f64::NAN).is_nan());
}

#[test]
fn outside_the_support_the_log_density_is_minus_infinity_and_nan_passes() {
    let positive: Vec<Box<dyn LogDensity>> = vec![
        Box::new(LogNormal::new(0.0, 1.0).unwrap()),
        Box::new(InverseGamma::new(1.0, 1.0).unwrap()),
        Box::new(RootInverseGamma::new(1.0, 1.0).unwrap()),
        Box::new(HalfCauchy::new(0.0, 1.0).unwrap()),
        Box::new(LogUniform::new(0.1, 1.0).unwrap()),
    ];
    for law in &positive {
        assert!(law.log_density(-0.5) == f64::NEG_INFINITY && law.log_density_slope(-0.5).is_nan());
    }
    for (name, law) in all() {
        assert!(law.log_density(f64::NAN).is_nan(), "{name}");
    }
    let point = PointMass::new(0.3).unwrap();
    assert!(point.log_density(0.3) == 0.0 && point.log_density(0.31) == f64::NEG_INFINITY);
    assert!(point.log_density(f64::NAN).is_nan());
}

#[test]
fn impossible_parameters_are_refused_by_name() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = [
            Normal::new(0.0, bad).err(),
            Cauchy::new(0.0, bad).err(),
            HalfCauchy::new(0.0, bad).err(),
            LogNormal::new(0.0, bad).err(),
            LogUniform::new(bad, 1.0).err(),
            InverseGamma::new(bad, 1.0).err(),
            InverseGamma::new(1.0, bad).err(),
            RootInverseGamma::new(1.0, bad).err(),
            StudentT::new(bad, 0.0, 1.0).err(),
            StudentT::new(3.0, 0.0, bad).err(),
            Horseshoe::new(0.0, bad).err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(Error::Parameter { .. })), "{error:?} for {bad}");
        }
    }
    let text = Normal::new(f64::NAN, 1.0).unwrap_err().to_string();
    assert_eq!(text, "Normal: `mean` is NaN, expected a finite number");
    assert!(LogUniform::new(2.0, 1.0).is_err() && PointMass::new(f64::INFINITY).is_err());
}
