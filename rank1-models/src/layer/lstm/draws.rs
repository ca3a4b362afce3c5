//! Noise and values of the four factors of a rank-1 LSTM, drawn once for all steps of a sequence.

use burn::tensor::Tensor;

use super::{OP, Rank1Lstm};
use crate::engine::Site;
use crate::error::Error;
use crate::layer::kl::factor_terms;
use crate::layer::{BayesianLayer, DrawRows, Factor, KlTerm, draw, noise_rows};

/// Streams of input, output, recurrent input and recurrent output factor.
///
/// An LSTM has no Flipout signs and no random weights, so that their streams are free for its recurrent factors.
const SITES: [Site; 4] = [Site::InputFactor, Site::OutputFactor, Site::InputSign, Site::OutputSign];

/// Streams of their Monte-Carlo divergences.
const KL_SITES: [Site; 4] = [Site::InputKl, Site::OutputKl, Site::WeightKl, Site::Weight];

/// Standard noise of the four factors for one sequence; none where a factor needs none.
#[derive(Debug, Clone)]
pub struct LstmNoise {
    /// `[S*K*B, D_in]` or `[S*K, D_in]`.
    pub input: Option<Tensor<2>>,
    /// `[S*K*B, 4U]` or `[S*K, 4U]`.
    pub output: Option<Tensor<2>>,
    /// `[S*K*B, U]` or `[S*K, U]`.
    pub recurrent_input: Option<Tensor<2>>,
    /// `[S*K*B, 4U]` or `[S*K, 4U]`.
    pub recurrent_output: Option<Tensor<2>>,
    /// Samples S.
    pub n_samples: usize,
}

/// Values of the four factors, in the shapes of [`LstmNoise`].
#[derive(Debug, Clone, Default)]
pub struct LstmFactors {
    /// s.
    pub input: Option<Tensor<2>>,
    /// r.
    pub output: Option<Tensor<2>>,
    /// s'.
    pub recurrent_input: Option<Tensor<2>>,
    /// r'.
    pub recurrent_output: Option<Tensor<2>>,
}

/// Factors and bias with a row of their own for every row of the batch.
#[derive(Debug)]
pub(super) struct Rowwise {
    pub(super) input: Option<Tensor<2>>,
    pub(super) output: Option<Tensor<2>>,
    pub(super) recurrent_input: Option<Tensor<2>>,
    pub(super) recurrent_output: Option<Tensor<2>>,
    pub(super) bias: Option<Tensor<2>>,
}

impl Rank1Lstm {
    /// The standard noise of a sequence, by counter.
    ///
    /// # Shapes
    /// See [`LstmNoise`].
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] if `rows` is for another number of members.
    ///
    /// # Source
    /// [`DrawRows::noise`]: one draw a sequence per member and example, as the reference code.
    pub fn noise(&self, rows: &DrawRows) -> Result<LstmNoise, Error> {
        let device = self.weight.val().device().without_autodiff();
        let noise = |factor: &Option<Factor>, site: Site| {
            noise_rows("Rank1Lstm::noise", factor.as_ref(), self.n_members, rows, site, &device)
        };
        let [input, output, recurrent_input, recurrent_output] = self.factors();
        Ok(LstmNoise {
            input: noise(input, SITES[0])?,
            output: noise(output, SITES[1])?,
            recurrent_input: noise(recurrent_input, SITES[2])?,
            recurrent_output: noise(recurrent_output, SITES[3])?,
            n_samples: rows.n_samples,
        })
    }

    /// Values of the four factors.
    ///
    /// # Shapes
    /// See [`LstmFactors`].
    ///
    /// # Errors
    /// As [`Factor::draw`].
    ///
    /// # Source
    /// [`Factor::draw`].
    pub fn draw(&self, noise: &LstmNoise) -> Result<LstmFactors, Error> {
        let draw = |factor: &Option<Factor>, values: &Option<Tensor<2>>| {
            draw(factor.as_ref(), values, noise.n_samples)
        };
        let [input, output, recurrent_input, recurrent_output] = self.factors();
        Ok(LstmFactors {
            input: draw(input, &noise.input)?,
            output: draw(output, &noise.output)?,
            recurrent_input: draw(recurrent_input, &noise.recurrent_input)?,
            recurrent_output: draw(recurrent_output, &noise.recurrent_output)?,
        })
    }

    /// One row per row of the batch.
    pub(super) fn rowwise(
        &self,
        factors: &LstmFactors,
        rows: usize,
        n_samples: usize,
    ) -> Result<Rowwise, Error> {
        let slots = n_samples * self.n_members;
        let ([d_in, width], [units, _]) = (self.weight.dims(), self.recurrent_weight.dims());
        let spread = |argument: &'static str, factor: Option<Tensor<2>>, width: usize| {
            let Some(factor) = factor else { return Ok(None) };
            let got = factor.dims();
            if got == [rows, width] {
                return Ok(Some(factor));
            }
            if got != [slots, width] {
                let (expected, got) = (vec![rows, width], got.to_vec());
                return Err(rank1_core::Error::ShapeMismatch { op: OP, argument, expected, got });
            }
            let each = factor.reshape([slots, 1, width]).repeat_dim(1, rows / slots);
            Ok(Some(each.reshape([rows, width])))
        };
        let bias = self.bias.as_ref().map(|bias| bias.val().repeat_dim(0, n_samples));
        let [input, output] = [factors.input.clone(), factors.output.clone()];
        let [recurrent_input, recurrent_output] =
            [factors.recurrent_input.clone(), factors.recurrent_output.clone()];
        Ok(Rowwise {
            input: spread("input_factor", input, d_in)?,
            output: spread("output_factor", output, width)?,
            recurrent_input: spread("recurrent_input_factor", recurrent_input, units)?,
            recurrent_output: spread("recurrent_output_factor", recurrent_output, width)?,
            bias: spread("bias", bias, width)?,
        })
    }
}

impl BayesianLayer for Rank1Lstm {
    fn stream(&self) -> usize {
        self.stream
    }

    fn n_members(&self) -> usize {
        self.n_members
    }

    fn kl_terms(&self) -> Vec<KlTerm> {
        let [input, output, recurrent_input, recurrent_output] = self.factors();
        factor_terms([
            (input, KL_SITES[0]),
            (output, KL_SITES[1]),
            (recurrent_input, KL_SITES[2]),
            (recurrent_output, KL_SITES[3]),
        ])
    }
}
