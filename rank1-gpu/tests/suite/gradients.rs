//! Gradients of draws on a device against the host's, whose own tests are central differences.

use cubecl::client::Client;
use cubecl::server::Handle;
use rank1_gpu::{Clip, Draw, DrawShape, Error, NoiseKind, ParameterGradients, Precision, launch, transfer};

use super::halves::{halves, precisions};
use super::library::round;
use super::oracle;
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
    let expected = oracle::draw_factors_backward(draw, shape, &location, &scale, &d_factors);
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

pub(crate) fn gradients_repeat_bit_for_bit(client: &Client) {
    let shape = shape((3, 67, 13));
    let draw = draw(NoiseKind::Cauchy, None);
    let (location, scale) = parameters(shape);
    let x = waves(3 * 67 * 13);
    let [location, scale, x] = [&location, &scale, &x].map(|values| upload(client, values));
    let run = || {
        let got = launch::draw_factors_backward(client, &draw, shape, &location, &scale, &x).unwrap();
        [got.d_location, got.d_scale].map(|buffer| {
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
    let [location, scale] = [location, scale].map(|values| upload(client, &values));
    let d_factors = [f32::NAN, 1.0, 1.0, f32::NAN, 1.0];
    let d_factors = transfer::upload_as(client, "d_factors", &d_factors, precision).unwrap();
    let got =
        launch::draw_factors_backward_in(client, precision, &draw, shape, &location, &scale, &d_factors)
            .unwrap();
    let [d_location, d_scale] =
        [got.d_location, got.d_scale].map(|buffer| transfer::download(client, &buffer).unwrap());
    let nan = |values: &[f32]| values.iter().map(|v| v.is_nan()).collect::<Vec<_>>();
    assert_eq!(nan(&d_location), [true, false, false, false, false]);
    assert_eq!(nan(&d_scale), [true, false, false, false, false]);
    assert_eq!(d_location[1..], [1.0, 1.0, 0.0, 1.0]);
}

pub(crate) fn gradients_of_the_wrong_length_are_refused_by_name(client: &Client) {
    let (shape, draw) = (shape((3, 5, 7)), draw(NoiseKind::Normal, None));
    let [right, wrong] = [21, 104].map(|n| upload(client, &vec![1.0; n]));
    let got = launch::draw_factors_backward(client, &draw, shape, &right, &right, &wrong);
    match got {
        Err(Error::ShapeMismatch { argument: "d_factors", expected, got: 104, .. }) => {
            assert_eq!(expected, [3, 5, 7]);
        }
        other => panic!("{other:?}"),
    }
}
