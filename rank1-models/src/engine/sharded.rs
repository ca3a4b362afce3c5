//! One batch on several engines at once: each takes a part of the rows, gradients are added in the engines' order.
//!
//! Data parallelism within a machine, for the devices of `--device cuda:0,cuda:1`. Nothing is computed here and nothing is
//! exchanged between devices: parameters go out from the host and gradients come back to it, as with one.

use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{Array4, ArrayView2, Axis, Slice, concatenate};
use rayon::ThreadPool;

use super::{Batch, DrawKey, Engine, NllRequest};
use crate::error::Error;

/// Engines of the same network on different devices, one thread each.
///
/// Draws belong to examples, so that they do not depend on the number of engines; neither does the gradient, but for
/// rounding and but for batch normalization, which normalizes by the rows of each device. Its running statistics move by
/// the mean over devices, as data-parallel training elsewhere does without synchronized statistics.
pub struct ShardedEngine {
    shards: Vec<Mutex<Shard>>,
    /// A thread for each engine, always the same: a device keeps memory for every thread that it has seen.
    threads: Arc<ThreadPool>,
}

struct Shard {
    engine: Box<dyn Engine>,
    gradient: Vec<f32>,
}

impl std::fmt::Debug for ShardedEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardedEngine").field("engines", &self.shards.len()).finish_non_exhaustive()
    }
}

impl ShardedEngine {
    /// Several engines as one; engine `i` works on thread `i`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for no engine or fewer threads than engines.
    pub fn new(engines: Vec<Box<dyn Engine>>, threads: Arc<ThreadPool>) -> Result<Self, Error> {
        let count = engines.len();
        if count == 0 {
            return Err(Error::Mismatch { what: "number of engines", expected: 1, got: 0 });
        }
        if threads.current_num_threads() < count {
            let got = threads.current_num_threads();
            return Err(Error::Mismatch { what: "number of threads of engines", expected: count, got });
        }
        let shard = |engine| Mutex::new(Shard { engine, gradient: Vec::new() });
        Ok(Self { shards: engines.into_iter().map(shard).collect(), threads })
    }

    /// Runs `work` on the rows of every engine that gets some, with their numbers; results in the engines' order.
    fn on_all<R: Send>(
        &self,
        n_rows: usize,
        work: impl Fn(&mut Shard, Slice, usize) -> Result<R, Error> + Sync,
    ) -> Result<Vec<R>, Error> {
        let n_shards = self.shards.len().min(n_rows.max(1));
        // The first engines take one row more.
        let start = |index: usize| index * (n_rows / n_shards) + index.min(n_rows % n_shards);
        let results = self.threads.broadcast(|thread| {
            let index = thread.index();
            (index < n_shards).then(|| {
                // A panic in an earlier call has ended that call; buffers are filled anew in each.
                let mut shard = self.shards[index].lock().unwrap_or_else(PoisonError::into_inner);
                let (first, end) = (start(index), start(index + 1));
                work(&mut shard, Slice::from(first..end), first)
            })
        });
        results.into_iter().flatten().collect()
    }
}

impl Engine for ShardedEngine {
    fn nll(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        batch: Batch<'_, f32>,
        key: DrawKey,
        request: NllRequest,
    ) -> Result<f64, Error> {
        let n_rows = batch.n_examples()?;
        let parts = self.on_all(n_rows, |shard, rows, first| {
            let inputs = batch.inputs.slice_axis(Axis(0), rows);
            let chosen: Vec<usize> = (first..first + inputs.nrows()).collect();
            let targets = batch.targets.select(&chosen);
            let key = DrawKey { first_example: key.first_example + first as u32, ..key };
            shard.gradient.clear();
            shard.gradient.resize(parameters.len(), 0.0);
            let part = Batch { inputs, targets: &targets };
            let nll = shard.engine.nll(parameters, &mut shard.gradient, part, key, request)?;
            Ok((nll, inputs.nrows() as f64 / n_rows as f64))
        })?;
        let mut total = 0.0;
        for (shard, (nll, share)) in self.shards.iter_mut().zip(parts) {
            let shard = shard.get_mut().unwrap_or_else(PoisonError::into_inner);
            total += share * nll;
            for (sum, part) in gradient.iter_mut().zip(&shard.gradient) {
                *sum += share as f32 * part;
            }
        }
        Ok(total)
    }

