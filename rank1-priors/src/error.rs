//! What the functions of this crate refuse, with the facts a caller needs to mend it.

use thiserror::Error as ThisError;

use crate::posterior::PosteriorFamily;
use crate::prior::{PriorDensity, PriorSpec};

/// A refused parameter, a mismatched slice, or a divergence that does not exist.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A parameter lies outside the accepted region (NaN always does).
    #[error("{owner}: `{parameter}` is {value}, expected {expected}")]
    Parameter {
        /// The distribution, prior or function.
        owner: &'static str,
        /// The parameter's name.
        parameter: &'static str,
        /// What came.
        value: f64,
        /// The accepted region, in words.
        expected: &'static str,
    },
    /// A slice has the wrong length.
    #[error("{op}: `{argument}` has length {got}, expected {expected}")]
    Length {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// The length that was needed; for noise, the length of one draw.
        expected: usize,
        /// The length that came.
        got: usize,
    },
    /// A slice that must hold at least one element is empty.
    #[error("{op}: `{argument}` is empty")]
    Empty {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
    },
    /// A scale is not a positive number.
    #[error("{op}: `{argument}[{index}]` is {value}, expected a positive number")]
    Scale {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// Position of the first offending entry.
        index: usize,
        /// What came.
        value: f64,
    },
    /// The divergence of this pair is infinite or not defined, whatever the parameters.
    #[error("KL of a {} posterior from a {} prior: {reason}", .family.name(), .prior.name())]
    NoKl {
        /// The posterior family.
        family: PosteriorFamily,
        /// The prior.
        prior: PriorSpec,
        /// Why there is none, and what to use instead.
        reason: &'static str,
    },
    /// The divergence is infinite at these parameters: a draw fell where the prior has no mass.
    #[error("KL of a {} posterior from the prior is infinite: draw {draw} of entry {index} is outside its support; train locations that stay positive (`LocationDomain::Positive`)", .family.name())]
    OutsideSupport {
        /// The posterior family.
        family: PosteriorFamily,
        /// Position of the first offending entry.
        index: usize,
        /// The draw.
        draw: f64,
    },
    /// A Monte Carlo divergence was asked for without noise.
    #[error("KL of a {} posterior from a {} prior is estimated by Monte Carlo: pass standard noise", .family.name(), .prior.name())]
    NoiseMissing {
        /// The posterior family.
        family: PosteriorFamily,
        /// The prior.
        prior: PriorSpec,
    },
    /// The prior's scale is trained, so it must be passed.
    #[error("the scale of a {} prior is trained: pass it to `kl_and_grad_with_prior_scale`", .prior.name())]
    PriorScaleMissing {
        /// The prior.
        prior: PriorSpec,
    },
    /// A density without a finite integral cannot be drawn from.
    #[error("{density:?} is improper: there are no draws of it")]
    Improper {
        /// The density.
        density: PriorDensity,
    },
    /// The prior depends on the posterior, so it has no density of its own.
    #[error("a {} prior has no density of its own", .prior.name())]
    NoDensity {
        /// The prior.
        prior: PriorSpec,
    },
}

/// Accepts a positive finite number.
pub(crate) fn positive(owner: &'static str, parameter: &'static str, value: f64) -> Result<f64, Error> {
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Error::Parameter { owner, parameter, value, expected: "a positive finite number" })
    }
}

/// Accepts any finite number.
pub(crate) fn finite(owner: &'static str, parameter: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Error::Parameter { owner, parameter, value, expected: "a finite number" })
    }
}
