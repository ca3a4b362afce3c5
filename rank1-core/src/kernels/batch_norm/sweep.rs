//! The two passes over a batch that normalization consists of: sums by channel, and an affine map by channel.

use pulp::{Simd, WithSimd};

use super::NormShape;
use crate::Real;
use crate::kernels::partition::{CHUNKS, ranges, share};
use crate::kernels::simd::arch;

/// A row's result and the two rows behind it.
pub(super) struct Lines<'a, F> {
    pub(super) out: &'a mut [F],
    pub(super) x: &'a [F],
    pub(super) y: &'a [F],
}

/// `out = by_0 y + by_1 (x - center) + by_2`, channel by channel at every position.
pub(super) struct Affine<'a, F> {
    pub(super) lines: Lines<'a, F>,
    pub(super) by: [&'a [F]; 3],
    pub(super) center: &'a [F],
}

impl<F: Real> WithSimd for Affine<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { lines: Lines { out, x, y }, by: [a, b, c], center } = self;
        let width = center.len();
        let (a, b, c) = (&a[..width], &b[..width], &c[..width]);
        let pixels = out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(y.chunks_exact(width));
        for ((out, x), y) in pixels {
            for j in 0..width {
                out[j] = a[j] * y[j] + (b[j] * (x[j] - center[j]) + c[j]);
            }
        }
    }
}

/// Two sums per group and channel, in an order fixed by the shape: of `z = x - center` and `z z`; with `(y, by)` of `y` and
/// `y z by`. They lie in `total`, `[2, G, C]`.
pub(super) fn reduce<F: Real>(
    shape: &NormShape,
    x: &[F],
    center: &[F],
    weighted: Option<(&[F], &[F])>,
    partial: &mut Vec<f64>,
    total: &mut Vec<f64>,
) {
    let (c, row_len, width) = (shape.channels, shape.row_len(), shape.groups() * shape.channels);
    partial.clear();
    partial.resize(2 * CHUNKS * width, 0.0);
    share(ranges(shape.rows(), CHUNKS).zip(partial.chunks_exact_mut(2 * width)), |(rows, sums)| {
        let (firsts, seconds) = sums.split_at_mut(width);
        for row in rows {
            let group = shape.group(row) * c..(shape.group(row) + 1) * c;
            let at = row * row_len..(row + 1) * row_len;
            arch().dispatch(Sums {
                x: &x[at.clone()],
                center: &center[group.clone()],
                weighted: weighted.map(|(y, by)| (&y[at], &by[group.clone()])),
                sums: [&mut firsts[group.clone()], &mut seconds[group]],
            });
        }
    });
    total.clear();
    total.resize(2 * width, 0.0);
    for chunk in partial.chunks_exact(2 * width) {
        total.iter_mut().zip(chunk).for_each(|(total, sum)| *total += sum);
    }
}

/// One row's share of the sums of [`reduce`].
struct Sums<'a, F> {
    x: &'a [F],
    center: &'a [F],
    weighted: Option<(&'a [F], &'a [F])>,
    sums: [&'a mut [f64]; 2],
}

impl<F: Real> WithSimd for Sums<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { x, center, weighted, sums: [first, second] } = self;
        let c = center.len();
        let (first, second) = (&mut first[..c], &mut second[..c]);
        let Some((y, by)) = weighted else {
            for x in x.chunks_exact(c) {
                for j in 0..c {
                    let z = x[j].wide() - center[j].wide();
                    first[j] += z;
                    second[j] += z * z;
                }
            }
            return;
        };
        let by = &by[..c];
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact(c)) {
            for j in 0..c {
                first[j] += y[j].wide();
                second[j] += (y[j] * ((x[j] - center[j]) * by[j])).wide();
            }
        }
    }
}
