//! The rank-1 convolution: one shared kernel, factors and a bias per member, one factor entry per channel.
//!
//! Channels first. Activations and normalization are left to the network; random kernels are in [`super::mean_field_conv`].

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use rank1_core::perturb::Perturbation;
use rank1_priors::WeightInit;
use serde::{Deserialize, Serialize};

use super::conv_geometry::ConvGeometry;
use super::kl::factor_terms;
use super::streams::Start;
use super::{
    BayesianLayer, DrawRows, Factor, FactorConfig, FactorNoise, KlTerm, LayerStreams, Pass, initial,
};
use crate::engine::Site;
use crate::error::Error;
use crate::fused::unfused::perturb_by;
#[cfg(feature = "cube")]
use crate::{
    fused::device::{DeviceLayer, LayerFactor},
    layer::drawn::device_layer,
};

const OP: &str = "Rank1Conv2d::apply";

/// Sizes and choices of a [`Rank1Conv2d`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rank1Conv2dConfig {
    /// Number of input channels.
    pub channels_in: usize,
    /// Number of output channels.
    pub channels_out: usize,
    /// Members K.
    pub n_members: usize,
    /// Kernel, stride, dilation and padding.
    pub geometry: ConvGeometry,
    /// Groups of channels; only 1 is defined.
    pub groups: usize,
    /// Factor on the input channels (s).
    pub input_factor: Option<FactorConfig>,
    /// Factor on the output channels (r).
    pub output_factor: Option<FactorConfig>,
    /// Whether there is a bias per member.
    pub bias: bool,
    /// How factors act.
    pub perturbation: Perturbation,
}

impl Rank1Conv2dConfig {
    /// The reference layer: stride 1, same size, Gaussian factors on both sides, a bias, multiplicative.
    ///
    /// # Source
    /// Defaults of the reference code's convolution; its residual networks switch the bias off.
    #[must_use]
    pub fn new(channels_in: usize, channels_out: usize, kernel: [usize; 2], n_members: usize) -> Self {
        Self {
            channels_in,
            channels_out,
            n_members,
            geometry: ConvGeometry::same(kernel),
            groups: 1,
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

    /// A layer with weights from a truncated normal of variance `2 / (kh kw C_in)` and zero biases.
    ///
    /// # Shapes
    /// As the fields of [`Rank1Conv2d`] say.
    ///
    /// # Errors
    /// [`rank1_core::Error::Undefined`] for several groups; a geometry or factor setting outside its domain.
    ///
    /// # Source
    /// He initialization as in the reference code; factors as [`FactorConfig::init`].
    pub fn init(&self, streams: &mut LayerStreams) -> Result<Rank1Conv2d, Error> {
        if self.groups != 1 {
            let what = "a convolution in groups: a channel's factor would act in one group only";
            return Err(rank1_core::Error::Undefined { op: "Rank1Conv2dConfig::init", what }.into());
        }
        self.geometry.check()?;
        let Start { stream, seed } = streams.start();
        let device = streams.device();
        let (fan_in, k) = (self.geometry.taps() * self.channels_in, self.n_members);
        let factor = |config: Option<FactorConfig>, width: usize, part: u64| {
            config.map(|c| c.init(k, width, initial::subseed(seed, part), device)).transpose()
        };
        let shape = [fan_in, self.channels_out];
        Ok(Rank1Conv2d {
            weight: initial::weight(WeightInit::HeNormal, shape, initial::subseed(seed, 0), device)?,
            bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([k, self.channels_out], device))),
            input_factor: factor(self.input_factor, self.channels_in, 1)?,
            output_factor: factor(self.output_factor, self.channels_out, 2)?,
            geometry: self.geometry,
            perturbation: self.perturbation,
            n_members: k,
            stream,
        })
    }
}

/// `y = conv(x ∘ s, W) ∘ r + b` with a draw of s and r per member and example, equal at all positions.
///
/// # Shapes
/// `[S*K*B, C_in, H, W]` to `[S*K*B, C_out, H', W']`, rows in the order sample, member, example: those of [`Pass::tile`].
///
/// # Streams
/// Draws from [`Rank1Conv2d::stream`], which [`LayerStreams`] gave; the same pass draws the same factors again.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{LayerStreams, Pass, Rank1Conv2dConfig};
///
/// let device = Device::flex();
/// let mut streams = LayerStreams::new(7, &device);
/// let layer = Rank1Conv2dConfig::new(3, 8, [3, 3], 2).init(&mut streams)?;    // 3 to 8 channels, 2 members
/// let pass = Pass::training(7, 0, 2);
/// let y = layer.forward(pass.tile(Tensor::ones([4, 3, 6, 5], &device))?, &pass)?;
/// assert_eq!(y.dims(), [2 * 4, 8, 6, 5]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct Rank1Conv2d {
    /// Shared kernel, `[kh*kw*C_in, C_out]`, row `(i*kw + j)*C_in + c`.
    pub weight: Param<Tensor<2>>,
    /// Bias, `[K, C_out]`.
    pub bias: Option<Param<Tensor<2>>>,
    /// Factor on the input channels (s), `[K, C_in]`.
    pub input_factor: Option<Factor>,
    /// Factor on the output channels (r), `[K, C_out]`.
    pub output_factor: Option<Factor>,
    /// Kernel, stride, dilation and padding.
    #[module(skip)]
    pub geometry: ConvGeometry,
    /// How factors act.
    #[module(skip)]
    pub perturbation: Perturbation,
    /// Members K.
    pub n_members: usize,
    /// Number of the noise stream.
    pub stream: usize,
}

