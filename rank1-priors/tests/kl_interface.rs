//! Which pairs have a divergence, what is refused and how, single precision, and the recipe form of priors.
#![allow(clippy::unwrap_used)]

use rank1_priors::{
    Error, KlKind, PosteriorFamily, PriorSpec, kl_and_grad, kl_and_grad_monte_carlo,
    kl_and_grad_with_prior_scale, kl_kind,
};

const NORMAL: PriorSpec = PriorSpec::Normal { mean: 1.0, std: 0.1 };
const CAUCHY: PriorSpec = PriorSpec::Cauchy { location: 1.0, scale: 0.1 };

#[test]
fn the_kind_of_every_pair_is_as_documented() {
    use PosteriorFamily as F;
    let priors = [
        NORMAL,
        CAUCHY,
        PriorSpec::LogNormal { location: 0.0, scale: 0.1 },
        PriorSpec::HalfCauchy { scale: 1.0 },
        PriorSpec::LogUniform,
        PriorSpec::StudentT { df: 3.0, location: 1.0, scale: 0.1 },
        PriorSpec::TiedMean { std: 0.1 },
        PriorSpec::EmpiricalBayes { mean: 1.0, concentration: 2.01, rate: 0.101 },
        PriorSpec::TrainableScale { mean: 1.0 },
        PriorSpec::Horseshoe { mean: 1.0, scale: 0.1 },
        PriorSpec::InverseGammaScale { mean: 1.0, concentration: 2.0, rate: 0.1 },
        PriorSpec::ImproperUniform,
    ];
    // Closed form, Monte Carlo or none, in the order of the priors above.
    for (family, kinds) in [
        (F::Normal, "cm--cmcccmmc"),
        (F::NormalSharedScale, "cm--cmcccmmc"),
        (F::NormalFixedScale { scale: 0.2 }, "cm--cmcccmmc"),
        (F::Cauchy, "-c--cm---mmc"),
        (F::HalfCauchy, "-mmmcm---mmc"),
        (F::LogNormal, "cmcmcm-ccmmc"),
        (F::PointMass, "cccc-cccc-cc"),
    ] {
        for (prior, kind) in priors.iter().zip(kinds.chars()) {
            let found = match kl_kind(family, *prior) {
                Ok(KlKind::ClosedForm) => 'c',
                Ok(KlKind::MonteCarlo { draws: 1 }) => 'm',
                Err(Error::NoKl { .. }) => '-',
                other => panic!("{other:?}"),
            };
            assert_eq!(found, kind, "{family:?} {prior:?}");
        }
    }
}

#[test]
fn a_point_mass_pays_minus_the_log_prior_density() {
    let kl = kl_and_grad::<f64>(PosteriorFamily::PointMass, NORMAL, &[1.0, 1.1], &[], None).unwrap();
    let at_mean = 0.1f64.ln() + 0.5 * (2.0 * std::f64::consts::PI).ln();
    approx::assert_relative_eq!(kl.value, 2.0 * at_mean + 0.5, max_relative = 1e-12);
    approx::assert_relative_eq!(kl.d_loc[1], 10.0, max_relative = 1e-12);
    assert!(kl.d_scale.is_empty());
}

#[test]
fn draws_are_averaged_and_counted() {
    let (loc, scale, noise) = ([0.9, 1.2, 1.0], [0.1, 0.2, 0.3], [0.3, -1.0, 0.2, 1.5, 0.1, -0.4]);
    let kl = |noise: &[f64]| kl_and_grad(PosteriorFamily::Normal, CAUCHY, &loc, &scale, Some(noise)).unwrap();
    let (both, first, second) = (kl(&noise), kl(&noise[..3]), kl(&noise[3..]));
    assert_eq!(both.kind, KlKind::MonteCarlo { draws: 2 });
    approx::assert_relative_eq!(both.value, 0.5 * (first.value + second.value), max_relative = 1e-12);
    approx::assert_relative_eq!(
        both.d_scale[2],
        0.5 * (first.d_scale[2] + second.d_scale[2]),
        max_relative = 1e-12
    );
}

#[test]
fn closed_forms_do_not_read_the_noise() {
    let kl = |noise| kl_and_grad(PosteriorFamily::Normal, NORMAL, &[0.9], &[0.2], noise).unwrap();
    assert_eq!(kl(None), kl(Some(&[f64::NAN])));
}

