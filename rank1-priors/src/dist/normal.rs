//! The normal distribution of one factor entry.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{FromNoise, LogDensity};
use crate::error::{Error, finite, positive};
use crate::posterior::HALF_LN_2PI;

/// Normal distribution with a mean and a standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normal {
    mean: f64,
    std: f64,
}

impl Normal {
    /// A normal distribution.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `mean` is finite and `std` positive and finite.
    ///
    /// # Source
    /// Prior and posterior of Dusenberry et al. 2020, section 3.
    pub fn new(mean: f64, std: f64) -> Result<Self, Error> {
        Ok(Self { mean: finite("Normal", "mean", mean)?, std: positive("Normal", "std", std)? })
    }

    /// Derivatives of the draw in mean and standard deviation, the noise held fixed.
    ///
    /// # Source
    /// `mean + std * noise`.
    pub fn draw_slopes(&self, noise: f64) -> [f64; 2] {
        [1.0, noise]
    }

    /// Derivatives of the log-density in mean and standard deviation.
    ///
    /// # Source
    /// Score function of the normal distribution.
    pub fn log_density_score(&self, x: f64) -> [f64; 2] {
        let z = (x - self.mean) / self.std;
        [z / self.std, (z * z - 1.0) / self.std]
    }
}

impl LogDensity for Normal {
    fn log_density(&self, x: f64) -> f64 {
        let z = (x - self.mean) / self.std;
        -0.5 * z * z - self.std.ln() - HALF_LN_2PI
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        (self.mean - x) / self.std / self.std
    }
    fn bulk(&self) -> (f64, f64) {
        (self.mean, self.std)
    }
}

/// The noise is standard normal.
impl FromNoise for Normal {
    fn draw(&self, noise: f64) -> f64 {
        self.mean + self.std * noise
    }
}

impl Distribution<f64> for Normal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.draw(StandardNormal.sample(rng))
    }
}