impl Rank1Conv2d {
    /// Draws both factors by counter and applies the layer.
    ///
    /// Where the kernels of a device reach, they draw too, once more in the backward pass, and no draw is stored.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, C_in, H, W]`, rows in the order sample, member, example; returns `[S*K*B, C_out, H', W']`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] names the argument that does not fit, [`rank1_core::Error::OutOfRange`] rows or members
    /// of another pass and a kernel larger than the padded image.
    ///
    /// # Numerics
    /// Draws of a device differ from the host's by rounding.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3 and appendix; the reference code ties factors to channels, not to taps, and
    /// does not multiply the bias by r.
    pub fn forward(&self, x: Tensor<4>, pass: &Pass) -> Result<Tensor<4>, Error> {
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
    /// As [`Rank1Conv2d::forward`].
    ///
    /// # Errors
    /// As [`Rank1Conv2d::forward`]; noise that is missing is refused.
    ///
    /// # Source
    /// As [`Rank1Conv2d::forward`].
    pub fn forward_with_noise(&self, x: Tensor<4>, noise: &FactorNoise) -> Result<Tensor<4>, Error> {
        let [input_factor, output_factor] = noise.draw([&self.input_factor, &self.output_factor])?;
        self.apply(x, input_factor, output_factor, noise.n_samples)
    }

    #[cfg(feature = "cube")]
    pub(crate) fn drawn_on_device(&self, x: &Tensor<4>, rows: &DrawRows) -> Option<Tensor<4>> {
        let factors = [&self.input_factor, &self.output_factor];
        let extent = (self.n_members, x.dims()[0]);
        device_layer(factors, &self.weight, self.bias.as_ref(), self.perturbation, extent, rows)?
            .convolution(x, &self.geometry)
    }

    /// Applies the layer with given factor values.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, C_in, H, W]`; factors `[S*K*B, C]` or `[S*K, C]`; returns `[S*K*B, C_out, H', W']`.
    ///
    /// # Errors
    /// As [`Rank1Conv2d::forward`].
    ///
    /// # Source
    /// As [`Rank1Conv2d::forward`]; an additive factor is added before the image is padded, so that padding stays zero.
    pub fn apply(
        &self,
        x: Tensor<4>,
        input_factor: Option<Tensor<2>>,
        output_factor: Option<Tensor<2>>,
        n_samples: usize,
    ) -> Result<Tensor<4>, Error> {
        let slots = n_samples * self.n_members;
        let [rows, ..] = x.dims();
        if x.shape().num_elements() == 0 {
            return Err(rank1_core::Error::Empty { op: OP, argument: "x" }.into());
        }
        if slots == 0 || rows % slots != 0 {
            return Err(rank1_core::Error::OutOfRange {
                op: OP,
                argument: "n_samples",
                value: n_samples as f64,
                expected: "positive, and with the number of members a divisor of the rows of `x`",
            }
            .into());
        }
        let bias = self.bias.as_ref().map(|bias| bias.val().repeat_dim(0, n_samples));
        #[cfg(feature = "cube")]
        {
            let layer = DeviceLayer {
                weight: self.weight.val(),
                input_factor: input_factor.clone().map(LayerFactor::Given),
                output_factor: output_factor.clone().map(LayerFactor::Given),
                bias: bias.clone(),
                n_members: slots,
                perturbation: self.perturbation,
            };
            if let Some(y) = layer.convolution(&x, &self.geometry) {
                return Ok(y);
            }
        }
        let perturb = |x: Tensor<4>, factor: Option<Tensor<2>>, argument: &'static str| match factor {
            Some(factor) => by_channel(x, factor, slots, self.perturbation, argument),
            None => Ok(x),
        };
        let x = perturb(x, input_factor, "input_factor")?;
        let y = self.geometry.convolve(x, self.weight.val())?;
        let y = perturb(y, output_factor, "output_factor")?;
        let Some(bias) = bias else { return Ok(y) };
        Ok(by_channel(y, bias, slots, Perturbation::Additive, "bias")?)
    }

    /// The standard noise of a pass, by counter.
    ///
    /// # Shapes
    /// `input`: `[S*K*B, C_in]` or `[S*K, C_in]`; `output` the same with `C_out`.
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] if `rows` is for another number of members.
    ///
    /// # Source
    /// [`DrawRows::noise`].
    pub fn noise(&self, rows: &DrawRows) -> Result<FactorNoise, Error> {
        let device = self.weight.val().device().without_autodiff();
        let factors = [&self.input_factor, &self.output_factor];
        FactorNoise::of("Rank1Conv2d::noise", factors, self.n_members, rows, &device)
    }
}

impl BayesianLayer for Rank1Conv2d {
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

/// `x ∘ f` or `x + f` with one entry of `f` per channel.
///
/// `x` is `[slots*B, C, H, W]`, `factor` `[slots*B, C]` or `[slots, C]`.
pub(super) fn by_channel(
    x: Tensor<4>,
    factor: Tensor<2>,
    slots: usize,
    perturbation: Perturbation,
    argument: &'static str,
) -> Result<Tensor<4>, rank1_core::Error> {
    let [rows, channels, height, width] = x.dims();
    let got = factor.dims();
    if got != [rows, channels] && got != [slots, channels] {
        let expected = vec![rows, channels];
        return Err(rank1_core::Error::ShapeMismatch { op: OP, argument, expected, got: got.to_vec() });
    }
    let x = x.reshape([slots, rows / slots, channels, height * width]);
    let factor = factor.reshape([slots, got[0] / slots, channels, 1]);
    Ok(perturb_by(x, factor, perturbation).reshape([rows, channels, height, width]))
}

#[cfg(test)]
mod tests;
