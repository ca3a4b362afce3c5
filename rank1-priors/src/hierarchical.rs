//! Hyperpriors of the scale of factor entries: the marginals they give, and their part of the objective.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::dist::{HalfCauchy, LogDensity, RootInverseGamma};
use crate::error::{Error, finite, positive};
use crate::kl::second_moments;
use crate::posterior::PosteriorFamily;
use crate::prior::PriorSpec;
use crate::real::Real;

/// The prior of the standard deviation of normal factor entries.
///
/// It can be used in two ways: integrated out per entry ([`ScaleHyperprior::marginal`], a heavy-tailed prior), or as a
/// penalty on one trained scale that entries share ([`PriorSpec::TrainableScale`] plus [`ScaleHyperprior::penalty`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScaleHyperprior {
    /// The standard deviation is half-Cauchy; the marginal is the horseshoe.
    HalfCauchy {
        /// Median of the standard deviation.
        scale: f64,
    },
    /// The variance is inverse-gamma; the marginal is Student-t.
    InverseGamma {
        /// Concentration of the variance.
        concentration: f64,
        /// Rate of the variance.
        rate: f64,
    },
}

impl ScaleHyperprior {
    /// Refuses impossible parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is not positive and finite.
    pub fn check(&self) -> Result<(), Error> {
        self.law().map(|_| ())
    }

    fn law(&self) -> Result<ScaleLaw, Error> {
        Ok(match *self {
            Self::HalfCauchy { scale } => ScaleLaw::HalfCauchy(HalfCauchy::new(0.0, scale)?),
            Self::InverseGamma { concentration, rate } => {
                ScaleLaw::RootInverseGamma(RootInverseGamma::new(concentration, rate)?)
            }
        })
    }

    /// Log-density of a standard deviation and its derivative, in nats.
    ///
    /// The inverse-gamma density of the variance carries the Jacobian `2 std`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for impossible parameters or a `std` that is not positive.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3 (hierarchical view of rank-1 priors).
    pub fn log_density_and_slope(&self, std: f64) -> Result<(f64, f64), Error> {
        let std = positive("ScaleHyperprior", "std", std)?;
        Ok(match self.law()? {
            ScaleLaw::HalfCauchy(d) => (d.log_density(std), d.log_density_slope(std)),
            ScaleLaw::RootInverseGamma(d) => (d.log_density(std), d.log_density_slope(std)),
        })
    }

    /// What a trained prior scale adds to the objective, and its derivative: minus the log-density.
    ///
    /// Added to the value and to `d_prior` of [`crate::kl_and_grad_with_prior_scale`] with one shared scale.
    ///
    /// # Units
    /// Nats.
    ///
    /// # Errors
    /// As [`ScaleHyperprior::log_density_and_slope`].
    ///
    /// # Source
    /// Maximum a posteriori treatment of the hierarchical prior, as in the reference code's empirical Bayes.
    pub fn penalty(&self, std: f64) -> Result<(f64, f64), Error> {
        self.log_density_and_slope(std).map(|(value, slope)| (-value, -slope))
    }

    /// The prior of one entry with its own standard deviation integrated out.
    ///
    /// # Source
    /// Horseshoe (Carvalho, Polson and Scott 2010) and Student-t as scale mixtures of normals; Dusenberry et al. 2020,
    /// section 3 and figure 1.
    pub fn marginal(&self, mean: f64) -> PriorSpec {
        match *self {
            Self::HalfCauchy { scale } => PriorSpec::Horseshoe { mean, scale },
            Self::InverseGamma { concentration, rate } => {
                PriorSpec::InverseGammaScale { mean, concentration, rate }
            }
        }
    }

    /// Draws a standard deviation.
    ///
    /// # Errors
    /// [`Error::Parameter`] for impossible parameters.
    pub fn sample_std<R: Rng + ?Sized>(&self, rng: &mut R) -> Result<f64, Error> {
        Ok(match self.law()? {
            ScaleLaw::HalfCauchy(d) => d.sample(rng),
            ScaleLaw::RootInverseGamma(d) => d.sample(rng),
        })
    }

