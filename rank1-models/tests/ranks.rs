//! Ranks that are threads train what one process trains: losses of every network, dealt networks and trials to the bit, resumed
//! runs, and streams of which each rank reads its own rows.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ndarray::{Array2, Axis};
use rank1_core::likelihood::Likelihood;
use rank1_core::targets::Targets;
use rank1_models::Error;
use rank1_models::device::Compute;
use rank1_models::fit::{FitOptions, Fitted, Progress, TrainingData, TrainingInputs, fit, fit_until};
use rank1_models::inputs::{Batches, InputStream, Purpose};
use rank1_models::network::{Activation, Body, InputShape, NetworkShape, NormSharing};
use rank1_models::ranks::on_threads;
use rank1_models::recipe::{CheckedRecipe, Override, parse};

/// Batches that no number of ranks divides, the last of two rows: fewer than three ranks.
const ROWS: usize = 23;
const TRAIN: &str = "[train]\nsteps = 50\nbatch_size = 7\ncheckpoint_every = { steps = 1 }\n\
                     optimizer = { kind = \"sgd\", learning_rate = 0.01, momentum = 0.9 }\n";

fn recipe(model: &str, sets: &[&str]) -> CheckedRecipe {
    let text = format!(
        "name = \"t\"\nseed = 2\ndata = {{ set = \"made\", validation = 0.2 }}\nmodel = {{ {model} }}\n\
         method = {{ kind = \"rank1\", members = 2 }}\npredict = {{ samples = 2 }}\n{TRAIN}"
    );
    let sets: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
    parse(&text, &sets).unwrap()
}

fn perceptron() -> NetworkShape {
    NetworkShape::mlp(5, vec![6], 2, Activation::Relu, Likelihood::Categorical)
}

const PERCEPTRON: &str = "kind = \"mlp\", hidden = [6]";

fn shape(input: InputShape, body: Body) -> NetworkShape {
    NetworkShape { input, body, outputs: 2, likelihood: Likelihood::Categorical }
}

fn inputs(width: usize) -> Array2<f32> {
    Array2::from_shape_fn((ROWS, width), |(i, j)| (0.7 * i as f32 + 1.3 * j as f32 + (i * j) as f32).sin())
}

fn data(inputs: impl Into<TrainingInputs>) -> TrainingData {
    let labels = (0..ROWS).map(|i| i * i % 3 % 2).collect();
    let targets = Targets::Classes { labels, n_classes: 2 };
    TrainingData { inputs: inputs.into(), targets, validation: vec![3, 8, 20], augmentation: None }
}

/// One process, or what every rank got.
fn fitted(recipe: &CheckedRecipe, shape: &NetworkShape, data: &TrainingData, size: usize) -> Vec<Fitted> {
    let run = |compute: &Compute| {
        let options = FitOptions { threads: 1, compute, checkpoint: None, progress: &|_| {} };
        fit(recipe, shape, data, options)
    };
    if size == 0 {
        return vec![run(&Compute::default()).unwrap()];
    }
    let all = on_threads(size, |ranks| run(&Compute::default().with_ranks(Some(ranks))));
    all.into_iter().map(Result::unwrap).collect()
}

fn parameters(fitted: &Fitted) -> Vec<Vec<f32>> {
    fitted.networks.iter().map(|network| network.parameters.to_vec()).collect()
}

fn losses(fitted: &Fitted) -> Vec<f64> {
    fitted
        .histories
        .iter()
        .flatten()
        .flat_map(|record| [Some(record.train_nll), record.valid_nll])
        .flatten()
        .collect()
}

#[track_caller]
fn agrees(model: &str, shape: &NetworkShape, sets: &[&str]) {
    let (recipe, data) = (recipe(model, sets), data(inputs(shape.inputs())));
    let alone = losses(&fitted(&recipe, shape, &data, 0)[0]);
    assert!(alone.len() >= 50 && alone[49] != alone[0]);
    for size in [1, 2, 3] {
        let ranks = fitted(&recipe, shape, &data, size);
        for other in &ranks[1..] {
            assert_eq!(parameters(other), parameters(&ranks[0]));
        }
        let found = losses(&ranks[0]);
        assert_eq!(found.len(), alone.len());
        let worst = found.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-5, "{size} ranks: {worst}");
    }
}

