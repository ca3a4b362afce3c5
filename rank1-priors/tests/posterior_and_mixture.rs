//! Pathwise gradients of the posterior families, scalar mixtures, and the divergence of a mixture of members.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2, Array3, arr1, arr2};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Open01, StandardNormal};
use rank1_priors::dist::{LogDensity, LogNormal, Normal, standard_cauchy};
use rank1_priors::quadrature::integrate;
use rank1_priors::{Error, MemberMixture, Mixture, PosteriorFamily, PriorSpec, kl_and_grad};

const FAMILIES: [PosteriorFamily; 7] = [
    PosteriorFamily::Normal,
    PosteriorFamily::Cauchy,
    PosteriorFamily::HalfCauchy,
    PosteriorFamily::LogNormal,
    PosteriorFamily::NormalSharedScale,
    PosteriorFamily::NormalFixedScale { scale: 0.25 },
    PosteriorFamily::PointMass,
];

/// Failing cases are kept in `regressions/` beside the test file.
fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn pathwise_gradients_equal_central_differences(
        loc in prop::collection::vec(-1.0f64..2.0, 7),
        scale in prop::collection::vec(0.05f64..1.5, 7),
        noise in prop::collection::vec(-2.0f64..2.0, 7),
        weight in prop::collection::vec(-2.0f64..2.0, 7),
    ) {
        for family in FAMILIES {
            let scale = &scale[..family.n_scales(7)];
            let objective = |loc: &[f64], scale: &[f64]| {
                let mut out = [0.0; 7];
                family.draw_into(loc, scale, &noise, &mut out).unwrap();
                out.iter().zip(&weight).map(|(x, w)| x * w).sum::<f64>()
            };
            // Gradients are added to what is there.
            let (mut d_loc, mut d_scale) = (vec![1.0; 7], vec![1.0; scale.len()]);
            family.backward_into(&loc, scale, &noise, &weight, &mut d_loc, &mut d_scale).unwrap();
            for i in 0..7 {
                let moved = |h: f64| { let mut l = loc.clone(); l[i] += h; objective(&l, scale) };
                let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                prop_assert!((d_loc[i] - 1.0 - numeric).abs() < 1e-7 * numeric.abs().max(1.0), "{family:?}");
            }
            for i in 0..scale.len() {
                let moved = |h: f64| { let mut s = scale.to_vec(); s[i] += h; objective(&loc, &s) };
                let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                prop_assert!((d_scale[i] - 1.0 - numeric).abs() < 1e-7 * numeric.abs().max(1.0), "{family:?}");
            }
        }
    }

    #[test]
    fn responsibilities_sum_to_one_and_give_the_slope(x in -3.0f64..3.0) {
        let parts = vec![Normal::new(-1.0, 0.3).unwrap(), Normal::new(0.2, 1.0).unwrap()];
        let law = Mixture::with_weights(parts, vec![1.0, 4.0]).unwrap();
        prop_assert!((law.responsibilities(x).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let numeric = (law.log_density(x + 1e-6) - law.log_density(x - 1e-6)) / 2e-6;
        prop_assert!((law.log_density_slope(x) - numeric).abs() < 1e-7 * numeric.abs().max(1.0));
    }
}

#[test]
fn draws_check_every_length() {
    let mut out = [0.0f32; 3];
    for family in FAMILIES {
        let scale = vec![0.1f32; family.n_scales(3)];
        assert!(family.draw_into(&[1.0; 3], &scale, &[0.5; 3], &mut out).is_ok());
        assert!(family.draw_into(&[1.0; 3], &scale, &[0.5; 3], &mut out[..2]).is_err());
        assert!(family.draw_into(&[1.0; 3], &vec![0.1f32; scale.len() + 1], &[0.5; 3], &mut out).is_err());
        let short = family.draw_into(&[1.0; 3], &scale, &[0.5; 2], &mut out);
        assert_eq!(short.is_err(), family != PosteriorFamily::PointMass);
    }
}

#[test]
fn scalar_mixture_has_mass_one_and_stays_finite_far_away() {
    let parts = vec![Normal::new(-1.0, 0.3).unwrap(), Normal::new(2.0, 0.1).unwrap()];
    let law = Mixture::new(parts).unwrap();
    let mass = integrate(|x| law.log_density(x).exp(), &[-9.0, -1.0, 0.5, 2.0, 9.0], 1e-10);
    approx::assert_relative_eq!(mass, 1.0, max_relative = 1e-9);
    // The wide component dominates: a direct sum of densities would underflow to zero.
    let expected = Normal::new(-1.0, 0.3).unwrap().log_density(-100.0) - 2f64.ln();
    approx::assert_relative_eq!(law.log_density(-100.0), expected, max_relative = 1e-12);
    let positive = Mixture::new(vec![LogNormal::new(0.0, 1.0).unwrap(); 2]).unwrap();
    assert!(positive.log_density(-1.0) == f64::NEG_INFINITY);
    assert!(law.log_density(f64::NAN).is_nan());
}

#[test]
fn impossible_mixtures_are_refused() {
    let part = Normal::new(0.0, 1.0).unwrap();
    assert!(matches!(Mixture::<Normal>::new(vec![]), Err(Error::Empty { .. })));
    assert!(matches!(Mixture::with_weights(vec![part], vec![1.0, 2.0]), Err(Error::Length { .. })));
    assert!(matches!(Mixture::with_weights(vec![part], vec![0.0]), Err(Error::Parameter { .. })));
    let empty = MemberMixture::new(PosteriorFamily::Normal, Array2::zeros((0, 3)), Array2::zeros((0, 3)));
    assert!(matches!(empty, Err(Error::Empty { .. })));
    let zero = MemberMixture::new(PosteriorFamily::Normal, Array2::zeros((2, 3)), Array2::zeros((2, 3)));
    assert!(matches!(zero, Err(Error::Scale { .. })));
}

fn noise(n_samples: usize, n_members: usize, n: usize, cauchy: bool) -> Array3<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(77);
    Array3::from_shape_simple_fn((n_samples, n_members, n), || {
        if cauchy { standard_cauchy(Open01.sample(&mut rng)) } else { StandardNormal.sample(&mut rng) }
    })
}

