//! Gradients of draw-and-scale, from noise that is drawn again.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{bounds, check_buffer_of, check_parameters, check_types_in, limits_of};
use super::fold::fold_rows;
use crate::kernels::scale_backward;
use crate::layout::Spread;
use crate::shape::{Plan, check_bytes};
use crate::{Draw, DrawShape, Error, ImageShape, ParameterGradients, Precision, ScaleGradients};

/// Products that one unit sums for each factor entry; a constant, so that the order is the same on every device.
const TERMS_PER_UNIT: usize = 16;

/// Gradients of [`super::scale_by_draw`] in one pass over the rows; neither factors nor their gradients are stored.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x`, `d_out` | `[K * batch_size, D]`, member-major | f32 |
/// | `location`, `scale` | `[K, D]`; scales as [`Draw::scale`] says | f32 |
/// | `shape.n_examples` | `batch_size`, or 1 for one draw shared by the batch | |
/// | returns `d_x` | `[K * batch_size, D]` | f32 |
/// | returns `d_location`, `d_scale` | `[K, D]` | f32 |
///
/// # Errors
/// As [`super::scale_by_draw`]; `d_out` is named too.
///
/// # Numerics
/// Sums as in [`super::draw_factors_backward`], runs of about 16 products in a fixed order and then 32 sums at a time; the
/// clip likewise passes no gradient of a factor that it cut. `d_x` uses the factor as it was cut.
///
/// # Source
/// Derivatives of `x * factor`, Dusenberry et al. 2020, arXiv:2005.07186, Eq. 1, with the noise held fixed.
pub fn scale_by_draw_backward(
    client: &Client,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
    d_out: &Handle,
) -> Result<ScaleGradients<Handle>, Error> {
    scale_by_draw_backward_in(client, Precision::F32, draw, shape, batch_size, x, location, scale, d_out)
}

/// Gradients of [`super::scale_by_draw_in`].
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x`, `d_out` | `[K * batch_size, D]`, member-major | the precision's |
/// | `location`, `scale` | `[K, D]`; scales as [`Draw::scale`] says | f32 |
/// | `shape.n_examples` | `batch_size`, or 1 for one draw shared by the batch | |
/// | returns `d_x` | `[K * batch_size, D]` | the precision's |
/// | returns `d_location`, `d_scale` | `[K, D]` | f32 |
///
/// # Errors
/// As [`super::scale_by_draw_in`]; `d_out` is named too.
///
/// # Numerics
/// As [`scale_by_draw_backward`] of the rounded `x` and `d_out`; products and sums are f32, `d_x` is rounded to the
/// precision once.
///
/// # Source
/// As [`scale_by_draw_backward`].
pub fn scale_by_draw_backward_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
    d_out: &Handle,
) -> Result<ScaleGradients<Handle>, Error> {
    let op = "scale_by_draw_backward";
    let spread = Spread::rows(op, shape, batch_size)?;
    backward(op, client, precision, draw, shape, spread, x, location, scale, d_out)
}

/// Gradients of [`super::scale_images_by_draw`] in one pass over the images.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x`, `d_out`, returns `d_x` | `[K * B, C, H, W]` or `[K * B, H, W, C]`, as `images.layout` says | f32 |
/// | `location`, `scale`, returns `d_location`, `d_scale` | `[K, C]`; `shape.width` is `C` | f32 |
///
/// # Errors
/// As [`scale_by_draw_backward`].
///
/// # Numerics
/// As [`scale_by_draw_backward`].
///
/// # Source
/// See [`super::scale_images_by_draw`].
pub fn scale_images_by_draw_backward(
    client: &Client,
    draw: &Draw,
    shape: DrawShape,
    images: ImageShape,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
    d_out: &Handle,
) -> Result<ScaleGradients<Handle>, Error> {
    scale_images_by_draw_backward_in(client, Precision::F32, draw, shape, images, x, location, scale, d_out)
}

