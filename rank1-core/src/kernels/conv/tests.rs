//! Claims about convolutions: equality with loops, gradients, threads, refused shapes.

#![allow(clippy::unwrap_used)]

use ndarray::{Array3, Array4};

use super::*;
use crate::conv::{ConvShape, Padding, PerturbedConv2d};
use crate::perturb::Perturbation;
use crate::testkit::{central_differences, max_relative_error, normals};
use crate::{Error, Real};

/// Odd sizes, each with another combination of kernel, stride, dilation and padding.
pub(super) fn shapes() -> Vec<ConvShape> {
    let base = ConvShape {
        height: 7,
        width: 5,
        c_in: 3,
        c_out: 2,
        kernel: (3, 3),
        stride: (1, 1),
        dilation: (1, 1),
        padding: Padding::Same,
    };
    let explicit = Padding::Explicit { top: 0, bottom: 2, left: 3, right: 1 };
    vec![
        base,
        ConvShape { padding: Padding::Valid, ..base },
        ConvShape { padding: explicit, ..base },
        ConvShape { stride: (2, 2), ..base },
        ConvShape { stride: (2, 3), padding: explicit, ..base },
        ConvShape { kernel: (2, 4), ..base },
        ConvShape { kernel: (4, 2), stride: (2, 1), c_in: 1, ..base },
        ConvShape { dilation: (2, 2), ..base },
        ConvShape { dilation: (1, 2), stride: (2, 2), kernel: (3, 2), ..base },
        ConvShape { kernel: (1, 1), c_out: 5, ..base },
        ConvShape { kernel: (1, 1), stride: (2, 2), padding: Padding::Valid, ..base },
        ConvShape { kernel: (7, 5), padding: Padding::Valid, ..base },
        ConvShape { kernel: (1, 3), padding: explicit, c_out: 1, ..base },
        // More than one block of patches per image.
        ConvShape { height: 23, width: 29, c_in: 2, ..base },
    ]
}

fn values(seed: u64, len: usize) -> Vec<f64> {
    normals::<f64, _, _>(seed, len).to_vec()
}

/// Every sum written out.
fn by_loops(shape: &ConvShape, x: &[f64], factor: Option<&[f64]>, weight: &[f64]) -> Vec<f64> {
    let n = x.len() / shape.in_len();
    let ((oh, ow), pads) = (shape.out_size(), shape.pads());
    let weight =
        Array4::from_shape_vec((shape.kernel.0, shape.kernel.1, shape.c_in, shape.c_out), weight.to_vec())
            .unwrap();
    let x = Array4::from_shape_vec((n, shape.height, shape.width, shape.c_in), x.to_vec()).unwrap();
    let mut out = Array4::zeros((n, oh, ow, shape.c_out));
    for ((image, oy, ox, o), sum) in out.indexed_iter_mut() {
        for ((ky, kx, i, _), &w) in weight.indexed_iter().filter(|((_, _, _, out), _)| *out == o) {
            let iy = (oy * shape.stride.0 + ky * shape.dilation.0) as isize - pads.top as isize;
            let ix = (ox * shape.stride.1 + kx * shape.dilation.1) as isize - pads.left as isize;
            if (0..shape.height as isize).contains(&iy) && (0..shape.width as isize).contains(&ix) {
                let f = factor.map_or(1.0, |factor| factor[image * shape.c_in + i]);
                *sum += x[[image, iy as usize, ix as usize, i]] * f * w;
            }
        }
    }
    out.into_raw_vec_and_offset().0
}

#[test]
fn sizes_and_padding_follow_the_rule_of_tensorflow() {
    // (size, window, stride, dilation) -> (positions, before, after)
    for ((n, window, stride, dilation), (out, before, after)) in [
        ((32, 3, 1, 1), (32, 1, 1)),
        ((32, 3, 2, 1), (16, 0, 1)),
        ((7, 4, 1, 1), (7, 1, 2)),
        ((7, 3, 1, 2), (7, 2, 2)),
        ((5, 1, 2, 1), (3, 0, 0)),
        ((224, 7, 2, 1), (112, 2, 3)),
    ] {
        let shape = ConvShape {
            height: n,
            width: 3,
            c_in: 1,
            c_out: 1,
            kernel: (window, 1),
            stride: (stride, 1),
            dilation: (dilation, 1),
            padding: Padding::Same,
        };
        assert_eq!(shape.out_size(), (out, 3));
        assert_eq!((shape.pads().top, shape.pads().bottom), (before, after));
        assert_eq!(shape.multiply_adds(), (out * 3 * window) as u64);
    }
}

