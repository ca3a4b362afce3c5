//! The same draws on the host, in plain `f64` Rust: the reference that the kernels are tested against.
//!
//! Not fast and not used by the kernels.

mod likelihood;
mod predictive;

pub use likelihood::{NOISE_FLOOR, NllGrads, Targets, nll_with_gradient};
pub use predictive::{ClassPredictive, class_predictive};

use std::f64::consts::{PI, TAU};

use crate::philox::philox4x32;
use crate::{Clip, Draw, DrawShape, Error, NoiseKind};

/// Where in a stream an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct At {
    /// Optimizer step.
    pub step: u32,
    /// Member `k`.
    pub member: u32,
    /// Example, or 0 for one draw shared by the batch.
    pub example: u32,
    /// Entry of the row.
    pub index: u32,
}

impl At {
    fn block(&self, key: [u32; 2]) -> [u32; 4] {
        philox4x32([self.index / 4, self.example, self.member, self.step], key)
    }
}

/// The random word of an entry.
///
/// # Source
/// The contract in [`crate::philox`].
pub fn word(key: [u32; 2], at: At) -> u32 {
    at.block(key)[at.index as usize % 4]
}

/// The standard noise of an entry.
///
/// # Source
/// Uniform: midpoint of one of `2^23` cells by the top 23 bits. Cauchy: inverse distribution function. Normal: Box and
/// Muller 1958 on words (0, 1) and (2, 3) of the block, cosine first; the top two bits of the second word choose the
/// quarter turn, centered on a whole number of quarters, and the next 23 the place in it.
pub fn noise(kind: NoiseKind, key: [u32; 2], at: At) -> f64 {
    let block = at.block(key);
    let lane = at.index as usize % 4;
    match kind {
        NoiseKind::Uniform => unit(block[lane]),
        NoiseKind::Cauchy => (PI * (unit(block[lane]) - 0.5)).tan(),
        NoiseKind::Normal => {
            let (first, second) = (block[lane & 2], block[lane | 1]);
            let radius = (-2.0 * unit(first).ln()).sqrt();
            let angle = TAU * ((f64::from(second >> 7) + 0.5) / 33_554_432.0 - 0.125);
            radius * if matches!(lane, 0 | 2) { angle.cos() } else { angle.sin() }
        }
    }
}

fn unit(word: u32) -> f64 {
    (f64::from(word >> 9) + 0.5) / 8_388_608.0
}

/// All factors of a draw.
///
/// # Shapes
/// `location` and `scale`: `[K, D]`; returns `[K, n_examples, D]`.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`] or [`Error::OverLimit`] if the lengths do not fit `shape`.
///
/// # Source
/// `clip(location + scale * noise)`, as [`crate::launch::draw_factors`].
pub fn draw_factors(
    draw: &Draw,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
) -> Result<Vec<f64>, Error> {
    let op = "host::draw_factors";
    let elements = shape.elements(op)?;
    for (argument, values) in [("location", location), ("scale", scale)] {
        if values.len() != shape.n_members * shape.width {
            let expected = vec![shape.n_members, shape.width];
            return Err(Error::ShapeMismatch { op, argument, expected, got: values.len() });
        }
    }
    let entry = |position: usize| {
        let (row, index) = (position / shape.width, position % shape.width);
        let (member, example) = (row / shape.n_examples, row % shape.n_examples);
        let at = At { step: draw.step, member: member as u32, example: example as u32, index: index as u32 };
        let from = member * shape.width + index;
        let noise = noise(draw.kind, draw.key, at);
        clip(draw.clip, f64::from(location[from]) + f64::from(scale[from]) * noise)
    };
    Ok((0..elements).map(entry).collect())
}

/// Rows scaled by a draw.
///
/// # Shapes
/// `x`: `[K * batch_size, D]`, member-major; `location` and `scale`: `[K, D]`; `shape.n_examples`: `batch_size` or 1;
/// returns `[K * batch_size, D]`.
///
/// # Errors
/// [`Error::BatchMismatch`] if `shape.n_examples` is neither, otherwise as [`draw_factors`].
///
/// # Source
/// `x * clip(location + scale * noise)`, as [`crate::launch::scale_by_draw`].
pub fn scale_by_draw(
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
) -> Result<Vec<f64>, Error> {
    let op = "host::scale_by_draw";
    shape.check_batch(op, batch_size)?;
    if x.len() != shape.with_batch(batch_size).elements(op)? {
        let expected = vec![shape.n_members * batch_size, shape.width];
        return Err(Error::ShapeMismatch { op, argument: "x", expected, got: x.len() });
    }
    let factors = draw_factors(draw, shape, location, scale)?;
    let entry = |(position, &value): (usize, &f32)| {
        let (row, index) = (position / shape.width, position % shape.width);
        let (member, example) = (row / batch_size, row % batch_size % shape.n_examples);
        f64::from(value) * factors[(member * shape.n_examples + example) * shape.width + index]
    };
    Ok(x.iter().enumerate().map(entry).collect())
}

