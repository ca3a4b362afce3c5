//! Gradients of every kind of divergence, reductions over members, entropies.

use rank1_core::likelihood::Likelihood;

use super::*;
use crate::init::initialize;
use crate::method::{MeanField, Method, Rank1};
use crate::network::{Activation, NetworkShape};

fn network(method: &Method) -> Network {
    let shape = NetworkShape::mlp(7, vec![5], 3, Activation::Relu, Likelihood::Categorical);
    Network::new(shape, method).unwrap()
}

const WEIGHTS: PenaltyWeights =
    PenaltyWeights { kl: 0.5, entropy: 0.3, l2: 0.01, l2_norms: true, seed: 3, step: 2 };

fn total(penalty: &mut Penalty, parameters: &[f32], gradient: &mut [f32]) -> f64 {
    let parts = penalty.add_gradient(parameters, gradient, WEIGHTS).unwrap();
    WEIGHTS.kl * (parts.kl + parts.entropy) + parts.l2
}

#[test]
fn gradients_are_those_of_central_differences_for_every_kind_of_divergence() {
    let rank1 = |posterior, prior| Method::Rank1(Rank1 { members: 3, posterior, prior, ..Rank1::default() });
    for method in [
        rank1(PosteriorFamily::Normal, PriorSpec::Normal { mean: 1.0, std: 0.1 }),
        rank1(PosteriorFamily::Cauchy, PriorSpec::Cauchy { location: 1.0, scale: 0.1 }),
        rank1(PosteriorFamily::NormalSharedScale, PriorSpec::TrainableScale { mean: 1.0 }),
        // Monte Carlo: the same draws at every parameter value, because the key is the same.
        rank1(PosteriorFamily::Normal, PriorSpec::StudentT { df: 3.0, location: 1.0, scale: 0.2 }),
        // Positive locations are functions of what is trained.
        rank1(PosteriorFamily::HalfCauchy, PriorSpec::HalfCauchy { scale: 1.0 }),
        rank1(PosteriorFamily::HalfCauchy, PriorSpec::LogUniform),
        rank1(PosteriorFamily::PointMass, PriorSpec::HalfCauchy { scale: 1.0 }),
        rank1(PosteriorFamily::PointMass, PriorSpec::LogNormal { location: 0.0, scale: 0.3 }),
        rank1(PosteriorFamily::LogNormal, PriorSpec::HalfCauchy { scale: 1.0 }),
        Method::MeanField(MeanField::default()),
    ] {
        let network = network(&method);
        let mut penalty = Penalty::new(&network);
        let parameters = initialize(&network, 1).unwrap();
        let mut gradient = vec![0.0; parameters.len()];
        total(&mut penalty, &parameters, &mut gradient);
        let (mut scratch, mut moved) = (gradient.clone(), parameters.clone());
        for i in 0..parameters.len() {
            // Parameters are f32: the step actually taken is measured.
            let h = 1e-3 * (1.0 + parameters[i].abs());
            moved[i] = parameters[i] + h;
            let (above, high) = (total(&mut penalty, &moved, &mut scratch), f64::from(moved[i]));
            moved[i] = parameters[i] - h;
            let (below, low) = (total(&mut penalty, &moved, &mut scratch), f64::from(moved[i]));
            moved[i] = parameters[i];
            let expected = (above - below) / (high - low);
            let error = (expected - f64::from(gradient[i])).abs();
            assert!(error < 2e-3 * (1.0 + expected.abs()), "{method:?} {i}: {expected} {}", gradient[i]);
        }
    }
}

#[test]
fn the_mean_over_members_is_the_sum_divided_by_their_number() {
    let with = |member_kl| network(&Method::Rank1(Rank1 { members: 3, member_kl, ..Rank1::default() }));
    let (sum, mean) =
        (with(rank1_core::objective::MemberKl::Sum), with(rank1_core::objective::MemberKl::Mean));
    let parameters = initialize(&sum, 1).unwrap();
    let kl = |n: &Network| {
        let mut gradient = vec![0.0; parameters.len()];
        Penalty::new(n).add_gradient(&parameters, &mut gradient, WEIGHTS).unwrap().kl
    };
    assert!((kl(&sum) / 3.0 - kl(&mean)).abs() < 1e-9 * kl(&sum));
}

#[test]
fn the_entropy_of_a_normal_posterior_is_the_sum_of_log_deviations() {
    let network = network(&Method::Rank1(Rank1 { members: 3, ..Rank1::default() }));
    let parameters = initialize(&network, 1).unwrap();
    let mut gradient = vec![0.0; parameters.len()];
    let parts = Penalty::new(&network).add_gradient(&parameters, &mut gradient, WEIGHTS).unwrap();
    let entropy: f64 = network
        .layout
        .specs()
        .iter()
        .filter(|spec| spec.group == ParamGroup::FactorScale)
        .flat_map(|spec| &parameters[spec.range.clone()])
        .map(|&raw| {
            let variance = raw_to_scale(f64::from(raw)).powi(2);
            0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E * variance).ln()
        })
        .sum();
    let expected = -WEIGHTS.entropy * entropy * network.member_kl.weight(3);
    assert!((parts.entropy - expected).abs() < 1e-5 * expected.abs(), "{} {expected}", parts.entropy);
}

#[test]
fn a_layer_has_two_divergences_and_a_point_factor_none() {
    let count = |method: &Method| Penalty::new(&network(method)).terms.len();
    assert_eq!(count(&Method::Rank1(Rank1::default())), 4);
    let stochastic = crate::method::Stochastic::Input;
    assert_eq!(count(&Method::Rank1(Rank1 { stochastic, ..Rank1::default() })), 2);
    assert_eq!(count(&Method::Deterministic), 0);
}
