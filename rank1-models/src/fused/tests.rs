//! The fused operation against the unfused formula: output and every gradient.
#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, Tensor, TensorData};
use rank1_core::noise::{At, NoiseStream};

use super::*;

/// Name, value and gradient shape of every argument of one case.
struct Case {
    members: usize,
    examples: usize,
    d_in: usize,
    d_out: usize,
    input_rows: Option<usize>,
    output_rows: Option<usize>,
    bias: bool,
    perturbation: Perturbation,
}

fn random(rows: usize, columns: usize, site: u32, device: &Device) -> Tensor<2> {
    let mut values = vec![0.0; rows * columns];
    NoiseStream::new(11, site, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut values);
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

fn variable(rows: usize, columns: usize, site: u32, device: &Device) -> Tensor<2> {
    random(rows, columns, site, device).require_grad()
}

fn largest_relative_error(left: &Tensor<2>, right: &Tensor<2>) -> f32 {
    let left = left.to_data().try_to_vec::<f32>().unwrap();
    let right = right.to_data().try_to_vec::<f32>().unwrap();
    assert_eq!(left.len(), right.len());
    let scale = right.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    assert!(scale > 0.0, "a gradient that is zero everywhere proves nothing");
    left.iter().zip(&right).fold(0.0_f32, |m, (l, r)| m.max((l - r).abs())) / scale
}

impl Case {
    fn arguments(&self, device: &Device) -> Vec<Option<Tensor<2>>> {
        let rows = self.members * self.examples;
        vec![
            Some(variable(rows, self.d_in, 0, device)),
            Some(variable(self.d_in, self.d_out, 1, device)),
            self.input_rows.map(|r| variable(r, self.d_in, 2, device)),
            self.output_rows.map(|r| variable(r, self.d_out, 3, device)),
            self.bias.then(|| variable(self.members, self.d_out, 4, device)),
        ]
    }

    /// Output, then the gradient of a non-uniform sum of it for every argument.
    fn run(&self, fused: bool, device: &Device) -> Vec<Tensor<2>> {
        let arguments = self.arguments(device);
        let [x, weight, input, output, bias] = arguments.clone().try_into().unwrap();
        let (x, weight) = (x.unwrap(), weight.unwrap());
        let y = if fused {
            perturbed_linear(x, weight, input, output, bias, self.members, self.perturbation).unwrap()
        } else {
            unfused::perturbed_linear(x, weight, input, output, bias, self.members, self.perturbation)
        };
        let cotangent = random(self.members * self.examples, self.d_out, 5, device);
        let gradients = (y.clone() * cotangent).sum().backward();
        let mut results = vec![y.inner()];
        results.extend(arguments.iter().flatten().map(|a| a.grad(&gradients).unwrap()));
        results
    }
}

#[test]
fn output_and_gradients_equal_the_unfused_formula() {
    let device = Device::flex().autodiff();
    let mut cases = 0;
    for (members, examples, d_in, d_out) in
        [(3, 5, 7, 11), (1, 5, 7, 11), (3, 1, 7, 11), (3, 5, 1, 1), (1, 1, 1, 1)]
    {
        let rows = members * examples;
        for perturbation in [Perturbation::Multiplicative, Perturbation::Additive] {
            for input_rows in [None, Some(rows), Some(members)] {
                for output_rows in [None, Some(rows), Some(members)] {
                    for bias in [false, true] {
                        let case = Case {
                            members,
                            examples,
                            d_in,
                            d_out,
                            input_rows,
                            output_rows,
                            bias,
                            perturbation,
                        };
                        for (index, (fused, unfused)) in
                            case.run(true, &device).iter().zip(case.run(false, &device)).enumerate()
                        {
                            let error = largest_relative_error(fused, &unfused);
                            assert!(error < 1e-5, "result {index} of K={members} B={examples}: {error}");
                        }
                        cases += 1;
                    }
                }
            }
        }
    }
    assert_eq!(cases, 180);
}

/// Every kind of argument at one odd shape: each combination is a kernel of its own, compiled on a software adapter.
#[cfg(feature = "wgpu")]
#[allow(clippy::print_stderr)]
#[test]
fn output_and_gradients_of_a_device_equal_the_unfused_formula_there_and_on_the_processor() {
    use crate::device::{Compute, DeviceName};

    let required = std::env::var_os("RANK1_REQUIRE_DEVICE").is_some();
    let device = match Compute::open(DeviceName::Wgpu) {
        Ok(compute) => compute.burn_device().unwrap().autodiff(),
        Err(error) if required => panic!("{error}"),
        Err(error) => return eprintln!("SKIPPED, nothing was tested: {error}"),
    };
    let processor = Device::flex().autodiff();
    for perturbation in [Perturbation::Multiplicative, Perturbation::Additive] {
        for (input_rows, output_rows, bias) in [
            (None, None, true),
            (Some(15), Some(3), true),
            (Some(3), Some(15), false),
            (None, Some(15), true),
        ] {
            let (members, examples, d_in, d_out) = (3, 5, 7, 11);
            let case = Case { members, examples, d_in, d_out, input_rows, output_rows, bias, perturbation };
            let fused = case.run(true, &device);
            for other in [case.run(false, &device), case.run(false, &processor)] {
                for (index, (fused, unfused)) in fused.iter().zip(&other).enumerate() {
                    let error = largest_relative_error(fused, unfused);
                    assert!(error < 1e-5, "result {index} of {input_rows:?} {output_rows:?}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_transposed_weight_and_a_sliced_input_are_read_in_their_own_layout() {
    let device = Device::flex().autodiff();
    let x = random(8, 7, 0, &device).slice([2..8, 0..7]);
    let weight = random(11, 7, 1, &device).transpose();
    let fused =
        perturbed_linear(x.clone(), weight.clone(), None, None, None, 3, Perturbation::Multiplicative)
            .unwrap();
    assert!(largest_relative_error(&fused, &x.matmul(weight)) < 1e-5);
}

#[test]
fn only_tensors_that_ask_for_a_gradient_get_one() {
    let device = Device::flex().autodiff();
    let (x, weight) = (random(6, 7, 0, &device), variable(7, 5, 1, &device));
    let y = perturbed_linear(x.clone(), weight.clone(), None, None, None, 3, Perturbation::Multiplicative)
        .unwrap();
    let gradients = y.sum().backward();
    assert!(x.grad(&gradients).is_none());
    assert!(weight.grad(&gradients).is_some());
}

#[test]
fn works_without_autodiff_and_in_double_precision() {
    let device = Device::flex();
    let (x, weight) = (random(6, 7, 0, &device), random(7, 5, 1, &device));
    let single =
        perturbed_linear(x.clone(), weight.clone(), None, None, None, 2, Perturbation::Additive).unwrap();
    let double = perturbed_linear(
        x.cast(DType::F64),
        weight.cast(DType::F64),
        None,
        None,
        None,
        2,
        Perturbation::Additive,
    )
    .unwrap();
    assert_eq!(double.dtype(), DType::F64);
    assert!(largest_relative_error(&single, &double.cast(DType::F32)) < 1e-5);
}

#[test]
fn a_shape_that_does_not_fit_is_named() {
    let device = Device::flex();
    let call = |weight: [usize; 2], input: [usize; 2], bias: [usize; 2], members: usize| {
        let make = |s: [usize; 2], site| random(s[0], s[1], site, &device);
        perturbed_linear(
            make([6, 7], 0),
            make(weight, 1),
            Some(make(input, 2)),
            None,
            Some(make(bias, 3)),
            members,
            Perturbation::Multiplicative,
        )
        .map(|_| ())
        .map_err(|e| match e {
            Error::ShapeMismatch { argument, .. } | Error::OutOfRange { argument, .. } => argument,
            other => panic!("{other}"),
        })
    };
    assert_eq!(call([7, 5], [6, 7], [3, 5], 3), Ok(()));
    assert_eq!(call([8, 5], [6, 7], [3, 5], 3), Err("weight"));
    assert_eq!(call([7, 5], [5, 7], [3, 5], 3), Err("input_factor"));
    assert_eq!(call([7, 5], [6, 7], [2, 5], 3), Err("bias"));
    assert_eq!(call([7, 5], [6, 7], [4, 5], 4), Err("n_members"));
}

#[test]
fn the_cpu_path_is_the_kernel_of_core_bit_for_bit() {
    use ndarray::{ArrayView2, ArrayView3};
    use rank1_core::perturb::PerturbedLinear;

    let device = Device::flex();
    let (k, b, d_in, d_out) = (3, 5, 7, 11);
    let tensors = [(k * b, d_in), (d_in, d_out), (k * b, d_in), (k, d_out), (k, d_out)];
    let tensors: Vec<_> = (0..).zip(tensors).map(|(site, (r, c))| random(r, c, site, &device)).collect();
    let values: Vec<Vec<f32>> = tensors.iter().map(|t| t.to_data().try_to_vec().unwrap()).collect();
    let map = PerturbedLinear {
        weight: ArrayView2::from_shape((d_in, d_out), &values[1]).unwrap(),
        input_factor: Some(ArrayView3::from_shape((k, b, d_in), &values[2]).unwrap()),
        output_factor: Some(ArrayView3::from_shape((k, 1, d_out), &values[3]).unwrap()),
        bias: Some(ArrayView2::from_shape((k, d_out), &values[4]).unwrap()),
        perturbation: Perturbation::Multiplicative,
        n_members: k,
    };
    let expected = map.forward(ArrayView2::from_shape((k * b, d_in), &values[0]).unwrap()).unwrap();
    let [x, weight, input, output, bias] = tensors.try_into().unwrap();
    let got =
        perturbed_linear(x, weight, Some(input), Some(output), Some(bias), k, map.perturbation).unwrap();
    assert_eq!(got.into_data().try_to_vec::<f32>().unwrap(), expected.iter().copied().collect::<Vec<_>>());
}
