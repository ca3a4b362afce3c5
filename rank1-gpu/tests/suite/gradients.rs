//! Gradients of draws and of draw-and-scale on a device against the host's, whose own tests are central differences.

use cubecl::client::Client;
use cubecl::server::Handle;
use rank1_gpu::{
    Clip, Draw, DrawShape, Error, NoiseKind, ParameterGradients, Precision, ScaleGradients, host, launch,
    transfer,
};

use super::halves::{assert_stored, halves, precisions};
use super::library::round;
use super::{KINDS, SHAPES, assert_close, draw, forms, parameters, shape, waves};

fn upload(client: &Client, values: &[f32]) -> Handle {
    transfer::upload(client, "test", values).unwrap()
}

#[track_caller]
pub(crate) fn assert_parameters_close(
    client: &Client,
    got: &ParameterGradients<Handle>,
    expected: &ParameterGradients<Vec<f64>>,
    what: &str,
) {
    let d_location = transfer::download(client, &got.d_location).unwrap();
    let d_scale = transfer::download(client, &got.d_scale).unwrap();
    assert_close(&d_location, &expected.d_location, &format!("d_location, {what}"));
    assert_close(&d_scale, &expected.d_scale, &format!("d_scale, {what}"));
}

fn check_draw(client: &Client, draw: &Draw, shape: DrawShape) {
    check_draw_in(client, Precision::F32, draw, shape);
}

fn check_draw_in(client: &Client, precision: Precision, draw: &Draw, shape: DrawShape) {
    let (location, scale) = parameters(shape);
    let d_factors = round(&waves(shape.n_members * shape.n_examples * shape.width), precision);
    let expected = host::draw_factors_backward(draw, shape, &location, &scale, &d_factors).unwrap();
    let (location, scale) = (upload(client, &location), upload(client, &scale));
    let d_factors = transfer::upload_as(client, "d_factors", &d_factors, precision).unwrap();
    let got = launch::draw_factors_backward_in(client, precision, draw, shape, &location, &scale, &d_factors)
        .unwrap();
    assert_parameters_close(client, &got, &expected, &format!("{precision:?} {draw:?} {shape:?}"));
}

pub(crate) fn gradients_of_draws_equal_the_host(client: &Client) {
    for draw in forms(NoiseKind::Normal) {
        SHAPES.into_iter().for_each(|axes| check_draw(client, &draw, shape(axes)));
    }
    for kind in KINDS {
        let draw = draw(kind, Some(Clip::REFERENCE));
        SHAPES.into_iter().for_each(|axes| check_draw(client, &draw, shape(axes)));
    }
}

pub(crate) fn gradients_of_draws_from_halves_equal_the_host(client: &Client) {
    for precision in halves(client) {
        for draw in forms(NoiseKind::Normal) {
            SHAPES.into_iter().for_each(|axes| check_draw_in(client, precision, &draw, shape(axes)));
        }
        check_draw_in(client, precision, &draw(NoiseKind::Normal, None), shape((2, 16 * 32 + 5, 3)));
    }
}

/// More examples than one unit sums, and more sums than one pass combines: 16 and 16 times 32, with remainders.
pub(crate) fn long_sums_over_examples_equal_the_host(client: &Client) {
    for n_examples in [16, 17, 16 * 32 + 5, 16 * 32 * 32 + 21] {
        check_draw(client, &draw(NoiseKind::Normal, None), shape((2, n_examples, 3)));
    }
}

fn device_scale_backward(
    client: &Client,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    values: [&[f32]; 4],
) -> ScaleGradients<Handle> {
    device_scale_backward_in(client, Precision::F32, draw, shape, batch_size, values)
}

