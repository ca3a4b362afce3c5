//! Every gradient of a divergence against central differences in double precision, with the noise held fixed.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rank1_priors::dist::standard_cauchy;
use rank1_priors::{
    Error, KlValue, NoiseKind, PosteriorFamily, PriorSpec, kl_and_grad, kl_and_grad_monte_carlo,
    kl_and_grad_with_prior_scale, kl_kind, reference,
};

const FAMILIES: [PosteriorFamily; 7] = [
    PosteriorFamily::Normal,
    PosteriorFamily::Cauchy,
    PosteriorFamily::HalfCauchy,
    PosteriorFamily::LogNormal,
    PosteriorFamily::NormalSharedScale,
    PosteriorFamily::NormalFixedScale { scale: 0.25 },
    PosteriorFamily::PointMass,
];

const PRIORS: [PriorSpec; 11] = [
    PriorSpec::Normal { mean: 1.0, std: 0.6 },
    PriorSpec::Cauchy { location: 1.0, scale: 0.3 },
    PriorSpec::LogNormal { location: 0.1, scale: 0.7 },
    PriorSpec::HalfCauchy { scale: 0.9 },
    PriorSpec::LogUniform,
    PriorSpec::StudentT { df: 3.0, location: 1.0, scale: 0.4 },
    PriorSpec::TiedMean { std: 0.3 },
    PriorSpec::EmpiricalBayes { mean: 1.0, concentration: 2.01, rate: 0.101 },
    PriorSpec::Horseshoe { mean: -3.0, scale: 0.5 },
    PriorSpec::InverseGammaScale { mean: 1.0, concentration: 1.5, rate: 0.2 },
    PriorSpec::ImproperUniform,
];

const LOC: [f64; 7] = [1.0, 0.3, 0.7, 1.9, 0.02, 1.3, 1.1];
const SCALE: [f64; 7] = [0.1, 0.9, 0.3, 0.4, 0.25, 1.2, 0.6];
// Two draws per entry.
const UNIFORM: [f64; 14] =
    [0.13, 0.77, 0.41, 0.92, 0.55, 0.08, 0.63, 0.29, 0.36, 0.71, 0.84, 0.19, 0.47, 0.58];

fn noise(family: PosteriorFamily, n: usize) -> Vec<f64> {
    let standard = |u: &f64| match family.noise_kind() {
        // Any numbers do; these spread like a normal variate.
        NoiseKind::Normal => (u / (1.0 - u)).ln() / 1.7,
        NoiseKind::Cauchy => standard_cauchy(*u),
        NoiseKind::Unused => 0.0,
    };
    UNIFORM[..2 * n].iter().map(standard).collect()
}

fn near(exact: f64, numeric: f64) -> bool {
    (exact - numeric).abs() <= 2e-7 * numeric.abs().max(1.0)
}

/// Compares both gradients of `kl` with central differences of its value.
#[track_caller]
fn check(what: &str, loc: &[f64], scale: &[f64], kl: impl Fn(&[f64], &[f64]) -> KlValue) {
    let exact = kl(loc, scale);
    assert_eq!((exact.d_loc.len(), exact.d_scale.len()), (loc.len(), scale.len()), "{what}");
    let difference = |i: usize, in_loc: bool| {
        let moved = |sign: f64| {
            let (mut loc, mut scale) = (loc.to_vec(), scale.to_vec());
            let at = if in_loc { &mut loc[i] } else { &mut scale[i] };
            let step = 1e-5 * at.abs().max(0.01);
            *at += sign * step;
            (kl(&loc, &scale).value, step)
        };
        let ((above, step), (below, _)) = (moved(1.0), moved(-1.0));
        (above - below) / (2.0 * step)
    };
    for (i, d) in exact.d_loc.iter().enumerate() {
        let numeric = difference(i, true);
        assert!(near(*d, numeric), "{what}: location {i}: {d} against {numeric}");
    }
    for (i, d) in exact.d_scale.iter().enumerate() {
        let numeric = difference(i, false);
        assert!(near(*d, numeric), "{what}: scale {i}: {d} against {numeric}");
    }
}

