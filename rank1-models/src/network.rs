//! A multilayer perceptron as a plan: which parameters each layer owns and what is random in it.
//!
//! The plan is shared by every engine, the initializer, the penalty and the checkpoint; it computes nothing.

use rank1_core::factor::ClipBounds;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::MemberKl;
use rank1_core::perturb::Perturbation;
use rank1_priors::{PosteriorFamily, PriorSpec};
use serde::{Deserialize, Serialize};

use crate::method::{Estimator, Granularity, Method, Rank1, SignInit, Stochastic};
use crate::params::{ParamGroup, ParamId, ParamLayout};

/// The nonlinearity between layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, z).
    Relu,
    /// min(max(0, z), 6).
    Relu6,
    /// Hyperbolic tangent.
    Tanh,
    /// z / (1 + exp(-z)).
    Silu,
    /// ln(1 + exp(z)).
    Softplus,
    /// z.
    Linear,
}

/// The shape of a multilayer perceptron and its likelihood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MlpShape {
    /// Number of input features.
    pub inputs: usize,
    /// Widths of the hidden layers; empty for a linear model.
    pub hidden: Vec<usize>,
    /// Number of outputs.
    pub outputs: usize,
    /// Nonlinearity after each hidden layer.
    pub activation: Activation,
    /// What the outputs parameterize.
    pub likelihood: Likelihood,
}

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
        /// Shape `[K, D]`.
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

/// One perturbed linear layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerPlan {
    /// Number of inputs.
    pub d_in: usize,
    /// Number of outputs.
    pub d_out: usize,
    /// Weight matrix or mean, `[D_in, D_out]`.
    pub weight: ParamId,
    /// Whether the weight is random.
    pub weight_plan: WeightPlan,
    /// Bias `[K, D_out]`.
    pub bias: ParamId,
    /// The factor on the inputs (s).
    pub input_factor: FactorPlan,
    /// The factor on the outputs (r).
    pub output_factor: FactorPlan,
    /// How factors act.
    pub perturbation: Perturbation,
    /// Applied to the layer's output.
    pub activation: Activation,
}

/// A network of one trained method (never an ensemble): layers, parameters, members.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Shape and likelihood.
    pub shape: MlpShape,
    /// Members K.
    pub n_members: usize,
    /// How the KL is reduced over members.
    pub member_kl: MemberKl,
    /// All parameters.
    pub layout: ParamLayout,
    /// Layers from input to output.
    pub layers: Vec<LayerPlan>,
    /// Unconstrained observation noise `[K]` of the homoscedastic Gaussian likelihood.
    pub noise: Option<ParamId>,
}

impl Network {
    /// Plans the network of `method` (an ensemble plans one of its networks).
    #[must_use]
    pub fn new(shape: MlpShape, method: &Method) -> Self {
        let method = method.network();
        let n_members = method.n_members();
        let mut layout = ParamLayout::default();
        let mut widths = vec![shape.inputs];
        widths.extend(&shape.hidden);
        widths.push(shape.outputs);
        let last = widths.len() - 2;
        let layers = (0..=last)
            .map(|index| {
                let activation = if index == last { Activation::Linear } else { shape.activation };
                plan_layer(
                    &mut layout,
                    method,
                    n_members,
                    index,
                    widths[index],
                    widths[index + 1],
                    activation,
                )
            })
            .collect();
        let noise = (shape.likelihood == Likelihood::Gaussian)
            .then(|| layout.push("noise.raw_scale".into(), &[n_members], ParamGroup::Noise));
        let member_kl = match method {
            Method::Rank1(m) => m.member_kl,
            _ => MemberKl::Sum,
        };
        Self { shape, n_members, member_kl, layout, layers, noise }
    }

    /// Name of layer `index`, as in parameter names and training curves.
    #[must_use]
    pub fn layer_name(index: usize) -> String {
        format!("layer{index}")
    }

    /// Number of trainable scalars.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        self.layout.len()
    }
}

fn plan_layer(
    layout: &mut ParamLayout,
    method: &Method,
    k: usize,
    index: usize,
    d_in: usize,
    d_out: usize,
    activation: Activation,
) -> LayerPlan {
    let name = Network::layer_name(index);
    let weight = layout.push(format!("{name}.weight"), &[d_in, d_out], ParamGroup::Weight);
    let weight_plan = match method {
        Method::MeanField(m) => WeightPlan::MeanField {
            scale: layout.push(format!("{name}.weight_raw_scale"), &[d_in, d_out], ParamGroup::WeightScale),
            estimator: m.estimator,
            prior: m.prior,
            initial_std: m.initial_std,
        },
        _ => WeightPlan::Point,
    };
    let bias = layout.push(format!("{name}.bias"), &[k, d_out], ParamGroup::Bias);
    let (input_factor, output_factor, perturbation) = match method {
        Method::McDropout(m) if index > 0 || m.inputs => {
            (FactorPlan::Dropout { rate: m.rate }, FactorPlan::Absent, Perturbation::Multiplicative)
        }
        Method::BatchEnsemble(m) => (
            point(layout, format!("{name}.input_factor"), k, d_in, m.sign_init),
            point(layout, format!("{name}.output_factor"), k, d_out, m.sign_init),
            Perturbation::Multiplicative,
        ),
        Method::Rank1(m) => (
            factor(layout, format!("{name}.input_factor"), k, d_in, m, m.stochastic != Stochastic::Output),
            factor(layout, format!("{name}.output_factor"), k, d_out, m, m.stochastic != Stochastic::Input),
            m.perturbation,
        ),
        _ => (FactorPlan::Absent, FactorPlan::Absent, Perturbation::Multiplicative),
    };
    LayerPlan {
        d_in,
        d_out,
        weight,
        weight_plan,
        bias,
        input_factor,
        output_factor,
        perturbation,
        activation,
    }
}

fn point(layout: &mut ParamLayout, name: String, k: usize, d: usize, sign_init: SignInit) -> FactorPlan {
    let location = layout.push(format!("{name}.location"), &[k, d], ParamGroup::FactorLocation);
    FactorPlan::Point { location, sign_init }
}

fn factor(layout: &mut ParamLayout, name: String, k: usize, d: usize, m: &Rank1, random: bool) -> FactorPlan {
    if !random {
        return point(layout, name, k, d, m.sign_init);
    }
    let location = layout.push(format!("{name}.location"), &[k, d], ParamGroup::FactorLocation);
    let scale_shape = match m.posterior {
        PosteriorFamily::PointMass | PosteriorFamily::NormalFixedScale { .. } => None,
        PosteriorFamily::NormalSharedScale => Some([1, 1]),
        _ => Some([k, d]),
    };
    let scale =
        scale_shape.map(|shape| layout.push(format!("{name}.raw_scale"), &shape, ParamGroup::FactorScale));
    let prior_parameter = m
        .prior
        .has_trainable_scale()
        .then(|| layout.push(format!("{name}.prior_raw_scale"), &[1], ParamGroup::Prior));
    FactorPlan::Random {
        family: m.posterior,
        location,
        scale,
        prior: m.prior,
        prior_parameter,
        granularity: m.granularity,
        clip: m.clip,
        sign_init: m.sign_init,
        initial_std: (m.dropout_rate / (1.0 - m.dropout_rate)).sqrt(),
    }
}
