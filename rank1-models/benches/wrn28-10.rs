//! One real training step of the rank-1 Wide ResNet 28-10 with four members, and where its time goes by kind of layer.
//!
//! Arguments: `--batch N` new images per step (default 8, so 32 rows), `--steps N` (default 3, of which the first warms up).
//! A step is that of `recipes/cifar10/wrn28_10_rank1_gaussian.toml`: one draw per row, average likelihood, KL divergence over
//! N, gradient, Nesterov update; pixels and labels are random, which no operation can tell.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use rank1_core::likelihood::Likelihood;
use rank1_models::engine::Batch;
use rank1_models::network::{InputShape, Network, NetworkShape, Op, Product};
use rank1_models::recipe;
use rank1_models::summary::Summary;
use rank1_models::train::{StepTimes, Stepper, TrainState};

mod setting;

use setting::{argument, peak_bytes, random_batch};

const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../recipes/cifar10/wrn28_10_rank1_gaussian.toml");
/// Training images of CIFAR-10: the KL divergence is divided by it.
const N: usize = 50_000;
const CLASSES: usize = 10;
const SIDE: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let (batch, steps) = (argument("--batch", 8)?, argument("--steps", 3)?);
    let recipe = recipe::parse(&std::fs::read_to_string(RECIPE)?, &[])?;
    let recipe = recipe.get();
    let shape = NetworkShape {
        input: InputShape::Image { height: SIDE, width: SIDE, channels: 3 },
        body: recipe.model.body.clone(),
        outputs: CLASSES,
        likelihood: Likelihood::Categorical,
    };
    let summary = Summary::new(&shape, &recipe.method, &recipe.train.optimizer, batch, recipe.train.samples)?;
    let network = Network::new(shape, &recipe.method)?;
    let rows = batch * network.n_members * recipe.train.samples;
    println!(
        "{} parameters, {} members, {batch} images, {rows} rows a step, {} threads; planned memory {:.2} GiB",
        network.n_parameters(),
        network.n_members,
        rayon::current_num_threads(),
        gib(summary.step_bytes),
    );
    let (inputs, targets) = random_batch(&network.shape, batch);
    let mut state = TrainState::start(&network, recipe, recipe.seed)?;
    let mut stepper = Stepper::new(&network, recipe, N);
    let mut fastest: Option<(Duration, StepTimes, Kinds)> = None;
    for step in 0..steps {
        stepper.engine().measure();
        let started = Instant::now();
        let record = stepper.step(&mut state, Batch { inputs: inputs.view(), targets: &targets })?;
        let whole = started.elapsed();
        println!("step {step}: {:.2} s, NLL {:.4}", whole.as_secs_f64(), record.nll);
        let kinds = by_kind(&network, stepper.engine().operation_times());
        if step > 0 && fastest.as_ref().is_none_or(|(least, ..)| whole < *least) || steps == 1 {
            fastest = Some((whole, stepper.times(), kinds));
        }
    }
    if let Some((whole, times, kinds)) = fastest {
        print_table(whole, times, &kinds, rows as f64);
    }
    if let Some(peak) = peak_bytes() {
        println!("peak memory of the process {:.2} GiB", gib(peak));
    }
    Ok(())
}

/// Seconds forward and backward, and multiply-adds of a row, by kind of layer.
type Kinds = BTreeMap<String, ([Duration; 2], u64)>;

fn by_kind(network: &Network, times: &[rank1_models::engine::analytic::OperationTimes]) -> Kinds {
    let mut kinds = Kinds::new();
    for (node, times) in network.nodes.iter().zip(times) {
        let (kind, multiply_adds) = match node.op {
            Op::Layer(index) => {
                let layer = &network.layers[index];
                let kind = match layer.product {
                    Product::Conv(shape) => format!(
                        "convolution {}x{}, stride {}, {} channels",
                        shape.kernel.0, shape.kernel.1, shape.stride.0, shape.c_out
                    ),
                    Product::Linear | Product::Recurrent => "matrix product".to_owned(),
                };
                (kind, layer.multiply_adds())
            }
            Op::Norm(_) => ("batch normalization".to_owned(), 0),
            Op::Activation(_) => ("nonlinearity".to_owned(), 0),
            Op::Add(_) => ("residual sum".to_owned(), 0),
            _ => ("pooling and others".to_owned(), 0),
        };
        let entry = kinds.entry(kind).or_default();
        entry.0[0] += times.forward;
        entry.0[1] += times.backward;
        entry.1 += multiply_adds;
    }
    kinds
}

fn print_table(whole: Duration, times: StepTimes, kinds: &Kinds, rows: f64) {
    let share = |part: Duration| 100.0 * part.as_secs_f64() / whole.as_secs_f64();
    println!("{:<44}{:>11}{:>11}{:>8}{:>10}", "kind", "forward s", "backward s", "%", "GFLOP/s");
    let mut sum = Duration::ZERO;
    for (kind, ([forward, backward], multiply_adds)) in kinds {
        let both = *forward + *backward;
        sum += both;
        // Forward, and backward for inputs and for weights.
        let rate = 6.0 * *multiply_adds as f64 * rows / both.as_secs_f64() / 1e9;
        let rate = if *multiply_adds > 0 { format!("{rate:.1}") } else { String::new() };
        println!(
            "{kind:<44}{:>11.3}{:>11.3}{:>8.1}{rate:>10}",
            forward.as_secs_f64(),
            backward.as_secs_f64(),
            share(both),
        );
    }
    let likelihood = times.passes.saturating_sub(sum);
    for (kind, part) in [
        ("likelihood and zeroing of gradients", likelihood),
        ("KL divergence and L2", times.penalty),
        ("clipping and optimizer", times.update),
    ] {
        sum += part;
        println!("{kind:<44}{:>22.3}{:>8.1}", part.as_secs_f64(), share(part));
    }
    println!("{:<44}{:>22.3}{:>8.1}", "sum of the parts", sum.as_secs_f64(), share(sum));
    println!("{:<44}{:>22.3}{:>8.1}", "whole step", whole.as_secs_f64(), 100.0);
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1_u32 << 30)
}
