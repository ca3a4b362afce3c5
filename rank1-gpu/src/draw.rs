//! What to draw: the noise, its place in the stream, and the clip.
//!
//! Not the parameters of a posterior: locations and scales are buffers, and their priors live elsewhere.

use crate::Error;

/// The standard distribution of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoiseKind {
    /// Uniform on the open interval (0, 1), on a grid of `2^23` midpoints.
    Uniform,
    /// Standard normal by Box-Muller, cut at a radius of 5.77.
    Normal,
    /// Standard Cauchy, `tan(pi (u - 1/2))`, cut at 5.4e6.
    Cauchy,
}

/// The interval that factor entries are cut to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clip {
    min: f32,
    max: f32,
}

impl Clip {
    /// The reference code's bounds for dense and convolution layers, -10 and 10.
    pub const REFERENCE: Self = Self { min: -10.0, max: 10.0 };

    /// Checked bounds.
    ///
    /// # Errors
    /// [`Error::InvalidClip`] unless `min <= max`; NaN is refused.
    ///
    /// # Source
    /// Definition.
    pub fn new(min: f32, max: f32) -> Result<Self, Error> {
        if min <= max { Ok(Self { min, max }) } else { Err(Error::InvalidClip { min, max }) }
    }

    /// Lower bound.
    pub fn min(&self) -> f32 {
        self.min
    }

    /// Upper bound.
    pub fn max(&self) -> f32 {
        self.max
    }
}

/// One draw of all factors of a layer, up to their locations and scales.
///
/// # Source
/// Reparameterized draws as in Dusenberry et al. 2020, arXiv:2005.07186, section 3; the clip is the reference code's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Distribution of the noise.
    pub kind: NoiseKind,
    /// Key of the stream, for example from [`crate::philox::stream_key`].
    pub key: [u32; 2],
    /// Optimizer step, or any number that tells draws over time apart.
    pub step: u32,
    /// Bounds of the drawn factor, not of the noise.
    pub clip: Option<Clip>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_out_of_order_and_nan_are_refused() {
        for (min, max) in [(1.0, 0.5), (f32::NAN, 1.0), (0.0, f32::NAN)] {
            assert!(matches!(Clip::new(min, max), Err(Error::InvalidClip { .. })), "{min} {max}");
        }
        assert!(Clip::new(2.0, 2.0).is_ok());
    }
}