#[test]
fn products_on_patches_equal_loops_with_and_without_a_factor() {
    let mut scratch = ConvScratch::new();
    for shape in shapes() {
        for n in [1, 3, 11] {
            let (x, weight) = (values(1, n * shape.in_len()), values(2, shape.weight_len()));
            let factor = values(3, n * shape.c_in);
            for factor in [None, Some(&factor[..])] {
                let mut out = vec![f64::NAN; n * shape.out_len()];
                forward(&shape, &x, factor, &weight, &mut out, &mut scratch).unwrap();
                let error = max_relative_error(&out, &by_loops(&shape, &x, factor, &weight));
                assert!(error < 1e-13, "{shape:?} {n}: {error}");
            }
        }
    }
}

#[test]
fn gradients_are_the_transpose_of_the_convolution() {
    // The map is linear in x and in the weight, so inner products decide: <y', conv(x, w)> = <x, d_x> = <w, d_w>.
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut scratch = ConvScratch::new();
    for shape in shapes() {
        let n = 5;
        let (x, weight) = (values(1, n * shape.in_len()), values(2, shape.weight_len()));
        let (d_out, factor) = (values(4, n * shape.out_len()), values(3, n * shape.c_in));
        let mut d_x = vec![f64::NAN; x.len()];
        input_gradient(&shape, &d_out, &weight, &mut d_x, &mut scratch).unwrap();
        for seed in 10..13 {
            let probe = values(seed, x.len());
            let expected = dot(&by_loops(&shape, &probe, None, &weight), &d_out);
            assert!((dot(&probe, &d_x) - expected).abs() < 1e-11 * expected.abs().max(10.0), "{shape:?}");
        }
        for factor in [None, Some(&factor[..])] {
            let before = values(5, weight.len());
            let mut d_weight = before.clone();
            weight_gradient(&shape, &x, factor, &d_out, &mut d_weight, &mut scratch).unwrap();
            for (j, (after, before)) in d_weight.iter().zip(&before).enumerate() {
                let mut probe = vec![0.0; weight.len()];
                probe[j] = 1.0;
                let expected = dot(&by_loops(&shape, &x, factor, &probe), &d_out);
                assert!((after - before - expected).abs() < 1e-11, "{shape:?} {j}");
            }
        }
    }
}

struct Case {
    shape: ConvShape,
    x: Array4<f64>,
    weight: Array4<f64>,
    input_factor: Array3<f64>,
    output_factor: Array3<f64>,
    bias: ndarray::Array2<f64>,
    perturbation: Perturbation,
}

impl Case {
    fn new(shape: ConvShape, shared: bool, perturbation: Perturbation) -> Self {
        let (k, b) = (3, 2);
        let per = if shared { 1 } else { b };
        Self {
            shape,
            x: normals(1, (k * b, shape.height, shape.width, shape.c_in)),
            weight: normals(2, (shape.kernel.0, shape.kernel.1, shape.c_in, shape.c_out)),
            input_factor: normals(3, (k, per, shape.c_in)),
            output_factor: normals(4, (k, per, shape.c_out)),
            bias: normals(5, (k, shape.c_out)),
            perturbation,
        }
    }

    fn layer(&self) -> PerturbedConv2d<'_, f64> {
        PerturbedConv2d {
            shape: self.shape,
            weight: self.weight.view(),
            input_factor: Some(self.input_factor.view()),
            output_factor: Some(self.output_factor.view()),
            bias: Some(self.bias.view()),
            perturbation: self.perturbation,
            n_members: 3,
        }
    }
}

/// Small images, so that every coordinate can be moved.
fn small(shape: ConvShape) -> ConvShape {
    ConvShape { height: shape.height.min(5), width: shape.width.min(4), ..shape }
}

