//! Hand-derived gradients of convolutional and recurrent networks against central differences in f64.
//!
//! Every parameter tensor is probed at several entries; images and sequences have odd, unequal sizes.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2};
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
use rank1_models::network::{
    Activation, Body, CategoryEmbedding, DropoutPlacement, InputShape, Network, NetworkShape, NormSharing,
    NumberEmbedding, TableColumn, TableColumns, TabmForm,
};
use rank1_models::params::ParamGroup;
use rank1_priors::{PosteriorFamily, PriorSpec};

const B: usize = 5;
/// Probes per parameter tensor.
const PROBES: usize = 3;

fn inputs(input: InputShape) -> Array2<f64> {
    let width = input.width();
    let mut rows = Array2::from_shape_fn((B, width), |(b, d)| ((b * width + d) as f64 * 0.7).sin());
    if let InputShape::Sequence { ragged: true, .. } = input {
        for (row, length) in [3.0, 0.0, 1.0, 2.0, 3.0].into_iter().enumerate() {
            rows[[row, width - 1]] = length;
        }
    }
    rows
}

/// Largest error over the probes, relative to the largest gradient.
fn worst(input: InputShape, body: Body, method: &Method, samples: usize) -> f64 {
    let shape = NetworkShape { input, body, outputs: 3, likelihood: Likelihood::Categorical };
    let network = Network::new(shape, method).unwrap();
    let specs = network.layout.specs().to_vec();
    let mut parameters: Vec<f64> = initialize(&network, 3).unwrap().iter().map(|&p| f64::from(p)).collect();
    for (i, p) in parameters.iter_mut().enumerate() {
        *p += 0.1 * (i as f64).cos();
    }
    let inputs = inputs(input);
    let targets = Targets::Classes { labels: Array1::from_vec(vec![0, 2, 1, 2, 0]), n_classes: 3 };
    let mut engine = AnalyticEngine::<f64>::new(network);
    let key = DrawKey { seed: 11, step: 5, first_sample: 0, first_example: 0 };
    let request = NllRequest { n_samples: samples, form: NllForm::AverageNll };
    let mut value = |p: &[f64], gradient: &mut [f64]| {
        let batch = Batch { inputs: inputs.view(), targets: &targets };
        engine.nll_and_gradient(p, gradient, batch, key, request).unwrap()
    };
    let mut gradient = vec![0.0; parameters.len()];
    value(&parameters, &mut gradient);
    let (mut scratch, mut p) = (gradient.clone(), parameters.clone());
    let (mut error, mut largest) = (0.0_f64, 0.0_f64);
    for spec in specs.iter().filter(|spec| spec.group != ParamGroup::Statistic) {
        let own = &gradient[spec.range.clone()];
        assert!(own.iter().any(|g| *g != 0.0), "no gradient reaches {}", spec.name);
        for probe in 0..PROBES.min(own.len()) {
            let i = spec.range.start + (probe * own.len()) / PROBES;
            let h = 1e-6;
            p[i] = parameters[i] + h;
            let above = value(&p, &mut scratch);
            p[i] = parameters[i] - h;
            let below = value(&p, &mut scratch);
            p[i] = parameters[i];
            error = error.max(((above - below) / (2.0 * h) - gradient[i]).abs());
            largest = largest.max(gradient[i].abs());
        }
    }
    assert!(largest > 1e-6, "a gradient that is zero proves nothing");
    error / largest
}

const IMAGE: InputShape = InputShape::Image { height: 7, width: 5, channels: 2 };

fn rank1() -> Rank1 {
    Rank1 { members: 3, dropout_rate: 0.1, ..Rank1::default() }
}

fn methods() -> Vec<Method> {
    let mean_field =
        |estimator| Method::MeanField(MeanField { estimator, initial_std: 0.1, ..MeanField::default() });
    let dropout = |placement| Method::McDropout(McDropout { rate: 0.3, inputs: true, placement });
    vec![
        Method::Deterministic,
        dropout(DropoutPlacement::Blocks),
        dropout(DropoutPlacement::Filters),
        mean_field(Estimator::Reparameterized),
        mean_field(Estimator::Flipout),
        Method::BatchEnsemble(BatchEnsemble { members: 3, sign_init: 0.5 }),
        Method::Rank1(rank1()),
        Method::Rank1(Rank1 { perturbation: Perturbation::Additive, ..rank1() }),
        Method::Rank1(Rank1 { granularity: Granularity::PerBatch, stochastic: Stochastic::Input, ..rank1() }),
        Method::Rank1(Rank1 {
            posterior: PosteriorFamily::Cauchy,
            prior: PriorSpec::Cauchy { location: 1.0, scale: 0.1 },
            ..rank1()
        }),
    ]
}

/// Five numbers around two codes of one feature, with bins of other rows than those that are computed on.
fn table(form: TabmForm, embedding: NumberEmbedding, dropout: f64) -> (InputShape, Body) {
    let number = || TableColumn::Number { edges: Vec::new() };
    let features = vec![number(), number(), TableColumn::Code { width: 2 }, number(), number(), number()];
    let rows = Array2::from_shape_fn((23, 7), |(i, j)| ((i * 7 + j) as f32 * 0.37).sin() * 1.1);
    let columns = TableColumns::new(features).learn(rows.view(), 3).unwrap();
    let (width, blocks, embedding_width, bins, frequencies) = (11, 2, 3, 3, 5);
    let body = Body::Tabm {
        form,
        width,
        blocks,
        dropout,
        embedding,
        embedding_width,
        bins,
        frequencies,
        category_embedding: None,
        columns,
    };
    (InputShape::Columns { width: 7 }, body)
}

