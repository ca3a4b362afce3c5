//! The same draws, layers and losses on the host, in plain `f64` Rust: the reference that the kernels are tested against.
//!
//! Not fast and not used by the kernels.

mod convolution;
mod draws;
mod factor;
mod layer;
mod likelihood;
mod linear;

use std::f64::consts::{PI, TAU};

use crate::NoiseKind;
use crate::philox::philox4x32;

pub use convolution::{perturbed_convolution, perturbed_convolution_backward};
pub use draws::{draw_factors, draw_factors_backward};
pub use likelihood::{NOISE_FLOOR, NllGrads, Targets, nll_with_gradient};
pub use linear::{perturbed_linear, perturbed_linear_backward};

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
}
