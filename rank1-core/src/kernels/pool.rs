//! Average, maximum and global average pooling of image batches in NHWC order, forward and backward.
//!
//! Not for convolutions; images are independent of each other, so threads share them freely.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::conv::{Padding, Pads, check_sizes, positions};
use crate::error::check_len;
use crate::kernels::simd::vectorized;
use crate::{Error, Real};

/// Everything about a pooling layer except its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolShape {
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Channels, the same before and after.
    pub channels: usize,
    /// Window height and width.
    pub window: (usize, usize),
    /// Steps of the window.
    pub stride: (usize, usize),
    /// Places around the image that a maximum ignores; averages take [`Padding::Valid`] only.
    pub padding: Padding,
}

impl PoolShape {
    /// Verifies that every size is positive and that each window holds at least one pixel.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the size.
    pub fn check(&self) -> Result<(), Error> {
        const OP: &str = "PoolShape::check";
        let sizes = [
            ("height", self.height),
            ("width", self.width),
            ("channels", self.channels),
            ("window height", self.window.0),
            ("window width", self.window.1),
            ("vertical stride", self.stride.0),
            ("horizontal stride", self.stride.1),
        ];
        check_sizes(OP, &sizes, || self.out_size())?;
        // A window that sees padding alone would have no maximum.
        let pads = self.pads();
        for (argument, pad, window) in [
            ("padding above", pads.top, self.window.0),
            ("padding below", pads.bottom, self.window.0),
            ("padding left", pads.left, self.window.1),
            ("padding right", pads.right, self.window.1),
        ] {
            if pad >= window {
                let expected = "less than the window";
                return Err(Error::OutOfRange { op: OP, argument, value: pad as f64, expected });
            }
        }
        Ok(())
    }

    /// Height and width of an output image.
    ///
    /// # Source
    /// Definition: window positions on the padded image.
    pub fn out_size(&self) -> (usize, usize) {
        let pads = self.pads();
        (
            positions(self.height + pads.top + pads.bottom, self.window.0, self.stride.0, 1),
            positions(self.width + pads.left + pads.right, self.window.1, self.stride.1, 1),
        )
    }

    /// Elements of an input image.
    pub fn in_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Elements of an output image.
    pub fn out_len(&self) -> usize {
        let (height, width) = self.out_size();
        height * width * self.channels
    }

    fn pads(&self) -> Pads {
        self.padding.pads((self.height, self.width), self.window, self.stride, (1, 1))
    }

    /// Calls `visit(output offset, input offset)` for every pixel of every window, windows and pixels in row order.
    fn each_pixel(&self, mut visit: impl FnMut(usize, usize)) {
        self.each_window(|to, window| window.pixels().for_each(|from| visit(to, from)));
    }

    /// Calls `visit(output offset, window)` for every window in row order.
    #[inline(always)]
    fn each_window(&self, mut visit: impl FnMut(usize, Window)) {
        let (pads, (out_height, out_width)) = (self.pads(), self.out_size());
        let (width, channels) = (self.width, self.channels);
        let span = |at: usize, window: usize, pad: usize, size: usize| {
            at.saturating_sub(pad)..(at + window).saturating_sub(pad).min(size)
        };
        for oy in 0..out_height {
            let rows = span(oy * self.stride.0, self.window.0, pads.top, self.height);
            for ox in 0..out_width {
                let columns = span(ox * self.stride.1, self.window.1, pads.left, self.width);
                let window = Window { rows: rows.clone(), columns, width, channels };
                visit((oy * out_width + ox) * channels, window);
            }
        }
    }

    fn check_average(&self, op: &'static str) -> Result<(), Error> {
        self.check()?;
        if self.pads() != Pads::default() {
            return Err(Error::Undefined { op, what: "average pooling of a padded image" });
        }
        Ok(())
    }

    /// Number of images, after both lengths are checked.
    fn images(&self, op: &'static str, input: (&'static str, usize), out: usize) -> Result<usize, Error> {
        let n = input.1 / self.in_len();
        check_len(op, input.0, input.1, n * self.in_len())?;
        let argument = if input.0 == "x" { "out" } else { "d_out" };
        check_len(op, argument, out, n * self.out_len())?;
        Ok(n)
    }
}

/// The pixels of an image under one window.
struct Window {
    rows: Range<usize>,
    columns: Range<usize>,
    /// Of the image.
    width: usize,
    channels: usize,
}

