//! The rank-1 linear layer: one shared weight, factors and a bias per member.
//!
//! Activations are left to the network. For random weights see [`super::mean_field`].

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rank1_core::perturb::Perturbation;
use rank1_priors::PriorSpec;
use serde::{Deserialize, Serialize};

use super::{DrawRows, Factor, FactorConfig, initial};
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
    /// Seed of the initial values.
    pub seed: u64,
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
            seed: 0,
        }
    }

    /// The same with another seed; layers of one network need different ones.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
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
    pub fn init(&self, device: &Device) -> Result<Rank1Linear, Error> {
        let (d_in, d_out, k) = (self.d_in, self.d_out, self.n_members);
        let factor = |config: Option<FactorConfig>, width: usize, site: u64| {
            config.map(|c| c.init(k, width, initial::subseed(self.seed, site), device)).transpose()
        };
        let weight = initial::he_normal(d_in, d_out, initial::subseed(self.seed, 0))?;
        Ok(Rank1Linear {
            weight: Param::from_tensor(initial::tensor(weight, [d_in, d_out], device)),
            bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([k, d_out], device))),
            input_factor: factor(self.input_factor, d_in, 1)?,
            output_factor: factor(self.output_factor, d_out, 2)?,
            perturbation: self.perturbation,
            n_members: k,
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

/// `y = ((x ∘ s) W) ∘ r + b` with a draw of s and r per member and example.
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
}

impl Rank1Linear {
    /// Draws both factors from `noise` and applies the layer.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, D_in]`, rows in the order sample, member, example; returns `[S*K*B, D_out]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] names the argument that does not fit; noise that is missing is refused.
    ///
    /// # Source
    /// Dusenberry et al. 2020, Eq. 1; the bias is not multiplied by r, as in the reference code.
    pub fn forward(&self, x: Tensor<2>, noise: &FactorNoise) -> Result<Tensor<2>, Error> {
        let s = noise.n_samples;
        let draw = |factor: &Option<Factor>, noise: &Option<Tensor<2>>| {
            factor.as_ref().map(|f| f.draw(noise.clone(), s)).transpose()
        };
        let input_factor = draw(&self.input_factor, &noise.input)?;
        let output_factor = draw(&self.output_factor, &noise.output)?;
        self.apply(x, input_factor, output_factor, s)
    }

    /// Draws both factors by counter and applies the layer: [`Rank1Linear::forward`] with the noise of [`Rank1Linear::noise`].
    ///
    /// Where the kernels of a device reach, they draw too, once more in the backward pass, and no draw is stored.
    ///
    /// # Shapes
    /// As [`Rank1Linear::forward`].
    ///
    /// # Errors
    /// As [`Rank1Linear::forward`] and [`Rank1Linear::noise`].
    ///
    /// # Numerics
    /// Draws of a device differ from the host's by rounding.
    ///
    /// # Source
    /// As [`Rank1Linear::forward`].
    pub fn forward_at(&self, x: Tensor<2>, rows: &DrawRows) -> Result<Tensor<2>, Error> {
        #[cfg(feature = "cube")]
        if let Some(y) = self.drawn_on_device(&x, rows) {
            return Ok(y);
        }
        self.forward(x, &self.noise(rows)?)
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
        if rows.n_members != self.n_members {
            return Err(rank1_core::Error::OutOfRange {
                op: "Rank1Linear::noise",
                argument: "rows.n_members",
                value: rows.n_members as f64,
                expected: "the layer's number of members",
            }
            .into());
        }
        let [d_in, d_out] = self.weight.dims();
        let device = self.weight.val().device().without_autodiff();
        let draw = |factor: &Option<Factor>, site: Site, width: usize| {
            let factor = factor.as_ref()?;
            let kind = factor.noise_kind()?;
            Some(rows.noise(site, kind, factor.granularity, width, &device))
        };
        Ok(FactorNoise {
            input: draw(&self.input_factor, Site::InputFactor, d_in),
            output: draw(&self.output_factor, Site::OutputFactor, d_out),
            n_samples: rows.n_samples,
        })
    }

    /// KL of both factors to the same prior, in nats, summed over members and entries.
    ///
    /// # Shapes
    /// Returns `[1]`.
    ///
    /// # Errors
    /// A pair without a closed form; use [`Factor::kl`] with noise for those.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3.2; a sum over members, as the reference code.
    pub fn kl(&self, prior: PriorSpec) -> Result<Tensor<1>, Error> {
        let mut total = Tensor::zeros([1], &self.weight.val().device());
        for factor in [&self.input_factor, &self.output_factor].into_iter().flatten() {
            total = total + factor.kl(prior, None)?;
        }
        Ok(total)
    }
}

fn repeat_rows(tensor: Tensor<2>, times: usize) -> Tensor<2> {
    if times == 1 { tensor } else { tensor.repeat_dim(0, times) }
}
