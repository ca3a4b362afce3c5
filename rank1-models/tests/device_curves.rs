//! Fifty training steps on a wgpu device against the same steps on the processor: perceptron, residual network, LSTM.
//!
//! A perceptron and an LSTM train on both sides on their own. The residual network is compared at the processor's parameters,
//! step by step: one of its some 60,000 rectified values is now and then within rounding of zero, passes its gradient on one
//! side only, and from there two curves part by themselves, however small the rounding.
//!
//! Software adapters will do. Without any the tests say that they skipped, or fail where `RANK1_REQUIRE_DEVICE` is set.
#![cfg(feature = "wgpu")]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use ndarray::Array2;
use rank1_core::likelihood::Likelihood;
use rank1_core::targets::Targets;
use rank1_models::device::{Compute, DeviceName};
use rank1_models::engine::{Batch, DrawKey, NllRequest};
use rank1_models::network::{InputShape, Network, NetworkShape};
use rank1_models::predict::{Predictive, TrainedNetwork, predict};
use rank1_models::recipe::{self, Recipe};
use rank1_models::train::{Stepper, TrainState};

const STEPS: usize = 50;
const RANK1: &str = r#"kind = "rank1", members = 3, posterior = "normal", prior = { family = "normal", mean = 1.0, std = 0.1 }, sign_init = -0.2, dropout_rate = 0.01"#;

struct Case {
    set: &'static str,
    model: &'static str,
    input: InputShape,
    outputs: usize,
    likelihood: Likelihood,
    batch: usize,
    /// Of every member in a step; a prediction has two.
    samples: usize,
    /// Bound on the difference of the NLL of any step, in nats.
    tolerance: f64,
}

fn with_device(claim: impl Fn(&Compute)) {
    match Compute::open(DeviceName::Wgpu) {
        Ok(compute) => claim(&compute),
        Err(error) if std::env::var_os("RANK1_REQUIRE_DEVICE").is_some() => panic!("{error}"),
        Err(error) => eprintln!("SKIPPED, nothing was tested: {error}"),
    }
}

impl Case {
    fn recipe(&self) -> Recipe {
        let Self { set, model, batch, samples, .. } = self;
        let likelihood = if self.likelihood == Likelihood::Bernoulli { "bernoulli" } else { "categorical" };
        let text = format!(
            r#"
name = "test/device"
data = {{ set = "{set}", validation = 0.0 }}
model = {{ {model}, likelihood = "{likelihood}" }}
method = {{ {RANK1} }}
train = {{ epochs = 100, samples = {samples}, batch_size = {batch}, optimizer = {{ kind = "sgd", learning_rate = 0.05, momentum = 0.9, nesterov = true }}, l2 = 0.0003, clip_norm = 5.0 }}
"#
        );
        recipe::parse(&text, &[]).unwrap().get().clone()
    }

    fn network(&self, recipe: &Recipe) -> Network {
        let shape = NetworkShape {
            input: self.input,
            body: recipe.model.body.clone(),
            outputs: self.outputs,
            likelihood: self.likelihood,
        };
        Network::new(shape, &recipe.method).unwrap()
    }

    /// Rows whose class shows in their values, so that the loss has somewhere to go.
    fn rows(&self, width: usize) -> (Array2<f32>, Targets) {
        let classes = self.outputs.max(2);
        let labels: Vec<usize> = (0..self.batch).map(|i| i % classes).collect();
        let ragged = matches!(self.input, InputShape::Sequence { ragged: true, .. });
        let inputs = Array2::from_shape_fn((self.batch, width), |(i, j)| {
            if ragged && j + 1 == width {
                return (i % 5 + 1) as f32;
            }
            (0.7 * (labels[i] + 1) as f32 * j as f32 + 0.3 * i as f32).sin()
        });
        (inputs, Targets::Classes { labels: labels.into(), n_classes: classes })
    }

    /// NLL of every step, and class probabilities after the last.
    fn curve(&self, compute: &Compute) -> (Vec<f64>, Array2<f64>) {
        let recipe = self.recipe();
        let network = self.network(&recipe);
        let (inputs, targets) = self.rows(network.shape.inputs());
        let mut state = TrainState::start(&network, &recipe, 5).unwrap();
        let mut stepper = Stepper::new(&network, &recipe, compute, self.batch);
        let mut step =
            || stepper.step(&mut state, Batch { inputs: inputs.view(), targets: &targets }).unwrap().nll;
        let nll: Vec<f64> = (0..STEPS).map(|_| step()).collect();
        let trained = TrainedNetwork {
            network: network.clone(),
            parameters: state.selected().into(),
            seed: 5,
            kept: None,
        };
        let mut engines = [compute.engine(recipe.train.engine, &network)];
        match predict(&[trained], &mut engines, inputs.view(), 2, 1024).unwrap() {
            Predictive::Classes(classes) => (nll, classes.probs()),
            Predictive::Values { .. } => unreachable!("every case has classes"),
        }
    }