impl Window {
    /// Offsets of its pixels in row order.
    #[inline(always)]
    fn pixels(&self) -> impl Iterator<Item = usize> {
        let row = move |iy| self.columns.clone().map(move |ix| (iy * self.width + ix) * self.channels);
        self.rows.clone().flat_map(row)
    }
}

/// Mean of every window.
///
/// # Shapes
/// `x`: `[N, H, W, C]`, `out`: `[N, OH, OW, C]`, overwritten.
///
/// # Errors
/// [`Error::ShapeMismatch`] names the slice whose length does not fit, [`Error::OutOfRange`] a size,
/// [`Error::Undefined`] for a padded shape.
pub fn average_forward<F: Real>(shape: &PoolShape, x: &[F], out: &mut [F]) -> Result<(), Error> {
    const OP: &str = "pool::average_forward";
    shape.check_average(OP)?;
    shape.images(OP, ("x", x.len()), out.len())?;
    let share = window_share(shape);
    let c = shape.channels;
    let images = out.par_chunks_mut(shape.out_len()).zip(x.par_chunks(shape.in_len()));
    images.for_each(|(out, x)| {
        out.fill(F::zero());
        shape.each_pixel(|to, from| {
            out[to..to + c].iter_mut().zip(&x[from..from + c]).for_each(|(sum, &value)| *sum += value);
        });
        out.iter_mut().for_each(|sum| *sum *= share);
    });
    Ok(())
}

/// Gradient of [`average_forward`] with respect to its input.
///
/// # Shapes
/// `d_out`: `[N, OH, OW, C]`, `d_x`: `[N, H, W, C]`, overwritten.
///
/// # Errors
/// As [`average_forward`].
///
/// # Source
/// Transpose of the linear map [`average_forward`].
pub fn average_backward<F: Real>(shape: &PoolShape, d_out: &[F], d_x: &mut [F]) -> Result<(), Error> {
    const OP: &str = "pool::average_backward";
    shape.check_average(OP)?;
    shape.images(OP, ("d_x", d_x.len()), d_out.len())?;
    let share = window_share(shape);
    let c = shape.channels;
    let images = d_x.par_chunks_mut(shape.in_len()).zip(d_out.par_chunks(shape.out_len()));
    images.for_each(|(d_x, d_out)| {
        d_x.fill(F::zero());
        shape.each_pixel(|from, to| {
            d_x[to..to + c].iter_mut().zip(&d_out[from..from + c]).for_each(|(sum, &g)| *sum += g * share);
        });
    });
    Ok(())
}

fn window_share<F: Real>(shape: &PoolShape) -> F {
    F::of(1.0 / (shape.window.0 * shape.window.1) as f64)
}

/// Largest value of every window and where it came from; padding never wins, the first of equal values does.
///
/// # Shapes
/// `x`: `[N, H, W, C]`, `out` and `argmax`: `[N, OH, OW, C]`, overwritten; `argmax` holds offsets into each image.
///
/// # Errors
/// [`Error::ShapeMismatch`] names the slice whose length does not fit, [`Error::OutOfRange`] a size (an image must have
/// fewer than 2^32 elements).
///
/// # Numerics
/// A NaN in a window wins.
pub fn max_forward<F: Real>(
    shape: &PoolShape,
    x: &[F],
    out: &mut [F],
    argmax: &mut [u32],
) -> Result<(), Error> {
    const OP: &str = "pool::max_forward";
    shape.check()?;
    if u32::try_from(shape.in_len()).is_err() {
        let (argument, value) = ("elements of an image", shape.in_len() as f64);
        return Err(Error::OutOfRange { op: OP, argument, value, expected: "below 2^32" });
    }
    let n = shape.images(OP, ("x", x.len()), out.len())?;
    check_len(OP, "argmax", argmax.len(), n * shape.out_len())?;
    let c = shape.channels;
    let images = out
        .par_chunks_mut(shape.out_len())
        .zip(argmax.par_chunks_mut(shape.out_len()))
        .zip(x.par_chunks(shape.in_len()));
    images.for_each(|((out, argmax), x)| {
        vectorized(|| {
            shape.each_window(|to, window| {
                for channel in (0..c).step_by(PIECE) {
                    let few = PIECE.min(c - channel);
                    let (best, at) = window_maxima(&window, x, channel, few);
                    put(out, to + channel, best, few);
                    put(argmax, to + channel, at, few);
                }
            });
        });
    });
    Ok(())
}

