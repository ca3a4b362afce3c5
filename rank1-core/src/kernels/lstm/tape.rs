//! What a forward pass leaves for the backward pass: one block of rows after the other, each in time order.
//!
//! No arithmetic. Buffers keep their capacity between steps.

use std::ops::Range;

use super::{LstmShape, row_of};
use crate::Real;
use crate::kernels::partition::{CHUNKS, ranges};
use crate::kernels::product::ProductScratch;
use crate::kernels::scratch::AlignedBuffer;

/// Rows below which another block costs more in packing the weights than it gives in parallelism.
const BLOCK_ROWS: usize = 32;

/// States and gates of a forward pass and the scratch of the backward pass, reused between steps.
#[derive(Debug, Clone)]
pub struct LstmTape<F> {
    pub(super) blocks: Vec<Block<F>>,
    /// Sizes of the forward pass that the blocks hold.
    pub(super) shape: Option<LstmShape>,
    /// Whether gates and products are still there; the backward pass overwrites them.
    pub(super) is_complete: bool,
    pub(super) last: Vec<F>,
    /// The weights as the products read them: of the inputs, of the hidden state.
    pub(super) packed: [AlignedBuffer; 2],
}

/// Rows that run through their sequences together. `m` rows; `[T, m, _]` unless noted.
#[derive(Debug, Clone)]
pub(super) struct Block<F> {
    pub(super) rows: Range<usize>,
    /// Perturbed inputs, `d_in` wide.
    pub(super) x: Vec<F>,
    /// Product of the inputs before its factor, `4u`; in the backward pass its gradient.
    pub(super) x_product: Vec<F>,
    /// Perturbed previous hidden state, `u`.
    pub(super) carried: Vec<F>,
    /// Product of the hidden state before its factor, `4u`; in the backward pass its gradient.
    pub(super) hidden_product: Vec<F>,
    /// Gates after their activations, `4u`; in the backward pass gradients before the activations.
    pub(super) gates: Vec<F>,
    /// Hidden states, `[T + 1, m, u]`, the initial one first.
    pub(super) hidden: Vec<F>,
    /// Cell states, `[T + 1, m, u]`.
    pub(super) cell: Vec<F>,
    /// `tanh` of the new cell state, `u`.
    pub(super) tanh_cell: Vec<F>,
    /// Gradient of the perturbed inputs, `d_in`.
    pub(super) d_x: Vec<F>,
    /// Gradients that run back in time, `[m, u]`: hidden, cell, perturbed hidden.
    pub(super) d_hidden: Vec<F>,
    pub(super) d_cell: Vec<F>,
    pub(super) d_carried: Vec<F>,
    /// This block's share of the shared gradients.
    pub(super) d_weight: Vec<F>,
    pub(super) d_recurrent_weight: Vec<F>,
    pub(super) d_bias: Vec<F>,
    /// Gradients of the factors, `[m, _]`.
    pub(super) d_input: Vec<F>,
    pub(super) d_gates: Vec<F>,
    pub(super) d_recurrent_input: Vec<F>,
    pub(super) d_recurrent_gates: Vec<F>,
    pub(super) product: ProductScratch,
}

impl<F> Default for Block<F> {
    fn default() -> Self {
        Self {
            rows: 0..0,
            x: Vec::new(),
            x_product: Vec::new(),
            carried: Vec::new(),
            hidden_product: Vec::new(),
            gates: Vec::new(),
            hidden: Vec::new(),
            cell: Vec::new(),
            tanh_cell: Vec::new(),
            d_x: Vec::new(),
            d_hidden: Vec::new(),
            d_cell: Vec::new(),
            d_carried: Vec::new(),
            d_weight: Vec::new(),
            d_recurrent_weight: Vec::new(),
            d_bias: Vec::new(),
            d_input: Vec::new(),
            d_gates: Vec::new(),
            d_recurrent_input: Vec::new(),
            d_recurrent_gates: Vec::new(),
            product: ProductScratch::default(),
        }
    }
}

impl<F> Default for LstmTape<F> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            shape: None,
            is_complete: false,
            last: Vec::new(),
            packed: Default::default(),
        }
    }
}

impl<F: Real> LstmTape<F> {
    /// An empty tape; its buffers grow at their first use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hidden states after the last step of every row, `[rows, u]`; empty before the first forward pass.
    ///
    /// # Source
    /// Steps past a row's length keep its state, so the state after all steps is the one after its length.
    pub fn last(&self) -> &[F] {
        &self.last
    }

    /// A copy of the hidden states after step `t`, `[rows, u]`; empty if there was no such step.
    pub fn hidden(&self, t: usize) -> Vec<F> {
        self.state(t, |block| &block.hidden)
    }

    /// A copy of the cell states after step `t`, `[rows, u]`; empty if there was no such step.
    pub fn cell(&self, t: usize) -> Vec<F> {
        self.state(t, |block| &block.cell)
    }

    fn state(&self, t: usize, of: impl Fn(&Block<F>) -> &[F]) -> Vec<F> {
        let Some(shape) = self.shape.filter(|shape| t < shape.steps) else { return Vec::new() };
        let at = |block| row_of(of(block), t + 1, block.rows.len() * shape.units);
        self.blocks.iter().flat_map(at).copied().collect()
    }

    /// Blocks for a new forward pass, with buffers of the right sizes and arbitrary contents.
    pub(super) fn start(&mut self, shape: LstmShape) {
        let rows = shape.rows();
        // At least two blocks for two cores; the number depends on the rows only.
        let count = rows.div_ceil(BLOCK_ROWS).clamp(2, CHUNKS);
        self.blocks.truncate(count.min(rows));
        self.blocks.resize_with(count.min(rows), Block::default);
        for (block, rows) in self.blocks.iter_mut().zip(ranges(rows, count)) {
            let (m, t, u, d) = (rows.len(), shape.steps, shape.units, shape.d_in);
            block.rows = rows;
            resize(&mut block.x, t * m * d);
            resize(&mut block.x_product, t * m * 4 * u);
            resize(&mut block.carried, t * m * u);
            resize(&mut block.hidden_product, t * m * 4 * u);
            resize(&mut block.gates, t * m * 4 * u);
            resize(&mut block.hidden, (t + 1) * m * u);
            resize(&mut block.cell, (t + 1) * m * u);
            resize(&mut block.tanh_cell, t * m * u);
        }
        self.shape = Some(shape);
        self.is_complete = false;
    }
}

/// Changes the length and keeps the capacity.
pub(super) fn resize<F: Real>(buffer: &mut Vec<F>, len: usize) {
    buffer.resize(len, F::zero());
}

/// As [`resize`], all zeros.
pub(super) fn clear<F: Real>(buffer: &mut Vec<F>, len: usize) {
    buffer.clear();
    buffer.resize(len, F::zero());
}
