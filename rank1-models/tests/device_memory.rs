//! Memory of training steps on a wgpu device: a rank-1 network of K members on B rows beside the deterministic one on K B.
//!
//! Prints bytes and asserts bounds on what the pools took from the device, which no sampling can miss. Software adapters
//! will do.
#![cfg(feature = "wgpu")]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::DispatchDevice;
use burn_cubecl::cubecl::MemoryScope;
use burn_cubecl::cubecl::client::Client;
use ndarray::Array2;
use rank1_core::likelihood::Likelihood;
use rank1_core::targets::Targets;
use rank1_models::device::{Compute, DeviceName};
use rank1_models::engine::Batch;
use rank1_models::network::{InputShape, Network, NetworkShape};
use rank1_models::recipe;
use rank1_models::train::{Stepper, TrainState};

const MEMBERS: usize = 4;
const RANK1: &str = r#"kind = "rank1", members = 4, posterior = "normal", prior = { family = "normal", mean = 1.0, std = 0.1 }, dropout_rate = 0.01"#;

struct Case {
    name: &'static str,
    set: &'static str,
    model: &'static str,
    input: InputShape,
    /// B.
    batch: usize,
    /// Bound on the additional memory taken from the device, as a part of the deterministic step's.
    bound: f64,
}

/// Memory of some steps, in bytes.
#[derive(Debug, Clone, Copy)]
struct Memory {
    /// The most in use at once that was seen, beyond what was in use before; peaks between two looks are missed.
    in_use: u64,
    /// What the pools took from the device, beyond what they had before; nothing is given back while steps run.
    reserved: u64,
}

fn measure(client: &Client, work: impl FnOnce()) -> Memory {
    let usage = || client.memory_report(MemoryScope::Device).usage();
    let cleaned = || {
        client.memory_cleanup().unwrap();
        usage()
    };
    let before = cleaned();
    let done = AtomicBool::new(false);
    let in_use = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(usage().bytes_in_use);
            }
            most
        });
        work();
        done.store(true, Ordering::Relaxed);
        sampler.join().unwrap()
    });
    let after = usage();
    Memory {
        in_use: in_use.saturating_sub(before.bytes_in_use),
        reserved: after.bytes_reserved.saturating_sub(before.bytes_reserved),
    }
}

impl Case {
    /// Peak of several steps of `method` on `batch` rows, after one for what is made once.
    fn memory(&self, compute: &Compute, client: &Client, method: &str, batch: usize) -> Memory {
        let Self { set, model, input, .. } = self;
        let text = format!(
            r#"
name = "test/memory"
data = {{ set = "{set}", validation = 0.0 }}
model = {{ {model}, likelihood = "categorical" }}
method = {{ {method} }}
train = {{ epochs = 1, batch_size = {batch}, optimizer = {{ kind = "sgd", learning_rate = 0.05 }} }}
"#
        );
        let recipe = recipe::parse(&text, &[]).unwrap().get().clone();
        let shape = NetworkShape {
            input: *input,
            body: recipe.model.body.clone(),
            outputs: 10,
            likelihood: Likelihood::Categorical,
        };
        let network = Network::new(shape, &recipe.method).unwrap();
        let labels: Vec<usize> = (0..batch).map(|i| i % 10).collect();
        let inputs = Array2::from_shape_fn((batch, network.shape.inputs()), |(i, j)| {
            (0.1 * (labels[i] + 1) as f32 * j as f32 + i as f32).sin()
        });
        let targets = Targets::Classes { labels: labels.into(), n_classes: 10 };
        let mut state = TrainState::start(&network, &recipe, 5).unwrap();
        let mut stepper = Stepper::new(&network, &recipe, compute, batch);
        let mut step =
            || stepper.step(&mut state, Batch { inputs: inputs.view(), targets: &targets }).unwrap();
        step();
        measure(client, || {
            (0..4).for_each(|_| {
                step();
            })
        })
    }

    fn check(&self) {
        let compute = match Compute::open(DeviceName::Wgpu) {
            Ok(compute) => compute,
            Err(error) if std::env::var_os("RANK1_REQUIRE_DEVICE").is_some() => panic!("{error}"),
            Err(error) => return eprintln!("SKIPPED, nothing was tested: {error}"),
        };
        let device = compute.burn_device().unwrap();
        let DispatchDevice::Cube(device) = device.as_dispatch() else { panic!("not a CubeCL device") };
        let client = device.client();
        let rows = MEMBERS * self.batch;
        let deterministic = self.memory(&compute, &client, r#"kind = "deterministic""#, rows);
        let perturbed = self.memory(&compute, &client, RANK1, self.batch);
        let more = |of: fn(Memory) -> u64| of(perturbed) as f64 / of(deterministic) as f64 - 1.0;
        let (taken, in_use) = (more(|memory| memory.reserved), more(|memory| memory.in_use));
        println!(
            "{}, {rows} rows on {}: {} kB taken and {} kB seen in use; {MEMBERS} members {} and {} kB, {:+.1} and {:+.1} %",
            self.name,
            compute.describe(),
            deterministic.reserved / 1000,
            deterministic.in_use / 1000,
            perturbed.reserved / 1000,
            perturbed.in_use / 1000,
            100.0 * taken,
            100.0 * in_use
        );
        assert!(deterministic.reserved > 0, "nothing was measured");
        assert!(taken < self.bound, "{}: {taken} is not below {}", self.name, self.bound);
    }
}

/// One test, because what another one holds on the device would be counted too.
///
/// Factors of a convolution are as small as its channels. Those of a linear map, one draw per example, would be as large as
/// its activations: a part of a layer's rows is drawn at a time, forward and once more backward.
#[test]
fn a_rank1_network_takes_hardly_more_memory_than_the_deterministic_one_on_as_many_rows() {
    // Of 24 MB a few buffers of a part are noticed, depending on the steps in which pools grow: +0.1 and +10.7 % were seen.
    for (batch, bound) in [(128, 0.15), (1024, 0.1)] {
        Case {
            name: "784-512-512-10",
            set: "mnist",
            model: r#"kind = "mlp", hidden = [512, 512], activation = "relu""#,
            input: InputShape::Columns { width: 784 },
            batch,
            bound,
        }
        .check();
    }
    Case {
        name: "ResNet-20",
        set: "cifar10",
        model: r#"kind = "resnet", depth = 20, width = 16, norm = "shared""#,
        input: InputShape::Image { height: 32, width: 32, channels: 3 },
        batch: 4,
        bound: 0.1,
    }
    .check();
}
