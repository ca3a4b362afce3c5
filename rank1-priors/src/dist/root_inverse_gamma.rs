//! The law of a positive factor whose square is inverse-gamma.

use rand::Rng;
use rand_distr::Distribution;

use super::{FromNoise, InverseGamma, LogDensity};
use crate::error::Error;

/// Distribution of the square root of an [`InverseGamma`] variable.
///
/// As the factor of a normal weight it induces a Student-t density, see [`crate::induced`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RootInverseGamma {
    square: InverseGamma,
}

impl RootInverseGamma {
    /// The square root of an inverse-gamma variable.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless both parameters are positive and finite.
    ///
    /// # Source
    /// Dusenberry et al. 2020, figure 1 (`r^2` inverse-gamma).
    pub fn new(concentration: f64, rate: f64) -> Result<Self, Error> {
        Ok(Self { square: InverseGamma::new(concentration, rate)? })
    }
}

impl LogDensity for RootInverseGamma {
    fn log_density(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NEG_INFINITY;
        }
        (2.0 * x).ln() + self.square.log_density(x * x)
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NAN;
        }
        1.0 / x + 2.0 * x * self.square.log_density_slope(x * x)
    }
    fn bulk(&self) -> (f64, f64) {
        let (mode, width) = self.square.bulk();
        (mode.sqrt(), width / mode.sqrt())
    }
}

/// The noise is a gamma variate with the concentration of the square and unit rate.
impl FromNoise for RootInverseGamma {
    fn draw(&self, noise: f64) -> f64 {
        self.square.draw(noise).sqrt()
    }
}

impl Distribution<f64> for RootInverseGamma {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.square.sample(rng).sqrt()
    }
}
