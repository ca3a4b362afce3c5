//! Copies between images and patch matrices: one row per output position, one column per weight row.
//!
//! No arithmetic besides the input factor and the sums of overlapping patches.

use crate::Real;
use crate::conv::{ConvShape, Pads};
use crate::kernels::product::ProductScratch;
use crate::kernels::scratch::fit;

/// The images whose patches are gathered, and the factor that multiplies them on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Images<'a, F> {
    pub(super) shape: &'a ConvShape,
    /// `[N, H, W, C_in]`.
    pub(super) x: &'a [F],
    /// `[N, C_in]`.
    pub(super) factor: Option<&'a [F]>,
}

impl<'a, F: Real> Images<'a, F> {
    /// The same images, if they are of single precision.
    pub(super) fn as_f32(self) -> Option<Images<'a, f32>> {
        let factor = match self.factor {
            None => None,
            Some(factor) => Some(F::as_f32(factor)?),
        };
        Some(Images { shape: self.shape, x: F::as_f32(self.x)?, factor })
    }
}

/// Buffers of one chunk.
#[derive(Debug, Clone)]
pub(super) struct Lane<F> {
    /// Patches of one block.
    pub(super) patches: Vec<F>,
    /// This chunk's share of a sum over images.
    pub(super) partial: Vec<F>,
    pub(super) product: ProductScratch,
    /// One image times its factor with its padding, and [`PIECE`] values behind it; or the gradient of one.
    pub(super) padded: Vec<F>,
    /// Which image `padded` holds.
    padded_image: Option<usize>,
}

impl<F> Default for Lane<F> {
    fn default() -> Self {
        Self {
            patches: Vec::new(),
            partial: Vec::new(),
            product: ProductScratch::default(),
            padded: Vec::new(),
            padded_image: None,
        }
    }
}

impl<F: Real> Lane<F> {
    /// To be called once per pass: the images may be others than last time.
    pub(super) fn forget_image(&mut self) {
        self.padded_image = None;
    }

    /// Writes the patches of output lines `lines` (numbered through all images) and returns them.
    pub(super) fn gather(&mut self, images: Images<'_, F>, lines: std::ops::Range<usize>) -> &[F] {
        let shape = images.shape;
        let (out_height, out_width) = shape.out_size();
        let line_len = out_width * shape.patch_len();
        let len = lines.len() * line_len;
        let rows = fit(&mut self.patches, len + PIECE);
        for (number, line) in lines.enumerate() {
            let (index, oy) = (line / out_height, line % out_height);
            if self.padded_image != Some(index) {
                copy_padded(images, index, &mut self.padded, PIECE);
                self.padded_image = Some(index);
            }
            gather_line(shape, &self.padded, oy, &mut rows[number * line_len..]);
        }
        &rows[..len]
    }
}

/// Image `index` times its factor, with the zeros of the padding around it.
pub(super) fn pad<'a, F: Real>(images: Images<'a, F>, index: usize, buffer: &'a mut Vec<F>) -> &'a [F] {
    let shape = images.shape;
    if images.factor.is_none() && shape.pads() == Pads::default() {
        return &images.x[index * shape.in_len()..(index + 1) * shape.in_len()];
    }
    copy_padded(images, index, buffer, 0)
}

/// As [`pad`], always into the buffer, which has room for `behind` more values.
fn copy_padded<'a, F: Real>(
    images: Images<'_, F>,
    index: usize,
    buffer: &'a mut Vec<F>,
    behind: usize,
) -> &'a [F] {
    let shape = images.shape;
    let image = &images.x[index * shape.in_len()..(index + 1) * shape.in_len()];
    let (pads, c) = (shape.pads(), shape.c_in);
    let factor = images.factor.map(|factor| &factor[index * c..(index + 1) * c]);
    let row_len = shape.padded_width() * c;
    let len = shape.padded_len();
    let padded = &mut fit(buffer, len + behind)[..len];
    padded[..pads.top * row_len].fill(F::zero());
    padded[(pads.top + shape.height) * row_len..].fill(F::zero());
    let inside = padded[pads.top * row_len..].chunks_exact_mut(row_len);
    for (to, row) in inside.zip(image.chunks_exact(shape.width * c)) {
        let (left, to) = to.split_at_mut(pads.left * c);
        let (to, right) = to.split_at_mut(row.len());
        left.fill(F::zero());
        right.fill(F::zero());
        match factor {
            None => to.copy_from_slice(row),
            Some(factor) => scale(row, factor, to),
        }
    }
    padded
}

