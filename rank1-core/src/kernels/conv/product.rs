//! The shared-weight convolution of a batch of images and its two gradients, as matrix products on patches.
//!
//! Not for output factors and biases, which are single passes over the output; see [`crate::conv::PerturbedConv2d`].

use super::direct::{self, DirectScratch};
use super::patches::{Images, Lane, crop, scatter_line};
use super::tile::Tile;
use super::winograd::{self, WinogradScratch};
use crate::conv::ConvShape;
use crate::error::check_len;
use crate::kernels::partition::{CHUNKS, ranges, share, split_mut};
use crate::kernels::product::{Operand, Packed, multiply, multiply_packed};
use crate::kernels::scratch::{AlignedBuffer, add_in_order, fit};
use crate::{Error, Real};

/// Output positions of one product: enough to pay for packing the weight, few enough for the patches to stay in cache.
const BLOCK_ROWS: usize = 256;

/// Buffers of a convolution, kept by the caller between steps; any shape may follow any other.
///
/// Holds up to eight blocks of patches, each of about 256 output positions (at least one line), eight images and, after
/// [`weight_gradient`], eight copies of the weight. Nothing grows with the number of images.
#[derive(Debug, Clone)]
pub struct ConvScratch<F> {
    lanes: Vec<Lane<F>>,
    /// Flipped and transposed weight.
    weight: Vec<F>,
    /// Weight as the products read it.
    packed: AlignedBuffer,
    direct: DirectScratch,
    winograd: WinogradScratch,
}

impl<F> Default for ConvScratch<F> {
    fn default() -> Self {
        let (direct, winograd) = (DirectScratch::default(), WinogradScratch::default());
        Self { lanes: Vec::new(), weight: Vec::new(), packed: AlignedBuffer::default(), direct, winograd }
    }
}

impl<F: Real> ConvScratch<F> {
    /// Empty buffers; they grow at their first use.
    pub fn new() -> Self {
        Self::default()
    }

    fn lanes(&mut self) -> &mut [Lane<F>] {
        prepared(&mut self.lanes)
    }
}

fn prepared<F: Real>(lanes: &mut Vec<Lane<F>>) -> &mut [Lane<F>] {
    lanes.resize_with(CHUNKS, Lane::default);
    lanes.iter_mut().for_each(Lane::forget_image);
    lanes
}

/// Convolves every image with the shared weight (a cross-correlation, as in every neural-network library).
///
/// # Shapes
/// `x`: `[N, H, W, C_in]`, `input_factor`: `[N, C_in]`, multiplied in before the zero padding, `weight`:
/// `[kernel_h, kernel_w, C_in, C_out]`, `out`: `[N, OH, OW, C_out]`, overwritten.
///
/// # Errors
/// [`Error::ShapeMismatch`] names the slice whose length does not fit, [`Error::OutOfRange`] a size of `shape`.
///
/// # Numerics
/// Sums run in the element type and in an order that does not depend on the number of threads.
///
/// # Source
/// Definition; patches as rows of a matrix, so that the product is one matrix multiplication per block.
pub fn forward<F: Real>(
    shape: &ConvShape,
    x: &[F],
    input_factor: Option<&[F]>,
    weight: &[F],
    out: &mut [F],
    scratch: &mut ConvScratch<F>,
) -> Result<(), Error> {
    const OP: &str = "conv::forward";
    shape.check()?;
    let n = whole_images(OP, "x", x.len(), shape.in_len())?;
    check_factor(OP, shape, n, input_factor)?;
    check_len(OP, "weight", weight.len(), shape.weight_len())?;
    check_len(OP, "out", out.len(), n * shape.out_len())?;
    let ConvScratch { lanes, packed, direct, winograd, .. } = scratch;
    convolve(Images { shape, x, factor: input_factor }, weight, out, (lanes, packed, direct, winograd));
    Ok(())
}

