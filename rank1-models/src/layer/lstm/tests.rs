//! The LSTM against a loop over rows and units in double precision.
#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, TensorData};
use rank1_core::objective::MemberKl;
use rank1_core::testkit::{central_differences, max_relative_error, normals};
use rank1_priors::PriorSpec;

use super::*;
use crate::engine::DrawKey;
use crate::layer::{DrawRows, FactorConfig, LayerStreams, kl_of};
use crate::method::Granularity;

const T: usize = 5;
const K: usize = 3;
const B: usize = 2;
const D: usize = 3;
const U: usize = 2;

fn vector(n: usize, seed: u64) -> Vec<f64> {
    normals::<f64, _, _>(seed, n).to_vec()
}

fn tensor<const N: usize>(values: &[f64], shape: [usize; N], device: &Device) -> Tensor<N> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn host<const N: usize>(tensor: Tensor<N>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn close(got: &[f64], expected: &[f64], what: &str) {
    let error = max_relative_error(got, expected);
    assert!(error < 2e-5, "{what}: {error:e}");
}

fn rows(n_samples: usize) -> DrawRows {
    let key = DrawKey { seed: 3, step: 4, first_sample: 0, first_example: 0 };
    DrawRows { key, layer: 0, n_samples, n_members: K, n_examples: B }
}

/// Inputs, kernels, bias and the four factors of some rows; factors have a row per row, the bias one per member.
#[derive(Clone)]
struct Point {
    n: usize,
    /// xs, W, W', b, s, r, s', r'.
    parts: [Vec<f64>; 8],
    mask: Vec<f64>,
    perturbation: Perturbation,
}

impl Point {
    fn new(n: usize, perturbation: Perturbation) -> Self {
        let lengths = [T * n * D, D * 4 * U, U * 4 * U, K * 4 * U, n * D, n * 4 * U, n * U, n * 4 * U];
        let parts = std::array::from_fn(|i| vector(lengths[i], i as u64 + 1));
        Self { n, parts, mask: vec![1.0; T * n], perturbation }
    }

    /// Hidden states of all steps, `[T, n, U]`, then the last cells, `[n, U]`.
    fn by_loops(&self) -> Vec<f64> {
        let [xs, w, v, b, s, r, s2, r2] = &self.parts;
        let apply = |x: f64, f: f64| if self.perturbation == Perturbation::Additive { x + f } else { x * f };
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let (mut hidden, mut cell) = (vec![0.0; self.n * U], vec![0.0; self.n * U]);
        let mut out = Vec::new();
        for t in 0..T {
            let before = hidden.clone();
            for row in (0..self.n).filter(|&row| self.mask[t * self.n + row] == 1.0) {
                let member = row / B % K;
                let z = |column: usize| {
                    let x = |i: usize| apply(xs[(t * self.n + row) * D + i], s[row * D + i]);
                    let h = |i: usize| apply(before[row * U + i], s2[row * U + i]);
                    let input: f64 = (0..D).map(|i| x(i) * w[i * 4 * U + column]).sum();
                    let recurrent: f64 = (0..U).map(|i| h(i) * v[i * 4 * U + column]).sum();
                    let at = row * 4 * U + column;
                    apply(input, r[at]) + apply(recurrent, r2[at]) + b[member * 4 * U + column]
                };
                for u in 0..U {
                    let (i, f, g, o) = (z(u), z(U + u), z(2 * U + u), z(3 * U + u));
                    let c = &mut cell[row * U + u];
                    *c = sigmoid(f) * *c + sigmoid(i) * g.tanh();
                    hidden[row * U + u] = sigmoid(o) * c.tanh();
                }
            }
            out.extend_from_slice(&hidden);
        }
        out.extend(cell);
        out
    }

    fn layer(&self, device: &Device) -> Rank1Lstm {
        let config = Rank1LstmConfig { perturbation: self.perturbation, ..Rank1LstmConfig::new(D, U, K) };
        let mut layer = config.init(&mut LayerStreams::new(0, device)).unwrap();
        layer.weight = Param::from_tensor(tensor(&self.parts[1], [D, 4 * U], device));
        layer.recurrent_weight = Param::from_tensor(tensor(&self.parts[2], [U, 4 * U], device));
        layer.bias = Some(Param::from_tensor(tensor(&self.parts[3], [K, 4 * U], device)));
        layer
    }

    fn factors(&self, device: &Device) -> [Tensor<2>; 4] {
        let factor = |i: usize, width: usize| tensor(&self.parts[i], [self.n, width], device).require_grad();
        [factor(4, D), factor(5, 4 * U), factor(6, U), factor(7, 4 * U)]
    }
}

fn as_factors([input, output, recurrent_input, recurrent_output]: [Tensor<2>; 4]) -> LstmFactors {
    LstmFactors {
        input: Some(input),
        output: Some(output),
        recurrent_input: Some(recurrent_input),
        recurrent_output: Some(recurrent_output),
    }
}

/// Rows of different lengths: row n has T - n % T tokens.
fn ragged(n: usize) -> Vec<f64> {
    (0..T * n).map(|i| if i / n < T - i % n % T { 1.0 } else { 0.0 }).collect()
}

#[test]
fn a_sequence_equals_the_loop_over_rows_and_units_with_and_without_a_mask() {
    let device = Device::flex().autodiff();
    for samples in [1, 2] {
        for perturbation in [Perturbation::Multiplicative, Perturbation::Additive] {
            for masked in [false, true] {
                let n = samples * K * B;
                let mut point = Point::new(n, perturbation);
                if masked {
                    point.mask = ragged(n);
                }
                let layer = point.layer(&device);
                let xs = tensor(&point.parts[0], [T, n, D], &device);
                let mask = masked.then(|| tensor(&point.mask, [T, n], &device));
                let factors = as_factors(point.factors(&device));
                let state = layer.zero_state(n, &device);
                let out = layer.apply(xs.clone(), state.clone(), mask, &factors, samples).unwrap();
                let got = [host(out.hidden), host(out.state.cell)].concat();
                close(&got, &point.by_loops(), &format!("{samples} {perturbation:?} {masked}"));
                if !masked {
                    let mut state = state;
                    for t in 0..T {
                        let x = xs.clone().narrow(0, t, 1).reshape([n, D]);
                        state = layer.step(x, &state, &factors, samples).unwrap();
                    }
                    close(&host(state.hidden), &host(out.state.hidden), "step by step");
                }
            }
        }
    }
}

#[test]
fn gradients_equal_central_differences_in_double_precision() {
    let device = Device::flex().autodiff();
    for (perturbation, masked) in [(Perturbation::Multiplicative, true), (Perturbation::Additive, false)] {
        let n = K * B;
        let mut point = Point::new(n, perturbation);
        if masked {
            point.mask = ragged(n);
        }
        let cotangent = vector((T + 1) * n * U, 20);
        let layer = point.layer(&device);
        let xs = tensor(&point.parts[0], [T, n, D], &device).require_grad();
        let factors = point.factors(&device);
        let mask = masked.then(|| tensor(&point.mask, [T, n], &device));
        let state = layer.zero_state(n, &device);
        let out = layer.apply(xs.clone(), state, mask, &as_factors(factors.clone()), 1).unwrap();
        let (over_time, last) = cotangent.split_at(T * n * U);
        let objective = (out.hidden * tensor(over_time, [T, n, U], &device)).sum()
            + (out.state.cell * tensor(last, [n, U], &device)).sum();
        let gradients = objective.backward();
        let mut got = vec![
            host(xs.grad(&gradients).unwrap()),
            host(layer.weight.val().grad(&gradients).unwrap()),
            host(layer.recurrent_weight.val().grad(&gradients).unwrap()),
            host(layer.bias.as_ref().unwrap().val().grad(&gradients).unwrap()),
        ];
        got.extend(factors.iter().map(|f| host(f.grad(&gradients).unwrap())));
        for (index, got) in got.iter().enumerate() {
            let f = |part: &[f64]| -> f64 {
                let mut moved = point.clone();
                moved.parts[index] = part.to_vec();
                moved.by_loops().iter().zip(&cotangent).map(|(y, c)| y * c).sum()
            };
            close(got, &central_differences(f, &point.parts[index]), &format!("argument {index}"));
        }
    }
}

#[test]
fn four_factors_draw_different_noise_once_a_sequence() {
    let device = Device::flex();
    let per_batch = Some(FactorConfig { granularity: Granularity::PerBatch, ..FactorConfig::default() });
    let config = Rank1LstmConfig { recurrent_input_factor: per_batch, ..Rank1LstmConfig::new(4 * U, U, K) };
    let layer = config.init(&mut LayerStreams::new(0, &device)).unwrap();
    let noise = layer.noise(&rows(2)).unwrap();
    let [output, recurrent] = [&noise.output, &noise.recurrent_output].map(|n| host(n.clone().unwrap()));
    assert_ne!(output, recurrent);
    assert_ne!(host(noise.input.clone().unwrap()), output);
    assert_eq!(noise.recurrent_input.clone().unwrap().dims(), [2 * K, U]);
    let xs = Tensor::ones([T, 2 * K * B, 4 * U], &device);
    let out = layer.forward_with_noise(xs, None, &noise).unwrap();
    assert_eq!(out.hidden.dims(), [T, 2 * K * B, U]);
    let locations = [&layer.output_factor, &layer.recurrent_output_factor].map(|f| {
        let factor = f.as_ref().unwrap();
        assert!(factor.clip.is_none());
        host(factor.location.val())
    });
    assert_ne!(locations[0], locations[1], "equal widths must not start equal");
}

#[test]
fn a_new_layer_has_open_forget_gates_and_four_divergences() {
    let device = Device::flex();
    let layer = Rank1LstmConfig::new(D, U, K).init(&mut LayerStreams::new(0, &device)).unwrap();
    let bias = host(layer.bias.as_ref().unwrap().val());
    assert_eq!(bias, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0].repeat(K));
    let widths = D + 4 * U + U + 4 * U;
    assert_eq!(layer.num_params(), D * 4 * U + U * 4 * U + K * 4 * U + 2 * K * widths);
    let prior = PriorSpec::Normal { mean: 1.0, std: 0.1 };
    let sum: f32 = layer
        .factors()
        .iter()
        .map(|f| f.as_ref().unwrap().kl(prior, None).unwrap().into_scalar::<f32>())
        .sum();
    let kl =
        kl_of(&[&layer], prior, MemberKl::Sum, 1, &Pass::training(3, 4, K)).unwrap().into_scalar::<f32>();
    assert!((kl / sum - 1.0).abs() < 1e-5 && sum > 0.0);
}

