//! Linear layer with a Gaussian per weight: reparameterized (one draw per batch) or Flipout.
//!
//! Shared by all members; the bias is a point estimate. For factors per member see [`super::rank1`].

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use rank1_core::noise::NoiseKind;
use rank1_priors::{PriorSpec, WeightInit};
use serde::{Deserialize, Serialize};

use super::kl::weight_term;
use super::scale::positive_scale;
use super::streams::Start;
use super::{BayesianLayer, DrawRows, KlTerm, LayerStreams, Pass, expect_shape, initial};
use crate::engine::Site;
use crate::error::Error;
use crate::method::{Estimator, Granularity};

/// Sizes and choices of a [`MeanFieldLinear`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanFieldLinearConfig {
    /// Number of inputs.
    pub d_in: usize,
    /// Number of outputs.
    pub d_out: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Start of every posterior standard deviation.
    pub initial_std: f64,
    /// How a draw enters a batch.
    pub estimator: Estimator,
}

impl MeanFieldLinearConfig {
    /// A layer with a bias and posterior standard deviation 1e-3, reparameterized.
    #[must_use]
    pub fn new(d_in: usize, d_out: usize) -> Self {
        Self { d_in, d_out, bias: true, initial_std: 1e-3, estimator: Estimator::Reparameterized }
    }

    /// A layer with means from a truncated normal of variance `2 / D_in`, equal scales and zero biases.
    ///
    /// # Shapes
    /// As the fields of [`MeanFieldLinear`] say.
    ///
    /// # Errors
    /// An initial standard deviation that is not positive.
    ///
    /// # Source
    /// He initialization; scales as the reference code's `trainable_normal` without its jitter.
    pub fn init(&self, streams: &mut LayerStreams) -> Result<MeanFieldLinear, Error> {
        let raw = rank1_priors::scale_to_raw(self.initial_std)? as f32;
        let Start { stream, seed } = streams.start();
        let (device, d_in, d_out) = (streams.device(), self.d_in, self.d_out);
        Ok(MeanFieldLinear {
            mean: initial::weight(WeightInit::HeNormal, [d_in, d_out], seed, device)?,
            raw_scale: Param::from_tensor(Tensor::full([d_in, d_out], raw, device)),
            bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([1, d_out], device))),
            estimator: self.estimator,
            stream,
        })
    }
}

/// Random signs that decorrelate the examples of a batch.
#[derive(Debug, Clone)]
pub struct FlipoutSigns {
    /// `[S*K*B, D_in]` of +1 and -1.
    pub input: Tensor<2>,
    /// `[S*K*B, D_out]` of +1 and -1.
    pub output: Tensor<2>,
}

/// Standard noise of one pass.
#[derive(Debug, Clone)]
pub struct WeightNoise {
    /// Standard normal, `[S, D_in, D_out]`.
    pub weight: Tensor<3>,
    /// Signs of the Flipout estimator; none for the reparameterized one.
    pub signs: Option<FlipoutSigns>,
}

/// `y = x W + b` with `W = mean + scale ∘ noise`, one draw per sample.
///
/// # Shapes
/// `[S*K*B, D_in]` to `[S*K*B, D_out]`, rows of sample 0 first; all members share the draws.
///
/// # Streams
/// Draws from [`MeanFieldLinear::stream`], which [`LayerStreams`] gave; the same pass draws the same weights again.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{LayerStreams, MeanFieldLinearConfig, Pass};
///
/// let device = Device::flex();
/// let layer = MeanFieldLinearConfig::new(5, 2).init(&mut LayerStreams::new(7, &device))?;
/// let pass = Pass::prediction(7, 8, 1);                                       // 8 samples of one member
/// let y = layer.forward(pass.tile(Tensor::ones([4, 5], &device))?, &pass)?;
/// assert_eq!(pass.untile(y)?.dims(), [8, 1, 4, 2]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct MeanFieldLinear {
    /// Means, `[D_in, D_out]`.
    pub mean: Param<Tensor<2>>,
    /// Unconstrained standard deviations, `[D_in, D_out]`.
    pub raw_scale: Param<Tensor<2>>,
    /// Bias, `[1, D_out]`.
    pub bias: Option<Param<Tensor<2>>>,
    /// How a draw enters a batch.
    #[module(skip)]
    pub estimator: Estimator,
    /// Number of the noise stream.
    pub stream: usize,
}