    fn outputs(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        let parts = self.on_all(inputs.nrows(), |shard, rows, first| {
            let key = DrawKey { first_example: key.first_example + first as u32, ..key };
            shard.engine.outputs(parameters, inputs.slice_axis(Axis(0), rows), key, n_samples)
        })?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        Ok(concatenate(Axis(2), &views).expect("engines of one network give outputs of one shape"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::Array2;
    use rank1_core::likelihood::Likelihood;
    use rank1_core::objective::NllForm;
    use rank1_core::targets::Targets;

    use super::*;
    use crate::engine::analytic::AnalyticEngine;
    use crate::init::initialize;
    use crate::method::{Method, Rank1};
    use crate::network::{Activation, Network, NetworkShape};

    const KEY: DrawKey = DrawKey { seed: 5, step: 3, first_sample: 0, first_example: 0 };

    fn network() -> Network {
        let shape = NetworkShape::mlp(7, vec![11], 5, Activation::Relu, Likelihood::Categorical);
        Network::new(shape, &Method::Rank1(Rank1 { members: 3, ..Rank1::default() })).unwrap()
    }

    fn threads(count: usize) -> Arc<ThreadPool> {
        Arc::new(rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap())
    }

    fn engines(count: usize) -> ShardedEngine {
        let engine = || Box::new(AnalyticEngine::<f32>::new(network())) as Box<dyn Engine>;
        ShardedEngine::new((0..count).map(|_| engine()).collect(), threads(count)).unwrap()
    }

    fn rows(n: usize) -> (Array2<f32>, Targets) {
        let inputs = Array2::from_shape_fn((n, 7), |(i, j)| (0.7 * i as f32 + 1.3 * j as f32).sin());
        (inputs, Targets::Classes { labels: (0..n).map(|i| i % 5).collect(), n_classes: 5 })
    }

    #[test]
    fn loss_gradient_and_outputs_do_not_depend_on_the_number_of_engines() {
        let network = network();
        let parameters: Arc<[f32]> = initialize(&network, 1).unwrap().into();
        // More engines than rows, uneven parts, equal parts.
        for (n_rows, count) in [(2, 3), (13, 2), (13, 4), (12, 3)] {
            let (inputs, targets) = rows(n_rows);
            let batch = Batch { inputs: inputs.view(), targets: &targets };
            for form in [NllForm::AverageNll, NllForm::MixtureNll] {
                let request = NllRequest { n_samples: 2, form };
                // What is there already stays: engines add.
                let run = |engine: &mut dyn Engine| {
                    let mut gradient = vec![0.25; parameters.len()];
                    let nll = engine.nll(&parameters, &mut gradient, batch, KEY, request).unwrap();
                    (nll, gradient)
                };
                let (expected, slopes) = run(&mut AnalyticEngine::<f32>::new(network.clone()));
                let mut sharded = engines(count);
                for _ in 0..2 {
                    let (nll, gradient) = run(&mut sharded);
                    assert!((nll - expected).abs() < 1e-6, "{n_rows} rows on {count}: {nll} {expected}");
                    let worst = gradient.iter().zip(&slopes).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-6, "{n_rows} rows on {count}: {worst}");
                }
            }
            let one = AnalyticEngine::<f32>::new(network.clone()).outputs(&parameters, inputs.view(), KEY, 2);
            let several = engines(count).outputs(&parameters, inputs.view(), KEY, 2).unwrap();
            let worst = (&several - &one.unwrap()).iter().fold(0.0, |m: f32, d| m.max(d.abs()));
            assert!(worst < 1e-6, "{n_rows} rows on {count}: {worst}");
        }
    }

    #[test]
    fn no_engine_few_threads_and_missing_targets_are_refused() {
        assert!(ShardedEngine::new(Vec::new(), threads(1)).is_err());
        let two = || Box::new(AnalyticEngine::<f32>::new(network())) as Box<dyn Engine>;
        assert!(ShardedEngine::new(vec![two(), two()], threads(1)).is_err());
        let (inputs, _) = rows(4);
        let (_, targets) = rows(3);
        let parameters = initialize(&network(), 1).unwrap();
        let mut gradient = vec![0.0; parameters.len()];
        let request = NllRequest { n_samples: 1, form: NllForm::AverageNll };
        let batch = Batch { inputs: inputs.view(), targets: &targets };
        assert!(engines(2).nll(&parameters, &mut gradient, batch, KEY, request).is_err());
    }
}
