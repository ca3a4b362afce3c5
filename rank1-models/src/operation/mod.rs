//! The operations of networks, a file each: sizes and parameters, initial values, cost, and both passes on the processor.
//!
//! A further operation is a file here and its entries in [`Op`], [`passes`], [`cost`] and [`start`]; the adapter of Burn,
//! `engine/autodiff`, follows if the operation shall run on a device.

pub(crate) mod activation;
pub(crate) mod category;
mod columns;
pub(crate) mod dropout;
pub(crate) mod embedding;
mod layer;
mod lstm;
mod norm;
mod plan;
mod pool;
mod sum;

use std::fmt::Debug;

use ndarray::ArrayView2;
use rank1_core::Real;
use rank1_core::conv::Padding;

use crate::engine::analytic::{Pass, Source, accumulate};
use crate::error::Error;
use crate::init::Initializer;
use crate::network::{Activation, Network, Node, Origin};

pub use category::CategoryPlan;
pub use embedding::EmbeddingPlan;
pub(crate) use embedding::Numbers;
pub(crate) use layer::{Adapters, BiasOptions, ConvOptions, LayerOptions};
pub use layer::{LayerPlan, Product, WeightPlan, WeightStart};
pub use lstm::LstmPlan;
pub use norm::NormPlan;
pub(crate) use norm::attend;
pub(crate) use plan::Plan;

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The perturbed layer of this index, with its bias and activation.
    Layer(usize),
    /// The batch normalization of this index.
    Norm(usize),
    /// A nonlinearity.
    Activation(Activation),
    /// Zeros single values with a probability given in parts per million, and divides the others by its complement.
    Dropout {
        /// Probability of a zero, times 1e6: plans are compared for equality.
        per_million: u32,
        /// Whether it acts in predictions too, else in training only.
        predicts: bool,
    },
    /// The embedding of this index, of numbers and categories in the network's input; a row for each example.
    Embedding(usize),
    /// Adds another value of the same size.
    Add(Origin),
    /// Appends the columns of another value.
    Concat(Origin),
    /// Takes columns of plain columns.
    Columns {
        /// First column.
        start: usize,
    },
    /// Largest value of a window.
    MaxPool {
        /// Side of the window.
        window: usize,
        /// Distance of windows.
        stride: usize,
        /// At the borders.
        padding: Padding,
    },
    /// Mean of a window that lies inside.
    AveragePool {
        /// Side of the window.
        window: usize,
        /// Distance of windows.
        stride: usize,
    },
    /// Mean over all positions.
    GlobalAverage,
    /// A recurrent layer; its value is the last state.
    Lstm(LstmPlan),
}

impl Op {
    /// What it reads beside its node's origin.
    #[must_use]
    pub fn second(&self) -> Option<Origin> {
        match self {
            Self::Add(other) | Self::Concat(other) => Some(*other),
            _ => None,
        }
    }
}

/// What an operation is and costs; one row where nothing else is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cost {
    /// Name of the layer or normalization; empty for operations without parameters.
    pub(crate) name: String,
    /// What it does.
    pub(crate) operation: String,
    /// Shape of the weight, input side first.
    pub(crate) weight: Option<[usize; 2]>,
    /// Trained scalars.
    pub(crate) parameters: usize,
    /// Multiplications, each with an addition.
    pub(crate) multiply_adds: u64,
    /// Values that a training step keeps beside the result and its gradient.
    pub(crate) kept: usize,
}

/// Both passes of an operation, with what it keeps between them.
pub(crate) trait Operation<F: Real>: Debug + Send {
    /// Writes the rows of the operation at `place` of the list.
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error>;

    /// Adds the gradients of its parameters and writes that of what it reads; `out` is what the forward pass wrote.
    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        place: usize,
        reads: Reads<'_, F>,
        out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error>;

    /// To be called when weights are others than in the predictions before.
    fn forget_weights(&mut self) {}
}

/// What operations read: the examples of the batch, and the rows of all operations before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reads<'a, F> {
    pub(crate) network: &'a Network,
    pub(crate) inputs: ArrayView2<'a, F>,
    pub(crate) before: &'a [Vec<F>],
}

