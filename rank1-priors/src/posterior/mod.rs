//! Variational families of factor entries: draws from given noise and their pathwise gradients; no divergences.

mod domain;
mod entries;
mod law;
mod slice;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::real::Real;

pub use domain::LocationDomain;
pub(crate) use entries::{Entries, same_length};
pub(crate) use law::HALF_LN_2PI;
pub use law::{Law, Link, Scales};
pub use slice::Posterior;

/// The distribution of every factor entry under the variational posterior.
///
/// Each entry has its own location. The length of the slice of scales depends on the family, see [`PosteriorFamily::n_scales`].
/// Scales are constrained (positive); [`crate::raw_to_scale`] makes them from trained parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PosteriorFamily {
    /// Normal with a standard deviation per entry.
    Normal,
    /// Cauchy with a scale per entry.
    Cauchy,
    /// `location + scale |t|` with `t` standard Cauchy; the support starts at the location, which networks keep positive
    /// (see [`LocationDomain`]).
    HalfCauchy,
    /// `exp` of a normal: location and scale are those of the logarithm.
    LogNormal,
    /// Normal with one standard deviation for the whole slice.
    NormalSharedScale,
    /// Normal whose standard deviation is fixed.
    NormalFixedScale {
        /// The standard deviation.
        scale: f64,
    },
    /// All mass at the location (a `BatchEnsemble` member).
    PointMass,
}

/// The standard variate from which a family's draw is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoiseKind {
    /// Standard normal.
    Normal,
    /// Standard Cauchy, `tan(pi (u - 1/2))`; the half-Cauchy family takes its absolute value.
    Cauchy,
    /// None; the noise is not read.
    Unused,
}

impl PosteriorFamily {
    /// The family's name as written in recipes.
    pub fn name(&self) -> &'static str {
        self.law().name
    }

    /// Refuses a fixed scale that is not a positive number.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the scale.
    ///
    /// # Source
    /// Definition of the families.
    pub fn check(&self) -> Result<(), Error> {
        if let Self::NormalFixedScale { scale } = *self {
            crate::error::positive("normal_fixed_scale posterior", "scale", scale)?;
        }
        Ok(())
    }

    /// How many trained scales `n` entries have: `n`, 1 (shared) or 0 (fixed scale, point mass).
    pub fn n_scales(&self, n: usize) -> usize {
        self.law().n_scales(n)
    }

    /// Which standard variate [`PosteriorFamily::draw_into`] expects.
    pub fn noise_kind(&self) -> NoiseKind {
        self.law().noise
    }

    /// Whether every draw is positive when the locations are (for the log-normal, always).
    pub fn is_positive(&self) -> bool {
        let law = self.law();
        law.folded || law.link == Link::Exponential
    }

    /// Draws every entry from given noise.
    ///
    /// `location + scale * noise`; half-Cauchy uses `|noise|`, log-normal the exponential of the sum, a point mass no noise.
    ///
    /// # Shapes
    /// | value | shape | note |
    /// |---|---|---|
    /// | `loc`, `out` | `[D]` | one row of one member |
    /// | `scale` | `[n_scales(D)]` | constrained |
    /// | `noise` | `[D]` | [`PosteriorFamily::noise_kind`]; a point mass takes any length |
    ///
    /// # Errors
    /// [`Error::Length`]. NaN passes through; draws are not clipped.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3; Edward2's location-scale initializers. Clipping belongs to the layer.
    pub fn draw_into<T: Real>(
        &self,
        loc: &[T],
        scale: &[T],
        noise: &[T],
        out: &mut [T],
    ) -> Result<(), Error> {
        const OP: &str = "PosteriorFamily::draw_into";
        let entries = Entries::new(OP, *self, loc, scale)?;
        same_length(OP, "out", loc.len(), out.len())?;
        if self.law().is_point() {
            out.copy_from_slice(loc);
            return Ok(());
        }
        same_length(OP, "noise", loc.len(), noise.len())?;
        for (i, (out, noise)) in out.iter_mut().zip(noise).enumerate() {
            *out = T::of(entries.draw(i, noise.wide()).value);
        }
        Ok(())
    }

    /// Adds the pathwise gradient of the draws to the gradients of location and scale.
    ///
    /// # Shapes
    /// As in [`PosteriorFamily::draw_into`]; `grad_out` and `d_loc` are `[D]`, `d_scale` is `[n_scales(D)]` and accumulates.
    ///
    /// # Errors
    /// [`Error::Length`]. NaN passes through.
    ///
    /// # Source
    /// Derivative of the reparameterized draw with the noise held fixed.
    pub fn backward_into<T: Real>(
        &self,
        loc: &[T],
        scale: &[T],
        noise: &[T],
        grad_out: &[T],
        d_loc: &mut [T],
        d_scale: &mut [T],
    ) -> Result<(), Error> {
        const OP: &str = "PosteriorFamily::backward_into";
        let entries = Entries::new(OP, *self, loc, scale)?;
        same_length(OP, "grad_out", loc.len(), grad_out.len())?;
        same_length(OP, "d_loc", loc.len(), d_loc.len())?;
        same_length(OP, "d_scale", scale.len(), d_scale.len())?;
        let law = self.law();
        if !law.is_point() {
            same_length(OP, "noise", loc.len(), noise.len())?;
        }
        let mut shared = 0.0;
        for (i, grad) in grad_out.iter().enumerate() {
            let draw = entries.draw(i, noise.get(i).map_or(0.0, |n| n.wide()));
            let grad = grad.wide();
            d_loc[i] = T::of(d_loc[i].wide() + grad * draw.d_loc);
            match law.scales {
                Scales::Fixed(_) | Scales::None => {}
                Scales::Shared => shared += grad * draw.d_scale,
                Scales::PerEntry => d_scale[i] = T::of(d_scale[i].wide() + grad * draw.d_scale),
            }
        }
        if law.scales == Scales::Shared {
            d_scale[0] = T::of(d_scale[0].wide() + shared);
        }
        Ok(())
    }
}