#[test]
fn single_precision_is_the_double_result_rounded_once() {
    let (loc, scale) = ([0.9f32, 1.3, -0.2], [0.1f32, 0.03, 0.4]);
    let wide = |v: [f32; 3]| v.map(f64::from);
    for prior in [NORMAL, PriorSpec::LogUniform] {
        let single = kl_and_grad(PosteriorFamily::Normal, prior, &loc, &scale, None).unwrap();
        let double = kl_and_grad(PosteriorFamily::Normal, prior, &wide(loc), &wide(scale), None).unwrap();
        assert_eq!(single.value.to_bits(), double.value.to_bits());
        let rounded: Vec<f32> = double.d_scale.iter().map(|d| *d as f32).collect();
        assert_eq!(single.d_scale, rounded);
    }
}

#[test]
fn scaling_multiplies_value_and_all_gradients() {
    let prior = PriorSpec::TrainableScale { mean: 1.0 };
    let kl: rank1_priors::KlValue =
        kl_and_grad_with_prior_scale(PosteriorFamily::Normal, prior, &[0.3], &[0.5, 1.0], &[0.1, 0.2], None)
            .unwrap();
    let half = kl.clone().scaled(0.5);
    assert_eq!(half.value.to_bits(), (0.5 * kl.value).to_bits());
    assert_eq!(half.d_loc, kl.d_loc.iter().map(|d| 0.5 * d).collect::<Vec<_>>());
    assert_eq!(half.d_scale, kl.d_scale.iter().map(|d| 0.5 * d).collect::<Vec<_>>());
    assert_eq!(half.d_prior.unwrap()[0].to_bits(), (0.5 * kl.d_prior.unwrap()[0]).to_bits());
}

#[test]
fn one_shared_scale_counts_for_every_entry() {
    let shared =
        kl_and_grad(PosteriorFamily::NormalSharedScale, NORMAL, &[0.9, 1.0, 1.1], &[0.2], None).unwrap();
    let own = kl_and_grad(PosteriorFamily::Normal, NORMAL, &[0.9, 1.0, 1.1], &[0.2; 3], None).unwrap();
    approx::assert_relative_eq!(shared.value, own.value, max_relative = 1e-14);
    approx::assert_relative_eq!(shared.d_scale[0], own.d_scale.iter().sum::<f64>(), max_relative = 1e-14);
    let fixed = PosteriorFamily::NormalFixedScale { scale: 0.2 };
    let fixed = kl_and_grad::<f64>(fixed, NORMAL, &[0.9, 1.0, 1.1], &[], None).unwrap();
    assert_eq!((fixed.value.to_bits(), fixed.d_scale.len()), (shared.value.to_bits(), 0));
}

#[test]
fn no_entries_cost_nothing() {
    for (family, prior) in [(PosteriorFamily::Normal, NORMAL), (PosteriorFamily::Normal, CAUCHY)] {
        let kl = kl_and_grad::<f64>(family, prior, &[], &[], Some(&[])).unwrap();
        assert!(kl.value.abs() <= 0.0 && kl.d_loc.is_empty());
    }
}

#[test]
fn wrong_lengths_and_scales_are_refused_with_their_place() {
    let kl = |loc: &[f64], scale: &[f64], noise: Option<&[f64]>| {
        kl_and_grad(PosteriorFamily::Normal, CAUCHY, loc, scale, noise).unwrap_err()
    };
    assert!(matches!(kl(&[1.0; 3], &[0.1; 2], Some(&[0.0; 3])), Error::Length { argument: "scale", .. }));
    assert!(matches!(
        kl(&[1.0; 3], &[0.1; 3], Some(&[0.0; 4])),
        Error::Length { argument: "noise", expected: 3, got: 4, .. }
    ));
    assert!(matches!(kl(&[1.0; 3], &[0.1; 3], Some(&[])), Error::Length { argument: "noise", .. }));
    assert!(matches!(kl(&[1.0; 3], &[0.1; 3], None), Error::NoiseMissing { .. }));
    for bad in [0.0, -0.1, f64::NAN] {
        assert!(matches!(
            kl(&[1.0; 3], &[0.1, bad, 0.1], Some(&[0.0; 3])),
            Error::Scale { argument: "scale", index: 1, .. }
        ));
    }
    let fixed = PosteriorFamily::NormalFixedScale { scale: -0.1 };
    assert!(matches!(kl_and_grad::<f64>(fixed, NORMAL, &[1.0], &[], None), Err(Error::Parameter { .. })));
}

