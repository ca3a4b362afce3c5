//! One file per distribution of a single factor entry; slices of entries are in [`crate::posterior`].

mod cauchy;
mod half_cauchy;
mod horseshoe;
mod inverse_gamma;
mod log_normal;
mod log_uniform;
mod normal;
mod point_mass;
mod root_inverse_gamma;
mod student_t;

pub use cauchy::Cauchy;
pub use half_cauchy::HalfCauchy;
pub use horseshoe::Horseshoe;
pub use inverse_gamma::InverseGamma;
pub use log_normal::LogNormal;
pub use log_uniform::LogUniform;
pub use normal::Normal;
pub use point_mass::PointMass;
pub use root_inverse_gamma::RootInverseGamma;
pub use student_t::StudentT;

/// A density on the real line, in nats.
pub trait LogDensity {
    /// Natural logarithm of the density at `x`; negative infinity outside the support, NaN for NaN.
    fn log_density(&self, x: f64) -> f64;

    /// Derivative of [`LogDensity::log_density`] in `x`; NaN or infinite where there is none.
    fn log_density_slope(&self, x: f64) -> f64;

    /// A centre and a width between which much of the mass lies; where quadrature starts looking.
    ///
    /// # Source
    /// A hint, not a moment: heavy tails have none.
    fn bulk(&self) -> (f64, f64);
}

impl<D: LogDensity + ?Sized> LogDensity for &D {
    fn log_density(&self, x: f64) -> f64 {
        (**self).log_density(x)
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        (**self).log_density_slope(x)
    }
    fn bulk(&self) -> (f64, f64) {
        (**self).bulk()
    }
}

/// A draw that is a deterministic function of parameters and standard noise.
pub trait FromNoise {
    /// The draw made from one standard variate, whose law the implementing type states.
    fn draw(&self, noise: f64) -> f64;
}

/// Standard Cauchy variate of a uniform number in the open unit interval: `tan(pi (u - 1/2))`.
///
/// # Source
/// Quantile function of the Cauchy distribution; the reference code draws the same way.
pub fn standard_cauchy(u: f64) -> f64 {
    (std::f64::consts::PI * (u - 0.5)).tan()
}

/// Standard half-Cauchy variate of a uniform number in the open unit interval: `tan(pi u / 2)`.
///
/// # Source
/// Quantile function of the half-Cauchy distribution; the reference code draws the same way.
pub fn standard_half_cauchy(u: f64) -> f64 {
    (std::f64::consts::FRAC_PI_2 * u).tan()
}