#[test]
fn member_density_is_the_mean_of_products() {
    let mixture = MemberMixture::new(
        PosteriorFamily::Normal,
        arr2(&[[1.0, 0.5], [-1.0, 0.2], [0.3, 0.9]]),
        arr2(&[[0.1, 0.4], [0.3, 0.2], [0.8, 0.5]]),
    )
    .unwrap();
    let x = arr1(&[0.4, 0.6]);
    let density = |loc, scale, x| Normal::new(loc, scale).unwrap().log_density(x).exp();
    let sum = density(1.0, 0.1, 0.4) * density(0.5, 0.4, 0.6)
        + density(-1.0, 0.3, 0.4) * density(0.2, 0.2, 0.6)
        + density(0.3, 0.8, 0.4) * density(0.9, 0.5, 0.6);
    approx::assert_relative_eq!(
        mixture.log_density(x.view()).unwrap(),
        (sum / 3.0).ln(),
        max_relative = 1e-12
    );
    assert!(mixture.log_density(Array1::zeros(3).view()).is_err());
}

#[test]
fn mixture_divergence_lies_between_its_bounds_and_reaches_both() {
    let prior = PriorSpec::Normal { mean: 1.0, std: 0.7 };
    let scale = Array2::from_elem((3, 5), 0.2);
    let same = Array2::from_shape_fn((3, 5), |(_, i)| 0.2 * i as f64);
    let near = Array2::from_shape_fn((3, 5), |(k, i)| 0.2 * i as f64 + 0.1 * k as f64);
    let far = Array2::from_shape_fn((3, 5), |(k, i)| 0.2 * i as f64 + 2.0 * k as f64);
    let noise = noise(2000, 3, 5, false);
    let estimate = |loc: &Array2<f64>| {
        let mixture = MemberMixture::new(PosteriorFamily::Normal, loc.clone(), scale.clone()).unwrap();
        (mixture.kl_monte_carlo(prior, noise.view()).unwrap(), mixture.kl_bounds(prior, None).unwrap())
    };
    // Four standard errors: one false alarm in 16,000.
    let (value, bounds) = estimate(&same);
    assert!((value.value - bounds.upper).abs() < 4.0 * value.standard_error, "{value:?} {bounds:?}");
    let (value, bounds) = estimate(&far);
    assert!((value.value - bounds.lower).abs() < 4.0 * value.standard_error, "{value:?} {bounds:?}");
    assert!(value.standard_error < 0.1 * 3f64.ln());
    let (value, bounds) = estimate(&near);
    assert!(value.value + 4.0 * value.standard_error < bounds.upper, "{value:?} {bounds:?}");
    assert!(value.value - 4.0 * value.standard_error > bounds.lower, "{value:?} {bounds:?}");
}