impl<'a, F: Real> Reads<'a, F> {
    /// Examples or rows.
    pub(crate) fn of(self, origin: Origin) -> Source<'a, F> {
        match origin {
            Origin::Input => Source::Examples(self.inputs),
            Origin::Node(place) if self.network.is_shared(origin) => {
                let shape = (self.inputs.nrows(), self.network.nodes[place].volume.len());
                let rows = ArrayView2::from_shape(shape, &self.before[place]);
                Source::Examples(rows.expect("an embedding has a row for each example"))
            }
            Origin::Node(place) => Source::Rows(&self.before[place]),
        }
    }

    /// The rows of an earlier operation.
    fn rows_of(self, origin: Origin) -> Result<&'a [F], Error> {
        match self.of(origin) {
            Source::Rows(rows) => Ok(rows),
            Source::Examples(_) => Err(rank1_core::Error::Undefined {
                op: "AnalyticEngine",
                what: "an operation without factors directly on the inputs",
            }
            .into()),
        }
    }
}

/// Where the gradients of a backward pass go.
#[derive(Debug)]
pub(crate) struct Back<'a, F> {
    /// Of all parameters; each operation adds its own.
    pub(crate) parameters: &'a mut [F],
    /// Of the operation's rows; its memory may be used.
    pub(crate) own: &'a mut Vec<F>,
    /// Of the rows at the node's origin, to be written; nothing where nobody needs it.
    pub(crate) below: &'a mut Vec<F>,
    /// Of the rows of all operations before, as far as they are accumulated.
    pub(crate) before: &'a mut [Vec<F>],
    /// Memory of any length and content.
    pub(crate) free: &'a mut Vec<Vec<F>>,
}

impl<F: Real> Back<'_, F> {
    /// Memory of any length and content.
    fn memory(&mut self) -> Vec<F> {
        self.free.pop().unwrap_or_default()
    }

    /// Adds to the gradient of a second value that was read.
    fn accumulate(&mut self, origin: Origin, mut gradient: Vec<F>) {
        if let Origin::Node(place) = origin {
            accumulate::add(&mut self.before[place], &mut gradient);
        }
        accumulate::keep(self.free, gradient);
    }

    /// Adds the operation's own gradient to that of a second value that was read.
    fn accumulate_copy(&mut self, origin: Origin) {
        if let Origin::Node(place) = origin {
            accumulate::add_copy(&mut self.before[place], self.own, self.free);
        }
    }
}

/// The passes of an operation.
pub(crate) fn passes<F: Real + 'static>(op: Op) -> Box<dyn Operation<F>> {
    match op {
        Op::Layer(index) => Box::new(layer::LayerPasses::new(index)),
        Op::Norm(index) => Box::new(norm::NormPasses::new(index)),
        Op::Activation(kind) => Box::new(activation::ActivationPasses(kind)),
        Op::Dropout { per_million, predicts } => Box::new(dropout::DropoutPasses::new(per_million, predicts)),
        Op::Embedding(index) => Box::new(embedding::EmbeddingPasses::new(index)),
        Op::Add(other) => Box::new(sum::SumPasses(other)),
        Op::Concat(other) => Box::new(columns::BothPasses(other)),
        Op::Columns { start } => Box::new(columns::PartPasses(start)),
        Op::MaxPool { window, stride, padding } => Box::new(pool::MaxPasses::new(window, stride, padding)),
        Op::AveragePool { window, stride } => Box::new(pool::MeanPasses { window, stride }),
        Op::GlobalAverage => Box::new(pool::GlobalPasses),
        Op::Lstm(plan) => Box::new(lstm::LstmPasses::new(plan)),
    }
}

/// What an operation is and costs.
pub(crate) fn cost(network: &Network, node: &Node) -> Cost {
    match node.op {
        Op::Layer(index) => layer::cost(network, node, index),
        Op::Norm(index) => norm::cost(network, index),
        Op::Activation(kind) => activation::cost(kind),
        Op::Dropout { per_million, .. } => dropout::cost(node, per_million),
        Op::Embedding(index) => embedding::cost(network, index),
        Op::Add(_) => sum::cost(),
        Op::Concat(_) => columns::cost_of_both(),
        Op::Columns { .. } => columns::cost_of_part(),
        Op::MaxPool { window, stride, .. } => pool::cost_of_max(node, window, stride),
        Op::AveragePool { window, stride } => pool::cost_of_mean(window, stride),
        Op::GlobalAverage => pool::cost_of_global(),
        Op::Lstm(plan) => lstm::cost(network, plan),
    }
}

/// Initial values that are an operation's own; those of layers are drawn before.
pub(crate) fn start(init: &mut Initializer<'_>, op: Op) -> Result<(), Error> {
    match op {
        Op::Norm(index) => norm::start(init, &init.network().norms[index]),
        Op::Lstm(plan) => lstm::start(init, plan),
        Op::Embedding(index) => return embedding::start(init, index),
        _ => {}
    }
    Ok(())
}
