//! Burn modules for rank-1 and mean-field layers, to train with plain Burn autodiff.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rank1`] | linear layer with a shared weight and factors per member |
//! | [`factor`] | one factor: its distribution, draws and divergence |
//! | [`mean_field`] | linear layer with a Gaussian per weight |
//! | [`embedding`] | embedding table with a Gaussian per entry |
//! | [`dropout`] | dropout by a given mask |
//! | [`draws`] | standard noise for all of them, by counter |
//!
//! Randomness is an argument of every forward pass; no layer holds a random state. No training loop here.

pub mod draws;
pub mod dropout;
pub mod embedding;
pub mod factor;
mod initial;
mod kl;
pub mod mean_field;
pub mod rank1;
mod scale;

pub use draws::DrawRows;
pub use dropout::Dropout;
pub use embedding::{MeanFieldEmbedding, MeanFieldEmbeddingConfig};
pub use factor::{Factor, FactorConfig};
pub use mean_field::{FlipoutSigns, MeanFieldLinear, MeanFieldLinearConfig, WeightNoise};
pub use rank1::{FactorNoise, Rank1Linear, Rank1LinearConfig};
pub use scale::positive_scale;
pub(crate) use scale::softplus;

use burn::tensor::Tensor;
use rank1_core::Error;

/// Refuses a tensor whose shape is not `expected`.
fn expect_shape<const D: usize>(
    op: &'static str,
    argument: &'static str,
    tensor: &Tensor<D>,
    expected: [usize; D],
) -> Result<(), Error> {
    let got = tensor.dims();
    if got == expected {
        return Ok(());
    }
    Err(Error::ShapeMismatch { op, argument, expected: expected.to_vec(), got: got.to_vec() })
}

#[cfg(test)]
mod tests;
