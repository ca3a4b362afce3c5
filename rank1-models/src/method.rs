//! The methods: how much of a network is random, and with which posterior and prior.

use rank1_core::factor::ClipBounds;
use rank1_core::objective::MemberKl;
use rank1_core::perturb::Perturbation;
use rank1_priors::{NoiseKind, PosteriorFamily, PriorSpec};
use serde::{Deserialize, Serialize};

use crate::network::DropoutPlacement;

/// A method of uncertainty estimation, as a recipe's `[method]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Method {
    /// One network, point estimates.
    Deterministic,
    /// Dropout at training and prediction (Gal & Ghahramani 2016).
    McDropout(McDropout),
    /// A Gaussian per weight (mean-field variational inference).
    MeanField(MeanField),
    /// Members share weights and own point-estimated factors (Wen et al. 2020).
    BatchEnsemble(BatchEnsemble),
    /// Members share weights and own distributions over factors (Dusenberry et al. 2020).
    Rank1(Rank1),
    /// Independently trained copies of any other method.
    Ensemble(Ensemble),
}

/// Settings of MC dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct McDropout {
    /// Probability of dropping a unit, in [0, 1).
    pub rate: f64,
    /// Whether the network's inputs are dropped too.
    pub inputs: bool,
    /// Where it acts in networks with blocks.
    pub placement: DropoutPlacement,
}

impl Default for McDropout {
    fn default() -> Self {
        Self { rate: 0.1, inputs: false, placement: DropoutPlacement::Blocks }
    }
}

/// How a mean-field weight draw enters a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// One draw of the whole matrix per batch (Blundell et al. 2015).
    Reparameterized,
    /// One draw per batch, decorrelated by random signs per example (Wen et al. 2018).
    Flipout,
}

/// Settings of mean-field variational inference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanField {
    /// Gradient estimator.
    pub estimator: Estimator,
    /// Prior of every weight.
    pub prior: PriorSpec,
    /// Initial posterior standard deviation of every weight.
    pub initial_std: f64,
}

impl Default for MeanField {
    fn default() -> Self {
        Self { estimator: Estimator::Flipout, prior: PriorSpec::TiedMean { std: 0.1 }, initial_std: 1e-3 }
    }
}

/// Where a factor location starts: the reference code's `random_sign_init`.
///
/// A positive value is the probability of +1 (else -1); a value `-v <= 0` draws from N(1, v^2). Factors that are never negative
/// (log-normal, half-Cauchy, a point mass under a log-normal or half-Cauchy prior) start at `exp` of N(0, v^2), or at 1 for 1; random
/// signs are refused for them.
pub type SignInit = f64;

/// Settings of BatchEnsemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchEnsemble {
    /// Number of members K.
    pub members: usize,
    /// Start of the factors.
    pub sign_init: SignInit,
}

impl Default for BatchEnsemble {
    fn default() -> Self {
        Self { members: 4, sign_init: -0.5 }
    }
}

/// Which factors are distributions; the other stays a trained point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stochastic {
    /// Input and output factors.
    Both,
    /// Input factors (s) only.
    Input,
    /// Output factors (r) only.
    Output,
    /// The input factor of the first layer only.
    FirstInput,
}

/// How many draws of a factor a batch gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// One draw per member and example (the reference code).
    PerExample,
    /// One draw per member, shared by the batch (cheap).
    PerBatch,
}

/// Above this `dropout_rate` a posterior starts with a standard deviation of more than a tenth.
const WIDE_START: f64 = 0.01;

/// Settings of a rank-1 Bayesian network.
///
/// The defaults were chosen on the validation rows of six tables (`docs/protocol.md`). The paper's image networks start
/// narrower, with `dropout_rate` 0.001 or less, a prior of standard deviation 0.1 and the KL summed over members; recipes
/// named after its rows say so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rank1 {
    /// Number of mixture components K.
    pub members: usize,
    /// Variational family of each factor entry.
    pub posterior: PosteriorFamily,
    /// Prior of each factor entry.
    pub prior: PriorSpec,
    /// Start of the factor locations.
    pub sign_init: SignInit,
    /// Start of the factor scales: sqrt(p / (1 - p)).
    pub dropout_rate: f64,
    /// Which factors are distributions.
    pub stochastic: Stochastic,
    /// Draws per example or per batch.
    pub granularity: Granularity,
    /// How factors act.
    pub perturbation: Perturbation,
    /// Bounds of a draw; none disables clipping.
    pub clip: Option<ClipBounds>,
    /// KL summed over members (reference code) or averaged (textbook bound).
    pub member_kl: MemberKl,
}