#[test]
fn every_pair_that_has_a_divergence() {
    let mut checked = 0;
    for family in FAMILIES {
        for prior in PRIORS {
            if let Err(error) = kl_kind(family, prior) {
                assert!(matches!(error, Error::NoKl { .. }));
                continue;
            }
            for n in [7, 1] {
                let noise = noise(family, n);
                let scale = &SCALE[..family.n_scales(n)];
                check(&format!("{family:?} {prior:?}"), &LOC[..n], scale, |loc, scale| {
                    kl_and_grad(family, prior, loc, scale, Some(&noise)).unwrap()
                });
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 60);
}

#[test]
fn estimates_of_pairs_with_a_closed_form() {
    for (family, prior) in [
        (PosteriorFamily::Normal, PRIORS[0]),
        (PosteriorFamily::NormalSharedScale, PRIORS[0]),
        (PosteriorFamily::Normal, PriorSpec::LogUniform),
        (PosteriorFamily::Cauchy, PRIORS[1]),
        (PosteriorFamily::LogNormal, PRIORS[2]),
        (PosteriorFamily::LogNormal, PRIORS[0]),
    ] {
        let noise = noise(family, 7);
        check(&format!("{family:?} {prior:?}"), &LOC, &SCALE[..family.n_scales(7)], |loc, scale| {
            kl_and_grad_monte_carlo(family, prior, loc, scale, &noise).unwrap()
        });
    }
}

#[test]
fn trainable_prior_scales() {
    let prior = PriorSpec::TrainableScale { mean: 1.0 };
    let per_entry = [0.3, 0.5, 0.7, 1.1, 1.3, 1.7, 1.9];
    for family in [PosteriorFamily::Normal, PosteriorFamily::LogNormal, PosteriorFamily::PointMass] {
        for prior_scale in [&[0.4][..], &per_entry] {
            let scale = &SCALE[..family.n_scales(7)];
            let kl = |prior_scale: &[f64], loc: &[f64], scale: &[f64]| {
                kl_and_grad_with_prior_scale(family, prior, prior_scale, loc, scale, None).unwrap()
            };
            check("trainable", &LOC, scale, |loc, scale| kl(prior_scale, loc, scale));
            let exact = kl(prior_scale, &LOC, scale).d_prior.unwrap();
            assert_eq!(exact.len(), prior_scale.len());
            for (i, d) in exact.iter().enumerate() {
                let moved = |step: f64| {
                    let mut prior_scale = prior_scale.to_vec();
                    prior_scale[i] += step;
                    kl(&prior_scale, &LOC, scale).value
                };
                assert!(near(*d, (moved(1e-6) - moved(-1e-6)) / 2e-6));
            }
        }
    }
}

#[test]
fn reference_variants() {
    for family in [PosteriorFamily::Normal, PosteriorFamily::PointMass] {
        check("empirical Bayes", &LOC, &SCALE[..family.n_scales(7)], |loc, scale| {
            reference::empirical_bayes_kl_and_grad(family, 1.0, 2.01, 0.101, loc, scale).unwrap()
        });
    }
    check("log-uniform", &LOC, &SCALE, |loc, scale| {
        reference::log_uniform_regularizer(PosteriorFamily::Normal, loc, scale).unwrap()
    });
    // Beyond the clip the regularizer is flat.
    let flat: KlValue =
        reference::log_uniform_regularizer(PosteriorFamily::Normal, &[1.0, 1e-3], &[1e-3, 1.0]).unwrap();
    assert!(flat.d_loc.iter().chain(&flat.d_scale).all(|d| d.abs() <= 0.0));
}

/// Failing cases are kept in `regressions/` beside the test file.
fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn exact_divergences_are_not_negative_and_vanish_at_the_prior(
        loc in -3.0f64..3.0, scale in 0.01f64..3.0, mean in -2.0f64..2.0, std in 0.01f64..2.0,
    ) {
        use PosteriorFamily as F;
        for (family, prior) in [
            (F::Normal, PriorSpec::Normal { mean, std }),
            (F::Cauchy, PriorSpec::Cauchy { location: mean, scale: std }),
            (F::LogNormal, PriorSpec::LogNormal { location: mean, scale: std }),
        ] {
            prop_assert!(kl_and_grad(family, prior, &[loc], &[scale], None).unwrap().value >= -1e-14);
            let same = kl_and_grad(family, prior, &[mean], &[std], None).unwrap();
            prop_assert!(same.value.abs() < 1e-14);
            prop_assert!((same.d_loc[0] * std).abs() < 1e-14 && (same.d_scale[0] * std).abs() < 1e-14);
        }
        for family in [F::Normal, F::Cauchy] {
            let kl = kl_and_grad(family, PriorSpec::LogUniform, &[loc], &[scale], None).unwrap();
            prop_assert!(kl.value >= 0.0);
            // A function of the ratio alone.
            let twice = kl_and_grad(family, PriorSpec::LogUniform, &[2.0 * loc], &[2.0 * scale], None).unwrap();
            prop_assert!((kl.value - twice.value).abs() <= 1e-13 * kl.value.max(1.0));
        }
    }

    #[test]
    fn the_sum_does_not_depend_on_how_entries_are_grouped(
        loc in prop::collection::vec(-2.0f64..2.0, 11), scale in prop::collection::vec(0.05f64..2.0, 11),
    ) {
        let kl = |range: std::ops::Range<usize>| {
            let prior = PriorSpec::Normal { mean: 1.0, std: 0.1 };
            kl_and_grad(PosteriorFamily::Normal, prior, &loc[range.clone()], &scale[range], None).unwrap()
        };
        let (whole, left, right) = (kl(0..11), kl(0..5), kl(5..11));
        prop_assert!((whole.value - left.value - right.value).abs() <= 1e-12 * whole.value);
        prop_assert_eq!(&whole.d_loc[5..], &right.d_loc[..]);
    }
}
