//! Order, bound, errors and shutdown of the prefetching loader.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

const OPTIONS: PrefetchOptions =
    PrefetchOptions { batch_size: 3, n_values: 2, memory_bytes: 24 * 4, workers: 2, seed: 5, epoch: 1 };

/// Slow for even indices, so that batches finish out of order.
fn source(index: usize, key: u64) -> Result<Vec<f32>, Error> {
    if index.is_multiple_of(2) {
        thread::sleep(Duration::from_micros(300));
    }
    Ok(vec![index as f32, (key >> 40) as f32])
}

fn order() -> Vec<usize> {
    (0..23).map(|i| i * 7 % 23).collect()
}

#[test]
fn batches_are_the_same_for_any_number_of_workers_and_any_bound() {
    let batches = |workers, memory_bytes| -> Vec<Batch> {
        let options = PrefetchOptions { workers, memory_bytes, ..OPTIONS };
        Prefetch::new(source, order(), options).unwrap().map(Result::unwrap).collect()
    };
    let expected = batches(1, 24);
    assert_eq!(expected.iter().flat_map(|batch| batch.indices.clone()).collect::<Vec<usize>>(), order());
    assert_eq!((expected.len(), expected[7].inputs.dim()), (8, (2, 2)));
    let key = (example_key(5, 1, 7) >> 40) as f32;
    assert_eq!(expected[0].inputs.row(1).to_vec(), [7.0, key]);
    for workers in [2, 3, 7] {
        for memory_bytes in [24, 71, 1 << 20] {
            assert_eq!(batches(workers, memory_bytes), expected, "{workers} workers, {memory_bytes} bytes");
        }
    }
}

#[test]
fn no_more_batches_are_prepared_than_the_bound_has_room_for() {
    let started = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&started);
    let counting = move |index, key| {
        counter.fetch_add(1, Ordering::SeqCst);
        source(index, key)
    };
    // Room for two batches of three.
    let options = PrefetchOptions { workers: 5, memory_bytes: 24 * 3 - 1, ..OPTIONS };
    let mut loader = Prefetch::new(counting, order(), options).unwrap();
    for taken in 0..loader.n_batches() {
        thread::sleep(Duration::from_millis(8));
        let begun = started.load(Ordering::SeqCst);
        assert!(begun <= (taken + 2) * 3, "{begun} examples begun when {taken} batches were taken");
        loader.next().unwrap().unwrap();
    }
    assert!(loader.next().is_none());
}

#[test]
fn an_error_or_panic_takes_the_place_of_its_batch() {
    let failing = |index, key| match index {
        4 => Err(Error::NoRows { op: "test" }),
        10 => Ok(vec![0.0; 3]),
        13 => panic!("a panic that the test asks for"),
        _ => source(index, key),
    };
    for workers in [1, 4] {
        let options = PrefetchOptions { workers, ..OPTIONS };
        let got: Vec<_> = Prefetch::new(failing, (0..15).collect(), options).unwrap().collect();
        assert_eq!(got.len(), 5);
        assert!(got[0].is_ok() && got[2].is_ok());
        assert!(matches!(got[1], Err(Error::NoRows { .. })));
        assert!(matches!(got[3], Err(Error::Image(ImageError::Length { expected: 2, got: 3, .. }))));
        assert!(matches!(got[4], Err(Error::Image(ImageError::WorkerPanicked { batch: 4 }))));
    }
}

#[test]
fn dropping_the_loader_ends_its_workers() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let holding = move |index, key| {
        let _held = &held;
        source(index, key)
    };
    let mut loader = Prefetch::new(holding, (0..100_000).collect(), OPTIONS).unwrap();
    loader.next().unwrap().unwrap();
    drop(loader);
    assert_eq!(Arc::strong_count(&alive), 1, "a worker still holds the source");
}

#[test]
fn impossible_settings_are_refused() {
    let refusal = |order: Vec<usize>, options| match Prefetch::new(source, order, options) {
        Err(Error::Image(ImageError::Setting { argument, .. })) => argument,
        other => panic!("expected a refusal, got {other:?}"),
    };
    assert_eq!(refusal(vec![], OPTIONS), "order");
    assert_eq!(refusal(order(), PrefetchOptions { batch_size: 0, ..OPTIONS }), "batch_size");
    assert_eq!(refusal(order(), PrefetchOptions { n_values: 0, ..OPTIONS }), "n_values");
    assert_eq!(refusal(order(), PrefetchOptions { workers: 0, ..OPTIONS }), "workers");
    assert_eq!(refusal(order(), PrefetchOptions { memory_bytes: 23, ..OPTIONS }), "memory_bytes");
}
