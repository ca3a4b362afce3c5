//! Divergence of a posterior slice from its prior, with gradients: which pairs have one, of which kind, and its value.

mod closed;
mod empirical_bayes;
mod log_uniform;
mod monte_carlo;

pub use log_uniform::molchanov_kl_and_grad;
pub use monte_carlo::{kl_and_grad_monte_carlo, monte_carlo_from_density};

use closed::sum_entries;
pub(crate) use empirical_bayes::{VarianceCenter, empirical_bayes};

use crate::error::{Error, positive};
use crate::posterior::{Entries, PosteriorFamily, same_length};
use crate::prior::PriorSpec;
use crate::real::Real;

/// How a divergence is obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KlKind {
    /// Exact, a function of the parameters alone.
    ClosedForm,
    /// An unbiased estimate from reparameterized draws.
    MonteCarlo {
        /// Draws per entry; [`kl_kind`] reports the smallest number, a [`KlValue`] the number used.
        draws: usize,
    },
}

impl KlKind {
    /// Whether it needs noise.
    pub fn is_monte_carlo(self) -> bool {
        matches!(self, Self::MonteCarlo { .. })
    }
}

/// A divergence in nats, summed over the entries, with its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct KlValue<T = f64> {
    /// The sum over entries, in nats.
    pub value: f64,
    /// How it was obtained.
    pub kind: KlKind,
    /// Gradient in the locations, `[D]`.
    pub d_loc: Vec<T>,
    /// Gradient in the constrained scales, `[n_scales(D)]`.
    pub d_scale: Vec<T>,
    /// Gradient in the prior's constrained scales where these are trained, `[1]` or `[D]`.
    pub d_prior: Option<Vec<T>>,
}

/// Nothing diverges from nothing.
impl<T> Default for KlValue<T> {
    fn default() -> Self {
        Self { value: 0.0, kind: KlKind::ClosedForm, d_loc: Vec::new(), d_scale: Vec::new(), d_prior: None }
    }
}

impl<T: Real> KlValue<T> {
    /// The same divergence with value and gradients multiplied by `factor`.
    ///
    /// # Source
    /// The `scale_factor` of Edward2's regularizers.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        self.value *= factor;
        let prior = self.d_prior.iter_mut().flatten();
        for grad in self.d_loc.iter_mut().chain(&mut self.d_scale).chain(prior) {
            *grad = T::of(grad.wide() * factor);
        }
        self
    }
}

/// The families by the form of their density, whatever the number of scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Normal,
    Cauchy,
    HalfCauchy,
    LogNormal,
    Point,
}

pub(crate) fn form(family: PosteriorFamily) -> Form {
    match family {
        PosteriorFamily::Normal
        | PosteriorFamily::NormalSharedScale
        | PosteriorFamily::NormalFixedScale { .. } => Form::Normal,
        PosteriorFamily::Cauchy => Form::Cauchy,
        PosteriorFamily::HalfCauchy => Form::HalfCauchy,
        PosteriorFamily::LogNormal => Form::LogNormal,
        PosteriorFamily::PointMass => Form::Point,
    }
}

