//! The computation of a network as a list of operations in evaluation order.
//!
//! Data only: engines interpret it, `rank1 info` counts it. Parameters are in the plans that operations point to.

use rank1_core::conv::{ConvShape, Padding};

use super::Activation;

/// Where an operation reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The network's input rows.
    Input,
    /// The output of the operation at this place of the list.
    Node(usize),
}

/// The size of one row of a value: an image of `channels` values per position, or plain columns at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Rows of positions.
    pub height: usize,
    /// Positions per row.
    pub width: usize,
    /// Values per position.
    pub channels: usize,
}

impl Volume {
    /// Plain columns.
    #[must_use]
    pub fn columns(channels: usize) -> Self {
        Self { height: 1, width: 1, channels }
    }

    /// Number of positions.
    #[must_use]
    pub fn positions(self) -> usize {
        self.height * self.width
    }

    /// Number of values.
    #[must_use]
    pub fn len(self) -> usize {
        self.positions() * self.channels
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// What a perturbed layer multiplies by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// A matrix.
    Linear,
    /// A convolution.
    Conv(ConvShape),
    /// A matrix inside a recurrent operation: a [`super::LayerPlan`] that no [`Op::Layer`] points to.
    Recurrent,
}

/// Length of a sequence and width of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LstmPlan {
    /// Layer of the inputs, `[D, 4 U]`, gates in the order input, forget, cell, output; it owns the bias.
    pub input: usize,
    /// Layer of the state, `[U, 4 U]`.
    pub recurrent: usize,
    /// Steps.
    pub steps: usize,
    /// State width U.
    pub units: usize,
    /// Column of the network's input that holds the number of steps, if sequences are ragged.
    pub length_column: Option<usize>,
}

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
    },
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

/// An operation, what it reads and the size of what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// To what.
    pub origin: Origin,
    /// Size of a row of the result.
    pub volume: Volume,
}
