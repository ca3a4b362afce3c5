//! On convolutional and recurrent networks, too, both engines compute the same loss, gradient and outputs.
//!
//! The hand-derived engine runs in double precision here, so that differences are the rounding of the autodiff engine alone;
//! its own single precision is held to the same bounds. Noise is the same, because it is drawn in single precision.
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use ndarray::{Array1, Array2};
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::NllForm;
use rank1_core::perturb::Perturbation;
use rank1_core::targets::Targets;
use rank1_models::engine::analytic::AnalyticEngine;
use rank1_models::engine::autodiff::AutodiffEngine;
use rank1_models::engine::{Batch, DrawKey, Engine, NllRequest};
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

/// Of the loss, of outputs and of gradients through ten layers alike: a hundred roundings of single precision.
const TOLERANCE: f64 = 1e-5;
/// Of the gradient of each parameter by itself: sums over rows and positions that mostly cancel round more.
const TENSOR_TOLERANCE: f64 = 5e-5;
const B: usize = 5;
const IMAGE: InputShape = InputShape::Image { height: 7, width: 5, channels: 2 };
const KEY: DrawKey = DrawKey { seed: 23, step: 5, first_sample: 1, first_example: 0 };

fn rank1() -> Rank1 {
    Rank1 { members: 3, dropout_rate: 0.1, ..Rank1::default() }
}

