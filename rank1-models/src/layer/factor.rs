//! One factor of a rank-1 layer: its variational posterior, draws from given noise and its divergence.
//!
//! Where the factor acts is [`super::rank1`]'s business.

mod record;

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use rank1_core::factor::ClipBounds;
use rank1_core::noise::NoiseKind;
use rank1_priors::{Link, LocationDomain, PosteriorFamily, PriorSpec, Scales};
use serde::{Deserialize, Serialize};

use super::scale::positive_scale;
use super::{KlTerm, initial};
use crate::engine::Site;
use crate::error::Error;
use crate::method::{Granularity, SignInit};

/// Below the logarithm of the largest number in single precision, far above that of any bound of draws.
const LARGEST_EXPONENT: f32 = 80.0;

/// How a factor starts and what distribution it has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FactorConfig {
    /// Variational family; [`PosteriorFamily::PointMass`] makes a BatchEnsemble factor.
    pub family: PosteriorFamily,
    /// Start of the location: a positive value is the probability of +1 (else -1), `-v <= 0` draws from N(1, v^2). Log-normal
    /// factors and positive locations start around one too, see [`rank1_priors::LocationInit::for_factor`].
    pub sign_init: SignInit,
    /// Start of the posterior scale; `sqrt(p / (1 - p))` imitates dropout at rate p.
    pub initial_std: f64,
    /// Draws per example or per batch.
    pub granularity: Granularity,
    /// Bounds of a draw; none disables clipping.
    pub clip: Option<ClipBounds>,
    /// Which locations the factor can have; those of a half-Cauchy factor are positive whatever is said here. A point mass whose prior
    /// has mass on positive numbers only needs [`LocationDomain::Positive`], which [`FactorConfig::under`] sets.
    #[serde(default)]
    pub domain: LocationDomain,
}

impl Default for FactorConfig {
    /// The reference code's Gaussian factor.
    fn default() -> Self {
        Self {
            family: PosteriorFamily::Normal,
            sign_init: -0.5,
            initial_std: 0.031_638_6,
            granularity: Granularity::PerExample,
            clip: Some(ClipBounds::REFERENCE),
            domain: LocationDomain::Real,
        }
    }
}

impl FactorConfig {
    /// The same factor with locations inside the support of `prior`.
    ///
    /// # Source
    /// [`LocationDomain::of`].
    #[must_use]
    pub fn under(self, prior: PriorSpec) -> Self {
        Self { domain: LocationDomain::of(self.family, prior), ..self }
    }

    /// A factor of `n_members` vectors of `width` entries; equal seeds give equal factors.
    ///
    /// # Shapes
    /// Location `[n_members, width]`, unconstrained where it must be positive; raw scale the same, `[1, 1]` if shared, absent for a fixed scale and a point mass.
    ///
    /// # Errors
    /// A scale or a sign initialization outside its domain; random signs of a factor that is never negative.
    ///
    /// # Source
    /// Dusenberry et al. 2020, appendix B, and the reference code: raw scales of normal and log-normal families are
    /// jittered by a truncated normal of 0.1. Log-normal factors start around 1, not around `exp(1)` as there.
    pub fn init(&self, n_members: usize, width: usize, seed: u64, device: &Device) -> Result<Factor, Error> {
        self.family.check()?;
        let shape = [n_members, width];
        let law = self.family.law();
        let domain = if law.folded { LocationDomain::Positive } else { self.domain };
        let location = initial::locations((self.family, domain), self.sign_init, n_members * width, seed)?;
        let location = initial::tensor(location, shape, device);
        let raw_scale = match self.family.n_scales(n_members * width) {
            0 => None,
            n => {
                let raw = initial::raw_scales(self.family, self.initial_std, n, seed)?;
                let shape = if law.scales == Scales::Shared { [1, 1] } else { shape };
                Some(Param::from_tensor(initial::tensor(raw, shape, device)))
            }
        };
        Ok(Factor {
            location: Param::from_tensor(location),
            raw_scale,
            family: self.family,
            granularity: self.granularity,
            clip: self.clip,
            domain,
        })
    }
}

/// A distribution (or a point) per member and entry.
///
/// In a record its parameters stand below the name of the family, so that a record of another family does not load: its tensors are
/// missing. Granularity, clip and a fixed scale are settings, which a record does not hold.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::FactorConfig;
///
/// let device = Device::flex();
/// let factor = FactorConfig { sign_init: 1.0, ..FactorConfig::default() }.init(3, 2, 7, &device)?;
/// let draw = factor.draw(Some(Tensor::zeros([3, 2], &device)), 1)?;   // no noise: the locations
/// assert_eq!(draw.into_data().try_to_vec::<f32>().unwrap(), [1.0; 6]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Factor {
    /// What locations are trained by, `[K, D]`: themselves, or unconstrained numbers where [`Factor::domain`] is not the whole line.
    pub location: Param<Tensor<2>>,
    /// Unconstrained scales, `[K, D]`, or `[1, 1]` if shared; none for a fixed scale and for a point mass.
    pub raw_scale: Option<Param<Tensor<2>>>,
    /// Variational family.
    pub family: PosteriorFamily,
    /// Draws per example or per batch.
    pub granularity: Granularity,
    /// Bounds of a draw.
    pub clip: Option<ClipBounds>,
    /// Which locations the factor can have.
    pub domain: LocationDomain,
}

