//! Claims about the perturbed linear map: equality with explicit matrices and loops, gradients, refused shapes.

#![allow(clippy::unwrap_used)]

use ndarray::{Array2, Array3, Axis};
use proptest::prelude::*;

use super::*;
use crate::testkit::{central_differences, max_relative_error, normals};

const MODES: [Perturbation; 2] = [Perturbation::Multiplicative, Perturbation::Additive];
/// Distinct primes, and each axis also at one: (K, B, D_in, D_out).
const SHAPES: [(usize, usize, usize, usize); 5] =
    [(3, 5, 7, 11), (1, 5, 7, 11), (3, 1, 7, 11), (3, 5, 1, 11), (3, 5, 7, 1)];

struct Case {
    x: Array2<f64>,
    weight: Array2<f64>,
    input_factor: Array3<f64>,
    output_factor: Array3<f64>,
    bias: Array2<f64>,
    perturbation: Perturbation,
}

impl Case {
    fn new(
        (k, b, d_in, d_out): (usize, usize, usize, usize),
        shared: bool,
        perturbation: Perturbation,
    ) -> Self {
        let per = if shared { 1 } else { b };
        Self {
            x: normals(1, (k * b, d_in)),
            weight: normals(2, (d_in, d_out)),
            input_factor: normals(3, (k, per, d_in)),
            output_factor: normals(4, (k, per, d_out)),
            bias: normals(5, (k, d_out)),
            perturbation,
        }
    }

    fn layer(&self) -> PerturbedLinear<'_, f64> {
        PerturbedLinear {
            weight: self.weight.view(),
            input_factor: Some(self.input_factor.view()),
            output_factor: Some(self.output_factor.view()),
            bias: Some(self.bias.view()),
            perturbation: self.perturbation,
            n_members: self.bias.nrows(),
        }
    }

    fn cases() -> impl Iterator<Item = Self> {
        MODES.into_iter().flat_map(|mode| {
            SHAPES
                .into_iter()
                .flat_map(move |shape| [false, true].map(|shared| Self::new(shape, shared, mode)))
        })
    }
}

#[test]
fn the_trick_equals_the_explicitly_perturbed_matrix() {
    for shape @ (k, b, d_in, d_out) in SHAPES {
        let case = Case::new(shape, false, Perturbation::Multiplicative);
        let got = case.layer().forward(case.x.view()).unwrap();
        for member in 0..k {
            for example in 0..b {
                let row = layout::row(member, example, b);
                let explicit = Array2::from_shape_fn((d_in, d_out), |(i, j)| {
                    case.weight[[i, j]]
                        * case.input_factor[[member, example, i]]
                        * case.output_factor[[member, example, j]]
                });
                let expected = case.x.row(row).dot(&explicit) + case.bias.row(member);
                assert!(max_relative_error(got.row(row), &expected) < 1e-13);
            }
        }
    }
}

#[test]
fn the_member_axis_equals_a_loop_over_members() {
    for case in Case::cases() {
        let (k, b) = (case.bias.nrows(), case.x.nrows() / case.bias.nrows());
        let all = case.layer().forward(case.x.view()).unwrap();
        for member in 0..k {
            let one = PerturbedLinear {
                input_factor: Some(case.input_factor.slice_axis(Axis(0), (member..member + 1).into())),
                output_factor: Some(case.output_factor.slice_axis(Axis(0), (member..member + 1).into())),
                bias: Some(case.bias.slice_axis(Axis(0), (member..member + 1).into())),
                n_members: 1,
                ..case.layer()
            };
            let rows = ndarray::Slice::from(member * b..(member + 1) * b);
            let got = one.forward(case.x.slice_axis(Axis(0), rows)).unwrap();
            assert!(max_relative_error(&got, all.slice_axis(Axis(0), rows)) < 1e-14);
        }
    }
}

