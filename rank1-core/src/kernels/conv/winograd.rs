//! Convolutions with 3x3 kernels at stride 1 by 4 multiplications where the definition takes 9: Winograd's F(2x2, 3x3).
//!
//! An output tile of 2x2 positions comes from 16 products of channels, one for each place of a transformed 4x4 patch. In single
//! precision with vectors only. Not for weight gradients, which sum over positions.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::direct::by_image_mut;
use super::patches::{Images, pad};
use crate::conv::ConvShape;
use crate::kernels::partition::{CHUNKS, ranges, share, split_mut};
use crate::kernels::product::{Block, Left, Operand, Packed, Target, as_rows};
use crate::kernels::scratch::AlignedBuffer;
use crate::kernels::simd::{arch, f32_lanes, vectorized};

/// Places of a transformed patch.
const PLACES: usize = 16;
/// Values of the transformed patches and products of a block: about what a core's second cache holds beside the weight.
const BLOCK: usize = 1 << 17;

/// Buffers of the transformed convolution, kept between steps.
#[derive(Debug, Clone, Default)]
pub(super) struct WinogradScratch {
    lanes: Vec<WinogradLane>,
    /// Transformed weight, `[16, C_in, C_out]`.
    weight: AlignedBuffer,
    /// The same as the products read it, one buffer for each place.
    packed: [AlignedBuffer; PLACES],
}

/// Buffers of one chunk of output lines.
#[derive(Debug, Clone, Default)]
struct WinogradLane {
    padded: Vec<f32>,
    /// Transformed patches `[16, tiles, C_in]`.
    patches: AlignedBuffer,
    /// Their products `[16, tiles, C_out]`.
    products: AlignedBuffer,
}

/// Vectors of channels from which on fewer multiplications are worth the transformations (measured: `cargo xtask bench conv`).
const LEAST_VECTORS: usize = 4;

/// Whether this way is taken: whole vectors of channels, enough of them, and whole tiles of positions.
pub(super) fn fits(shape: &ConvShape) -> bool {
    let (lanes, (out_height, out_width)) = (f32_lanes(), shape.out_size());
    lanes > 1
        && (shape.kernel, shape.stride, shape.dilation) == ((3, 3), (1, 1), (1, 1))
        && shape.c_in.min(shape.c_out) >= LEAST_VECTORS * lanes
        && shape.c_in.is_multiple_of(lanes)
        && shape.c_out.is_multiple_of(2 * lanes)
        && out_height.is_multiple_of(2)
        && out_width.is_multiple_of(2)
}

/// `out`: all output lines of all images, overwritten.
///
/// # Source
/// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4.1.
pub(super) fn convolve(
    images: Images<'_, f32>,
    weight: &[f32],
    out: &mut [f32],
    scratch: &mut WinogradScratch,
) {
    let shape = images.shape;
    let (out_height, out_width) = shape.out_size();
    let area = shape.c_in * shape.c_out;
    let WinogradScratch { lanes, weight: transformed, packed } = scratch;
    let transformed = transformed.fit(PLACES * area);
    vectorized(|| transform_weight(weight, area, transformed));
    for (packed, weight) in packed.iter_mut().zip(transformed.chunks_exact(area)) {
        // Whole vectors of channels fill whole panels: as many values as the weight has.
        Packed::new(Operand::new(weight, shape.c_out), packed, true);
    }
    let packed: [&[f32]; PLACES] = std::array::from_fn(|place| packed[place].kept(area));
    // Two output lines to a line of tiles.
    let pair_len = 2 * out_width * shape.c_out;
    let pairs = out.len() / pair_len;
    let block = (BLOCK / PLACES / (shape.c_in + shape.c_out) / (out_width / 2)).max(1);
    lanes.resize_with(CHUNKS, WinogradLane::default);
    let parts = split_mut(out, pair_len, ranges(pairs, CHUNKS));
    share(ranges(pairs, CHUNKS).zip(parts).zip(lanes), |((range, out), lane)| {
        let WinogradLane { padded, patches, products } = lane;
        for ((image, pairs), own) in by_image_mut(range, out_height / 2, out, pair_len) {
            let x = pad(images, image, padded);
            for (number, out) in own.chunks_mut(block * pair_len).enumerate() {
                let first = pairs.start + number * block;
                let pairs = first..first + out.len() / pair_len;
                let tiles = pairs.len() * out_width / 2;
                let patches = patches.fit(PLACES * tiles * shape.c_in);
                let products = products.fit(PLACES * tiles * shape.c_out);
                arch().dispatch(Tiles { shape, x, pairs, weight: &packed, patches, products, out });
            }
        }
    });
}

