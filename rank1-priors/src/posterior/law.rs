//! The law of every family, in one place: what its draws, densities, scales and initial values follow from.
//!
//! Engines, layers of tensors, initializers and divergences ask here. A further family is one more entry of
//! [`PosteriorFamily::law`]; its closed divergences are in [`crate::kl`].

use std::f64::consts::{LN_2, PI};

use num_traits::Float;

use super::{NoiseKind, PosteriorFamily};

/// What a family is: every draw is `link(location + scale * noise)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    /// The name in recipes.
    pub name: &'static str,
    /// The standard variate that a draw is made from.
    pub noise: NoiseKind,
    /// Whether a draw takes the magnitude of the noise: its support begins at the location.
    pub folded: bool,
    /// From the sum to the draw.
    pub link: Link,
    /// Which scales there are.
    pub scales: Scales,
    /// Standard deviation of the unconstrained scales around their start, before truncation at two of them.
    pub start_jitter: f64,
}

/// From `location + scale * noise` to a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The sum itself.
    Identity,
    /// Its exponential: location and scale are those of the logarithm.
    Exponential,
}

/// The scales of a slice of entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scales {
    /// One for each entry.
    PerEntry,
    /// One for the slice.
    Shared,
    /// This one, not trained.
    Fixed(f64),
    /// None: the draw is the location.
    None,
}

/// `ln(2 pi) / 2`.
pub(crate) const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;

/// Jitter of the reference code's normal and log-normal scales.
const REFERENCE_JITTER: f64 = 0.1;

impl PosteriorFamily {
    /// The law of the family.
    ///
    /// # Source
    /// Reparameterizations of Dusenberry et al. 2020, section 3; starts of Edward2's trainable initializers.
    #[must_use]
    pub const fn law(&self) -> Law {
        let normal = Law {
            name: "normal",
            noise: NoiseKind::Normal,
            folded: false,
            link: Link::Identity,
            scales: Scales::PerEntry,
            start_jitter: REFERENCE_JITTER,
        };
        let cauchy = Law { name: "cauchy", noise: NoiseKind::Cauchy, start_jitter: 0.0, ..normal };
        match *self {
            Self::Normal => normal,
            Self::Cauchy => cauchy,
            Self::HalfCauchy => Law { name: "half_cauchy", folded: true, ..cauchy },
            Self::LogNormal => Law { name: "log_normal", link: Link::Exponential, ..normal },
            Self::NormalSharedScale => {
                Law { name: "normal_shared_scale", scales: Scales::Shared, start_jitter: 0.0, ..normal }
            }
            Self::NormalFixedScale { scale } => {
                Law { name: "normal_fixed_scale", scales: Scales::Fixed(scale), start_jitter: 0.0, ..normal }
            }
            Self::PointMass => Law {
                name: "point_mass",
                noise: NoiseKind::Unused,
                scales: Scales::None,
                start_jitter: 0.0,
                ..normal
            },
        }
    }
}

impl Law {
    /// Whether a draw is the location.
    #[must_use]
    pub const fn is_point(&self) -> bool {
        matches!(self.scales, Scales::None)
    }

    /// How many trained scales `n` entries have.
    #[must_use]
    pub const fn n_scales(&self, n: usize) -> usize {
        match self.scales {
            Scales::PerEntry => n,
            Scales::Shared => 1,
            Scales::Fixed(_) | Scales::None => 0,
        }
    }

    /// The part of standard noise that a draw reads: its magnitude for a folded family.
    #[inline(always)]
    pub fn standard<T: Float>(&self, noise: T) -> T {
        if self.folded { noise.abs() } else { noise }
    }

    /// A draw from noise that went through [`Law::standard`].
    #[inline(always)]
    pub fn draw<T: Float>(&self, location: T, scale: T, noise: T) -> T {
        match (self.scales, self.link) {
            (Scales::None, _) => location,
            (_, Link::Identity) => location + scale * noise,
            (_, Link::Exponential) => (location + scale * noise).exp(),
        }
    }

    /// Derivative of a draw in its location, from the draw; times the noise it is that in the scale.
    #[inline(always)]
    pub fn slope<T: Float>(&self, draw: T) -> T {
        match self.link {
            Link::Identity => T::one(),
            Link::Exponential => draw,
        }
    }

    /// One draw of every entry of a slice.
    ///
    /// # Shapes
    /// All `[D]`; `noise` went through [`Law::standard`].
    #[inline(always)]
    pub fn draw_row<T: Float>(&self, location: &[T], scale: &[T], noise: &[T], draw: &mut [T]) {
        let parts = draw.iter_mut().zip(location).zip(scale).zip(noise);
        match self.link {
            Link::Identity => parts.for_each(|(((draw, &l), &s), &n)| *draw = l + s * n),
            Link::Exponential => parts.for_each(|(((draw, &l), &s), &n)| *draw = (l + s * n).exp()),
        }
    }

    /// Adds the pathwise gradient of one draw of every entry to those of locations and scales.
    ///
    /// # Shapes
    /// All `[D]`; `gradient` is with respect to the draws.
    #[inline(always)]
    pub fn add_slopes<T: Float>(
        &self,
        gradient: impl Iterator<Item = T>,
        draw: &[T],
        noise: &[T],
        d_location: &mut [T],
        d_scale: &mut [T],
    ) {
        let sinks = d_location.iter_mut().zip(d_scale);
        match self.link {
            Link::Identity => gradient.zip(noise).zip(sinks).for_each(|((g, &n), (d_location, d_scale))| {
                *d_location = *d_location + g;
                *d_scale = *d_scale + g * n;
            }),
            Link::Exponential => {
                let parts = gradient.zip(draw).zip(noise).zip(sinks);
                parts.for_each(|(((g, &draw), &n), (d_location, d_scale))| {
                    *d_location = *d_location + g * draw;
                    *d_scale = *d_scale + g * draw * n;
                });
            }
        }
    }

