//! The fused perturbed linear map and its backward pass against the host's loops.

use cubecl::client::Client;
use rank1_gpu::{Activation, Error, FactorRows, LayerGrads, LinearShape, Perturbation, launch, transfer};

use super::assert_close;
use super::layers::{Lengths, Numbers, Variant, assert_grads_close, download_grads, values};
use super::oracle;

pub(super) const fn shape(n_members: usize, batch_size: usize, d_in: usize, d_out: usize) -> LinearShape {
    LinearShape { n_members, batch_size, d_in, d_out }
}

pub(super) const SMALL: LinearShape = shape(3, 5, 7, 11);

/// Odd primes and each axis at 1, every kind of tile, depths of one slice and of several, rows cut into parts and chunks.
const SHAPES: [LinearShape; 11] = [
    shape(1, 5, 7, 11),
    shape(3, 1, 7, 11),
    shape(3, 5, 1, 11),
    shape(3, 5, 7, 1),
    shape(1, 1, 1, 1),
    shape(17, 5, 13, 19),
    shape(2, 37, 67, 71),
    shape(2, 5, 37, 83),
    shape(5, 19, 35, 16),
    shape(1, 523, 3, 521),
    shape(1, 1031, 5, 7),
];

pub(crate) fn what_fits_is_told_before_there_are_buffers(client: &Client) {
    let rows = Some(FactorRows::PerExample);
    assert!(launch::linear_fits(client, SMALL, rows, Some(FactorRows::PerMember), true).is_ok());
    let empty = launch::linear_fits(client, shape(3, 0, 7, 11), None, None, false);
    assert!(matches!(empty, Err(Error::Empty { axis: "batch_size", .. })), "{empty:?}");
    let floats = usize::try_from(client.properties().memory.max_page_size / 4).unwrap();
    let large = launch::linear_fits(client, shape(1, floats / 1024 + 1, 1024, 1), rows, None, false);
    assert!(matches!(large, Err(Error::OverLimit { .. })), "{large:?}");
}

pub(super) fn numbers(variant: &Variant, shape: LinearShape) -> Numbers {
    let LinearShape { n_members, batch_size, d_in, d_out } = shape;
    variant.numbers(Lengths { n_members, batch_size, c_in: d_in, c_out: d_out, weight: d_in * d_out })
}

pub(super) fn n_rows(shape: LinearShape) -> usize {
    shape.n_members * shape.batch_size
}

fn device_forward(
    client: &Client,
    variant: &Variant,
    numbers: &Numbers,
    shape: LinearShape,
    x: &[f32],
) -> Vec<f32> {
    let x = transfer::upload(client, "x", x).unwrap();
    let y = variant
        .on_device(client, numbers, |layer| launch::perturbed_linear(client, shape, layer, &x).unwrap());
    transfer::download(client, &y).unwrap()
}

fn device_backward(
    client: &Client,
    variant: &Variant,
    numbers: &Numbers,
    shape: LinearShape,
    x: &[f32],
    grad_y: &[f32],
) -> LayerGrads<Vec<f32>> {
    let x = transfer::upload(client, "x", x).unwrap();
    let grad_y = transfer::upload(client, "grad_y", grad_y).unwrap();
    let grads = variant.on_device(client, numbers, |layer| {
        let y = launch::perturbed_linear(client, shape, layer, &x).unwrap();
        launch::perturbed_linear_backward(client, shape, layer, &x, &y, &grad_y).unwrap()
    });
    download_grads(client, &grads)
}

fn check_forward(client: &Client, variant: &Variant, shape: LinearShape) {
    let numbers = numbers(variant, shape);
    let x = values(n_rows(shape) * shape.d_in, 0.3);
    let expected = oracle::perturbed_linear(shape, &variant.host(&numbers), &x);
    let got = device_forward(client, variant, &numbers, shape, &x);
    assert_close(&got, &expected, &format!("{variant:?} {shape:?}"));
}

