//! Factors drawn on the device, rows scaled by a draw that is never stored, and the integers behind both.
//!
//! Forward only.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{bounds, check_buffer, check_parameters, check_types, limits_of};
use crate::kernels::{draw, scale, stream};
use crate::shape::Plan;
use crate::{Draw, DrawShape, Error};

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
/// Within 1e-5 (1 + |value|) of [`crate::host::draw_factors`] for scales up to 1. Softplus and log-normal draws rely on the
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
    let op = "draw_factors";
    check_types(op, client)?;
    let plan = shape.plan(op, limits_of(client))?;
    check_parameters(op, client, shape, location, scale)?;
    let n_parameters = shape.n_members * shape.width;
    let out = client.empty(4 * plan.elements);
    let (clip_min, clip_max) = bounds(draw.clip);
    // SAFETY: `check_parameters` proved that `location` and `scale` hold `n_parameters` floats and `out` was made with
    // `plan.elements`. A unit returns unless its block lies in one of the `n_rows` rows and skips entries at or behind
    // `width`, so positions stay below `n_rows * width = plan.elements` and, by member, below `n_parameters`; none
    // wraps, because `plan` bounds them by 2^31.
    unsafe {
        draw::draw_factors::launch_unchecked(
            client,
            plan.count,
            plan.dim,
            BufferArg::from_raw_parts(location.clone(), n_parameters),
            BufferArg::from_raw_parts(scale.clone(), n_parameters),
            BufferArg::from_raw_parts(out.clone(), plan.elements),
            draw.key[0],
            draw.key[1],
            draw.step,
            (shape.n_members * shape.n_examples) as u32,
            shape.n_examples as u32,
            shape.width as u32,
            clip_min,
            clip_max,
            draw.form(),
        );
    }
    Ok(out)
}

/// Rows scaled by a draw that is never stored.
///
/// Equal to multiplying by [`draw_factors`] of the same `draw` and `shape`.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * batch_size, D]`, member-major | f32 |
/// | `location`, `scale` | `[K, D]` | f32 |
/// | `shape.n_examples` | `batch_size`, or 1 for one draw shared by the batch | |
/// | returns | `[K * batch_size, D]` | f32 |
///
/// # Errors
/// [`Error::BatchMismatch`] if `shape.n_examples` is neither 1 nor `batch_size`, otherwise as [`draw_factors`].
///
/// # Source
/// The input side of a rank-1 layer, Dusenberry et al. 2020, arXiv:2005.07186, Eq. 1; the output side is the same
/// product with the output factor.
pub fn scale_by_draw(
    client: &Client,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    let op = "scale_by_draw";
    check_types(op, client)?;
    shape.check_batch(op, batch_size)?;
    let plan = shape.with_batch(batch_size).plan(op, limits_of(client))?;
    let n_rows = shape.n_members * batch_size;
    check_buffer(op, client, "x", x, &[n_rows, shape.width])?;
    check_parameters(op, client, shape, location, scale)?;
    let n_parameters = shape.n_members * shape.width;
    let out = client.empty(4 * plan.elements);
    let (clip_min, clip_max) = bounds(draw.clip);
    // SAFETY: as in `draw_factors`; `x` was checked to hold `plan.elements` floats and is read where `out` is written.
    unsafe {
        scale::scale_by_draw::launch_unchecked(
            client,
            plan.count,
            plan.dim,
            BufferArg::from_raw_parts(x.clone(), plan.elements),
            BufferArg::from_raw_parts(location.clone(), n_parameters),
            BufferArg::from_raw_parts(scale.clone(), n_parameters),
            BufferArg::from_raw_parts(out.clone(), plan.elements),
            draw.key[0],
            draw.key[1],
            draw.step,
            n_rows as u32,
            batch_size as u32,
            shape.n_examples as u32,
            shape.width as u32,
            clip_min,
            clip_max,
            draw.form(),
        );
    }
    Ok(out)
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
/// The contract in [`crate::philox`].
pub fn stream_words(client: &Client, key: [u32; 2], step: u32, shape: DrawShape) -> Result<Handle, Error> {
    let op = "stream_words";
    check_types(op, client)?;
    let Plan { elements, count, dim } = shape.plan(op, limits_of(client))?;
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
