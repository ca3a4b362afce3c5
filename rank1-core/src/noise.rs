//! Noise as a pure function of (seed, site, sample, step, member, example, index): the same value wherever it is computed.
//!
//! No random state. A row of values always starts at index 0 and does not depend on threads, on the order of the calls
//! or on how rows are grouped. Densities and posterior draws built from this noise live in the priors crate.

mod philox;
mod transform;

use crate::{Error, layout};
pub use philox::philox4x32;
use philox::{philox_lanes, philox_vectors};

/// Third word of the counter that derives subkeys: "RANK" in ASCII, apart from every draw's counter.
const SUBKEY_TAG: u32 = 0x5241_4e4b;
/// Blocks computed side by side: two AVX-512 registers or four of AVX2 per word, one of which waits while the other works.
const LANES: usize = 32;

/// The standard distribution of a noise value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoiseKind {
    /// Uniform on the open interval (0, 1), on a grid of `2^23` midpoints.
    Uniform,
    /// Standard normal by Box-Muller, cut at a radius of 5.77.
    Normal,
    /// Standard Cauchy, `tan(pi (u - 1/2))`, cut at 5.4e6.
    Cauchy,
    /// `+1` or `-1`, equally likely.
    Sign,
}

/// Where in a stream a row of noise lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct At {
    /// Optimizer step, or any number that tells draws over time apart.
    pub step: u32,
    /// Member index `k`.
    pub member: u32,
    /// Example index `b`, or 0 for one draw shared by the batch.
    pub example: u32,
}

/// A rectangle of rows, member-major, each with its own [`At`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rows {
    /// Step shared by all rows.
    pub step: u32,
    /// Member of the first row.
    pub first_member: u32,
    /// Number of members.
    pub n_members: usize,
    /// Example of the first row of each member.
    pub first_example: u32,
    /// Number of examples per member.
    pub n_examples: usize,
}

/// All noise of one site (for example one factor of one layer) in one posterior sample of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoiseStream {
    key: [u32; 2],
}

impl NoiseStream {
    /// The stream of a run's `seed`, a `site` (layer and factor) and a posterior `sample`.
    ///
    /// # Source
    /// The key is the first two words of Philox at counter `[site, sample, 0, "RANK"]` under the seed's two halves, so
    /// streams of different sites are as independent as different keys are.
    pub fn new(seed: u64, site: u32, sample: u32) -> Self {
        let words = philox4x32([site, sample, 0, SUBKEY_TAG], [seed as u32, (seed >> 32) as u32]);
        Self { key: [words[0], words[1]] }
    }

    /// The derived key, for code that repeats the same integer stream on a device.
    ///
    /// # Source
    /// See [`NoiseStream::new`].
    pub fn key(&self) -> [u32; 2] {
        self.key
    }

    /// One value: word `index % 4` of the block at counter `[index / 4, example, member, step]`.
    ///
    /// # Source
    /// The definition that every `fill` repeats in bulk.
    pub fn value(&self, kind: NoiseKind, at: At, index: usize) -> f32 {
        let counter = [(index / 4) as u32, at.example, at.member, at.step];
        transform(kind, philox_lanes(counter.map(|word| [word]), self.key))[index % 4][0]
    }

    /// Fills a row with noise of any kind, from index 0.
    ///
    /// # Shapes
    /// `out`: `[D]`, any length including 0.
    ///
    /// # Source
    /// See [`NoiseStream::value`].
    pub fn fill(&self, kind: NoiseKind, at: At, out: &mut [f32]) {
        let rows = Rows {
            step: at.step,
            first_member: at.member,
            n_members: 1,
            first_example: at.example,
            n_examples: 1,
        };
        self.fill_any(kind, rows, out.len(), out);
    }

    /// Fills `n_members * n_examples` rows of equal width, as if by one [`NoiseStream::fill`] each, but in one sweep.
    ///
    /// # Shapes
    /// `out`: `[n_members, n_examples, D]` in row-major order.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the length of `out` is not `n_members * n_examples * width`.
    ///
    /// # Source
    /// See [`NoiseStream::value`].
    pub fn fill_rows(&self, kind: NoiseKind, rows: Rows, width: usize, out: &mut [f32]) -> Result<(), Error> {
        if out.len() != rows.n_members * rows.n_examples * width {
            return Err(Error::ShapeMismatch {
                op: "fill_rows",
                argument: "out",
                expected: vec![rows.n_members, rows.n_examples, width],
                got: vec![out.len()],
            });
        }
        self.fill_any(kind, rows, width, out);
        Ok(())
    }

    /// Uniform values in (0, 1).
    ///
    /// # Shapes
    /// `out`: `[D]`.
    ///
    /// # Source
    /// See [`NoiseStream::value`].
    pub fn fill_uniform(&self, at: At, out: &mut [f32]) {
        self.fill(NoiseKind::Uniform, at, out);
    }

