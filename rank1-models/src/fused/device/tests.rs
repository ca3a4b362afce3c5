//! Layers on a wgpu device against tensor operations there and on the processor: output and every gradient.
#![allow(clippy::unwrap_used, clippy::print_stderr)]
#![cfg(feature = "wgpu")]

use burn::tensor::{Device, TensorData};
use rank1_core::conv::Padding;
use rank1_core::factor::ClipBounds;
use rank1_core::noise::{At, NoiseStream};
use rank1_priors::PosteriorFamily;

use super::*;
use crate::device::{Compute, DeviceName};
use crate::engine::DrawKey;
use crate::layer::{
    DrawRows, FactorConfig, LayerStreams, Pass, Rank1Conv2d, Rank1Conv2dConfig, Rank1Linear,
    Rank1LinearConfig,
};
use crate::method::Granularity;

pub(super) fn with_device(claim: impl Fn(&Device)) {
    match Compute::open(DeviceName::Wgpu) {
        Ok(compute) => claim(&compute.burn_device().unwrap().autodiff()),
        Err(error) if std::env::var_os("RANK1_REQUIRE_DEVICE").is_some() => panic!("{error}"),
        Err(error) => eprintln!("SKIPPED, nothing was tested: {error}"),
    }
}

pub(super) fn random<const D: usize>(shape: [usize; D], site: u32, device: &Device) -> Tensor<D> {
    let mut values = vec![0.0; shape.iter().product()];
    NoiseStream::new(11, site, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut values);
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(super) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

pub(super) fn assert_close(got: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got.len(), expected.len(), "{what}: result {index}");
        let scale = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        assert!(scale > 0.0, "{what}: result {index} is zero everywhere and proves nothing");
        let error = got.iter().zip(expected).fold(0.0_f32, |m, (g, e)| m.max((g - e).abs())) / scale;
        assert!(error < 1e-5, "{what}: result {index}: {error}");
    }
}

/// One convolution: K members, B examples, sizes of images and channels, geometry, rows of the factors.
#[derive(Debug, Clone, Copy)]
struct Case {
    members: usize,
    examples: usize,
    size: [usize; 2],
    channels: [usize; 2],
    geometry: ConvGeometry,
    input_rows: Option<usize>,
    output_rows: Option<usize>,
    bias: bool,
    perturbation: Perturbation,
}

const CASE: Case = Case {
    members: 3,
    examples: 5,
    size: [7, 5],
    channels: [3, 11],
    geometry: ConvGeometry { kernel: [3, 2], stride: [2, 1], dilation: [1, 2], padding: Padding::Same },
    input_rows: Some(15),
    output_rows: Some(3),
    bias: true,
    perturbation: Perturbation::Multiplicative,
};

impl Case {
    /// Output, then the gradients of x, weight, factors and bias for a sum of outputs with unequal weights.
    fn run(&self, device: &Device, fused: bool) -> Vec<Vec<f32>> {
        let ([height, width], [c_in, c_out]) = (self.size, self.channels);
        let rows = self.members * self.examples;
        let x = random([rows, c_in, height, width], 0, device).require_grad();
        let matrix = |rows: usize, columns, site| random([rows, columns], site, device).require_grad();
        let weight = matrix(self.geometry.taps() * c_in, c_out, 1);
        let input = self.input_rows.map(|rows| matrix(rows, c_in, 2));
        let output = self.output_rows.map(|rows| matrix(rows, c_out, 3));
        let bias = self.bias.then(|| matrix(self.members, c_out, 4));
        let y = if fused {
            let layer = DeviceLayer {
                weight: weight.clone(),
                input_factor: input.clone().map(LayerFactor::Given),
                output_factor: output.clone().map(LayerFactor::Given),
                bias: bias.clone(),
                n_members: self.members,
                perturbation: self.perturbation,
            };
            layer.convolution(&x, &self.geometry).expect("within the kernels' reach")
        } else {
            let by_channel = |x: Tensor<4>, factor: &Option<Tensor<2>>, perturbation| {
                let Some(factor) = factor.clone() else { return x };
                let [n, channels] = factor.dims();
                let factor = factor.reshape([n, 1, channels, 1, 1]).repeat_dim(1, rows / n);
                let factor = factor.reshape([rows, channels, 1, 1]);
                if perturbation == Perturbation::Multiplicative { x * factor } else { x + factor }
            };
            let perturbed = by_channel(x.clone(), &input, self.perturbation);
            let y = self.geometry.convolve(perturbed, weight.clone()).unwrap();
            by_channel(by_channel(y, &output, self.perturbation), &bias, Perturbation::Additive)
        };
        let cotangent = random(y.dims(), 5, device);
        let gradients = (y.clone() * cotangent).sum().backward();
        let mut results = vec![values(y.inner()), values(x.grad(&gradients).unwrap())];
        let matrices = [Some(&weight), input.as_ref(), output.as_ref(), bias.as_ref()];
        results.extend(matrices.into_iter().flatten().map(|m| values(m.grad(&gradients).unwrap())));
        results
    }
}

