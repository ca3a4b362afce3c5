//! The forward pass of the perturbed LSTM: one product for all inputs of a block, then one product per step.
//!
//! Blocks of rows are independent; see the tape for their layout.

use rayon::prelude::*;

use super::tape::{Block, LstmTape};
use super::{LstmCell, check_optional, row_of, row_of_mut};
use crate::kernels::product::{Operand, Packed, multiply_packed};
use crate::perturb::Perturbation;
use crate::{Error, Real};

/// Runs all sequences and fills the tape; [`LstmTape::last`] holds the result.
///
/// # Shapes
/// `x`: `[rows, steps, d_in]`, `lengths`: `[rows]`, steps past a length leave that row's states as they are; `initial`:
/// hidden and cell state, `[rows, u]` each, zeros if absent. Inputs past a length must be finite: they meet zero gradients.
///
/// # Errors
/// [`Error::ShapeMismatch`] names the slice whose length does not fit, [`Error::OutOfRange`] a size of 0 or a length above
/// the number of steps.
///
/// # Numerics
/// Sums run in the element type and in an order that does not depend on the number of threads.
///
/// # Source
/// Hochreiter and Schmidhuber 1997 with a forget gate; factors placed as in the reference code's recurrent cell, whose
/// draws are not clipped.
pub fn forward<F: Real>(
    cell: &LstmCell<'_, F>,
    x: &[F],
    lengths: Option<&[usize]>,
    initial: Option<(&[F], &[F])>,
    tape: &mut LstmTape<F>,
) -> Result<(), Error> {
    const OP: &str = "lstm::forward";
    cell.check(OP, x, lengths)?;
    let (rows, u) = (cell.shape.rows(), cell.shape.units);
    check_optional(OP, "initial hidden state", initial.map(|(hidden, _)| hidden), rows * u)?;
    check_optional(OP, "initial cell state", initial.map(|(_, cell)| cell), rows * u)?;
    tape.start(cell.shape);
    let LstmTape { blocks, packed: [input, recurrent], .. } = tape;
    let weights = [
        Packed::new(Operand::new(cell.weight, cell.shape.gates()), input, true),
        Packed::new(Operand::new(cell.recurrent_weight, cell.shape.gates()), recurrent, true),
    ];
    blocks.par_iter_mut().for_each(|block| {
        crate::kernels::simd::arch().dispatch(Run { block, cell, weights, x, lengths, initial })
    });
    tape.last.clear();
    for block in &tape.blocks {
        tape.last.extend_from_slice(row_of(&block.hidden, cell.shape.steps, block.rows.len() * u));
    }
    tape.is_complete = true;
    Ok(())
}

/// The pass of a block as a value, so that its loops are compiled once per instruction set.
struct Run<'a, F> {
    block: &'a mut Block<F>,
    cell: &'a LstmCell<'a, F>,
    weights: [Packed<'a, F>; 2],
    x: &'a [F],
    lengths: Option<&'a [usize]>,
    initial: Option<(&'a [F], &'a [F])>,
}

impl<F: Real> pulp::WithSimd for Run<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.block.run(self.cell, self.weights, self.x, self.lengths, self.initial);
    }
}

