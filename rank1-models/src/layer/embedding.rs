//! Embedding with a Gaussian per table entry; one draw of the whole table serves a pass.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use rank1_priors::{PosteriorFamily, PriorSpec};
use serde::{Deserialize, Serialize};

use super::scale::positive_scale;
use super::{expect_shape, initial, kl};
use crate::error::Error;

const OP: &str = "MeanFieldEmbedding::forward";

/// Sizes of a [`MeanFieldEmbedding`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanFieldEmbeddingConfig {
    /// Number of tokens V.
    pub n_tokens: usize,
    /// Width of an embedding.
    pub width: usize,
    /// Seed of the initial values.
    pub seed: u64,
}

impl MeanFieldEmbeddingConfig {
    /// A table with means near 0 and raw scales near -3 (standard deviations near 0.0486).
    ///
    /// # Shapes
    /// As the fields of [`MeanFieldEmbedding`] say.
    ///
    /// # Errors
    /// None for any size; the parameters of the initial distributions are constants that are accepted.
    ///
    /// # Source
    /// Defaults of the reference code's trainable normal: truncated normals of 1e-5 and 0.1.
    pub fn init(&self, device: &Device) -> Result<MeanFieldEmbedding, Error> {
        let (n, shape) = (self.n_tokens * self.width, [self.n_tokens, self.width]);
        let mean = initial::truncated_normal(0.0, 1e-5, n, initial::subseed(self.seed, 0))?;
        let raw = initial::truncated_normal(-3.0, 0.1, n, initial::subseed(self.seed, 1))?;
        Ok(MeanFieldEmbedding {
            mean: Param::from_tensor(initial::tensor(mean, shape, device)),
            raw_scale: Param::from_tensor(initial::tensor(raw, shape, device)),
        })
    }
}

/// An embedding table whose entries are Gaussian.
#[derive(Module, Debug)]
pub struct MeanFieldEmbedding {
    /// Means, `[V, D]`.
    pub mean: Param<Tensor<2>>,
    /// Unconstrained standard deviations, `[V, D]`.
    pub raw_scale: Param<Tensor<2>>,
}

impl MeanFieldEmbedding {
    /// One draw of the table.
    ///
    /// # Shapes
    /// `noise`: standard normal, `[V, D]`; returns `[V, D]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] if the noise has another shape.
    ///
    /// # Source
    /// Reference code: one table per call, shared by examples, positions and members.
    pub fn table(&self, noise: Tensor<2>) -> Result<Tensor<2>, Error> {
        let mean = self.mean.val();
        expect_shape("MeanFieldEmbedding::table", "noise", &noise, mean.dims())?;
        Ok(mean + positive_scale(self.raw_scale.val()) * noise)
    }

    /// Looks tokens up in one draw of the table.
    ///
    /// # Shapes
    /// `ids`: `[B, T]`, each below V; `noise`: `[V, D]`; returns `[B, T, D]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] names an id outside the table; shapes as [`MeanFieldEmbedding::table`].
    ///
    /// # Source
    /// As [`MeanFieldEmbedding::table`].
    pub fn forward(&self, ids: Tensor<2, Int>, noise: Tensor<2>) -> Result<Tensor<3>, Error> {
        let n_tokens = self.mean.dims()[0] as i64;
        if let Some(id) = ids.to_data().iter::<i64>().find(|id| !(0..n_tokens).contains(id)) {
            return Err(rank1_core::Error::OutOfRange {
                op: OP,
                argument: "ids",
                value: id as f64,
                expected: "at least 0 and below the number of tokens",
            }
            .into());
        }
        Ok(burn::tensor::module::embedding(self.table(noise)?, ids))
    }

    /// KL of all entries to a prior, in nats.
    ///
    /// # Shapes
    /// `noise`: standard normal values where there is no closed form, else none; returns `[1]`.
    ///
    /// # Errors
    /// A prior without a divergence from a Gaussian, or noise of the wrong length.
    ///
    /// # Source
    /// [`rank1_priors::kl_and_grad`]; the reference uses a standard normal prior.
    pub fn kl(&self, prior: PriorSpec, noise: Option<&[f32]>) -> Result<Tensor<1>, Error> {
        let scale = positive_scale(self.raw_scale.val());
        kl::divergence(PosteriorFamily::Normal, prior, self.mean.val(), Some(scale), noise)
    }
}