fn device_scale_backward_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    [x, location, scale, d_out]: [&[f32]; 4],
) -> ScaleGradients<Handle> {
    let [x, d_out] = [x, d_out].map(|values| transfer::upload_as(client, "test", values, precision).unwrap());
    let [location, scale] = [location, scale].map(|values| upload(client, values));
    launch::scale_by_draw_backward_in(
        client, precision, draw, shape, batch_size, &x, &location, &scale, &d_out,
    )
    .unwrap()
}

fn check_scale(client: &Client, draw: &Draw, shape: DrawShape, batch_size: usize) {
    check_scale_in(client, Precision::F32, draw, shape, batch_size);
}

fn check_scale_in(client: &Client, precision: Precision, draw: &Draw, shape: DrawShape, batch_size: usize) {
    let (location, scale) = parameters(shape);
    let n = shape.n_members * batch_size * shape.width;
    let (x, d_out) = (round(&waves(n), precision), round(&waves(n + 1).split_off(1), precision));
    let expected =
        host::scale_by_draw_backward(draw, shape, batch_size, &x, &location, &scale, &d_out).unwrap();
    let values: [&[f32]; 4] = [&x, &location, &scale, &d_out];
    let got = device_scale_backward_in(client, precision, draw, shape, batch_size, values);
    let what = format!("{precision:?} {draw:?} {shape:?} {batch_size}");
    let d_x = transfer::download_as(client, &got.d_x, precision).unwrap();
    assert_stored(&d_x, &expected.d_x, precision, 1.0, &format!("d_x, {what}"));
    assert_parameters_close(client, &got.parameters, &expected.parameters, &what);
}

pub(crate) fn gradients_of_scaled_rows_equal_the_host(client: &Client) {
    for draw in forms(NoiseKind::Normal) {
        SHAPES.into_iter().for_each(|axes| check_scale(client, &draw, shape(axes), axes.1));
    }
    let cauchy = draw(NoiseKind::Cauchy, Some(Clip::REFERENCE));
    SHAPES.into_iter().for_each(|axes| check_scale(client, &cauchy, shape(axes), axes.1));
    check_scale(client, &draw(NoiseKind::Normal, None), shape((2, 16 * 32 + 5, 3)), 16 * 32 + 5);
}

pub(crate) fn gradients_of_a_shared_draw_equal_the_host(client: &Client) {
    for draw in forms(NoiseKind::Normal) {
        for (n_members, batch_size, width) in SHAPES {
            check_scale(client, &draw, DrawShape { n_members, n_examples: 1, width }, batch_size);
        }
    }
    check_scale(client, &draw(NoiseKind::Normal, None), shape((2, 1, 3)), 16 * 32 + 5);
}

pub(crate) fn gradients_of_scaled_halves_equal_the_host(client: &Client) {
    for precision in halves(client) {
        for draw in forms(NoiseKind::Normal) {
            for (n_members, batch_size, width) in SHAPES {
                let own = shape((n_members, batch_size, width));
                check_scale_in(client, precision, &draw, own, batch_size);
                check_scale_in(client, precision, &draw, DrawShape { n_examples: 1, ..own }, batch_size);
            }
        }
        let long = 16 * 32 + 5;
        check_scale_in(client, precision, &draw(NoiseKind::Normal, None), shape((2, long, 3)), long);
    }
}

/// The fused pass against the stored factors: gradients of factors made on the host, then the backward pass of draws.
pub(crate) fn fused_gradients_equal_those_through_stored_factors(client: &Client) {
    let shape = shape((3, 5, 31));
    let draw = draw(NoiseKind::Normal, Clip::new(0.75, 2.5).ok());
    let (location, scale) = parameters(shape);
    let (x, d_out) = (waves(465), waves(466).split_off(1));
    let fused = device_scale_backward(client, &draw, shape, 5, [&x, &location, &scale, &d_out]);
    let d_factors: Vec<f32> = x.iter().zip(&d_out).map(|(x, d)| x * d).collect();
    let [location, scale, d_factors] = [&location, &scale, &d_factors].map(|values| upload(client, values));
    let stored = launch::draw_factors_backward(client, &draw, shape, &location, &scale, &d_factors).unwrap();
    let wide = |buffer: &Handle| -> Vec<f64> {
        transfer::download(client, buffer).unwrap().into_iter().map(f64::from).collect()
    };
    let stored = ParameterGradients { d_location: wide(&stored.d_location), d_scale: wide(&stored.d_scale) };
    assert_parameters_close(client, &fused.parameters, &stored, "fused against stored");
}

