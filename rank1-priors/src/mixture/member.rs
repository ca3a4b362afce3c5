//! The mixture of K whole members, whose entries belong together, and its divergence from a prior.

use ndarray::{Array1, Array2, ArrayView1, ArrayView3};
use rand::Rng;
use rand_distr::{Distribution, Open01, StandardNormal};

use super::log_sum_exp;
use crate::dist::{LogDensity, standard_cauchy};
use crate::error::Error;
use crate::kl::kl_and_grad;
use crate::posterior::{Entries, NoiseKind, PosteriorFamily, same_length};
use crate::prior::PriorSpec;

/// The variational posterior of a whole network: one of K members is chosen, then every entry is drawn from it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberMixture {
    family: PosteriorFamily,
    loc: Array2<f64>,
    scale: Array2<f64>,
}

/// An interval that contains the divergence of a mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlBounds {
    /// Mean of the members' divergences less `ln K`; can be negative although the divergence is not.
    pub lower: f64,
    /// Mean of the members' divergences.
    pub upper: f64,
}

/// A Monte Carlo mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Its standard error; NaN for a single draw per member.
    pub standard_error: f64,
}

impl MemberMixture {
    /// A mixture of K members with equal weights.
    ///
    /// # Shapes
    /// `loc` is `[K, D]`, `scale` is `[K, n_scales(D)]`, constrained.
    ///
    /// # Errors
    /// [`Error::Empty`] without members, [`Error::Length`], [`Error::Scale`], [`Error::Parameter`].
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3: the component of one layer always goes with the same component of the next.
    pub fn new(family: PosteriorFamily, loc: Array2<f64>, scale: Array2<f64>) -> Result<Self, Error> {
        const OP: &str = "MemberMixture::new";
        if loc.nrows() == 0 {
            return Err(Error::Empty { op: OP, argument: "loc" });
        }
        same_length(OP, "scale", loc.nrows(), scale.nrows())?;
        let mixture = Self {
            family,
            loc: loc.as_standard_layout().into_owned(),
            scale: scale.as_standard_layout().into_owned(),
        };
        for k in 0..mixture.n_members() {
            mixture.member(k)?.with_positive_scales(OP)?;
        }
        Ok(mixture)
    }

    /// The number of members K.
    ///
    /// # Source
    /// Shape of the locations.
    pub fn n_members(&self) -> usize {
        self.loc.nrows()
    }