/// Channels whose maxima are found at once.
const PIECE: usize = 8;

/// Writes the first `few` values, and more where there is room: what comes behind them is written later.
#[inline(always)]
fn put<T: Copy>(to: &mut [T], start: usize, values: [T; PIECE], few: usize) {
    match to.get_mut(start..start + PIECE) {
        Some(to) => to.copy_from_slice(&values),
        None => to[start..start + few].copy_from_slice(&values[..few]),
    }
}

/// Maxima of `few` channels from `channel` on, and where they are; what stands behind these channels is of no meaning.
#[inline(always)]
fn window_maxima<F: Real>(
    window: &Window,
    x: &[F],
    channel: usize,
    few: usize,
) -> ([F; PIECE], [u32; PIECE]) {
    let (mut best, mut at) = ([F::nan(); PIECE], [0; PIECE]);
    let mut unseen = true;
    for from in window.pixels().map(|from| from + channel) {
        let mut values = [F::zero(); PIECE];
        match x.get(from..from + PIECE) {
            Some(piece) => values.copy_from_slice(piece),
            None => values[..few].copy_from_slice(&x[from..from + few]),
        }
        for (i, value) in values.into_iter().enumerate() {
            // Nothing here is a branch, which the values of an image would mislead.
            let wins = unseen | (((value > best[i]) | value.is_nan()) & !best[i].is_nan());
            best[i] = if wins { value } else { best[i] };
            at[i] = if wins { (from + i) as u32 } else { at[i] };
        }
        unseen = false;
    }
    (best, at)
}

/// Gradient of [`max_forward`] with respect to its input.
///
/// # Shapes
/// `argmax`: as [`max_forward`] left it, `d_out`: `[N, OH, OW, C]`, `d_x`: `[N, H, W, C]`, overwritten.
///
/// # Errors
/// As [`max_forward`]; [`Error::OutOfRange`] if an index lies outside its image.
///
/// # Source
/// Chain rule: a window's gradient goes to the value that won.
pub fn max_backward<F: Real>(
    shape: &PoolShape,
    argmax: &[u32],
    d_out: &[F],
    d_x: &mut [F],
) -> Result<(), Error> {
    const OP: &str = "pool::max_backward";
    shape.check()?;
    let n = shape.images(OP, ("d_x", d_x.len()), d_out.len())?;
    check_len(OP, "argmax", argmax.len(), n * shape.out_len())?;
    let images = d_x
        .par_chunks_mut(shape.in_len())
        .zip(d_out.par_chunks(shape.out_len()))
        .zip(argmax.par_chunks(shape.out_len()));
    images.try_for_each(|((d_x, d_out), argmax)| {
        d_x.fill(F::zero());
        for (&g, &at) in d_out.iter().zip(argmax) {
            let Some(sum) = d_x.get_mut(at as usize) else {
                let expected = "an offset into the image";
                return Err(Error::OutOfRange { op: OP, argument: "argmax", value: f64::from(at), expected });
            };
            *sum += g;
        }
        Ok(())
    })
}

/// Mean over all positions of an image.
///
/// # Shapes
/// `x`: `[N, positions, channels]`, `out`: `[N, channels]`, overwritten.
///
/// # Errors
/// [`Error::OutOfRange`] for a size of 0, [`Error::ShapeMismatch`] names the slice whose length does not fit.
pub fn global_average_forward<F: Real>(
    positions: usize,
    channels: usize,
    x: &[F],
    out: &mut [F],
) -> Result<(), Error> {
    average_forward(&line(positions, channels), x, out)
}

/// Gradient of [`global_average_forward`] with respect to its input.
///
/// # Shapes
/// `d_out`: `[N, channels]`, `d_x`: `[N, positions, channels]`, overwritten.
///
/// # Errors
/// As [`global_average_forward`].
///
/// # Source
/// Transpose of the linear map [`global_average_forward`].
pub fn global_average_backward<F: Real>(
    positions: usize,
    channels: usize,
    d_out: &[F],
    d_x: &mut [F],
) -> Result<(), Error> {
    average_backward(&line(positions, channels), d_out, d_x)
}

/// An image of one row, seen through one window.
fn line(positions: usize, channels: usize) -> PoolShape {
    PoolShape {
        height: 1,
        width: positions,
        channels,
        window: (1, positions),
        stride: (1, 1),
        padding: Padding::Valid,
    }
}

#[cfg(test)]
mod tests;
