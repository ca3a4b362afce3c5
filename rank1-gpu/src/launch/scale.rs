//! Rows and images scaled by a draw that is never stored.
//!
//! Forward only; see `scale_backward` for the gradients.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{bounds, check_buffer_of, check_parameters, check_types_in, limits_of};
use crate::kernels::scale;
use crate::layout::Spread;
use crate::shape::Plan;
use crate::{Draw, DrawShape, Error, ImageShape, Precision};

/// Positions of one draw that a unit scales with the four factors it has drawn.
const POSITIONS_PER_UNIT: usize = 4;

/// Rows scaled by a draw that is never stored.
///
/// Equal to multiplying by [`super::draw_factors`] of the same `draw` and `shape`.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * batch_size, D]`, member-major | f32 |
/// | `location`, `scale` | `[K, D]`; scales as [`Draw::scale`] says | f32 |
/// | `shape.n_examples` | `batch_size`, or 1 for one draw shared by the batch | |
/// | returns | `[K * batch_size, D]` | f32 |
///
/// # Errors
/// [`Error::BatchMismatch`] if `shape.n_examples` is neither 1 nor `batch_size`, otherwise as [`super::draw_factors`].
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
    scale_by_draw_in(client, Precision::F32, draw, shape, batch_size, x, location, scale)
}

/// [`scale_by_draw`] of rows in a chosen precision; tf32 is f32 here.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * batch_size, D]`, member-major | the precision's |
/// | `location`, `scale` | `[K, D]`; scales as [`Draw::scale`] says | f32 |
/// | `shape.n_examples` | `batch_size`, or 1 for one draw shared by the batch | |
/// | returns | `[K * batch_size, D]` | the precision's |
///
/// # Errors
/// As [`scale_by_draw`]; [`Error::Unsupported`] names a type that the device lacks.
///
/// # Numerics
/// Factor and product are f32; the product is rounded to the precision once.
///
/// # Source
/// As [`scale_by_draw`].
pub fn scale_by_draw_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    let op = "scale_by_draw";
    let spread = Spread::rows(op, shape, batch_size)?;
    scale_spread(op, client, precision, draw, shape, spread, x, location, scale)
}

/// Images scaled channel by channel by a draw that is never stored.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, C, H, W]` or `[K * B, H, W, C]`, as `images.layout` says | f32 |
/// | `location`, `scale` | `[K, C]`; `shape.width` is `C` | f32 |
/// | `shape.n_examples` | `images.batch_size`, or 1 for one draw shared by the batch | |
/// | returns | the shape of `x` | f32 |
///
/// # Errors
/// As [`scale_by_draw`].
///
/// # Source
/// Convolutions of Dusenberry et al. 2020, arXiv:2005.07186, section 4: factors act on channels, alike at every pixel.
pub fn scale_images_by_draw(
    client: &Client,
    draw: &Draw,
    shape: DrawShape,
    images: ImageShape,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    scale_images_by_draw_in(client, Precision::F32, draw, shape, images, x, location, scale)
}

/// [`scale_images_by_draw`] of images in a chosen precision; tf32 is f32 here.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `x` | `[K * B, C, H, W]` or `[K * B, H, W, C]`, as `images.layout` says | the precision's |
/// | `location`, `scale` | `[K, C]`; `shape.width` is `C` | f32 |
/// | `shape.n_examples` | `images.batch_size`, or 1 for one draw shared by the batch | |
/// | returns | the shape of `x` | the precision's |
///
/// # Errors
/// As [`scale_by_draw_in`].
///
/// # Numerics
/// As [`scale_by_draw_in`].
///
/// # Source
/// As [`scale_images_by_draw`].
pub fn scale_images_by_draw_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    images: ImageShape,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    let op = "scale_images_by_draw";
    let spread = Spread::images(op, shape, images)?;
    scale_spread(op, client, precision, draw, shape, spread, x, location, scale)
}

fn scale_spread(
    op: &'static str,
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    spread: Spread,
    x: &Handle,
    location: &Handle,
    scale: &Handle,
) -> Result<Handle, Error> {
    check_types_in(op, client, precision)?;
    let DrawShape { n_members, n_examples, width } = shape;
    let (elements, tiles) = (spread.elements(), spread.positions.div_ceil(POSITIONS_PER_UNIT));
    let n_units = n_members * n_examples * tiles * width.div_ceil(4);
    let entry = precision.bytes();
    let plan = Plan::new(op, (elements, entry), n_units, limits_of(client))?;
    check_buffer_of(op, client, "x", x, spread.shape(), entry)?;
    check_parameters(op, client, shape, location, scale)?;
    let n_parameters = n_members * width;
    let out = client.empty(entry * elements);
    let (clip_min, clip_max) = bounds(draw.clip);
    // SAFETY: the checks proved that `x` holds `elements` entries of the precision's type, which the kernel is compiled
    // for, `location` and `scale` `n_parameters` floats; `out` was made with `elements` entries of that type, and `x` is
    // read where `out` is written. A unit returns unless its block belongs to one of the `n_members * n_examples` rows of
    // factors; positions stay below `spread.positions` and entries below `width`, and `elements` is the product of these
    // numbers, whatever the order of the axes. It is at most 2^31: nothing wraps.
    unsafe {
        scale::scale_by_draw::launch_unchecked(
            client,
            plan.count,
            plan.dim,
            BufferArg::from_raw_parts(x.clone(), elements),
            BufferArg::from_raw_parts(location.clone(), n_parameters),
            BufferArg::from_raw_parts(scale.clone(), n_parameters),
            BufferArg::from_raw_parts(out.clone(), elements),
            draw.key[0],
            draw.key[1],
            draw.step,
            draw.first_example,
            draw.first_member,
            (n_members * n_examples) as u32,
            n_examples as u32,
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
    Ok(out)
}