#[test]
fn convolutions_equal_tensor_operations_there_and_on_the_processor() {
    let explicit = Padding::Explicit { top: 2, bottom: 0, left: 1, right: 3 };
    let same = ConvGeometry::same;
    let cases = [
        CASE,
        Case { perturbation: Perturbation::Additive, input_rows: Some(3), output_rows: Some(15), ..CASE },
        Case { input_rows: None, output_rows: None, bias: false, geometry: same([3, 3]), ..CASE },
        Case { members: 1, input_rows: Some(5), output_rows: Some(1), geometry: same([1, 1]), ..CASE },
        Case {
            members: 17,
            examples: 1,
            size: [3, 3],
            channels: [1, 1],
            input_rows: Some(17),
            output_rows: Some(17),
            geometry: ConvGeometry { padding: explicit, ..same([3, 3]).with_stride(3) },
            ..CASE
        },
    ];
    with_device(|device| {
        for case in &cases {
            let got = case.run(device, true);
            assert_close(&got, &case.run(device, false), &format!("there, {case:?}"));
            assert_close(&got, &case.run(&Device::flex().autodiff(), false), &format!("processor, {case:?}"));
        }
    });
}

#[test]
fn an_image_that_the_last_convolution_left_channels_last_is_read_as_it_lies() {
    with_device(|device| {
        let geometry = ConvGeometry::same([3, 3]);
        let layer = |weight: Tensor<2>| DeviceLayer {
            weight,
            input_factor: None,
            output_factor: None,
            bias: None,
            n_members: 3,
            perturbation: Perturbation::Multiplicative,
        };
        let x = random([6, 5, 7, 3], 0, device);
        let (first, second) = (random([45, 4], 1, device), random([36, 2], 2, device));
        let h = layer(first.clone()).convolution(&x, &geometry).unwrap();
        let got = layer(second.clone()).convolution(&h.clone().tanh(), &geometry).unwrap();
        let expected = geometry.convolve(geometry.convolve(x, first).unwrap().tanh(), second).unwrap();
        assert_close(&[values(got)], &[values(expected)], "two convolutions");
    });
}

#[test]
fn shapes_that_do_not_fit_and_other_precisions_are_left_to_tensor_operations() {
    let layer = |device: &Device, n_members: usize| DeviceLayer {
        weight: random([7, 5], 1, device),
        input_factor: Some(LayerFactor::Given(random([6, 7], 2, device))),
        output_factor: None,
        bias: None,
        n_members,
        perturbation: Perturbation::Multiplicative,
    };
    with_device(|device| {
        let x = random([6, 7], 0, device);
        assert!(layer(device, 3).linear(&x).is_some());
        assert!(layer(device, 4).linear(&x).is_none());
        assert!(layer(device, 3).linear(&random([9, 7], 0, device)).is_none());
        assert!(layer(device, 3).linear(&random([6, 8], 0, device)).is_none());
        let flex = Device::flex();
        assert!(layer(&flex, 3).linear(&random([6, 7], 0, &flex)).is_none());
        let twice = DeviceLayer { bias: Some(random([3, 4], 3, device)), ..layer(device, 3) };
        assert!(twice.linear(&x).is_none());
    });
}

const ROWS: DrawRows = DrawRows {
    key: DrawKey { seed: 5, step: 7, first_sample: 2, first_example: 4 },
    layer: 1,
    n_samples: 1,
    n_members: 3,
    n_examples: 5,
};

/// The same pass of one sample and of several, whose streams differ.
fn passes() -> [DrawRows; 2] {
    [ROWS, DrawRows { n_samples: 3, ..ROWS }]
}

fn n_rows(rows: &DrawRows) -> usize {
    rows.n_samples * rows.n_members * rows.n_examples
}

/// Both factors of the family, one per example and one per batch, spread wide enough that the clip cuts some draws.
fn factors(family: PosteriorFamily) -> [Option<FactorConfig>; 2] {
    let clip = Some(ClipBounds { min: 0.3, max: 1.9 });
    let factor = FactorConfig { family, initial_std: 0.4, clip, ..FactorConfig::default() };
    [Some(factor), Some(FactorConfig { granularity: Granularity::PerBatch, ..factor })]
}

