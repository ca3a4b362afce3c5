//! The rank-1 LSTM: shared kernels, two pairs of factors and a bias per member, drawn once a sequence.
//!
//! Gates are in the order input, forget, cell, output. Embeddings and read-outs are left to the network.

mod config;
mod draws;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};
use rank1_core::perturb::Perturbation;

use super::{Factor, Pass, expect_shape};
use crate::error::Error;
use crate::fused::unfused::perturb_by;

use draws::Rowwise;

pub use config::Rank1LstmConfig;
pub use draws::{LstmFactors, LstmNoise};

const OP: &str = "Rank1Lstm";

/// Hidden and cell state of every row.
#[derive(Debug, Clone)]
pub struct LstmState {
    /// `[S*K*B, U]`.
    pub hidden: Tensor<2>,
    /// `[S*K*B, U]`.
    pub cell: Tensor<2>,
}

/// What a pass over a sequence returns.
#[derive(Debug, Clone)]
pub struct LstmOutput {
    /// Hidden state after every step, `[T, S*K*B, U]`.
    pub hidden: Tensor<3>,
    /// State after the last step of each row.
    pub state: LstmState,
}

/// `z = ((x ∘ s) W) ∘ r + ((h ∘ s') W') ∘ r' + b`, then the gates of an LSTM.
///
/// # Shapes
/// `[T, S*K*B, D_in]` to `[T, S*K*B, U]`, rows in the order sample, member, example: those of [`Pass::tile_sequences`].
///
/// # Streams
/// Draws from [`Rank1Lstm::stream`], which [`super::LayerStreams`] gave; the same pass draws the same factors again.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{LayerStreams, Pass, Rank1LstmConfig};
///
/// let device = Device::flex();
/// let mut streams = LayerStreams::new(7, &device);
/// let layer = Rank1LstmConfig::new(2, 8, 3).init(&mut streams)?;              // 2 inputs, 8 units, 3 members
/// let pass = Pass::training(7, 0, 3);
/// let xs = pass.tile_sequences(Tensor::<3>::ones([6, 4, 2], &device))?;       // 6 steps of 4 examples
/// let out = layer.forward(xs, None, &pass)?;
/// assert_eq!(out.hidden.dims(), [6, 3 * 4, 8]);
/// assert_eq!(out.state.hidden.dims(), [3 * 4, 8]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Rank1Lstm {
    /// Shared kernel of the inputs, `[D_in, 4U]`.
    pub weight: Param<Tensor<2>>,
    /// Shared kernel of the hidden state, `[U, 4U]`.
    pub recurrent_weight: Param<Tensor<2>>,
    /// Bias, `[K, 4U]`.
    pub bias: Option<Param<Tensor<2>>>,
    /// Factor on the inputs (s), `[K, D_in]`.
    pub input_factor: Option<Factor>,
    /// Factor on the inputs' gates (r), `[K, 4U]`.
    pub output_factor: Option<Factor>,
    /// Factor on the hidden state (s'), `[K, U]`.
    pub recurrent_input_factor: Option<Factor>,
    /// Factor on the hidden state's gates (r'), `[K, 4U]`.
    pub recurrent_output_factor: Option<Factor>,
    /// How factors act.
    #[module(skip)]
    pub perturbation: Perturbation,
    /// Members K.
    pub n_members: usize,
    /// Number of the noise stream.
    pub stream: usize,
}

impl Rank1Lstm {
    /// Draws all factors by counter and runs over a sequence from a state of zeros.
    ///
    /// # Shapes
    /// `xs`: `[T, S*K*B, D_in]`, rows in the order sample, member, example; `mask`: `[T, S*K*B]`, 1 where a row has a
    /// token and 0 where it is over, none if all rows have T tokens.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] names the argument that does not fit, [`rank1_core::Error::OutOfRange`] rows or members
    /// of another pass; an empty sequence is refused.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 4.4, and the reference code's LSTM cell: one draw a sequence, not clipped.
    pub fn forward(&self, xs: Tensor<3>, mask: Option<Tensor<2>>, pass: &Pass) -> Result<LstmOutput, Error> {
        let [_, rows, _] = xs.dims();
        self.forward_with_noise(xs, mask, &self.noise(&pass.rows(self.stream, rows)?)?)
    }

