//! The backward pass of the perturbed LSTM through time.
//!
//! Overwrites gates and products on the tape, so that each forward pass serves one backward pass.

use rayon::prelude::*;

use super::tape::{Block, LstmTape, clear, resize};
use super::{LstmCell, check_optional, row_of, row_of_mut};
use crate::error::check_len;
use crate::kernels::partition::{share, split_mut};
use crate::kernels::product::{Operand, Packed, multiply, multiply_packed};
use crate::kernels::scratch::add_in_order;
use crate::{Error, Real};

/// Gradients with respect to everything an LSTM reads, in the shapes of the originals; reused between steps.
///
/// All are overwritten. Gradients of absent factors are left empty.
#[derive(Debug, Clone, PartialEq)]
pub struct LstmGrads<F> {
    /// `[rows, steps, d_in]`; computed if it is `Some` when the pass starts.
    pub x: Option<Vec<F>>,
    /// `[d_in, 4u]`.
    pub weight: Vec<F>,
    /// `[u, 4u]`.
    pub recurrent_weight: Vec<F>,
    /// `[K, 4u]`.
    pub bias: Vec<F>,
    /// `[rows, d_in]`.
    pub input: Vec<F>,
    /// `[rows, 4u]`.
    pub gates: Vec<F>,
    /// `[rows, u]`.
    pub recurrent_input: Vec<F>,
    /// `[rows, 4u]`.
    pub recurrent_gates: Vec<F>,
    /// Of the initial hidden state, `[rows, u]`.
    pub h0: Vec<F>,
    /// Of the initial cell state, `[rows, u]`.
    pub c0: Vec<F>,
}

impl<F> Default for LstmGrads<F> {
    fn default() -> Self {
        Self {
            x: None,
            weight: Vec::new(),
            recurrent_weight: Vec::new(),
            bias: Vec::new(),
            input: Vec::new(),
            gates: Vec::new(),
            recurrent_input: Vec::new(),
            recurrent_gates: Vec::new(),
            h0: Vec::new(),
            c0: Vec::new(),
        }
    }
}

impl<F> LstmGrads<F> {
    /// Empty gradients that ask for the one of the inputs too.
    pub fn with_x() -> Self {
        Self { x: Some(Vec::new()), ..Self::default() }
    }
}

/// Gradients of a scalar, given its gradients with respect to the hidden states.
///
/// # Shapes
/// `x`, `lengths`: as given to [`forward()`](super::forward()); `d_last`: `[rows, u]`, on [`LstmTape::last`]; `d_hidden`: `[steps, rows, u]`,
/// on the state after every step (past a row's length: on its kept state).
///
/// # Errors
/// As [`forward()`](super::forward()); [`Error::Undefined`] if the tape holds no forward pass of this shape or has served a backward pass.
///
/// # Numerics
/// Weight gradients of blocks of rows are added in the order of the rows.
///
/// # Source
/// Chain rule on [`forward()`](super::forward()); checked against central differences.
pub fn backward<F: Real>(
    cell: &LstmCell<'_, F>,
    x: &[F],
    lengths: Option<&[usize]>,
    d_last: &[F],
    d_hidden: Option<&[F]>,
    tape: &mut LstmTape<F>,
    grads: &mut LstmGrads<F>,
) -> Result<(), Error> {
    backward_from_state(cell, x, lengths, (d_last, None), d_hidden, tape, grads)
}

