//! The prior of factor entries as data, with its density where it has one; divergences are in [`crate::kl`].

use rand::Rng;
use rand_distr::Distribution;
use serde::{Deserialize, Serialize};

use crate::dist::{Cauchy, HalfCauchy, Horseshoe, LogDensity, LogNormal, Normal, StudentT};
use crate::error::{Error, finite, positive};
use crate::real::Real;

/// The prior of every factor entry.
///
/// In a recipe the field `family` names the variant in snake case: `{ family = "normal", mean = 1.0, std = 0.1 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case", deny_unknown_fields)]
pub enum PriorSpec {
    /// Normal, the paper's default with mean 1.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Cauchy.
    Cauchy {
        /// Median.
        location: f64,
        /// Half the interquartile range.
        scale: f64,
    },
    /// Log-normal; for positive posteriors.
    LogNormal {
        /// Mean of the logarithm.
        location: f64,
        /// Standard deviation of the logarithm.
        scale: f64,
    },
    /// Half-Cauchy starting at zero; for positive posteriors.
    HalfCauchy {
        /// Median.
        scale: f64,
    },
    /// Improper density `1 / |x|`.
    LogUniform,
    /// Student-t.
    StudentT {
        /// Degrees of freedom.
        df: f64,
        /// Median.
        location: f64,
        /// Scale, not the standard deviation.
        scale: f64,
    },
    /// Normal around the posterior's own mean: only the spread is regularized.
    TiedMean {
        /// Standard deviation.
        std: f64,
    },
    /// Normal whose one variance per slice is the maximizer of the bound under an inverse-gamma hyperprior.
    EmpiricalBayes {
        /// Mean.
        mean: f64,
        /// Concentration of the inverse-gamma hyperprior of the variance.
        concentration: f64,
        /// Rate of the inverse-gamma hyperprior of the variance.
        rate: f64,
    },
    /// Normal whose standard deviation is trained, one for the slice or one per entry.
    TrainableScale {
        /// Mean.
        mean: f64,
    },
    /// Normal whose standard deviation per entry is half-Cauchy, marginalized.
    Horseshoe {
        /// Mean.
        mean: f64,
        /// Median of the half-Cauchy standard deviation.
        scale: f64,
    },
    /// Normal whose variance per entry is inverse-gamma, marginalized: Student-t with `2 concentration` degrees of
    /// freedom and scale `sqrt(rate / concentration)`.
    InverseGammaScale {
        /// Mean.
        mean: f64,
        /// Concentration of the variance.
        concentration: f64,
        /// Rate of the variance.
        rate: f64,
    },
    /// Constant density; the divergence is minus the posterior's entropy.
    ImproperUniform,
}

impl PriorSpec {
    /// The prior's name as written in recipes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Normal { .. } => "normal",
            Self::Cauchy { .. } => "cauchy",
            Self::LogNormal { .. } => "log_normal",
            Self::HalfCauchy { .. } => "half_cauchy",
            Self::LogUniform => "log_uniform",
            Self::StudentT { .. } => "student_t",
            Self::TiedMean { .. } => "tied_mean",
            Self::EmpiricalBayes { .. } => "empirical_bayes",
            Self::TrainableScale { .. } => "trainable_scale",
            Self::Horseshoe { .. } => "horseshoe",
            Self::InverseGammaScale { .. } => "inverse_gamma_scale",
            Self::ImproperUniform => "improper_uniform",
        }
    }

    /// Refuses impossible parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that is not finite, or not positive where it must be.
    pub fn check(&self) -> Result<(), Error> {
        match *self {
            Self::TiedMean { std } => {
                positive("tied_mean prior", "std", std)?;
            }
            Self::EmpiricalBayes { mean, concentration, rate } => {
                finite("empirical_bayes prior", "mean", mean)?;
                positive("empirical_bayes prior", "concentration", concentration)?;
                positive("empirical_bayes prior", "rate", rate)?;
            }
            Self::TrainableScale { mean } => {
                finite("trainable_scale prior", "mean", mean)?;
            }
            _ => {
                self.density()?;
            }
        }
        Ok(())
    }

    /// Whether a scale of the prior is trained and must be passed to [`crate::kl_and_grad_with_prior_scale`].
    ///
    /// # Source
    /// Edward2's trainable prior standard deviation.
    pub fn has_trainable_scale(&self) -> bool {
        matches!(self, Self::TrainableScale { .. })
    }

    /// Whether the prior has mass on positive numbers only.
    ///
    /// # Source
    /// Supports of the priors.
    pub fn is_positive(&self) -> bool {
        matches!(self, Self::LogNormal { .. } | Self::HalfCauchy { .. })
    }

    /// The density of one entry, where the prior has one of its own.
    ///
    /// Improper priors return their unnormalized density: `1 / |x|` and 1.
    ///
    /// # Errors
    /// [`Error::NoDensity`] for tied-mean, empirical-Bayes and trainable-scale priors, [`Error::Parameter`] for
    /// impossible parameters.
    pub fn density(&self) -> Result<PriorDensity, Error> {
        Ok(match *self {
            Self::Normal { mean, std } => PriorDensity::Normal(Normal::new(mean, std)?),
            Self::Cauchy { location, scale } => PriorDensity::Cauchy(Cauchy::new(location, scale)?),
            Self::LogNormal { location, scale } => PriorDensity::LogNormal(LogNormal::new(location, scale)?),
            Self::HalfCauchy { scale } => PriorDensity::HalfCauchy(HalfCauchy::new(0.0, scale)?),
            Self::LogUniform => PriorDensity::LogUniform,
            Self::StudentT { df, location, scale } => {
                PriorDensity::StudentT(StudentT::new(df, location, scale)?)
            }
            Self::Horseshoe { mean, scale } => PriorDensity::Horseshoe(Horseshoe::new(mean, scale)?),
            Self::InverseGammaScale { mean, concentration, rate } => {
                positive("inverse_gamma_scale prior", "concentration", concentration)?;
                positive("inverse_gamma_scale prior", "rate", rate)?;
                PriorDensity::StudentT(StudentT::new(
                    2.0 * concentration,
                    mean,
                    (rate / concentration).sqrt(),
                )?)
            }
            Self::ImproperUniform => PriorDensity::Flat,
            Self::TiedMean { .. } | Self::EmpiricalBayes { .. } | Self::TrainableScale { .. } => {
                return Err(Error::NoDensity { prior: *self });
            }
        })
    }
}