#[test]
fn trainable_scales_must_be_passed_and_only_where_there_are_any() {
    let prior = PriorSpec::TrainableScale { mean: 1.0 };
    let family = PosteriorFamily::Normal;
    let bare = kl_and_grad(family, prior, &[1.0], &[0.1], None);
    assert_eq!(bare, Err(Error::PriorScaleMissing { prior }));
    let with = |prior, scales: &[f64]| {
        kl_and_grad_with_prior_scale(family, prior, scales, &[1.0; 3], &[0.1; 3], None)
    };
    assert!(with(prior, &[0.3]).is_ok() && with(prior, &[0.3; 3]).is_ok() && with(NORMAL, &[]).is_ok());
    assert!(matches!(with(prior, &[0.3; 2]), Err(Error::Length { argument: "prior_scale", .. })));
    assert!(matches!(with(NORMAL, &[0.3]), Err(Error::Length { argument: "prior_scale", .. })));
    assert!(matches!(with(prior, &[-0.3]), Err(Error::Scale { argument: "prior_scale", index: 0, .. })));
    assert!(matches!(
        kl_and_grad_monte_carlo(family, prior, &[1.0], &[0.1], &[0.0]),
        Err(Error::NoDensity { .. })
    ));
}

#[test]
fn draws_outside_the_support_are_refused_and_nan_passes_through() {
    let prior = PriorSpec::HalfCauchy { scale: 1.0 };
    let kl = kl_and_grad(PosteriorFamily::HalfCauchy, prior, &[0.1, -2.0], &[0.1, 0.1], Some(&[0.5, 0.5]));
    assert!(matches!(kl, Err(Error::OutsideSupport { index: 1, .. })));
    let point = kl_and_grad::<f64>(PosteriorFamily::PointMass, prior, &[0.1, -2.0], &[], None);
    assert!(matches!(point, Err(Error::OutsideSupport { index: 1, .. })));
    for prior in [NORMAL, CAUCHY, PriorSpec::LogUniform] {
        let noise = Some(&[0.1f64, 0.2][..]);
        let kl = kl_and_grad(PosteriorFamily::Normal, prior, &[1.0, f64::NAN], &[0.1, 0.1], noise).unwrap();
        assert!(kl.value.is_nan() && kl.d_loc[1].is_nan() && kl.d_loc[0].is_finite());
    }
}

#[test]
fn impossible_priors_are_refused() {
    for prior in [
        PriorSpec::Normal { mean: f64::NAN, std: 0.1 },
        PriorSpec::Cauchy { location: 1.0, scale: 0.0 },
        PriorSpec::TiedMean { std: -0.1 },
        PriorSpec::EmpiricalBayes { mean: 1.0, concentration: 0.0, rate: 0.1 },
        PriorSpec::InverseGammaScale { mean: 1.0, concentration: -1.0, rate: 0.1 },
        PriorSpec::TrainableScale { mean: f64::INFINITY },
    ] {
        assert!(matches!(prior.check(), Err(Error::Parameter { .. })), "{prior:?}");
        let kl = kl_and_grad_with_prior_scale(
            PosteriorFamily::Normal,
            prior,
            if prior.has_trainable_scale() { &[0.1] } else { &[] },
            &[1.0],
            &[0.1],
            Some(&[0.2]),
        );
        assert!(matches!(kl, Err(Error::Parameter { .. })), "{prior:?}");
    }
}

#[test]
fn messages_say_what_to_change() {
    let text = kl_kind(PosteriorFamily::Cauchy, NORMAL).unwrap_err().to_string();
    assert!(text.contains("cauchy posterior") && text.contains("Student-t prior"), "{text}");
    let text = kl_and_grad(PosteriorFamily::Normal, CAUCHY, &[1.0], &[0.1], None).unwrap_err().to_string();
    assert!(text.contains("pass standard noise"), "{text}");
}
