//! Draw-and-scale of a device against the host's formula and against the two-pass way on the same device.

use cubecl::client::Client;
use rank1_gpu::{Clip, Draw, DrawShape, NoiseKind, host, launch, transfer};

use super::{KINDS, SHAPES, assert_close, draw, forms, parameters, shape, waves};

fn device_scale(client: &Client, draw: &Draw, shape: DrawShape, batch_size: usize, x: &[f32]) -> Vec<f32> {
    let (location, scale) = parameters(shape);
    let x = transfer::upload(client, "x", x).unwrap();
    let location = transfer::upload(client, "location", &location).unwrap();
    let scale = transfer::upload(client, "scale", &scale).unwrap();
    let out = launch::scale_by_draw(client, draw, shape, batch_size, &x, &location, &scale).unwrap();
    transfer::download(client, &out).unwrap()
}

fn check_against_host(client: &Client, draw: &Draw, shape: DrawShape, batch_size: usize) {
    let x = waves(shape.n_members * batch_size * shape.width);
    let (location, scale) = parameters(shape);
    let expected = host::scale_by_draw(draw, shape, batch_size, &x, &location, &scale).unwrap();
    let got = device_scale(client, draw, shape, batch_size, &x);
    assert_close(&got, &expected, &format!("{draw:?} {shape:?} {batch_size}"));
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

pub(crate) fn scaling_equals_multiplying_by_the_stored_draw(client: &Client) {
    let shape = shape((3, 5, 131));
    let draw = draw(NoiseKind::Normal, Some(Clip::REFERENCE));
    let x = waves(3 * 5 * 131);
    let (location, scale) = parameters(shape);
    let location = transfer::upload(client, "location", &location).unwrap();
    let scale = transfer::upload(client, "scale", &scale).unwrap();
    let factors = launch::draw_factors(client, &draw, shape, &location, &scale).unwrap();
    let factors = transfer::download(client, &factors).unwrap();
    let got = device_scale(client, &draw, shape, 5, &x);
    let two_pass: Vec<f64> = x.iter().zip(&factors).map(|(x, f)| f64::from(*x) * f64::from(*f)).collect();
    assert_close(&got, &two_pass, "fused against two passes");
}
