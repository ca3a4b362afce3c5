//! The rank-1 linear layer: one shared weight, factors and a bias per member.
//!
//! Activations are left to the network. For random weights see [`super::mean_field`].

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rank1_core::perturb::Perturbation;
use rank1_priors::WeightInit;
use serde::{Deserialize, Serialize};

use super::kl::factor_terms;
use super::streams::Start;
use super::{
    BayesianLayer, DrawRows, Factor, FactorConfig, KlTerm, LayerStreams, Pass, draw, initial, noise_rows,
};
use crate::engine::Site;
use crate::error::Error;
use crate::fused::perturbed_linear;
#[cfg(feature = "cube")]
use crate::layer::drawn::device_layer;

/// Sizes and choices of a [`Rank1Linear`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rank1LinearConfig {
    /// Number of inputs.
    pub d_in: usize,
    /// Number of outputs.
    pub d_out: usize,
    /// Members K.
    pub n_members: usize,
    /// Factor on the inputs (s).
    pub input_factor: Option<FactorConfig>,
    /// Factor on the outputs (r).
    pub output_factor: Option<FactorConfig>,
    /// Whether there is a bias per member.
    pub bias: bool,
    /// How factors act.
    pub perturbation: Perturbation,
}

impl Rank1LinearConfig {
    /// The reference layer: Gaussian factors on both sides, a bias, multiplicative.
    ///
    /// # Source
    /// Defaults of the reference code's dense layer.
    #[must_use]
    pub fn new(d_in: usize, d_out: usize, n_members: usize) -> Self {
        Self {
            d_in,
            d_out,
            n_members,
            input_factor: Some(FactorConfig::default()),
            output_factor: Some(FactorConfig::default()),
            bias: true,
            perturbation: Perturbation::Multiplicative,
        }
    }

    /// The same with both factors as `factor` says.
    #[must_use]
    pub fn with_factors(self, factor: FactorConfig) -> Self {
        Self { input_factor: Some(factor), output_factor: Some(factor), ..self }
    }

    /// A layer with weights from a truncated normal of variance `2 / D_in` and zero biases.
    ///
    /// # Shapes
    /// As the fields of [`Rank1Linear`] say.
    ///
    /// # Errors
    /// A factor setting outside its domain.
    ///
    /// # Source
    /// He initialization as in the reference code; factors as [`FactorConfig::init`].
    pub fn init(&self, streams: &mut LayerStreams) -> Result<Rank1Linear, Error> {
        let Start { stream, seed } = streams.start();
        let device = streams.device();
        let (d_in, d_out, k) = (self.d_in, self.d_out, self.n_members);
        let factor = |config: Option<FactorConfig>, width: usize, part: u64| {
            config.map(|c| c.init(k, width, initial::subseed(seed, part), device)).transpose()
        };
        Ok(Rank1Linear {
            weight: initial::weight(WeightInit::HeNormal, [d_in, d_out], initial::subseed(seed, 0), device)?,
            bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([k, d_out], device))),
            input_factor: factor(self.input_factor, d_in, 1)?,
            output_factor: factor(self.output_factor, d_out, 2)?,
            perturbation: self.perturbation,
            n_members: k,
            stream,
        })
    }
}

/// Standard noise of both factors for one pass.
#[derive(Debug, Clone)]
pub struct FactorNoise {
    /// For the input factor, `[S*K*B, D_in]` or `[S*K, D_in]`; none if it needs none.
    pub input: Option<Tensor<2>>,
    /// For the output factor, `[S*K*B, D_out]` or `[S*K, D_out]`; none if it needs none.
    pub output: Option<Tensor<2>>,
    /// Samples S.
    pub n_samples: usize,
}

impl FactorNoise {
    /// Noise of a pass for an input and an output factor.
    pub(super) fn of(
        op: &'static str,
        [input, output]: [&Option<Factor>; 2],
        n_members: usize,
        rows: &DrawRows,
        device: &Device,
    ) -> Result<Self, Error> {
        let noise =
            |factor: &Option<Factor>, site| noise_rows(op, factor.as_ref(), n_members, rows, site, device);
        let (input, output) = (noise(input, Site::InputFactor)?, noise(output, Site::OutputFactor)?);
        Ok(Self { input, output, n_samples: rows.n_samples })
    }

    /// Values of an input and an output factor.
    pub(super) fn draw(
        &self,
        [input, output]: [&Option<Factor>; 2],
    ) -> Result<[Option<Tensor<2>>; 2], Error> {
        let s = self.n_samples;
        Ok([draw(input.as_ref(), &self.input, s)?, draw(output.as_ref(), &self.output, s)?])
    }
}