/// As [`backward`], for a scalar that reads the last cell states too.
///
/// # Shapes
/// `d_last`: gradients on the last hidden and cell states, `[rows, u]` each.
///
/// # Errors
/// As [`backward`].
///
/// # Source
/// As [`backward`].
pub fn backward_from_state<F: Real>(
    cell: &LstmCell<'_, F>,
    x: &[F],
    lengths: Option<&[usize]>,
    d_last: (&[F], Option<&[F]>),
    d_hidden: Option<&[F]>,
    tape: &mut LstmTape<F>,
    grads: &mut LstmGrads<F>,
) -> Result<(), Error> {
    const OP: &str = "lstm::backward";
    cell.check(OP, x, lengths)?;
    let shape = cell.shape;
    let (rows, u, d, width) = (shape.rows(), shape.units, shape.d_in, shape.gates());
    check_len(OP, "d_last", d_last.0.len(), rows * u)?;
    check_optional(OP, "d_last of the cell", d_last.1, rows * u)?;
    check_optional(OP, "d_hidden", d_hidden, shape.steps * rows * u)?;
    if !tape.is_complete || tape.shape != Some(shape) {
        let what = "a tape without a forward pass of this shape since the last backward pass";
        return Err(Error::Undefined { op: OP, what });
    }
    tape.is_complete = false;
    let wants_x = grads.x.is_some();
    let LstmTape { blocks, packed: [input, recurrent], .. } = tape;
    let weights = [
        Packed::new(Operand::new(cell.weight, width).transposed(), input, true),
        Packed::new(Operand::new(cell.recurrent_weight, width).transposed(), recurrent, true),
    ];
    blocks.par_iter_mut().for_each(|block| {
        let work = RunBack { block, cell, weights, x, lengths, d_last, d_hidden, wants_x };
        crate::kernels::simd::arch().dispatch(work);
    });
    let blocks = &*blocks;
    for (total, of, len) in [
        (&mut grads.weight, (|block| &block.d_weight) as fn(&Block<F>) -> &[F], d * width),
        (&mut grads.recurrent_weight, |block| &block.d_recurrent_weight, u * width),
        (&mut grads.bias, |block| &block.d_bias, shape.n_members * width),
    ] {
        clear(total, len);
        add_in_order(total, blocks.iter().map(of));
    }
    for (rows, of) in [
        (&mut grads.input, (|block| &block.d_input) as fn(&Block<F>) -> &[F]),
        (&mut grads.gates, |block| &block.d_gates),
        (&mut grads.recurrent_input, |block| &block.d_recurrent_input),
        (&mut grads.recurrent_gates, |block| &block.d_recurrent_gates),
        (&mut grads.h0, |block| &block.d_hidden),
        (&mut grads.c0, |block| &block.d_cell),
    ] {
        rows.clear();
        blocks.iter().for_each(|block| rows.extend_from_slice(of(block)));
    }
    if let Some(d_x) = &mut grads.x {
        resize(d_x, rows * shape.steps * d);
        let parts = split_mut(d_x, shape.steps * d, blocks.iter().map(|block| block.rows.clone()));
        share(blocks.iter().zip(parts), |(block, d_x)| block.write_d_x(cell, d_x));
    }
    Ok(())
}

/// The pass of a block as a value, so that its loops are compiled once per instruction set.
struct RunBack<'a, F> {
    block: &'a mut Block<F>,
    cell: &'a LstmCell<'a, F>,
    /// Transposed.
    weights: [Packed<'a, F>; 2],
    x: &'a [F],
    lengths: Option<&'a [usize]>,
    d_last: (&'a [F], Option<&'a [F]>),
    d_hidden: Option<&'a [F]>,
    wants_x: bool,
}

impl<F: Real> pulp::WithSimd for RunBack<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { block, cell, weights: [weight, recurrent_weight], x, lengths, d_last, d_hidden, wants_x } =
            self;
        let shape = cell.shape;
        block.start_back(cell, d_last);
        for t in (0..shape.steps).rev() {
            let d_hidden = d_hidden.map(|d_hidden| row_of(d_hidden, t, shape.rows() * shape.units));
            block.step_back(cell, recurrent_weight, lengths, d_hidden, t);
        }
        block.finish_back(cell, weight, x, wants_x);
    }
}

