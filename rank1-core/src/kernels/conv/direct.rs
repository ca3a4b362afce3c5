//! Convolutions in single precision without patches: register tiles of output positions and channels on padded images.
//!
//! Taken where the machine has vectors with fused multiply-add and the output channels fill at least a quarter of them; all
//! else goes through the patches of [`super::product`]. Sums run in a fixed order per instruction set, whatever the number of threads.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::patches::{Images, pad};
use super::tile::Tile;
use crate::conv::ConvShape;
use crate::kernels::partition::{CHUNKS, ranges, share, split_mut};
use crate::kernels::scratch::{AlignedBuffer, add_in_order, fit};
use crate::kernels::simd::arch;

/// Buffers of the direct kernels, kept between steps.
#[derive(Debug, Clone, Default)]
pub(super) struct DirectScratch {
    lanes: Vec<DirectLane>,
    /// Weight in groups of the channels of one tile.
    packed: AlignedBuffer,
}

/// Buffers of one chunk of output lines.
#[derive(Debug, Clone, Default)]
struct DirectLane {
    padded: Vec<f32>,
    /// Gradient of some lines of one image in groups of the channels of one tile.
    d_out: AlignedBuffer,
    sum: Vec<f32>,
}

/// `out`: all output lines of all images, overwritten.
pub(super) fn convolve(
    tile: Tile,
    images: Images<'_, f32>,
    weight: &[f32],
    out: &mut [f32],
    scratch: &mut DirectScratch,
) {
    let shape = images.shape;
    let (out_height, out_width) = shape.out_size();
    let line_len = out_width * shape.c_out;
    let lines = out.len() / line_len;
    let packed = scratch.packed.fit(tile.packed_len(shape.patch_len(), shape.c_out));
    tile.pack(shape.c_out, weight, packed);
    scratch.lanes.resize_with(CHUNKS, DirectLane::default);
    let parts = split_mut(out, line_len, ranges(lines, CHUNKS));
    share(ranges(lines, CHUNKS).zip(parts).zip(&mut scratch.lanes), |((range, out), lane)| {
        for ((image, lines), own) in by_image_mut(range, out_height, out, line_len) {
            let x = pad(images, image, &mut lane.padded);
            arch().dispatch(Forward { shape, vectors: tile.vectors, x, lines, weight: packed, out: own });
        }
    });
}

/// Adds to `d_weight`; `d_out` holds all output lines of all images.
pub(super) fn weight_gradient(
    tile: Tile,
    images: Images<'_, f32>,
    d_out: &[f32],
    d_weight: &mut [f32],
    scratch: &mut DirectScratch,
) {
    let shape = images.shape;
    let (out_height, out_width) = shape.out_size();
    let line_len = out_width * shape.c_out;
    let lines = d_out.len() / line_len;
    scratch.lanes.resize_with(CHUNKS, DirectLane::default);
    let used = lines.min(CHUNKS);
    share(ranges(lines, CHUNKS).zip(&mut scratch.lanes), |(range, lane)| {
        let mut sum = std::mem::take(&mut lane.sum);
        fit(&mut sum, d_weight.len()).fill(0.0);
        for (image, lines) in by_image(range, out_height) {
            let first = image * out_height;
            let d_out = &d_out[(first + lines.start) * line_len..(first + lines.end) * line_len];
            let packed = lane.d_out.fit(tile.packed_len(d_out.len() / shape.c_out, shape.c_out));
            tile.pack(shape.c_out, d_out, packed);
            let x = pad(images, image, &mut lane.padded);
            let sum = &mut sum[..shape.weight_len()];
            arch().dispatch(Weight { shape, vectors: tile.vectors, x, lines, d_out: packed, sum });
        }
        lane.sum = sum;
    });
    add_in_order(d_weight, scratch.lanes[..used].iter().map(|lane| &lane.sum[..]));
}

