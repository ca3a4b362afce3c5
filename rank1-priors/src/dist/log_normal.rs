//! The log-normal distribution of one positive factor entry.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{FromNoise, LogDensity};
use crate::error::{Error, finite, positive};
use crate::posterior::HALF_LN_2PI;

/// Distribution of the exponential of a normal variable; location and scale are those of the logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogNormal {
    location: f64,
    scale: f64,
}

impl LogNormal {
    /// A log-normal distribution.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `location` is finite and `scale` positive and finite.
    ///
    /// # Source
    /// Positive factors of Dusenberry et al. 2020, figure 9.
    pub fn new(location: f64, scale: f64) -> Result<Self, Error> {
        Ok(Self {
            location: finite("LogNormal", "location", location)?,
            scale: positive("LogNormal", "scale", scale)?,
        })
    }

    /// Derivatives of the draw in location and scale, the noise held fixed.
    ///
    /// # Source
    /// `exp(location + scale * noise)`.
    pub fn draw_slopes(&self, noise: f64) -> [f64; 2] {
        let draw = self.draw(noise);
        [draw, draw * noise]
    }
}

impl LogDensity for LogNormal {
    fn log_density(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NEG_INFINITY;
        }
        let z = (x.ln() - self.location) / self.scale;
        -0.5 * z * z - self.scale.ln() - HALF_LN_2PI - x.ln()
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NAN;
        }
        -((x.ln() - self.location) / self.scale / self.scale + 1.0) / x
    }
    fn bulk(&self) -> (f64, f64) {
        (self.location.exp(), self.location.exp() * self.scale.min(1.0))
    }
}

/// The noise is standard normal.
impl FromNoise for LogNormal {
    fn draw(&self, noise: f64) -> f64 {
        (self.location + self.scale * noise).exp()
    }
}

impl Distribution<f64> for LogNormal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.draw(StandardNormal.sample(rng))
    }
}