/// Output and gradients of a linear layer; by the counters of the device, or with the noise of the host.
fn linear(device: &Device, family: PosteriorFamily, rows: &DrawRows, drawn: bool) -> Vec<Vec<f32>> {
    let [input_factor, output_factor] = factors(family);
    let config = Rank1LinearConfig { input_factor, output_factor, ..Rank1LinearConfig::new(7, 11, 3) };
    let layer: Rank1Linear = config.init(&mut LayerStreams::new(0, device)).unwrap();
    let x = random([n_rows(rows), 7], 0, device).require_grad();
    let y = if drawn {
        layer.drawn_on_device(&x, rows).expect("within the kernels' reach")
    } else {
        layer.forward_with_noise(x.clone(), &layer.noise(rows).unwrap()).unwrap()
    };
    let gradients = (y.clone() * random([n_rows(rows), 11], 5, device)).sum().backward();
    let mut results = vec![values(y.inner()), values(x.grad(&gradients).unwrap())];
    let mut add = |tensor: Tensor<2>| results.push(values(tensor.grad(&gradients).unwrap()));
    add(layer.weight.val());
    layer.bias.iter().for_each(|bias| add(bias.val()));
    for factor in [&layer.input_factor, &layer.output_factor].into_iter().flatten() {
        add(factor.location.val());
        add(factor.raw_scale.as_ref().unwrap().val());
    }
    results
}

#[test]
fn factors_drawn_inside_a_layer_equal_those_of_the_hosts_noise_with_all_gradients() {
    with_device(|device| {
        for family in [PosteriorFamily::Normal, PosteriorFamily::Cauchy, PosteriorFamily::LogNormal] {
            for rows in passes() {
                let got = linear(device, family, &rows, true);
                let what = format!("{family:?}, {rows:?}");
                assert_close(&got, &linear(device, family, &rows, false), &format!("there, {what}"));
                let processor = Device::flex().autodiff();
                assert_close(&got, &linear(&processor, family, &rows, false), &format!("processor, {what}"));
            }
        }
    });
}

#[test]
fn a_convolution_draws_its_factors_as_the_host_does() {
    let run = |device: &Device, rows: &DrawRows, drawn: bool| {
        let [input_factor, output_factor] = factors(PosteriorFamily::Normal);
        let new = Rank1Conv2dConfig::new(3, 5, [3, 3], 3);
        let layer: Rank1Conv2d = Rank1Conv2dConfig { input_factor, output_factor, ..new }
            .init(&mut LayerStreams::new(0, device))
            .unwrap();
        let x = random([n_rows(rows), 3, 4, 7], 0, device);
        let y = if drawn {
            layer.drawn_on_device(&x, rows).expect("within the kernels' reach")
        } else {
            layer.forward_with_noise(x, &layer.noise(rows).unwrap()).unwrap()
        };
        let gradients = (y.clone() * random(y.dims(), 5, device)).sum().backward();
        let mut results = vec![values(y.inner())];
        let mut add = |tensor: Tensor<2>| results.push(values(tensor.grad(&gradients).unwrap()));
        add(layer.weight.val());
        for factor in [&layer.input_factor, &layer.output_factor].into_iter().flatten() {
            add(factor.location.val());
            add(factor.raw_scale.as_ref().unwrap().val());
        }
        results
    };
    with_device(|device| {
        for rows in passes() {
            let expected = run(&Device::flex().autodiff(), &rows, false);
            assert_close(&run(device, &rows, true), &expected, &format!("convolution, {rows:?}"));
        }
    });
}

#[test]
fn draws_that_lie_elsewhere_are_left_to_the_host() {
    with_device(|device| {
        let layer = Rank1LinearConfig::new(7, 11, 3).init(&mut LayerStreams::new(0, device)).unwrap();
        let x = |rows| random([rows, 7], 0, device);
        assert!(layer.drawn_on_device(&x(15), &ROWS).is_some());
        assert!(layer.drawn_on_device(&x(30), &DrawRows { n_samples: 2, ..ROWS }).is_some());
        assert!(layer.drawn_on_device(&x(15), &DrawRows { n_samples: 2, ..ROWS }).is_none());
        assert!(layer.drawn_on_device(&x(12), &ROWS).is_none());
        let [factor, _] = factors(PosteriorFamily::HalfCauchy);
        let config = Rank1LinearConfig { input_factor: factor, ..Rank1LinearConfig::new(7, 11, 3) };
        assert!(
            config.init(&mut LayerStreams::new(0, device)).unwrap().drawn_on_device(&x(15), &ROWS).is_none()
        );
        // The layer itself takes what fits.
        let pass = Pass { key: ROWS.key, n_samples: 1, n_members: 3 };
        assert!(config.init(&mut LayerStreams::new(0, device)).unwrap().forward(x(15), &pass).is_ok());
        assert!(layer.forward(x(15), &Pass { n_members: 5, ..pass }).is_err());
    });
}