/// Gradient with respect to the images that [`forward`] multiplies with the weight, hence after the input factor.
///
/// # Shapes
/// `d_out`: `[N, OH, OW, C_out]`, `weight`: `[kernel_h, kernel_w, C_in, C_out]`, `d_x`: `[N, H, W, C_in]`, overwritten.
///
/// # Errors
/// As [`forward`].
///
/// # Source
/// Transpose of the linear map [`forward`]: at stride 1 a convolution with the flipped kernel, else patches summed back, as in
/// single precision where the input channels do not fill vectors.
pub fn input_gradient<F: Real>(
    shape: &ConvShape,
    d_out: &[F],
    weight: &[F],
    d_x: &mut [F],
    scratch: &mut ConvScratch<F>,
) -> Result<(), Error> {
    const OP: &str = "conv::input_gradient";
    shape.check()?;
    let n = whole_images(OP, "d_out", d_out.len(), shape.out_len())?;
    check_len(OP, "weight", weight.len(), shape.weight_len())?;
    check_len(OP, "d_x", d_x.len(), n * shape.in_len())?;
    let single = F::as_f32(d_out).is_some();
    let worth = |shape: &ConvShape| !single || Tile::of(shape).is_some_and(|tile| tile.fills(shape.c_out));
    if let Some(transposed) = shape.transposed().filter(worth) {
        let ConvScratch { lanes, weight: flipped, packed, direct, winograd } = scratch;
        let flipped = fit(flipped, weight.len());
        flip(shape, weight, flipped);
        let images = Images { shape: &transposed, x: d_out, factor: None };
        convolve(images, flipped, d_x, (lanes, packed, direct, winograd));
        return Ok(());
    }
    let (out_height, out_width) = shape.out_size();
    let (width, line_len) = (shape.patch_len(), out_width * shape.c_out);
    let parts = split_mut(d_x, shape.in_len(), ranges(n, CHUNKS));
    let weight = Packed::new(Operand::new(weight, shape.c_out).transposed(), &mut scratch.packed, true);
    let lanes = prepared(&mut scratch.lanes);
    share(ranges(n, CHUNKS).zip(parts).zip(lanes), |((images, d_x), lane)| {
        let first = images.start * out_height;
        let padded = fit(&mut lane.padded, shape.padded_len());
        for (start, end) in blocks(first, images.end * out_height, out_width) {
            let rows = (end - start) * out_width;
            let patches = fit(&mut lane.patches, rows * width);
            let d_out = Operand::new(&d_out[start * line_len..end * line_len], shape.c_out);
            multiply_packed(d_out, weight, false, patches, &mut lane.product.left, false);
            for (line, patches) in (start..end).zip(patches.chunks_exact(out_width * width)) {
                let (image, line) = ((line - first) / out_height, (line - first) % out_height);
                if line == 0 {
                    padded.fill(F::zero());
                }
                scatter_line(shape, patches, line, padded);
                if line + 1 == out_height {
                    crop(shape, padded, &mut d_x[image * shape.in_len()..(image + 1) * shape.in_len()]);
                }
            }
        }
    });
    Ok(())
}

/// Adds the gradient with respect to the weight to `d_weight`.
///
/// # Shapes
/// `x`, `input_factor`: as given to [`forward`], `d_out`: `[N, OH, OW, C_out]`, `d_weight`:
/// `[kernel_h, kernel_w, C_in, C_out]`, added to.
///
/// # Errors
/// As [`forward`].
///
/// # Numerics
/// Output lines are split into eight chunks by their index; the chunks' sums are added in order.
///
/// # Source
/// Chain rule on [`forward`].
pub fn weight_gradient<F: Real>(
    shape: &ConvShape,
    x: &[F],
    input_factor: Option<&[F]>,
    d_out: &[F],
    d_weight: &mut [F],
    scratch: &mut ConvScratch<F>,
) -> Result<(), Error> {
    const OP: &str = "conv::weight_gradient";
    shape.check()?;
    let n = whole_images(OP, "x", x.len(), shape.in_len())?;
    check_factor(OP, shape, n, input_factor)?;
    check_len(OP, "d_out", d_out.len(), n * shape.out_len())?;
    check_len(OP, "d_weight", d_weight.len(), shape.weight_len())?;
    let images = Images { shape, x, factor: input_factor };
    if let (Some(tile), Some(images), Some(d_out), Some(d_weight)) =
        (Tile::of(shape), images.as_f32(), F::as_f32(d_out), F::as_f32_mut(d_weight))
    {
        direct::weight_gradient(tile, images, d_out, d_weight, &mut scratch.direct);
        return Ok(());
    }
    let (out_height, out_width) = shape.out_size();
    let line_len = out_width * shape.c_out;
    let lines = n * out_height;
    let lanes = scratch.lanes();
    let used = lines.min(CHUNKS);
    share(ranges(lines, CHUNKS).zip(lanes.iter_mut()), |(range, lane)| {
        let mut partial = std::mem::take(&mut lane.partial);
        let sum = fit(&mut partial, shape.weight_len());
        let mut product = std::mem::take(&mut lane.product);
        let mut adds = false;
        for (start, end) in blocks(range.start, range.end, out_width) {
            let d_out = Operand::new(&d_out[start * line_len..end * line_len], shape.c_out);
            let patches = Operand::new(patches_of(images, start, end, lane), shape.patch_len());
            multiply(patches.transposed(), d_out, adds, sum, &mut product, false);
            adds = true;
        }
        (lane.partial, lane.product) = (partial, product);
    });
    add_in_order(d_weight, lanes[..used].iter().map(|lane| &lane.partial[..]));
    Ok(())
}

