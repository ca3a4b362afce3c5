//! Kolmogorov-Smirnov tests of every sampler and of every draw from given noise, n = 100,000 at fixed seeds.
#![allow(clippy::unwrap_used)]

use std::f64::consts::{FRAC_PI_2, PI};

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Gamma, Open01, StandardNormal};
use rank1_priors::dist::{
    Cauchy, FromNoise, HalfCauchy, Horseshoe, InverseGamma, LogDensity, LogNormal, LogUniform, Normal,
    PointMass, RootInverseGamma, StudentT, standard_cauchy, standard_half_cauchy,
};
use rank1_priors::quadrature::integrate;
use rank1_priors::{LocationInit, Mixture, NoiseKind, PosteriorFamily, ScaleHyperprior, TruncatedNormal};
use statrs::distribution::ContinuousCDF;

const N: usize = 100_000;
/// Critical value at significance 0.001: `sqrt(-ln(0.001 / 2) / 2) / sqrt(n)`.
const CRITICAL: f64 = 1.949_475 / 316.227_766;

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// Largest distance between the empirical and the given distribution function.
fn distance(mut draws: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    draws.sort_by(f64::total_cmp);
    let n = draws.len() as f64;
    let gaps = draws.iter().enumerate().map(|(i, x)| {
        let p = cdf(*x);
        (p - i as f64 / n).max((i + 1) as f64 / n - p)
    });
    gaps.fold(0.0, f64::max)
}

fn check(name: &str, draws: Vec<f64>, cdf: impl Fn(f64) -> f64) {
    assert_eq!(draws.len(), N);
    let distance = distance(draws, cdf);
    assert!(distance < CRITICAL, "{name}: {distance} is not below {CRITICAL}");
}

fn sample(law: &impl Distribution<f64>, seed: u64) -> Vec<f64> {
    law.sample_iter(rng(seed)).take(N).collect()
}

fn from_noise(law: &impl FromNoise, noise: impl Distribution<f64>, seed: u64) -> Vec<f64> {
    noise.sample_iter(rng(seed)).take(N).map(|e| law.draw(e)).collect()
}

fn uniforms(seed: u64) -> Vec<f64> {
    Open01.sample_iter(rng(seed)).take(N).collect()
}

fn normal_cdf(mean: f64, std: f64) -> impl Fn(f64) -> f64 {
    let law = statrs::distribution::Normal::new(mean, std).unwrap();
    move |x| law.cdf(x)
}

fn half_cauchy_cdf(location: f64, scale: f64) -> impl Fn(f64) -> f64 {
    move |x| ((x - location) / scale).atan() / FRAC_PI_2
}

#[test]
fn the_critical_value_would_notice_a_two_percent_error_of_scale() {
    let law = Normal::new(0.0, 1.0).unwrap();
    assert!(distance(sample(&law, 1), normal_cdf(0.0, 1.03)) > CRITICAL);
    assert!(distance(sample(&law, 1), normal_cdf(0.02, 1.0)) > CRITICAL);
}

#[test]
fn normal_draws() {
    let law = Normal::new(0.7, 0.3).unwrap();
    check("sample", sample(&law, 2), normal_cdf(0.7, 0.3));
    check("noise", from_noise(&law, StandardNormal, 3), normal_cdf(0.7, 0.3));
}

#[test]
fn cauchy_draws() {
    let law = Cauchy::new(-0.4, 0.2).unwrap();
    let reference = statrs::distribution::Cauchy::new(-0.4, 0.2).unwrap();
    check("sample", sample(&law, 4), |x| reference.cdf(x));
    let draws = uniforms(5).into_iter().map(|u| law.draw(standard_cauchy(u))).collect();
    check("noise", draws, |x| 0.5 + ((x + 0.4) / 0.2).atan() / PI);
}