/// Gradients of [`super::scale_images_by_draw_in`].
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x`, `d_out`, returns `d_x` | `[K * B, C, H, W]` or `[K * B, H, W, C]`, as `images.layout` says | the precision's |
/// | `location`, `scale`, returns `d_location`, `d_scale` | `[K, C]`; `shape.width` is `C` | f32 |
///
/// # Errors
/// As [`scale_by_draw_backward_in`].
///
/// # Numerics
/// As [`scale_by_draw_backward_in`].
///
/// # Source
/// See [`super::scale_images_by_draw`].
pub fn scale_images_by_draw_backward_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    images: ImageShape,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
    d_out: &Handle,
) -> Result<ScaleGradients<Handle>, Error> {
    let op = "scale_images_by_draw_backward";
    let spread = Spread::images(op, shape, images)?;
    backward(op, client, precision, draw, shape, spread, x, location, scale, d_out)
}

fn backward(
    op: &'static str,
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    spread: Spread,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
    d_out: &Handle,
) -> Result<ScaleGradients<Handle>, Error> {
    check_types_in(op, client, precision)?;
    let DrawShape { n_members, n_examples, width } = shape;
    let (elements, entry) = (spread.elements(), precision.bytes());
    // Several positions of one draw if it has them, otherwise several draws.
    let tiles = spread.positions.div_ceil(TERMS_PER_UNIT);
    let examples_per_unit = (TERMS_PER_UNIT / spread.positions).max(1);
    let n_partials = n_examples.div_ceil(examples_per_unit) * tiles;
    let (n_parameters, n_sums) = (n_members * width, n_members * n_partials * width);
    let (n_units, limits) = (n_members * n_partials * width.div_ceil(4), limits_of(client));
    let plan = Plan::new(op, (elements, entry), n_units, limits)?;
    check_bytes(op, (n_sums, 4), limits)?;
    check_buffer_of(op, client, "x", x, spread.shape(), entry)?;
    check_buffer_of(op, client, "d_out", d_out, spread.shape(), entry)?;
    check_parameters(op, client, shape, location, scale)?;
    let d_x = client.empty(entry * elements);
    let (d_location, d_scale) = (client.empty(4 * n_sums), client.empty(4 * n_sums));
    let (clip_min, clip_max) = bounds(draw.clip);
    // SAFETY: the checks proved that `x` and `d_out` hold `elements` entries of the precision's type, which the kernel is
    // compiled for, `location` and `scale` `n_parameters` floats; `d_x` was made with `elements` entries of that type, the
    // sums with `n_sums` floats. A unit returns unless its block belongs to one of the `n_members * n_partials` partial
    // sums, whose row it writes; examples stay below `n_examples`, positions below `spread.positions` and entries below
    // `width`, and `elements` is the product of these with the members. It is at most 2^31 and no other length is larger:
    // nothing wraps.
    unsafe {
        scale_backward::scale_backward::launch_unchecked(
            client,
            plan.count,
            plan.dim,
            BufferArg::from_raw_parts(x.clone(), elements),
            BufferArg::from_raw_parts(d_out.clone(), elements),
            BufferArg::from_raw_parts(location.clone(), n_parameters),
            BufferArg::from_raw_parts(scale.clone(), n_parameters),
            BufferArg::from_raw_parts(d_x.clone(), elements),
            BufferArg::from_raw_parts(d_location.clone(), n_sums),
            BufferArg::from_raw_parts(d_scale.clone(), n_sums),
            draw.key[0],
            draw.key[1],
            draw.step,
            draw.first_example,
            draw.first_member,
            n_members as u32,
            n_examples as u32,
            examples_per_unit as u32,
            width as u32,
            spread.positions as u32,
            tiles as u32,
            spread.plane as u32,
            clip_min,
            clip_max,
            spread.plane > 1,
            draw.form(),
            precision.stored(),
        );
    }
    let rows = (n_members, n_partials, width);
    let d_location = fold_rows(op, client, rows, d_location)?;
    let d_scale = fold_rows(op, client, rows, d_scale)?;
    Ok(ScaleGradients { d_x, parameters: ParameterGradients { d_location, d_scale } })
}