/// `G g Gᵀ` for every pair of channels: from `[3, 3, area]` to `[4, 4, area]`.
#[inline(always)]
fn transform_weight(weight: &[f32], area: usize, out: &mut [f32]) {
    let mut from = [[&weight[..0]; 3]; 3];
    for (index, plane) in weight.chunks_exact(area).enumerate() {
        from[index / 3][index % 3] = &plane[..area];
    }
    // Rows or columns of three values to four.
    let spread = |[a, b, c]: [f32; 3]| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
    for (y, rows) in out.chunks_exact_mut(4 * area).enumerate() {
        for (x, plane) in rows.chunks_exact_mut(area).enumerate() {
            for (i, value) in plane.iter_mut().enumerate() {
                let columns = [0, 1, 2].map(|c| spread([from[0][c][i], from[1][c][i], from[2][c][i]])[y]);
                *value = spread(columns)[x];
            }
        }
    }
}

/// Some lines of tiles of one image.
struct Tiles<'a> {
    shape: &'a ConvShape,
    /// The padded image.
    x: &'a [f32],
    pairs: Range<usize>,
    /// The packed weight of every place.
    weight: &'a [&'a [f32]; PLACES],
    patches: &'a mut [f32],
    products: &'a mut [f32],
    out: &'a mut [f32],
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, x, pairs, weight, patches, products, out } = self;
        let (c_in, c_out) = (shape.c_in, shape.c_out);
        let tiles = patches.len() / PLACES / c_in;
        transform_patches(simd, shape, x, pairs, patches);
        let planes = patches.chunks_exact(tiles * c_in).zip(products.chunks_exact_mut(tiles * c_out));
        for ((patches, products), panels) in planes.zip(weight) {
            let (left, target) = (Left::Rows(patches), Target::Rows(as_rows(products, c_out)));
            Block { left, panels, inner: c_in, columns: c_out, adds: false, target }.with_simd(simd);
        }
        transform_products(simd, shape, products, out);
    }
}

/// `Bᵀ d B` for every patch and channel.
#[inline(always)]
fn transform_patches<S: Simd>(
    simd: S,
    shape: &ConvShape,
    x: &[f32],
    pairs: Range<usize>,
    patches: &mut [f32],
) {
    let (c, tiles_per_line) = (shape.c_in, shape.out_size().1 / 2);
    let row_len = shape.padded_width() * c;
    let plane_len = patches.len() / PLACES;
    for (line, pair) in pairs.enumerate() {
        let x = &x[2 * pair * row_len..][..4 * row_len];
        let rows = [&x[..row_len], &x[row_len..2 * row_len], &x[2 * row_len..3 * row_len], &x[3 * row_len..]];
        for tile in 0..tiles_per_line {
            for channel in (0..c).step_by(S::F32_LANES) {
                let mut columns = [[simd.splat_f32s(0.0); 4]; 4];
                for (column, values) in columns.iter_mut().enumerate() {
                    for (value, row) in values.iter_mut().zip(rows) {
                        *value = load::<S>(row, (2 * tile + column) * c + channel);
                    }
                    *values = spread_patch::<S>(simd, *values);
                }
                let at = (line * tiles_per_line + tile) * c + channel;
                for y in [0, 1, 2, 3] {
                    let row = [columns[0][y], columns[1][y], columns[2][y], columns[3][y]];
                    for (column, value) in spread_patch::<S>(simd, row).into_iter().enumerate() {
                        store::<S>(patches, (4 * y + column) * plane_len + at, value);
                    }
                }
            }
        }
    }
}