#[test]
fn one_member_has_its_own_divergence_whatever_the_family() {
    for (family, prior, cauchy) in [
        (PosteriorFamily::Cauchy, PriorSpec::Cauchy { location: 1.0, scale: 0.3 }, true),
        (PosteriorFamily::LogNormal, PriorSpec::LogNormal { location: 0.0, scale: 0.5 }, false),
        (PosteriorFamily::NormalSharedScale, PriorSpec::Normal { mean: 1.0, std: 0.5 }, false),
    ] {
        let loc = arr2(&[[0.3, 1.0, 0.7]]);
        let scale = Array2::from_elem((1, family.n_scales(3)), 0.4);
        let mixture = MemberMixture::new(family, loc.clone(), scale.clone()).unwrap();
        let noise = noise(4000, 1, 3, cauchy);
        let estimate = mixture.kl_monte_carlo(prior, noise.view()).unwrap();
        let (loc, scale) = (loc.as_slice().unwrap(), scale.as_slice().unwrap());
        let exact = kl_and_grad(family, prior, loc, scale, None).unwrap().value;
        assert!(
            (estimate.value - exact).abs() < 4.0 * estimate.standard_error,
            "{family:?} {estimate:?} {exact}"
        );
        let bounds = mixture.kl_bounds(prior, None).unwrap();
        assert!((bounds.upper - exact).abs() < 1e-12 && (bounds.lower - exact).abs() < 1e-12);
    }
}

#[test]
fn sampled_members_are_balanced_and_their_entries_belong_together() {
    let loc = Array2::from_shape_fn((3, 5), |(k, _)| 100.0 * k as f64);
    let mixture = MemberMixture::new(PosteriorFamily::Normal, loc, Array2::from_elem((3, 5), 0.1)).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut counts = [0.0f64; 3];
    for _ in 0..9000 {
        let (k, x) = mixture.sample(&mut rng);
        assert!(x.iter().all(|x| (x - 100.0 * k as f64).abs() < 1.0));
        counts[k] += 1.0;
    }
    // Four standard errors of a count with probability 1/3.
    assert!(counts.iter().all(|c| (c - 3000.0).abs() < 4.0 * 2000f64.sqrt()), "{counts:?}");
}

#[test]
fn point_mass_members_have_bounds_but_no_divergence() {
    let loc = arr2(&[[1.0, 0.9], [1.1, 1.2]]);
    let mixture = MemberMixture::new(PosteriorFamily::PointMass, loc, Array2::zeros((2, 0))).unwrap();
    let prior = PriorSpec::Normal { mean: 1.0, std: 0.5 };
    assert!(mixture.kl_bounds(prior, None).is_ok());
    let refused = mixture.kl_monte_carlo(prior, Array3::zeros((1, 2, 2)).view());
    assert!(matches!(refused, Err(Error::NoKl { .. })));
}