impl<F: Real> Block<F> {
    fn start_back(&mut self, cell: &LstmCell<'_, F>, d_last: (&[F], Option<&[F]>)) {
        let shape = cell.shape;
        let (m, u, d, width) = (self.rows.len(), shape.units, shape.d_in, shape.gates());
        let rows = self.rows.start * u..self.rows.end * u;
        self.d_hidden.clear();
        self.d_hidden.extend_from_slice(&d_last.0[rows.clone()]);
        clear(&mut self.d_cell, m * u);
        if let Some(d_cell) = d_last.1 {
            self.d_cell.copy_from_slice(&d_cell[rows]);
        }
        resize(&mut self.d_carried, m * u);
        clear(&mut self.d_bias, shape.n_members * width);
        resize(&mut self.d_weight, d * width);
        resize(&mut self.d_recurrent_weight, u * width);
        let factors = cell.factors;
        clear(&mut self.d_input, if factors.input.is_some() { m * d } else { 0 });
        clear(&mut self.d_gates, if factors.gates.is_some() { m * width } else { 0 });
        clear(&mut self.d_recurrent_input, if factors.recurrent_input.is_some() { m * u } else { 0 });
        clear(&mut self.d_recurrent_gates, if factors.recurrent_gates.is_some() { m * width } else { 0 });
    }

    /// From the states after step `t` to those before it.
    #[inline(always)]
    fn step_back(
        &mut self,
        cell: &LstmCell<'_, F>,
        recurrent_weight: Packed<'_, F>,
        lengths: Option<&[usize]>,
        d_hidden: Option<&[F]>,
        t: usize,
    ) {
        let (m, u, width) = (self.rows.len(), cell.shape.units, cell.shape.gates());
        let is_inside = |row: usize| lengths.is_none_or(|lengths| t < lengths[row]);
        if let Some(d_hidden) = d_hidden {
            let d_hidden = &d_hidden[self.rows.start * u..self.rows.end * u];
            self.d_hidden.iter_mut().zip(d_hidden).for_each(|(sum, &g)| *sum += g);
        }
        for (i, row) in self.rows.clone().enumerate() {
            let at = t * m + i;
            if is_inside(row) {
                self.gates_back(u, i, at);
                self.products_back(cell, row, i, at);
            } else {
                row_of_mut(&mut self.x_product, at, width).fill(F::zero());
                row_of_mut(&mut self.hidden_product, at, width).fill(F::zero());
            }
        }
        let d_product = Operand::new(row_of(&self.hidden_product, t, m * width), width);
        let memory = &mut self.product.left;
        multiply_packed(d_product, recurrent_weight, false, &mut self.d_carried, memory, false);
        for (i, row) in self.rows.clone().enumerate().filter(|&(_, row)| is_inside(row)) {
            let d_carried = row_of(&self.d_carried, i, u);
            let d_hidden = row_of_mut(&mut self.d_hidden, i, u);
            d_hidden.copy_from_slice(d_carried);
            let Some(factor) = cell.factors.recurrent_input else { continue };
            let sum = row_of_mut(&mut self.d_recurrent_input, i, u);
            if cell.multiplies() {
                add_product(sum, d_carried, row_of(&self.hidden, t * m + i, u));
                scale(d_hidden, row_of(factor, row, u));
            } else {
                add(sum, d_carried);
            }
        }
    }

    /// Turns the gates of a row into gradients before their activations and carries the cell's gradient on.
    #[inline(always)]
    fn gates_back(&mut self, u: usize, i: usize, at: usize) {
        let one = F::one();
        let z = row_of_mut(&mut self.gates, at, 4 * u);
        let (tanh_cell, previous) = (row_of(&self.tanh_cell, at, u), row_of(&self.cell, at, u));
        let (d_hidden, d_cell) = (row_of(&self.d_hidden, i, u), row_of_mut(&mut self.d_cell, i, u));
        for j in 0..u {
            let (input, forget, candidate, output) = (z[j], z[u + j], z[2 * u + j], z[3 * u + j]);
            let through = d_cell[j] + d_hidden[j] * output * (one - tanh_cell[j] * tanh_cell[j]);
            z[j] = through * candidate * input * (one - input);
            z[u + j] = through * previous[j] * forget * (one - forget);
            z[2 * u + j] = through * input * (one - candidate * candidate);
            z[3 * u + j] = d_hidden[j] * tanh_cell[j] * output * (one - output);
            d_cell[j] = through * forget;
        }
    }

