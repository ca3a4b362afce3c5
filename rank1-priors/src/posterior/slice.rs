//! A posterior slice as one value: family, locations and scales, with draws and divergences from a generator.

use rand::Rng;
use rand_distr::{Distribution, Open01, StandardNormal};

use super::{NoiseKind, PosteriorFamily};
use crate::dist::standard_cauchy;
use crate::error::Error;
use crate::kl::{KlValue, kl_and_grad, kl_kind};
use crate::prior::PriorSpec;
use crate::real::Real;

/// The posterior of a slice of entries.
///
/// ```
/// use rand::SeedableRng;
/// use rank1_priors::{Posterior, PosteriorFamily, PriorSpec};
///
/// let mut rng = rand::rngs::Xoshiro256PlusPlus::seed_from_u64(7);
/// let q = Posterior { family: PosteriorFamily::Normal, location: &[1.0, 0.9], scale: &[0.1, 0.2] };
/// let factors = q.sample(&mut rng)?;
/// let kl = q.kl(PriorSpec::Cauchy { location: 1.0, scale: 0.1 }, &mut rng)?;
/// assert!(factors.len() == 2 && kl.kind.is_monte_carlo());
/// # Ok::<(), rank1_priors::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior<'a, T> {
    /// Variational family.
    pub family: PosteriorFamily,
    /// `[D]`.
    pub location: &'a [T],
    /// Constrained scales, `[n_scales(D)]`.
    pub scale: &'a [T],
}

impl PosteriorFamily {
    /// Standard noise for [`PosteriorFamily::draw_into`]; zeros for a point mass, which reads none.
    ///
    /// # Shapes
    /// `out`: `[D]`, or `[M D]` for M draws of a divergence.
    pub fn fill_noise<T: Real, R: Rng + ?Sized>(&self, out: &mut [T], rng: &mut R) {
        for out in out {
            *out = T::of(match self.noise_kind() {
                NoiseKind::Normal => StandardNormal.sample(rng),
                NoiseKind::Cauchy => standard_cauchy(Open01.sample(rng)),
                NoiseKind::Unused => 0.0,
            });
        }
    }
}

impl<T: Real> Posterior<'_, T> {
    /// One draw of every entry.
    ///
    /// # Shapes
    /// Returns `[D]`.
    ///
    /// # Errors
    /// [`Error::Length`] for scales of another number.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Result<Vec<T>, Error> {
        let mut noise = vec![T::of(0.0); self.location.len()];
        self.family.fill_noise(&mut noise, rng);
        let mut out = noise.clone();
        self.family.draw_into(self.location, self.scale, &noise, &mut out)?;
        Ok(out)
    }

    /// Divergence from a prior with its gradients: exact where the pair has a closed form, else from one draw of every entry.
    ///
    /// # Errors
    /// As [`kl_and_grad`].
    pub fn kl<R: Rng + ?Sized>(&self, prior: PriorSpec, rng: &mut R) -> Result<KlValue<T>, Error> {
        let noise = kl_kind(self.family, prior)?.is_monte_carlo().then(|| {
            let mut noise = vec![T::of(0.0); self.location.len()];
            self.family.fill_noise(&mut noise, rng);
            noise
        });
        kl_and_grad(self.family, prior, self.location, self.scale, noise.as_deref())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn draws_of_every_family_have_its_median_and_stay_in_its_support() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let (location, scale) = (vec![0.5; 20_001], vec![0.2; 20_001]);
        for (family, median) in [
            (PosteriorFamily::Normal, 0.5),
            (PosteriorFamily::Cauchy, 0.5),
            (PosteriorFamily::HalfCauchy, 0.7),
            (PosteriorFamily::LogNormal, 0.5_f64.exp()),
            (PosteriorFamily::PointMass, 0.5),
        ] {
            let scale = &scale[..family.n_scales(location.len())];
            let mut draws = Posterior { family, location: &location, scale }.sample(&mut rng).unwrap();
            draws.sort_by(f64::total_cmp);
            // Five standard errors of the median of the widest.
            assert!((draws[10_000] - median).abs() < 0.02, "{family:?}: {}", draws[10_000]);
            assert!(!family.is_positive() || draws[0] > 0.0);
        }
    }

    #[test]
    fn divergences_are_those_of_the_functions_below() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let q = Posterior { family: PosteriorFamily::Normal, location: &[1.1, 0.8], scale: &[0.1, 0.3] };
        let normal = PriorSpec::Normal { mean: 1.0, std: 0.2 };
        let exact = kl_and_grad(q.family, normal, q.location, q.scale, None).unwrap();
        assert_eq!(q.kl(normal, &mut rng).unwrap(), exact);
        let cauchy = PriorSpec::Cauchy { location: 1.0, scale: 0.2 };
        let n = 4_000;
        let mean = (0..n).map(|_| q.kl(cauchy, &mut rng).unwrap().value).sum::<f64>() / f64::from(n);
        let many: Vec<f64> = {
            let mut noise = vec![0.0; 2 * 20_000];
            q.family.fill_noise(&mut noise, &mut rng);
            noise
        };
        let reference = kl_and_grad(q.family, cauchy, q.location, q.scale, Some(&many)).unwrap().value;
        assert!((mean - reference).abs() < 0.1, "{mean} {reference}");
        assert!(q.kl(PriorSpec::HalfCauchy { scale: 1.0 }, &mut rng).is_err());
    }
}
