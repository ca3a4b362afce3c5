//! Factors drawn on the device, and the integers behind them.
//!
//! Forward only; see `draw_backward` for the gradients.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{bounds, check_parameters, check_rows, check_types, check_types_in, limits_of};
use crate::kernels::{draw, stream};
use crate::shape::Plan;
use crate::{Draw, DrawShape, Error, Precision};

/// Factors of every member and example: `clip(location + scale * noise)`, or of its exponential for the log-normal family.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `location`, `scale` | `[K, D]`; scales as [`Draw::scale`] says | f32 |
/// | returns | `[K, n_examples, D]` | f32 |
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`], [`Error::ForeignBuffer`];
/// all before the launch. Locations and scales are not looked at: NaN passes through.
///
/// # Numerics
/// Within 1e-5 (1 + |value|) of the same in f64 for scales up to 1. Softplus and log-normal draws rely on the
/// device's exponential, which WGSL allows `3 + 2 |x|` units in the last place; a log-normal factor is as exact as that.
///
/// # Source
/// Reparameterized draws of the posterior, Dusenberry et al. 2020, arXiv:2005.07186, section 3; `softplus(raw) + 1e-7` is
/// the reference code's constraint.
pub fn draw_factors(
    client: &Client,
    draw: &Draw,
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    draw_factors_in(client, Precision::F32, draw, shape, location, scale)
}

/// [`draw_factors`] stored in a chosen precision; tf32 is f32 here.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `location`, `scale` | `[K, D]`; scales as [`Draw::scale`] says | f32 |
/// | returns | `[K, n_examples, D]` | the precision's |
///
/// # Errors
/// As [`draw_factors`]; [`Error::Unsupported`] names a type that the device lacks.
///
/// # Numerics
/// Drawn and cut in f32, then rounded to the precision once: a bound of a clip is rounded too.
///
/// # Source
/// As [`draw_factors`].
pub fn draw_factors_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    let op = "draw_factors";
    check_types_in(op, client, precision)?;
    let plan = shape.plan(op, precision.bytes(), limits_of(client))?;
    check_parameters(op, client, shape, location, scale)?;
    let out = client.empty(precision.bytes() * plan.elements);
    draw_rows(op, client, precision, draw, shape, [location, scale], (&out, 0))?;
    Ok(out)
}

/// Draws into the rows of a buffer from `first_row` on; the types were checked.
pub(super) fn draw_rows(
    op: &'static str,
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    [location, scale]: [&Handle; 2],
    (out, first_row): (&Handle, usize),
) -> Result<(), Error> {
    let plan = shape.plan(op, precision.bytes(), limits_of(client))?;
    check_parameters(op, client, shape, location, scale)?;
    let n_parameters = shape.n_members * shape.width;
    let n_stored = check_rows(op, (out, precision.bytes()), first_row * shape.width, plan.elements);
    let (clip_min, clip_max) = bounds(draw.clip);
    // SAFETY: `check_parameters` proved that `location` and `scale` hold `n_parameters` floats and `check_rows` that `out` holds
    // at least `first_row * width + plan.elements` entries of the precision's type, which the kernel is compiled for. A unit
    // returns unless its block lies in one of the `n_rows` rows and skips entries at or behind `width`, so positions stay below
    // `(first_row + n_rows) * width`, which is that number, and, by member, below `n_parameters`; none wraps, because
    // `check_rows` bounds them by 2^31.
    unsafe {
        draw::draw_factors::launch_unchecked(
            client,
            plan.count,
            plan.dim,
            BufferArg::from_raw_parts(location.clone(), n_parameters),
            BufferArg::from_raw_parts(scale.clone(), n_parameters),
            BufferArg::from_raw_parts(out.clone(), n_stored),
            draw.key[0],
            draw.key[1],
            draw.step,
            draw.first_example,
            draw.first_member,
            first_row as u32,
            (shape.n_members * shape.n_examples) as u32,
            shape.n_examples as u32,
            shape.width as u32,
            clip_min,
            clip_max,
            draw.form(),
            precision.stored(),
        );
    }
    Ok(())
}

/// Whether the device takes [`draw_factors`] and its backward pass at this shape, asked before there are buffers.
///
/// For f32; what fits in f32 fits in a half, if the device has its type.
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`], as the launches would answer.
pub fn draw_fits(client: &Client, shape: DrawShape) -> Result<(), Error> {
    let op = "draw_fits";
    check_types(op, client)?;
    // The backward pass has fewer units and no larger buffer.
    shape.plan(op, 4, limits_of(client)).map(|_| ())
}

/// The random words behind a draw, for proofs that a device repeats the host's integers.
///
/// # Shapes
/// Returns `[K, n_examples, D]`, u32.
///
/// # Errors
/// [`Error::Empty`], [`Error::OverLimit`], [`Error::Unsupported`].
///
/// # Source
/// The contract in [`rank1_core::noise`].
pub fn stream_words(client: &Client, key: [u32; 2], step: u32, shape: DrawShape) -> Result<Handle, Error> {
    let op = "stream_words";
    check_types(op, client)?;
    let Plan { elements, count, dim } = shape.plan(op, 4, limits_of(client))?;
    let out = client.empty(4 * elements);
    // SAFETY: as in `draw_factors`; `out` is the only buffer and was made with `elements` words.
    unsafe {
        stream::fill_words::launch_unchecked(
            client,
            count,
            dim,
            BufferArg::from_raw_parts(out.clone(), elements),
            key[0],
            key[1],
            step,
            (shape.n_members * shape.n_examples) as u32,
            shape.n_examples as u32,
            shape.width as u32,
        );
    }
    Ok(out)
}