    /// Draws all factors from given noise and runs over a sequence from a state of zeros.
    ///
    /// # Shapes
    /// As [`Rank1Lstm::forward`].
    ///
    /// # Errors
    /// As [`Rank1Lstm::forward`]; noise that is missing is refused.
    ///
    /// # Source
    /// As [`Rank1Lstm::forward`].
    pub fn forward_with_noise(
        &self,
        xs: Tensor<3>,
        mask: Option<Tensor<2>>,
        noise: &LstmNoise,
    ) -> Result<LstmOutput, Error> {
        let factors = self.draw(noise)?;
        let [_, rows, _] = xs.dims();
        let state = self.zero_state(rows, &xs.device());
        self.apply(xs, state, mask, &factors, noise.n_samples)
    }

    /// Runs over a sequence with given factor values.
    ///
    /// # Shapes
    /// As [`Rank1Lstm::forward`]; `state`: two of `[S*K*B, U]`.
    ///
    /// # Errors
    /// As [`Rank1Lstm::forward`].
    ///
    /// # Numerics
    /// The inputs' products of all steps are one matrix product, cut into steps by halving, so that the backward pass
    /// writes zeros `O(T log T)` times, not `O(T^2)`.
    ///
    /// # Source
    /// As [`Rank1Lstm::forward`]. A masked row keeps its state and repeats its hidden state, as Keras' RNN does.
    pub fn apply(
        &self,
        xs: Tensor<3>,
        state: LstmState,
        mask: Option<Tensor<2>>,
        factors: &LstmFactors,
        n_samples: usize,
    ) -> Result<LstmOutput, Error> {
        let [steps, rows, d_in] = xs.dims();
        if steps == 0 {
            return Err(rank1_core::Error::Empty { op: OP, argument: "xs" }.into());
        }
        if let Some(mask) = &mask {
            expect_shape(OP, "mask", mask, [steps, rows])?;
        }
        self.check_input(rows, d_in, &state, n_samples)?;
        let rowwise = self.rowwise(factors, rows, n_samples)?;
        let products = in_steps(self.input_products(xs, &rowwise));
        let masks = mask.map(|mask| mask.split(1, 0));
        let recurrent_weight = self.recurrent_weight.val();
        let mut state = state;
        let mut hidden = Vec::with_capacity(steps);
        for (t, product) in products.into_iter().enumerate() {
            let next = self.gates(product, &state, recurrent_weight.clone(), &rowwise);
            state = match &masks {
                None => next,
                Some(masks) => kept_where(masks[t].clone().reshape([rows, 1]), next, state),
            };
            hidden.push(state.hidden.clone());
        }
        Ok(LstmOutput { hidden: Tensor::stack(hidden, 0), state })
    }

    /// One step of the cell with given factor values.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, D_in]`; the states two of `[S*K*B, U]`.
    ///
    /// # Errors
    /// As [`Rank1Lstm::forward`].
    ///
    /// # Source
    /// Hochreiter and Schmidhuber 1997 with forget gates; factors as [`Rank1Lstm::forward`].
    pub fn step(
        &self,
        x: Tensor<2>,
        state: &LstmState,
        factors: &LstmFactors,
        n_samples: usize,
    ) -> Result<LstmState, Error> {
        let [rows, d_in] = x.dims();
        self.check_input(rows, d_in, state, n_samples)?;
        let rowwise = self.rowwise(factors, rows, n_samples)?;
        let [_, width] = self.weight.dims();
        let product = self.input_products(x.reshape([1, rows, d_in]), &rowwise).reshape([rows, width]);
        Ok(self.gates(product, state, self.recurrent_weight.val(), &rowwise))
    }

    /// A state of zeros for a number of rows.
    ///
    /// # Shapes
    /// Two of `[rows, U]`.
    #[must_use]
    pub fn zero_state(&self, rows: usize, device: &burn::tensor::Device) -> LstmState {
        let zeros = Tensor::zeros([rows, self.recurrent_weight.dims()[0]], device);
        LstmState { hidden: zeros.clone(), cell: zeros }
    }

