//! Layers that draw their factors: where a factor's values come from, and in how many parts of its rows a layer is done.
//!
//! Not for convolutions: a factor of theirs has an entry per channel and is small beside their images.

use crate::Perturbation;
use crate::linear::{Activation, Factor, FactorRows, LinearShape};
use crate::{Draw, DrawShape, Error, ParameterGradients};

/// A factor that a layer draws, forward and once more backward.
///
/// Of S samples a layer of K members has `K / S` members each, the samples behind each other: its member `s * K / S + k` has
/// the factor of member `k` in `draws[s]`.
#[derive(Debug)]
pub struct DrawnFactor<'a, T: ?Sized> {
    /// `[K / S, D]`.
    pub location: &'a T,
    /// `[K / S, D]`; scales as [`Draw::scale`] says.
    pub scale: &'a T,
    /// Noise, family and clip of each of S samples.
    pub draws: &'a [Draw],
    /// One draw for each example, or one for all examples of a member.
    pub rows: FactorRows,
}

impl<T: ?Sized> Clone for DrawnFactor<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for DrawnFactor<'_, T> {}

impl<T: ?Sized> DrawnFactor<'_, T> {
    /// Members of a sample in a layer of `n_members`.
    pub(crate) fn members_per_sample(&self, op: &'static str, n_members: usize) -> Result<usize, Error> {
        match self.draws.len() {
            0 => Err(Error::Empty { op, axis: "draws" }),
            n_samples if !n_members.is_multiple_of(n_samples) => {
                Err(Error::SampleMismatch { op, n_members, n_samples })
            }
            n_samples => Ok(n_members / n_samples),
        }
    }
}

/// Where the values of a factor come from.
#[derive(Debug)]
pub enum FactorSource<'a, T: ?Sized> {
    /// Drawn already.
    Given(Factor<'a, T>),
    /// Drawn by the layer.
    Drawn(DrawnFactor<'a, T>),
}

impl<T: ?Sized> Clone for FactorSource<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for FactorSource<'_, T> {}

impl<T: ?Sized> FactorSource<'_, T> {
    /// Whether there is a row of it for each member or for each example.
    pub fn rows(&self) -> FactorRows {
        match self {
            Self::Given(factor) => factor.rows,
            Self::Drawn(factor) => factor.rows,
        }
    }

    /// Whether a draw of it is as large as the rows that it perturbs.
    pub(crate) fn is_drawn_per_example(&self) -> bool {
        matches!(self, Self::Drawn(factor) if factor.rows == FactorRows::PerExample)
    }
}

/// A [`crate::PerturbedLayer`] of a linear map whose factors may be drawn.
///
/// # Shapes
/// | field | shape |
/// | --- | --- |
/// | `weight` | `[D_in, D_out]` |
/// | `input_factor` | given: `[K or K * B, D_in]`; location and scale: `[K / S, D_in]` |
/// | `output_factor` | given: `[K or K * B, D_out]`; location and scale: `[K / S, D_out]` |
/// | `bias` | `[K, D_out]` |
#[derive(Debug)]
pub struct DrawnLayer<'a, T: ?Sized> {
    /// Shared by the members; row = input.
    pub weight: &'a T,
    /// Factor `s` on the inputs; absent: inputs are not perturbed.
    pub input_factor: Option<FactorSource<'a, T>>,
    /// Factor `r` on the outputs; absent: outputs are not perturbed.
    pub output_factor: Option<FactorSource<'a, T>>,
    /// One row per member, added after the output factor.
    pub bias: Option<&'a T>,
    /// Product or sum.
    pub perturbation: Perturbation,
    /// What follows the bias.
    pub activation: Activation,
}

/// Gradient of a factor, by where its values came from.
#[derive(Debug, Clone, PartialEq)]
pub enum FactorGradients<T> {
    /// Of given values, in their shape.
    Values(T),
    /// Of the location and the scale parameter, added over samples, `[K / S, D]`.
    Parameters(ParameterGradients<T>),
}

/// How many rows of a layer are done at a time, so that only their draws and the gradients of these are in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Parts {
    /// As few as fill the device, by shape and by what the device reports; all where no factor is drawn per example.
    #[default]
    Auto,
    /// About as many as given; more where a buffer could not be bound at the boundary.
    Rows(usize),
}

