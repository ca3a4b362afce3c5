//! A training step allocates nothing once its buffers have grown, whatever the architecture and the method.
#![allow(clippy::unwrap_used)]

use dhat::{Alloc, HeapStats, Profiler};
use ndarray::Array2;
use rank1_core::likelihood::Likelihood;
use rank1_core::targets::Targets;
use rank1_models::device::Compute;
use rank1_models::engine::Batch;
use rank1_models::network::{InputShape, Network, NetworkShape};
use rank1_models::recipe;
use rank1_models::train::{Stepper, TrainState};

#[global_allocator]
static ALLOCATOR: Alloc = Alloc;

const RANK1: &str = r#"kind = "rank1", members = 3, posterior = "normal", prior = { family = "normal", mean = 1.0, std = 0.1 }"#;
const CAUCHY: &str = r#"kind = "rank1", members = 2, posterior = "cauchy", prior = { family = "cauchy", location = 1.0, scale = 0.1 }"#;
const MONTE_CARLO: &str =
    r#"kind = "rank1", members = 2, prior = { family = "student_t", df = 3.0, location = 1.0, scale = 0.2 }"#;
const IMAGE: InputShape = InputShape::Image { height: 9, width: 8, channels: 3 };
const STAY: InputShape = InputShape::Sequence { steps: 5, features: 7, context: 2, ragged: true };

/// Blocks that five steps allocate after three to warm up.
fn blocks(method: &str, model: &str, input: InputShape, examples: usize, likelihood: &str) -> u64 {
    let set = match input {
        InputShape::Columns { .. } => "boston",
        InputShape::Image { .. } => "cifar10",
        InputShape::Sequence { .. } => "physionet2012",
    };
    let text = format!(
        r#"
name = "test/steady_state"
data = {{ set = "{set}", validation = 0.0 }}
model = {{ {model}, likelihood = "{likelihood}" }}
method = {{ {method} }}
[train]
epochs = 3
batch_size = {examples}
optimizer = {{ kind = "sgd", learning_rate = 0.001, momentum = 0.9, nesterov = true }}
clip_norm = 1.0
l2 = 0.001
"#
    );
    let recipe = recipe::parse(&text, &[]).unwrap().get().clone();
    let (likelihood, outputs) = match likelihood {
        "categorical" => (Likelihood::Categorical, 4),
        "bernoulli" => (Likelihood::Bernoulli, 1),
        _ => (Likelihood::Gaussian, 1),
    };
    let shape = NetworkShape { input, body: recipe.model.body.clone(), outputs, likelihood };
    let network = Network::new(shape, &recipe.method).unwrap();
    let width = network.shape.inputs();
    // The last column of a sequence with lengths counts its steps.
    let inputs = Array2::from_shape_fn((examples, width), |(i, j)| {
        if j + 1 == width { (i % 5) as f32 } else { ((i * 31 + j * 7) % 11) as f32 * 0.1 }
    });
    let targets = match likelihood {
        Likelihood::Gaussian => Targets::Values((0..examples).map(|i| i as f64 * 0.1).collect()),
        _ => Targets::Classes { labels: (0..examples).map(|i| i % 2).collect(), n_classes: outputs.max(2) },
    };
    let mut state = TrainState::start(&network, &recipe, 5).unwrap();
    let mut stepper = Stepper::new(&network, &recipe, &Compute::default(), examples);
    let mut step = || {
        stepper.step(&mut state, Batch { inputs: inputs.view(), targets: &targets }).unwrap();
    };
    (0..3).for_each(|_| step());
    let before = HeapStats::get().total_blocks;
    (0..5).for_each(|_| step());
    HeapStats::get().total_blocks - before
}

#[test]
fn no_step_allocates_once_its_buffers_have_grown() {
    let _profiler = Profiler::builder().testing().build();
    let columns = |width| InputShape::Columns { width };
    let small = r#"kind = "mlp", hidden = [11], activation = "tanh""#;
    // Wide enough for every pass to be shared among threads.
    let wide = r#"kind = "mlp", hidden = [301], activation = "relu""#;
    let lstm = r#"kind = "lstm", units = 6"#;
    let resnet = r#"kind = "resnet", depth = 8, width = 4, norm = "per_member""#;
    let cases = [
        (RANK1, small, columns(5), 7, "gaussian"),
        (RANK1, wide, columns(401), 64, "categorical"),
        (CAUCHY, small, columns(5), 7, "gaussian"),
        (MONTE_CARLO, small, columns(5), 7, "gaussian"),
        (RANK1, lstm, STAY, 9, "bernoulli"),
        (RANK1, resnet, IMAGE, 5, "categorical"),
        (r#"kind = "deterministic""#, small, columns(5), 7, "gaussian"),
        (r#"kind = "mc_dropout", rate = 0.1"#, small, columns(5), 7, "gaussian"),
        (r#"kind = "mean_field""#, small, columns(5), 7, "gaussian"),
        (r#"kind = "batch_ensemble", members = 3"#, resnet, IMAGE, 5, "categorical"),
    ];
    // As training runs: on a thread of the pool.
    let found = rayon::join(|| cases.map(|(a, b, c, d, e)| blocks(a, b, c, d, e)), || ()).0;
    let all: Vec<_> =
        cases.iter().zip(found).map(|((method, model, ..), blocks)| (blocks, model, method)).collect();
    assert!(all.iter().all(|(blocks, ..)| *blocks == 0), "allocated blocks by case: {all:#?}");
}