#[test]
fn misfits_are_refused() {
    let device = Device::flex();
    let layer = Rank1LstmConfig::new(D, U, K).init(&mut LayerStreams::new(0, &device)).unwrap();
    let noise = layer.noise(&rows(1)).unwrap();
    let n = K * B;
    let xs = |t: usize, n: usize, d: usize| Tensor::<3>::ones([t, n, d], &device);
    assert!(layer.forward_with_noise(xs(T, n, D), None, &noise).is_ok());
    assert!(layer.forward_with_noise(xs(0, n, D), None, &noise).is_err());
    assert!(layer.forward_with_noise(xs(T, n, D + 1), None, &noise).is_err());
    assert!(layer.forward_with_noise(xs(T, n + 1, D), None, &noise).is_err());
    assert!(layer.forward_with_noise(xs(T, n, D), Some(Tensor::ones([T, n + 1], &device)), &noise).is_err());
    assert!(
        layer
            .forward_with_noise(xs(T, n, D), None, &LstmNoise { recurrent_output: None, ..noise.clone() })
            .is_err()
    );
    let wrong = layer.zero_state(n + 1, &device);
    let factors = layer.draw(&noise).unwrap();
    assert!(layer.apply(xs(T, n, D), wrong, None, &factors, 1).is_err());
    assert!(layer.noise(&DrawRows { n_members: K + 1, ..rows(1) }).is_err());
}