#[test]
fn half_cauchy_draws_from_either_noise() {
    let law = HalfCauchy::new(0.3, 0.8).unwrap();
    check("sample", sample(&law, 6), half_cauchy_cdf(0.3, 0.8));
    let half = uniforms(7).into_iter().map(|u| law.draw(standard_half_cauchy(u))).collect();
    check("half noise", half, half_cauchy_cdf(0.3, 0.8));
    let full = uniforms(8).into_iter().map(|u| law.draw(standard_cauchy(u))).collect();
    check("full noise", full, half_cauchy_cdf(0.3, 0.8));
}

#[test]
fn log_normal_draws() {
    let law = LogNormal::new(0.2, 0.6).unwrap();
    let reference = statrs::distribution::LogNormal::new(0.2, 0.6).unwrap();
    check("sample", sample(&law, 9), |x| reference.cdf(x));
    check("noise", from_noise(&law, StandardNormal, 10), |x| reference.cdf(x));
}

#[test]
fn log_uniform_draws() {
    let law = LogUniform::new(0.05, 11.0).unwrap();
    let cdf = |x: f64| (x / 0.05).ln() / (11.0f64 / 0.05).ln();
    check("sample", sample(&law, 11), cdf);
    check("noise", from_noise(&law, Open01, 12), cdf);
}

#[test]
fn inverse_gamma_draws() {
    for concentration in [0.7, 2.01] {
        let law = InverseGamma::new(concentration, 0.101).unwrap();
        let reference = statrs::distribution::InverseGamma::new(concentration, 0.101).unwrap();
        check("sample", sample(&law, 13), |x| reference.cdf(x));
        let noise = Gamma::new(concentration, 1.0).unwrap();
        check("noise", from_noise(&law, noise, 14), |x| reference.cdf(x));
    }
}

#[test]
fn root_inverse_gamma_draws() {
    let law = RootInverseGamma::new(1.5, 0.7).unwrap();
    let reference = statrs::distribution::InverseGamma::new(1.5, 0.7).unwrap();
    check("sample", sample(&law, 15), |x| reference.cdf(x * x));
    check("noise", from_noise(&law, Gamma::new(1.5, 1.0).unwrap(), 16), |x| reference.cdf(x * x));
}

#[test]
fn student_t_draws() {
    let law = StudentT::new(3.0, 1.0, 0.4).unwrap();
    let reference = statrs::distribution::StudentsT::new(1.0, 0.4, 3.0).unwrap();
    check("sample", sample(&law, 17), |x| reference.cdf(x));
    let noise = rand_distr::StudentT::new(3.0).unwrap();
    check("noise", from_noise(&law, noise, 18), |x| reference.cdf(x));
}

#[test]
fn horseshoe_draws_follow_the_closed_form_density() {
    let law = Horseshoe::new(0.0, 1.0).unwrap();
    // The distribution function on a grid of ln |x|, then linear in between: exact to about 1e-6 at this spacing.
    let (low, step, n) = (-25.0, 0.01, 5000);
    let mut table = vec![0.0];
    for i in 0..n {
        let a = low + f64::from(i) * step;
        let part = integrate(|t: f64| law.log_density(t.exp()).exp() * t.exp(), &[a, a + step], 1e-9);
        table.push(table[table.len() - 1] + 2.0 * part);
    }
    let cdf = |x: f64| {
        let at = ((x.ln() - low) / step).clamp(0.0, f64::from(n));
        let i = (at as usize).min(n as usize - 1);
        table[i] + (at - i as f64) * (table[i + 1] - table[i])
    };
    let draws = sample(&law, 19);
    let positive = draws.iter().filter(|x| **x > 0.0).count() as f64 / N as f64;
    // 3.3 standard errors of a fair coin.
    assert!((positive - 0.5).abs() < 3.3 * 0.5 / (N as f64).sqrt());
    check("magnitude", draws.into_iter().map(f64::abs).collect(), cdf);
}