const FORMS: [TabmForm; 3] = [TabmForm::Full, TabmForm::Mini, TabmForm::Packed];
const EMBEDDINGS: [NumberEmbedding; 5] = [
    NumberEmbedding::None,
    NumberEmbedding::Linear,
    NumberEmbedding::Periodic,
    NumberEmbedding::PeriodicLite,
    NumberEmbedding::PiecewiseLinear,
];

#[test]
fn tabular_networks_have_the_gradients_of_central_differences() {
    for form in FORMS {
        for embedding in EMBEDDINGS {
            let (input, body) = table(form, embedding, 0.2);
            let first = Method::Rank1(Rank1 { stochastic: Stochastic::FirstInput, ..rank1() });
            for method in methods().iter().chain([&first]) {
                let error = worst(input, body.clone(), method, 2);
                assert!(error < 1e-5, "{error} for {body:?} {method:?}");
            }
        }
    }
}

/// Two numbers between three codes, of which the two wider ones become vectors: of perceptrons and TabM.
fn categories() -> (InputShape, Vec<Body>) {
    let (number, code) = (|| TableColumn::Number { edges: Vec::new() }, |width| TableColumn::Code { width });
    let columns = TableColumns::new(vec![code(4), number(), code(2), number(), code(3)]);
    let rows = Array2::from_shape_fn((23, 11), |(i, j)| ((i * 11 + j) as f32 * 0.37).sin() * 1.1);
    let columns = columns.learn(rows.view(), 3).unwrap();
    let category_embedding = Some(CategoryEmbedding { dim: Some(3), above: 2 });
    let perceptron = |hidden| Body::Mlp {
        hidden,
        activation: Activation::Tanh,
        category_embedding,
        columns: columns.clone(),
    };
    let tabm = |form, embedding| {
        let (width, blocks, dropout, embedding_width, bins, frequencies) = (11, 2, 0.2, 3, 3, 5);
        let columns = columns.clone();
        Body::Tabm {
            form,
            width,
            blocks,
            dropout,
            embedding,
            embedding_width,
            bins,
            frequencies,
            category_embedding,
            columns,
        }
    };
    let mut bodies = vec![perceptron(vec![7]), perceptron(Vec::new())];
    for form in FORMS {
        bodies.extend([NumberEmbedding::None, NumberEmbedding::PiecewiseLinear].map(|e| tabm(form, e)));
    }
    (InputShape::Columns { width: 11 }, bodies)
}

#[test]
fn embedded_categories_have_the_gradients_of_central_differences() {
    let (input, bodies) = categories();
    for body in bodies {
        for method in methods() {
            let error = worst(input, body.clone(), &method, 2);
            assert!(error < 1e-5, "{error} for {body:?} {method:?}");
        }
    }
}

#[test]
fn residual_networks_have_the_gradients_of_central_differences() {
    // Kinks of the rectifier lie between the two points of some differences: a smaller share of exactness.
    for method in methods() {
        let body = Body::ResNet { depth: 8, width: 3, norm: NormSharing::Shared };
        let error = worst(IMAGE, body, &method, 1);
        assert!(error < 1e-4, "{method:?}: {error}");
    }
    for norm in [NormSharing::Shared, NormSharing::PerMember] {
        let body = Body::ResNet { depth: 8, width: 3, norm };
        let error = worst(IMAGE, body, &Method::Rank1(rank1()), 2);
        assert!(error < 1e-4, "{norm:?}: {error}");
    }
}

#[test]
fn the_wide_residual_network_and_lenet_have_the_gradients_of_central_differences() {
    let wide = Body::WideResnet { depth: 10, widen: 1, norm: NormSharing::PerMember };
    let error = worst(IMAGE, wide, &Method::Rank1(rank1()), 1);
    assert!(error < 1e-4, "{error}");
    let image = InputShape::Image { height: 13, width: 12, channels: 1 };
    for method in methods() {
        let error = worst(image, Body::LeNet5 { activation: Activation::Tanh }, &method, 1);
        assert!(error < 1e-4, "{method:?}: {error}");
    }
}

#[test]
fn recurrent_networks_have_the_gradients_of_central_differences() {
    for ragged in [false, true] {
        let input = InputShape::Sequence { steps: 3, features: 2, context: 2, ragged };
        for method in methods() {
            if matches!(&method, Method::MeanField(m) if m.estimator == Estimator::Flipout) {
                continue;
            }
            for embedding in [0, 4] {
                let body = Body::Lstm { units: 5, embedding, hidden: vec![7], activation: Activation::Silu };
                let error = worst(input, body, &method, 2);
                assert!(error < 1e-6, "{method:?} ragged {ragged} embedding {embedding}: {error}");
            }
        }
    }
}

#[test]
fn a_body_that_cannot_read_its_inputs_is_refused_by_name() {
    let refusal = |input, body| {
        let shape = NetworkShape { input, body, outputs: 3, likelihood: Likelihood::Categorical };
        Network::new(shape, &Method::Deterministic).unwrap_err().to_string()
    };
    let columns = InputShape::Columns { width: 7 };
    let got = refusal(columns, Body::LeNet5 { activation: Activation::Relu });
    assert!(got.starts_with("model `lenet5`: expected inputs that it can read"), "{got}");
    let body = Body::WideResnet { depth: 27, widen: 1, norm: NormSharing::Shared };
    assert!(refusal(IMAGE, body).contains("6 n + 4"));
    let small = InputShape::Image { height: 5, width: 12, channels: 1 };
    assert!(refusal(small, Body::LeNet5 { activation: Activation::Relu }).contains("12 x 12"));
}
