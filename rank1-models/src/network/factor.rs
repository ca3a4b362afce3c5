//! What a factor of a layer is: nothing, a dropout mask, or trained vectors that are points or distributions.

use rank1_core::factor::ClipBounds;
use rank1_priors::{Link, LocationDomain, PosteriorFamily, PriorSpec};

use crate::method::{Granularity, SignInit};
use crate::params::ParamId;

/// What one factor (input or output) of a layer is.
#[derive(Debug, Clone, PartialEq)]
pub enum FactorPlan {
    /// No factor.
    Absent,
    /// Multiplicative Bernoulli noise of mean one.
    Dropout {
        /// Probability of a zero.
        rate: f64,
    },
    /// A vector per member, trained.
    Trained(TrainedFactor),
}

/// A trained factor: a point or a distribution per member and entry.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedFactor {
    /// Variational family; a point mass for the plain vectors of BatchEnsemble.
    pub family: PosteriorFamily,
    /// Shape `[K, D]`; unconstrained where [`TrainedFactor::domain`] is not the whole line.
    pub location: ParamId,
    /// Unconstrained scale, `[K, D]`, or `[1, 1]` for a shared one; none for a fixed one and for points.
    pub scale: Option<ParamId>,
    /// Prior of each entry; none for plain vectors, which have no divergence.
    pub prior: Option<FactorPrior>,
    /// Draws per example or per batch.
    pub granularity: Granularity,
    /// Bounds of a draw; points are not clipped.
    pub clip: Option<ClipBounds>,
    /// Start of the location.
    pub start: FactorStart,
    /// Start of the scale.
    pub initial_std: f64,
}

/// Where the locations of a factor start.
#[derive(Debug, Clone, PartialEq)]
pub enum FactorStart {
    /// Around one, or signs, as the method says.
    Method(SignInit),
    /// One value for each member and chunk of neighbouring entries, around zero: what makes the members of a TabM differ.
    Chunks {
        /// Lengths of the chunks; their sum is the width of the factor.
        widths: Vec<usize>,
        /// Standard normal values, else random signs.
        normal: bool,
    },
}

/// The prior of a factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FactorPrior {
    /// Distribution of each entry.
    pub spec: PriorSpec,
    /// Its unconstrained trainable parameter, `[1]`, if it has one.
    pub parameter: Option<ParamId>,
    /// Where the factor started, `[K, D]`, of one that does not start around one: the prior is that of a factor which starts at
    /// one, moved to there.
    pub center: Option<ParamId>,
}

impl FactorPlan {
    /// Whether there is no factor.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The trained factor, if it is one.
    #[must_use]
    pub fn trained(&self) -> Option<&TrainedFactor> {
        match self {
            Self::Trained(factor) => Some(factor),
            Self::Absent | Self::Dropout { .. } => None,
        }
    }

    /// The factor without its distribution; none if it is a mask, or if its location is not a value of it.
    pub(super) fn at_location(&self) -> Option<Self> {
        match self {
            Self::Absent => Some(Self::Absent),
            Self::Dropout { .. } => None,
            Self::Trained(factor) => Some(Self::Trained(factor.at_location()?)),
        }
    }

    /// Probability of a zero, if this is a dropout mask.
    #[must_use]
    pub fn dropout_rate(&self) -> Option<f64> {
        match self {
            Self::Dropout { rate } => Some(*rate),
            Self::Absent | Self::Trained(_) => None,
        }
    }

    /// Locations, scales and the parameter of the prior, where they are.
    pub fn parameters(&self) -> impl Iterator<Item = ParamId> + use<> {
        let ids = self.trained().map(|factor| {
            let prior = factor.prior.and_then(|prior| prior.parameter);
            [Some(factor.location), factor.scale, prior]
        });
        ids.into_iter().flatten().flatten()
    }
}

impl TrainedFactor {
    /// This factor as a point at its location, with the same parameters; none if the location is not a value of the factor.
    fn at_location(&self) -> Option<Self> {
        let point = Self { family: PosteriorFamily::PointMass, scale: None, clip: None, ..self.clone() };
        (self.family.law().link == Link::Identity && point.domain() == self.domain()).then_some(point)
    }

    /// Which locations the factor can have: those of a distribution lie in the support of posterior and prior.
    #[must_use]
    pub fn domain(&self) -> LocationDomain {
        match self.prior {
            Some(prior) => LocationDomain::of(self.family, prior.spec),
            None => LocationDomain::Real,
        }
    }
}
