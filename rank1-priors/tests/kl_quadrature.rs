//! Every exact divergence against quadrature over the posterior's noise, and against its Monte Carlo estimate.
#![allow(clippy::unwrap_used)]

use std::f64::consts::{LN_2, PI};

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Open01, StandardNormal};
use rank1_priors::dist::{Cauchy, HalfCauchy, InverseGamma, LogDensity, LogNormal, Normal, standard_cauchy};
use rank1_priors::quadrature::integrate;
use rank1_priors::{
    KlKind, NoiseKind, PosteriorFamily, PriorSpec, kl_and_grad, kl_and_grad_monte_carlo,
    kl_and_grad_with_prior_scale, kl_kind,
};

const LOC: [f64; 7] = [1.0, 0.3, -0.7, 1.9, 0.02, 1.3, -1.1];
const SCALE: [f64; 7] = [0.1, 0.9, 0.03, 0.4, 0.25, 1.7, 0.6];

/// `E_q[f]` for one entry, over the noise; the kink of a log-uniform prior at zero is a panel border.
fn expectation(family: PosteriorFamily, loc: f64, scale: f64, f: impl Fn(f64) -> f64) -> f64 {
    let zero = -loc / scale;
    let around = |zero: f64, ends: [f64; 2]| {
        let mut points = vec![ends[0], ends[1], 0.5 * (ends[0] + ends[1]), zero];
        points.retain(|p| (ends[0]..=ends[1]).contains(p));
        points.sort_by(f64::total_cmp);
        points
    };
    match family {
        PosteriorFamily::Normal => {
            let q = Normal::new(0.0, 1.0).unwrap();
            let points = around(zero, [-12.0, 12.0]);
            integrate(|z| q.log_density(z).exp() * f(loc + scale * z), &points, 1e-10)
        }
        PosteriorFamily::LogNormal => {
            let q = Normal::new(0.0, 1.0).unwrap();
            integrate(|z| q.log_density(z).exp() * f((loc + scale * z).exp()), &[-12.0, 0.0, 12.0], 1e-10)
        }
        PosteriorFamily::Cauchy => {
            let points = around(zero.atan() / PI, [-0.5, 0.5]);
            integrate(|v| f(loc + scale * (PI * v).tan()), &points, 1e-9)
        }
        PosteriorFamily::HalfCauchy => {
            let points = around(zero.atan() / PI, [0.0, 0.5]);
            integrate(|v| f(loc + scale * (PI * v).tan()), &points, 1e-9) * 2.0
        }
        _ => unreachable!("the tests use families with a scale per entry"),
    }
}

fn log_q(family: PosteriorFamily, loc: f64, scale: f64) -> Box<dyn LogDensity> {
    match family {
        PosteriorFamily::Normal => Box::new(Normal::new(loc, scale).unwrap()),
        PosteriorFamily::LogNormal => Box::new(LogNormal::new(loc, scale).unwrap()),
        PosteriorFamily::Cauchy => Box::new(Cauchy::new(loc, scale).unwrap()),
        _ => Box::new(HalfCauchy::new(loc, scale).unwrap()),
    }
}

fn divergence(family: PosteriorFamily, log_prior: impl Fn(usize, f64) -> f64) -> f64 {
    let entry = |i: usize| {
        let q = log_q(family, LOC[i], SCALE[i]);
        expectation(family, LOC[i], SCALE[i], |x| q.log_density(x) - log_prior(i, x))
    };
    (0..LOC.len()).map(entry).sum()
}

#[track_caller]
fn near(exact: f64, quadrature: f64) {
    assert!((exact - quadrature).abs() <= 1e-7 * quadrature.abs().max(1.0), "{exact} against {quadrature}");
}

#[test]
fn priors_with_a_density_of_their_own() {
    use PosteriorFamily as F;
    for (family, prior) in [
        (F::Normal, PriorSpec::Normal { mean: 1.0, std: 0.3 }),
        (F::LogNormal, PriorSpec::Normal { mean: 1.0, std: 2.0 }),
        (F::LogNormal, PriorSpec::LogNormal { location: 0.2, scale: 0.3 }),
        (F::Cauchy, PriorSpec::Cauchy { location: 1.0, scale: 0.3 }),
        (F::Normal, PriorSpec::ImproperUniform),
        (F::LogNormal, PriorSpec::ImproperUniform),
        (F::Cauchy, PriorSpec::ImproperUniform),
        (F::HalfCauchy, PriorSpec::ImproperUniform),
        (F::LogNormal, PriorSpec::LogUniform),
    ] {
        assert_eq!(kl_kind(family, prior), Ok(KlKind::ClosedForm));
        let density = prior.density().unwrap();
        near(
            kl_and_grad(family, prior, &LOC, &SCALE, None).unwrap().value,
            divergence(family, |_, x| density.log_density(x)),
        );
    }
}