fn cases() -> impl Iterator<Item = Case> {
    let shapes = shapes().into_iter().map(small).filter(|shape| shape.check().is_ok());
    shapes.flat_map(|shape| {
        [
            (false, Perturbation::Multiplicative),
            (true, Perturbation::Multiplicative),
            (false, Perturbation::Additive),
        ]
        .map(|(shared, mode)| Case::new(shape, shared, mode))
    })
}

#[test]
fn the_reference_layer_equals_one_explicit_kernel_per_example() {
    for case in cases().filter(|case| case.perturbation == Perturbation::Multiplicative) {
        let got = case.layer().forward(case.x.view()).unwrap();
        for (r, y) in got.outer_iter().enumerate() {
            let (k, b) = (r / 2, r % 2 % case.input_factor.dim().1);
            let mut weight = case.weight.clone();
            for ((_, _, i, o), w) in weight.indexed_iter_mut() {
                *w *= case.input_factor[[k, b, i]] * case.output_factor[[k, b, o]];
            }
            let x: Vec<f64> = case.x.index_axis(ndarray::Axis(0), r).iter().copied().collect();
            let mut expected = by_loops(&case.shape, &x, None, weight.as_slice().unwrap());
            for (j, value) in expected.iter_mut().enumerate() {
                *value += case.bias[[k, j % case.shape.c_out]];
            }
            assert!(max_relative_error(y, &expected) < 1e-12, "{:?} row {r}", case.shape);
        }
    }
}

#[test]
fn an_additive_factor_leaves_the_padding_at_zero() {
    let shape = ConvShape { c_in: 1, c_out: 1, ..shapes()[0] };
    let mut case = Case::new(shape, false, Perturbation::Additive);
    case.x.fill(0.0);
    case.weight.fill(1.0);
    case.input_factor.fill(1.0);
    case.output_factor.fill(0.0);
    case.bias.fill(0.0);
    let y = case.layer().forward(case.x.view()).unwrap();
    // Four of nine kernel entries see the image at a corner, all nine inside.
    assert_eq!((y[[0, 0, 0, 0]], y[[0, 3, 2, 0]], y[[0, 0, 2, 0]]), (4.0, 9.0, 6.0));
}

#[test]
fn all_gradients_of_the_reference_layer_agree_with_central_differences() {
    for case in cases() {
        let y = case.layer().forward(case.x.view()).unwrap();
        let probe: Array4<f64> = normals(9, y.raw_dim());
        // A curved loss, so that the output's value matters.
        let loss = |layer: &PerturbedConv2d<'_, f64>, x: ndarray::ArrayView4<'_, f64>| -> f64 {
            let y = layer.forward(x).unwrap();
            y.iter().zip(&probe).map(|(y, p)| p * y + 0.1 * y * y).sum()
        };
        let grads = case.layer().backward(case.x.view(), (&probe + &(&y * 0.2)).view()).unwrap();
        let close = |got: &[f64], start: &[f64], at: &dyn Fn(&[f64]) -> f64, name: &str| {
            let error = max_relative_error(got, &central_differences(at, start));
            assert!(error < 1e-8, "{name} {:?} {:?}: {error}", case.shape, case.perturbation);
        };
        let layer = case.layer();
        let view4 =
            |p: &[f64], like: &Array4<f64>| Array4::from_shape_vec(like.raw_dim(), p.to_vec()).unwrap();
        let view3 =
            |p: &[f64], like: &Array3<f64>| Array3::from_shape_vec(like.raw_dim(), p.to_vec()).unwrap();
        close(
            grads.x.as_slice().unwrap(),
            case.x.as_slice().unwrap(),
            &|p| loss(&layer, view4(p, &case.x).view()),
            "x",
        );
        close(
            grads.weight.as_slice().unwrap(),
            case.weight.as_slice().unwrap(),
            &|p| {
                loss(
                    &PerturbedConv2d { weight: view4(p, &case.weight).view(), ..case.layer() },
                    case.x.view(),
                )
            },
            "weight",
        );
        close(
            grads.input_factor.unwrap().as_slice().unwrap(),
            case.input_factor.as_slice().unwrap(),
            &|p| {
                let factor = view3(p, &case.input_factor);
                loss(&PerturbedConv2d { input_factor: Some(factor.view()), ..case.layer() }, case.x.view())
            },
            "input_factor",
        );
        close(
            grads.output_factor.unwrap().as_slice().unwrap(),
            case.output_factor.as_slice().unwrap(),
            &|p| {
                let factor = view3(p, &case.output_factor);
                loss(&PerturbedConv2d { output_factor: Some(factor.view()), ..case.layer() }, case.x.view())
            },
            "output_factor",
        );
        close(
            grads.bias.unwrap().as_slice().unwrap(),
            case.bias.as_slice().unwrap(),
            &|p| {
                let bias = ndarray::Array2::from_shape_vec(case.bias.raw_dim(), p.to_vec()).unwrap();
                loss(&PerturbedConv2d { bias: Some(bias.view()), ..case.layer() }, case.x.view())
            },
            "bias",
        );
    }
}

