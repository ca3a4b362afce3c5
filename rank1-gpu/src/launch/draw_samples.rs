//! Factors of several samples, each from a draw of its own.
//!
//! In f32 alone.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{check_buffer, check_parameters, check_types, limits_of};
use super::draw::draw_rows;
use super::draw_backward::draw_rows_backward;
use super::parts::Total;
use crate::shape::{check_axes, check_bytes};
use crate::{Draw, DrawShape, Error, ParameterGradients, Precision};

/// [`super::draw_factors`] once for every draw, the samples behind each other.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `draws` | S | |
/// | `shape` | of one sample, `[K, n_examples, D]` | |
/// | `location`, `scale` | `[K, D]`, the same for all samples | f32 |
/// | returns | `[S, K, n_examples, D]` | f32 |
///
/// # Errors
/// As [`super::draw_factors`], also if there are no `draws`; before anything is launched.
///
/// # Numerics
/// As [`super::draw_factors`].
///
/// # Source
/// As [`super::draw_factors`]; samples of one posterior are independent, and their draws differ in the key of the stream.
pub fn draw_samples(
    client: &Client,
    draws: &[Draw],
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    let op = "draw_samples";
    let elements = check(op, client, draws, shape, [location, scale])?;
    let out = client.empty(4 * elements);
    for (draw, first_row) in draws.iter().zip(first_rows(shape)) {
        draw_rows(op, client, Precision::F32, draw, shape, [location, scale], (&out, first_row))?;
    }
    Ok(out)
}

/// Gradients of [`draw_samples`], from noise that is drawn again.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `draws`, `shape`, `location`, `scale` | as [`draw_samples`] | |
/// | `d_factors` | `[S, K, n_examples, D]` | f32 |
/// | returns `d_location`, `d_scale` | `[K, D]` | f32 |
///
/// # Errors
/// As [`draw_samples`]; `d_factors` is named too.
///
/// # Numerics
/// Of a sample as [`super::draw_factors_backward`]; the samples are added in their order.
///
/// # Source
/// As [`super::draw_factors_backward`].
pub fn draw_samples_backward(
    client: &Client,
    draws: &[Draw],
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
    d_factors: &Handle,
) -> Result<ParameterGradients<Handle>, Error> {
    let op = "draw_samples_backward";
    check(op, client, draws, shape, [location, scale])?;
    let DrawShape { n_members, n_examples, width } = shape;
    check_buffer(op, client, "d_factors", d_factors, &[draws.len(), n_members, n_examples, width])?;
    let [mut d_location, mut d_scale] = [(); 2].map(|()| Total::new(n_members * width));
    for (draw, first_row) in draws.iter().zip(first_rows(shape)) {
        let (parameters, rows) = ([location, scale], (d_factors, first_row));
        let got = draw_rows_backward(op, client, Precision::F32, draw, shape, parameters, rows)?;
        d_location.take(op, client, got.d_location, 0, first_row == 0)?;
        d_scale.take(op, client, got.d_scale, 0, first_row == 0)?;
    }
    Ok(ParameterGradients { d_location: d_location.finish(), d_scale: d_scale.finish() })
}

/// The first row of each sample.
fn first_rows(shape: DrawShape) -> impl Iterator<Item = usize> {
    (0..).step_by(shape.n_members * shape.n_examples)
}

/// Number of entries of all samples, which the device can hold.
fn check(
    op: &'static str,
    client: &Client,
    draws: &[Draw],
    shape: DrawShape,
    [location, scale]: [&Handle; 2],
) -> Result<usize, Error> {
    check_types(op, client)?;
    let of_sample = shape.elements(op)?;
    let elements = check_axes(op, &[("draws", draws.len()), ("a sample", of_sample)])?;
    check_bytes(op, (elements, 4), limits_of(client))?;
    shape.plan(op, 4, limits_of(client))?;
    check_parameters(op, client, shape, location, scale)?;
    Ok(elements)
}
