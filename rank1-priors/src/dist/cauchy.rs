//! The Cauchy distribution of one factor entry.

use std::f64::consts::PI;

use rand::Rng;
use rand_distr::{Distribution, Open01};

use super::{FromNoise, LogDensity, standard_cauchy};
use crate::error::{Error, finite, positive};

/// Cauchy distribution with a location (its median) and a scale (half the interquartile range).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cauchy {
    location: f64,
    scale: f64,
}

impl Cauchy {
    /// A Cauchy distribution.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `location` is finite and `scale` positive and finite.
    ///
    /// # Source
    /// Heavy-tailed prior and posterior of Dusenberry et al. 2020, section 3.
    pub fn new(location: f64, scale: f64) -> Result<Self, Error> {
        Ok(Self {
            location: finite("Cauchy", "location", location)?,
            scale: positive("Cauchy", "scale", scale)?,
        })
    }

    /// Derivatives of the draw in location and scale, the noise held fixed.
    ///
    /// # Source
    /// `location + scale * noise`.
    pub fn draw_slopes(&self, noise: f64) -> [f64; 2] {
        [1.0, noise]
    }

    /// Derivatives of the log-density in location and scale.
    ///
    /// # Source
    /// Score function of the Cauchy distribution.
    pub fn log_density_score(&self, x: f64) -> [f64; 2] {
        let z = (x - self.location) / self.scale;
        let q = z * z + 1.0;
        [2.0 * z / q / self.scale, (z * z - 1.0) / q / self.scale]
    }
}

impl LogDensity for Cauchy {
    fn log_density(&self, x: f64) -> f64 {
        let z = (x - self.location) / self.scale;
        -(PI * self.scale).ln() - (z * z).ln_1p()
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        let z = (x - self.location) / self.scale;
        -2.0 * z / (z * z + 1.0) / self.scale
    }
    fn bulk(&self) -> (f64, f64) {
        (self.location, self.scale)
    }
}

/// The noise is standard Cauchy, see [`standard_cauchy`].
impl FromNoise for Cauchy {
    fn draw(&self, noise: f64) -> f64 {
        self.location + self.scale * noise
    }
}

impl Distribution<f64> for Cauchy {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.draw(standard_cauchy(Open01.sample(rng)))
    }
}