    fn check(&self, device: &Compute) {
        let (expected, expected_probs) = self.curve(&Compute::default());
        let (got, probs) = self.curve(device);
        assert!(expected[STEPS - 1] < 0.8 * expected[0], "{}: nothing was learned, {expected:?}", self.model);
        let gaps = got.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let worst = gaps.fold(0.0, f64::max);
        let worst_prob = probs.iter().zip(&expected_probs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!(
            "{}, {} samples on {}: {worst:.1e} nats, {worst_prob:.1e} in probability",
            self.model,
            self.samples,
            device.describe()
        );
        assert!(worst <= self.tolerance, "{}: {worst} nats\n{got:?}\n{expected:?}", self.model);
        assert!(worst_prob <= self.tolerance, "{}: {worst_prob} in probability", self.model);
    }
}

/// What one step differs in at equal parameters.
struct Gap {
    /// Of the NLL, in nats.
    nll: f64,
    /// Of the gradients, the largest over parameters of the distance as a part of the length.
    gradient: f64,
}

impl Case {
    /// Gaps of every step of the processor's run.
    fn gaps(&self, device: &Compute) -> Vec<Gap> {
        let recipe = self.recipe();
        let network = self.network(&recipe);
        let (inputs, targets) = self.rows(network.shape.inputs());
        let batch = Batch { inputs: inputs.view(), targets: &targets };
        let mut state = TrainState::start(&network, &recipe, 5).unwrap();
        let processor = Compute::default();
        let mut stepper = Stepper::new(&network, &recipe, &processor, self.batch);
        let mut engines = [&processor, device].map(|compute| compute.engine(recipe.train.engine, &network));
        let request = NllRequest { n_samples: recipe.train.samples, form: recipe.train.objective };
        let mut step = |step: usize| {
            let key = DrawKey { seed: 5, step: step as u32, first_sample: 0, first_example: 0 };
            let [expected, got] = engines.each_mut().map(|engine| {
                let mut gradient = vec![0.0; network.layout.len()];
                (engine.nll(&state.parameters, &mut gradient, batch, key, request).unwrap(), gradient)
            });
            let distance = |id: &rank1_models::params::ParamSpec| {
                let (expected, got) = (&expected.1[id.range.clone()], &got.1[id.range.clone()]);
                let length: f32 = expected.iter().map(|e| e * e).sum();
                let square: f32 = got.iter().zip(expected).map(|(g, e)| (g - e) * (g - e)).sum();
                f64::from((square / length.max(f32::MIN_POSITIVE)).sqrt())
            };
            let gradient = network.layout.specs().iter().map(distance).fold(0.0, f64::max);
            stepper.step(&mut state, batch).unwrap();
            Gap { nll: (got.0 - expected.0).abs(), gradient }
        };
        (0..STEPS).map(&mut step).collect()
    }
}

#[test]
fn a_perceptron_learns_on_a_device_as_on_the_processor() {
    with_device(|device| {
        let case = |samples| Case {
            set: "boston",
            model: r#"kind = "mlp", hidden = [31, 17], activation = "relu""#,
            input: InputShape::Columns { width: 29 },
            outputs: 5,
            likelihood: Likelihood::Categorical,
            batch: 13,
            samples,
            tolerance: 1e-5,
        };
        [1, 3].map(case).iter().for_each(|case| case.check(device));
    });
}

#[test]
fn every_step_of_a_residual_network_is_that_of_the_processor() {
    with_device(|device| {
        let case = Case {
            set: "cifar10",
            model: r#"kind = "resnet", depth = 20, width = 4, norm = "shared""#,
            input: InputShape::Image { height: 8, width: 8, channels: 3 },
            outputs: 5,
            likelihood: Likelihood::Categorical,
            batch: 7,
            samples: 1,
            tolerance: 1e-5,
        };
        let gaps = case.gaps(device);
        let nll = gaps.iter().map(|gap| gap.nll).fold(0.0, f64::max);
        let mut gradients: Vec<f64> = gaps.iter().map(|gap| gap.gradient).collect();
        gradients.sort_by(f64::total_cmp);
        let (median, worst) = (gradients[STEPS / 2], gradients[STEPS - 1]);
        println!("{}: {nll:.1e} nats, gradients {median:.1e} and once {worst:.1e}", case.model);
        assert!(nll <= case.tolerance, "{nll} nats");
        assert!(median <= 3e-5, "gradients differ by {median} of their length in half of the steps");
        // A rectifier within rounding of zero.
        assert!(worst <= 0.1, "gradients differ by {worst} of their length in one step");
    });
}

#[test]
fn an_lstm_learns_on_a_device_as_on_the_processor() {
    with_device(|device| {
        Case {
            set: "physionet2012",
            model: r#"kind = "lstm", units = 11"#,
            input: InputShape::Sequence { steps: 7, features: 5, context: 2, ragged: true },
            outputs: 1,
            likelihood: Likelihood::Bernoulli,
            batch: 9,
            samples: 1,
            tolerance: 1e-5,
        }
        .check(device);
    });
}
