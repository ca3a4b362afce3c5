//! Copies between images and patch matrices: one row per output position, one column per weight row.
//!
//! No arithmetic besides the input factor and the sums of overlapping patches.

use super::geometry::{ConvShape, Pads};
use crate::Real;
use crate::product::ProductScratch;
use crate::scratch::fit;

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
    /// One image times its factor.
    scaled: Vec<F>,
    /// Which image `scaled` holds.
    scaled_image: Option<usize>,
}

impl<F> Default for Lane<F> {
    fn default() -> Self {
        Self {
            patches: Vec::new(),
            partial: Vec::new(),
            product: ProductScratch::default(),
            scaled: Vec::new(),
            scaled_image: None,
        }
    }
}

impl<F: Real> Lane<F> {
    /// To be called once per pass: the images may be others than last time.
    pub(super) fn forget_image(&mut self) {
        self.scaled_image = None;
    }

    /// Writes the patches of output lines `lines` (numbered through all images) and returns them.
    pub(super) fn gather(&mut self, images: Images<'_, F>, lines: std::ops::Range<usize>) -> &[F] {
        let shape = images.shape;
        let ((out_height, out_width), pads) = (shape.out_size(), shape.pads());
        let line_len = out_width * shape.patch_len();
        let rows = fit(&mut self.patches, lines.len() * line_len);
        for (line, patches) in lines.zip(rows.chunks_exact_mut(line_len)) {
            let (index, oy) = (line / out_height, line % out_height);
            let image = &images.x[index * shape.in_len()..(index + 1) * shape.in_len()];
            let image = match images.factor {
                None => image,
                Some(factor) => {
                    if self.scaled_image != Some(index) {
                        let factor = &factor[index * shape.c_in..(index + 1) * shape.c_in];
                        scale(image, factor, fit(&mut self.scaled, image.len()));
                        self.scaled_image = Some(index);
                    }
                    &self.scaled[..image.len()]
                }
            };
            gather_line(shape, pads, image, oy, patches);
        }
        rows
    }
}

/// Image `index` times its factor, with the zeros of the padding around it.
pub(super) fn pad<'a, F: Real>(images: Images<'a, F>, index: usize, buffer: &'a mut Vec<F>) -> &'a [F] {
    let shape = images.shape;
    let image = &images.x[index * shape.in_len()..(index + 1) * shape.in_len()];
    let (pads, c) = (shape.pads(), shape.c_in);
    if images.factor.is_none() && pads == Pads::default() {
        return image;
    }
    let factor = images.factor.map(|factor| &factor[index * c..(index + 1) * c]);
    let row_len = shape.padded_width() * c;
    let padded = fit(buffer, (shape.height + pads.top + pads.bottom) * row_len);
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

/// Input row under kernel row `ky` at output line `oy`; none in the padding.
fn input_row(shape: &ConvShape, pads: Pads, oy: usize, ky: usize) -> Option<usize> {
    let padded = oy * shape.stride.0 + ky * shape.dilation.0;
    padded.checked_sub(pads.top).filter(|&row| row < shape.height)
}

/// Kernel columns from `.0` to `.1` lie inside the image at output column `ox`; only without dilation.
fn inside(shape: &ConvShape, pads: Pads, ox: usize) -> (usize, usize) {
    let start = ox * shape.stride.1;
    let first = pads.left.saturating_sub(start).min(shape.kernel.1);
    let end = (pads.left + shape.width).saturating_sub(start).min(shape.kernel.1);
    (first, end.max(first))
}

/// Input column under kernel column `kx` at output column `ox`; none in the padding.
fn input_column(shape: &ConvShape, pads: Pads, ox: usize, kx: usize) -> Option<usize> {
    let padded = ox * shape.stride.1 + kx * shape.dilation.1;
    padded.checked_sub(pads.left).filter(|&column| column < shape.width)
}

fn gather_line<F: Real>(shape: &ConvShape, pads: Pads, image: &[F], oy: usize, patches: &mut [F]) {
    let c = shape.c_in;
    let (row_len, run_len) = (shape.width * c, shape.kernel.1 * c);
    for (ox, patch) in patches.chunks_exact_mut(shape.patch_len()).enumerate() {
        for (ky, run) in patch.chunks_exact_mut(run_len).enumerate() {
            let Some(iy) = input_row(shape, pads, oy, ky) else {
                run.fill(F::zero());
                continue;
            };
            let row = &image[iy * row_len..(iy + 1) * row_len];
            if shape.dilation.1 == 1 {
                // Neighboring kernel columns read neighboring pixels: one copy for the whole kernel row.
                let (first, end) = inside(shape, pads, ox);
                run[..first * c].fill(F::zero());
                run[end * c..].fill(F::zero());
                if first < end {
                    let from = (ox * shape.stride.1 + first - pads.left) * c;
                    run[first * c..end * c].copy_from_slice(&row[from..from + (end - first) * c]);
                }
                continue;
            }
            for (kx, pixel) in run.chunks_exact_mut(c).enumerate() {
                match input_column(shape, pads, ox, kx) {
                    Some(ix) => pixel.copy_from_slice(&row[ix * c..(ix + 1) * c]),
                    None => pixel.fill(F::zero()),
                }
            }
        }
    }
}

/// The adjoint of gathering: adds the patches of output line `oy` to the image.
pub(super) fn scatter_line<F: Real>(shape: &ConvShape, patches: &[F], oy: usize, image: &mut [F]) {
    let (c, pads) = (shape.c_in, shape.pads());
    let (row_len, run_len) = (shape.width * c, shape.kernel.1 * c);
    let add = |to: &mut [F], from: &[F]| to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
    for (ox, patch) in patches.chunks_exact(shape.patch_len()).enumerate() {
        for (ky, run) in patch.chunks_exact(run_len).enumerate() {
            let Some(iy) = input_row(shape, pads, oy, ky) else { continue };
            let row = &mut image[iy * row_len..(iy + 1) * row_len];
            if shape.dilation.1 == 1 {
                let (first, end) = inside(shape, pads, ox);
                if first < end {
                    let to = (ox * shape.stride.1 + first - pads.left) * c;
                    add(&mut row[to..to + (end - first) * c], &run[first * c..end * c]);
                }
                continue;
            }
            for (kx, pixel) in run.chunks_exact(c).enumerate() {
                if let Some(ix) = input_column(shape, pads, ox, kx) {
                    add(&mut row[ix * c..(ix + 1) * c], pixel);
                }
            }
        }
    }
}
