//! Which locations a factor may have, and the positive ones as functions of unconstrained trained numbers.
//!
//! Where locations start is in [`crate::init`].

use serde::{Deserialize, Serialize};

use super::PosteriorFamily;
use crate::constraint::{SCALE_FLOOR, d_scale_d_raw, raw_to_scale, scale_to_raw};
use crate::error::Error;
use crate::prior::PriorSpec;
use crate::real::Real;

/// The numbers that the locations of a factor can be.
///
/// A location that must be positive is trained as an unconstrained number, like a scale, so that no step of an optimizer
/// can take it out of the support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocationDomain {
    /// Any number; the trained number is the location.
    #[default]
    Real,
    /// Positive numbers: `softplus(raw) + 1e-7` of the trained number.
    Positive,
}

impl LocationDomain {
    /// The domain under a prior: positive for half-Cauchy posteriors, whose draws begin at their location, and for a point mass
    /// under a prior of positive numbers.
    ///
    /// A log-normal location is that of the logarithm and may be any number, as those of the families on the whole line.
    ///
    /// # Source
    /// Supports of the families. The reference code trains half-Cauchy locations without a constraint, so that draws become negative.
    pub fn of(family: PosteriorFamily, prior: PriorSpec) -> Self {
        let law = family.law();
        let positive = law.folded || (law.is_point() && prior.is_positive());
        if positive { Self::Positive } else { Self::Real }
    }

    /// The location of a trained number.
    ///
    /// # Numerics
    /// A positive one is at least 1e-7 for every finite number; NaN passes through.
    ///
    /// # Source
    /// [`raw_to_scale`].
    pub fn location<T: Real>(self, raw: T) -> T {
        match self {
            Self::Real => raw,
            Self::Positive => raw_to_scale(raw),
        }
    }

    /// Derivative of [`LocationDomain::location`].
    ///
    /// # Source
    /// [`d_scale_d_raw`].
    pub fn slope<T: Real>(self, raw: T) -> T {
        match self {
            Self::Real => T::of(1.0),
            Self::Positive => d_scale_d_raw(raw),
        }
    }

    /// The trained number of a location, the inverse of [`LocationDomain::location`].
    ///
    /// # Errors
    /// [`Error::Parameter`] for a location that is not finite, or not above 1e-7 where it must be positive.
    ///
    /// # Source
    /// [`scale_to_raw`] of what exceeds the floor.
    pub fn raw(self, location: f64) -> Result<f64, Error> {
        match self {
            Self::Real => crate::error::finite("LocationDomain", "location", location),
            Self::Positive if location > SCALE_FLOOR && location.is_finite() => {
                scale_to_raw(location - SCALE_FLOOR)
            }
            Self::Positive => Err(Error::Parameter {
                owner: "LocationDomain",
                parameter: "location",
                value: location,
                expected: "a finite number above 1e-7, because this factor is positive",
            }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const POSITIVE_PRIORS: [PriorSpec; 2] =
        [PriorSpec::LogNormal { location: 0.0, scale: 0.1 }, PriorSpec::HalfCauchy { scale: 1.0 }];
    const NORMAL: PriorSpec = PriorSpec::Normal { mean: 1.0, std: 0.1 };

    #[test]
    fn half_cauchy_factors_and_points_under_positive_priors_have_positive_locations() {
        use PosteriorFamily as F;
        for prior in POSITIVE_PRIORS {
            assert_eq!(LocationDomain::of(F::PointMass, prior), LocationDomain::Positive);
            assert_eq!(LocationDomain::of(F::HalfCauchy, prior), LocationDomain::Positive);
            assert_eq!(LocationDomain::of(F::LogNormal, prior), LocationDomain::Real);
        }
        assert_eq!(LocationDomain::of(F::HalfCauchy, NORMAL), LocationDomain::Positive);
        for family in [F::PointMass, F::Normal, F::Cauchy, F::NormalSharedScale] {
            assert_eq!(LocationDomain::of(family, NORMAL), LocationDomain::Real);
        }
    }

    #[test]
    fn no_trained_number_gives_a_location_outside_its_domain() {
        for raw in [-1e30, -200.0, -1.0, 0.0, 3.0, 1e30_f64] {
            assert!(LocationDomain::Positive.location(raw) >= SCALE_FLOOR);
            assert!((0.0..=1.0).contains(&LocationDomain::Positive.slope(raw)));
            assert_eq!((LocationDomain::Real.location(raw), LocationDomain::Real.slope(raw)), (raw, 1.0));
        }
        assert!(LocationDomain::Positive.location(f64::NAN).is_nan());
    }

    #[test]
    fn the_trained_number_of_a_location_gives_it_back() {
        for location in [1e-6, 0.03, 1.0, 12.0] {
            for domain in [LocationDomain::Real, LocationDomain::Positive] {
                let back = domain.location(domain.raw(location).unwrap());
                approx::assert_relative_eq!(back, location, max_relative = 1e-9);
            }
        }
        for outside in [0.0, 1e-7, -0.2, f64::NAN, f64::INFINITY] {
            assert!(LocationDomain::Positive.raw(outside).is_err());
        }
        assert!(LocationDomain::Real.raw(-0.2).is_ok() && LocationDomain::Real.raw(f64::NAN).is_err());
    }
}