    /// Standard normal values.
    ///
    /// # Shapes
    /// `out`: `[D]`.
    ///
    /// # Numerics
    /// Absolute error below 3e-7 (1 + |radius|) of the exact Box-Muller value of the same words.
    ///
    /// # Source
    /// Box and Muller 1958, on pairs of words of one block.
    pub fn fill_normal(&self, at: At, out: &mut [f32]) {
        self.fill(NoiseKind::Normal, at, out);
    }

    /// Standard Cauchy values.
    ///
    /// # Shapes
    /// `out`: `[D]`.
    ///
    /// # Source
    /// Inverse distribution function, `tan(pi (u - 1/2))`.
    pub fn fill_cauchy(&self, at: At, out: &mut [f32]) {
        self.fill(NoiseKind::Cauchy, at, out);
    }

    /// Random signs, `+1` or `-1`.
    ///
    /// # Shapes
    /// `out`: `[D]`.
    ///
    /// # Source
    /// Top bit of each word.
    pub fn fill_sign(&self, at: At, out: &mut [f32]) {
        self.fill(NoiseKind::Sign, at, out);
    }

    fn fill_any(&self, kind: NoiseKind, rows: Rows, width: usize, out: &mut [f32]) {
        crate::kernels::simd::arch().dispatch(Sweep { kind, key: self.key, rows, width, out });
    }
}

/// The bulk fill as a value, so that its body is compiled once per instruction set.
struct Sweep<'a> {
    kind: NoiseKind,
    key: [u32; 2],
    rows: Rows,
    width: usize,
    out: &'a mut [f32],
}

impl pulp::WithSimd for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Self { kind, key, rows, width, out } = self;
        // One call per kind, so that the choice is made outside the loop.
        match kind {
            NoiseKind::Uniform => sweep(simd, NoiseKind::Uniform, key, rows, width, out),
            NoiseKind::Normal => sweep(simd, NoiseKind::Normal, key, rows, width, out),
            NoiseKind::Cauchy => sweep(simd, NoiseKind::Cauchy, key, rows, width, out),
            NoiseKind::Sign => sweep(simd, NoiseKind::Sign, key, rows, width, out),
        }
    }
}

#[inline(always)]
fn transform<const N: usize>(kind: NoiseKind, words: [[u32; N]; 4]) -> [[f32; N]; 4] {
    let mut out = [[0.0; N]; 4];
    match kind {
        NoiseKind::Normal => {
            for pair in [0, 2] {
                for lane in 0..N {
                    (out[pair][lane], out[pair + 1][lane]) =
                        transform::normal_pair(words[pair][lane], words[pair + 1][lane]);
                }
            }
        }
        NoiseKind::Uniform => each(&words, &mut out, transform::unit),
        NoiseKind::Cauchy => each(&words, &mut out, transform::cauchy),
        NoiseKind::Sign => each(&words, &mut out, transform::sign),
    }
    out
}

#[inline(always)]
fn each<const N: usize>(words: &[[u32; N]; 4], out: &mut [[f32; N]; 4], map: impl Fn(u32) -> f32) {
    for j in 0..4 {
        for lane in 0..N {
            out[j][lane] = map(words[j][lane]);
        }
    }
}

/// Walks over all blocks of all rows, `LANES` at a time; a group of lanes may span several short rows.
#[inline(always)]
fn sweep<S: pulp::Simd>(simd: S, kind: NoiseKind, key: [u32; 2], rows: Rows, width: usize, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let quads = width.div_ceil(4);
    let n_rows = out.len() / width;
    // Next block to generate, and next row and block to copy out.
    let (mut row, mut quad) = (0, 0);
    let mut counter = [[0; LANES], [0; LANES], [0; LANES], [rows.step; LANES]];
    while row < n_rows {
        let (first_row, first_quad) = (row, quad);
        let mut lane = 0;
        while lane < LANES && row < n_rows {
            let run = (LANES - lane).min(quads - quad);
            let (member, example) = layout::member_and_example(row, rows.n_examples);
            for offset in 0..run {
                counter[0][lane + offset] = (quad + offset) as u32;
                counter[1][lane + offset] = rows.first_example.wrapping_add(example as u32);
                counter[2][lane + offset] = rows.first_member.wrapping_add(member as u32);
            }
            (lane, quad) = (lane + run, quad + run);
            if quad == quads {
                (row, quad) = (row + 1, 0);
            }
        }
        let values = transform(kind, philox_vectors(simd, counter, key));
        // Back from word-major lanes to the order of the indices.
        let mut group = [0.0_f32; 4 * LANES];
        for lane in 0..LANES {
            for j in 0..4 {
                group[4 * lane + j] = values[j][lane];
            }
        }
        let (mut to_row, mut to_quad, mut from) = (first_row, first_quad, 0);
        while from < lane {
            let run = (lane - from).min(quads - to_quad);
            let start = 4 * to_quad;
            let length = (4 * run).min(width - start);
            let target = &mut out[to_row * width + start..][..length];
            target.copy_from_slice(&group[4 * from..4 * from + length]);
            (from, to_row, to_quad) = (from + run, to_row + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests;