#[test]
fn gradients_match_central_differences() {
    for case in Case::cases() {
        let out = case.layer().forward(case.x.view()).unwrap();
        let cotangent: Array2<f64> = normals(6, out.dim());
        let grads = case.layer().backward(case.x.view(), cotangent.view()).unwrap();
        let value = |x: &Array2<f64>, layer: PerturbedLinear<'_, f64>| {
            (layer.forward(x.view()).unwrap() * &cotangent).sum()
        };
        let x = |p: &[f64]| value(&Array2::from_shape_vec(case.x.dim(), p.to_vec()).unwrap(), case.layer());
        let weight = |p: &[f64]| {
            let weight = Array2::from_shape_vec(case.weight.dim(), p.to_vec()).unwrap();
            value(&case.x, PerturbedLinear { weight: weight.view(), ..case.layer() })
        };
        let input = |p: &[f64]| {
            let factor = Array3::from_shape_vec(case.input_factor.dim(), p.to_vec()).unwrap();
            value(&case.x, PerturbedLinear { input_factor: Some(factor.view()), ..case.layer() })
        };
        let output = |p: &[f64]| {
            let factor = Array3::from_shape_vec(case.output_factor.dim(), p.to_vec()).unwrap();
            value(&case.x, PerturbedLinear { output_factor: Some(factor.view()), ..case.layer() })
        };
        let bias = |p: &[f64]| {
            let bias = Array2::from_shape_vec(case.bias.dim(), p.to_vec()).unwrap();
            value(&case.x, PerturbedLinear { bias: Some(bias.view()), ..case.layer() })
        };
        let close = |got: &[f64], numeric: Vec<f64>| assert!(max_relative_error(got, &numeric) < 1e-9);
        let flat = |a: &Array2<f64>| a.iter().copied().collect::<Vec<_>>();
        let flat3 = |a: &Array3<f64>| a.iter().copied().collect::<Vec<_>>();
        close(&flat(&grads.x), central_differences(x, &flat(&case.x)));
        close(&flat(&grads.weight), central_differences(weight, &flat(&case.weight)));
        close(&flat3(&grads.input_factor.unwrap()), central_differences(input, &flat3(&case.input_factor)));
        close(
            &flat3(&grads.output_factor.unwrap()),
            central_differences(output, &flat3(&case.output_factor)),
        );
        close(&flat(&grads.bias.unwrap()), central_differences(bias, &flat(&case.bias)));
    }
}

#[test]
fn absent_parts_act_as_identity_and_give_no_gradient() {
    let case = Case::new((3, 5, 7, 11), false, Perturbation::Multiplicative);
    let bare = PerturbedLinear { input_factor: None, output_factor: None, bias: None, ..case.layer() };
    assert_eq!(bare.forward(case.x.view()).unwrap(), case.x.dot(&case.weight));
    let (ones_in, ones_out) = (Array3::ones((3, 1, 7)), Array3::ones((3, 5, 11)));
    let ones = PerturbedLinear {
        input_factor: Some(ones_in.view()),
        output_factor: Some(ones_out.view()),
        bias: None,
        ..case.layer()
    };
    let grad: Array2<f64> = normals(8, (15, 11));
    let (a, b) = (
        bare.backward(case.x.view(), grad.view()).unwrap(),
        ones.backward(case.x.view(), grad.view()).unwrap(),
    );
    assert!(a.input_factor.is_none() && a.output_factor.is_none() && a.bias.is_none());
    assert!(max_relative_error(&a.x, &b.x) < 1e-15 && max_relative_error(&a.weight, &b.weight) < 1e-15);
}

#[test]
fn the_cached_product_gives_the_same_output_and_gradients() {
    for case in Case::cases() {
        let (y, product) = case.layer().forward_with_product(case.x.view()).unwrap();
        assert_eq!(y, case.layer().forward(case.x.view()).unwrap());
        let grad: Array2<f64> = normals(9, y.dim());
        let cached = case.layer().backward_from_product(case.x.view(), grad.view(), product.view()).unwrap();
        assert_eq!(cached, case.layer().backward(case.x.view(), grad.view()).unwrap());
    }
}

#[test]
fn a_zero_output_factor_silences_the_input_factor_only_when_multiplicative() {
    for perturbation in MODES {
        let case = Case::new((3, 5, 7, 11), false, perturbation);
        let zeros = Array3::zeros((3, 1, 11));
        let other: Array3<f64> = normals(12, (3, 5, 7));
        let layer = PerturbedLinear { output_factor: Some(zeros.view()), bias: None, ..case.layer() };
        let first = layer.forward(case.x.view()).unwrap();
        let second =
            PerturbedLinear { input_factor: Some(other.view()), ..layer }.forward(case.x.view()).unwrap();
        assert_eq!(first == second, perturbation == Perturbation::Multiplicative);
        assert_eq!(first.iter().all(|&v| v == 0.0), perturbation == Perturbation::Multiplicative);
    }
}