#[test]
fn point_mass_draws_are_the_point() {
    let law = PointMass::new(0.3).unwrap();
    assert!(law.sample_iter(rng(20)).take(100).all(|x| x.to_bits() == 0.3f64.to_bits()));
    assert!(law.draw(7.0).to_bits() == 0.3f64.to_bits());
}

#[test]
fn truncated_normal_draws() {
    let law = TruncatedNormal::new(-3.4, 0.1).unwrap();
    let standard = normal_cdf(0.0, 1.0);
    let inside = standard(2.0) - standard(-2.0);
    check("sample", sample(&law, 21), |x| (standard((x + 3.4) / 0.1) - standard(-2.0)) / inside);
}

#[test]
fn mixture_draws() {
    let parts =
        vec![Normal::new(-1.0, 0.3).unwrap(), Normal::new(0.2, 1.0).unwrap(), Normal::new(2.0, 0.1).unwrap()];
    let law = Mixture::with_weights(parts, vec![1.0, 5.0, 2.0]).unwrap();
    let (a, b, c) = (normal_cdf(-1.0, 0.3), normal_cdf(0.2, 1.0), normal_cdf(2.0, 0.1));
    check("sample", sample(&law, 22), |x| (a(x) + 5.0 * b(x) + 2.0 * c(x)) / 8.0);
}

#[test]
fn unit_normal_locations() {
    let mut out = vec![0.0f64; N];
    LocationInit::AroundOne { std: 0.5 }.fill(&mut out, &mut rng(23)).unwrap();
    check("around one", out, normal_cdf(1.0, 0.5));
}

#[test]
fn every_posterior_family_draws_its_law_from_its_noise() {
    use PosteriorFamily as F;
    let log_normal = statrs::distribution::LogNormal::new(0.7, 0.3).unwrap();
    type Cdf = Box<dyn Fn(f64) -> f64>;
    let laws: [(F, Cdf); 6] = [
        (F::Normal, Box::new(normal_cdf(0.7, 0.3))),
        (F::NormalSharedScale, Box::new(normal_cdf(0.7, 0.3))),
        (F::NormalFixedScale { scale: 0.3 }, Box::new(normal_cdf(0.7, 0.3))),
        (F::Cauchy, Box::new(|x| 0.5 + ((x - 0.7) / 0.3).atan() / PI)),
        (F::HalfCauchy, Box::new(half_cauchy_cdf(0.7, 0.3))),
        (F::LogNormal, Box::new(move |x| log_normal.cdf(x))),
    ];
    for (family, cdf) in laws {
        let noise: Vec<f64> = match family.noise_kind() {
            NoiseKind::Normal => StandardNormal.sample_iter(rng(24)).take(N).collect(),
            _ => uniforms(24).into_iter().map(standard_cauchy).collect(),
        };
        let mut draws = vec![0.0; N];
        family.draw_into(&vec![0.7; N], &vec![0.3; family.n_scales(N)], &noise, &mut draws).unwrap();
        check(family.name(), draws, cdf);
    }
}

#[test]
fn entries_with_their_own_hyperprior_scale_follow_the_marginal() {
    let hyperprior = ScaleHyperprior::InverseGamma { concentration: 1.5, rate: 0.24 };
    let mut rng = rng(25);
    let draws = (0..N).map(|_| {
        let mut one = [0.0f64];
        hyperprior.sample_shared(1.0, &mut one, &mut rng).unwrap();
        one[0]
    });
    let marginal = statrs::distribution::StudentsT::new(1.0, 0.4, 3.0).unwrap();
    check("inverse gamma", draws.collect(), |x| marginal.cdf(x));
    let hyperprior = ScaleHyperprior::HalfCauchy { scale: 0.8 };
    let scales = (0..N).map(|_| hyperprior.sample_std(&mut rng).unwrap()).collect();
    check("half Cauchy", scales, half_cauchy_cdf(0.0, 0.8));
}
