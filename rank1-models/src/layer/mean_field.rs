//! Linear layer with a Gaussian per weight: reparameterized (one draw per batch) or Flipout.
//!
//! One member; the bias is a point estimate. For factors per member see [`super::rank1`].

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rank1_core::noise::NoiseKind;
use rank1_priors::{PosteriorFamily, PriorSpec};
use serde::{Deserialize, Serialize};

use super::scale::positive_scale;
use super::{DrawRows, expect_shape, initial, kl};
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
    /// Seed of the initial values.
    pub seed: u64,
}

impl MeanFieldLinearConfig {
    /// A layer with a bias and posterior standard deviation 1e-3.
    #[must_use]
    pub fn new(d_in: usize, d_out: usize) -> Self {
        Self { d_in, d_out, bias: true, initial_std: 1e-3, seed: 0 }
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
    pub fn init(&self, device: &Device) -> Result<MeanFieldLinear, Error> {
        let (d_in, d_out) = (self.d_in, self.d_out);
        let raw = rank1_priors::scale_to_raw(self.initial_std)? as f32;
        let mean = initial::he_normal(d_in, d_out, self.seed)?;
        Ok(MeanFieldLinear {
            mean: Param::from_tensor(initial::tensor(mean, [d_in, d_out], device)),
            raw_scale: Param::from_tensor(Tensor::full([d_in, d_out], raw, device)),
            bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([1, d_out], device))),
        })
    }
}

/// Random signs that decorrelate the examples of a batch.
#[derive(Debug, Clone)]
pub struct FlipoutSigns {
    /// `[S*B, D_in]` of +1 and -1.
    pub input: Tensor<2>,
    /// `[S*B, D_out]` of +1 and -1.
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
#[derive(Module, Debug)]
pub struct MeanFieldLinear {
    /// Means, `[D_in, D_out]`.
    pub mean: Param<Tensor<2>>,
    /// Unconstrained standard deviations, `[D_in, D_out]`.
    pub raw_scale: Param<Tensor<2>>,
    /// Bias, `[1, D_out]`.
    pub bias: Option<Param<Tensor<2>>>,
}

impl MeanFieldLinear {
    /// Applies the layer to S samples of a batch.
    ///
    /// # Shapes
    /// `x`: `[S*B, D_in]`, rows of sample 0 first; returns `[S*B, D_out]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] names the argument that does not fit.
    ///
    /// # Source
    /// Reparameterized: Blundell et al. 2015, arXiv:1505.05424. Flipout: Wen et al. 2018, arXiv:1803.04386, Eq. 4:
    /// `x mean + ((x ∘ s_in) (scale ∘ noise)) ∘ s_out`.
    pub fn forward(&self, x: Tensor<2>, noise: &WeightNoise) -> Result<Tensor<2>, Error> {
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
    /// See [`WeightNoise`]; `rows` must be for one member.
    ///
    /// # Source
    /// [`DrawRows::weight_noise`]; signs from streams of their own.
    #[must_use]
    pub fn noise(&self, rows: &DrawRows, estimator: Estimator) -> WeightNoise {
        let [d_in, d_out] = self.mean.dims();
        let device = self.mean.val().device().without_autodiff();
        let signs = |site: Site, width: usize| {
            rows.noise(site, NoiseKind::Sign, Granularity::PerExample, width, &device)
        };
        WeightNoise {
            weight: rows.weight_noise(d_in, d_out, &device),
            signs: (estimator == Estimator::Flipout).then(|| FlipoutSigns {
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
        let scale = positive_scale(self.raw_scale.val());
        kl::divergence(PosteriorFamily::Normal, prior, self.mean.val(), Some(scale), noise)
    }
}