/// Lines numbered through all images, as lines of single images.
fn by_image(lines: Range<usize>, height: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let images = lines.start / height..lines.end.div_ceil(height);
    images.map(move |image| {
        let first = image * height;
        (image, lines.start.max(first) - first..lines.end.min(first + height) - first)
    })
}

/// As [`by_image`], each with its part of the values of these lines.
pub(super) fn by_image_mut(
    lines: Range<usize>,
    height: usize,
    values: &mut [f32],
    line_len: usize,
) -> impl Iterator<Item = ((usize, Range<usize>), &mut [f32])> {
    let parts = split_mut(values, line_len, by_image(lines.clone(), height).map(|(_, lines)| lines));
    by_image(lines, height).zip(parts)
}

/// Some output lines of one image.
struct Forward<'a> {
    shape: &'a ConvShape,
    vectors: usize,
    /// The padded image.
    x: &'a [f32],
    lines: Range<usize>,
    /// The packed weight.
    weight: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Sums enough to hide the latency of multiply-add, and registers left for the operands.
        match (self.vectors, S::REGISTER_COUNT) {
            (2, ..32) => forward_lines::<S, 2, 4>(simd, self),
            (2, _) => forward_lines::<S, 2, 8>(simd, self),
            _ => forward_lines::<S, 1, 8>(simd, self),
        }
    }
}

#[inline(always)]
fn forward_lines<S: Simd, const V: usize, const P: usize>(simd: S, work: Forward<'_>) {
    let Forward { shape, x, lines, weight, out, .. } = work;
    let (channels, (_, out_width)) = (V * S::F32_LANES, shape.out_size());
    let (c_out, row_len) = (shape.c_out, shape.padded_width() * shape.c_in);
    let (step, run) = (shape.stride.1 * shape.c_in, shape.kernel.1 * shape.c_in);
    let reach = Reach { run, row: shape.dilation.0 * row_len, step };
    for (group, weight) in weight.chunks_exact(shape.patch_len() * channels).enumerate() {
        let (weight, _) = S::as_simd_f32s(weight);
        for (line, out) in lines.clone().zip(out.chunks_exact_mut(out_width * c_out)) {
            let (x, out) = (&x[line * shape.stride.0 * row_len..], &mut out[group * channels..]);
            let mut line = Line { x, out, c_out, channels: channels.min(c_out - group * channels) };
            for _ in 0..out_width / P {
                line.tile::<S, V, P>(simd, reach, weight);
            }
            match out_width % P {
                7 => line.tile::<S, V, 7>(simd, reach, weight),
                6 => line.tile::<S, V, 6>(simd, reach, weight),
                5 => line.tile::<S, V, 5>(simd, reach, weight),
                4 => line.tile::<S, V, 4>(simd, reach, weight),
                3 => line.tile::<S, V, 3>(simd, reach, weight),
                2 => line.tile::<S, V, 2>(simd, reach, weight),
                1 => line.tile::<S, V, 1>(simd, reach, weight),
                _ => {}
            }
        }
    }
}

/// Distances in a padded image.
#[derive(Clone, Copy)]
struct Reach {
    /// Values under one kernel row.
    run: usize,
    /// From one kernel row to the next.
    row: usize,
    /// From one output position to the next.
    step: usize,
}

/// What is left of an output line, and of the image from its first patch on.
struct Line<'a> {
    x: &'a [f32],
    /// From the first channel of the tiles on.
    out: &'a mut [f32],
    c_out: usize,
    /// Of this group.
    channels: usize,
}

