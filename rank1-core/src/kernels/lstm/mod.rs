//! The rank-1 perturbed LSTM over whole sequences, forward and backward, on flat slices.
//!
//! `z = ((x_t ∘ s_x) W) ∘ r_x + ((h ∘ s_h) U) ∘ r_h + bias_k` with gates in the order input, forget, candidate, output; the
//! factors are drawn once per row and kept over the sequence. Not for embeddings or the layer after it.

mod backward;
mod forward;
mod tape;

use crate::error::check_len;
use crate::perturb::Perturbation;
use crate::{Error, Real, layout};

pub use backward::{LstmGrads, backward, backward_from_state};
pub use forward::forward;
pub use tape::LstmTape;

/// Sizes of a batch of sequences whose rows are `(s K + k) B + b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LstmShape {
    /// Posterior samples `S`.
    pub n_samples: usize,
    /// Members `K`.
    pub n_members: usize,
    /// Examples per member `B`.
    pub n_examples: usize,
    /// Length of the longest sequence.
    pub steps: usize,
    /// Inputs per step.
    pub d_in: usize,
    /// Hidden units `u`.
    pub units: usize,
}

impl LstmShape {
    /// Rows of the batch, `S K B`.
    pub fn rows(&self) -> usize {
        self.n_samples * self.n_members * self.n_examples
    }

    /// Length of a gate vector, `4 u`.
    pub fn gates(&self) -> usize {
        4 * self.units
    }

    fn member(&self, row: usize) -> usize {
        layout::member_and_example(row, self.n_examples).0 % self.n_members
    }
}

/// Drawn factors, one per row; absent ones do not perturb.
#[derive(Debug, Clone, Copy)]
pub struct LstmFactors<'a, F> {
    /// On the inputs, `[rows, d_in]`.
    pub input: Option<&'a [F]>,
    /// On the product of the inputs, `[rows, 4u]`.
    pub gates: Option<&'a [F]>,
    /// On the previous hidden state, `[rows, u]`.
    pub recurrent_input: Option<&'a [F]>,
    /// On the product of the hidden state, `[rows, 4u]`.
    pub recurrent_gates: Option<&'a [F]>,
}

impl<F> LstmFactors<'_, F> {
    /// No factor at all: an ordinary LSTM.
    pub const NONE: Self = Self { input: None, gates: None, recurrent_input: None, recurrent_gates: None };
}

/// Shared weights with the biases of `K` members and the factors of every row.
///
/// # Shapes
/// | field              | shape        |
/// |--------------------|--------------|
/// | `weight`           | `[d_in, 4u]` |
/// | `recurrent_weight` | `[u, 4u]`    |
/// | `bias`             | `[K, 4u]`    |
#[derive(Debug, Clone, Copy)]
pub struct LstmCell<'a, F> {
    /// Sizes.
    pub shape: LstmShape,
    /// From inputs to gates.
    pub weight: &'a [F],
    /// From the hidden state to gates.
    pub recurrent_weight: &'a [F],
    /// One bias vector per member.
    pub bias: &'a [F],
    /// Draws of this step.
    pub factors: LstmFactors<'a, F>,
    /// Product or sum.
    pub perturbation: Perturbation,
}

impl<F: Real> LstmCell<'_, F> {
    fn check(&self, op: &'static str, x: &[F], lengths: Option<&[usize]>) -> Result<(), Error> {
        let LstmShape { n_samples, n_members, n_examples, steps, d_in, units } = self.shape;
        for (argument, size) in [
            ("n_samples", n_samples),
            ("n_members", n_members),
            ("n_examples", n_examples),
            ("steps", steps),
            ("d_in", d_in),
            ("units", units),
        ] {
            if size == 0 {
                return Err(Error::OutOfRange { op, argument, value: 0.0, expected: "at least 1" });
            }
        }
        let (rows, gates) = (self.shape.rows(), self.shape.gates());
        check_len(op, "x", x.len(), rows * steps * d_in)?;
        check_len(op, "weight", self.weight.len(), d_in * gates)?;
        check_len(op, "recurrent_weight", self.recurrent_weight.len(), units * gates)?;
        check_len(op, "bias", self.bias.len(), n_members * gates)?;
        let LstmFactors { input, gates: on_gates, recurrent_input, recurrent_gates } = self.factors;
        for (argument, factor, width) in [
            ("factors.input", input, d_in),
            ("factors.gates", on_gates, gates),
            ("factors.recurrent_input", recurrent_input, units),
            ("factors.recurrent_gates", recurrent_gates, gates),
        ] {
            check_optional(op, argument, factor, rows * width)?;
        }
        let Some(lengths) = lengths else { return Ok(()) };
        check_len(op, "lengths", lengths.len(), rows)?;
        match lengths.iter().find(|&&length| length > steps) {
            None => Ok(()),
            Some(&length) => {
                let expected = "no more than the number of steps";
                Err(Error::OutOfRange { op, argument: "lengths", value: length as f64, expected })
            }
        }
    }

    /// Whether a factor multiplies; if not it adds, and its gradient is the gradient of the sum.
    fn multiplies(&self) -> bool {
        self.perturbation == Perturbation::Multiplicative
    }
}

fn check_optional<F>(
    op: &'static str,
    argument: &'static str,
    values: Option<&[F]>,
    expected: usize,
) -> Result<(), Error> {
    values.map_or(Ok(()), |values| check_len(op, argument, values.len(), expected))
}

/// Row `row` of a matrix with rows of `width`.
fn row_of<F>(values: &[F], row: usize, width: usize) -> &[F] {
    &values[row * width..(row + 1) * width]
}

/// As [`row_of`], to be written.
fn row_of_mut<F>(values: &mut [F], row: usize, width: usize) -> &mut [F] {
    &mut values[row * width..(row + 1) * width]
}

#[cfg(test)]
mod tests;
