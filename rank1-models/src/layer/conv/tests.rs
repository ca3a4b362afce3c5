//! The convolution against a loop over rows, taps and channels in double precision.
#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, TensorData};
use rank1_core::conv::{Padding, Pads};
use rank1_core::testkit::{central_differences, max_relative_error, normals};
use rank1_priors::PosteriorFamily;

use super::*;
use crate::engine::DrawKey;
use crate::method::Granularity;

const K: usize = 3;
const B: usize = 5;
const C_IN: usize = 3;
const C_OUT: usize = 2;
const SIZE: [usize; 2] = [7, 11];

fn vector(n: usize, seed: u64) -> Vec<f64> {
    normals::<f64, _, _>(seed, n).to_vec()
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn close(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let error = max_relative_error(got, expected);
    assert!(error < tolerance, "{what}: {error:e}");
}

/// One image: `x` `[C_IN, H, W]`, factors one entry per channel; returns `[C_OUT, H', W']`.
fn by_loops(
    geometry: &ConvGeometry,
    [height, width]: [usize; 2],
    x: &[f64],
    weight: &[f64],
    s: &[f64],
    r: &[f64],
    bias: &[f64],
    perturbation: Perturbation,
) -> Vec<f64> {
    let Pads { top, bottom, left, right } = geometry.shape([height, width], s.len(), r.len()).unwrap().pads();
    let ([kh, kw], [sh, sw], [dh, dw]) = (geometry.kernel, geometry.stride, geometry.dilation);
    let out_h = (height + top + bottom - dh * (kh - 1) - 1) / sh + 1;
    let out_w = (width + left + right - dw * (kw - 1) - 1) / sw + 1;
    let apply = |v: f64, f: f64| if perturbation == Perturbation::Additive { v + f } else { v * f };
    let mut out = Vec::new();
    for o in 0..r.len() {
        for (i, j) in (0..out_h).flat_map(|i| (0..out_w).map(move |j| (i, j))) {
            let mut sum = 0.0;
            for (a, b, c) in
                (0..kh).flat_map(|a| (0..kw).flat_map(move |b| (0..s.len()).map(move |c| (a, b, c))))
            {
                let (row, column) = (i * sh + a * dh, j * sw + b * dw);
                let inside = (top..top + height).contains(&row) && (left..left + width).contains(&column);
                if inside {
                    let value = x[(c * height + row - top) * width + column - left];
                    sum += apply(value, s[c]) * weight[((a * kw + b) * s.len() + c) * r.len() + o];
                }
            }
            out.push(apply(sum, r[o]) + bias[o]);
        }
    }
    out
}

fn geometries() -> Vec<ConvGeometry> {
    let explicit = Padding::Explicit { top: 2, bottom: 0, left: 1, right: 3 };
    vec![
        ConvGeometry::same([3, 3]),
        ConvGeometry::same([1, 1]).with_stride(2),
        ConvGeometry { padding: Padding::Valid, ..ConvGeometry::same([3, 2]) },
        ConvGeometry { stride: [2, 3], dilation: [2, 1], ..ConvGeometry::same([2, 5]) },
        ConvGeometry { padding: explicit, dilation: [1, 2], ..ConvGeometry::same([3, 3]).with_stride(3) },
    ]
}

fn layer(geometry: ConvGeometry, perturbation: Perturbation, device: &Device) -> Rank1Conv2d {
    let new = Rank1Conv2dConfig::new(C_IN, C_OUT, geometry.kernel, K);
    let mut layer =
        Rank1Conv2dConfig { geometry, perturbation, ..new }.init(&mut LayerStreams::new(4, device)).unwrap();
    layer.bias = Some(Param::from_tensor(tensor(&vector(K * C_OUT, 9), [K, C_OUT], device)));
    layer
}

fn rows(n_samples: usize, n_members: usize) -> DrawRows {
    let key = DrawKey { seed: 3, step: 4, first_sample: 0, first_example: 0 };
    DrawRows { key, layer: 0, n_samples, n_members, n_examples: B }
}

#[test]
fn every_row_is_convolved_with_its_own_factors_and_its_members_bias() {
    let device = Device::flex();
    let n = 2 * K * B;
    let x = vector(n * C_IN * SIZE[0] * SIZE[1], 1);
    for geometry in geometries() {
        for perturbation in [Perturbation::Multiplicative, Perturbation::Additive] {
            let layer = layer(geometry, perturbation, &device);
            let noise = layer.noise(&rows(2, K)).unwrap();
            let image = tensor(&x, [n, C_IN, SIZE[0], SIZE[1]], &device);
            let got = layer.forward_with_noise(image, &noise).unwrap();
            let [out_h, out_w] = geometry.output_size(SIZE).unwrap();
            assert_eq!(got.dims(), [n, C_OUT, out_h, out_w]);
            let draw = |f: &Option<Factor>, n: &Option<Tensor<2>>| {
                host(f.as_ref().unwrap().draw(n.clone(), 2).unwrap())
            };
            let s = draw(&layer.input_factor, &noise.input);
            let r = draw(&layer.output_factor, &noise.output);
            let (weight, bias) = (host(layer.weight.val()), host(layer.bias.as_ref().unwrap().val()));
            let expected: Vec<f64> = (0..n)
                .flat_map(|row| {
                    let member = row / B % K;
                    by_loops(
                        &geometry,
                        SIZE,
                        &x[row * C_IN * SIZE[0] * SIZE[1]..],
                        &weight,
                        &s[row * C_IN..][..C_IN],
                        &r[row * C_OUT..][..C_OUT],
                        &bias[member * C_OUT..][..C_OUT],
                        perturbation,
                    )
                })
                .collect();
            close(&host(got), &expected, 1e-5, &format!("{geometry:?} {perturbation:?}"));
        }
    }
}

#[test]
fn members_do_not_see_each_other() {
    let device = Device::flex();
    let config = Rank1Conv2dConfig {
        input_factor: Some(FactorConfig { granularity: Granularity::PerBatch, ..FactorConfig::default() }),
        ..Rank1Conv2dConfig::new(C_IN, C_OUT, [3, 2], K)
    };
    let layer = config.init(&mut LayerStreams::new(0, &device)).unwrap();
    let noise = layer.noise(&rows(1, K)).unwrap();
    assert_eq!(noise.input.clone().unwrap().dims(), [K, C_IN]);
    let x = tensor(&vector(K * B * C_IN * 35, 2), [K * B, C_IN, 5, 7], &device);
    let all = host(layer.forward_with_noise(x.clone(), &noise).unwrap());
    let one = |t: Tensor<2>, k: usize| {
        let per = t.dims()[0] / K;
        t.narrow(0, k * per, per)
    };
    for k in 0..K {
        let mut alone = layer.clone();
        for factor in [&mut alone.input_factor, &mut alone.output_factor].into_iter().flatten() {
            factor.location = Param::from_tensor(one(factor.location.val(), k));
            factor.raw_scale = factor.raw_scale.as_ref().map(|raw| Param::from_tensor(one(raw.val(), k)));
        }
        alone.bias = alone.bias.map(|bias| Param::from_tensor(one(bias.val(), k)));
        alone.n_members = 1;
        let noise = FactorNoise {
            input: noise.input.clone().map(|n| one(n, k)),
            output: noise.output.clone().map(|n| one(n, k)),
            n_samples: 1,
        };
        let got = host(alone.forward_with_noise(x.clone().narrow(0, k * B, B), &noise).unwrap());
        close(&got, &all[k * got.len()..][..got.len()], 1e-6, "member alone");
    }
}

#[test]
fn gradients_equal_central_differences_in_double_precision() {
    let device = Device::flex().autodiff();
    let size = [4, 5];
    let point = |n: usize, seed: u64| vector(n, seed);
    for (geometry, perturbation) in [
        (ConvGeometry::same([3, 2]).with_stride(2), Perturbation::Multiplicative),
        (ConvGeometry { dilation: [1, 2], ..ConvGeometry::same([2, 3]) }, Perturbation::Additive),
    ] {
        let [out_h, out_w] = geometry.output_size(size).unwrap();
        let lengths = [K * C_IN * 20, geometry.taps() * C_IN * C_OUT, K * C_IN, K * C_OUT, K * C_OUT];
        let points: Vec<Vec<f64>> = lengths.iter().zip(1..).map(|(&n, seed)| point(n, seed)).collect();
        let cotangent = point(K * C_OUT * out_h * out_w, 9);
        let objective = |parts: &[Vec<f64>]| -> f64 {
            let rows = (0..K).flat_map(|k| {
                by_loops(
                    &geometry,
                    size,
                    &parts[0][k * C_IN * 20..],
                    &parts[1],
                    &parts[2][k * C_IN..][..C_IN],
                    &parts[3][k * C_OUT..][..C_OUT],
                    &parts[4][k * C_OUT..][..C_OUT],
                    perturbation,
                )
            });
            rows.zip(&cotangent).map(|(y, c)| y * c).sum()
        };
        let mut layer = layer(geometry, perturbation, &device);
        layer.weight = Param::from_tensor(tensor(&points[1], layer.weight.dims(), &device));
        layer.bias = Some(Param::from_tensor(tensor(&points[4], [K, C_OUT], &device)));
        let x = tensor(&points[0], [K, C_IN, size[0], size[1]], &device).require_grad();
        let s = tensor(&points[2], [K, C_IN], &device).require_grad();
        let r = tensor(&points[3], [K, C_OUT], &device).require_grad();
        let y = layer.apply(x.clone(), Some(s.clone()), Some(r.clone()), 1).unwrap();
        let gradients = (y * tensor(&cotangent, [K, C_OUT, out_h, out_w], &device)).sum().backward();
        let got = [
            host(x.grad(&gradients).unwrap()),
            host(layer.weight.val().grad(&gradients).unwrap()),
            host(s.grad(&gradients).unwrap()),
            host(r.grad(&gradients).unwrap()),
            host(layer.bias.unwrap().val().grad(&gradients).unwrap()),
        ];
        for (index, got) in got.iter().enumerate() {
            let f = |part: &[f64]| {
                let mut moved = points.clone();
                moved[index] = part.to_vec();
                objective(&moved)
            };
            close(got, &central_differences(f, &points[index]), 1e-5, &format!("argument {index}"));
        }
    }
}

#[test]
fn groups_large_kernels_and_misfits_are_refused_with_their_names() {
    let device = Device::flex();
    let new = Rank1Conv2dConfig::new(C_IN, C_OUT, [3, 3], K);
    let groups = Rank1Conv2dConfig { groups: 3, ..new.clone() }.init(&mut LayerStreams::new(0, &device));
    assert!(matches!(groups, Err(Error::Core(rank1_core::Error::Undefined { .. }))));
    let no_stride = Rank1Conv2dConfig { geometry: ConvGeometry::same([3, 3]).with_stride(0), ..new.clone() };
    assert!(no_stride.init(&mut LayerStreams::new(0, &device)).is_err());
    let layer = new.init(&mut LayerStreams::new(0, &device)).unwrap();
    let image = |n: usize, c: usize, h: usize| Tensor::<4>::ones([n, c, h, 5], &device);
    let noise = layer.noise(&rows(1, K)).unwrap();
    assert!(layer.forward_with_noise(image(K * B, C_IN, 7), &noise).is_ok());
    assert!(layer.forward_with_noise(image(K * B, C_IN + 1, 7), &noise).is_err());
    assert!(layer.forward_with_noise(image(K * B + 1, C_IN, 7), &noise).is_err());
    assert!(layer.forward_with_noise(image(0, C_IN, 7), &noise).is_err());
    assert!(
        layer
            .forward_with_noise(image(K * B, C_IN, 7), &FactorNoise { input: None, ..noise.clone() })
            .is_err()
    );
    assert!(layer.noise(&rows(1, K + 1)).is_err());
    let valid = ConvGeometry { padding: Padding::Valid, ..ConvGeometry::same([3, 3]) };
    let layer =
        Rank1Conv2dConfig { geometry: valid, ..new }.init(&mut LayerStreams::new(0, &device)).unwrap();
    let small = layer.forward_with_noise(image(K * B, C_IN, 2), &noise);
    assert!(matches!(
        small,
        Err(Error::Core(rank1_core::Error::OutOfRange { argument: "window height", .. }))
    ));
}

#[test]
fn parameters_are_counted_as_the_paper_counts_them() {
    let device = Device::flex();
    let layer =
        Rank1Conv2dConfig::new(C_IN, C_OUT, [3, 3], K).init(&mut LayerStreams::new(0, &device)).unwrap();
    assert_eq!(layer.num_params(), 9 * C_IN * C_OUT + K * C_OUT + 2 * K * (C_IN + C_OUT));
    let point = Some(FactorConfig { family: PosteriorFamily::PointMass, ..FactorConfig::default() });
    let config = Rank1Conv2dConfig {
        input_factor: point,
        output_factor: None,
        bias: false,
        ..Rank1Conv2dConfig::new(C_IN, C_OUT, [3, 3], K)
    };
    assert_eq!(
        config.init(&mut LayerStreams::new(0, &device)).unwrap().num_params(),
        9 * C_IN * C_OUT + K * C_IN
    );
}