/// Whole members, or examples of one member: consecutive rows either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) first_member: usize,
    pub(crate) n_members: usize,
    pub(crate) first_example: usize,
    pub(crate) n_examples: usize,
}

impl Part {
    fn whole(shape: LinearShape) -> Self {
        let LinearShape { n_members, batch_size, .. } = shape;
        Self { first_member: 0, n_members, first_example: 0, n_examples: batch_size }
    }

    /// Parts of about `rows` rows and not fewer, even in size, in the order of the rows.
    ///
    /// All boundaries are at multiples of `alignment` bytes in the buffers of inputs and of outputs; where no boundary
    /// between members is, there is one part.
    pub(crate) fn cut(shape: LinearShape, rows: usize, alignment: u64) -> Vec<Self> {
        let LinearShape { n_members, batch_size, d_in, d_out } = shape;
        let (whole, rows) = (Self::whole(shape), rows.min(n_members * batch_size));
        let step = lcm(aligned_rows(d_in, alignment), aligned_rows(d_out, alignment));
        let members_apart = n_members == 1 || batch_size.is_multiple_of(step);
        if rows < batch_size && members_apart {
            let examples = even_ranges(batch_size, rows, step);
            let of_member = |first_member| {
                examples.iter().map(move |&(first_example, n_examples)| Self {
                    first_member,
                    n_members: 1,
                    first_example,
                    n_examples,
                })
            };
            return (0..n_members).flat_map(of_member).collect();
        }
        let members = even_ranges(n_members, rows.div_ceil(batch_size), step / gcd(step, batch_size));
        members
            .into_iter()
            .map(|(first_member, n_members)| Self { first_member, n_members, ..whole })
            .collect()
    }

    /// The first of its rows among those of the whole.
    pub(crate) fn first_row(&self, batch_size: usize) -> usize {
        self.first_member * batch_size + self.first_example
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.n_members * self.n_examples
    }

    pub(crate) fn shape(&self, whole: LinearShape) -> LinearShape {
        LinearShape { n_members: self.n_members, batch_size: self.n_examples, ..whole }
    }

    /// Its members by the sample that they belong to, in the order of the rows, where a sample has `per_sample` of them.
    pub(crate) fn samples(&self, per_sample: usize) -> impl Iterator<Item = SamplePart> {
        let (first, end, n_examples) =
            (self.first_member, self.first_member + self.n_members, self.n_examples);
        (first / per_sample..end.div_ceil(per_sample)).map(move |sample| {
            let start = first.max(sample * per_sample);
            SamplePart {
                sample,
                first_member: start - sample * per_sample,
                n_members: end.min((sample + 1) * per_sample) - start,
                first_row: (start - first) * n_examples,
            }
        })
    }

    /// What `draw` of a sample has for the members of the sample in this part, one for each example.
    pub(crate) fn draw(&self, draw: Draw, members: &SamplePart, width: usize) -> (Draw, DrawShape) {
        let draw = Draw {
            first_member: draw.first_member.wrapping_add(members.first_member as u32),
            first_example: draw.first_example.wrapping_add(self.first_example as u32),
            ..draw
        };
        (draw, DrawShape { n_members: members.n_members, n_examples: self.n_examples, width })
    }
}

/// Consecutive members of one sample in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SamplePart {
    pub(crate) sample: usize,
    /// Among those of the sample.
    pub(crate) first_member: usize,
    pub(crate) n_members: usize,
    /// Among the rows of the part.
    pub(crate) first_row: usize,
}

/// Rows of `width` floats between two places at multiples of `alignment` bytes.
fn aligned_rows(width: usize, alignment: u64) -> usize {
    let alignment = alignment.max(1) as usize;
    alignment / gcd(alignment, 4 * width)
}