#[test]
fn log_uniform_divergences_differ_from_the_improper_density_by_the_infimum() {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    // Entropy and mean log-magnitude of the standard variates.
    let normal = -0.5 * (2.0 * PI).ln() - 0.5 - 0.5 * (EULER_GAMMA + LN_2);
    for (family, infimum) in [
        (PosteriorFamily::Normal, normal),
        (PosteriorFamily::Cauchy, -(4.0 * PI).ln()),
        (PosteriorFamily::HalfCauchy, -(2.0 * PI).ln()),
    ] {
        let exact = kl_and_grad(family, PriorSpec::LogUniform, &LOC, &SCALE, None).unwrap().value;
        near(exact, divergence(family, |_, x| -x.abs().ln()) - 7.0 * infimum);
        let at_zero = kl_and_grad::<f64>(family, PriorSpec::LogUniform, &[0.0], &[0.4], None).unwrap();
        assert!(at_zero.value.abs() < 1e-15 && at_zero.d_scale[0].abs() < 1e-15);
    }
}

/// The text once said that the infimum is 0 over all locations; the function was right.
#[test]
fn the_half_cauchy_divergence_from_log_uniform_is_least_below_location_zero() {
    const SCALE: f64 = 0.4;
    let at = |ratio: f64| {
        kl_and_grad(PosteriorFamily::HalfCauchy, PriorSpec::LogUniform, &[ratio * SCALE], &[SCALE], None)
            .unwrap()
    };
    for ratio in [-30.0, -1.7, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.3, 40.0] {
        let (loc, q) = (ratio * SCALE, HalfCauchy::new(ratio * SCALE, SCALE).unwrap());
        let quadrature =
            expectation(PosteriorFamily::HalfCauchy, loc, SCALE, |x| q.log_density(x) + x.abs().ln());
        near(at(ratio).value, quadrature + (2.0 * PI).ln());
        let slope = (at(ratio + 1e-5).value - at(ratio - 1e-5).value) / (2e-5 * SCALE);
        approx::assert_relative_eq!(at(ratio).d_loc[0], slope, max_relative = 1e-7, epsilon = 1e-8);
        approx::assert_relative_eq!(
            at(ratio).d_scale[0],
            -ratio * slope,
            max_relative = 1e-7,
            epsilon = 1e-8
        );
    }
    approx::assert_abs_diff_eq!(at(-0.5).value, -0.403_198, epsilon = 1e-6);
    // Over locations that are not negative the infimum is 0, at 0; it rises from there.
    assert_eq!(at(0.0).value, 0.0);
    let rising: Vec<f64> = (0..200).map(|i| at(0.05 * f64::from(i)).value).collect();
    assert!(rising.windows(2).all(|pair| pair[0] < pair[1]));
    // Over all locations the minimum is where `m + (2 / pi) ln |m|` changes its sign.
    let least = at(-0.474_541);
    approx::assert_abs_diff_eq!(least.value, -0.403_803, epsilon = 1e-6);
    assert!(least.d_loc[0].abs() < 1e-5 && least.d_scale[0].abs() < 1e-5);
    assert!((-400..400).all(|i| at(0.01 * f64::from(i)).value >= least.value));
    assert!(at(-1.442).value < 0.0 && at(-1.443).value > 0.0);
}

#[test]
fn tied_mean_is_the_divergence_from_a_prior_that_follows() {
    let exact = kl_and_grad(PosteriorFamily::Normal, PriorSpec::TiedMean { std: 0.3 }, &LOC, &SCALE, None);
    let quadrature =
        divergence(PosteriorFamily::Normal, |i, x| Normal::new(LOC[i], 0.3).unwrap().log_density(x));
    near(exact.unwrap().value, quadrature);
}

#[test]
fn trainable_scales_give_the_divergence_from_that_normal() {
    let prior = PriorSpec::TrainableScale { mean: 1.0 };
    for family in [PosteriorFamily::Normal, PosteriorFamily::LogNormal] {
        for prior_scale in [&[0.8][..], &[0.8, 2.0, 1.0, 3.0, 0.9, 30.0, 1.1]] {
            let kl = kl_and_grad_with_prior_scale(family, prior, prior_scale, &LOC, &SCALE, None).unwrap();
            let std = |i: usize| prior_scale[i.min(prior_scale.len() - 1)];
            near(kl.value, divergence(family, |i, x| Normal::new(1.0, std(i)).unwrap().log_density(x)));
        }
    }
}

#[test]
fn empirical_bayes_minimizes_over_the_variance() {
    let hyperprior = InverseGamma::new(2.01, 0.101).unwrap();
    for family in [PosteriorFamily::Normal, PosteriorFamily::LogNormal] {
        let prior = PriorSpec::EmpiricalBayes { mean: 1.0, concentration: 2.01, rate: 0.101 };
        let value = kl_and_grad(family, prior, &LOC, &SCALE, None).unwrap().value;
        let total = |v: f64| {
            let prior = Normal::new(1.0, v.sqrt()).unwrap();
            divergence(family, |_, x| prior.log_density(x)) - hyperprior.log_density(v)
        };
        // The formula of the variance, from moments by quadrature.
        let square = |i: usize| expectation(family, LOC[i], SCALE[i], |x| (x - 1.0).powi(2));
        let best = ((0..7).map(square).sum::<f64>() + 0.202) / (7.0 + 4.02 + 2.0);
        near(value, total(best));
        assert!(value < total(best * 1.02) && value < total(best * 0.98));
        let reference =
            rank1_priors::reference::empirical_bayes_kl_and_grad(family, 1.0, 2.01, 0.101, &LOC, &SCALE);
        assert!(value < reference.unwrap().value);
    }
}

