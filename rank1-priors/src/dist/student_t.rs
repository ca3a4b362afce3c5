//! The Student-t distribution of one factor entry.

use std::f64::consts::PI;

use rand::Rng;
use rand_distr::{Distribution, StudentT as StandardT};

use super::{FromNoise, LogDensity};
use crate::error::{Error, finite, positive};

/// Student-t distribution with degrees of freedom, location and scale (not the standard deviation).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudentT {
    df: f64,
    location: f64,
    scale: f64,
    standard: StandardT<f64>,
    log_normalizer: f64,
}

impl StudentT {
    /// A Student-t distribution.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `df` and `scale` are positive and finite and `location` is finite.
    ///
    /// # Source
    /// Marginal of a normal whose variance is inverse-gamma, Dusenberry et al. 2020, section 3.
    pub fn new(df: f64, location: f64, scale: f64) -> Result<Self, Error> {
        let df = positive("StudentT", "df", df)?;
        let location = finite("StudentT", "location", location)?;
        let scale = positive("StudentT", "scale", scale)?;
        let standard = StandardT::new(df).map_err(|_| Error::Parameter {
            owner: "StudentT",
            parameter: "df",
            value: df,
            expected: "a positive finite number",
        })?;
        let log_normalizer =
            libm::lgamma(0.5 * (df + 1.0)) - libm::lgamma(0.5 * df) - 0.5 * (PI * df).ln() - scale.ln();
        Ok(Self { df, location, scale, standard, log_normalizer })
    }

    /// Derivatives of the draw in location and scale, the noise held fixed.
    ///
    /// The noise depends on the degrees of freedom, which therefore have no pathwise derivative here.
    ///
    /// # Source
    /// `location + scale * noise`.
    pub fn draw_slopes(&self, noise: f64) -> [f64; 2] {
        [1.0, noise]
    }
}

impl LogDensity for StudentT {
    fn log_density(&self, x: f64) -> f64 {
        let z = (x - self.location) / self.scale;
        self.log_normalizer - 0.5 * (self.df + 1.0) * (z * z / self.df).ln_1p()
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        let z = (x - self.location) / self.scale;
        -(self.df + 1.0) * z / (self.df + z * z) / self.scale
    }
    fn bulk(&self) -> (f64, f64) {
        (self.location, self.scale)
    }
}

/// The noise is a standard Student-t variate with the same degrees of freedom.
impl FromNoise for StudentT {
    fn draw(&self, noise: f64) -> f64 {
        self.location + self.scale * noise
    }
}

impl Distribution<f64> for StudentT {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.draw(self.standard.sample(rng))
    }
}