impl Default for Rank1 {
    fn default() -> Self {
        Self {
            members: 4,
            posterior: PosteriorFamily::Normal,
            prior: PriorSpec::Normal { mean: 1.0, std: 0.5 },
            sign_init: -0.5,
            dropout_rate: 0.3,
            stochastic: Stochastic::Both,
            granularity: Granularity::PerExample,
            perturbation: Perturbation::Multiplicative,
            clip: Some(ClipBounds::REFERENCE),
            member_kl: MemberKl::Mean,
        }
    }
}

/// Settings of a deep ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// Number of independently trained networks.
    pub networks: usize,
    /// The method of each network; an ensemble of ensembles is refused.
    pub of: Box<Method>,
}

impl Method {
    /// Members K of one trained network.
    #[must_use]
    pub fn n_members(&self) -> usize {
        match self {
            Self::BatchEnsemble(m) => m.members,
            Self::Rank1(m) => m.members,
            Self::Ensemble(m) => m.of.n_members(),
            _ => 1,
        }
    }

    /// The method with another number of members; that of one member stays as it is.
    #[must_use]
    pub fn with_members(&self, members: usize) -> Self {
        match self.clone() {
            Self::BatchEnsemble(m) => Self::BatchEnsemble(BatchEnsemble { members, ..m }),
            Self::Rank1(m) => Self::Rank1(Rank1 { members, ..m }),
            Self::Ensemble(m) => Self::Ensemble(Ensemble { of: Box::new(m.of.with_members(members)), ..m }),
            single => single,
        }
    }

    /// Number of independently trained networks.
    #[must_use]
    pub fn n_networks(&self) -> usize {
        match self {
            Self::Ensemble(m) => m.networks,
            _ => 1,
        }
    }

    /// The method of each independently trained network.
    #[must_use]
    pub fn network(&self) -> &Self {
        match self {
            Self::Ensemble(m) => &m.of,
            other => other,
        }
    }

    /// Whether a prediction changes from draw to draw.
    #[must_use]
    pub fn is_stochastic(&self) -> bool {
        match self {
            Self::Deterministic | Self::BatchEnsemble(_) => false,
            Self::McDropout(m) => m.rate > 0.0,
            Self::Rank1(m) => !m.posterior.law().is_point(),
            Self::Ensemble(m) => m.of.is_stochastic(),
            Self::MeanField(_) => true,
        }
    }

    /// Whether the objective has a KL divergence.
    #[must_use]
    pub fn has_kl(&self) -> bool {
        matches!(self.network(), Self::Rank1(_) | Self::MeanField(_))
    }

    /// Whether single draws can make gradients of any length: of posteriors without a variance, and of those that start wide.
    #[must_use]
    pub fn has_far_draws(&self) -> bool {
        let Self::Rank1(m) = self.network() else { return false };
        match m.posterior.noise_kind() {
            NoiseKind::Cauchy => true,
            NoiseKind::Unused => false,
            NoiseKind::Normal => m.dropout_rate > WIDE_START,
        }
    }

    /// Samples S that a prediction draws when `requested` are asked for: one if all would be equal.
    #[must_use]
    pub fn n_samples(&self, requested: usize) -> usize {
        if self.is_stochastic() { requested } else { 1 }
    }

    /// Short name for tables.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Deterministic => "deterministic".into(),
            Self::McDropout(_) => "MC dropout".into(),
            Self::MeanField(_) => "mean-field VI".into(),
            Self::BatchEnsemble(_) => "BatchEnsemble".into(),
            Self::Rank1(m) => format!("rank-1 {}", m.posterior.name()),
            Self::Ensemble(m) => format!("deep ensemble of {}", m.of.label()),
        }
    }
}
