//! The horseshoe density: a normal whose standard deviation is half-Cauchy.

use std::f64::consts::PI;

use rand::Rng;
use rand_distr::{Distribution, Open01, StandardNormal};

use super::{LogDensity, standard_half_cauchy};
use crate::error::{Error, finite, positive};

/// Marginal of `x ~ Normal(mean, t^2)` with `t ~ HalfCauchy(0, scale)`.
///
/// The density has a logarithmic pole at the mean and tails that fall like the inverse square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Horseshoe {
    mean: f64,
    scale: f64,
}

impl Horseshoe {
    /// A horseshoe distribution.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `mean` is finite and `scale` positive and finite.
    ///
    /// # Source
    /// Carvalho, Polson and Scott 2010; induced by a half-Cauchy factor in Dusenberry et al. 2020, figure 1.
    pub fn new(mean: f64, scale: f64) -> Result<Self, Error> {
        Ok(Self { mean: finite("Horseshoe", "mean", mean)?, scale: positive("Horseshoe", "scale", scale)? })
    }
}

impl LogDensity for Horseshoe {
    /// `ln( exp(u) E1(u) / (scale sqrt(2 pi^3)) )` with `u = (x - mean)^2 / (2 scale^2)`; infinite at the mean.
    fn log_density(&self, x: f64) -> f64 {
        let z = (x - self.mean) / self.scale;
        scaled_exp_integral(0.5 * z * z).ln() - self.scale.ln() - 0.5 * (2.0 * PI * PI * PI).ln()
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        let z = (x - self.mean) / self.scale;
        let u = 0.5 * z * z;
        // d/du ln(f(u) / u) with f = u exp(u) E1(u) is (f - 1) / f; for large u, f - 1 comes from its own series.
        let below_one = if u > 100.0 { asymptotic_deficit(u) } else { u * scaled_exp_integral(u) - 1.0 };
        below_one / (1.0 + below_one) * z / self.scale
    }
    fn bulk(&self) -> (f64, f64) {
        (self.mean, self.scale)
    }
}

impl Distribution<f64> for Horseshoe {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        let spread = self.scale * standard_half_cauchy(Open01.sample(rng));
        let z: f64 = StandardNormal.sample(rng);
        self.mean + spread * z
    }
}

/// `u exp(u) E1(u) - 1` for large `u`: the sum of `(-1)^k k! / u^k` from `k = 1`.
fn asymptotic_deficit(u: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 0.0);
    for k in 1..20 {
        term *= -f64::from(k) / u;
        sum += term;
    }
    sum
}

/// `exp(u) E1(u)` for `u >= 0`: power series up to 1, Lentz's continued fraction beyond.
fn scaled_exp_integral(u: f64) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    if u.is_nan() {
        return f64::NAN;
    }
    if u <= 0.0 {
        return f64::INFINITY;
    }
    if u <= 1.0 {
        let (mut term, mut sum) = (1.0, -EULER_GAMMA - u.ln());
        for k in 1..30 {
            term *= -u / f64::from(k);
            sum -= term / f64::from(k);
        }
        return sum * u.exp();
    }
    let mut b = u + 1.0;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..1000 {
        let a = -f64::from(i) * f64::from(i);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        let step = c * d;
        h *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}
