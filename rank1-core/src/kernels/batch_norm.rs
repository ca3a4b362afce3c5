//! Batch normalization over samples, examples and positions, for all members together or each on its own.
//!
//! Not for moving averages: the caller keeps them from [`NormSaved`]; see [`unbiased`] for the convention.

pub mod shared;
mod sweep;

use rayon::prelude::*;

use self::sweep::{Affine, Lines, reduce};
use crate::error::check_len;
use crate::kernels::simd::arch;
use crate::{Error, Real, layout};

/// Sizes of a batch whose rows are `(s K + k) B + b`, each with `positions` vectors of `channels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NormShape {
    /// Posterior samples `S`.
    pub n_samples: usize,
    /// Members `K`.
    pub n_members: usize,
    /// Examples per member `B`.
    pub n_examples: usize,
    /// Height times width; 1 after a dense layer.
    pub positions: usize,
    /// Channels `C`, each normalized by itself.
    pub channels: usize,
    /// Whether every member has statistics and parameters of its own.
    pub per_member: bool,
}

impl NormShape {
    /// Groups that share statistics: `K` if each member has its own, else 1.
    pub fn groups(&self) -> usize {
        if self.per_member { self.n_members } else { 1 }
    }

    /// Rows of the batch, `S K B`.
    pub fn rows(&self) -> usize {
        self.n_samples * self.n_members * self.n_examples
    }

    /// Values behind each mean.
    pub fn count(&self) -> usize {
        self.rows() / self.groups() * self.positions
    }

    fn group(&self, row: usize) -> usize {
        if !self.per_member {
            return 0;
        }
        layout::member_and_example(row, self.n_examples).0 % self.n_members
    }

    fn row_len(&self) -> usize {
        self.positions * self.channels
    }

    fn check(&self, op: &'static str, slices: &[(&'static str, usize, Extent)]) -> Result<(), Error> {
        for (argument, size) in [
            ("n_samples", self.n_samples),
            ("n_members", self.n_members),
            ("n_examples", self.n_examples),
            ("positions", self.positions),
            ("channels", self.channels),
        ] {
            if size == 0 {
                return Err(Error::OutOfRange { op, argument, value: 0.0, expected: "at least 1" });
            }
        }
        slices.iter().try_for_each(|&(argument, got, extent)| {
            let expected = match extent {
                Extent::Batch => self.rows() * self.row_len(),
                Extent::Groups => self.groups() * self.channels,
            };
            check_len(op, argument, got, expected)
        })
    }
}

/// What a slice runs over.
#[derive(Clone, Copy)]
enum Extent {
    /// `[S*K*B, positions, C]`.
    Batch,
    /// `[G, C]`.
    Groups,
}

/// Statistics of a batch, `[G, C]` each; kept by the caller between steps.
#[derive(Debug, Clone)]
pub struct NormSaved<F> {
    /// Mean.
    pub mean: Vec<F>,
    /// Biased variance: the mean squared deviation.
    pub variance: Vec<F>,
    /// `1 / sqrt(variance + epsilon)`.
    pub inverse_std: Vec<F>,
    work: Work<F>,
}

impl<F> Default for NormSaved<F> {
    fn default() -> Self {
        Self { mean: Vec::new(), variance: Vec::new(), inverse_std: Vec::new(), work: Work::default() }
    }
}

impl<F: Real> NormSaved<F> {
    /// Statistics from the sums of differences from `mean` and of their squares.
    fn set_statistics(&mut self, count: usize, epsilon: f64) {
        let Self { mean, variance, inverse_std, work } = self;
        variance.clear();
        inverse_std.clear();
        let count = count as f64;
        let (sums, squares) = work.sums.split_at(mean.len());
        for ((mean, sum), squares) in mean.iter_mut().zip(sums).zip(squares) {
            let offset = sum / count;
            // A NaN stays one: `max` would turn it into 0.
            let spread = squares / count - offset * offset;
            let spread = if spread < 0.0 { 0.0 } else { spread };
            *mean = F::of(mean.wide() + offset);
            variance.push(F::of(spread));
            inverse_std.push(F::of(1.0 / (spread + epsilon).sqrt()));
        }
    }

    /// Adds the sums of the backward pass, which are the gradients of shift and scale.
    fn add_to(&self, d_scale: &mut [F], d_shift: &mut [F]) {
        let (shifts, scales) = self.work.sums.split_at(self.mean.len());
        d_shift.iter_mut().zip(shifts).for_each(|(d, &sum)| *d += F::of(sum));
        d_scale.iter_mut().zip(scales).for_each(|(d, &sum)| *d += F::of(sum));
    }