fn check_backward(client: &Client, variant: &Variant, numbers: &Numbers, shape: LinearShape) {
    let x = values(n_rows(shape) * shape.d_in, 0.3);
    let grad_y = values(n_rows(shape) * shape.d_out, 0.7);
    let expected = oracle::perturbed_linear_backward(shape, &variant.host(numbers), &x, &grad_y);
    let got = device_backward(client, variant, numbers, shape, &x, &grad_y);
    assert_grads_close(&got, &expected, &format!("{variant:?} {shape:?}"));
}

pub(crate) fn linear_outputs_equal_the_host_for_every_kind_of_layer(client: &Client) {
    for variant in Variant::all() {
        check_forward(client, &variant, SMALL);
    }
}

pub(crate) fn linear_outputs_equal_the_host_at_every_shape(client: &Client) {
    for shape in SHAPES {
        check_forward(client, &Variant::FULL, shape);
        let shared = Some(FactorRows::PerMember);
        check_forward(
            client,
            &Variant { input_factor: shared, output_factor: shared, ..Variant::FULL },
            shape,
        );
    }
}

pub(crate) fn linear_gradients_equal_the_host_for_every_kind_of_layer(client: &Client) {
    for variant in Variant::all() {
        check_backward(client, &variant, &numbers(&variant, SMALL), SMALL);
    }
}

pub(crate) fn linear_gradients_equal_the_host_at_every_shape(client: &Client) {
    for shape in SHAPES {
        let shared = Some(FactorRows::PerMember);
        let variant = Variant { input_factor: shared, output_factor: shared, ..Variant::FULL };
        check_backward(client, &variant, &numbers(&variant, shape), shape);
    }
}

/// Where the factor is 0 the product cannot be had from the outputs.
pub(crate) fn gradients_of_factors_that_are_zero_equal_the_host(client: &Client) {
    let variant = Variant { activation: Activation::Identity, ..Variant::FULL };
    let mut numbers = numbers(&variant, SMALL);
    numbers.output_factor.fill(0.0);
    numbers.input_factor.iter_mut().step_by(2).for_each(|factor| *factor = 0.0);
    let x = values(n_rows(SMALL) * SMALL.d_in, 0.3);
    let grads = oracle::perturbed_linear_backward(
        SMALL,
        &variant.host(&numbers),
        &x,
        &values(n_rows(SMALL) * SMALL.d_out, 0.7),
    );
    assert!(grads.output_factor.unwrap().iter().any(|grad| grad.abs() > 0.1));
    check_backward(client, &variant, &numbers, SMALL);
}

/// The weight's gradient is summed over parts of the rows, the bias's over chunks.
pub(crate) fn gradients_summed_in_parts_repeat_to_the_bit(client: &Client) {
    let shape = shape(1, 1031, 5, 7);
    let numbers = numbers(&Variant::FULL, shape);
    let (x, grad_y) = (values(1031 * 5, 0.3), values(1031 * 7, 0.7));
    let run = || device_backward(client, &Variant::FULL, &numbers, shape, &x, &grad_y);
    let bits = |grads: LayerGrads<Vec<f32>>| -> Vec<u32> {
        let all = [grads.x, grads.weight, grads.bias.unwrap(), grads.input_factor.unwrap()];
        all.concat().into_iter().map(f32::to_bits).collect()
    };
    assert_eq!(bits(run()), bits(run()));
}

pub(crate) fn nan_reaches_the_outputs_of_its_row_alone(client: &Client) {
    for activation in [Activation::Identity, Activation::Relu, Activation::Tanh] {
        let variant = Variant { activation, ..Variant::FULL };
        let mut x = values(n_rows(SMALL) * SMALL.d_in, 0.3);
        x[4 * SMALL.d_in + 3] = f32::NAN;
        let y = device_forward(client, &variant, &numbers(&variant, SMALL), SMALL, &x);
        for (row, y) in y.chunks(SMALL.d_out).enumerate() {
            assert!(y.iter().all(|y| y.is_nan() == (row == 4)), "{activation:?} {row}: {y:?}");
        }
    }
}