/// `Aᵀ m A` for every tile and channel.
#[inline(always)]
fn transform_products<S: Simd>(simd: S, shape: &ConvShape, products: &[f32], out: &mut [f32]) {
    let (c, out_width) = (shape.c_out, shape.out_size().1);
    let plane_len = products.len() / PLACES;
    for (line, out) in out.chunks_exact_mut(2 * out_width * c).enumerate() {
        for tile in 0..out_width / 2 {
            for channel in (0..c).step_by(S::F32_LANES) {
                let at = (line * out_width / 2 + tile) * c + channel;
                let mut columns = [[simd.splat_f32s(0.0); 2]; 4];
                for (column, values) in columns.iter_mut().enumerate() {
                    let mut places = [simd.splat_f32s(0.0); 4];
                    for (y, value) in places.iter_mut().enumerate() {
                        *value = load::<S>(products, (4 * y + column) * plane_len + at);
                    }
                    *values = gather::<S>(simd, places);
                }
                for y in [0, 1] {
                    let row = [columns[0][y], columns[1][y], columns[2][y], columns[3][y]];
                    for (column, value) in gather::<S>(simd, row).into_iter().enumerate() {
                        store::<S>(out, (y * out_width + 2 * tile + column) * c + channel, value);
                    }
                }
            }
        }
    }
}

/// Rows or columns of `Bᵀ`.
#[inline(always)]
fn spread_patch<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    [simd.sub_f32s(a, c), simd.add_f32s(b, c), simd.sub_f32s(c, b), simd.sub_f32s(b, d)]
}

/// Rows or columns of `Aᵀ`.
#[inline(always)]
fn gather<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
    let (sum, difference) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    [simd.add_f32s(a, sum), simd.sub_f32s(difference, d)]
}

#[inline(always)]
fn load<S: Simd>(values: &[f32], start: usize) -> S::f32s {
    S::as_simd_f32s(&values[start..start + S::F32_LANES]).0[0]
}

#[inline(always)]
fn store<S: Simd>(values: &mut [f32], start: usize, value: S::f32s) {
    S::as_mut_simd_f32s(&mut values[start..start + S::F32_LANES]).0[0] = value;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{ConvScratch, forward, input_gradient};
    use super::*;
    use crate::conv::Padding;
    use crate::testkit::normals;

    fn shapes() -> impl Iterator<Item = ConvShape> {
        let sizes = [(2, 2), (4, 6), (10, 22), (32, 32), (8, 8)];
        let channels = [(64, 64), (80, 64), (64, 96), (96, 64), (112, 160)];
        sizes.into_iter().zip(channels).flat_map(|((height, width), (c_in, c_out))| {
            [(Padding::Same, 0), (Padding::Valid, 2)].map(|(padding, border)| ConvShape {
                height: height + border,
                width: width + border,
                c_in,
                c_out,
                kernel: (3, 3),
                stride: (1, 1),
                dilation: (1, 1),
                padding,
            })
        })
    }

    #[test]
    fn transformed_patches_give_the_convolution() {
        let n = 3;
        for shape in shapes() {
            assert!(f32_lanes() == 1 || fits(&shape), "{shape:?}");
            let single = [n * shape.in_len(), shape.weight_len(), n * shape.c_in];
            let single = single.map(|len| normals::<f32, _, _>(len as u64, len).to_vec());
            let double = single.clone().map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
            let [mut out, mut d_x] = [n * shape.out_len(), n * shape.in_len()].map(|len| vec![f32::NAN; len]);
            let [mut exact, mut exact_d_x] = [out.len(), d_x.len()].map(|len| vec![f64::NAN; len]);
            let (mut scratch, mut reference) = (ConvScratch::new(), ConvScratch::new());
            forward(&shape, &single[0], Some(&single[2]), &single[1], &mut out, &mut scratch).unwrap();
            forward(&shape, &double[0], Some(&double[2]), &double[1], &mut exact, &mut reference).unwrap();
            let d_out: Vec<f64> = out.iter().map(|&value| value.into()).collect();
            input_gradient(&shape, &out, &single[1], &mut d_x, &mut scratch).unwrap();
            input_gradient(&shape, &d_out, &double[1], &mut exact_d_x, &mut reference).unwrap();
            for (single, exact) in [(&out, &exact), (&d_x, &exact_d_x)] {
                let size = exact.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
                let far = single.iter().zip(exact).map(|(&s, e)| (f64::from(s) - e).abs() / size);
                assert!(far.fold(0.0, f64::max) < 2e-6, "{shape:?}");
            }
        }
    }
}
