//! Gradients of factor draws, from noise that is drawn again.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::{bounds, check_buffer_of, check_parameters, check_rows, check_types_in, limits_of};
use super::fold::fold_rows;
use crate::kernels::draw_backward;
use crate::shape::{Plan, check_bytes};
use crate::{Draw, DrawShape, Error, ParameterGradients, Precision};

/// Examples that one unit sums; a constant, so that the order of a sum is the same on every device.
const EXAMPLES_PER_UNIT: usize = 16;

/// Gradients of locations and scale parameters from those of the factors of [`super::draw_factors`].
///
/// The noise is computed again from `draw`; nothing of the forward pass is needed but its parameters. A factor that the
/// clip cut passes nothing on, one inside the bounds or on them passes everything, as in rank1-core and in the reference
/// framework's own gradient of clipping.
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `location`, `scale` | `[K, D]` | f32 |
/// | `d_factors` | `[K, n_examples, D]` | f32 |
/// | returns `d_location`, `d_scale` | `[K, D]` | f32 |
///
/// # Errors
/// As [`super::draw_factors`]; `d_factors` is named too.
///
/// # Numerics
/// Summed over examples in f32: runs of 16 in their order, the runs by 32 in theirs. The order depends on the shape alone,
/// so that results repeat bit for bit on one device. NaN passes through, but not from a factor that was cut.
///
/// # Source
/// Derivative of the reparameterized draw with the noise held fixed, Dusenberry et al. 2020, arXiv:2005.07186, section 3.
pub fn draw_factors_backward(
    client: &Client,
    draw: &Draw,
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
    d_factors: &Handle,
) -> Result<ParameterGradients<Handle>, Error> {
    draw_factors_backward_in(client, Precision::F32, draw, shape, location, scale, d_factors)
}

/// Gradients of [`super::draw_factors_in`].
///
/// # Shapes
/// | value | shape | dtype |
/// | --- | --- | --- |
/// | `location`, `scale` | `[K, D]` | f32 |
/// | `d_factors` | `[K, n_examples, D]` | the precision's |
/// | returns `d_location`, `d_scale` | `[K, D]` | f32 |
///
/// # Errors
/// As [`super::draw_factors_in`]; `d_factors` is named too.
///
/// # Numerics
/// As [`draw_factors_backward`] of the rounded `d_factors`: everything is computed in f32.
///
/// # Source
/// As [`draw_factors_backward`].
pub fn draw_factors_backward_in(
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    location: &Handle,
    scale: &Handle,
    d_factors: &Handle,
) -> Result<ParameterGradients<Handle>, Error> {
    let op = "draw_factors_backward";
    check_types_in(op, client, precision)?;
    plan(op, client, precision, shape)?;
    let DrawShape { n_members, n_examples, width } = shape;
    let expected = [n_members, n_examples, width];
    check_buffer_of(op, client, "d_factors", d_factors, &expected, precision.bytes())?;
    draw_rows_backward(op, client, precision, draw, shape, [location, scale], (d_factors, 0))
}

fn plan(op: &'static str, client: &Client, precision: Precision, shape: DrawShape) -> Result<Plan, Error> {
    let DrawShape { n_members, n_examples, width } = shape;
    let elements = shape.elements(op)?;
    let n_chunks = n_examples.div_ceil(EXAMPLES_PER_UNIT);
    let (n_units, limits) = (n_members * n_chunks * width.div_ceil(4), limits_of(client));
    check_bytes(op, (n_members * n_chunks * width, 4), limits)?;
    Plan::new(op, (elements, precision.bytes()), n_units, limits)
}

/// Gradients of a draw from the rows of a buffer from `first_row` on; the types were checked.
pub(super) fn draw_rows_backward(
    op: &'static str,
    client: &Client,
    precision: Precision,
    draw: &Draw,
    shape: DrawShape,
    [location, scale]: [&Handle; 2],
    (d_factors, first_row): (&Handle, usize),
) -> Result<ParameterGradients<Handle>, Error> {
    let DrawShape { n_members, n_examples, width } = shape;
    let plan = plan(op, client, precision, shape)?;
    check_parameters(op, client, shape, location, scale)?;
    let n_chunks = n_examples.div_ceil(EXAMPLES_PER_UNIT);
    let (n_parameters, n_sums) = (n_members * width, n_members * n_chunks * width);
    let n_stored = check_rows(op, (d_factors, precision.bytes()), first_row * width, plan.elements);
    let (d_location, d_scale) = (client.empty(4 * n_sums), client.empty(4 * n_sums));
    let (clip_min, clip_max) = bounds(draw.clip);
    // SAFETY: the checks proved that `location` and `scale` hold `n_parameters` floats and `d_factors` at least
    // `first_row * width + plan.elements` entries of the precision's type, which the kernel is compiled for; the outputs were
    // made with `n_sums` floats. A unit returns unless its block lies in one of the `n_members * n_chunks` chunks; examples
    // stay below `n_examples` and entries below `width`, so positions stay below these lengths, which are at most 2^31, so
    // none wraps.
    unsafe {
        draw_backward::draw_backward::launch_unchecked(
            client,
            plan.count,
            plan.dim,
            BufferArg::from_raw_parts(location.clone(), n_parameters),
            BufferArg::from_raw_parts(scale.clone(), n_parameters),
            BufferArg::from_raw_parts(d_factors.clone(), n_stored),
            BufferArg::from_raw_parts(d_location.clone(), n_sums),
            BufferArg::from_raw_parts(d_scale.clone(), n_sums),
            draw.key[0],
            draw.key[1],
            draw.step,
            draw.first_example,
            draw.first_member,
            first_row as u32,
            n_members as u32,
            n_examples as u32,
            EXAMPLES_PER_UNIT as u32,
            width as u32,
            clip_min,
            clip_max,
            draw.form(),
            precision.stored(),
        );
    }
    let rows = (n_members, n_chunks, width);
    Ok(ParameterGradients {
        d_location: fold_rows(op, client, rows, d_location)?,
        d_scale: fold_rows(op, client, rows, d_scale)?,
    })
}