impl Factor {
    /// The standard noise that a draw needs; none for a point mass.
    ///
    /// # Source
    /// Reparameterizations of Dusenberry et al. 2020, section 3.
    #[must_use]
    pub fn noise_kind(&self) -> Option<NoiseKind> {
        match self.family.noise_kind() {
            rank1_priors::NoiseKind::Normal => Some(NoiseKind::Normal),
            rank1_priors::NoiseKind::Cauchy => Some(NoiseKind::Cauchy),
            rank1_priors::NoiseKind::Unused => None,
        }
    }

    /// Positive scales, in the shape of `raw_scale`.
    ///
    /// # Source
    /// `softplus(raw) + 1e-7`, as the reference code.
    #[must_use]
    pub fn scale(&self) -> Option<Tensor<2>> {
        self.raw_scale.as_ref().map(|raw| positive_scale(raw.val()))
    }

    /// Locations `[K, D]`, inside their domain.
    ///
    /// # Source
    /// [`LocationDomain::location`].
    #[must_use]
    pub fn locations(&self) -> Tensor<2> {
        match self.domain {
            LocationDomain::Real => self.location.val(),
            LocationDomain::Positive => positive_scale(self.location.val()),
        }
    }

    /// `location + scale * noise`, then clipped; the gradient is zero where a draw was cut.
    ///
    /// Half-Cauchy takes `|noise|`, log-normal the exponential of the sum, a point mass returns its locations.
    ///
    /// # Shapes
    /// `noise`: `[S*K*B, D]` (sample, member, example) for any B, 1 included; returns the same shape. A point mass takes
    /// no noise and returns `[S*K, D]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] or [`rank1_core::Error::Empty`] if the noise does not fit or is missing.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3; clipping as the reference code's dense layer.
    pub fn draw(&self, noise: Option<Tensor<2>>, n_samples: usize) -> Result<Tensor<2>, Error> {
        const OP: &str = "Factor::draw";
        let location = self.locations();
        let [members, width] = location.dims();
        let draw = match (self.noise_kind(), noise) {
            (None, _) => location.repeat_dim(0, n_samples),
            (Some(_), None) => return Err(rank1_core::Error::Empty { op: OP, argument: "noise" }.into()),
            (Some(_), Some(noise)) => {
                let [rows, columns] = noise.dims();
                let slots = n_samples * members;
                if slots == 0 || rows == 0 || rows % slots != 0 || columns != width {
                    return Err(rank1_core::Error::ShapeMismatch {
                        op: OP,
                        argument: "noise",
                        expected: vec![slots, width],
                        got: vec![rows, columns],
                    }
                    .into());
                }
                let noise = noise.reshape([n_samples, members, rows / slots, width]);
                self.transform(location, noise).reshape([rows, width])
            }
        };
        Ok(match self.clip {
            Some(ClipBounds { min, max }) => draw.clamp(min, max),
            None => draw,
        })
    }

    fn transform(&self, location: Tensor<2>, noise: Tensor<4>) -> Tensor<4> {
        let [members, width] = location.dims();
        let location = location.reshape([1, members, 1, width]);
        let law = self.family.law();
        let noise = if law.folded { noise.abs() } else { noise };
        let spread = match (self.scale(), law.scales) {
            (Some(scale), _) => {
                let [rows, columns] = scale.dims();
                scale.reshape([1, rows, 1, columns]) * noise
            }
            (None, Scales::Fixed(scale)) => noise * scale,
            (None, _) => noise * 0.0,
        };
        let sum = location + spread;
        match (law.link, self.clip) {
            (Link::Identity, _) => sum,
            // An infinite draw would be cut, but the derivative of its exponential times zero is no number.
            (Link::Exponential, Some(_)) => sum.clamp_max(LARGEST_EXPONENT).exp(),
            (Link::Exponential, None) => sum.exp(),
        }
    }

    /// KL to a prior in nats, summed over members and entries, with gradients for location and raw scale.
    ///
    /// # Shapes
    /// `noise`: `draws * K * D` standard values where the pair has no closed form, else none; returns `[1]`.
    ///
    /// # Errors
    /// A pair without a divergence, noise of the wrong length, or a point outside the support of the prior (see
    /// [`FactorConfig::under`]).
    ///
    /// # Source
    /// [`KlTerm::divergence`].
    pub fn kl(&self, prior: PriorSpec, noise: Option<&[f32]>) -> Result<Tensor<1>, Error> {
        KlTerm::of(self, Site::InputKl).divergence(prior, noise)
    }
}
