//! The perturbed layer: a product with a shared weight between two factors, a bias and a nonlinearity.
//!
//! | file | what is there |
//! |---|---|
//! | `plan` | parameters and sizes of matrices, convolutions and embeddings of steps |
//! | `methods` | the factors that a method gives to a layer |
//! | `passes` | forward and backward |
//! | `factor`, `transform` | draws of a factor, how they act on rows, their gradients |
//! | `product` | the matrix product or convolution |
//! | `mean_field` | random weights |

pub(super) mod factor;
mod mean_field;
mod methods;
mod passes;
mod plan;
mod product;
mod transform;

use rank1_core::Real;
use rank1_core::conv::ConvShape;
use rank1_core::perturb::Perturbation;
use rank1_priors::PriorSpec;

use super::{Back, Cost, Operation, Reads};
use crate::engine::analytic::Pass;
use crate::error::Error;
use crate::method::Estimator;
use crate::network::{Activation, FactorPlan, Network, Node, Origin};
use crate::params::ParamId;

pub(super) use mean_field::MeanFieldBuffers;
pub(crate) use methods::Adapters;
pub(super) use passes::{LayerBuffers, location_slice};
pub(crate) use plan::{BiasOptions, ConvOptions, LayerOptions};

/// What a perturbed layer multiplies by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// A matrix.
    Linear,
    /// A convolution.
    Conv(ConvShape),
    /// A matrix for each of so many members, one below the other.
    PerMember(usize),
    /// A matrix inside a recurrent operation: a [`LayerPlan`] that no `Op::Layer` points to.
    Recurrent,
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
    /// Uniform within (fan-in)^-1/2, and the bias too: all its rows alike where members share the weight.
    FanIn,
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
    /// Weight matrix or mean, `[D_in, D_out]`; of a convolution `[kernel height x width x D_in, D_out]`, `[K D_in, D_out]` of
    /// members with weights of their own.
    pub weight: ParamId,
    /// Start of the weight.
    pub start: WeightStart,
    /// Whether the weight is random.
    pub weight_plan: WeightPlan,
    /// Bias `[K, D_out]`, or `[1, D_out]` if shared; convolutions before a normalization have none.
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

impl LayerPlan {
    /// Everything in the layout that is this layer's own.
    pub fn parameters(&self) -> impl Iterator<Item = ParamId> {
        let scale = match self.weight_plan {
            WeightPlan::Point => None,
            WeightPlan::MeanField { scale, .. } => Some(scale),
        };
        let own = [Some(self.weight), scale, self.bias].into_iter().flatten();
        own.chain(self.input_factor.parameters()).chain(self.output_factor.parameters())
    }

    /// Number of trained scalars that are this layer's own.
    pub(super) fn n_parameters(&self, network: &Network) -> usize {
        self.parameters().map(|id| network.layout.spec(id).range.len()).sum()
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

/// The passes of the layer of this index.
#[derive(Debug)]
pub(super) struct LayerPasses<F> {
    index: usize,
    buffers: LayerBuffers<F>,
}

impl<F: Real> LayerPasses<F> {
    pub(super) fn new(index: usize) -> Self {
        Self { index, buffers: LayerBuffers::new() }
    }
}

impl<F: Real> Operation<F> for LayerPasses<F> {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let source = reads.of(pass.network.nodes[place].origin);
        self.buffers.forward(pass, self.index, source, out)
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let origin = pass.network.nodes[place].origin;
        let layer = (self.index, matches!(origin, Origin::Node(_)));
        self.buffers.backward(pass, layer, back.parameters, reads.of(origin), out, back.own, back.below)
    }

    fn forget_weights(&mut self) {
        self.buffers.forget_weight();
    }
}

/// What the layer of this index costs.
pub(super) fn cost(network: &Network, node: &Node, index: usize) -> Cost {
    let layer = &network.layers[index];
    let operation = match &layer.product {
        Product::Linear => "dense".into(),
        Product::PerMember(_) => "dense, per member".into(),
        Product::Recurrent => "recurrent".into(),
        Product::Conv(shape) => {
            format!("conv {}x{}/{}", shape.kernel.0, shape.kernel.1, shape.stride.0)
        }
    };
    let (input, output) = (layer.in_positions() * layer.d_in, layer.out_positions() * layer.d_out);
    // Draws, noise and per-row gradients of both factors.
    let mut kept = 4 * (layer.d_in + layer.d_out);
    if node.origin == Origin::Input || !layer.input_factor.is_absent() {
        kept += input;
    }
    if !layer.output_factor.is_absent() {
        kept += output;
    }
    if layer.activation != Activation::Linear {
        kept += output;
    }
    Cost {
        name: layer.name.clone(),
        operation,
        weight: Some([layer.fan_in(), layer.d_out]),
        parameters: layer.n_parameters(network),
        multiply_adds: layer.multiply_adds(),
        kept,
    }
}