/// How the divergence of a pair is obtained.
///
/// # Errors
/// [`Error::NoKl`] with the reason where it is infinite or not defined for all parameters.
///
/// # Source
/// Closed forms: normal and log-normal (Gaussian integrals), Cauchy-Cauchy (Chyzak and Nielsen 2019), log-uniform
/// (see [`crate::kl`]). Edward2 estimates Cauchy-Cauchy from one draw; here it is exact, and [`kl_and_grad_monte_carlo`]
/// gives the estimate.
pub fn kl_kind(family: PosteriorFamily, prior: PriorSpec) -> Result<KlKind, Error> {
    use PriorSpec as P;
    let refuse = |reason| Err(Error::NoKl { family, prior, reason });
    match (form(family), prior) {
        (_, P::ImproperUniform) => Ok(KlKind::ClosedForm),
        (Form::Normal | Form::Point, P::TiedMean { .. }) => Ok(KlKind::ClosedForm),
        (_, P::TiedMean { .. }) => refuse("the tied mean needs a normal or point-mass posterior"),
        (
            Form::Cauchy | Form::HalfCauchy,
            P::Normal { .. } | P::EmpiricalBayes { .. } | P::TrainableScale { .. },
        ) => refuse("infinite, the tails of the posterior are too heavy; use a Cauchy or Student-t prior"),
        (_, P::Normal { .. } | P::EmpiricalBayes { .. } | P::TrainableScale { .. }) => Ok(KlKind::ClosedForm),
        (Form::Normal | Form::Cauchy, P::LogNormal { .. } | P::HalfCauchy { .. }) => refuse(
            "infinite, the posterior has mass on negative numbers; use a log-normal or half-Cauchy posterior",
        ),
        (Form::Point, P::LogUniform | P::Horseshoe { .. }) => {
            refuse("unbounded below, the density has a pole; use a posterior with a scale")
        }
        (Form::Point, _) => Ok(KlKind::ClosedForm),
        (Form::Cauchy, P::Cauchy { .. }) | (Form::LogNormal, P::LogNormal { .. }) => Ok(KlKind::ClosedForm),
        (_, P::LogUniform) => Ok(KlKind::ClosedForm),
        _ => Ok(KlKind::MonteCarlo { draws: 1 }),
    }
}

/// Divergence of a posterior slice from its prior and its gradients.
///
/// Exact where the pair has a closed form, and then `noise` is not read; otherwise the mean over the given draws.
/// A point mass has no entropy: its value is minus the log prior density.
///
/// The improper log-uniform prior fixes no constant. Normal and Cauchy divergences are measured from their infimum over all
/// parameters, the half-Cauchy one from its infimum over locations of zero and above; all three are 0 at location 0. A
/// half-Cauchy location below zero puts the pole of `1 / |x|` inside the support: the divergence falls to -0.4038 at
/// `location = -0.4745 scale` and is negative down to -1.442 scales. The log-normal one is against the density `1 / x`.
///
/// # Shapes
/// | value | shape | note |
/// |---|---|---|
/// | `loc` | `[D]` | all entries that share the prior, in any order |
/// | `scale` | `[n_scales(D)]` | constrained, see [`PosteriorFamily::n_scales`] |
/// | `noise` | `[M D]` | draw-major, `M >= 1`, the standard variate of [`PosteriorFamily::noise_kind`] |
///
/// # Units
/// Nats, summed over the entries; neither divided by the number of members nor of examples.
///
/// # Errors
/// [`Error::NoKl`], [`Error::NoiseMissing`], [`Error::Length`], [`Error::Scale`], [`Error::Parameter`],
/// [`Error::OutsideSupport`], and [`Error::PriorScaleMissing`] for a trainable-scale prior. NaN locations pass through.
///
/// # Numerics
/// Computed and summed in double precision, in the order of the entries; gradients are rounded once.
///
/// # Source
/// Dusenberry et al. 2020, equation 2; Edward2's regularizers. Three departures: the log-uniform divergence has the right sign and is
/// exact, the empirical-Bayes variance is centred on the prior mean, Cauchy-Cauchy is exact. [`crate::reference`] has
/// the reference code's variants.
///
/// # Example
/// ```
/// use rank1_priors::{PosteriorFamily, PriorSpec, kl_and_grad};
/// let prior = PriorSpec::Normal { mean: 1.0, std: 0.1 };
/// let kl = kl_and_grad(PosteriorFamily::Normal, prior, &[1.0], &[0.1], None).unwrap();
/// assert_eq!((kl.value, kl.d_loc[0], kl.d_scale[0]), (0.0, 0.0, 0.0));
/// ```
pub fn kl_and_grad<T: Real>(
    family: PosteriorFamily,
    prior: PriorSpec,
    loc: &[T],
    scale: &[T],
    noise: Option<&[T]>,
) -> Result<KlValue<T>, Error> {
    let mut out = KlValue::default();
    with_fixed_prior(family, prior, loc, scale, noise, &mut out)?;
    Ok(out)
}

