//! Convolution with a Gaussian per weight: reparameterized (one draw per batch) or Flipout.
//!
//! Shared by all members; the bias is a point estimate. For factors per member see [`super::conv`].

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use rank1_core::noise::NoiseKind;
use rank1_core::perturb::Perturbation;
use rank1_priors::{PriorSpec, WeightInit};
use serde::{Deserialize, Serialize};

use super::conv::by_channel;
use super::conv_geometry::ConvGeometry;
use super::kl::weight_term;
use super::scale::positive_scale;
use super::streams::Start;
use super::{
    BayesianLayer, DrawRows, FlipoutSigns, KlTerm, LayerStreams, Pass, WeightNoise, expect_shape, initial,
};
use crate::engine::Site;
use crate::error::Error;
use crate::method::{Estimator, Granularity};

/// Sizes and choices of a [`MeanFieldConv2d`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanFieldConv2dConfig {
    /// Number of input channels.
    pub channels_in: usize,
    /// Number of output channels.
    pub channels_out: usize,
    /// Kernel, stride, dilation and padding.
    pub geometry: ConvGeometry,
    /// Whether there is a bias.
    pub bias: bool,
    /// Start of every posterior standard deviation.
    pub initial_std: f64,
    /// How a draw enters a batch.
    pub estimator: Estimator,
}

impl MeanFieldConv2dConfig {
    /// Stride 1, same size, a bias and posterior standard deviation 1e-3, reparameterized.
    #[must_use]
    pub fn new(channels_in: usize, channels_out: usize, kernel: [usize; 2]) -> Self {
        let geometry = ConvGeometry::same(kernel);
        let estimator = Estimator::Reparameterized;
        Self { channels_in, channels_out, geometry, bias: true, initial_std: 1e-3, estimator }
    }

    /// A layer with means from a truncated normal of variance `2 / (kh kw C_in)`, equal scales and zero biases.
    ///
    /// # Shapes
    /// As the fields of [`MeanFieldConv2d`] say.
    ///
    /// # Errors
    /// An initial standard deviation that is not positive, or a geometry with a zero.
    ///
    /// # Source
    /// He initialization; scales as the reference code's `trainable_normal` without its jitter.
    pub fn init(&self, streams: &mut LayerStreams) -> Result<MeanFieldConv2d, Error> {
        self.geometry.check()?;
        let shape = [self.geometry.taps() * self.channels_in, self.channels_out];
        let raw = rank1_priors::scale_to_raw(self.initial_std)? as f32;
        let Start { stream, seed } = streams.start();
        let device = streams.device();
        Ok(MeanFieldConv2d {
            mean: initial::weight(WeightInit::HeNormal, shape, seed, device)?,
            raw_scale: Param::from_tensor(Tensor::full(shape, raw, device)),
            bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([1, self.channels_out], device))),
            geometry: self.geometry,
            estimator: self.estimator,
            stream,
        })
    }
}

/// `y = conv(x, W) + b` with `W = mean + scale ∘ noise`, one draw per sample.
///
/// # Shapes
/// `[S*K*B, C_in, H, W]` to `[S*K*B, C_out, H', W']`, rows of sample 0 first; all members share the draws.
///
/// # Streams
/// Draws from [`MeanFieldConv2d::stream`], which [`LayerStreams`] gave; the same pass draws the same weights again.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{LayerStreams, MeanFieldConv2dConfig, Pass};
///
/// let device = Device::flex();
/// let layer = MeanFieldConv2dConfig::new(3, 8, [3, 3]).init(&mut LayerStreams::new(7, &device))?;
/// let pass = Pass::prediction(7, 2, 1);                                       // 2 samples of one member
/// let y = layer.forward(pass.tile(Tensor::ones([4, 3, 6, 5], &device))?, &pass)?;
/// assert_eq!(y.dims(), [2 * 4, 8, 6, 5]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct MeanFieldConv2d {
    /// Means, `[kh*kw*C_in, C_out]`, row `(i*kw + j)*C_in + c`.
    pub mean: Param<Tensor<2>>,
    /// Unconstrained standard deviations, as the means.
    pub raw_scale: Param<Tensor<2>>,
    /// Bias, `[1, C_out]`.
    pub bias: Option<Param<Tensor<2>>>,
    /// Kernel, stride, dilation and padding.
    #[module(skip)]
    pub geometry: ConvGeometry,
    /// How a draw enters a batch.
    #[module(skip)]
    pub estimator: Estimator,
    /// Number of the noise stream.
    pub stream: usize,
}

impl MeanFieldConv2d {
    /// Draws the weight by counter and applies the layer to S samples of a batch; members share the draw.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, C_in, H, W]`, rows of sample 0 first; returns `[S*K*B, C_out, H', W']`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] names the argument that does not fit; otherwise as
    /// [`ConvGeometry::convolve`].
    ///
    /// # Source
    /// Reparameterized: Blundell et al. 2015, arXiv:1505.05424. Flipout: Wen et al. 2018, arXiv:1803.04386, section
    /// 3.2: a sign per example and channel, equal at all positions.
    pub fn forward(&self, x: Tensor<4>, pass: &Pass) -> Result<Tensor<4>, Error> {
        let rows = pass.rows(self.stream, x.dims()[0])?;
        self.forward_with_noise(x, &self.noise(&rows))
    }