fn all_passes<F: Real>(shape: &ConvShape, threads: usize) -> Vec<F> {
    let n = 11;
    let make = |seed, len: usize| normals::<F, _, _>(seed, len).to_vec();
    let (x, weight, factor) =
        (make(1, n * shape.in_len()), make(2, shape.weight_len()), make(3, n * shape.c_in));
    let d_out = make(4, n * shape.out_len());
    let (mut out, mut d_x, mut d_weight) = (d_out.clone(), x.clone(), weight.clone());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut scratch = ConvScratch::new();
        forward(shape, &x, Some(&factor), &weight, &mut out, &mut scratch).unwrap();
        input_gradient(shape, &d_out, &weight, &mut d_x, &mut scratch).unwrap();
        weight_gradient(shape, &x, Some(&factor), &d_out, &mut d_weight, &mut scratch).unwrap();
    });
    [out, d_x, d_weight].concat()
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    for shape in shapes() {
        let one = all_passes::<f32>(&shape, 1);
        for threads in [2, 3] {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&one), bits(&all_passes::<f32>(&shape, threads)), "{shape:?}");
        }
        let double = all_passes::<f64>(&shape, 2);
        let widened: Vec<f64> = one.iter().map(|v| v.wide()).collect();
        assert!(max_relative_error(&widened, &double) < 1e-5);
    }
}

#[test]
fn an_empty_batch_is_no_work_and_no_error() {
    let shape = shapes()[3];
    let mut scratch = ConvScratch::<f32>::new();
    let weight = vec![1.0; shape.weight_len()];
    forward(&shape, &[], None, &weight, &mut [], &mut scratch).unwrap();
    input_gradient(&shape, &[], &weight, &mut [], &mut scratch).unwrap();
    let mut d_weight = weight.clone();
    weight_gradient(&shape, &[], None, &[], &mut d_weight, &mut scratch).unwrap();
    assert_eq!(d_weight, weight);
}

#[test]
fn wrong_lengths_and_impossible_sizes_are_refused_by_name() {
    let shape = shapes()[0];
    let mut scratch = ConvScratch::<f32>::new();
    let (x, weight, factor) =
        (vec![0.0; 2 * shape.in_len()], vec![0.0; shape.weight_len()], vec![0.0; 2 * shape.c_in]);
    let mut out = vec![0.0; 2 * shape.out_len()];
    let mut refused = |x: &[f32], factor: &[f32], weight: &[f32], out: &mut [f32]| match forward(
        &shape,
        x,
        Some(factor),
        weight,
        out,
        &mut scratch,
    ) {
        Err(Error::ShapeMismatch { argument, .. }) => argument,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&x[1..], &factor, &weight, &mut out), "x");
    assert_eq!(refused(&x, &factor[1..], &weight, &mut out), "input_factor");
    assert_eq!(refused(&x, &factor, &weight[1..], &mut out), "weight");
    assert_eq!(refused(&x, &factor, &weight, &mut out[1..]), "out");
    for broken in [
        ConvShape { stride: (0, 1), ..shape },
        ConvShape { kernel: (3, 0), ..shape },
        ConvShape { dilation: (1, 0), ..shape },
        ConvShape { c_in: 0, ..shape },
        ConvShape { kernel: (9, 3), padding: Padding::Valid, ..shape },
    ] {
        assert!(matches!(broken.check(), Err(Error::OutOfRange { .. })), "{broken:?}");
        assert!(forward(&broken, &x, None, &weight, &mut out, &mut scratch).is_err());
    }
}