impl Line<'_> {
    /// The next `P` positions of `V` vectors of channels, summed in registers over the whole patch.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const P: usize>(&mut self, simd: S, reach: Reach, weight: &[S::f32s]) {
        let mut sums = [[simd.splat_f32s(0.0); V]; P];
        for (ky, weight) in weight.chunks_exact(reach.run * V).enumerate() {
            let runs: [&[f32]; P] =
                std::array::from_fn(|p| &self.x[ky * reach.row + p * reach.step..][..reach.run]);
            for (i, weight) in (0..reach.run).zip(weight.chunks_exact(V)) {
                for p in 0..P {
                    let value = simd.splat_f32s(runs[p][i]);
                    for v in 0..V {
                        sums[p][v] = simd.mul_add_f32s(value, weight[v], sums[p][v]);
                    }
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            store(simd, &mut self.out[p * self.c_out..][..self.channels], sums);
        }
        // The last tile ends where the line does: nothing is left to step over.
        self.x = &self.x[(P * reach.step).min(self.x.len())..];
        let out = std::mem::take(&mut self.out);
        let end = (P * self.c_out).min(out.len());
        self.out = &mut out[end..];
    }
}

/// Writes as many values as `to` holds: all, or the first of a single vector.
#[inline(always)]
fn store<S: Simd, const V: usize>(simd: S, to: &mut [f32], values: &[S::f32s; V]) {
    if to.len() == V * S::F32_LANES {
        S::as_mut_simd_f32s(to).0.copy_from_slice(values);
    } else {
        simd.partial_store_f32s(to, values[0]);
    }
}

/// The share of some output lines of one image in the weight's gradient.
struct Weight<'a> {
    shape: &'a ConvShape,
    vectors: usize,
    /// The padded image.
    x: &'a [f32],
    lines: Range<usize>,
    /// Gradient of these lines, packed: `[groups of channels, lines * width, tile]`.
    d_out: &'a [f32],
    /// `[patch, C_out]`.
    sum: &'a mut [f32],
}

impl WithSimd for Weight<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.vectors, S::REGISTER_COUNT) {
            (2, ..32) => weight_rows::<S, 2, 6>(simd, self),
            (2, _) => weight_rows::<S, 2, 12>(simd, self),
            _ => weight_rows::<S, 1, 12>(simd, self),
        }
    }
}

#[inline(always)]
fn weight_rows<S: Simd, const V: usize, const C: usize>(simd: S, mut work: Weight<'_>) {
    let run = work.shape.kernel.1 * work.shape.c_in;
    for group in 0..work.shape.c_out.div_ceil(V * S::F32_LANES) {
        for ky in 0..work.shape.kernel.0 {
            let mut i = 0;
            while i + C <= run {
                weight_tile::<S, V, C>(simd, &mut work, group, ky, i);
                i += C;
            }
            while i + 6 <= run {
                weight_tile::<S, V, 6>(simd, &mut work, group, ky, i);
                i += 6;
            }
            match run - i {
                5 => weight_tile::<S, V, 5>(simd, &mut work, group, ky, i),
                4 => weight_tile::<S, V, 4>(simd, &mut work, group, ky, i),
                3 => weight_tile::<S, V, 3>(simd, &mut work, group, ky, i),
                2 => weight_tile::<S, V, 2>(simd, &mut work, group, ky, i),
                1 => weight_tile::<S, V, 1>(simd, &mut work, group, ky, i),
                _ => {}
            }
        }
    }
}