/// First and length of consecutive ranges of at least `least` that cover `length`: multiples of `step` but for the last,
/// different by one `step` at most.
fn even_ranges(length: usize, least: usize, step: usize) -> Vec<(usize, usize)> {
    let steps = length.div_ceil(step);
    let n = (length / least.max(1).next_multiple_of(step)).max(1);
    let start = |i: usize| (steps / n * i + i.min(steps % n)) * step;
    (0..n).map(|i| (start(i), start(i + 1).min(length) - start(i))).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: usize, b: usize) -> usize {
    a / gcd(a, b) * b
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn shape(n_members: usize, batch_size: usize, d_in: usize, d_out: usize) -> LinearShape {
        LinearShape { n_members, batch_size, d_in, d_out }
    }

    #[test]
    fn parts_are_aligned_and_cover_all_rows_once_in_order() {
        for shape in [
            shape(4, 128, 784, 512),
            shape(4, 128, 512, 10),
            shape(17, 64, 7, 11),
            shape(192, 1, 7, 11),
            shape(1, 523, 13, 5),
            shape(6, 32, 3, 5),
            shape(3, 5, 7, 11),
            shape(5, 1000, 1, 1),
        ] {
            for (rows, alignment) in [(1, 1), (1, 16), (100, 64), (64, 256), (300, 512), (1 << 20, 256)] {
                let parts = Part::cut(shape, rows, alignment);
                let n_rows = shape.n_members * shape.batch_size;
                let mut next = 0;
                for part in &parts {
                    let first = part.first_row(shape.batch_size);
                    assert_eq!(first, next, "{shape:?} {rows} {alignment}: {parts:?}");
                    assert!(part.n_members == 1 || part.n_examples == shape.batch_size);
                    for width in [shape.d_in, shape.d_out] {
                        let start = (4 * first * width) as u64;
                        assert!(start.is_multiple_of(alignment), "{shape:?} {rows} {alignment}");
                    }
                    next += part.n_rows();
                }
                assert_eq!(next, n_rows, "{shape:?} {rows} {alignment}: {parts:?}");
                let fewest = parts.iter().map(Part::n_rows).min();
                // Even parts of a member are as long as asked for but for their last step.
                let step = lcm(aligned_rows(shape.d_in, alignment), aligned_rows(shape.d_out, alignment));
                assert!(
                    parts.len() == 1
                        || fewest.is_some_and(|fewest| fewest + step > rows.min(shape.batch_size))
                );
            }
        }
    }

    #[test]
    fn a_part_has_its_members_sample_by_sample() {
        let part =
            |first_member, n_members| Part { first_member, n_members, first_example: 0, n_examples: 5 };
        let members = |part: Part, per_sample| {
            let of = |of: SamplePart| (of.sample, of.first_member, of.n_members, of.first_row);
            part.samples(per_sample).map(of).collect::<Vec<_>>()
        };
        assert_eq!(members(part(0, 6), 6), [(0, 0, 6, 0)]);
        assert_eq!(members(part(0, 6), 2), [(0, 0, 2, 0), (1, 0, 2, 10), (2, 0, 2, 20)]);
        assert_eq!(members(part(1, 4), 3), [(0, 1, 2, 0), (1, 0, 2, 10)]);
        assert_eq!(members(part(5, 1), 2), [(2, 1, 1, 0)]);
        assert_eq!(members(part(3, 2), 1), [(3, 0, 1, 0), (4, 0, 1, 5)]);
    }

    #[test]
    fn small_members_share_a_part_and_large_ones_have_several() {
        let counts = |shape, rows| {
            let parts = Part::cut(shape, rows, 256);
            parts.iter().map(|part| (part.n_members, part.n_examples)).collect::<Vec<_>>()
        };
        assert_eq!(counts(shape(4, 128, 784, 512), 128), [(1, 128); 4]);
        assert_eq!(counts(shape(4, 1024, 784, 512), 128), [(1, 128); 32]);
        assert_eq!(counts(shape(5, 64, 64, 64), 128), [(3, 64), (2, 64)]);
        assert_eq!(counts(shape(1, 1000, 64, 64), 300), [(1, 334), (1, 333), (1, 333)]);
        // Rows of 28 bytes meet a multiple of 256 every 64 rows alone, and 5 examples every 64 members.
        assert_eq!(counts(shape(3, 5, 7, 11), 1), [(3, 5)]);
        assert_eq!(counts(shape(128, 5, 7, 11), 1), [(64, 5); 2]);
    }
}
