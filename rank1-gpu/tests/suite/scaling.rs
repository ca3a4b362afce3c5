//! Draw-and-scale of a device against the host's formula and against the two-pass way on the same device.

use cubecl::client::Client;
use rank1_gpu::{Clip, Draw, DrawShape, NoiseKind, Precision, host, launch, transfer};

use super::halves::{assert_stored, halves};
use super::library::round;
use super::{KINDS, SHAPES, assert_close, draw, forms, parameters, shape, waves};

fn device_scale(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &[f32],
) -> Vec<f32> {
    let (location, scale) = parameters(shape);
    let x = transfer::upload_as(client, "x", x, precision).unwrap();
    let location = transfer::upload(client, "location", &location).unwrap();
    let scale = transfer::upload(client, "scale", &scale).unwrap();
    let out =
        launch::scale_by_draw_in(client, precision, draw, shape, batch_size, &x, &location, &scale).unwrap();
    transfer::download_as(client, &out, precision).unwrap()
}

fn check_against_host(client: &Client, draw: &Draw, shape: DrawShape, batch_size: usize) {
    check_against_host_in(client, Precision::F32, draw, shape, batch_size);
}

fn check_against_host_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
) {
    let x = round(&waves(shape.n_members * batch_size * shape.width), precision);
    let (location, scale) = parameters(shape);
    let expected = host::scale_by_draw(draw, shape, batch_size, &x, &location, &scale).unwrap();
    let got = device_scale(client, precision, draw, shape, batch_size, &x);
    assert_stored(&got, &expected, precision, 1.0, &format!("{draw:?} {shape:?} {batch_size}"));
}

pub(crate) fn scaled_rows_equal_the_host(client: &Client) {
    for kind in KINDS {
        for clip in [None, Some(Clip::REFERENCE)] {
            for shape in SHAPES.map(shape) {
                check_against_host(client, &draw(kind, clip), shape, shape.n_examples);
            }
        }
    }
}

pub(crate) fn rows_scaled_by_every_form_of_draw_equal_the_host(client: &Client) {
    for draw in forms(NoiseKind::Normal) {
        for shape in [(3, 5, 7), (17, 1, 13)].map(shape) {
            check_against_host(client, &draw, shape, shape.n_examples);
        }
    }
}

pub(crate) fn scaling_by_a_shared_draw_equals_the_host(client: &Client) {
    for (n_members, batch_size, width) in SHAPES {
        let shared = DrawShape { n_members, n_examples: 1, width };
        check_against_host(client, &draw(NoiseKind::Normal, None), shared, batch_size);
    }
}

pub(crate) fn rows_of_halves_scaled_equal_the_host(client: &Client) {
    for precision in halves(client) {
        for draw in
            forms(NoiseKind::Normal).into_iter().chain([draw(NoiseKind::Cauchy, Some(Clip::REFERENCE))])
        {
            for (n_members, n_examples, width) in SHAPES {
                let shape = shape((n_members, n_examples, width));
                check_against_host_in(client, precision, &draw, shape, n_examples);
                let shared = DrawShape { n_examples: 1, ..shape };
                check_against_host_in(client, precision, &draw, shared, n_examples);
            }
        }
        let mut x = vec![1.0; 105];
        x[41] = f32::NAN;
        let got = device_scale(client, precision, &draw(NoiseKind::Normal, None), shape((3, 5, 7)), 5, &x);
        let nan: Vec<usize> = (0..105).filter(|at| got[*at].is_nan()).collect();
        assert_eq!(nan, [41], "{precision:?}");
    }
}

pub(crate) fn scaling_equals_multiplying_by_the_stored_draw(client: &Client) {
    let shape = shape((3, 5, 131));
    let draw = draw(NoiseKind::Normal, Some(Clip::REFERENCE));
    let x = waves(3 * 5 * 131);
    let (location, scale) = parameters(shape);
    let location = transfer::upload(client, "location", &location).unwrap();
    let scale = transfer::upload(client, "scale", &scale).unwrap();
    let factors = launch::draw_factors(client, &draw, shape, &location, &scale).unwrap();
    let factors = transfer::download(client, &factors).unwrap();
    let got = device_scale(client, Precision::F32, &draw, shape, 5, &x);
    let two_pass: Vec<f64> = x.iter().zip(&factors).map(|(x, f)| f64::from(*x) * f64::from(*f)).collect();
    assert_close(&got, &two_pass, "fused against two passes");
}
