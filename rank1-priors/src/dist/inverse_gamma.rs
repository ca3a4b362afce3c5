//! The inverse-gamma distribution, a prior of variances.

use rand::Rng;
use rand_distr::{Distribution, Gamma};

use super::{FromNoise, LogDensity};
use crate::error::{Error, positive};

/// Distribution of `rate / g` with `g` gamma of the same concentration and unit rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InverseGamma {
    concentration: f64,
    rate: f64,
    standard: Gamma<f64>,
    log_normalizer: f64,
}

impl InverseGamma {
    /// An inverse-gamma distribution; `rate` is called scale by TensorFlow Probability.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless both parameters are positive and finite.
    ///
    /// # Source
    /// Variance prior whose scale mixture of normals is Student-t, Dusenberry et al. 2020, section 3.
    pub fn new(concentration: f64, rate: f64) -> Result<Self, Error> {
        let concentration = positive("InverseGamma", "concentration", concentration)?;
        let rate = positive("InverseGamma", "rate", rate)?;
        let standard = Gamma::new(concentration, 1.0).map_err(|_| Error::Parameter {
            owner: "InverseGamma",
            parameter: "concentration",
            value: concentration,
            expected: "a positive finite number",
        })?;
        let log_normalizer = concentration * rate.ln() - libm::lgamma(concentration);
        Ok(Self { concentration, rate, standard, log_normalizer })
    }

    /// Derivative of the draw in the rate, the gamma noise held fixed.
    ///
    /// The noise depends on the concentration, which therefore has no pathwise derivative here.
    ///
    /// # Source
    /// `rate / noise`.
    pub fn draw_slope_rate(&self, noise: f64) -> f64 {
        1.0 / noise
    }
}

impl LogDensity for InverseGamma {
    fn log_density(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NEG_INFINITY;
        }
        self.log_normalizer - (self.concentration + 1.0) * x.ln() - self.rate / x
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return f64::NAN;
        }
        (self.rate / x - self.concentration - 1.0) / x
    }
    fn bulk(&self) -> (f64, f64) {
        let mode = self.rate / (self.concentration + 1.0);
        (mode, mode / self.concentration.sqrt().max(1.0))
    }
}

/// The noise is a gamma variate with this concentration and unit rate.
impl FromNoise for InverseGamma {
    fn draw(&self, noise: f64) -> f64 {
        self.rate / noise
    }
}

impl Distribution<f64> for InverseGamma {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.draw(self.standard.sample(rng))
    }
}
