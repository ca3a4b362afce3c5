//! Where the locations of factors start: around one, inside the support of their family and prior.

use rand::Rng;
use rand_distr::{Distribution, Open01, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::error::{Error, finite};
use crate::posterior::{Link, LocationDomain, PosteriorFamily};
use crate::real::Real;

/// How the locations of factor entries start; every entry of every member is drawn on its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LocationInit {
    /// Plus one with the given probability, else minus one.
    RandomSign {
        /// Probability of plus one.
        probability: f64,
    },
    /// Normal around one, not truncated.
    AroundOne {
        /// Standard deviation; zero gives all ones.
        std: f64,
    },
    /// Normal around zero: locations of log-normal factors, whose draws then start around one.
    AroundZero {
        /// Standard deviation; zero gives all zeros.
        std: f64,
    },
    /// `exp` of a normal around zero: positive locations whose median is one.
    PositiveAroundOne {
        /// Standard deviation of the logarithm; zero gives all ones.
        std: f64,
    },
    /// One number for all entries; 0 suits log-normal locations.
    Constant {
        /// The number.
        value: f64,
    },
}

impl LocationInit {
    /// The initializer that the reference code's `random_sign_init` stands for: positive is the probability of plus one, zero or
    /// negative the standard deviation around one with its sign flipped.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a probability above one or a number that is not finite.
    ///
    /// # Source
    /// `random_sign_init` of the reference code, where the number is the probability of plus one; the paper calls it that of a flip.
    pub fn from_random_sign_init(value: f64) -> Result<Self, Error> {
        let init = if value > 0.0 {
            Self::RandomSign { probability: value }
        } else {
            Self::AroundOne { std: -value }
        };
        init.check()?;
        Ok(init)
    }

    /// The start of the locations of a factor, by the same number as [`LocationInit::from_random_sign_init`], inside the support.
    ///
    /// | factor | `-v`, zero or negative | 1 | between 0 and 1 |
    /// |---|---|---|---|
    /// | may be negative | normal around 1, standard deviation v | 1 | random signs |
    /// | log-normal (the logarithm's location) | normal around 0, standard deviation v | 0 | refused |
    /// | positive location | `exp` of a normal around 0, standard deviation v | 1 | refused |
    ///
    /// [`LocationDomain::raw`] makes trained numbers of positive locations.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a probability above one, a number that is not finite, and random signs of positive factors.
    ///
    /// # Source
    /// The reference code starts every family as the first row says: log-normal factors near `exp(1)` and `exp(-1)`, half-Cauchy ones
    /// below zero. [`LocationInit::from_random_sign_init`] is that start.
    ///
    /// # Example
    /// ```
    /// use rank1_priors::{LocationDomain, LocationInit, PosteriorFamily};
    /// let init = LocationInit::for_factor(PosteriorFamily::LogNormal, LocationDomain::Real, -0.5)?;
    /// assert_eq!(init, LocationInit::AroundZero { std: 0.5 });
    /// # Ok::<(), rank1_priors::Error>(())
    /// ```
    pub fn for_factor(family: PosteriorFamily, domain: LocationDomain, value: f64) -> Result<Self, Error> {
        let logarithm = family.law().link == Link::Exponential;
        let positive = logarithm || domain == LocationDomain::Positive;
        Ok(match Self::from_random_sign_init(value)? {
            Self::RandomSign { probability } if positive && probability < 1.0 => {
                return Err(Error::Parameter {
                    owner: "LocationInit",
                    parameter: "sign_init",
                    value,
                    expected: "1 or a number that is not positive, because factors of this posterior and prior are never negative",
                });
            }
            Self::RandomSign { .. } if logarithm => Self::Constant { value: 0.0 },
            Self::RandomSign { .. } if positive => Self::Constant { value: 1.0 },
            Self::AroundOne { std } if logarithm => Self::AroundZero { std },
            Self::AroundOne { std } if positive => Self::PositiveAroundOne { std },
            init => init,
        })
    }