fn scale<F: Real>(image: &[F], factor: &[F], out: &mut [F]) {
    for (out, pixel) in out.chunks_exact_mut(factor.len()).zip(image.chunks_exact(factor.len())) {
        out.iter_mut().zip(pixel).zip(factor).for_each(|((out, &value), &f)| *out = value * f);
    }
}

/// Values that are copied at once.
const PIECE: usize = 8;

/// From this length on a run is left to the system's copy.
const LONG: usize = 8 * PIECE;

/// Writes the patches of output line `oy`; up to [`PIECE`] values behind them are overwritten.
fn gather_line<F: Real>(shape: &ConvShape, padded: &[F], oy: usize, patches: &mut [F]) {
    let c = shape.c_in;
    let (row_len, run_len) = (shape.padded_width() * c, shape.kernel.1 * c);
    let mut at = 0;
    for ox in 0..shape.out_size().1 {
        for ky in 0..shape.kernel.0 {
            let from = (oy * shape.stride.0 + ky * shape.dilation.0) * row_len + ox * shape.stride.1 * c;
            if shape.dilation.1 == 1 {
                // Neighboring kernel columns read neighboring pixels: one run for the whole kernel row.
                copy_run(&padded[from..], &mut patches[at..], run_len);
            } else {
                for kx in 0..shape.kernel.1 {
                    copy_run(&padded[from + kx * shape.dilation.1 * c..], &mut patches[at + kx * c..], c);
                }
            }
            at += run_len;
        }
    }
}

/// Copies `len` values in whole pieces: a call of the system's copy for five values costs more than their patch. What is
/// written behind them belongs to the next run, which comes later.
fn copy_run<F: Real>(from: &[F], to: &mut [F], len: usize) {
    if len >= LONG {
        to[..len].copy_from_slice(&from[..len]);
        return;
    }
    let pieces = to.chunks_exact_mut(PIECE).zip(from.chunks_exact(PIECE));
    pieces.take(len.div_ceil(PIECE)).for_each(|(to, from)| to.copy_from_slice(from));
}

/// The adjoint of gathering: adds the patches of output line `oy` to a padded image.
pub(super) fn scatter_line<F: Real>(shape: &ConvShape, patches: &[F], oy: usize, padded: &mut [F]) {
    // Short runs are added faster where their length is known beforehand.
    match shape.kernel.1 * shape.c_in {
        3 => scatter::<F, 3>(shape, patches, oy, padded),
        5 => scatter::<F, 5>(shape, patches, oy, padded),
        9 => scatter::<F, 9>(shape, patches, oy, padded),
        15 => scatter::<F, 15>(shape, patches, oy, padded),
        _ => scatter::<F, 0>(shape, patches, oy, padded),
    }
}

/// `RUN`: values under one kernel row; 0 for any.
#[inline(always)]
fn scatter<F: Real, const RUN: usize>(shape: &ConvShape, patches: &[F], oy: usize, padded: &mut [F]) {
    let c = shape.c_in;
    let (row_len, run_len) = (shape.padded_width() * c, if RUN == 0 { shape.kernel.1 * c } else { RUN });
    let add = |to: &mut [F], from: &[F]| to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
    for (ox, patch) in patches.chunks_exact(shape.patch_len()).enumerate() {
        for (ky, run) in patch.chunks_exact(run_len).enumerate() {
            let start = (oy * shape.stride.0 + ky * shape.dilation.0) * row_len + ox * shape.stride.1 * c;
            if shape.dilation.1 == 1 {
                add(&mut padded[start..start + run_len], run);
                continue;
            }
            for (kx, pixel) in run.chunks_exact(c).enumerate() {
                let start = start + kx * shape.dilation.1 * c;
                add(&mut padded[start..start + c], pixel);
            }
        }
    }
}

/// The image within its padding.
pub(super) fn crop<F: Real>(shape: &ConvShape, padded: &[F], image: &mut [F]) {
    let (pads, c) = (shape.pads(), shape.c_in);
    let rows = padded.chunks_exact(shape.padded_width() * c).skip(pads.top);
    for (to, from) in image.chunks_exact_mut(shape.width * c).zip(rows) {
        to.copy_from_slice(&from[pads.left * c..(pads.left + shape.width) * c]);
    }
}
