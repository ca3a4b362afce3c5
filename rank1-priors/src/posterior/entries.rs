//! Locations and scales of a slice read entry by entry, whatever the number of scales; no public items.

use super::{Law, PosteriorFamily, Scales};
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
    law: Law,
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
        let law = family.law();
        let (stride, fixed) = match law.scales {
            Scales::PerEntry => (1, 0.0),
            Scales::Shared | Scales::None => (0, 0.0),
            Scales::Fixed(scale) => (0, scale),
        };
        Ok(Self { family, law, loc, scale, stride, fixed })
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

    /// A draw from standard noise.
    #[inline]
    pub(crate) fn draw(&self, i: usize, noise: f64) -> Draw {
        let noise = self.law.standard(noise);
        let value = self.law.draw(self.loc(i), self.scale(i), noise);
        let d_loc = self.law.slope(value);
        Draw { value, d_loc, d_scale: if self.law.is_point() { 0.0 } else { d_loc * noise } }
    }

    /// `ln q` at `x`; minus infinity outside the support.
    pub(crate) fn log_density(&self, i: usize, x: f64) -> f64 {
        self.law.log_density(self.loc(i), self.scale(i), x)
    }

    /// `ln q` at the draw made from `noise`.
    #[inline]
    pub(crate) fn log_density_at_noise(&self, i: usize, noise: f64) -> f64 {
        self.law.log_density_at_noise(self.loc(i), self.scale(i), noise)
    }
}

pub(crate) fn same_length(
    op: &'static str,
    argument: &'static str,
    expected: usize,
    got: usize,
) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::Length { op, argument, expected, got }) }
}
