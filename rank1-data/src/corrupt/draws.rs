//! The random numbers of one corrupted image: functions of seed, image, kind and severity.
//!
//! Not a generator with state; two draws of one image are told apart by their purpose.

use rank1_core::noise::{At, NoiseKind, NoiseStream};

use super::{Corruption, ImageKey};

/// What a draw decides; images that need several independent fields number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One number per value or pixel.
    Field,
    /// A direction.
    Angle,
    /// Corners of an affine map.
    Corners,
    /// One further field per number.
    Further(u32),
}

impl Purpose {
    fn number(self) -> u32 {
        match self {
            Self::Field => 0,
            Self::Angle => 1,
            Self::Corners => 2,
            Self::Further(n) => 3 + n,
        }
    }
}

/// All random numbers of one image under one corruption.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    stream: NoiseStream,
    index: u64,
}

impl Draws {
    pub(super) fn new(corruption: Corruption, key: ImageKey) -> Self {
        let severity = corruption.severity().into();
        Self { stream: NoiseStream::new(key.seed, corruption.kind().site(), severity), index: key.index }
    }

    fn at(self, purpose: Purpose) -> At {
        At { step: purpose.number(), member: (self.index >> 32) as u32, example: self.index as u32 }
    }

    /// Standard normal numbers.
    pub(super) fn normal(self, purpose: Purpose, n: usize) -> Vec<f32> {
        let mut out = vec![0.0; n];
        self.stream.fill_normal(self.at(purpose), &mut out);
        out
    }

    /// Uniform numbers in (0, 1).
    pub(super) fn uniform(self, purpose: Purpose, n: usize) -> Vec<f32> {
        let mut out = vec![0.0; n];
        self.stream.fill_uniform(self.at(purpose), &mut out);
        out
    }

    /// One number between two bounds.
    pub(super) fn between(self, purpose: Purpose, low: f32, high: f32) -> f32 {
        low + (high - low) * self.stream.value(NoiseKind::Uniform, self.at(purpose), 0)
    }
}