    /// Coefficients of the input's gradient from the sums of the backward pass.
    fn backward_map(&mut self, count: usize, scale: &[F]) {
        let Self { mean, inverse_std, work, .. } = self;
        let (count, width) = (count as f64, mean.len());
        let (shifts, scales) = work.sums.split_at(width);
        work.by.clear();
        work.by.resize(3 * width, F::zero());
        let (a, rest) = work.by.split_at_mut(width);
        let (b, c) = rest.split_at_mut(width);
        for j in 0..width {
            a[j] = scale[j] * inverse_std[j];
            b[j] = -a[j] * F::of(scales[j] / count) * inverse_std[j];
            c[j] = -a[j] * F::of(shifts[j] / count);
        }
    }
}

/// Memory of both passes; nothing in it outlives a pass.
#[derive(Debug, Clone)]
struct Work<F> {
    partial: Vec<f64>,
    sums: Vec<f64>,
    /// Coefficients of the affine map, `[3, G, C]`.
    by: Vec<F>,
}

impl<F> Default for Work<F> {
    fn default() -> Self {
        Self { partial: Vec::new(), sums: Vec::new(), by: Vec::new() }
    }
}

/// Normalizes by the statistics of this batch and keeps them in `saved`.
///
/// # Shapes
/// `x`, `out`: `[S*K*B, positions, C]`, `out` overwritten; `scale`, `shift`: `[G, C]`.
///
/// # Errors
/// [`Error::ShapeMismatch`] names the slice whose length does not fit, [`Error::OutOfRange`] a size of 0 or an epsilon that is
/// negative or NaN.
///
/// # Numerics
/// Sums run in double precision on differences from the first value of each channel, over eight chunks of rows whose
/// sums are added in order: accurate far from zero and the same for any number of threads.
///
/// # Source
/// Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.
pub fn train_forward<F: Real>(
    shape: &NormShape,
    x: &[F],
    scale: &[F],
    shift: &[F],
    epsilon: f64,
    out: &mut [F],
    saved: &mut NormSaved<F>,
) -> Result<(), Error> {
    const OP: &str = "batch_norm::train_forward";
    let slices = [
        ("x", x.len(), Extent::Batch),
        ("scale", scale.len(), Extent::Groups),
        ("shift", shift.len(), Extent::Groups),
        ("out", out.len(), Extent::Batch),
    ];
    shape.check(OP, &slices)?;
    check_epsilon(OP, epsilon)?;
    // Differences from the first values of the channels, which the means hold until they are summed.
    saved.mean.clear();
    for group in 0..shape.groups() {
        // Row of the first sample's first example of this member.
        let first = layout::row(group, 0, shape.n_examples) * shape.row_len();
        saved.mean.extend_from_slice(&x[first..first + shape.channels]);
    }
    let NormSaved { mean, work, .. } = &mut *saved;
    reduce(shape, x, mean, None, &mut work.partial, &mut work.sums);
    saved.set_statistics(shape.count(), epsilon);
    let NormSaved { mean, inverse_std, work, .. } = saved;
    normalize(shape, x, mean, inverse_std, scale, shift, out, &mut work.by);
    Ok(())
}

/// Normalizes by given statistics, usually moving averages.
///
/// # Shapes
/// `x`, `out`: `[S*K*B, positions, C]`, `out` overwritten; the others `[G, C]`.
///
/// # Errors
/// As [`train_forward`].
///
/// # Source
/// Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2.
pub fn eval_forward<F: Real>(
    shape: &NormShape,
    x: &[F],
    scale: &[F],
    shift: &[F],
    mean: &[F],
    variance: &[F],
    epsilon: f64,
    out: &mut [F],
) -> Result<(), Error> {
    const OP: &str = "batch_norm::eval_forward";
    let slices = [
        ("x", x.len(), Extent::Batch),
        ("scale", scale.len(), Extent::Groups),
        ("shift", shift.len(), Extent::Groups),
        ("mean", mean.len(), Extent::Groups),
        ("variance", variance.len(), Extent::Groups),
        ("out", out.len(), Extent::Batch),
    ];
    shape.check(OP, &slices)?;
    check_epsilon(OP, epsilon)?;
    let inverse_std: Vec<F> =
        variance.iter().map(|variance| F::of(1.0 / (variance.wide() + epsilon).sqrt())).collect();
    normalize(shape, x, mean, &inverse_std, scale, shift, out, &mut Vec::new());
    Ok(())
}

