//! The half-Cauchy distribution of one factor entry or of a scale.

use std::f64::consts::{LN_2, PI};

use rand::Rng;
use rand_distr::{Distribution, Open01};

use super::{FromNoise, LogDensity, standard_half_cauchy};
use crate::error::{Error, finite, positive};

/// `location + scale |t|` with `t` standard Cauchy; the support starts at the location.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HalfCauchy {
    location: f64,
    scale: f64,
}

impl HalfCauchy {
    /// A half-Cauchy distribution; the usual prior of scales has location 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `location` is finite and `scale` positive and finite.
    ///
    /// # Source
    /// Scale prior of the horseshoe, Dusenberry et al. 2020, section 3; the location is that of the reference code.
    pub fn new(location: f64, scale: f64) -> Result<Self, Error> {
        Ok(Self {
            location: finite("HalfCauchy", "location", location)?,
            scale: positive("HalfCauchy", "scale", scale)?,
        })
    }

    /// Derivatives of the draw in location and scale, the noise held fixed.
    ///
    /// # Source
    /// `location + scale * |noise|`.
    pub fn draw_slopes(&self, noise: f64) -> [f64; 2] {
        [1.0, noise.abs()]
    }
}

impl LogDensity for HalfCauchy {
    fn log_density(&self, x: f64) -> f64 {
        if x < self.location {
            return f64::NEG_INFINITY;
        }
        let z = (x - self.location) / self.scale;
        LN_2 - (PI * self.scale).ln() - (z * z).ln_1p()
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        if x < self.location {
            return f64::NAN;
        }
        let z = (x - self.location) / self.scale;
        -2.0 * z / (z * z + 1.0) / self.scale
    }
    fn bulk(&self) -> (f64, f64) {
        (self.location, self.scale)
    }
}

/// The noise is standard Cauchy or standard half-Cauchy; its sign is dropped.
impl FromNoise for HalfCauchy {
    fn draw(&self, noise: f64) -> f64 {
        self.location + self.scale * noise.abs()
    }
}

impl Distribution<f64> for HalfCauchy {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.draw(standard_half_cauchy(Open01.sample(rng)))
    }
}
