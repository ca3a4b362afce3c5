//! Batch normalization against sums over rows and positions in double precision.
#![allow(clippy::unwrap_used)]

use burn::tensor::TensorData;
use rank1_core::testkit::{central_differences, max_relative_error, normals};

use super::*;

const S: usize = 2;
const K: usize = 3;
const B: usize = 5;
const C: usize = 2;
const P: usize = 7;
const N: usize = S * K * B;

fn vector(n: usize, seed: u64) -> Vec<f64> {
    normals::<f64, _, _>(seed, n).iter().map(|v| 0.5 + 1.5 * v).collect()
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn close(got: &[f64], expected: &[f64], what: &str) {
    let error = max_relative_error(got, expected);
    assert!(error < 1e-5, "{what}: {error:e}");
}

/// Set of a row: 0 if shared, else its member.
fn set_of(row: usize, sets: usize) -> usize {
    if sets == 1 { 0 } else { row / B % K }
}

/// Mean and biased variance of every set and channel, `[G, C]` each, and how many values they have.
fn moments(x: &[f64], sets: usize) -> (Vec<f64>, Vec<f64>, usize) {
    let values = |g: usize, c: usize| -> Vec<f64> {
        let rows = (0..N).filter(|&row| set_of(row, sets) == g);
        rows.flat_map(|row| x[(row * C + c) * P..][..P].to_vec()).collect()
    };
    let (mut means, mut variances, mut n) = (Vec::new(), Vec::new(), 0);
    for (g, c) in (0..sets).flat_map(|g| (0..C).map(move |c| (g, c))) {
        let values = values(g, c);
        n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        means.push(mean);
        variances.push(values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64);
    }
    (means, variances, n)
}

fn normalized(x: &[f64], mean: &[f64], variance: &[f64], scale: &[f64], shift: &[f64]) -> Vec<f64> {
    let sets = mean.len() / C;
    let entry = |i: usize| {
        let at = set_of(i / (C * P), sets) * C + i / P % C;
        scale[at] * (x[i] - mean[at]) / (variance[at] + 1e-5).sqrt() + shift[at]
    };
    (0..x.len()).map(entry).collect()
}

fn layer(sets: usize, device: &Device) -> MemberBatchNorm {
    let config =
        if sets == 1 { MemberBatchNormConfig::shared(C) } else { MemberBatchNormConfig::per_member(C, sets) };
    let mut layer = config.init(device).unwrap();
    layer.scale = Param::from_tensor(tensor(&vector(sets * C, 7), [sets, C], device));
    layer.shift = Param::from_tensor(tensor(&vector(sets * C, 8), [sets, C], device));
    layer
}

#[test]
fn training_normalizes_by_the_batch_of_each_set_and_moves_its_averages() {
    let device = Device::flex();
    let x = vector(N * C * P, 1);
    for sets in [1, K] {
        let layer = layer(sets, &device);
        let image = tensor(&x, [N, C, 1, P], &device);
        let (mean, variance, n) = moments(&x, sets);
        let (scale, shift) = (host(layer.scale.val()), host(layer.shift.val()));
        let got = host(layer.forward(image.clone(), S, BatchNormMode::Training).unwrap());
        close(&got, &normalized(&x, &mean, &variance, &scale, &shift), "training");
        let correction = if sets == 1 { n as f64 / (n - 1) as f64 } else { 1.0 };
        let moved_mean: Vec<f64> = mean.iter().map(|m| 0.1 * m).collect();
        let moved_variance: Vec<f64> = variance.iter().map(|v| 0.9 + 0.1 * v * correction).collect();
        close(&host(layer.moving_mean.value_sync()), &moved_mean, "moving mean");
        close(&host(layer.moving_variance.value_sync()), &moved_variance, "moving variance");
        for _ in 0..2 {
            let got = host(layer.forward(image.clone(), S, BatchNormMode::Evaluation).unwrap());
            close(&got, &normalized(&x, &moved_mean, &moved_variance, &scale, &shift), "evaluation");
        }
    }
}

#[test]
fn gradients_count_how_the_statistics_depend_on_the_inputs() {
    let device = Device::flex().autodiff();
    let x = vector(N * C * P, 1);
    let cotangent = vector(N * C * P, 2);
    for sets in [1, K] {
        let layer = layer(sets, &device);
        let (scale, shift) = (host(layer.scale.val().inner()), host(layer.shift.val().inner()));
        let image = tensor(&x, [N, C, 1, P], &device).require_grad();
        let (y, _) = layer.with_batch_statistics(image.clone(), S).unwrap();
        let gradients = (y * tensor(&cotangent, [N, C, 1, P], &device)).sum().backward();
        let objective = |x: &[f64], scale: &[f64]| -> f64 {
            let (mean, variance, _) = moments(x, sets);
            let y = normalized(x, &mean, &variance, scale, &shift);
            y.iter().zip(&cotangent).map(|(y, c)| y * c).sum()
        };
        // A few coordinates of each set suffice; all of them would take a moments pass each.
        let some: Vec<usize> = (0..x.len()).step_by(31).collect();
        let start: Vec<f64> = some.iter().map(|&i| x[i]).collect();
        let at = |part: &[f64]| {
            let mut moved = x.clone();
            some.iter().zip(part).for_each(|(&i, &v)| moved[i] = v);
            objective(&moved, &scale)
        };
        let all = host(image.grad(&gradients).unwrap());
        let got: Vec<f64> = some.iter().map(|&i| all[i]).collect();
        close(&got, &central_differences(at, &start), "inputs");
        let got = host(layer.scale.val().grad(&gradients).unwrap());
        close(&got, &central_differences(|s| objective(&x, s), &scale), "scales");
    }
}

#[test]
fn moving_statistics_are_no_trained_parameters_and_misfits_are_refused() {
    let device = Device::flex().autodiff();
    let layer = layer(K, &device);
    let ones = |n: usize, c: usize| Tensor::<4>::ones([n, c, 1, P], &device);
    let (y, statistics) = layer.with_batch_statistics(ones(N, C), S).unwrap();
    let gradients = y.sum().backward();
    assert!(layer.moving_mean.value().grad(&gradients).is_none());
    assert_eq!(statistics.n, S * B * P);
    // Burn counts running states among the parameters, as Keras' totals do.
    assert_eq!(layer.num_params(), 4 * K * C);
    assert!(layer.with_batch_statistics(ones(N, C + 1), S).is_err());
    assert!(layer.with_batch_statistics(ones(N, C), 4).is_err());
    assert!(layer.with_moving_statistics(ones(0, C), 1).is_err());
    let single = MemberBatchNormConfig::shared(C).init(&device).unwrap();
    let (_, statistics) = single.with_batch_statistics(Tensor::ones([1, C, 1, 1], &device), 1).unwrap();
    assert!(matches!(
        single.move_statistics(&statistics),
        Err(Error::Core(rank1_core::Error::OutOfRange { argument: "statistics.n", value: 1.0, .. }))
    ));
    assert!(layer.move_statistics(&statistics).is_err());
    assert!(
        MemberBatchNormConfig { momentum: f64::NAN, ..MemberBatchNormConfig::shared(C) }
            .init(&device)
            .is_err()
    );
    assert!(
        MemberBatchNormConfig { epsilon: 0.0, ..MemberBatchNormConfig::shared(C) }.init(&device).is_err()
    );
}