/// `C` rows of the gradient from value `i` of kernel row `ky`, summed in registers over all positions of the lines.
#[inline(always)]
fn weight_tile<S: Simd, const V: usize, const C: usize>(
    simd: S,
    work: &mut Weight<'_>,
    group: usize,
    ky: usize,
    i: usize,
) {
    let shape = work.shape;
    let (channels, (_, out_width)) = (V * S::F32_LANES, shape.out_size());
    let (c_out, row_len) = (shape.c_out, shape.padded_width() * shape.c_in);
    let step = shape.stride.1 * shape.c_in;
    let mut sums = [[simd.splat_f32s(0.0); V]; C];
    let group_len = work.lines.len() * out_width * channels;
    let d_out = &work.d_out[group * group_len..(group + 1) * group_len];
    for (line, d_out) in work.lines.clone().zip(d_out.chunks_exact(out_width * channels)) {
        let row = &work.x[(line * shape.stride.0 + ky * shape.dilation.0) * row_len..][i..];
        let (d_out, _) = S::as_simd_f32s(d_out);
        for (ox, d_out) in d_out.chunks_exact(V).enumerate() {
            let x = &row[ox * step..ox * step + C];
            for c in 0..C {
                let value = simd.splat_f32s(x[c]);
                for v in 0..V {
                    sums[c][v] = simd.mul_add_f32s(value, d_out[v], sums[c][v]);
                }
            }
        }
    }
    let first = ky * shape.kernel.1 * shape.c_in + i;
    for (c, mut sums) in sums.into_iter().enumerate() {
        let start = (first + c) * c_out + group * channels;
        let to = &mut work.sum[start..start + channels.min(c_out - group * channels)];
        for (sum, to) in sums.iter_mut().zip(to.chunks(S::F32_LANES)) {
            *sum = simd.add_f32s(simd.partial_load_f32s(to), *sum);
        }
        store(simd, to, &sums);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::shapes;
    use super::super::{ConvScratch, forward, input_gradient, weight_gradient};
    use crate::conv::ConvShape;
    use crate::testkit::normals;

    /// The shapes of all tests with output channels for one, two and three vectors of any width up to sixteen values, and
    /// for vectors that are filled in part.
    fn wide_shapes() -> impl Iterator<Item = ConvShape> {
        let wide = |shape: ConvShape, c_out| ConvShape { c_in: shape.c_in + 13, c_out, ..shape };
        let widths = [16, 6, 32, 17, 48, 4, 7, 37];
        shapes().into_iter().flat_map(move |shape| widths.map(|c_out| wide(shape, c_out)))
    }

    /// Largest difference beside the largest value.
    fn distance(single: &[f32], double: &[f64]) -> f64 {
        let size = double.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
        single.iter().zip(double).fold(0.0, |far: f64, (&s, d)| far.max((f64::from(s) - d).abs())) / size
    }

    #[test]
    fn register_tiles_in_single_precision_equal_patches_in_double() {
        let (mut scratch, mut reference) = (ConvScratch::new(), ConvScratch::new());
        for shape in wide_shapes() {
            let n = 5;
            let sizes = [n * shape.in_len(), shape.weight_len(), n * shape.c_in, n * shape.out_len()];
            let single: Vec<Vec<f32>> =
                (1..).zip(sizes).map(|(seed, len)| normals::<f32, _, _>(seed, len).to_vec()).collect();
            let double: Vec<Vec<f64>> =
                single.iter().map(|values| values.iter().map(|&x| x.into()).collect()).collect();

            let (mut out, mut exact) = (vec![f32::NAN; sizes[3]], vec![f64::NAN; sizes[3]]);
            forward(&shape, &single[0], Some(&single[2]), &single[1], &mut out, &mut scratch).unwrap();
            forward(&shape, &double[0], Some(&double[2]), &double[1], &mut exact, &mut reference).unwrap();
            assert!(distance(&out, &exact) < 2e-6, "{shape:?}");

            let (mut d_x, mut exact) = (vec![f32::NAN; sizes[0]], vec![f64::NAN; sizes[0]]);
            input_gradient(&shape, &single[3], &single[1], &mut d_x, &mut scratch).unwrap();
            input_gradient(&shape, &double[3], &double[1], &mut exact, &mut reference).unwrap();
            assert!(distance(&d_x, &exact) < 2e-6, "{shape:?}");

            let (mut d_weight, mut exact) = (single[1].clone(), double[1].clone());
            let factor = Some(&single[2][..]);
            weight_gradient(&shape, &single[0], factor, &single[3], &mut d_weight, &mut scratch).unwrap();
            let factor = Some(&double[2][..]);
            weight_gradient(&shape, &double[0], factor, &double[3], &mut exact, &mut reference).unwrap();
            assert!(distance(&d_weight, &exact) < 2e-6, "{shape:?}");
        }
    }
}
