//! The log-uniform distribution of one positive factor entry on a bounded interval.

use rand::Rng;
use rand_distr::{Distribution, Open01};

use super::{FromNoise, LogDensity};
use crate::error::{Error, positive};

/// Density proportional to `1 / x` between two positive bounds.
///
/// As a prior the bounds go to zero and infinity and the density becomes improper; that limit is
/// [`crate::PriorSpec::LogUniform`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogUniform {
    low: f64,
    log_ratio: f64,
    high: f64,
}

impl LogUniform {
    /// A log-uniform distribution on `[low, high]`.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `0 < low < high < inf`.
    ///
    /// # Source
    /// Kingma et al. 2015 and Molchanov et al. 2017 use its improper limit; discussed in Dusenberry et al. 2020, section 3.
    pub fn new(low: f64, high: f64) -> Result<Self, Error> {
        let low = positive("LogUniform", "low", low)?;
        let high = positive("LogUniform", "high", high)?;
        if high > low {
            Ok(Self { low, log_ratio: (high / low).ln(), high })
        } else {
            Err(Error::Parameter {
                owner: "LogUniform",
                parameter: "high",
                value: high,
                expected: "a number above `low`",
            })
        }
    }
}

impl LogDensity for LogUniform {
    fn log_density(&self, x: f64) -> f64 {
        if x < self.low || x > self.high {
            return f64::NEG_INFINITY;
        }
        -x.ln() - self.log_ratio.ln()
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        if x < self.low || x > self.high {
            return f64::NAN;
        }
        -1.0 / x
    }
    fn bulk(&self) -> (f64, f64) {
        (self.low, self.high - self.low)
    }
}

/// The noise is uniform in the open unit interval.
impl FromNoise for LogUniform {
    fn draw(&self, noise: f64) -> f64 {
        (self.low * (self.log_ratio * noise).exp()).clamp(self.low, self.high)
    }
}

impl Distribution<f64> for LogUniform {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.draw(Open01.sample(rng))
    }
}