/// Gradients of [`train_forward`], through the statistics too.
///
/// # Shapes
/// `x`, `d_out`, `d_x`: `[S*K*B, positions, C]`, `d_x` overwritten; `scale`: `[G, C]`; `d_scale`, `d_shift`: `[G, C]`, added to.
///
/// # Errors
/// As [`train_forward`]; [`Error::OutOfRange`] also if `saved` was not made with this `epsilon`.
///
/// # Numerics
/// As [`train_forward`].
///
/// # Source
/// Chain rule on [`train_forward`]; checked against central differences.
pub fn backward<F: Real>(
    shape: &NormShape,
    x: &[F],
    scale: &[F],
    saved: &mut NormSaved<F>,
    epsilon: f64,
    d_out: &[F],
    d_x: &mut [F],
    d_scale: &mut [F],
    d_shift: &mut [F],
) -> Result<(), Error> {
    const OP: &str = "batch_norm::backward";
    let slices = [
        ("x", x.len(), Extent::Batch),
        ("scale", scale.len(), Extent::Groups),
        ("saved.mean", saved.mean.len(), Extent::Groups),
        ("saved.variance", saved.variance.len(), Extent::Groups),
        ("saved.inverse_std", saved.inverse_std.len(), Extent::Groups),
        ("d_out", d_out.len(), Extent::Batch),
        ("d_x", d_x.len(), Extent::Batch),
        ("d_scale", d_scale.len(), Extent::Groups),
        ("d_shift", d_shift.len(), Extent::Groups),
    ];
    shape.check(OP, &slices)?;
    check_epsilon(OP, epsilon)?;
    for (variance, inverse_std) in saved.variance.iter().zip(&saved.inverse_std) {
        if (inverse_std.wide() * (variance.wide() + epsilon).sqrt() - 1.0).abs() > 1e-5 {
            let expected = "the epsilon of the forward pass";
            return Err(Error::OutOfRange { op: OP, argument: "epsilon", value: epsilon, expected });
        }
    }
    let NormSaved { mean, inverse_std, work, .. } = &mut *saved;
    reduce(shape, x, mean, Some((d_out, inverse_std)), &mut work.partial, &mut work.sums);
    saved.add_to(d_scale, d_shift);
    saved.backward_map(shape.count(), scale);
    input_gradient(shape, x, saved, d_out, d_x);
    Ok(())
}

/// `d_x = a d_out + b x + c` for every channel.
fn input_gradient<F: Real>(shape: &NormShape, x: &[F], saved: &NormSaved<F>, d_out: &[F], d_x: &mut [F]) {
    let NormSaved { mean, work, .. } = saved;
    let (a, rest) = work.by.split_at(mean.len());
    let (b, c) = rest.split_at(mean.len());
    let (channels, row_len) = (shape.channels, shape.row_len());
    let rows = d_x.par_chunks_mut(row_len).zip(x.par_chunks(row_len)).zip(d_out.par_chunks(row_len));
    rows.enumerate().for_each(|(row, ((d_x, x), d_out))| {
        let at = shape.group(row) * channels;
        let group = at..at + channels;
        let lines = Lines { out: d_x, x, y: d_out };
        let by = [&a[group.clone()], &b[group.clone()], &c[group.clone()]];
        arch().dispatch(Affine { lines, by, center: &mean[group] });
    });
}

/// The unbiased variance of `count` values from the biased one, `variance count / (count - 1)`; unchanged for one value.
///
/// Normalization always uses the biased variance. Keras' fused batch normalization (single precision, channels last)
/// moves its average with the unbiased one, its other forms and the reference code's per-member layer with the biased.
///
/// # Source
/// Bessel's correction; the convention as measured on the reference code.
pub fn unbiased<F: Real>(variance: F, count: usize) -> F {
    if count < 2 { variance } else { F::of(variance.wide() * (count as f64 / (count - 1) as f64)) }
}

fn normalize<F: Real>(
    shape: &NormShape,
    x: &[F],
    mean: &[F],
    inverse_std: &[F],
    scale: &[F],
    shift: &[F],
    out: &mut [F],
    by: &mut Vec<F>,
) {
    let (c, row_len) = (shape.channels, shape.row_len());
    by.clear();
    by.extend(inverse_std.iter().zip(scale).map(|(&inverse_std, &scale)| inverse_std * scale));
    by.resize(2 * scale.len(), F::zero());
    let (slope, zero) = by.split_at(scale.len());
    out.par_chunks_mut(row_len).zip(x.par_chunks(row_len)).enumerate().for_each(|(row, (out, x))| {
        let at = shape.group(row) * c;
        let group = at..at + c;
        let lines = Lines { out, x, y: x };
        let by = [&zero[group.clone()], &slope[group.clone()], &shift[group.clone()]];
        arch().dispatch(Affine { lines, by, center: &mean[group] });
    });
}

fn check_epsilon(op: &'static str, epsilon: f64) -> Result<(), Error> {
    if epsilon >= 0.0 {
        return Ok(());
    }
    Err(Error::OutOfRange { op, argument: "epsilon", value: epsilon, expected: "at least 0" })
}

#[cfg(test)]
mod tests;
