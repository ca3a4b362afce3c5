//! Burn modules for rank-1 and mean-field layers, to train with plain Burn autodiff.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rank1`] | linear layer with a shared weight and factors per member |
//! | [`conv`] | convolution with a shared kernel and factors per member |
//! | [`lstm`] | LSTM with shared kernels and factors per member, drawn once a sequence |
//! | [`batch_norm`] | batch normalization with statistics shared by members or one set each |
//! | [`factor`] | one factor: its distribution, draws and divergence |
//! | [`mean_field`] | linear layer with a Gaussian per weight |
//! | [`mean_field_conv`] | convolution with a Gaussian per weight |
//! | [`embedding`] | embedding table with a Gaussian per entry |
//! | [`dropout`] | dropout of entries or whole channels by a given mask |
//! | [`conv_geometry`] | kernel, stride, dilation and padding |
//! | [`draws`] | standard noise for all of them, by counter |
//!
//! Randomness is an argument of every forward pass; no layer holds a random state. No training loop here.

pub mod batch_norm;
pub mod conv;
pub mod conv_geometry;
#[cfg(feature = "cube")]
mod drawn;
pub mod draws;
pub mod dropout;
pub mod embedding;
pub mod factor;
mod initial;
mod kl;
pub mod lstm;
pub mod mean_field;
pub mod mean_field_conv;
pub mod rank1;
mod scale;

pub use batch_norm::{
    BatchNormMode, BatchStatistics, MemberBatchNorm, MemberBatchNormConfig, MovingVariance,
};
pub use conv::{Rank1Conv2d, Rank1Conv2dConfig};
pub use conv_geometry::ConvGeometry;
pub use draws::DrawRows;
pub use dropout::Dropout;
pub use embedding::{MeanFieldEmbedding, MeanFieldEmbeddingConfig};
pub use factor::{Factor, FactorConfig};
pub use lstm::{LstmFactors, LstmNoise, LstmOutput, LstmState, Rank1Lstm, Rank1LstmConfig};
pub use mean_field::{FlipoutSigns, MeanFieldLinear, MeanFieldLinearConfig, WeightNoise};
pub use mean_field_conv::{MeanFieldConv2d, MeanFieldConv2dConfig};
pub use rank1::{FactorNoise, Rank1Linear, Rank1LinearConfig};
pub use scale::positive_scale;
pub(crate) use scale::softplus;

use burn::tensor::{Device, Tensor};
use rank1_core::Error;

use crate::engine::Site;

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

/// The noise of a factor for a pass, none if it needs none; refuses rows of another number of members.
fn noise_rows(
    op: &'static str,
    factor: Option<&Factor>,
    n_members: usize,
    rows: &DrawRows,
    site: Site,
    device: &Device,
) -> Result<Option<Tensor<2>>, Error> {
    if rows.n_members != n_members {
        return Err(Error::OutOfRange {
            op,
            argument: "rows.n_members",
            value: rows.n_members as f64,
            expected: "the layer's number of members",
        });
    }
    Ok(factor.and_then(|factor| {
        let [_, width] = factor.location.dims();
        Some(rows.noise(site, factor.noise_kind()?, factor.granularity, width, device))
    }))
}

#[cfg(test)]
mod tests;
