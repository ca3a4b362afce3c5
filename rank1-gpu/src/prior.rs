//! Priors of factor entries, for the divergences that a device computes.
//!
//! Not every prior of the workspace: those with one density for all entries that a few operations evaluate.

use std::f64::consts::PI;

use crate::{Error, Family, NoiseKind};

/// The prior of every factor entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prior {
    /// Normal, the paper's default with mean 1.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        std: f32,
    },
    /// Cauchy.
    Cauchy {
        /// Median.
        location: f32,
        /// Half the interquartile range.
        scale: f32,
    },
    /// Log-normal; for positive posteriors.
    LogNormal {
        /// Mean of the logarithm.
        location: f32,
        /// Standard deviation of the logarithm.
        scale: f32,
    },
}

/// The family of a [`Prior`], which a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PriorKind {
    Normal,
    Cauchy,
    LogNormal,
}

impl Prior {
    pub(crate) fn kind(&self) -> PriorKind {
        match self {
            Self::Normal { .. } => PriorKind::Normal,
            Self::Cauchy { .. } => PriorKind::Cauchy,
            Self::LogNormal { .. } => PriorKind::LogNormal,
        }
    }

    /// Location and scale.
    pub(crate) fn parameters(&self) -> (f32, f32) {
        match *self {
            Self::Normal { mean, std } => (mean, std),
            Self::Cauchy { location, scale } | Self::LogNormal { location, scale } => (location, scale),
        }
    }

    /// Refuses a location that is not finite and a scale that is not a positive normal number.
    pub(crate) fn check(&self, op: &'static str) -> Result<(), Error> {
        let (location, scale) = self.parameters();
        if !location.is_finite() {
            return Err(Error::InvalidPrior { op, parameter: "location", value: location });
        }
        if !(scale.is_normal() && scale > 0.0) {
            return Err(Error::InvalidPrior { op, parameter: "scale", value: scale });
        }
        Ok(())
    }

    /// Refuses posteriors that are infinitely far from this prior, whose estimate would be a number of no meaning.
    pub(crate) fn check_posterior(
        &self,
        op: &'static str,
        kind: NoiseKind,
        family: Family,
    ) -> Result<(), Error> {
        let reason = match (kind, family, self) {
            (_, Family::LocationScale, Self::LogNormal { .. }) => {
                "the posterior has mass on negative numbers; use the log-normal family"
            }
            (NoiseKind::Cauchy, Family::LocationScale, Self::Normal { .. }) => {
                "the tails of the posterior are too heavy; use a Cauchy prior"
            }
            (NoiseKind::Cauchy, Family::LogNormal, _) => {
                "the exponential of a Cauchy draw has too heavy tails; use normal noise"
            }
            _ => return Ok(()),
        };
        Err(Error::InfiniteKl { op, reason })
    }

    /// `ln` of the normalizing constant of the posterior's noise over that of this prior at scale 1.
    pub(crate) fn log_constant(&self, kind: NoiseKind) -> f64 {
        let (normal, cauchy) = (-0.5 * (2.0 * PI).ln(), -PI.ln());
        let noise = match kind {
            NoiseKind::Uniform => 0.0,
            NoiseKind::Normal => normal,
            NoiseKind::Cauchy => cauchy,
        };
        noise - if self.kind() == PriorKind::Cauchy { cauchy } else { normal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_parameters_are_refused() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
            let error = Prior::Normal { mean: 1.0, std: scale }.check("test");
            assert!(matches!(error, Err(Error::InvalidPrior { parameter: "scale", .. })), "{scale}");
        }
        let error = Prior::Cauchy { location: f32::NAN, scale: 1.0 }.check("test");
        assert!(matches!(error, Err(Error::InvalidPrior { parameter: "location", .. })));
        assert!(Prior::LogNormal { location: -3.0, scale: 0.1 }.check("test").is_ok());
    }

    #[test]
    fn infinite_divergences_are_refused() {
        let normal = Prior::Normal { mean: 1.0, std: 1.0 };
        let cauchy = Prior::Cauchy { location: 1.0, scale: 1.0 };
        let log_normal = Prior::LogNormal { location: 0.0, scale: 1.0 };
        let fits = |prior: Prior, kind, family| prior.check_posterior("test", kind, family).is_ok();
        assert!(!fits(log_normal, NoiseKind::Normal, Family::LocationScale));
        assert!(!fits(normal, NoiseKind::Cauchy, Family::LocationScale));
        assert!([normal, cauchy, log_normal].iter().all(|p| !fits(*p, NoiseKind::Cauchy, Family::LogNormal)));
        assert!(fits(cauchy, NoiseKind::Cauchy, Family::LocationScale));
        assert!([normal, cauchy, log_normal].iter().all(|p| fits(*p, NoiseKind::Normal, Family::LogNormal)));
    }
}
