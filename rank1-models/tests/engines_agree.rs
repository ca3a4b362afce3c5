//! The hand-derived engine and the autodiff engine compute the same loss, gradient and outputs.
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use ndarray::{Array1, Array2};
use rank1_core::factor::ClipBounds;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::NllForm;
use rank1_core::perturb::Perturbation;
use rank1_core::targets::Targets;
use rank1_core::testkit::normals;
use rank1_models::engine::analytic::AnalyticEngine;
use rank1_models::engine::autodiff::AutodiffEngine;
use rank1_models::engine::{Batch, DrawKey, Engine, NllRequest};
use rank1_models::method::{
    BatchEnsemble, Estimator, Granularity, McDropout, MeanField, Method, Rank1, Stochastic,
};
use rank1_models::network::{Activation, Network, NetworkShape};
use rank1_priors::{PosteriorFamily, PriorSpec};

const TOLERANCE: f32 = 1e-4;
const B: usize = 5;
const D_IN: usize = 7;
const CLASSES: usize = 3;
const KEY: DrawKey = DrawKey { seed: 17, step: 3, first_sample: 2, first_example: 0 };

const ACTIVATIONS: [Activation; 6] = [
    Activation::Relu,
    Activation::Relu6,
    Activation::Tanh,
    Activation::Silu,
    Activation::Softplus,
    Activation::Linear,
];

const LIKELIHOODS: [Likelihood; 4] = [
    Likelihood::Categorical,
    Likelihood::Bernoulli,
    Likelihood::Gaussian,
    Likelihood::HeteroscedasticGaussian,
];

const FAMILIES: [PosteriorFamily; 7] = [
    PosteriorFamily::Normal,
    PosteriorFamily::Cauchy,
    PosteriorFamily::HalfCauchy,
    PosteriorFamily::LogNormal,
    PosteriorFamily::NormalSharedScale,
    PosteriorFamily::NormalFixedScale { scale: 0.3 },
    PosteriorFamily::PointMass,
];

fn methods() -> Vec<Method> {
    let mut methods = vec![
        Method::Deterministic,
        Method::McDropout(McDropout { rate: 0.25, ..McDropout::default() }),
        Method::McDropout(McDropout { rate: 0.25, inputs: true, ..McDropout::default() }),
        Method::BatchEnsemble(BatchEnsemble { members: 3, sign_init: -0.5 }),
    ];
    for estimator in [Estimator::Reparameterized, Estimator::Flipout] {
        methods.push(Method::MeanField(MeanField { estimator, ..MeanField::default() }));
    }
    for posterior in FAMILIES {
        for perturbation in [Perturbation::Multiplicative, Perturbation::Additive] {
            for granularity in [Granularity::PerExample, Granularity::PerBatch] {
                // Tight enough that some draws are cut.
                let clip = Some(ClipBounds { min: -1.5, max: 1.7 });
                methods.push(Method::Rank1(Rank1 {
                    members: 3,
                    posterior,
                    perturbation,
                    granularity,
                    clip,
                    ..Rank1::default()
                }));
            }
        }
    }
    for stochastic in [Stochastic::Input, Stochastic::Output] {
        methods.push(Method::Rank1(Rank1 { members: 1, stochastic, clip: None, ..Rank1::default() }));
    }
    methods.push(Method::Rank1(Rank1 { prior: PriorSpec::TrainableScale { mean: 1.0 }, ..Rank1::default() }));
    methods
}

fn targets(likelihood: Likelihood) -> Targets {
    let labels = |n_classes: usize| Targets::Classes {
        labels: Array1::from_iter((0..B).map(|b| (2 * b + 1) % n_classes)),
        n_classes,
    };
    match likelihood {
        Likelihood::Categorical => labels(CLASSES),
        Likelihood::Bernoulli => labels(2),
        _ => Targets::Values(normals(5, B)),
    }
}

/// A network with parameters away from zero, ordinary scales and no accidental symmetry.
fn network(method: &Method, activation: Activation, likelihood: Likelihood) -> (Network, Vec<f32>) {
    let outputs = likelihood.n_outputs(CLASSES);
    let shape = NetworkShape::mlp(D_IN, vec![11, 2], outputs, activation, likelihood);
    let network = Network::new(shape, method).unwrap();
    let noise: Array1<f32> = normals(77, network.layout.len());
    let mut parameters = noise.mapv(|v| 0.4 * v).to_vec();
    for spec in network.layout.specs() {
        if spec.name.ends_with("location") {
            parameters[spec.range.clone()].iter_mut().for_each(|v| *v += 1.0);
        }
    }
    (network, parameters)
}

struct Outcome {
    nll: f64,
    gradient: Vec<f32>,
    outputs: Vec<f32>,
}

