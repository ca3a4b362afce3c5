//! Initializers of factor locations and scales; the shared weights are in [`crate::weight_init`].

mod location;

use rand::Rng;
use rand_distr::Distribution;
use serde::{Deserialize, Serialize};

use crate::constraint::scale_to_raw;
use crate::error::{Error, finite};
use crate::posterior::PosteriorFamily;
use crate::real::Real;
use crate::weight_init::TruncatedNormal;

pub use location::LocationInit;

/// Standard deviation of multiplicative dropout noise at a rate: `sqrt(p / (1 - p))`.
///
/// # Errors
/// [`Error::Parameter`] unless `0 < p < 1`.
///
/// # Source
/// Dropout noise is 0 with probability p and `1 / (1 - p)` otherwise: mean 1 and this standard deviation.
///
/// # Example
/// ```
/// assert!((rank1_priors::std_from_dropout_rate(0.1)? - 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), rank1_priors::Error>(())
/// ```
pub fn std_from_dropout_rate(rate: f64) -> Result<f64, Error> {
    if rate > 0.0 && rate < 1.0 {
        Ok((rate / (1.0 - rate)).sqrt())
    } else {
        Err(Error::Parameter {
            owner: "std_from_dropout_rate",
            parameter: "rate",
            value: rate,
            expected: "a number between 0 and 1, both excluded",
        })
    }
}

/// How the unconstrained scales start: around one number, with truncated normal jitter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleInit {
    /// Centre of the unconstrained scale.
    pub raw: f64,
    /// Standard deviation of the jitter before truncation at two of them; 0 for none.
    pub jitter: f64,
}

impl ScaleInit {
    /// Scales around a value, with the jitter that the reference code gives the family: 0.1 for normal and log-normal with a scale per
    /// entry, none for the others.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `scale` is positive and finite.
    ///
    /// # Source
    /// Edward2's trainable initializers.
    pub fn from_scale(scale: f64, family: PosteriorFamily) -> Result<Self, Error> {
        Ok(Self { raw: scale_to_raw(scale)?, jitter: family.law().start_jitter })
    }

    /// Scales around the standard deviation of dropout noise.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the rate lies between 0 and 1.
    ///
    /// # Source
    /// Dusenberry et al. 2020, appendix B; [`std_from_dropout_rate`].
    pub fn from_dropout_rate(rate: f64, family: PosteriorFamily) -> Result<Self, Error> {
        Self::from_scale(std_from_dropout_rate(rate)?, family)
    }

    /// Fills a slice of unconstrained scales.
    ///
    /// # Shapes
    /// `out` is `[n_scales]`; entries are drawn in order. Without jitter no random number is used.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a raw scale that is not finite or a jitter that is negative or not finite.
    ///
    /// # Source
    /// Truncated normal around the raw scale, as in the reference code.
    pub fn fill_raw<T: Real, R: Rng + ?Sized>(&self, out: &mut [T], rng: &mut R) -> Result<(), Error> {
        let raw = finite("ScaleInit", "raw", self.raw)?;
        if self.jitter.abs() <= 0.0 {
            out.fill(T::of(raw));
            return Ok(());
        }
        let law = TruncatedNormal::new(raw, self.jitter)?;
        for entry in out {
            *entry = T::of(law.sample(rng));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::raw_to_scale;
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    #[test]
    fn dropout_rates_match_the_published_table() {
        for (rate, std, raw) in [
            (1e-3, 0.03163859985841663, -3.4375163813679386),
            (1e-6, 0.0010000005000003751, -6.907255),
            (0.1, 0.33333333333333337, -0.9273202715213231),
            (0.8, 2.0, 1.854586542131141),
        ] {
            let init = ScaleInit::from_dropout_rate(rate, PosteriorFamily::Cauchy).unwrap();
            approx::assert_relative_eq!(std_from_dropout_rate(rate).unwrap(), std, max_relative = 1e-12);
            approx::assert_relative_eq!(init.raw, raw, max_relative = 1e-7);
            approx::assert_relative_eq!(raw_to_scale(init.raw), std + 1e-7, max_relative = 1e-12);
        }
        for rate in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(std_from_dropout_rate(rate).is_err());
        }
    }

    #[test]
    fn jitter_stays_within_two_standard_deviations_and_only_where_the_reference_has_it() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let init = ScaleInit::from_dropout_rate(1e-3, PosteriorFamily::Normal).unwrap();
        let mut raw = vec![0.0f64; 2000];
        init.fill_raw(&mut raw, &mut rng).unwrap();
        assert!(raw.iter().all(|r| (r - init.raw).abs() <= 0.2) && raw.iter().any(|r| *r != raw[0]));
        let flat = ScaleInit::from_dropout_rate(1e-3, PosteriorFamily::NormalSharedScale).unwrap();
        assert!(flat.jitter == 0.0);
        assert!(ScaleInit { raw: 0.0, jitter: -0.1 }.fill_raw(&mut raw, &mut rng).is_err());
    }
}