    /// Applies the layer with the weight of given noise.
    ///
    /// # Shapes
    /// As [`MeanFieldConv2d::forward`]; `noise` as [`MeanFieldConv2d::noise`] gives it.
    ///
    /// # Errors
    /// As [`MeanFieldConv2d::forward`].
    ///
    /// # Source
    /// As [`MeanFieldConv2d::forward`].
    pub fn forward_with_noise(&self, x: Tensor<4>, noise: &WeightNoise) -> Result<Tensor<4>, Error> {
        const OP: &str = "MeanFieldConv2d::forward";
        let mean = self.mean.val();
        let [fan_in, channels_out] = mean.dims();
        let [rows, channels_in, ..] = x.dims();
        let [samples, ..] = noise.weight.dims();
        expect_shape(OP, "noise.weight", &noise.weight, [samples, fan_in, channels_out])?;
        if samples == 0 || rows == 0 || rows % samples != 0 {
            return Err(rank1_core::Error::OutOfRange {
                op: OP,
                argument: "samples",
                value: samples as f64,
                expected: "a divisor of the number of rows of `x`",
            }
            .into());
        }
        let scale = positive_scale(self.raw_scale.val());
        let y = match &noise.signs {
            None => self.by_sample(x, noise, |draw| mean.clone() + scale.clone() * draw)?,
            Some(signs) => {
                expect_shape(OP, "noise.signs.input", &signs.input, [rows, channels_in])?;
                expect_shape(OP, "noise.signs.output", &signs.output, [rows, channels_out])?;
                let flip = |x: Tensor<4>, signs: &Tensor<2>, argument: &'static str| {
                    by_channel(x, signs.clone(), rows, Perturbation::Multiplicative, argument)
                };
                let flipped = flip(x.clone(), &signs.input, "noise.signs.input")?;
                let noisy = self.by_sample(flipped, noise, |draw| scale.clone() * draw)?;
                self.geometry.convolve(x, mean)? + flip(noisy, &signs.output, "noise.signs.output")?
            }
        };
        Ok(match &self.bias {
            Some(bias) => y + bias.val().reshape([1, channels_out, 1, 1]),
            None => y,
        })
    }

    /// Convolves the rows of each sample with the weight of its draw.
    fn by_sample(
        &self,
        x: Tensor<4>,
        noise: &WeightNoise,
        weight: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<Tensor<4>, Error> {
        let [samples, fan_in, channels_out] = noise.weight.dims();
        let draws = noise.weight.clone().split(1, 0).into_iter().map(|d| d.reshape([fan_in, channels_out]));
        let [rows, ..] = x.dims();
        let parts = x.split(rows / samples, 0).into_iter().zip(draws);
        let parts: Result<Vec<_>, _> =
            parts.map(|(part, draw)| self.geometry.convolve(part, weight(draw))).collect();
        Ok(Tensor::cat(parts?, 0))
    }

    /// The standard noise of a pass, by counter.
    ///
    /// # Shapes
    /// `weight`: `[S, kh*kw*C_in, C_out]`; signs `[S*K*B, C_in]` and `[S*K*B, C_out]`.
    ///
    /// # Source
    /// [`DrawRows::weight_noise`]; signs from streams of their own.
    #[must_use]
    pub fn noise(&self, rows: &DrawRows) -> WeightNoise {
        let [fan_in, channels_out] = self.mean.dims();
        let channels_in = fan_in / self.geometry.taps();
        let device = self.mean.val().device().without_autodiff();
        let signs = |site: Site, width: usize| {
            rows.noise(site, NoiseKind::Sign, Granularity::PerExample, width, &device)
        };
        WeightNoise {
            weight: rows.weight_noise(fan_in, channels_out, &device),
            signs: (self.estimator == Estimator::Flipout).then(|| FlipoutSigns {
                input: signs(Site::InputSign, channels_in),
                output: signs(Site::OutputSign, channels_out),
            }),
        }
    }

    /// KL of all weights to a prior, in nats.
    ///
    /// # Shapes
    /// `noise`: `draws * kh*kw*C_in * C_out` standard normal values where there is no closed form; returns `[1]`.
    ///
    /// # Errors
    /// A prior without a divergence from a Gaussian, or noise of the wrong length.
    ///
    /// # Source
    /// [`rank1_priors::kl_and_grad`].
    pub fn kl(&self, prior: PriorSpec, noise: Option<&[f32]>) -> Result<Tensor<1>, Error> {
        weight_term(&self.mean, &self.raw_scale).divergence(prior, noise)
    }
}

impl BayesianLayer for MeanFieldConv2d {
    fn stream(&self) -> usize {
        self.stream
    }

    fn n_members(&self) -> usize {
        1
    }

    fn kl_terms(&self) -> Vec<KlTerm> {
        vec![weight_term(&self.mean, &self.raw_scale)]
    }
}
