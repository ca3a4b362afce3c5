//! The hand-derived gradients of whole networks against central differences in f64, at odd prime shapes.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2};
use rank1_core::factor::ClipBounds;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::NllForm;
use rank1_core::perturb::Perturbation;
use rank1_core::targets::Targets;
use rank1_models::engine::analytic::AnalyticEngine;
use rank1_models::engine::{Batch, DrawKey, NllRequest};
use rank1_models::init::initialize;
use rank1_models::method::{
    BatchEnsemble, Estimator, Granularity, McDropout, MeanField, Method, Rank1, Stochastic,
};
use rank1_models::network::{Activation, Network, NetworkShape};
use rank1_priors::{PosteriorFamily, PriorSpec};

const B: usize = 5;
const D: usize = 7;

fn inputs() -> Array2<f64> {
    Array2::from_shape_fn((B, D), |(b, d)| ((b * D + d) as f64 * 0.7).sin())
}

fn targets(likelihood: Likelihood) -> Targets {
    match likelihood {
        Likelihood::Categorical => {
            Targets::Classes { labels: Array1::from_vec(vec![0, 2, 1, 2, 0]), n_classes: 3 }
        }
        Likelihood::Bernoulli => {
            Targets::Classes { labels: Array1::from_vec(vec![0, 1, 1, 0, 1]), n_classes: 2 }
        }
        _ => Targets::Values(Array1::from_vec(vec![0.3, -1.2, 0.8, 2.0, -0.1])),
    }
}

/// Largest error of the gradient relative to its largest entry, over every parameter.
fn worst(
    method: &Method,
    likelihood: Likelihood,
    activation: Activation,
    samples: usize,
    form: NllForm,
) -> f64 {
    let shape = NetworkShape::mlp(D, vec![11, 3], likelihood.n_outputs(3), activation, likelihood);
    let network = Network::new(shape, method).unwrap();
    let parameters: Vec<f64> = initialize(&network, 3)
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, &p)| f64::from(p) + 0.1 * (i as f64).cos())
        .collect();
    let (inputs, targets) = (inputs(), targets(likelihood));
    let mut engine = AnalyticEngine::<f64>::new(network);
    let key = DrawKey { seed: 11, step: 5, first_sample: 0, first_example: 0 };
    let request = NllRequest { n_samples: samples, form };
    let mut value = |p: &[f64], gradient: &mut [f64]| {
        let batch = Batch { inputs: inputs.view(), targets: &targets };
        engine.nll_and_gradient(p, gradient, batch, key, request).unwrap()
    };
    let mut gradient = vec![0.0; parameters.len()];
    value(&parameters, &mut gradient);
    let largest = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    assert!(largest > 1e-6, "a gradient that is zero proves nothing");
    let (mut scratch, mut p, mut error) = (gradient.clone(), parameters.clone(), 0.0_f64);
    for i in 0..p.len() {
        let h = 1e-6;
        p[i] = parameters[i] + h;
        let above = value(&p, &mut scratch);
        p[i] = parameters[i] - h;
        let below = value(&p, &mut scratch);
        p[i] = parameters[i];
        error = error.max(((above - below) / (2.0 * h) - gradient[i]).abs());
    }
    error / largest
}

fn check(method: Method, likelihood: Likelihood, activation: Activation) {
    for (samples, form) in [(1, NllForm::AverageNll), (2, NllForm::MixtureNll)] {
        let error = worst(&method, likelihood, activation, samples, form);
        assert!(error < 1e-6, "{method:?} {likelihood:?} {activation:?} {form:?}: {error}");
    }
}

#[test]
fn rank1_gradients_of_every_family_are_those_of_central_differences() {
    let cauchy = PriorSpec::Cauchy { location: 1.0, scale: 0.1 };
    for (posterior, prior) in [
        (PosteriorFamily::Normal, PriorSpec::Normal { mean: 1.0, std: 0.1 }),
        (PosteriorFamily::Cauchy, cauchy),
        (PosteriorFamily::HalfCauchy, PriorSpec::HalfCauchy { scale: 1.0 }),
        (PosteriorFamily::LogNormal, PriorSpec::LogNormal { location: 0.0, scale: 0.1 }),
        (PosteriorFamily::NormalSharedScale, PriorSpec::Normal { mean: 1.0, std: 0.1 }),
        (PosteriorFamily::NormalFixedScale { scale: 0.25 }, PriorSpec::Normal { mean: 1.0, std: 0.1 }),
        (PosteriorFamily::PointMass, PriorSpec::Normal { mean: 1.0, std: 0.1 }),
    ] {
        let method =
            Method::Rank1(Rank1 { members: 3, posterior, prior, dropout_rate: 0.1, ..Rank1::default() });
        check(method, Likelihood::Categorical, Activation::Tanh);
    }
}

#[test]
fn rank1_gradients_hold_for_every_setting() {
    let base = Rank1 { members: 3, dropout_rate: 0.2, ..Rank1::default() };
    let tails = Some(ClipBounds { min: -2.5, max: 2.5 });
    for method in [
        Rank1 { granularity: Granularity::PerBatch, ..base.clone() },
        Rank1 { perturbation: Perturbation::Additive, ..base.clone() },
        Rank1 { stochastic: Stochastic::Input, ..base.clone() },
        Rank1 { stochastic: Stochastic::Output, ..base.clone() },
        // Narrow bounds, so that many draws are clipped and pass no gradient.
        Rank1 { clip: Some(ClipBounds { min: 0.5, max: 1.2 }), ..base.clone() },
        // Tails that are cut, some of them many scales out.
        Rank1 { posterior: PosteriorFamily::Cauchy, dropout_rate: 0.5, clip: tails, ..base.clone() },
        Rank1 { posterior: PosteriorFamily::HalfCauchy, dropout_rate: 0.5, clip: tails, ..base.clone() },
        Rank1 { clip: None, members: 1, ..base.clone() },
    ] {
        check(Method::Rank1(method), Likelihood::HeteroscedasticGaussian, Activation::Silu);
    }
}

#[test]
fn baseline_gradients_are_those_of_central_differences() {
    let mean_field =
        |estimator| Method::MeanField(MeanField { estimator, initial_std: 0.1, ..MeanField::default() });
    for method in [
        Method::Deterministic,
        Method::McDropout(McDropout { rate: 0.3, inputs: true, ..McDropout::default() }),
        mean_field(Estimator::Reparameterized),
        mean_field(Estimator::Flipout),
        Method::BatchEnsemble(BatchEnsemble { members: 3, sign_init: 0.5 }),
    ] {
        for (likelihood, activation) in [
            (Likelihood::Categorical, Activation::Softplus),
            (Likelihood::Bernoulli, Activation::Tanh),
            (Likelihood::Gaussian, Activation::Silu),
            (Likelihood::HeteroscedasticGaussian, Activation::Linear),
        ] {
            check(method.clone(), likelihood, activation);
        }
    }
}

#[test]
fn piecewise_linear_activations_have_their_one_sided_gradients() {
    for activation in [Activation::Relu, Activation::Relu6] {
        check(Method::Rank1(Rank1 { members: 3, ..Rank1::default() }), Likelihood::Gaussian, activation);
    }
}
