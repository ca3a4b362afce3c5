//! The reference code's variants where this crate departs from them; for comparison with its numbers, not for training.

use crate::error::{Error, positive};
use crate::kl::{KlValue, VarianceCenter, empirical_bayes, molchanov_kl_and_grad};
use crate::posterior::{Entries, PosteriorFamily};
use crate::prior::PriorSpec;
use crate::real::Real;

/// Empirical Bayes with the reference code's variance, which squares the locations and not their distance from the prior mean.
///
/// Equal to [`crate::kl_and_grad`] with [`PriorSpec::EmpiricalBayes`] when `mean` is 0.
///
/// # Shapes
/// As in [`crate::kl_and_grad`].
///
/// # Errors
/// [`Error::NoKl`], [`Error::Length`], [`Error::Scale`], [`Error::Parameter`].
///
/// # Source
/// Edward2's `NormalEmpiricalBayesKLDivergence`. The variance formula of Wu et al. 2018 is for prior mean 0; with another mean it
/// does not maximize the bound.
pub fn empirical_bayes_kl_and_grad<T: Real>(
    family: PosteriorFamily,
    mean: f64,
    concentration: f64,
    rate: f64,
    loc: &[T],
    scale: &[T],
) -> Result<KlValue<T>, Error> {
    const OP: &str = "reference::empirical_bayes_kl_and_grad";
    let prior = PriorSpec::EmpiricalBayes { mean, concentration, rate };
    crate::kl::kl_kind(family, prior)?;
    prior.check()?;
    let entries = Entries::new(OP, family, loc, scale)?.with_positive_scales(OP)?;
    let mut out = KlValue::default();
    empirical_bayes(&entries, mean, concentration, rate, VarianceCenter::Zero, &mut out);
    Ok(out)
}

/// The reference code's log-uniform regularizer: minus [`molchanov_kl_and_grad`].
///
/// Added to a loss it rewards small noise, the opposite of what the prior asks for.
///
/// # Shapes
/// As in [`crate::kl_and_grad`].
///
/// # Errors
/// As [`molchanov_kl_and_grad`].
///
/// # Source
/// Edward2's `LogUniformKLDivergence`.
pub fn log_uniform_regularizer<T: Real>(
    family: PosteriorFamily,
    loc: &[T],
    scale: &[T],
) -> Result<KlValue<T>, Error> {
    Ok(molchanov_kl_and_grad(family, loc, scale)?.scaled(-1.0))
}

/// The prior that the reference code's regularizer of this name stands for, given its prior mean and standard deviation.
///
/// `None` for a name it does not know. The log-normal prior has location 0 whatever the mean, the half-Cauchy prior scale 1, and
/// empirical Bayes concentration 2.01 and rate 0.101, as there. The divergences are those of [`crate::kl_and_grad`].
///
/// # Errors
/// [`Error::Parameter`] when `std` is not positive.
///
/// # Source
/// `make_regularizer` of the reference code.
pub fn prior_of_regularizer(name: &str, mean: f64, std: f64) -> Result<Option<PriorSpec>, Error> {
    let std = positive("prior_of_regularizer", "std", std)?;
    Ok(Some(match name {
        "normal_kl_divergence" => PriorSpec::Normal { mean, std },
        "normal_kl_divergence_with_tied_mean" => PriorSpec::TiedMean { std },
        "cauchy_kl_divergence" => PriorSpec::Cauchy { location: mean, scale: std },
        "half_cauchy_kl_divergence" => PriorSpec::HalfCauchy { scale: 1.0 },
        "log_normal_kl_divergence" => PriorSpec::LogNormal { location: 0.0, scale: std },
        "log_uniform_kl_divergence" => PriorSpec::LogUniform,
        "normal_empirical_bayes_kl_divergence" => {
            PriorSpec::EmpiricalBayes { mean, concentration: 2.01, rate: 0.101 }
        }
        "trainable_normal_kl_divergence_stddev" => PriorSpec::TrainableScale { mean },
        "uniform_kl_divergence" => PriorSpec::ImproperUniform,
        _ => return Ok(None),
    }))
}
