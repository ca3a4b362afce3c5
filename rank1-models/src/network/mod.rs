//! A network as a plan: which parameters each layer owns, what is random in it, and in which order it is computed.
//!
//! The plan is shared by every engine, the initializer, the penalty and the checkpoint; it computes nothing.
//! Architectures are in the module `zoo`.

mod graph;
mod shape;

use rank1_core::factor::ClipBounds;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::MemberKl;
use rank1_core::perturb::Perturbation;
use rank1_priors::{LocationDomain, PosteriorFamily, PriorSpec};

use crate::error::Error;
use crate::method::{Estimator, Granularity, Method, SignInit};
use crate::params::{ParamGroup, ParamId, ParamLayout};
use crate::zoo;

pub use graph::{LstmPlan, Node, Op, Origin, Product, Volume};
pub use shape::{Activation, Body, DropoutPlacement, InputShape, NetworkShape, NormSharing};

/// What one factor (input or output) of a layer is.
#[derive(Debug, Clone, PartialEq)]
pub enum FactorPlan {
    /// No factor.
    Absent,
    /// A trained vector per member.
    Point {
        /// Shape `[K, D]`.
        location: ParamId,
        /// Start of the location.
        sign_init: SignInit,
    },
    /// A distribution per member and entry.
    Random {
        /// Variational family.
        family: PosteriorFamily,
        /// Shape `[K, D]`; unconstrained where [`FactorPlan::location_domain`] is not the whole line.
        location: ParamId,
        /// Unconstrained scale, `[K, D]`, or `[1, 1]` for a shared one; none for a fixed one.
        scale: Option<ParamId>,
        /// Prior of each entry.
        prior: PriorSpec,
        /// Unconstrained trainable parameter of the prior, `[1]`, if it has one.
        prior_parameter: Option<ParamId>,
        /// Draws per example or per batch.
        granularity: Granularity,
        /// Bounds of a draw.
        clip: Option<ClipBounds>,
        /// Start of the location.
        sign_init: SignInit,
        /// Start of the scale.
        initial_std: f64,
    },
    /// Multiplicative Bernoulli noise of mean one.
    Dropout {
        /// Probability of a zero.
        rate: f64,
    },
}

/// What the weight matrix of a layer is.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightPlan {
    /// A point estimate.
    Point,
    /// A Gaussian per entry.
    MeanField {
        /// Unconstrained scale, `[D_in, D_out]`.
        scale: ParamId,
        /// Gradient estimator.
        estimator: Estimator,
        /// Prior of each entry.
        prior: PriorSpec,
        /// Start of the scale.
        initial_std: f64,
    },
}

/// How a weight matrix starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WeightStart {
    /// Truncated normal of variance 2 / fan-in.
    He,
    /// Uniform, Glorot's bound.
    Glorot,
    /// Orthogonal rows.
    Orthogonal,
    /// Normal with this standard deviation.
    Normal(f64),
}

/// One perturbed layer: a product with a shared weight between two factors, a bias and a nonlinearity.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerPlan {
    /// Name in parameter names and training curves.
    pub name: String,
    /// What the weight does.
    pub product: Product,
    /// Width of the input factor: inputs, or channels.
    pub d_in: usize,
    /// Width of the output factor.
    pub d_out: usize,
    /// Weight matrix or mean, `[D_in, D_out]`; of a convolution `[kernel height x width x D_in, D_out]`.
    pub weight: ParamId,
    /// Start of the weight.
    pub start: WeightStart,
    /// Whether the weight is random.
    pub weight_plan: WeightPlan,
    /// Bias `[K, D_out]`; convolutions before a normalization have none.
    pub bias: Option<ParamId>,
    /// The factor on the inputs (s).
    pub input_factor: FactorPlan,
    /// The factor on the outputs (r).
    pub output_factor: FactorPlan,
    /// How factors act.
    pub perturbation: Perturbation,
    /// Applied to the layer's output.
    pub activation: Activation,
}

impl FactorPlan {
    /// Which locations the factor can have: those of a distribution lie in the support of posterior and prior.
    #[must_use]
    pub fn location_domain(&self) -> LocationDomain {
        match self {
            Self::Random { family, prior, .. } => LocationDomain::of(*family, *prior),
            Self::Absent | Self::Point { .. } | Self::Dropout { .. } => LocationDomain::Real,
        }
    }