    /// Refuses impossible parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the parameter.
    ///
    /// # Source
    /// Definition of the initializers.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |parameter, value, expected| {
            Err(Error::Parameter { owner: "LocationInit", parameter, value, expected })
        };
        match *self {
            Self::RandomSign { probability } if !(0.0..=1.0).contains(&probability) => {
                refuse("probability", probability, "a number from 0 to 1")
            }
            Self::AroundOne { std } | Self::AroundZero { std } | Self::PositiveAroundOne { std }
                if !(std >= 0.0 && std.is_finite()) =>
            {
                refuse("std", std, "a finite number, not negative")
            }
            Self::Constant { value } => finite("LocationInit", "value", value).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Fills a slice of locations.
    ///
    /// # Shapes
    /// `out` is `[D]` or all members' `[K D]`; entries are drawn in order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for impossible parameters; nothing is written then.
    ///
    /// # Source
    /// Edward2's sign and unit-mean initializers; the others are ours, see [`LocationInit::for_factor`].
    pub fn fill<T: Real, R: Rng + ?Sized>(&self, out: &mut [T], rng: &mut R) -> Result<(), Error> {
        self.check()?;
        for entry in out {
            *entry = T::of(match *self {
                Self::RandomSign { probability } => {
                    let u: f64 = Open01.sample(rng);
                    if u < probability { 1.0 } else { -1.0 }
                }
                Self::AroundOne { std } => {
                    let z: f64 = StandardNormal.sample(rng);
                    1.0 + std * z
                }
                Self::AroundZero { std } => {
                    let z: f64 = StandardNormal.sample(rng);
                    std * z
                }
                Self::PositiveAroundOne { std } => {
                    let z: f64 = StandardNormal.sample(rng);
                    (std * z).exp()
                }
                Self::Constant { value } => value,
            });
        }
        Ok(())
    }

    /// [`LocationInit::fill`] with the trained numbers of the locations, as [`LocationDomain::raw`] makes them.
    ///
    /// # Shapes
    /// As in [`LocationInit::fill`], and the same random numbers.
    ///
    /// # Errors
    /// [`Error::Parameter`] for impossible parameters, and for a location outside the domain.
    ///
    /// # Source
    /// The inverse of [`LocationDomain::location`].
    pub fn fill_raw<T: Real, R: Rng + ?Sized>(
        &self,
        domain: LocationDomain,
        out: &mut [T],
        rng: &mut R,
    ) -> Result<(), Error> {
        self.fill(out, rng)?;
        if domain != LocationDomain::Real {
            for entry in out {
                *entry = T::of(domain.raw(entry.wide())?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    #[test]
    fn sign_of_the_reference_number_chooses_the_initializer() {
        let read = |v| LocationInit::from_random_sign_init(v);
        assert_eq!(read(0.75).unwrap(), LocationInit::RandomSign { probability: 0.75 });
        assert_eq!(read(-0.5).unwrap(), LocationInit::AroundOne { std: 0.5 });
        assert!(read(1.5).is_err() && read(f64::NAN).is_err() && read(f64::NEG_INFINITY).is_err());
        let mut ones = [0.0f32; 7];
        read(0.0).unwrap().fill(&mut ones, &mut Xoshiro256PlusPlus::seed_from_u64(1)).unwrap();
        assert_eq!(ones, [1.0f32; 7]);
    }

    #[test]
    fn locations_start_inside_the_support_of_their_family() {
        use {LocationDomain as D, PosteriorFamily as F};
        let mut out = vec![0.0f64; 20_000];
        let mut spread = |family, domain, value: f64| {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
            LocationInit::for_factor(family, domain, value).unwrap().fill(&mut out, &mut rng).unwrap();
            let logarithms: Vec<f64> = match (family, domain) {
                (F::LogNormal, _) => out.clone(),
                (_, D::Positive) => out.iter().map(|x| x.ln()).collect(),
                _ => out.iter().map(|x| x - 1.0).collect(),
            };
            let mean = logarithms.iter().sum::<f64>() / 2e4;
            let square = logarithms.iter().map(|x| x * x).sum::<f64>() / 2e4;
            assert!(logarithms.iter().all(|x| x.is_finite()), "{family:?} {domain:?}");
            (mean, square.sqrt())
        };
        for (family, domain) in [
            (F::LogNormal, D::Real),
            (F::HalfCauchy, D::Positive),
            (F::PointMass, D::Positive),
            (F::Normal, D::Real),
            (F::Cauchy, D::Real),
            (F::PointMass, D::Real),
        ] {
            let (mean, std) = spread(family, domain, -0.5);
            // Four standard errors of a mean and of a standard deviation.
            assert!(mean.abs() < 0.0142 && (std - 0.5).abs() < 0.01, "{family:?} {domain:?} {mean} {std}");
            assert_eq!(spread(family, domain, 0.0), (0.0, 0.0));
            assert_eq!(spread(family, domain, 1.0), (0.0, 0.0));
            let signs = LocationInit::for_factor(family, domain, 0.75);
            let signed = domain == D::Real && family != F::LogNormal;
            assert_eq!(signs.is_ok(), signed, "{family:?} {domain:?}");
        }
    }

    #[test]
    fn factors_that_may_be_negative_start_as_the_reference_code_does() {
        use {LocationDomain as D, PosteriorFamily as F};
        let families =
            [F::Normal, F::Cauchy, F::NormalSharedScale, F::NormalFixedScale { scale: 0.1 }, F::PointMass];
        for family in families {
            for value in [-0.5, 0.0, 0.75, 1.0] {
                assert_eq!(
                    LocationInit::for_factor(family, D::Real, value).unwrap(),
                    LocationInit::from_random_sign_init(value).unwrap()
                );
            }
        }
    }

    #[test]
    fn signs_and_unit_normals_have_the_stated_moments() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let mut out = vec![0.0f64; 100_000];
        LocationInit::RandomSign { probability: 0.75 }.fill(&mut out, &mut rng).unwrap();
        let plus = out.iter().filter(|x| **x > 0.0).count() as f64 / 1e5;
        // 4.4 standard errors of a proportion.
        assert!((plus - 0.75).abs() < 0.006 && out.iter().all(|x| x.abs() == 1.0));
        LocationInit::AroundOne { std: 0.5 }.fill(&mut out, &mut rng).unwrap();
        let mean = out.iter().sum::<f64>() / 1e5;
        let var = out.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.007 && (var - 0.25).abs() < 0.005);
    }
}
