//! The computation of a network as a list of operations in evaluation order: what each reads, and the size of what it gives.
//!
//! Data only. What an operation is, costs and computes is in its file of [`crate::operation`].

use crate::operation::Op;

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