    /// Parameters that a draw reads, and that of the prior.
    fn parameters(&self) -> [Option<ParamId>; 3] {
        match self {
            Self::Absent | Self::Dropout { .. } => [None; 3],
            Self::Point { location, .. } => [Some(*location), None, None],
            Self::Random { location, scale, prior_parameter, .. } => {
                [Some(*location), *scale, *prior_parameter]
            }
        }
    }
}

impl LayerPlan {
    /// Everything in the layout that is this layer's own.
    pub fn parameters(&self) -> impl Iterator<Item = ParamId> {
        let scale = match self.weight_plan {
            WeightPlan::Point => None,
            WeightPlan::MeanField { scale, .. } => Some(scale),
        };
        let factors = [self.input_factor.parameters(), self.output_factor.parameters()];
        [Some(self.weight), scale, self.bias].into_iter().chain(factors.into_iter().flatten()).flatten()
    }

    /// Positions of an input row that share the weight.
    #[must_use]
    pub fn in_positions(&self) -> usize {
        match &self.product {
            Product::Conv(shape) => shape.height * shape.width,
            _ => 1,
        }
    }

    /// Positions of an output row.
    #[must_use]
    pub fn out_positions(&self) -> usize {
        match &self.product {
            Product::Conv(shape) => {
                let (height, width) = shape.out_size();
                height * width
            }
            _ => 1,
        }
    }

    /// Number of weights that meet in one output: rows of the weight matrix.
    #[must_use]
    pub fn fan_in(&self) -> usize {
        match &self.product {
            Product::Conv(shape) => shape.kernel.0 * shape.kernel.1 * self.d_in,
            _ => self.d_in,
        }
    }

    /// Multiplications of one row through the weight, each with an addition.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        let sizes = [self.out_positions(), self.fan_in(), self.d_out];
        // A recipe may ask for more than there is; such a network is as large as a number can be.
        sizes.into_iter().fold(1, |product, size| product.saturating_mul(size as u64))
    }
}

/// One batch normalization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormPlan {
    /// Name in parameter names.
    pub name: String,
    /// Normalized values per position.
    pub channels: usize,
    /// Positions of a row.
    pub positions: usize,
    /// Whether each member has its own.
    pub sharing: NormSharing,
    /// Scale, `[G, C]`, G = 1 or K.
    pub scale: ParamId,
    /// Shift, `[G, C]`.
    pub shift: ParamId,
    /// Running mean, `[G, C]`.
    pub mean: ParamId,
    /// Running variance, `[G, C]`.
    pub variance: ParamId,
}

impl NormPlan {
    /// Added to the variance.
    pub const EPSILON: f64 = 1e-5;
    /// Share of the running statistics that a training step keeps.
    pub const MOMENTUM: f64 = 0.9;
}

/// A network of one trained method (never an ensemble): operations, layers, parameters, members.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Input, architecture, outputs and likelihood.
    pub shape: NetworkShape,
    /// Members K.
    pub n_members: usize,
    /// How the KL is reduced over members.
    pub member_kl: MemberKl,
    /// All parameters.
    pub layout: ParamLayout,
    /// Perturbed layers in the order in which they were planned; the index is the layer number of draws.
    pub layers: Vec<LayerPlan>,
    /// Batch normalizations.
    pub norms: Vec<NormPlan>,
    /// What is computed, in order; the last value is the output.
    pub nodes: Vec<Node>,
    /// Unconstrained observation noise `[K]` of the homoscedastic Gaussian likelihood.
    pub noise: Option<ParamId>,
}

impl Network {
    /// Plans the network of `method` (an ensemble plans one of its networks).
    ///
    /// # Errors
    /// An architecture that does not read this input, or sizes that it cannot have.
    pub fn new(shape: NetworkShape, method: &Method) -> Result<Self, Error> {
        let method = method.network();
        let member_kl = match method {
            Method::Rank1(m) => m.member_kl,
            _ => MemberKl::Sum,
        };
        let mut plan = zoo::plan(&shape, method)?;
        let noise = (shape.likelihood == Likelihood::Gaussian)
            .then(|| plan.layout.push("noise.raw_scale".into(), &[method.n_members()], ParamGroup::Noise));
        plan.push_statistics();
        Ok(Self {
            shape,
            n_members: method.n_members(),
            member_kl,
            layout: plan.layout,
            layers: plan.layers,
            norms: plan.norms,
            nodes: plan.nodes,
            noise,
        })
    }

    /// Number of trainable scalars.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        self.layout.n_trainable()
    }
}