fn clip(bounds: Option<Clip>, value: f64) -> f64 {
    match bounds {
        Some(clip) if value < f64::from(clip.min()) => f64::from(clip.min()),
        Some(clip) if value > f64::from(clip.max()) => f64::from(clip.max()),
        _ => value,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::philox::stream_key;

    /// The first six values of a row as every implementation of the stream must give them, in `f32` bits.
    const PINNED: [(NoiseKind, [u32; 6]); 3] = [
        (NoiseKind::Uniform, [0x3e67_7264, 0x3e42_8e84, 0x3f70_dc89, 0x3f26_6023, 0x3dee_8568, 0x3f49_02c9]),
        (NoiseKind::Normal, [0x3fca_9850, 0x3f2f_54db, 0xbeb0_95a2, 0xbd5e_e054, 0xbf8d_f2aa, 0xbfe0_4af8]),
        (NoiseKind::Cauchy, [0xbf94_e5d2, 0xbfbc_59b2, 0x40aa_433a, 0x3f02_577a, 0xc027_0a94, 0x3f9f_f987]),
    ];

    #[test]
    fn the_first_draws_are_pinned_to_those_of_the_core_stream() {
        let key = stream_key(2020, 5, 7);
        for (kind, bits) in PINNED {
            for (index, bits) in bits.into_iter().enumerate() {
                let at = At { step: 1, member: 2, example: 3, index: index as u32 };
                let (got, pinned) = (noise(kind, key, at), f64::from(f32::from_bits(bits)));
                assert!(
                    (got - pinned).abs() < 1e-6 * (1.0 + pinned.abs()),
                    "{kind:?} {index}: {got} {pinned}"
                );
            }
        }
    }

    #[test]
    fn a_draw_shared_by_the_batch_scales_all_its_rows_alike() {
        let draw = Draw { kind: NoiseKind::Normal, key: [1, 2], step: 3, clip: None };
        let shape = DrawShape { n_members: 3, n_examples: 1, width: 7 };
        let (location, scale) = ([1.0; 21], [0.5; 21]);
        let factors = draw_factors(&draw, shape, &location, &scale).unwrap();
        let out = scale_by_draw(&draw, shape, 5, &[2.0; 105], &location, &scale).unwrap();
        for (row, values) in out.chunks(7).enumerate() {
            let member = row / 5;
            let expected: Vec<f64> = factors[7 * member..7 * member + 7].iter().map(|f| 2.0 * f).collect();
            assert_eq!(values, expected);
        }
    }

    #[test]
    fn a_clip_bounds_the_factor_and_not_the_noise() {
        let clip = Some(Clip::new(0.9, 1.1).unwrap());
        let draw = Draw { kind: NoiseKind::Cauchy, key: [1, 2], step: 0, clip };
        let shape = DrawShape { n_members: 1, n_examples: 1, width: 101 };
        let factors = draw_factors(&draw, shape, &[1.0; 101], &[1.0; 101]).unwrap();
        assert!(factors.iter().all(|f| (f64::from(0.9_f32)..=f64::from(1.1_f32)).contains(f)));
        assert!(factors.contains(&f64::from(0.9_f32)) && factors.contains(&f64::from(1.1_f32)));
    }

    #[test]
    fn wrong_lengths_are_refused_by_name() {
        let draw = Draw { kind: NoiseKind::Normal, key: [0, 0], step: 0, clip: None };
        let shape = DrawShape { n_members: 3, n_examples: 5, width: 7 };
        let got = draw_factors(&draw, shape, &[0.0; 21], &[0.0; 20]);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "scale", got: 20, .. })));
        let got = scale_by_draw(&draw, shape, 4, &[0.0; 84], &[0.0; 21], &[0.0; 21]);
        assert!(matches!(got, Err(Error::BatchMismatch { n_examples: 5, batch_size: 4, .. })));
    }
}
