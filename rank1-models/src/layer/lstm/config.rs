//! Sizes, choices and initial values of a rank-1 LSTM; what it computes is in the parent module.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rank1_core::perturb::Perturbation;
use rank1_priors::WeightInit;
use serde::{Deserialize, Serialize};

use super::Rank1Lstm;
use crate::error::Error;
use crate::layer::streams::Start;
use crate::layer::{FactorConfig, LayerStreams, initial};

/// Sizes and choices of a [`Rank1Lstm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rank1LstmConfig {
    /// Number of inputs.
    pub d_in: usize,
    /// Units U.
    pub n_units: usize,
    /// Members K.
    pub n_members: usize,
    /// Factor on the inputs (s).
    pub input_factor: Option<FactorConfig>,
    /// Factor on the inputs' gates (r).
    pub output_factor: Option<FactorConfig>,
    /// Factor on the hidden state (s').
    pub recurrent_input_factor: Option<FactorConfig>,
    /// Factor on the hidden state's gates (r').
    pub recurrent_output_factor: Option<FactorConfig>,
    /// Whether there is a bias per member.
    pub bias: bool,
    /// Whether the bias of forget gates starts at 1.
    pub unit_forget_bias: bool,
    /// How factors act.
    pub perturbation: Perturbation,
}

impl Rank1LstmConfig {
    /// The reference cell: four Gaussian factors without clipping, forget gates open at the start, multiplicative.
    ///
    /// # Source
    /// Defaults of the reference code's LSTM cell.
    #[must_use]
    pub fn new(d_in: usize, n_units: usize, n_members: usize) -> Self {
        let factor = Some(FactorConfig { clip: None, ..FactorConfig::default() });
        Self {
            d_in,
            n_units,
            n_members,
            input_factor: factor,
            output_factor: factor,
            recurrent_input_factor: factor,
            recurrent_output_factor: factor,
            bias: true,
            unit_forget_bias: true,
            perturbation: Perturbation::Multiplicative,
        }
    }

    /// The same with all four factors as `factor` says.
    #[must_use]
    pub fn with_factors(self, factor: FactorConfig) -> Self {
        let factor = Some(factor);
        Self {
            input_factor: factor,
            output_factor: factor,
            recurrent_input_factor: factor,
            recurrent_output_factor: factor,
            ..self
        }
    }

    /// A layer with uniform input weights, orthogonal recurrent weights and biases of 0, or 1 for forget gates.
    ///
    /// # Shapes
    /// As the fields of [`Rank1Lstm`] say.
    ///
    /// # Errors
    /// A width of zero or a factor setting outside its domain.
    ///
    /// # Source
    /// Keras' LSTM: Glorot uniform over `[D_in, 4U]`, orthogonal over `[U, 4U]`, unit forget bias.
    pub fn init(&self, streams: &mut LayerStreams) -> Result<Rank1Lstm, Error> {
        let Start { stream, seed } = streams.start();
        let device = streams.device();
        let (d_in, units, k) = (self.d_in, self.n_units, self.n_members);
        let seed = |part: u64| initial::subseed(seed, part);
        let factor = |config: Option<FactorConfig>, width: usize, part: u64| {
            // Parts beyond the three of a seed would meet those of the next one.
            config.map(|c| c.init(k, width, initial::subseed(seed(3), part), device)).transpose()
        };
        let weight =
            |init, rows: usize, part: u64| initial::weight(init, [rows, 4 * units], seed(part), device);
        Ok(Rank1Lstm {
            weight: weight(WeightInit::GlorotUniform, d_in, 0)?,
            recurrent_weight: weight(WeightInit::Orthogonal, units, 1)?,
            bias: self.bias.then(|| Param::from_tensor(self.initial_bias(device))),
            input_factor: factor(self.input_factor, d_in, 0)?,
            output_factor: factor(self.output_factor, 4 * units, 1)?,
            recurrent_input_factor: factor(self.recurrent_input_factor, units, 2)?,
            recurrent_output_factor: factor(self.recurrent_output_factor, 4 * units, 3)?,
            perturbation: self.perturbation,
            n_members: k,
            stream,
        })
    }

    /// Zeros, with ones for the forget gates if asked for, `[K, 4U]`.
    fn initial_bias(&self, device: &Device) -> Tensor<2> {
        let (units, k) = (self.n_units, self.n_members);
        let forget = |column: usize| self.unit_forget_bias && (units..2 * units).contains(&column);
        let row = (0..4 * units).map(|column| if forget(column) { 1.0_f32 } else { 0.0 });
        let values: Vec<f32> = row.collect::<Vec<_>>().repeat(k);
        Tensor::from_data(TensorData::new(values, [k, 4 * units]), device)
    }
}