fn methods() -> Vec<Method> {
    let mean_field =
        |estimator| Method::MeanField(MeanField { estimator, initial_std: 0.1, ..MeanField::default() });
    let dropout = |placement, inputs| Method::McDropout(McDropout { rate: 0.3, inputs, placement });
    vec![
        Method::Deterministic,
        dropout(DropoutPlacement::Blocks, false),
        dropout(DropoutPlacement::Filters, true),
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

fn inputs(input: InputShape) -> Array2<f32> {
    let width = input.width();
    let mut rows = Array2::from_shape_fn((B, width), |(b, d)| ((b * width + d) as f32 * 0.7).sin());
    if let InputShape::Sequence { ragged: true, .. } = input {
        for (row, length) in [3.0, 0.0, 1.0, 2.0, 3.0].into_iter().enumerate() {
            rows[[row, width - 1]] = length;
        }
    }
    rows
}

struct Outcome {
    nll: f64,
    gradient: Vec<f64>,
    outputs: Vec<f64>,
}

/// The largest differences: of the loss and of outputs, and of each group's gradient, relative to the largest entry.
#[derive(Debug, Default)]
struct Errors {
    nll: f64,
    outputs: f64,
    gradient: f64,
    /// As `gradient`, but relative to the largest entry of the same parameter, or a hundredth of the largest of all.
    tensor: f64,
}

impl Errors {
    fn of(got: &Outcome, expected: &Outcome, network: &Network) -> Self {
        let largest = |values: &[f64]| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let difference = |a: &[f64], b: &[f64]| {
            let pairs = a.iter().zip(b).map(|(a, b)| (a - b).abs());
            pairs.fold(0.0, |m: f64, e| if e.is_nan() { e } else { m.max(e) })
        };
        assert_eq!(got.outputs.len(), expected.outputs.len());
        let (mut gradient, mut tensor) = (0.0_f64, 0.0_f64);
        for statistic in [false, true] {
            let specs = network.layout.specs().iter();
            let ranges: Vec<_> = specs
                .filter(|spec| (spec.group == ParamGroup::Statistic) == statistic)
                // No step moves these.
                .filter(|spec| !spec.name.ends_with("prior_center"))
                .map(|spec| spec.range.clone())
                .collect();
            let largest_of_all =
                ranges.iter().map(|r| largest(&expected.gradient[r.clone()])).fold(0.0, f64::max);
            for range in ranges {
                let own = &expected.gradient[range.clone()];
                assert!(own.iter().any(|g| *g != 0.0), "no gradient reaches some parameter");
                let error = difference(&got.gradient[range], own);
                assert!(!error.is_nan(), "the gradient has NaN");
                gradient = gradient.max(error / largest_of_all);
                // Some gradients are zero but for rounding: a normalization undoes the scale of what it reads.
                tensor = tensor.max(error / largest(own).max(0.01 * largest_of_all));
            }
        }
        Self {
            nll: (got.nll - expected.nll).abs() / expected.nll.abs(),
            outputs: difference(&got.outputs, &expected.outputs) / largest(&expected.outputs),
            gradient,
            tensor,
        }
    }
}

/// Both engines on the same network; the double-precision engine is the measure.
fn compare(input: InputShape, body: &Body, method: &Method, n_samples: usize) {
    let shape = NetworkShape { input, body: body.clone(), outputs: 3, likelihood: Likelihood::Categorical };
    let network = Network::new(shape, method).unwrap();
    let mut parameters = initialize(&network, 3).unwrap();
    for (i, p) in parameters.iter_mut().enumerate() {
        *p += 0.1 * (i as f32).cos();
    }
    let inputs = inputs(input);
    let targets = Targets::Classes { labels: Array1::from_vec(vec![0, 2, 1, 2, 0]), n_classes: 3 };
    let request = NllRequest { n_samples, form: NllForm::MixtureNll };

    let single = |engine: &mut dyn Engine| {
        let mut gradient = vec![0.0; parameters.len()];
        let batch = Batch { inputs: inputs.view(), targets: &targets };
        let nll = engine.nll(&parameters, &mut gradient, batch, KEY, request).unwrap();
        let outputs = engine.outputs(&parameters.as_slice().into(), inputs.view(), KEY, n_samples).unwrap();
        Outcome {
            nll,
            gradient: gradient.iter().map(|&g| f64::from(g)).collect(),
            outputs: outputs.iter().map(|&o| f64::from(o)).collect(),
        }
    };
    let autodiff = single(&mut AutodiffEngine::new(network.clone(), Device::flex()));
    let analytic = single(&mut AnalyticEngine::<f32>::new(network.clone()));
    let double = {
        let mut engine = AnalyticEngine::<f64>::new(network.clone());
        let parameters: Vec<f64> = parameters.iter().map(|&p| f64::from(p)).collect();
        let inputs = inputs.mapv(f64::from);
        let mut gradient = vec![0.0; parameters.len()];
        let batch = Batch { inputs: inputs.view(), targets: &targets };
        let nll = engine.nll_and_gradient(&parameters, &mut gradient, batch, KEY, request).unwrap();
        let outputs = engine.sample_outputs(&parameters, inputs.view(), KEY, n_samples).unwrap();
        Outcome { nll, gradient, outputs: outputs.iter().copied().collect() }
    };
    for (name, got) in [("autodiff", &autodiff), ("analytic, single precision", &analytic)] {
        let errors = Errors::of(got, &double, &network);
        let all = [errors.nll, errors.outputs, errors.gradient];
        assert!(errors.tensor < TENSOR_TOLERANCE, "{name}: {errors:?} for {body:?} {method:?}");
        assert!(all.iter().all(|e| *e < TOLERANCE), "{name}: {errors:?} for {body:?} {method:?}");
    }
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
fn on_tabular_networks_for_every_method() {
    for form in FORMS {
        for embedding in EMBEDDINGS {
            let (input, body) = table(form, embedding, 0.2);
            let first = Method::Rank1(Rank1 { stochastic: Stochastic::FirstInput, ..rank1() });
            for method in methods().iter().chain([&first]) {
                compare(input, &body, method, 2);
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
fn on_embedded_categories_for_every_method() {
    let (input, bodies) = categories();
    for body in bodies {
        for method in methods() {
            compare(input, &body, &method, 2);
        }
    }
}

#[test]
fn on_residual_networks_for_every_method() {
    for norm in [NormSharing::Shared, NormSharing::PerMember] {
        let body = Body::ResNet { depth: 8, width: 3, norm };
        for method in methods() {
            compare(IMAGE, &body, &method, 2);
        }
    }
}

#[test]
fn on_wide_residual_networks_for_every_method() {
    for norm in [NormSharing::Shared, NormSharing::PerMember] {
        let body = Body::WideResnet { depth: 10, widen: 1, norm };
        for method in methods() {
            compare(IMAGE, &body, &method, 2);
        }
    }
}

#[test]
fn on_lenet_for_every_method() {
    let image = InputShape::Image { height: 13, width: 12, channels: 1 };
    for activation in [Activation::Tanh, Activation::Relu] {
        for method in methods() {
            compare(image, &Body::LeNet5 { activation }, &method, 2);
        }
    }
}

#[test]
fn on_recurrent_networks_for_every_method() {
    for ragged in [false, true] {
        for context in [0, 2] {
            let input = InputShape::Sequence { steps: 3, features: 2, context, ragged };
            for method in methods() {
                // Refused by recipes: the signs would have to differ at every step.
                if matches!(&method, Method::MeanField(m) if m.estimator == Estimator::Flipout) {
                    continue;
                }
                for embedding in [0, 4] {
                    let activation = Activation::Silu;
                    compare(
                        input,
                        &Body::Lstm { units: 5, embedding, hidden: vec![7], activation },
                        &method,
                        2,
                    );
                }
            }
        }
    }
}

#[test]
fn on_an_image_as_plain_columns() {
    let body = Body::mlp(vec![7], Activation::Tanh);
    for method in methods() {
        compare(IMAGE, &body, &method, 2);
    }
}

#[test]
fn on_a_sequence_of_a_length_that_is_none_both_refuse() {
    let input = InputShape::Sequence { steps: 3, features: 2, context: 0, ragged: true };
    let body = Body::Lstm { units: 5, embedding: 0, hidden: vec![], activation: Activation::Relu };
    let shape = NetworkShape { input, body, outputs: 3, likelihood: Likelihood::Categorical };
    let network = Network::new(shape, &Method::Deterministic).unwrap();
    let parameters = initialize(&network, 3).unwrap();
    for length in [-1.0, 0.5, 4.0, f32::NAN] {
        let mut inputs = inputs(input);
        inputs[[2, 6]] = length;
        let mut engines: [Box<dyn Engine>; 2] = [
            Box::new(AnalyticEngine::<f32>::new(network.clone())),
            Box::new(AutodiffEngine::new(network.clone(), Device::flex())),
        ];
        for engine in &mut engines {
            let message =
                engine.outputs(&parameters.as_slice().into(), inputs.view(), KEY, 1).unwrap_err().to_string();
            assert!(message.contains("number of steps"), "{message}");
        }
    }
}
