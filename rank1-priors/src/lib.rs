//! Distributions, divergences and hierarchical priors for the factors of rank-1 Bayesian neural networks.
//!
//! | module | what it holds |
//! |---|---|
//! | [`dist`] | scalar distributions: log-density, sampling, draws from given noise |
//! | [`posterior`] | variational families over slices of entries, with pathwise gradients |
//! | [`prior`] | priors as data |
//! | [`kl`] | divergences with gradients, exact or Monte Carlo, the kind visible in the result |
//! | [`hierarchical`] | hyperpriors of scales and the marginals they give |
//! | [`induced`] | density of a weight times its factors, by quadrature |
//! | [`mixture`] | mixtures of scalars and of whole members |
//! | [`init`], [`weight_init`] | initializers of factors and of the shared weights |
//! | [`constraint`] | from trained parameters to scales |
//! | [`quadrature`] | adaptive integration on an interval |
//! | [`mod@reference`] | the reference code's variants, for comparison |
//!
//! Nothing here knows weight matrices or a tensor framework. Randomness is an argument: a generator, or standard noise.
//!
//! # Example
//! One step of a Cauchy factor of three entries: a draw, its divergence, and the gradient in the trained numbers.
//!
//! ```
//! use rank1_priors::{PosteriorFamily, PriorSpec, d_scale_d_raw, dist::standard_cauchy, kl_and_grad, raw_to_scale};
//!
//! let family = PosteriorFamily::Cauchy;
//! let (loc, raw) = ([1.0, 0.9, 1.2], [-3.0, -3.0, -2.0]);
//! let scale = raw.map(raw_to_scale);
//! let noise = [0.2, 0.5, 0.9].map(standard_cauchy);
//!
//! let mut factor = [0.0; 3];
//! family.draw_into(&loc, &scale, &noise, &mut factor)?;
//! assert!((factor[1] - 0.9).abs() < 1e-9); // u = 1/2 is the median
//!
//! let prior = PriorSpec::Cauchy { location: 1.0, scale: 0.1 };
//! let kl = kl_and_grad(family, prior, &loc, &scale, None)?; // exact, no noise needed
//! let d_raw: Vec<f64> = kl.d_scale.iter().zip(raw).map(|(d, raw)| d * d_scale_d_raw(raw)).collect();
//! assert!(kl.value > 0.0 && d_raw[0] < 0.0); // a wider posterior is closer to the prior
//! # Ok::<(), rank1_priors::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod constraint;
pub mod dist;
mod error;
pub mod hierarchical;
pub mod induced;
pub mod init;
pub mod kl;
pub mod mixture;
pub mod posterior;
pub mod prior;
pub mod quadrature;
mod real;
pub mod reference;
pub mod weight_init;

pub use constraint::{Constraint, SCALE_FLOOR, d_scale_d_raw, raw_to_scale, scale_to_raw};
pub use error::Error;
pub use hierarchical::{ScaleHyperprior, best_shared_scale};
pub use induced::induced_density;
pub use init::{LocationInit, ScaleInit, std_from_dropout_rate};
pub use kl::{
    KlKind, KlValue, kl_and_grad, kl_and_grad_into, kl_and_grad_monte_carlo, kl_and_grad_with_prior_scale,
    kl_kind,
};
pub use mixture::{MemberMixture, Mixture};
pub use posterior::{Law, Link, LocationDomain, NoiseKind, Posterior, PosteriorFamily, Scales};
pub use prior::{PriorDensity, PriorSpec};
pub use real::Real;
pub use weight_init::{TruncatedNormal, WeightInit};