fn run(
    engine: &mut dyn Engine,
    network: &Network,
    parameters: &[f32],
    key: DrawKey,
    request: NllRequest,
) -> Outcome {
    let inputs: Array2<f32> = normals(9, (B, D_IN));
    let targets = targets(network.shape.likelihood);
    // Engines add to what is there.
    let mut gradient = vec![0.25; parameters.len()];
    let batch = Batch { inputs: inputs.view(), targets: &targets };
    let nll = engine.nll(parameters, &mut gradient, batch, key, request).unwrap();
    gradient.iter_mut().for_each(|g| *g -= 0.25);
    let outputs = engine.outputs(&parameters.into(), inputs.view(), key, 2).unwrap();
    assert_eq!(outputs.dim(), (2, network.n_members, B, network.shape.outputs));
    Outcome { nll, gradient, outputs: outputs.iter().copied().collect() }
}

/// Largest difference relative to the largest magnitude, or to 1e-2 for arrays that are smaller than that.
fn error(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-2_f32, |m, v| m.max(v.abs()));
    let errors = got.iter().zip(expected).map(|(g, e)| (g - e).abs() / scale);
    errors.fold(0.0, |m: f32, e| if e.is_nan() { e } else { m.max(e) })
}

fn compare(
    method: &Method,
    activation: Activation,
    likelihood: Likelihood,
    key: DrawKey,
    request: NllRequest,
) {
    let (network, parameters) = network(method, activation, likelihood);
    let mut analytic = AnalyticEngine::<f32>::new(network.clone());
    let mut autodiff = AutodiffEngine::new(network.clone(), Device::flex());
    let a = run(&mut analytic, &network, &parameters, key, request);
    let b = run(&mut autodiff, &network, &parameters, key, request);
    let context = format!("{method:?} {activation:?} {likelihood:?} {request:?}");
    let nll_error = (a.nll - b.nll).abs() / b.nll.abs().max(1.0);
    assert!(nll_error < f64::from(TOLERANCE), "nll {} and {} of {context}", a.nll, b.nll);
    assert!(error(&a.outputs, &b.outputs) < TOLERANCE, "outputs of {context}");
    for spec in network.layout.specs() {
        let (got, expected) = (&a.gradient[spec.range.clone()], &b.gradient[spec.range.clone()]);
        let worst = error(got, expected);
        assert!(worst < TOLERANCE, "gradient of {}: {worst} for {context}: {got:?} {expected:?}", spec.name);
    }
}

#[test]
fn for_every_method_and_likelihood() {
    let request = NllRequest { n_samples: 2, form: NllForm::AverageNll };
    for method in methods() {
        for likelihood in LIKELIHOODS {
            compare(&method, Activation::Tanh, likelihood, KEY, request);
        }
    }
}

#[test]
fn for_every_method_and_activation() {
    let request = NllRequest { n_samples: 1, form: NllForm::MixtureNll };
    for method in methods() {
        for activation in ACTIVATIONS {
            compare(&method, activation, Likelihood::Categorical, KEY, request);
        }
    }
}

#[test]
fn for_every_form_where_it_is_defined() {
    let method = Method::Rank1(Rank1 { members: 3, ..Rank1::default() });
    let forms = [
        NllForm::AverageNll,
        NllForm::MixtureNll,
        NllForm::MarginalizedProbabilities,
        NllForm::MarginalizedLogits,
    ];
    for form in forms {
        for likelihood in LIKELIHOODS {
            if form != NllForm::MarginalizedLogits || likelihood.is_classification() {
                compare(&method, Activation::Silu, likelihood, KEY, NllRequest { n_samples: 2, form });
            }
        }
    }
}

#[test]
fn in_prediction_with_an_offset_of_rows() {
    let key = DrawKey { step: DrawKey::PREDICTION, first_example: 1000, ..KEY };
    let request = NllRequest { n_samples: 3, form: NllForm::AverageNll };
    for method in methods() {
        compare(&method, Activation::Relu, Likelihood::Gaussian, key, request);
    }
}

#[test]
fn what_does_not_fit_is_refused_by_both() {
    let (network, parameters) = network(&Method::Deterministic, Activation::Relu, Likelihood::Gaussian);
    let inputs: Array2<f32> = normals(9, (B, D_IN));
    let targets = targets(Likelihood::Gaussian);
    let engines: [Box<dyn Engine>; 2] = [
        Box::new(AnalyticEngine::<f32>::new(network.clone())),
        Box::new(AutodiffEngine::new(network, Device::flex())),
    ];
    for mut engine in engines {
        let mut gradient = vec![0.0; parameters.len()];
        let mut nll = |rows: usize, form: NllForm| {
            let batch = Batch { inputs: inputs.slice(ndarray::s![..rows, ..]), targets: &targets };
            engine.nll(&parameters, &mut gradient, batch, KEY, NllRequest { n_samples: 1, form }).is_ok()
        };
        assert!(nll(B, NllForm::AverageNll));
        assert!(!nll(B, NllForm::MarginalizedLogits), "averaged means of a Gaussian are no likelihood");
        assert!(!nll(B - 1, NllForm::AverageNll), "a target is left over");
        assert!(
            engine
                .outputs(&parameters.as_slice().into(), inputs.slice(ndarray::s![.., 1..]), KEY, 1)
                .is_err()
        );
    }
}