impl MeanFieldLinear {
    /// Draws the weight by counter and applies the layer to S samples of a batch; members share the draw.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, D_in]`, rows of sample 0 first; returns `[S*K*B, D_out]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] names the argument that does not fit.
    ///
    /// # Source
    /// Reparameterized: Blundell et al. 2015, arXiv:1505.05424. Flipout: Wen et al. 2018, arXiv:1803.04386, Eq. 4:
    /// `x mean + ((x ∘ s_in) (scale ∘ noise)) ∘ s_out`.
    pub fn forward(&self, x: Tensor<2>, pass: &Pass) -> Result<Tensor<2>, Error> {
        let rows = pass.rows(self.stream, x.dims()[0])?;
        self.forward_with_noise(x, &self.noise(&rows))
    }

    /// Applies the layer with the weight of given noise.
    ///
    /// # Shapes
    /// As [`MeanFieldLinear::forward`]; `noise` as [`MeanFieldLinear::noise`] gives it.
    ///
    /// # Errors
    /// As [`MeanFieldLinear::forward`].
    ///
    /// # Source
    /// As [`MeanFieldLinear::forward`].
    pub fn forward_with_noise(&self, x: Tensor<2>, noise: &WeightNoise) -> Result<Tensor<2>, Error> {
        const OP: &str = "MeanFieldLinear::forward";
        let mean = self.mean.val();
        let [d_in, d_out] = mean.dims();
        let [rows, _] = x.dims();
        let [samples, ..] = noise.weight.dims();
        expect_shape(OP, "x", &x, [rows, d_in])?;
        expect_shape(OP, "noise.weight", &noise.weight, [samples, d_in, d_out])?;
        if samples == 0 || rows % samples != 0 {
            return Err(rank1_core::Error::OutOfRange {
                op: OP,
                argument: "samples",
                value: samples as f64,
                expected: "a divisor of the number of rows of `x`",
            }
            .into());
        }
        let scale = positive_scale(self.raw_scale.val());
        let perturbation = scale.reshape([1, d_in, d_out]) * noise.weight.clone();
        let by_sample = |x: Tensor<2>| x.reshape([samples, rows / samples, d_in]);
        let y = match &noise.signs {
            None => {
                let weight = mean.reshape([1, d_in, d_out]) + perturbation;
                by_sample(x).matmul(weight).reshape([rows, d_out])
            }
            Some(signs) => {
                expect_shape(OP, "noise.signs.input", &signs.input, [rows, d_in])?;
                expect_shape(OP, "noise.signs.output", &signs.output, [rows, d_out])?;
                let flipped = by_sample(x.clone() * signs.input.clone());
                let noisy = flipped.matmul(perturbation).reshape([rows, d_out]);
                x.matmul(mean) + noisy * signs.output.clone()
            }
        };
        Ok(match &self.bias {
            Some(bias) => y + bias.val(),
            None => y,
        })
    }

    /// The standard noise of a pass, by counter.
    ///
    /// # Shapes
    /// See [`WeightNoise`].
    ///
    /// # Source
    /// [`DrawRows::weight_noise`]; signs from streams of their own.
    #[must_use]
    pub fn noise(&self, rows: &DrawRows) -> WeightNoise {
        let [d_in, d_out] = self.mean.dims();
        let device = self.mean.val().device().without_autodiff();
        let signs = |site: Site, width: usize| {
            rows.noise(site, NoiseKind::Sign, Granularity::PerExample, width, &device)
        };
        WeightNoise {
            weight: rows.weight_noise(d_in, d_out, &device),
            signs: (self.estimator == Estimator::Flipout).then(|| FlipoutSigns {
                input: signs(Site::InputSign, d_in),
                output: signs(Site::OutputSign, d_out),
            }),
        }
    }

    /// KL of all weights to a prior, in nats.
    ///
    /// # Shapes
    /// `noise`: `draws * D_in * D_out` standard normal values where there is no closed form; returns `[1]`.
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

impl BayesianLayer for MeanFieldLinear {
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
