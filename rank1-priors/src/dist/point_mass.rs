//! The point mass: a factor entry that is not random.

use rand::Rng;
use rand_distr::Distribution;

use super::{FromNoise, LogDensity};
use crate::error::{Error, finite};

/// All mass at one point.
///
/// The log-density is taken against the counting measure at that point: 0 there, negative infinity elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointMass {
    at: f64,
}

impl PointMass {
    /// A point mass.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `at` is finite.
    ///
    /// # Source
    /// A `BatchEnsemble` member as the degenerate case of Dusenberry et al. 2020, section 3.
    pub fn new(at: f64) -> Result<Self, Error> {
        Ok(Self { at: finite("PointMass", "at", at)? })
    }
}

impl LogDensity for PointMass {
    // Equality is meant: the distribution charges one number only.
    #[allow(clippy::float_cmp)]
    fn log_density(&self, x: f64) -> f64 {
        if x.is_nan() {
            f64::NAN
        } else if x == self.at {
            0.0
        } else {
            f64::NEG_INFINITY
        }
    }
    fn log_density_slope(&self, _x: f64) -> f64 {
        f64::NAN
    }
    fn bulk(&self) -> (f64, f64) {
        (self.at, 0.0)
    }
}

/// The noise is not read.
impl FromNoise for PointMass {
    fn draw(&self, _noise: f64) -> f64 {
        self.at
    }
}

impl Distribution<f64> for PointMass {
    fn sample<R: Rng + ?Sized>(&self, _rng: &mut R) -> f64 {
        self.at
    }
}
