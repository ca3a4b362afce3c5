//! Rows of a stream train and predict to the bits of rows in memory, resume to them, and stop with the stream's error.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndarray::{Array2, Axis};
use rank1_core::likelihood::Likelihood;
use rank1_core::noise::{At, NoiseStream};
use rank1_core::targets::Targets;
use rank1_models::Error;
use rank1_models::device::Compute;
use rank1_models::fit::{FitOptions, Fitted, Progress, TrainingData, TrainingInputs, fit};
use rank1_models::inputs::{Batches, InputStream, Inputs, Purpose};
use rank1_models::network::{Activation, Network, NetworkShape};
use rank1_models::predict::{Predictive, predict};
use rank1_models::recipe::{CheckedRecipe, Override, parse};
use rank1_models::train::{Augmentation, Observer, Rows, Silent, TrainState, TrainingSets, train};

const ROWS: usize = 37;

const RECIPE: &str = r#"
name = "test/streamed"
data = { set = "lines", validation = 0.2 }
model = { kind = "mlp", hidden = [7], activation = "tanh" }
method = { kind = "rank1", members = 3 }
predict = { samples = 5, chunk_rows = 100 }
[train]
epochs = 4
batch_size = 8
optimizer = { kind = "adam", learning_rate = 0.02 }
"#;

fn recipe(sets: &[&str]) -> CheckedRecipe {
    let sets: Vec<Override> = sets.iter().map(|s| s.parse().unwrap()).collect();
    parse(RECIPE, &sets).unwrap()
}

fn shape() -> NetworkShape {
    NetworkShape::mlp(2, vec![7], 3, Activation::Tanh, Likelihood::Categorical)
}

fn rows() -> (Array2<f32>, Targets) {
    let mut values = vec![0.0; 2 * ROWS];
    NoiseStream::new(3, 0, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut values);
    let inputs = Array2::from_shape_vec((ROWS, 2), values).unwrap();
    let class = |row: ndarray::ArrayView1<f32>| usize::from(row[0] > 0.0) + usize::from(row[1] > 0.5);
    let labels = inputs.map_axis(Axis(1), class);
    (inputs, Targets::Classes { labels, n_classes: 3 })
}

/// Moves the first number of a row by its seed, epoch and index.
fn moved(row: &mut [f32], seed: u64, epoch: usize, index: usize) {
    row[0] += ((seed % 7) as f32 + epoch as f32 * 0.1 - index as f32 * 0.01).sin() * 0.1;
}

#[derive(Debug)]
struct Moving;

impl Augmentation for Moving {
    fn apply(&self, row: &mut [f32], seed: u64, epoch: usize, index: usize) {
        moved(row, seed, epoch, index);
    }
}

/// Rows of memory as a stream, moved in training or not, with an error in an epoch.
#[derive(Debug)]
struct Streaming {
    rows: Array2<f32>,
    moving: bool,
    broken_epoch: usize,
    at_once: usize,
    /// Time that a batch takes to read.
    delay: Duration,
}

fn streaming(moving: bool) -> Streaming {
    Streaming { rows: rows().0, moving, broken_epoch: usize::MAX, at_once: 1_000, delay: Duration::ZERO }
}

impl InputStream for Streaming {
    fn n_rows(&self) -> usize {
        ROWS
    }
    fn width(&self) -> usize {
        2
    }
    fn rows_at_once(&self) -> usize {
        self.at_once
    }
    fn batches(&self, order: Vec<usize>, size: usize, purpose: Purpose) -> Result<Batches<'_>, Error> {
        let batch = move |(number, chosen): (usize, Vec<usize>)| {
            std::thread::sleep(self.delay);
            let mut batch = self.rows.select(Axis(0), &chosen);
            if let Purpose::Training { seed, epoch } = purpose {
                if epoch == self.broken_epoch && number == 2 {
                    return Err(Error::Stream("photo 7 cannot be read".into()));
                }
                for (mut row, &index) in batch.rows_mut().into_iter().zip(&chosen) {
                    if let (true, Some(row)) = (self.moving, row.as_slice_mut()) {
                        moved(row, seed, epoch, index);
                    }
                }
            }
            Ok(batch)
        };
        let batches: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
        Ok(Box::new(batches.into_iter().enumerate().map(batch)))
    }
}

fn fitted(recipe: &CheckedRecipe, inputs: TrainingInputs, moving: bool) -> Result<Fitted, Error> {
    let augmentation: Option<Arc<dyn Augmentation>> = if moving { Some(Arc::new(Moving)) } else { None };
    let validation = if moving { Vec::new() } else { (0..ROWS).step_by(5).collect() };
    let data = TrainingData { inputs, targets: rows().1, validation, augmentation };
    fit(
        recipe,
        &shape(),
        &data,
        FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &|_| {} },
    )
}

fn same(recipe: &CheckedRecipe, moving: bool) {
    let stored = fitted(recipe, rows().0.into(), moving).unwrap();
    let streamed = fitted(recipe, TrainingInputs::Streamed(Arc::new(streaming(moving))), moving).unwrap();
    assert_eq!(stored.networks, streamed.networks);
    assert_eq!(stored.histories, streamed.histories);
    assert_eq!(stored.trials, streamed.trials);
}