pub(crate) fn nan_gradients_reach_everything_they_touch(client: &Client) {
    let numbers = numbers(&Variant::FULL, SMALL);
    let x = values(n_rows(SMALL) * SMALL.d_in, 0.3);
    // The output must be one that the ReLU lets through.
    let y = device_forward(client, &Variant::FULL, &numbers, SMALL, &x);
    let at = 4 * SMALL.d_out + y[4 * SMALL.d_out..5 * SMALL.d_out].iter().position(|y| *y > 0.0).unwrap();
    let mut grad_y = values(n_rows(SMALL) * SMALL.d_out, 0.7);
    grad_y[at] = f32::NAN;
    let got = device_backward(client, &Variant::FULL, &numbers, SMALL, &x, &grad_y);
    for (row, grad) in got.x.chunks(SMALL.d_in).enumerate() {
        assert!(grad.iter().all(|grad| grad.is_nan() == (row == 4)), "{row}: {grad:?}");
    }
    for (i, grad) in got.weight.iter().enumerate() {
        assert_eq!(grad.is_nan(), i % SMALL.d_out == at % SMALL.d_out, "{i}");
    }
    // Row 4 belongs to member 0.
    let bias = got.bias.unwrap();
    assert_eq!(bias.iter().position(|grad| grad.is_nan()), Some(at % SMALL.d_out));
    assert_eq!(got.output_factor.unwrap().iter().position(|grad| grad.is_nan()), Some(at));
}

pub(crate) fn linear_arguments_of_the_wrong_length_are_refused_by_name(client: &Client) {
    let variant = Variant { perturbation: Perturbation::Additive, ..Variant::FULL };
    let right = numbers(&variant, SMALL);
    let upload = |n: usize| transfer::upload(client, "values", &vec![1.0; n]).unwrap();
    let (x, y) = (upload(15 * 7), upload(15 * 11));
    let refused = |numbers: &Numbers, name: &str| {
        variant.on_device(client, numbers, |layer| {
            let forward = launch::perturbed_linear(client, SMALL, layer, &x);
            assert!(
                matches!(forward, Err(Error::ShapeMismatch { argument, .. }) if argument == name),
                "{name}: {forward:?}"
            );
            let backward = launch::perturbed_linear_backward(client, SMALL, layer, &x, &y, &y);
            assert!(
                matches!(backward, Err(Error::ShapeMismatch { argument, .. }) if argument == name),
                "{name}: {backward:?}"
            );
        });
    };
    refused(&Numbers { weight: vec![1.0; 78], ..right.clone() }, "weight");
    refused(&Numbers { input_factor: vec![1.0; 21], ..right.clone() }, "input_factor");
    refused(&Numbers { output_factor: vec![1.0; 33], ..right.clone() }, "output_factor");
    refused(&Numbers { bias: vec![1.0; 11], ..right.clone() }, "bias");
    variant.on_device(client, &right, |layer| {
        let got = launch::perturbed_linear(client, SMALL, layer, &y);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "x", got: 165, .. })), "{got:?}");
        let got = launch::perturbed_linear_backward(client, SMALL, layer, &x, &x, &y);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "y", got: 105, .. })), "{got:?}");
        let got = launch::perturbed_linear_backward(client, SMALL, layer, &x, &y, &x);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "grad_y", got: 105, .. })), "{got:?}");
        for (empty, name) in [
            (LinearShape { n_members: 0, ..SMALL }, "n_members"),
            (LinearShape { batch_size: 0, ..SMALL }, "batch_size"),
            (LinearShape { d_in: 0, ..SMALL }, "d_in"),
            (LinearShape { d_out: 0, ..SMALL }, "d_out"),
        ] {
            let got = launch::perturbed_linear(client, empty, layer, &x);
            assert!(matches!(got, Err(Error::Empty { axis, .. }) if axis == name), "{got:?}");
        }
        let huge = LinearShape { n_members: 1 << 20, batch_size: 1 << 20, ..SMALL };
        let got = launch::perturbed_linear(client, huge, layer, &x);
        assert!(matches!(got, Err(Error::OverLimit { .. })), "{got:?}");
    });
}