    /// Sums up the bias and the factors on both products, and replaces the products by their gradients.
    #[inline(always)]
    fn products_back(&mut self, cell: &LstmCell<'_, F>, row: usize, i: usize, at: usize) {
        let width = cell.shape.gates();
        let z = row_of(&self.gates, at, width);
        add(row_of_mut(&mut self.d_bias, cell.shape.member(row), width), z);
        for (product, factor, sums) in [
            (&mut self.x_product, cell.factors.gates, &mut self.d_gates),
            (&mut self.hidden_product, cell.factors.recurrent_gates, &mut self.d_recurrent_gates),
        ] {
            let product = row_of_mut(product, at, width);
            let Some(factor) = factor else {
                product.copy_from_slice(z);
                continue;
            };
            let sum = row_of_mut(sums, i, width);
            if cell.multiplies() {
                add_product(sum, z, product);
                product.copy_from_slice(z);
                scale(product, row_of(factor, row, width));
            } else {
                add(sum, z);
                product.copy_from_slice(z);
            }
        }
    }

    /// Products over all steps: both weights, and the inputs if their factor or the caller needs them.
    #[inline(always)]
    fn finish_back(&mut self, cell: &LstmCell<'_, F>, weight: Packed<'_, F>, x: &[F], wants_x: bool) {
        let shape = cell.shape;
        let (m, steps, d) = (self.rows.len(), shape.steps, shape.d_in);
        let (u, width) = (shape.units, shape.gates());
        let d_product = Operand::new(&self.x_product, width);
        let x_by_columns = Operand::new(&self.x, d).transposed();
        multiply(x_by_columns, d_product, false, &mut self.d_weight, &mut self.product, false);
        let carried = Operand::new(&self.carried, u).transposed();
        let d_hidden_product = Operand::new(&self.hidden_product, width);
        multiply(carried, d_hidden_product, false, &mut self.d_recurrent_weight, &mut self.product, false);
        if !wants_x && cell.factors.input.is_none() {
            return;
        }
        resize(&mut self.d_x, steps * m * d);
        multiply_packed(d_product, weight, false, &mut self.d_x, &mut self.product.left, false);
        if cell.factors.input.is_none() {
            return;
        }
        for t in 0..steps {
            for (i, row) in self.rows.clone().enumerate() {
                let (sum, d_x) = (row_of_mut(&mut self.d_input, i, d), row_of(&self.d_x, t * m + i, d));
                if cell.multiplies() {
                    add_product(sum, d_x, row_of(x, row * steps + t, d));
                } else {
                    add(sum, d_x);
                }
            }
        }
    }

    /// From time order to rows, through the factor. `d_x`: this block's rows.
    fn write_d_x(&self, cell: &LstmCell<'_, F>, d_x: &mut [F]) {
        let (m, steps, d) = (self.rows.len(), cell.shape.steps, cell.shape.d_in);
        for (i, row) in self.rows.clone().enumerate() {
            for t in 0..steps {
                let to = row_of_mut(d_x, i * steps + t, d);
                to.copy_from_slice(row_of(&self.d_x, t * m + i, d));
                if let (true, Some(factor)) = (cell.multiplies(), cell.factors.input) {
                    scale(to, row_of(factor, row, d));
                }
            }
        }
    }
}

#[inline(always)]
fn add<F: Real>(sum: &mut [F], values: &[F]) {
    sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
}

#[inline(always)]
fn add_product<F: Real>(sum: &mut [F], a: &[F], b: &[F]) {
    sum.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (&a, &b))| *sum += a * b);
}

#[inline(always)]
fn scale<F: Real>(values: &mut [F], factor: &[F]) {
    values.iter_mut().zip(factor).for_each(|(value, &factor)| *value *= factor);
}
