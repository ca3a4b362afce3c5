//! A network as a plan: which parameters each layer owns, what is random in it, and in which order it is computed.
//!
//! The plan is shared by every engine, the initializer, the penalty and the checkpoint; it computes nothing.
//! Architectures are in the module `zoo`.

mod category;
mod factor;
mod graph;
mod members;
mod shape;
mod table;

use rank1_core::likelihood::Likelihood;
use rank1_core::objective::MemberKl;

use crate::error::Error;
use crate::method::Method;
use crate::params::{ParamGroup, ParamId, ParamLayout};
use crate::zoo;

pub use crate::operation::{
    CategoryPlan, EmbeddingPlan, LayerPlan, LstmPlan, NormPlan, Op, Product, WeightPlan, WeightStart,
};
pub use category::CategoryEmbedding;
pub use factor::{FactorPlan, FactorPrior, FactorStart, TrainedFactor};
pub use graph::{Node, Origin, Volume};
pub use shape::{Activation, Body, DropoutPlacement, InputShape, NetworkShape, NormSharing};
pub use table::{NumberEmbedding, TableColumn, TableColumns, TabmForm};

/// A network of one trained method (never an ensemble): operations, layers, parameters, members.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Input, architecture, outputs and likelihood.
    pub shape: NetworkShape,
    /// The method that it was planned for.
    pub method: Method,
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
    /// Embeddings of the numbers and categories of a table.
    pub embeddings: Vec<EmbeddingPlan>,
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
            method: method.clone(),
            n_members: method.n_members(),
            member_kl,
            layout: plan.layout,
            layers: plan.layers,
            norms: plan.norms,
            embeddings: plan.embeddings,
            nodes: plan.nodes,
            noise,
        })
    }

    /// Size of a row of a value; that of the input is as wide as its rows.
    #[must_use]
    pub fn volume(&self, origin: Origin) -> Volume {
        match origin {
            Origin::Input => Volume::columns(self.shape.inputs()),
            Origin::Node(place) => self.nodes[place].volume,
        }
    }

    /// Whether a value has a row for each example only, which all members and samples read.
    pub(crate) fn is_shared(&self, origin: Origin) -> bool {
        match origin {
            Origin::Input => true,
            Origin::Node(place) => matches!(self.nodes[place].op, Op::Embedding(_)),
        }
    }

    /// This network with every factor at its location, of the same parameters; none if a weight is drawn too, or if a factor is
    /// a mask or has a location that is not a value of it, such as that of a log-normal one.
    #[must_use]
    pub fn at_locations(&self) -> Option<Self> {
        let mut points = self.clone();
        for layer in &mut points.layers {
            if layer.weight_plan != WeightPlan::Point {
                return None;
            }
            layer.input_factor = layer.input_factor.at_location()?;
            layer.output_factor = layer.output_factor.at_location()?;
        }
        Some(points)
    }

    /// Number of trainable scalars.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        self.layout.n_trainable()
    }
}