fn with_fixed_prior<T: Real>(
    family: PosteriorFamily,
    prior: PriorSpec,
    loc: &[T],
    scale: &[T],
    noise: Option<&[T]>,
    out: &mut KlValue<T>,
) -> Result<(), Error> {
    const OP: &str = "kl_and_grad";
    if prior.has_trainable_scale() {
        return Err(Error::PriorScaleMissing { prior });
    }
    match kl_kind(family, prior)? {
        KlKind::MonteCarlo { .. } => {
            let noise = noise.ok_or(Error::NoiseMissing { family, prior })?;
            monte_carlo::monte_carlo(family, prior, loc, scale, noise, out)
        }
        KlKind::ClosedForm => {
            prior.check()?;
            let entries = Entries::new(OP, family, loc, scale)?.with_positive_scales(OP)?;
            closed::closed_form(&entries, prior, out)
        }
    }
}

/// [`kl_and_grad`] for priors whose scale is trained: also the gradient in that scale.
///
/// One prior scale is shared by all entries (a hierarchical prior); as many as entries is the reference code's form, whose
/// divergence can fall to that of the locations alone. Other priors accept an empty `prior_scale` only.
///
/// # Shapes
/// `prior_scale` is `[1]` or `[D]`, constrained; the rest as in [`kl_and_grad`].
///
/// # Errors
/// As [`kl_and_grad`]; [`Error::Length`] and [`Error::Scale`] also name `prior_scale`.
///
/// # Source
/// Edward2's trainable prior standard deviation; the shared one is the hierarchical prior of Dusenberry et al. 2020,
/// section 3. [`crate::ScaleHyperprior::penalty`] adds a hyperprior.
pub fn kl_and_grad_with_prior_scale<T: Real>(
    family: PosteriorFamily,
    prior: PriorSpec,
    prior_scale: &[T],
    loc: &[T],
    scale: &[T],
    noise: Option<&[T]>,
) -> Result<KlValue<T>, Error> {
    let mut out = KlValue::default();
    kl_and_grad_into(family, prior, prior_scale, loc, scale, noise, &mut out)?;
    Ok(out)
}

/// [`kl_and_grad_with_prior_scale`] into memory that is kept from step to step; what `out` held is overwritten.
///
/// # Errors
/// As [`kl_and_grad_with_prior_scale`]; `out` then holds nothing of use.
///
/// # Source
/// See [`kl_and_grad`].
pub fn kl_and_grad_into<T: Real>(
    family: PosteriorFamily,
    prior: PriorSpec,
    prior_scale: &[T],
    loc: &[T],
    scale: &[T],
    noise: Option<&[T]>,
    out: &mut KlValue<T>,
) -> Result<(), Error> {
    const OP: &str = "kl_and_grad_with_prior_scale";
    let PriorSpec::TrainableScale { mean } = prior else {
        same_length(OP, "prior_scale", 0, prior_scale.len())?;
        return with_fixed_prior(family, prior, loc, scale, noise, out);
    };
    kl_kind(family, prior)?;
    prior.check()?;
    if prior_scale.len() != 1 {
        same_length(OP, "prior_scale", loc.len(), prior_scale.len())?;
    }
    for (index, s) in prior_scale.iter().enumerate() {
        positive(OP, "prior_scale", s.wide()).map_err(|_| Error::Scale {
            op: OP,
            argument: "prior_scale",
            index,
            value: s.wide(),
        })?;
    }
    let entries = Entries::new(OP, family, loc, scale)?.with_positive_scales(OP)?;
    closed::trainable_scale(&entries, mean, prior_scale, out);
    Ok(())
}

/// Sum over the entries of `E[(x - mean)^2]`.
pub(crate) fn second_moments<T: Real>(
    family: PosteriorFamily,
    mean: f64,
    loc: &[T],
    scale: &[T],
) -> Result<f64, Error> {
    const OP: &str = "second_moments";
    let entries = Entries::new(OP, family, loc, scale)?.with_positive_scales(OP)?;
    let moment = |i| closed::second_moment(form(family), entries.loc(i), entries.scale(i), mean).value;
    Ok((0..entries.len()).map(moment).sum())
}