    /// Draws entries that share one standard deviation, and returns it.
    ///
    /// # Shapes
    /// `out` is `[D]`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for impossible parameters or a mean that is not finite.
    ///
    /// # Source
    /// Ancestral sampling of the hierarchical prior.
    pub fn sample_shared<T: Real, R: Rng + ?Sized>(
        &self,
        mean: f64,
        out: &mut [T],
        rng: &mut R,
    ) -> Result<f64, Error> {
        let mean = finite("ScaleHyperprior", "mean", mean)?;
        let std = self.sample_std(rng)?;
        for entry in out {
            let z: f64 = StandardNormal.sample(rng);
            *entry = T::of(mean + std * z);
        }
        Ok(std)
    }
}

#[derive(Debug, Clone, Copy)]
enum ScaleLaw {
    HalfCauchy(HalfCauchy),
    RootInverseGamma(RootInverseGamma),
}

/// The shared prior scale that minimizes the divergence of a slice: the root of the mean second moment about `mean`.
///
/// A good start for [`PriorSpec::TrainableScale`]; with no hyperprior the gradient in the scale is zero there.
///
/// # Shapes
/// As in [`crate::kl_and_grad`]; one number for the slice.
///
/// # Errors
/// [`Error::Empty`], [`Error::NoKl`] for families without second moment, [`Error::Length`], [`Error::Scale`].
///
/// # Source
/// Zero of the derivative of the normal divergence in the prior's standard deviation.
pub fn best_shared_scale<T: Real>(
    family: PosteriorFamily,
    mean: f64,
    loc: &[T],
    scale: &[T],
) -> Result<f64, Error> {
    if loc.is_empty() {
        return Err(Error::Empty { op: "best_shared_scale", argument: "loc" });
    }
    let prior = PriorSpec::TrainableScale { mean };
    crate::kl_kind(family, prior)?;
    Ok((second_moments(family, mean, loc, scale)? / loc.len() as f64).sqrt())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::kl_and_grad_with_prior_scale;

    const HYPERPRIORS: [ScaleHyperprior; 2] = [
        ScaleHyperprior::HalfCauchy { scale: 0.3 },
        ScaleHyperprior::InverseGamma { concentration: 2.01, rate: 0.101 },
    ];

    #[test]
    fn penalty_slope_equals_central_difference() {
        for hyperprior in HYPERPRIORS {
            for std in [0.05, 0.3, 1.7] {
                let at = |s| hyperprior.penalty(s).unwrap().0;
                let numeric = (at(std + 1e-6) - at(std - 1e-6)) / 2e-6;
                let (_, slope) = hyperprior.penalty(std).unwrap();
                approx::assert_relative_eq!(slope, numeric, max_relative = 1e-6);
            }
        }
    }

    #[test]
    fn density_of_the_standard_deviation_integrates_to_one() {
        for hyperprior in HYPERPRIORS {
            let total = crate::quadrature::integrate(
                |t| hyperprior.log_density_and_slope(t.exp()).unwrap().0.exp() * t.exp(),
                &[-60.0, -5.0, -1.0, 3.0, 60.0],
                1e-10,
            );
            approx::assert_relative_eq!(total, 1.0, max_relative = 1e-9);
        }
    }

    #[test]
    fn best_shared_scale_zeroes_the_gradient_in_the_prior() {
        let (loc, scale) = ([1.3, 0.2, 0.9], [0.1, 0.4, 0.2]);
        for (family, scale) in [
            (PosteriorFamily::Normal, &scale[..]),
            (PosteriorFamily::LogNormal, &scale),
            (PosteriorFamily::PointMass, &[]),
        ] {
            let best = best_shared_scale(family, 1.0, &loc, scale).unwrap();
            let prior = PriorSpec::TrainableScale { mean: 1.0 };
            let kl = kl_and_grad_with_prior_scale(family, prior, &[best], &loc, scale, None).unwrap();
            approx::assert_abs_diff_eq!(kl.d_prior.unwrap()[0], 0.0, epsilon = 1e-12);
        }
        assert!(best_shared_scale(PosteriorFamily::Cauchy, 1.0, &loc, &scale).is_err());
        assert!(best_shared_scale::<f64>(PosteriorFamily::Normal, 1.0, &[], &[]).is_err());
    }

    #[test]
    fn impossible_hyperpriors_are_refused() {
        assert!(ScaleHyperprior::HalfCauchy { scale: 0.0 }.check().is_err());
        assert!(ScaleHyperprior::InverseGamma { concentration: f64::NAN, rate: 1.0 }.check().is_err());
        assert!(HYPERPRIORS[0].penalty(-1.0).is_err());
    }
}