    /// Input, output, recurrent input and recurrent output factor.
    fn factors(&self) -> [&Option<Factor>; 4] {
        [&self.input_factor, &self.output_factor, &self.recurrent_input_factor, &self.recurrent_output_factor]
    }

    fn check_input(
        &self,
        rows: usize,
        d_in: usize,
        state: &LstmState,
        n_samples: usize,
    ) -> Result<(), rank1_core::Error> {
        let ([expected, _], [units, _]) = (self.weight.dims(), self.recurrent_weight.dims());
        if rows == 0 {
            return Err(rank1_core::Error::Empty { op: OP, argument: "xs" });
        }
        if d_in != expected {
            let (expected, got) = (vec![rows, expected], vec![rows, d_in]);
            return Err(rank1_core::Error::ShapeMismatch { op: OP, argument: "xs", expected, got });
        }
        expect_shape(OP, "state.hidden", &state.hidden, [rows, units])?;
        expect_shape(OP, "state.cell", &state.cell, [rows, units])?;
        if n_samples == 0 || !rows.is_multiple_of(n_samples * self.n_members) {
            return Err(rank1_core::Error::OutOfRange {
                op: OP,
                argument: "n_samples",
                value: n_samples as f64,
                expected: "positive, and with the number of members a divisor of the rows of `xs`",
            });
        }
        Ok(())
    }

    /// `((x ∘ s) W) ∘ r + b` for all steps, `[T, R, 4U]`.
    fn input_products(&self, xs: Tensor<3>, rowwise: &Rowwise) -> Tensor<3> {
        let [steps, rows, d_in] = xs.dims();
        let [_, width] = self.weight.dims();
        let over_steps = |x: Tensor<3>, factor: &Option<Tensor<2>>, perturbation: Perturbation| match factor {
            Some(factor) => perturb_by(x, factor.clone().unsqueeze_dim(0), perturbation),
            None => x,
        };
        let x = over_steps(xs, &rowwise.input, self.perturbation);
        let z = x.reshape([steps * rows, d_in]).matmul(self.weight.val()).reshape([steps, rows, width]);
        let z = over_steps(z, &rowwise.output, self.perturbation);
        over_steps(z, &rowwise.bias, Perturbation::Additive)
    }

    /// The next state from the inputs' products of a step, `[R, 4U]`.
    fn gates(
        &self,
        product: Tensor<2>,
        state: &LstmState,
        recurrent_weight: Tensor<2>,
        rowwise: &Rowwise,
    ) -> LstmState {
        let perturb = |x: Tensor<2>, factor: &Option<Tensor<2>>| match factor {
            Some(factor) => perturb_by(x, factor.clone(), self.perturbation),
            None => x,
        };
        let h = perturb(state.hidden.clone(), &rowwise.recurrent_input);
        let z = product + perturb(h.matmul(recurrent_weight), &rowwise.recurrent_output);
        // Four cuts of one step's rows: their backward pass writes zeros of that size only.
        let mut gates = z.chunk(4, 1).into_iter();
        let mut gate = || gates.next().expect("the kernels have four columns per unit");
        let (input, forget, cell, output) = (gate(), gate(), gate(), gate());
        let cell = activation::sigmoid(forget) * state.cell.clone()
            + activation::sigmoid(input) * activation::tanh(cell);
        LstmState { hidden: activation::sigmoid(output) * activation::tanh(cell.clone()), cell }
    }
}

/// `[T, R, D]` as T tensors `[R, D]`, by halving.
fn in_steps(x: Tensor<3>) -> Vec<Tensor<2>> {
    let [steps, rows, width] = x.dims();
    if steps == 1 {
        return vec![x.reshape([rows, width])];
    }
    let half = steps / 2;
    let mut out = in_steps(x.clone().narrow(0, 0, half));
    out.extend(in_steps(x.narrow(0, half, steps - half)));
    out
}

/// `next` where the mask is 1, `before` where it is 0.
fn kept_where(mask: Tensor<2>, next: LstmState, before: LstmState) -> LstmState {
    let choose = |next: Tensor<2>, before: Tensor<2>| before.clone() + (next - before) * mask.clone();
    LstmState { hidden: choose(next.hidden, before.hidden), cell: choose(next.cell, before.cell) }
}

#[cfg(test)]
mod tests;