impl<F: Real> Block<F> {
    #[inline(always)]
    fn run(
        &mut self,
        cell: &LstmCell<'_, F>,
        [weight, recurrent_weight]: [Packed<'_, F>; 2],
        x: &[F],
        lengths: Option<&[usize]>,
        initial: Option<(&[F], &[F])>,
    ) {
        let shape = cell.shape;
        let (m, steps, d, u, gates) = (self.rows.len(), shape.steps, shape.d_in, shape.units, shape.gates());
        for (i, row) in self.rows.clone().enumerate() {
            let factor = cell.factors.input.map(|factor| row_of(factor, row, d));
            for t in 0..steps {
                let to = row_of_mut(&mut self.x, t * m + i, d);
                perturb(cell.perturbation, row_of(x, row * steps + t, d), factor, to);
            }
        }
        let memory = &mut self.product.left;
        multiply_packed(Operand::new(&self.x, d), weight, false, &mut self.x_product, memory, false);
        match initial {
            Some((hidden, cell)) => {
                let rows = self.rows.start * u..self.rows.end * u;
                self.hidden[..m * u].copy_from_slice(&hidden[rows.clone()]);
                self.cell[..m * u].copy_from_slice(&cell[rows]);
            }
            None => {
                self.hidden[..m * u].fill(F::zero());
                self.cell[..m * u].fill(F::zero());
            }
        }
        for t in 0..steps {
            for (i, row) in self.rows.clone().enumerate() {
                let factor = cell.factors.recurrent_input.map(|factor| row_of(factor, row, u));
                let to = row_of_mut(&mut self.carried, t * m + i, u);
                perturb(cell.perturbation, row_of(&self.hidden, t * m + i, u), factor, to);
            }
            let carried = Operand::new(row_of(&self.carried, t, m * u), u);
            let out = row_of_mut(&mut self.hidden_product, t, m * gates);
            multiply_packed(carried, recurrent_weight, false, out, &mut self.product.left, false);
            for (i, row) in self.rows.clone().enumerate() {
                self.step(cell, t, i, row, lengths.is_none_or(|lengths| t < lengths[row]));
            }
        }
    }

    /// Row `i` of this block, which is row `row` of the batch, from step `t` to `t + 1`.
    #[inline(always)]
    fn step(&mut self, cell: &LstmCell<'_, F>, t: usize, i: usize, row: usize, is_inside: bool) {
        let (m, u, width) = (self.rows.len(), cell.shape.units, cell.shape.gates());
        let (hidden, next_hidden) = self.hidden.split_at_mut((t + 1) * m * u);
        let (cells, next_cell) = self.cell.split_at_mut((t + 1) * m * u);
        let (next_hidden, next_cell) = (row_of_mut(next_hidden, i, u), row_of_mut(next_cell, i, u));
        let at = t * m + i;
        let previous = row_of(cells, at, u);
        if !is_inside {
            next_hidden.copy_from_slice(row_of(hidden, at, u));
            next_cell.copy_from_slice(previous);
            return;
        }
        let z = row_of_mut(&mut self.gates, at, width);
        let on_gates = cell.factors.gates.map(|factor| row_of(factor, row, width));
        let on_recurrent = cell.factors.recurrent_gates.map(|factor| row_of(factor, row, width));
        perturb(cell.perturbation, row_of(&self.x_product, at, width), on_gates, z);
        add_perturbed(cell.perturbation, row_of(&self.hidden_product, at, width), on_recurrent, z);
        let bias = row_of(cell.bias, cell.shape.member(row), width);
        z.iter_mut().zip(bias).for_each(|(z, &bias)| *z += bias);
        F::sigmoid_in_place(&mut z[..2 * u]);
        F::tanh_in_place(&mut z[2 * u..3 * u]);
        F::sigmoid_in_place(&mut z[3 * u..]);
        let (input, z) = z.split_at(u);
        let (forget, z) = z.split_at(u);
        let (candidate, output) = z.split_at(u);
        for j in 0..u {
            next_cell[j] = forget[j] * previous[j] + input[j] * candidate[j];
        }
        let tanh_cell = row_of_mut(&mut self.tanh_cell, at, u);
        tanh_cell.copy_from_slice(next_cell);
        F::tanh_in_place(tanh_cell);
        for j in 0..u {
            next_hidden[j] = output[j] * tanh_cell[j];
        }
    }
}

/// `to = from` perturbed by the factor, if there is one.
#[inline(always)]
fn perturb<F: Real>(perturbation: Perturbation, from: &[F], factor: Option<&[F]>, to: &mut [F]) {
    let Some(factor) = factor else {
        to.copy_from_slice(from);
        return;
    };
    let values = to.iter_mut().zip(from.iter().zip(factor));
    match perturbation {
        Perturbation::Multiplicative => values.for_each(|(to, (&from, &factor))| *to = from * factor),
        Perturbation::Additive => values.for_each(|(to, (&from, &factor))| *to = from + factor),
    }
}

/// `to += from` perturbed by the factor, if there is one.
#[inline(always)]
fn add_perturbed<F: Real>(perturbation: Perturbation, from: &[F], factor: Option<&[F]>, to: &mut [F]) {
    let Some(factor) = factor else {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
        return;
    };
    let values = to.iter_mut().zip(from.iter().zip(factor));
    match perturbation {
        Perturbation::Multiplicative => values.for_each(|(to, (&from, &factor))| *to += from * factor),
        Perturbation::Additive => values.for_each(|(to, (&from, &factor))| *to += from + factor),
    }
}