/// The density of a prior entry, dispatched at run time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum PriorDensity {
    /// Normal.
    Normal(Normal),
    /// Cauchy.
    Cauchy(Cauchy),
    /// Log-normal.
    LogNormal(LogNormal),
    /// Half-Cauchy.
    HalfCauchy(HalfCauchy),
    /// Student-t.
    StudentT(StudentT),
    /// Horseshoe.
    Horseshoe(Horseshoe),
    /// `1 / |x|`, unnormalized.
    LogUniform,
    /// 1, unnormalized.
    Flat,
}

impl PriorDensity {
    /// Independent draws of the prior.
    ///
    /// # Shapes
    /// `out`: any length.
    ///
    /// # Errors
    /// [`Error::Improper`] for a density without a finite integral; nothing is written then.
    pub fn fill<T: Real, R: Rng + ?Sized>(&self, out: &mut [T], rng: &mut R) -> Result<(), Error> {
        let draw: &dyn Fn(&mut R) -> f64 = match self {
            Self::Normal(d) => &|rng| d.sample(rng),
            Self::Cauchy(d) => &|rng| d.sample(rng),
            Self::LogNormal(d) => &|rng| d.sample(rng),
            Self::HalfCauchy(d) => &|rng| d.sample(rng),
            Self::StudentT(d) => &|rng| d.sample(rng),
            Self::Horseshoe(d) => &|rng| d.sample(rng),
            Self::LogUniform | Self::Flat => return Err(Error::Improper { density: *self }),
        };
        out.iter_mut().for_each(|out| *out = T::of(draw(rng)));
        Ok(())
    }
}

impl LogDensity for PriorDensity {
    fn log_density(&self, x: f64) -> f64 {
        match self {
            Self::Normal(d) => d.log_density(x),
            Self::Cauchy(d) => d.log_density(x),
            Self::LogNormal(d) => d.log_density(x),
            Self::HalfCauchy(d) => d.log_density(x),
            Self::StudentT(d) => d.log_density(x),
            Self::Horseshoe(d) => d.log_density(x),
            Self::LogUniform => -x.abs().ln(),
            Self::Flat => 0.0,
        }
    }
    fn log_density_slope(&self, x: f64) -> f64 {
        match self {
            Self::Normal(d) => d.log_density_slope(x),
            Self::Cauchy(d) => d.log_density_slope(x),
            Self::LogNormal(d) => d.log_density_slope(x),
            Self::HalfCauchy(d) => d.log_density_slope(x),
            Self::StudentT(d) => d.log_density_slope(x),
            Self::Horseshoe(d) => d.log_density_slope(x),
            Self::LogUniform => -1.0 / x,
            Self::Flat => 0.0,
        }
    }
    fn bulk(&self) -> (f64, f64) {
        match self {
            Self::Normal(d) => d.bulk(),
            Self::Cauchy(d) => d.bulk(),
            Self::LogNormal(d) => d.bulk(),
            Self::HalfCauchy(d) => d.bulk(),
            Self::StudentT(d) => d.bulk(),
            Self::Horseshoe(d) => d.bulk(),
            Self::LogUniform | Self::Flat => (0.0, 1.0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn proper_priors_are_drawn_from_and_improper_ones_refused() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut draws = vec![0.0_f64; 10_001];
        for (prior, median) in [
            (PriorSpec::Normal { mean: 1.0, std: 0.1 }, 1.0),
            (PriorSpec::HalfCauchy { scale: 0.3 }, 0.3),
            (PriorSpec::Horseshoe { mean: -1.0, scale: 0.2 }, -1.0),
            (PriorSpec::InverseGammaScale { mean: 2.0, concentration: 3.0, rate: 0.1 }, 2.0),
        ] {
            prior.density().unwrap().fill(&mut draws, &mut rng).unwrap();
            draws.sort_by(f64::total_cmp);
            assert!((draws[5_000] - median).abs() < 0.02, "{prior:?}: {}", draws[5_000]);
        }
        for prior in [PriorSpec::LogUniform, PriorSpec::ImproperUniform] {
            let refused = prior.density().unwrap().fill(&mut draws, &mut rng).unwrap_err();
            assert!(matches!(refused, Error::Improper { .. }), "{refused}");
        }
    }
}
