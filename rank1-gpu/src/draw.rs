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

/// How a factor entry is made of its location, its scale and its noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Family {
    /// `location + scale * noise`: normal or Cauchy, as the noise is.
    #[default]
    LocationScale,
    /// `exp(location + scale * noise)`: log-normal where the noise is normal; location and scale are those of the
    /// logarithm.
    LogNormal,
}

/// What the buffer of scales holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ScaleParameter {
    /// The positive scale itself.
    #[default]
    Positive,
    /// The trained number; the scale is `softplus(raw) + 1e-7`, and gradients are those of the raw number.
    Softplus,
}

impl ScaleParameter {
    /// What is added to a softplus, so that a scale is never 0.
    pub const FLOOR: f32 = 1e-7;
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
/// [`Draw::new`] is the plain case; the other fields are set by name:
///
/// ```
/// use rank1_core::noise::NoiseStream;
/// use rank1_gpu::{Clip, Draw, NoiseKind, ScaleParameter};
/// let plain = Draw::new(NoiseKind::Normal, NoiseStream::new(2020, 0, 0).key(), 0);
/// let trained = Draw { scale: ScaleParameter::Softplus, clip: Some(Clip::REFERENCE), ..plain };
/// assert_eq!((plain.clip, trained.kind), (None, NoiseKind::Normal));
/// ```
///
/// # Source
/// Reparameterized draws as in Dusenberry et al. 2020, arXiv:2005.07186, section 3; the clip and the floored softplus are
/// the reference code's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Distribution of the noise.
    pub kind: NoiseKind,
    /// How location, scale and noise make a factor.
    pub family: Family,
    /// Whether scales are positive numbers or raw parameters.
    pub scale: ScaleParameter,
    /// Key of the stream, for example from [`rank1_core::noise::NoiseStream::key`].
    pub key: [u32; 2],
    /// Optimizer step, or any number that tells draws over time apart.
    pub step: u32,
    /// Number of the first example (of the first draw of a divergence): row `e` takes the noise of `first_example + e`.
    pub first_example: u32,
    /// Number of the first member: member `k` takes the noise of `first_member + k`, so that some of a layer's members draw
    /// what they have in the whole.
    pub first_member: u32,
    /// Bounds of the drawn factor, not of the noise.
    pub clip: Option<Clip>,
}

impl Draw {
    /// A draw of `location + scale * noise` from positive scales, from member and example 0 on, without a clip.
    pub fn new(kind: NoiseKind, key: [u32; 2], step: u32) -> Self {
        let (family, scale) = (Family::default(), ScaleParameter::default());
        Self { kind, family, scale, key, step, first_example: 0, first_member: 0, clip: None }
    }

    pub(crate) fn form(&self) -> Form {
        let Self { kind, family, scale, clip, .. } = *self;
        Form { kind, family, scale, clipped: clip.is_some() }
    }
}

/// The parts of a draw that a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) kind: NoiseKind,
    pub(crate) family: Family,
    pub(crate) scale: ScaleParameter,
    pub(crate) clipped: bool,
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
