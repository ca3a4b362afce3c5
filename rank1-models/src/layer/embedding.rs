//! Embedding with a Gaussian per table entry; one draw of the whole table serves a pass.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};
use rank1_priors::PriorSpec;
use serde::{Deserialize, Serialize};

use super::kl::weight_term;
use super::scale::positive_scale;
use super::streams::Start;
use super::{BayesianLayer, KlTerm, LayerStreams, Pass, expect_shape, initial};
use crate::error::Error;

const OP: &str = "MeanFieldEmbedding::forward";

/// Sizes of a [`MeanFieldEmbedding`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanFieldEmbeddingConfig {
    /// Number of tokens V.
    pub n_tokens: usize,
    /// Width of an embedding.
    pub width: usize,
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
    pub fn init(&self, streams: &mut LayerStreams) -> Result<MeanFieldEmbedding, Error> {
        let Start { stream, seed } = streams.start();
        let device = streams.device();
        let (n, shape) = (self.n_tokens * self.width, [self.n_tokens, self.width]);
        let mean = initial::truncated_normal(0.0, 1e-5, n, initial::subseed(seed, 0))?;
        let raw = initial::truncated_normal(-3.0, 0.1, n, initial::subseed(seed, 1))?;
        Ok(MeanFieldEmbedding {
            mean: Param::from_tensor(initial::tensor(mean, shape, device)),
            raw_scale: Param::from_tensor(initial::tensor(raw, shape, device)),
            stream,
        })
    }
}

/// An embedding table whose entries are Gaussian.
///
/// # Shapes
/// `[S*K*B, T]` tokens to `[S*K*B, T, D]`, rows of sample 0 first; all members share the draws of the table.
///
/// # Streams
/// Draws from [`MeanFieldEmbedding::stream`], which [`LayerStreams`] gave; the same pass draws the same tables again.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Int, Tensor};
/// use rank1_models::layer::{LayerStreams, MeanFieldEmbeddingConfig, Pass};
///
/// let device = Device::flex();
/// let config = MeanFieldEmbeddingConfig { n_tokens: 10, width: 3 };
/// let layer = config.init(&mut LayerStreams::new(7, &device))?;
/// let ids = Tensor::<2, Int>::from_ints([[1, 9], [1, 9]], &device);            // a row for each of two samples
/// assert_eq!(layer.forward(ids, &Pass::prediction(7, 2, 1))?.dims(), [2, 2, 3]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Module, Debug)]
pub struct MeanFieldEmbedding {
    /// Means, `[V, D]`.
    pub mean: Param<Tensor<2>>,
    /// Unconstrained standard deviations, `[V, D]`.
    pub raw_scale: Param<Tensor<2>>,
    /// Number of the noise stream.
    pub stream: usize,
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

    /// Looks tokens up in one draw of the table for each sample.
    ///
    /// # Shapes
    /// `ids`: `[S*K*B, T]`, each below V, rows of sample 0 first; returns `[S*K*B, T, D]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] names an id outside the table, or rows of another pass.
    ///
    /// # Source
    /// As [`MeanFieldEmbedding::table`].
    pub fn forward(&self, ids: Tensor<2, Int>, pass: &Pass) -> Result<Tensor<3>, Error> {
        let rows = pass.rows(self.stream, ids.dims()[0])?;
        let [n_tokens, width] = self.mean.dims();
        let device = self.mean.val().device().without_autodiff();
        let tables = rows.weight_noise(n_tokens, width, &device).split(1, 0).into_iter();
        let parts = ids.split(rows.n_members * rows.n_examples, 0).into_iter().zip(tables);
        let parts: Result<Vec<_>, Error> = parts
            .map(|(ids, noise)| self.forward_with_noise(ids, noise.reshape([n_tokens, width])))
            .collect();
        Ok(Tensor::cat(parts?, 0))
    }

    /// Looks tokens up in the draw of given noise.
    ///
    /// # Shapes
    /// `ids`: `[B, T]`, each below V; `noise`: `[V, D]`; returns `[B, T, D]`.
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] names an id outside the table; shapes as [`MeanFieldEmbedding::table`].
    ///
    /// # Source
    /// As [`MeanFieldEmbedding::table`].
    pub fn forward_with_noise(&self, ids: Tensor<2, Int>, noise: Tensor<2>) -> Result<Tensor<3>, Error> {
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
        weight_term(&self.mean, &self.raw_scale).divergence(prior, noise)
    }
}

impl BayesianLayer for MeanFieldEmbedding {
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