    /// `ln q` at the draw made from `noise`; 0 for a point.
    #[inline]
    pub(crate) fn log_density_at_noise(&self, location: f64, scale: f64, noise: f64) -> f64 {
        let fold = if self.folded { LN_2 } else { 0.0 };
        let of_sum = match self.noise {
            NoiseKind::Unused => return 0.0,
            NoiseKind::Cauchy => fold - (PI * scale).ln() - (noise * noise).ln_1p(),
            NoiseKind::Normal => fold - 0.5 * noise * noise - scale.ln() - HALF_LN_2PI,
        };
        match self.link {
            Link::Identity => of_sum,
            Link::Exponential => of_sum - (location + scale * noise),
        }
    }

    /// `ln q` at `x`; minus infinity outside the support.
    pub(crate) fn log_density(&self, location: f64, scale: f64, x: f64) -> f64 {
        let sum = match self.link {
            Link::Identity => x,
            Link::Exponential if x <= 0.0 => return f64::NEG_INFINITY,
            Link::Exponential => x.ln(),
        };
        let outside = (self.folded && sum < location) || (self.is_point() && (sum - location).abs() > 0.0);
        if outside {
            return f64::NEG_INFINITY;
        }
        self.log_density_at_noise(location, scale, (sum - location) / scale)
    }

    /// Derivatives in location and scale of [`Law::log_density_at_noise`], the noise held fixed.
    #[inline]
    pub(crate) fn log_density_slopes(&self, scale: f64, noise: f64) -> (f64, f64) {
        match (self.scales, self.link) {
            (Scales::None, _) => (0.0, 0.0),
            (_, Link::Identity) => (0.0, -1.0 / scale),
            (_, Link::Exponential) => (-1.0, -1.0 / scale - noise),
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    const FAMILIES: [PosteriorFamily; 6] = [
        PosteriorFamily::Normal,
        PosteriorFamily::Cauchy,
        PosteriorFamily::HalfCauchy,
        PosteriorFamily::LogNormal,
        PosteriorFamily::NormalSharedScale,
        PosteriorFamily::NormalFixedScale { scale: 0.3 },
    ];

    #[test]
    fn slopes_of_draws_and_densities_are_those_of_central_differences() {
        let (location, scale, h) = (0.7, 0.3, 1e-6);
        for law in FAMILIES.map(|family| family.law()) {
            for noise in [-1.3, 0.4, 2.1].map(|noise: f64| law.standard(noise)) {
                let draw = law.draw(location, scale, noise);
                let (mut d_location, mut d_scale) = ([0.5], [0.25]);
                law.add_slopes([2.0].into_iter(), &[draw], &[noise], &mut d_location, &mut d_scale);
                let at = |l: f64, s: f64| law.draw(l, s, noise);
                let expected = (at(location + h, scale) - at(location - h, scale)) / (2.0 * h);
                assert_relative_eq!(law.slope(draw), expected, max_relative = 1e-8);
                assert_relative_eq!(d_location[0], 0.5 + 2.0 * expected, max_relative = 1e-8);
                let expected = (at(location, scale + h) - at(location, scale - h)) / (2.0 * h);
                assert_relative_eq!(d_scale[0], 0.25 + 2.0 * expected, max_relative = 1e-8);

                let at = |l: f64, s: f64| law.log_density_at_noise(l, s, noise);
                let (by_location, by_scale) = law.log_density_slopes(scale, noise);
                let expected = (at(location + h, scale) - at(location - h, scale)) / (2.0 * h);
                assert_relative_eq!(by_location, expected, epsilon = 1e-8);
                let expected = (at(location, scale + h) - at(location, scale - h)) / (2.0 * h);
                assert_relative_eq!(by_scale, expected, epsilon = 1e-8);
            }
        }
    }

    #[test]
    fn a_density_at_a_draw_is_the_density_at_its_value_and_rows_are_single_draws() {
        let (location, scale) = (0.7, 0.3);
        for law in FAMILIES.map(|family| family.law()) {
            let noise = [-1.3, 0.0, 0.4, 2.1].map(|noise: f64| law.standard(noise));
            let mut row = [0.0; 4];
            law.draw_row(&[location; 4], &[scale; 4], &noise, &mut row);
            for (noise, draw) in noise.into_iter().zip(row) {
                assert_relative_eq!(draw, law.draw(location, scale, noise));
                assert_relative_eq!(
                    law.log_density(location, scale, draw),
                    law.log_density_at_noise(location, scale, noise),
                    epsilon = 1e-12
                );
            }
        }
        let point = PosteriorFamily::PointMass.law();
        assert!(point.is_point() && point.draw(0.7, 0.0, f64::NAN) == 0.7);
        assert_eq!(point.log_density(0.7, 0.0, 0.71), f64::NEG_INFINITY);
        assert_eq!(point.log_density_at_noise(0.7, 0.0, 0.0), 0.0);
        assert_eq!(PosteriorFamily::HalfCauchy.law().log_density(0.7, 0.3, 0.69), f64::NEG_INFINITY);
        assert_eq!(PosteriorFamily::LogNormal.law().log_density(0.7, 0.3, 0.0), f64::NEG_INFINITY);
    }
}
