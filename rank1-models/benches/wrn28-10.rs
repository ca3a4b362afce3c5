//! One real training step of the rank-1 Wide ResNet 28-10 with four members, and where its time goes by kind of layer.
//!
//! Arguments: `--batch N` new images per step (default 8, so 32 rows), `--steps N` (default 3, of which the first warms up).
//! A step is that of `recipes/cifar10/wrn28_10_rank1_gaussian.toml`: one draw per row, average likelihood, KL divergence over
//! N, gradient, Nesterov update; pixels and labels are random, which no operation can tell.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, Instant};

use rank1_core::likelihood::Likelihood;
use rank1_models::device::Compute;
use rank1_models::engine::Batch;
use rank1_models::network::{InputShape, Network, NetworkShape};
use rank1_models::recipe;
use rank1_models::summary::Summary;
use rank1_models::train::{StepTimes, Stepper, TrainState};

mod setting;

use setting::profile::{Kinds, by_kind, print_table};
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
    let mut stepper = Stepper::new(&network, recipe, &Compute::default(), N);
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

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1_u32 << 30)
}