/// `y = ((x ∘ s) W) ∘ r + b` with a draw of s and r per member and example.
///
/// # Shapes
/// `[S*K*B, D_in]` to `[S*K*B, D_out]`, rows in the order sample, member, example: those of [`Pass::tile`].
///
/// # Streams
/// Draws from [`Rank1Linear::stream`], which [`LayerStreams`] gave; the same pass draws the same factors again.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{LayerStreams, Pass, Rank1LinearConfig};
///
/// let device = Device::flex();
/// let mut streams = LayerStreams::new(7, &device);
/// let layer = Rank1LinearConfig::new(5, 2, 3).init(&mut streams)?;     // 5 inputs, 2 outputs, 3 members
/// let pass = Pass::training(7, 0, 3);
/// let y = layer.forward(pass.tile(Tensor::ones([4, 5], &device))?, &pass)?;
/// assert_eq!(pass.untile(y)?.dims(), [1, 3, 4, 2]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Rank1Linear {
    /// Shared weight, `[D_in, D_out]`.
    pub weight: Param<Tensor<2>>,
    /// Bias, `[K, D_out]`.
    pub bias: Option<Param<Tensor<2>>>,
    /// Factor on the inputs (s), `[K, D_in]`.
    pub input_factor: Option<Factor>,
    /// Factor on the outputs (r), `[K, D_out]`.
    pub output_factor: Option<Factor>,
    /// How factors act.
    #[module(skip)]
    pub perturbation: Perturbation,
    /// Members K.
    pub n_members: usize,
    /// Number of the noise stream.
    pub stream: usize,
}

impl Rank1Linear {
    /// Draws both factors by counter and applies the layer.
    ///
    /// Where the kernels of a device reach, they draw too, once more in the backward pass, and no draw is stored.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, D_in]`, rows in the order sample, member, example; returns `[S*K*B, D_out]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] names the argument that does not fit, [`rank1_core::Error::OutOfRange`] rows or members
    /// of another pass.
    ///
    /// # Numerics
    /// Draws of a device differ from the host's by rounding.
    ///
    /// # Source
    /// Dusenberry et al. 2020, Eq. 1; the bias is not multiplied by r, as in the reference code.
    pub fn forward(&self, x: Tensor<2>, pass: &Pass) -> Result<Tensor<2>, Error> {
        let rows = pass.rows(self.stream, x.dims()[0])?;
        #[cfg(feature = "cube")]
        if let Some(y) = self.drawn_on_device(&x, &rows) {
            return Ok(y);
        }
        self.forward_with_noise(x, &self.noise(&rows)?)
    }

    /// Draws both factors from given noise and applies the layer.
    ///
    /// # Shapes
    /// As [`Rank1Linear::forward`].
    ///
    /// # Errors
    /// As [`Rank1Linear::forward`]; noise that is missing is refused.
    ///
    /// # Source
    /// As [`Rank1Linear::forward`].
    pub fn forward_with_noise(&self, x: Tensor<2>, noise: &FactorNoise) -> Result<Tensor<2>, Error> {
        let [input_factor, output_factor] = noise.draw([&self.input_factor, &self.output_factor])?;
        self.apply(x, input_factor, output_factor, noise.n_samples)
    }

    #[cfg(feature = "cube")]
    pub(crate) fn drawn_on_device(&self, x: &Tensor<2>, rows: &DrawRows) -> Option<Tensor<2>> {
        let factors = [&self.input_factor, &self.output_factor];
        let extent = (self.n_members, x.dims()[0]);
        device_layer(factors, &self.weight, self.bias.as_ref(), self.perturbation, extent, rows)?.linear(x)
    }

    /// Applies the layer with given factor values.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, D_in]`; factors `[S*K*B, D]` or `[S*K, D]`; returns `[S*K*B, D_out]`.
    ///
    /// # Errors
    /// As [`Rank1Linear::forward`].
    ///
    /// # Source
    /// As [`Rank1Linear::forward`]; this entry takes draws as they are, clipped or not.
    pub fn apply(
        &self,
        x: Tensor<2>,
        input_factor: Option<Tensor<2>>,
        output_factor: Option<Tensor<2>>,
        n_samples: usize,
    ) -> Result<Tensor<2>, Error> {
        let bias = self.bias.as_ref().map(|bias| repeat_rows(bias.val(), n_samples));
        let slots = n_samples * self.n_members;
        Ok(perturbed_linear(
            x,
            self.weight.val(),
            input_factor,
            output_factor,
            bias,
            slots,
            self.perturbation,
        )?)
    }

    /// The standard noise of a pass, by counter.
    ///
    /// # Shapes
    /// See [`FactorNoise`].
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] if `rows` is for another number of members.
    ///
    /// # Source
    /// [`DrawRows::noise`].
    pub fn noise(&self, rows: &DrawRows) -> Result<FactorNoise, Error> {
        let device = self.weight.val().device().without_autodiff();
        let factors = [&self.input_factor, &self.output_factor];
        FactorNoise::of("Rank1Linear::noise", factors, self.n_members, rows, &device)
    }
}

impl BayesianLayer for Rank1Linear {
    fn stream(&self) -> usize {
        self.stream
    }

    fn n_members(&self) -> usize {
        self.n_members
    }

    fn kl_terms(&self) -> Vec<KlTerm> {
        factor_terms([(&self.input_factor, Site::InputKl), (&self.output_factor, Site::OutputKl)])
    }
}

fn repeat_rows(tensor: Tensor<2>, times: usize) -> Tensor<2> {
    if times == 1 { tensor } else { tensor.repeat_dim(0, times) }
}
