//! Locations and scales of a slice read entry by entry, whatever the number of scales; no public items.

use std::f64::consts::{LN_2, PI};

use super::PosteriorFamily;
use crate::error::Error;
use crate::real::Real;

/// A draw with its derivatives, the noise held fixed.
pub(crate) struct Draw {
    pub(crate) value: f64,
    pub(crate) d_loc: f64,
    pub(crate) d_scale: f64,
}

/// Locations and scales of one slice, read entry by entry whatever the number of scales.
pub(crate) struct Entries<'a, T> {
    pub(crate) family: PosteriorFamily,
    pub(crate) loc: &'a [T],
    scale: &'a [T],
    stride: usize,
    fixed: f64,
}

impl<'a, T: Real> Entries<'a, T> {
    pub(crate) fn new(
        op: &'static str,
        family: PosteriorFamily,
        loc: &'a [T],
        scale: &'a [T],
    ) -> Result<Self, Error> {
        same_length(op, "scale", family.n_scales(loc.len()), scale.len())?;
        let (stride, fixed) = match family {
            PosteriorFamily::NormalFixedScale { scale } => (0, scale),
            PosteriorFamily::PointMass => (0, 0.0),
            PosteriorFamily::NormalSharedScale => (0, 0.0),
            _ => (1, 0.0),
        };
        Ok(Self { family, loc, scale, stride, fixed })
    }

    /// Refuses scales that are zero, negative or NaN.
    pub(crate) fn with_positive_scales(self, op: &'static str) -> Result<Self, Error> {
        self.family.check()?;
        match self.scale.iter().position(|s| s.wide() <= 0.0 || s.wide().is_nan()) {
            Some(index) => {
                Err(Error::Scale { op, argument: "scale", index, value: self.scale[index].wide() })
            }
            None => Ok(self),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.loc.len()
    }

    pub(crate) fn n_scales(&self) -> usize {
        self.scale.len()
    }

    pub(crate) fn scales(&self) -> &'a [T] {
        self.scale
    }

    #[inline]
    pub(crate) fn loc(&self, i: usize) -> f64 {
        self.loc[i].wide()
    }

    #[inline]
    pub(crate) fn scale(&self, i: usize) -> f64 {
        if self.scale.is_empty() { self.fixed } else { self.scale[i * self.stride].wide() }
    }

    #[inline]
    pub(crate) fn draw(&self, i: usize, noise: f64) -> Draw {
        let (loc, scale) = (self.loc(i), self.scale(i));
        match self.family {
            PosteriorFamily::PointMass => Draw { value: loc, d_loc: 1.0, d_scale: 0.0 },
            PosteriorFamily::LogNormal => {
                let value = (loc + scale * noise).exp();
                Draw { value, d_loc: value, d_scale: value * noise }
            }
            PosteriorFamily::HalfCauchy => {
                Draw { value: loc + scale * noise.abs(), d_loc: 1.0, d_scale: noise.abs() }
            }
            _ => Draw { value: loc + scale * noise, d_loc: 1.0, d_scale: noise },
        }
    }

    /// `ln q` at `x`; minus infinity outside the support.
    pub(crate) fn log_density(&self, i: usize, x: f64) -> f64 {
        let (loc, scale) = (self.loc(i), self.scale(i));
        match self.family {
            PosteriorFamily::PointMass if (x - loc).abs() > 0.0 => f64::NEG_INFINITY,
            PosteriorFamily::HalfCauchy if x < loc => f64::NEG_INFINITY,
            PosteriorFamily::LogNormal if x <= 0.0 => f64::NEG_INFINITY,
            PosteriorFamily::LogNormal => self.log_density_at_noise(i, (x.ln() - loc) / scale),
            _ => self.log_density_at_noise(i, (x - loc) / scale),
        }
    }

    /// `ln q` at the draw made from `noise`.
    #[inline]
    pub(crate) fn log_density_at_noise(&self, i: usize, noise: f64) -> f64 {
        let scale = self.scale(i);
        match self.family {
            PosteriorFamily::PointMass => 0.0,
            PosteriorFamily::Cauchy => -(PI * scale).ln() - (noise * noise).ln_1p(),
            PosteriorFamily::HalfCauchy => LN_2 - (PI * scale).ln() - (noise * noise).ln_1p(),
            PosteriorFamily::LogNormal => {
                -0.5 * noise * noise - scale.ln() - HALF_LN_2PI - (self.loc(i) + scale * noise)
            }
            _ => -0.5 * noise * noise - scale.ln() - HALF_LN_2PI,
        }
    }
}

/// `ln(2 pi) / 2`.
pub(crate) const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;

pub(crate) fn same_length(
    op: &'static str,
    argument: &'static str,
    expected: usize,
    got: usize,
) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::Length { op, argument, expected, got }) }
}