fn convolve<F: Real>(
    images: Images<'_, F>,
    weight: &[F],
    out: &mut [F],
    (lanes, packed, direct, winograd): (
        &mut Vec<Lane<F>>,
        &mut AlignedBuffer,
        &mut DirectScratch,
        &mut WinogradScratch,
    ),
) {
    let shape = images.shape;
    if let (Some(tile), Some(images), Some(weight)) = (Tile::of(shape), images.as_f32(), F::as_f32(weight))
        && let Some(out) = F::as_f32_mut(out)
    {
        if winograd::fits(shape) {
            winograd::convolve(images, weight, out, winograd);
        } else {
            direct::convolve(tile, images, weight, out, direct);
        }
        return;
    }
    let lanes = prepared(lanes);
    let (out_height, out_width) = shape.out_size();
    let line_len = out_width * shape.c_out;
    let lines = images.x.len() / shape.in_len() * out_height;
    let weight = Packed::new(Operand::new(weight, shape.c_out), packed, true);
    let parts = split_mut(out, line_len, ranges(lines, CHUNKS));
    share(ranges(lines, CHUNKS).zip(parts).zip(lanes), |((range, out), lane)| {
        for (start, end) in blocks(range.start, range.end, out_width) {
            let mut left = std::mem::take(&mut lane.product.left);
            let patches = Operand::new(patches_of(images, start, end, lane), shape.patch_len());
            let out = &mut out[(start - range.start) * line_len..(end - range.start) * line_len];
            multiply_packed(patches, weight, false, out, &mut left, false);
            lane.product.left = left;
        }
    });
}

/// Patches of output lines `start..end`: the images themselves where each patch is one pixel.
fn patches_of<'a, F: Real>(
    images: Images<'a, F>,
    start: usize,
    end: usize,
    lane: &'a mut Lane<F>,
) -> &'a [F] {
    if images.factor.is_none() && images.shape.is_pointwise() {
        let line_len = images.shape.width * images.shape.c_in;
        return &images.x[start * line_len..end * line_len];
    }
    lane.gather(images, start..end)
}

/// Lines `first..end` in groups of about [`BLOCK_ROWS`] output positions.
fn blocks(first: usize, end: usize, out_width: usize) -> impl Iterator<Item = (usize, usize)> {
    let step = BLOCK_ROWS.div_ceil(out_width);
    (first..end).step_by(step).map(move |start| (start, end.min(start + step)))
}

/// `[kernel_h, kernel_w, C_in, C_out]` to `[kernel_h, kernel_w, C_out, C_in]` with both kernel axes reversed.
fn flip<F: Real>(shape: &ConvShape, weight: &[F], flipped: &mut [F]) {
    let area = shape.c_in * shape.c_out;
    for (from, to) in weight.chunks_exact(area).rev().zip(flipped.chunks_exact_mut(area)) {
        for (o, row) in to.chunks_exact_mut(shape.c_in).enumerate() {
            for (i, value) in row.iter_mut().enumerate() {
                *value = from[i * shape.c_out + o];
            }
        }
    }
}

fn whole_images(op: &'static str, argument: &'static str, len: usize, per: usize) -> Result<usize, Error> {
    check_len(op, argument, len, len / per * per)?;
    Ok(len / per)
}

fn check_factor<F>(op: &'static str, shape: &ConvShape, n: usize, factor: Option<&[F]>) -> Result<(), Error> {
    factor.map_or(Ok(()), |factor| check_len(op, "input_factor", factor.len(), n * shape.c_in))
}