#[test]
fn each_wrong_shape_is_named() {
    let case = Case::new((3, 5, 7, 11), false, Perturbation::Multiplicative);
    let named = |layer: PerturbedLinear<'_, f64>, x: &Array2<f64>| match layer.forward(x.view()) {
        Err(Error::ShapeMismatch { argument, .. }) => argument,
        other => panic!("expected a shape error, got {other:?}"),
    };
    let (swapped, bias) = (Array3::zeros((5, 3, 7)), Array2::zeros((3, 7)));
    assert_eq!(named(case.layer(), &Array2::zeros((15, 8))), "x");
    assert_eq!(named(case.layer(), &Array2::zeros((16, 7))), "rows (members x batch)");
    let wrong = PerturbedLinear { input_factor: Some(swapped.view()), ..case.layer() };
    assert_eq!(named(wrong, &case.x), "input_factor");
    let wrong = PerturbedLinear { output_factor: Some(swapped.view()), ..case.layer() };
    assert_eq!(named(wrong, &case.x), "output_factor");
    assert_eq!(named(PerturbedLinear { bias: Some(bias.view()), ..case.layer() }, &case.x), "bias");
    let grad = case.layer().backward(case.x.view(), Array2::zeros((15, 7)).view());
    assert!(matches!(grad, Err(Error::ShapeMismatch { argument: "grad_out", .. })));
}

#[test]
fn single_precision_follows_the_double_reference() {
    let case = Case::new((3, 5, 61, 11), false, Perturbation::Multiplicative);
    let narrow = |a: &Array3<f64>| a.mapv(|v| v as f32);
    let (weight, bias) = (case.weight.mapv(|v| v as f32), case.bias.mapv(|v| v as f32));
    let (input, output) = (narrow(&case.input_factor), narrow(&case.output_factor));
    let layer = PerturbedLinear {
        weight: weight.view(),
        input_factor: Some(input.view()),
        output_factor: Some(output.view()),
        bias: Some(bias.view()),
        perturbation: case.perturbation,
        n_members: 3,
    };
    let got = layer.forward(case.x.mapv(|v| v as f32).view()).unwrap().mapv(f64::from);
    let expected = case.layer().forward(case.x.view()).unwrap();
    assert!(max_relative_error(&got, &expected) < 1e-6);
}

proptest! {
    #[test]
    fn shared_draws_equal_per_example_draws_that_are_all_alike(
        seed in 0_u64..1000, k in 1_usize..4, b in 1_usize..6, d_in in 1_usize..8, d_out in 1_usize..8
    ) {
        for perturbation in MODES {
            let x: Array2<f64> = normals(seed, (k * b, d_in));
            let weight: Array2<f64> = normals(seed + 1, (d_in, d_out));
            let input: Array3<f64> = normals(seed + 2, (k, 1, d_in));
            let output: Array3<f64> = normals(seed + 3, (k, 1, d_out));
            let repeat = |a: &Array3<f64>| {
                let (k, _, d) = a.dim();
                a.broadcast((k, b, d)).unwrap().to_owned()
            };
            let (input_all, output_all) = (repeat(&input), repeat(&output));
            let shared = PerturbedLinear {
                weight: weight.view(), input_factor: Some(input.view()), output_factor: Some(output.view()),
                bias: None, perturbation, n_members: k,
            };
            let per_example = PerturbedLinear {
                input_factor: Some(input_all.view()), output_factor: Some(output_all.view()), ..shared
            };
            let y = shared.forward(x.view()).unwrap();
            prop_assert_eq!(&y, &per_example.forward(x.view()).unwrap());
            let grad: Array2<f64> = normals(seed + 4, (k * b, d_out));
            let one = shared.backward(x.view(), grad.view()).unwrap();
            let all = per_example.backward(x.view(), grad.view()).unwrap();
            let summed = all.input_factor.unwrap().sum_axis(Axis(1)).insert_axis(Axis(1));
            prop_assert!(max_relative_error(&one.input_factor.unwrap(), &summed) < 1e-12);
        }
    }
}