#[test]
fn molchanov_approximation_is_within_its_stated_error() {
    // Ratios of variance to squared location from exp(-8) to exp(8), where it is not clipped.
    let scale: Vec<f64> = (-40..=40).map(|i| (0.1 * f64::from(i)).exp()).collect();
    let mut worst: f64 = 0.0;
    for s in scale {
        let family = PosteriorFamily::Normal;
        let exact = kl_and_grad(family, PriorSpec::LogUniform, &[1.0], &[s], None).unwrap().value;
        let approximate = rank1_priors::kl::molchanov_kl_and_grad(family, &[1.0], &[s]).unwrap().value;
        let reference = rank1_priors::reference::log_uniform_regularizer(family, &[1.0], &[s]).unwrap().value;
        assert!(exact > 0.0 && reference < 0.0 && (approximate + reference).abs() <= 0.0);
        worst = worst.max((exact - approximate).abs());
    }
    assert!(worst < 0.01 && worst > 0.004, "{worst}");
}

#[test]
fn log_uniform_divergence_is_smooth_where_its_formula_changes() {
    let at =
        |m: f64| kl_and_grad(PosteriorFamily::Normal, PriorSpec::LogUniform, &[m], &[1.0], None).unwrap();
    let (below, above) = (at(9.0 - 1e-9), at(9.0 + 1e-9));
    approx::assert_relative_eq!(below.value + 2e-9 * below.d_loc[0], above.value, max_relative = 1e-13);
    approx::assert_relative_eq!(below.d_loc[0], above.d_loc[0], max_relative = 1e-9);
    approx::assert_relative_eq!(at(1e6).value - at(1e3).value, 1e3f64.ln(), max_relative = 1e-6);
}

#[test]
fn exact_values_lie_within_the_error_of_their_monte_carlo_estimate() {
    use PosteriorFamily as F;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(41);
    for (family, prior) in [
        (F::Normal, PriorSpec::Normal { mean: 1.0, std: 0.9 }),
        (F::Normal, PriorSpec::LogUniform),
        (F::Cauchy, PriorSpec::Cauchy { location: 1.0, scale: 0.3 }),
        (F::Cauchy, PriorSpec::LogUniform),
        (F::LogNormal, PriorSpec::LogNormal { location: 0.2, scale: 0.7 }),
        (F::LogNormal, PriorSpec::LogUniform),
        (F::HalfCauchy, PriorSpec::LogUniform),
        (F::HalfCauchy, PriorSpec::ImproperUniform),
    ] {
        let exact = kl_and_grad(family, prior, &LOC, &SCALE, None).unwrap();
        let (batches, draws) = (100, 500);
        let mut values = Vec::with_capacity(batches);
        for _ in 0..batches {
            let noise: Vec<f64> = (0..draws * LOC.len())
                .map(|_| match family.noise_kind() {
                    NoiseKind::Normal => StandardNormal.sample(&mut rng),
                    _ => standard_cauchy(Open01.sample(&mut rng)),
                })
                .collect();
            let kl = kl_and_grad_monte_carlo(family, prior, &LOC, &SCALE, &noise).unwrap();
            assert_eq!(kl.kind, KlKind::MonteCarlo { draws });
            values.push(kl.value);
        }
        let mean = values.iter().sum::<f64>() / batches as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (batches - 1) as f64;
        let error = (variance / batches as f64).sqrt();
        // Four standard errors: one false alarm in 16,000.
        assert!((mean - exact.value).abs() < 4.0 * error, "{family:?} {prior:?} {mean} {error}");
        assert!(error < 0.05 * exact.value.abs().max(1.0));
    }
}

#[test]
fn published_examples() {
    // Cauchy and normal examples for a prior of location 1 and scale 0.1.
    let prior = PriorSpec::Cauchy { location: 1.0, scale: 0.1 };
    for (loc, value) in [(1.0, 3.23878), (0.5, 6.47775), (-1.0, 9.21289)] {
        let kl = kl_and_grad(PosteriorFamily::Cauchy, prior, &[loc], &[1e-3], None).unwrap();
        approx::assert_abs_diff_eq!(kl.value, value, epsilon = 5e-6);
    }
    let prior = PriorSpec::Normal { mean: 1.0, std: 0.1 };
    for (loc, value) in [(1.0, 0.700842), (-1.0, 200.700842)] {
        let kl = kl_and_grad(PosteriorFamily::Normal, prior, &[loc], &[0.0316386], None).unwrap();
        approx::assert_abs_diff_eq!(kl.value, value, epsilon = 1e-6);
    }
}