#[test]
fn a_perceptron_has_the_losses_of_one_process() {
    agrees(PERCEPTRON, &perceptron(), &["train.early_stopping={ patience = 100, every = { steps = 5 } }"]);
    let flipout = "method={ kind = \"mean_field\", estimator = \"flipout\" }";
    agrees(PERCEPTRON, &perceptron(), &["train.samples=3", "train.objective=\"mixture_nll\""]);
    agrees(PERCEPTRON, &perceptron(), &[flipout]);
    agrees(PERCEPTRON, &perceptron(), &["method={ kind = \"mc_dropout\", rate = 0.3 }"]);
    // The draws of a batch are its own, whichever rows a rank has of it.
    let per_batch = "method={ kind = \"rank1\", members = 2, granularity = \"per_batch\" }";
    agrees(PERCEPTRON, &perceptron(), &[per_batch]);
}

#[test]
fn scales_that_are_trained_last_are_those_of_one_process() {
    let stopping = "train.early_stopping={ patience = 100, every = { steps = 5 } }";
    agrees(PERCEPTRON, &perceptron(), &[stopping, "train.scales_after={ steps = 9 }"]);
}

#[test]
fn normalizations_take_the_statistics_of_all_ranks() {
    let image = InputShape::Image { height: 8, width: 8, channels: 1 };
    for (norm, name) in [(NormSharing::Shared, "shared"), (NormSharing::PerMember, "per_member")] {
        let body = Body::ResNet { depth: 8, width: 2, norm };
        agrees(
            &format!("kind = \"resnet\", depth = 8, width = 2, norm = \"{name}\""),
            &shape(image, body),
            &[],
        );
    }
}

#[test]
fn statistics_of_each_rank_alone_make_another_network() {
    let image = InputShape::Image { height: 8, width: 8, channels: 1 };
    let shape = shape(image, Body::ResNet { depth: 8, width: 2, norm: NormSharing::Shared });
    let model = "kind = \"resnet\", depth = 8, width = 2";
    let data = data(inputs(64));
    let run = |value: &str, size| {
        let set = format!("train.batch_statistics=\"{value}\"");
        parameters(&fitted(&recipe(model, &[set.as_str(), "train.steps=4"]), &shape, &data, size)[0])
    };
    assert_eq!(run("per_rank", 0), run("all_ranks", 0));
    assert_ne!(run("per_rank", 2), run("all_ranks", 2));
    assert_eq!(run("per_rank", 2), run("per_rank", 2));
}

#[test]
fn a_recurrent_network_has_the_losses_of_one_process() {
    let input = InputShape::Sequence { steps: 3, features: 2, context: 2, ragged: false };
    let body = Body::Lstm { units: 4, embedding: 0, hidden: vec![3], activation: Activation::Relu6 };
    agrees("kind = \"lstm\", units = 4, hidden = [3]", &shape(input, body), &[]);
}

#[test]
fn whole_networks_and_trials_are_dealt_and_are_those_of_one_process() {
    let ensemble = "method={ kind = \"ensemble\", networks = 4, of = { kind = \"rank1\", members = 2 } }";
    let (shape, data) = (perceptron(), data(inputs(5)));
    let recipe_of_four = recipe(PERCEPTRON, &[ensemble]);
    let alone = parameters(&fitted(&recipe_of_four, &shape, &data, 0)[0]);
    for found in fitted(&recipe_of_four, &shape, &data, 3) {
        let found = parameters(&found);
        // The fourth is shared by all.
        assert_eq!(found[..3], alone[..3]);
        assert_ne!(found[3], alone[3]);
        assert!(found[3].iter().zip(&alone[3]).all(|(a, b)| (a - b).abs() < 1e-4));
    }
    let searching =
        format!("{}[search]\n\"train.l2\" = [0.0, 0.01, 0.1]\n", recipe(PERCEPTRON, &[]).to_toml());
    let searching = parse(&searching, &[]).unwrap();
    let alone = fitted(&searching, &shape, &data, 0).remove(0);
    for found in fitted(&searching, &shape, &data, 2) {
        assert_eq!((&found.trials, &found.chosen), (&alone.trials, &alone.chosen));
    }
}