#[test]
fn a_stream_trains_to_the_bits_of_rows_in_memory() {
    same(&recipe(&["data.validation=0.0"]), true);
    same(&recipe(&["train.early_stopping={ patience = 2 }"]), false);
    same(&recipe(&["search={ \"train.l2\" = [0.0, 0.1] }"]), false);
}

/// Remembers the states after every epoch.
#[derive(Default)]
struct Keeper(Vec<TrainState>);

impl Observer for Keeper {
    fn event(&mut self, state: &TrainState, _: bool) -> Result<(), Error> {
        self.0.push(state.clone());
        Ok(())
    }
}

#[test]
fn a_streamed_run_resumes_to_the_same_bits_and_stops_where_the_stream_does() {
    let recipe = recipe(&["data.validation=0.0"]);
    let network = Network::new(shape(), &recipe.get().method).unwrap();
    let (_, targets) = rows();
    let run = |stream: &Streaming, start: TrainState, observer: &mut dyn Observer| {
        let inputs = Inputs::from(stream as &dyn InputStream);
        let sets =
            TrainingSets { train: Rows { inputs, targets: &targets }, validation: None, augmentation: None };
        train(&network, recipe.get(), &Compute::default(), sets, start, observer)
    };
    let start = TrainState::start(&network, recipe.get(), 9).unwrap();
    let mut keeper = Keeper::default();
    let whole = run(&streaming(true), start.clone(), &mut keeper).unwrap();
    for state in keeper.0.iter().take(3) {
        assert_eq!(run(&streaming(true), state.clone(), &mut Silent).unwrap(), whole);
    }
    let mut kept = Keeper::default();
    let broken = Streaming { broken_epoch: 2, ..streaming(true) };
    let error = run(&broken, start, &mut kept).unwrap_err();
    assert_eq!(error.to_string(), "photo 7 cannot be read");
    assert!(!error.is_divergence());
    // Two epochs of five steps are done, and the batch with the photo is one of the third.
    assert!((10..15).contains(&kept.0.last().unwrap().step()));
    assert!(keeper.0.starts_with(&kept.0), "what was reported before the error is what it was without one");
}

#[test]
fn predictions_of_a_stream_are_those_of_memory_in_any_chunks() {
    let recipe = recipe(&[]);
    let trained = fitted(&recipe, rows().0.into(), false).unwrap().networks;
    let predicted = |inputs: Inputs<'_>, chunk| -> Predictive {
        let mut engines: Vec<_> = trained
            .iter()
            .map(|n| Compute::default().engine(recipe.get().train.engine, &n.network))
            .collect();
        predict(&trained, &mut engines, inputs, 5, chunk).unwrap()
    };
    let stored = rows().0;
    let expected = predicted(stored.view().into(), 8192);
    for (at_once, chunk) in [(1_000, 8192), (1, 8192), (11, 8192), (1_000, 10)] {
        let stream = Streaming { at_once, ..streaming(true) };
        assert_eq!(
            predicted(Inputs::from(&stream as &dyn InputStream), chunk),
            expected,
            "{at_once}, {chunk}"
        );
    }
}

#[test]
fn a_stream_of_another_width_is_refused_before_the_first_step() {
    let recipe = recipe(&[]);
    let stream = Streaming { rows: Array2::zeros((ROWS, 2)), ..streaming(false) };
    let data = TrainingData {
        inputs: TrainingInputs::Streamed(Arc::new(stream)),
        targets: rows().1,
        validation: Vec::new(),
        augmentation: None,
    };
    let wide = NetworkShape::mlp(3, vec![7], 3, Activation::Tanh, Likelihood::Categorical);
    let options =
        FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &|_| {} };
    let error = fit(&recipe, &wide, &data, options).unwrap_err();
    assert_eq!(error.to_string(), "number of input columns: expected 3, got 2");
}

#[test]
fn steps_are_reported_within_an_epoch() {
    let told = Mutex::new(Vec::new());
    let progress = |p: Progress<'_>| {
        if let Progress::Steps { network, progress, .. } = p {
            told.lock().unwrap().push((network, progress.step, progress.of));
        }
    };
    // Reports come every tenth of a second at most: the ten steps take three.
    let slow = Streaming { delay: Duration::from_millis(30), ..streaming(false) };
    let data = TrainingData {
        inputs: TrainingInputs::Streamed(Arc::new(slow)),
        targets: rows().1,
        validation: Vec::new(),
        augmentation: None,
    };
    let short = recipe(&["train.epochs=2", "data.validation=0.0"]);
    fit(
        &short,
        &shape(),
        &data,
        FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &progress },
    )
    .unwrap();
    let told = told.into_inner().unwrap();
    assert!((1..=5).contains(&told.len()), "{told:?}");
    assert!(told.iter().all(|&(network, step, of)| (network, of) == (0, 10) && step <= of), "{told:?}");
    assert_eq!(told.last().map(|last| last.1), Some(10), "the last step is always told");
}
