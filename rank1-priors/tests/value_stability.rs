//! First draws of every sampler at a fixed seed; a changed number is a breaking change.
#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::Distribution;
use rank1_priors::dist::{
    Cauchy, HalfCauchy, Horseshoe, InverseGamma, LogNormal, LogUniform, Normal, PointMass, RootInverseGamma,
    StudentT,
};
use rank1_priors::{
    LocationInit, MemberMixture, Mixture, PosteriorFamily, ScaleHyperprior, ScaleInit, TruncatedNormal,
    WeightInit,
};

/// Xoshiro256++ is a fixed algorithm, unlike `rand`'s standard generator.
fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(2020)
}

/// The last places of logarithms and tangents may differ between machines.
#[track_caller]
fn pin(name: &str, draws: &[f64], expected: &[f64]) {
    assert_eq!(draws.len(), expected.len());
    for (draw, expected) in draws.iter().zip(expected) {
        assert!((draw - expected).abs() <= 1e-13 * expected.abs(), "{name} {draws:?}");
    }
}

fn three(law: impl Distribution<f64>) -> Vec<f64> {
    law.sample_iter(rng()).take(3).collect()
}

fn filled(fill: impl FnOnce(&mut [f64; 3], &mut Xoshiro256PlusPlus)) -> [f64; 3] {
    let mut out = [0.0; 3];
    fill(&mut out, &mut rng());
    out
}

#[test]
fn scalar_distributions() {
    pin(
        "normal",
        &three(Normal::new(0.5, 2.0).unwrap()),
        &[-1.7854321132076842, 0.7759422354170038, 1.9674122172811972],
    );
    pin(
        "cauchy",
        &three(Cauchy::new(0.5, 2.0).unwrap()),
        &[-1.2354311993601372, 0.832923778072143, 3.1267686585141314],
    );
    pin(
        "half_cauchy",
        &three(HalfCauchy::new(0.5, 2.0).unwrap()),
        &[1.4125343305727136, 2.8604439979480953, 6.428270375210961],
    );
    pin(
        "log_normal",
        &three(LogNormal::new(0.5, 2.0).unwrap()),
        &[0.16772456933734756, 2.172638299798314, 7.152144324596395],
    );
    pin(
        "log_uniform",
        &three(LogUniform::new(0.5, 2.0).unwrap()),
        &[0.7295175539148026, 1.0755018952752107, 1.500786103311297],
    );
    pin(
        "inverse_gamma",
        &three(InverseGamma::new(0.5, 2.0).unwrap()),
        &[20.37043222492749, 14.073834385274834, 20.595911861886123],
    );
    pin(
        "root_inverse_gamma",
        &three(RootInverseGamma::new(2.5, 2.0).unwrap()),
        &[1.5055430609794418, 0.7629329356870999, 1.5909084012341541],
    );
    pin(
        "student_t",
        &three(StudentT::new(3.0, 0.5, 2.0).unwrap()),
        &[-1.9343174857013183, 5.691546932377348, -1.096194021428361],
    );
    pin(
        "horseshoe",
        &three(Horseshoe::new(0.5, 2.0).unwrap()),
        &[0.6259033815364968, 6.9798001917630375, 0.524687260710659],
    );
    pin("point_mass", &three(PointMass::new(0.5).unwrap()), &[0.5, 0.5, 0.5]);
    pin(
        "truncated_normal",
        &three(TruncatedNormal::new(0.5, 2.0).unwrap()),
        &[-1.7854321132076842, 0.7759422354170038, 1.9674122172811972],
    );
    let parts = vec![Normal::new(-1.0, 0.3).unwrap(), Normal::new(2.0, 0.1).unwrap()];
    pin(
        "mixture",
        &three(Mixture::new(parts).unwrap()),
        &[-0.9586086646874494, 2.109303384995028, -0.5122841998287854],
    );
}

#[test]
fn initializers() {
    let sign = LocationInit::RandomSign { probability: 0.5 };
    pin("random_sign", &filled(|out, rng| sign.fill(out, rng).unwrap()), &[1.0, -1.0, -1.0]);
    let around = LocationInit::AroundOne { std: 0.5 };
    pin(
        "around_one",
        &filled(|out, rng| around.fill(out, rng).unwrap()),
        &[0.42864197169807894, 1.068985558854251, 1.3668530543202992],
    );
    let raw = ScaleInit { raw: -3.0, jitter: 0.1 };
    pin(
        "scale_init",
        &filled(|out, rng| raw.fill_raw(out, rng).unwrap()),
        &[-3.114271605660384, -2.98620288822915, -2.92662938913594],
    );
    let weight = |init: WeightInit| filled(|out, rng| init.fill(out, 7, 11, rng).unwrap());
    pin(
        "he_normal",
        &weight(WeightInit::HeNormal),
        &[-0.6943947316910373, 0.0838409653112295, 0.44585148997008545],
    );
    pin(
        "glorot_uniform",
        &weight(WeightInit::GlorotUniform),
        &[-0.26268594413586444, 0.06062759051645697, 0.33816466103645604],
    );
    pin(
        "truncated_normal_weight",
        &weight(WeightInit::TruncatedNormal { std: 0.1 }),
        &[-0.11427160566038422, 0.01379711177085019, 0.07337061086405987],
    );
    pin(
        "normal_weight",
        &weight(WeightInit::Normal { std: 0.1 }),
        &[-0.11427160566038422, 0.01379711177085019, 0.07337061086405987],
    );
}

#[test]
fn hierarchical_and_member_draws() {
    let horseshoe = ScaleHyperprior::HalfCauchy { scale: 0.5 };
    pin(
        "horseshoe_entries",
        &filled(|out, rng| assert!(horseshoe.sample_shared(1.0, out, rng).is_ok())),
        &[1.0314758453841242, 1.1673830031713648, 1.2493577281394241],
    );
    let student = ScaleHyperprior::InverseGamma { concentration: 2.0, rate: 0.3 };
    pin(
        "student_t_entries",
        &filled(|out, rng| assert!(student.sample_shared(1.0, out, rng).is_ok())),
        &[1.5259192686171494, 1.7834847715861457, 0.0962054652938269],
    );
    let loc = Array2::from_shape_fn((2, 3), |(k, i)| 10.0 * k as f64 + i as f64);
    for (name, family, expected) in [
        (
            "normal_members",
            PosteriorFamily::Normal,
            [0.01379711177085019, 1.07337061086406, 2.109303384995028],
        ),
        (
            "cauchy_members",
            PosteriorFamily::Cauchy,
            [0.016646188903607154, 1.1313384329257066, 2.088701861681405],
        ),
    ] {
        let scale = Array2::from_elem((2, 3), 0.1);
        let mixture = MemberMixture::new(family, loc.clone(), scale).unwrap();
        pin(name, mixture.sample(&mut rng()).1.as_slice().unwrap(), &expected);
    }
}