#[test]
fn a_run_that_stops_on_all_ranks_goes_on_to_the_same_bytes() {
    let (shape, data, recipe) =
        (perceptron(), data(inputs(5)), recipe(PERCEPTRON, &["train.checkpoint_every={ steps = 4 }"]));
    let whole = parameters(&fitted(&recipe, &shape, &data, 2)[0]);
    let folder = tempfile::tempdir().unwrap();
    let run = |stop_after: usize| {
        on_threads(2, |ranks| {
            // One rank alone is asked to stop.
            let stop = AtomicBool::new(false);
            let asked = AtomicUsize::new(0);
            let is_asked = ranks.rank() == 1;
            let progress = |_: Progress<'_>| {
                let events = asked.fetch_add(1, Ordering::Relaxed);
                stop.fetch_or(is_asked && events >= stop_after, Ordering::Relaxed);
            };
            let compute = Compute::default().with_ranks(Some(ranks));
            let options = FitOptions {
                threads: 1,
                compute: &compute,
                checkpoint: Some(folder.path()),
                progress: &progress,
            };
            fit_until(&recipe, &shape, &data, options, &stop)
        })
    };
    assert!(run(3).iter().all(|result| matches!(result, Err(Error::Interrupted))));
    for found in run(usize::MAX) {
        assert_eq!(parameters(&found.unwrap()), whole);
    }
}

#[test]
fn other_rows_on_a_rank_are_refused_by_all() {
    let (shape, recipe) = (perceptron(), recipe(PERCEPTRON, &[]));
    let found = on_threads(2, |ranks| {
        let rows = inputs(5) + ranks.rank() as f32;
        let data = data(rows);
        let compute = Compute::default().with_ranks(Some(ranks));
        let options = FitOptions { threads: 1, compute: &compute, checkpoint: None, progress: &|_| {} };
        fit(&recipe, &shape, &data, options)
    });
    for result in found {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("rank 1 has another recipe, program or training rows than rank 0"), "{error}");
    }
}

/// Serves rows of memory and notes which were asked for in training.
#[derive(Debug)]
struct Noted {
    rows: Array2<f32>,
    read: Mutex<Vec<usize>>,
}

impl InputStream for Noted {
    fn n_rows(&self) -> usize {
        ROWS
    }
    fn width(&self) -> usize {
        self.rows.ncols()
    }
    fn rows_at_once(&self) -> usize {
        100
    }
    fn batches(&self, order: Vec<usize>, size: usize, purpose: Purpose) -> Result<Batches<'_>, Error> {
        assert!(!order.is_empty(), "streams are not asked for nothing");
        if matches!(purpose, Purpose::Training { .. }) {
            self.read.lock().unwrap().extend(&order);
        }
        let batches: Vec<_> = order.chunks(size).map(|rows| Ok(self.rows.select(Axis(0), rows))).collect();
        Ok(Box::new(batches.into_iter()))
    }
}

#[test]
fn a_rank_that_has_no_row_of_any_batch_takes_part() {
    let (shape, recipe) = (perceptron(), recipe(PERCEPTRON, &["train.batch_size=2", "train.steps=5"]));
    let alone = losses(&fitted(&recipe, &shape, &data(inputs(5)), 0)[0]);
    let found = on_threads(3, |ranks| {
        let stream = Arc::new(Noted { rows: inputs(5), read: Mutex::default() });
        let compute = Compute::default().with_ranks(Some(ranks));
        let options = FitOptions { threads: 1, compute: &compute, checkpoint: None, progress: &|_| {} };
        fit(&recipe, &shape, &data(TrainingInputs::Streamed(stream)), options)
    });
    for found in found {
        let found = losses(&found.unwrap());
        assert!(found.len() == 5 && found.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
    }
}

#[test]
fn of_a_stream_each_rank_reads_its_own_rows() {
    let (shape, recipe) = (perceptron(), recipe(PERCEPTRON, &["train.steps=4"]));
    let stored = parameters(&fitted(&recipe, &shape, &data(inputs(5)), 3)[0]);
    let found = on_threads(3, |ranks| {
        let stream = Arc::new(Noted { rows: inputs(5), read: Mutex::default() });
        let data = data(TrainingInputs::Streamed(stream.clone()));
        let compute = Compute::default().with_ranks(Some(ranks));
        let options = FitOptions { threads: 1, compute: &compute, checkpoint: None, progress: &|_| {} };
        let fitted = fit(&recipe, &shape, &data, options)?;
        Ok((parameters(&fitted), stream.read.lock().unwrap().clone()))
    });
    let mut all = Vec::new();
    for found in found {
        let (found, read) = found.unwrap();
        assert_eq!(found, stored);
        assert!(read.len() < ROWS / 2, "{read:?}");
        all.extend(read);
    }
    all.sort_unstable();
    // A pass over all rows is four steps.
    assert_eq!(all, (0..ROWS).collect::<Vec<_>>());
}