    fn member(&self, k: usize) -> Result<Entries<'_, f64>, Error> {
        // Rows of arrays in standard layout are contiguous.
        let (loc, scale) = (self.loc.row(k).to_slice(), self.scale.row(k).to_slice());
        Entries::new("MemberMixture", self.family, loc.unwrap_or_default(), scale.unwrap_or_default())
    }

    /// Log-density of a whole vector of entries, in nats.
    ///
    /// A point mass is taken against the counting measure.
    ///
    /// # Shapes
    /// `x` is `[D]`.
    ///
    /// # Errors
    /// [`Error::Length`].
    ///
    /// # Source
    /// Log-mean-exp over members of sums over entries.
    pub fn log_density(&self, x: ArrayView1<'_, f64>) -> Result<f64, Error> {
        same_length("MemberMixture::log_density", "x", self.loc.ncols(), x.len())?;
        let mut logs = Vec::with_capacity(self.n_members());
        for k in 0..self.n_members() {
            let member = self.member(k)?;
            logs.push(x.iter().enumerate().map(|(i, x)| member.log_density(i, *x)).sum());
        }
        Ok(log_sum_exp(&logs) - (self.n_members() as f64).ln())
    }

    /// Draws the member and then its entries.
    ///
    /// # Shapes
    /// Returns the member's index and `[D]`.
    ///
    /// # Source
    /// Ancestral sampling.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> (usize, Array1<f64>) {
        let u: f64 = Open01.sample(rng);
        let k = ((u * self.n_members() as f64) as usize).min(self.n_members() - 1);
        let draw = |i| {
            let noise = match self.family.noise_kind() {
                NoiseKind::Normal => StandardNormal.sample(rng),
                NoiseKind::Cauchy => standard_cauchy(Open01.sample(rng)),
                NoiseKind::Unused => 0.0,
            };
            self.member(k).map_or(f64::NAN, |m| m.draw(i, noise).value)
        };
        (k, (0..self.loc.ncols()).map(draw).collect())
    }

    /// Bounds of the mixture's divergence from a prior whose entries are independent.
    ///
    /// # Shapes
    /// `noise` is `[S, K, D]` where members' divergences are Monte Carlo estimates, and is not read otherwise. The bounds then hold for the
    /// expectation only.
    ///
    /// # Errors
    /// As [`crate::kl_and_grad`].
    ///
    /// # Source
    /// Convexity of the divergence; Dusenberry et al. 2020 use the upper bound, and their code K times it.
    pub fn kl_bounds(&self, prior: PriorSpec, noise: Option<ArrayView3<'_, f64>>) -> Result<KlBounds, Error> {
        let mut sum = 0.0;
        for k in 0..self.n_members() {
            let member = self.member(k)?;
            let own: Option<Vec<f64>> = match noise {
                Some(noise) => {
                    self.check_noise(noise)?;
                    Some(noise.index_axis(ndarray::Axis(1), k).iter().copied().collect())
                }
                None => None,
            };
            sum += kl_and_grad(self.family, prior, member.loc, member.scales(), own.as_deref())?.value;
        }
        let k = self.n_members() as f64;
        Ok(KlBounds { lower: sum / k - k.ln(), upper: sum / k })
    }

    /// The mixture's divergence itself, estimated with the same number of draws from every member.
    ///
    /// # Shapes
    /// `noise` is `[S, K, D]`, the standard variate of the family.
    ///
    /// # Units
    /// Nats.
    ///
    /// # Errors
    /// [`Error::NoKl`] for point masses, whose mixture has no density, and where members' divergences are infinite;
    /// [`Error::NoDensity`], [`Error::Length`], [`Error::Parameter`].
    ///
    /// # Source
    /// Mean of `ln q - ln p` under the mixture, stratified by member.
    pub fn kl_monte_carlo(&self, prior: PriorSpec, noise: ArrayView3<'_, f64>) -> Result<Estimate, Error> {
        crate::kl::kl_kind(self.family, prior)?;
        if self.family == PosteriorFamily::PointMass {
            let reason = "a mixture of point masses has no density";
            return Err(Error::NoKl { family: self.family, prior, reason });
        }
        self.check_noise(noise)?;
        let density = prior.density()?;
        let (n_samples, n_members) = (noise.dim().0, self.n_members());
        let (mut value, mut variance) = (0.0, 0.0);
        for k in 0..n_members {
            let member = self.member(k)?;
            let (mut mean, mut squares) = (0.0, 0.0);
            for s in 0..n_samples {
                let x: Array1<f64> =
                    (0..self.loc.ncols()).map(|i| member.draw(i, noise[[s, k, i]]).value).collect();
                let prior: f64 = x.iter().map(|x| density.log_density(*x)).sum();
                let gap = self.log_density(x.view())? - prior;
                // Welford's update.
                let step = gap - mean;
                mean += step / (s + 1) as f64;
                squares += step * (gap - mean);
            }
            value += mean / n_members as f64;
            variance += squares / (n_samples as f64 - 1.0) / n_samples as f64;
        }
        let standard_error = if n_samples > 1 { variance.sqrt() / n_members as f64 } else { f64::NAN };
        Ok(Estimate { value, standard_error })
    }

    fn check_noise(&self, noise: ArrayView3<'_, f64>) -> Result<(), Error> {
        const OP: &str = "MemberMixture";
        let (n_samples, n_members, n) = noise.dim();
        if n_samples == 0 {
            return Err(Error::Empty { op: OP, argument: "noise" });
        }
        same_length(OP, "noise members", self.n_members(), n_members)?;
        same_length(OP, "noise entries", self.loc.ncols(), n)
    }
}