pub(crate) fn gradients_repeat_bit_for_bit(client: &Client) {
    let shape = shape((3, 67, 13));
    let draw = draw(NoiseKind::Cauchy, None);
    let (location, scale) = parameters(shape);
    let x = waves(3 * 67 * 13);
    let run = || {
        let got = device_scale_backward(client, &draw, shape, 67, [&x, &location, &scale, &x]);
        [got.d_x, got.parameters.d_location, got.parameters.d_scale].map(|buffer| {
            let values = transfer::download(client, &buffer).unwrap();
            values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(), run());
}

/// A factor that was cut passes nothing on, not even NaN; any other passes NaN to its own entry alone.
pub(crate) fn nan_gradients_reach_their_entry_unless_the_factor_was_cut(client: &Client) {
    precisions(client).into_iter().for_each(|precision| check_nan_gradients(client, precision));
}

fn check_nan_gradients(client: &Client, precision: Precision) {
    let shape = shape((1, 1, 5));
    // Entries 0 and 1 are inside the bounds, entry 3 far above them, entry 2 has no scale that is a number.
    let (location, scale) = ([1.0, 1.0, 1.0, 50.0, 1.0], [0.1, 0.1, f32::NAN, 0.1, 0.1]);
    let draw = draw(NoiseKind::Normal, Some(Clip::REFERENCE));
    let d_out = [f32::NAN, 1.0, 1.0, f32::NAN, 1.0];
    let values: [&[f32]; 4] = [&[1.0; 5], &location, &scale, &d_out];
    let got = device_scale_backward_in(client, precision, &draw, shape, 1, values);
    let nan = |buffer: &Handle, precision| -> Vec<bool> {
        transfer::download_as(client, buffer, precision).unwrap().iter().map(|v| v.is_nan()).collect()
    };
    assert_eq!(nan(&got.d_x, precision), [true, false, true, true, false]);
    assert_eq!(nan(&got.parameters.d_location, Precision::F32), [true, false, false, false, false]);
    assert_eq!(nan(&got.parameters.d_scale, Precision::F32), [true, false, false, false, false]);
    let d_location = transfer::download(client, &got.parameters.d_location).unwrap();
    assert_eq!(d_location[1..], [1.0, 1.0, 0.0, 1.0]);
}

pub(crate) fn gradients_of_the_wrong_length_are_refused_by_name(client: &Client) {
    let (shape, draw) = (shape((3, 5, 7)), draw(NoiseKind::Normal, None));
    let [right, x, wrong] = [21, 105, 104].map(|n| upload(client, &vec![1.0; n]));
    let got = launch::draw_factors_backward(client, &draw, shape, &right, &right, &wrong);
    match got {
        Err(Error::ShapeMismatch { argument: "d_factors", expected, got: 104, .. }) => {
            assert_eq!(expected, [3, 5, 7]);
        }
        other => panic!("{other:?}"),
    }
    let got = launch::scale_by_draw_backward(client, &draw, shape, 5, &x, &right, &right, &wrong);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "d_out", got: 104, .. })), "{got:?}");
    let got = launch::scale_by_draw_backward(client, &draw, shape, 5, &wrong, &right, &right, &x);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "x", got: 104, .. })), "{got:?}");
    let got = launch::scale_by_draw_backward(client, &draw, shape, 4, &x, &right, &right, &x);
    assert!(matches!(got, Err(Error::BatchMismatch { n_examples: 5, batch_size: 4, .. })), "{got:?}");
}
