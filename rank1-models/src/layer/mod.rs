//! Layers for Burn networks of one's own, and what trains and measures them: to be trained by Burn's autodiff and optimizers.
//!
//! | module | what it holds |
//! |---|---|
//! | [`streams`] | noise streams and initial values of a network's layers, each handed out once |
//! | [`pass`] | samples, members and the key of the draws of a pass; the rows of a batch |
//! | [`rank1`] | linear layer with a shared weight and factors per member |
//! | [`conv`] | convolution with a shared kernel and factors per member |
//! | [`lstm`] | LSTM with shared kernels and factors per member, drawn once a sequence |
//! | [`batch_norm`] | batch normalization with statistics shared by members or one set each |
//! | [`factor`] | one factor: its distribution, draws, divergence and record |
//! | [`mean_field`] | linear layer with a Gaussian per weight |
//! | [`mean_field_conv`] | convolution with a Gaussian per weight |
//! | [`embedding`] | embedding table with a Gaussian per entry |
//! | [`dropout`] | dropout of entries or whole channels |
//! | [`conv_geometry`] | kernel, stride, dilation and padding |
//! | [`nll`] | negative log-likelihood of outputs over samples and members |
//! | [`kl`] | KL of all layers of a network, the penalty of the objective |
//! | [`predictive`] | class probabilities and Gaussian mixtures of outputs |
//! | [`draws`] | standard noise for all of them, by counter |
//!
//! Randomness is an argument of every forward pass; no layer holds a random state. No training loop here.
//!
//! # Example
//! ```
//! use rank1_core::likelihood::Likelihood;
//! use rank1_core::objective::{MemberKl, NllForm};
//! use rank1_core::targets::Targets;
//! use rank1_models::burn::tensor::{Device, Tensor};
//! use rank1_models::layer::{LayerStreams, Pass, Rank1LinearConfig, class_predictive, kl_of, mean_nll};
//! use rank1_priors::PriorSpec;
//!
//! let device = Device::flex().autodiff();
//! let layer = Rank1LinearConfig::new(2, 3, 4).init(&mut LayerStreams::new(7, &device))?;
//! let (x, y) = (Tensor::<2>::ones([5, 2], &device), Targets::classes([0, 1, 2, 0, 1].to_vec().into(), 3)?);
//!
//! let pass = Pass::training(7, 0, 4);
//! let outputs = layer.forward(pass.tile(x.clone())?, &pass)?;
//! let nll = mean_nll(Likelihood::Categorical, outputs, &y, None, &pass, NllForm::AverageNll)?;
//! let kl = kl_of(&[&layer], PriorSpec::Normal { mean: 1.0, std: 0.1 }, MemberKl::Mean, 5, &pass)?;
//! let gradients = (nll + kl).backward();
//! assert!(layer.weight.val().grad(&gradients).is_some());
//!
//! let pass = Pass::prediction(7, 8, 4);
//! let predictive = class_predictive(layer.forward(pass.tile(x)?, &pass)?, &pass)?;
//! assert_eq!(predictive.probs().dim(), (5, 3));
//! # Ok::<(), rank1_models::Error>(())
//! ```

pub mod batch_norm;
pub mod conv;
pub mod conv_geometry;
#[cfg(feature = "cube")]
mod drawn;
pub mod draws;
pub mod dropout;
pub mod embedding;
pub mod factor;
pub(crate) mod host;
mod initial;
pub mod kl;
pub mod lstm;
pub mod mean_field;
pub mod mean_field_conv;
pub mod nll;
pub mod pass;
pub mod predictive;
pub mod rank1;
mod scale;
pub mod streams;

pub use batch_norm::{
    BatchNormMode, BatchStatistics, MemberBatchNorm, MemberBatchNormConfig, MovingVariance,
};
pub use conv::{Rank1Conv2d, Rank1Conv2dConfig};
pub use conv_geometry::ConvGeometry;
pub use draws::DrawRows;
pub use dropout::Dropout;
pub use embedding::{MeanFieldEmbedding, MeanFieldEmbeddingConfig};
pub use factor::{Factor, FactorConfig};
pub use kl::{BayesianLayer, KlTerm, check_streams, kl_of};
pub use lstm::{LstmFactors, LstmNoise, LstmOutput, LstmState, Rank1Lstm, Rank1LstmConfig};
pub use mean_field::{FlipoutSigns, MeanFieldLinear, MeanFieldLinearConfig, WeightNoise};
pub use mean_field_conv::{MeanFieldConv2d, MeanFieldConv2dConfig};
pub use nll::mean_nll;
pub use pass::Pass;
pub use predictive::{class_predictive, gaussian_predictive};
pub use rank1::{FactorNoise, Rank1Linear, Rank1LinearConfig};
pub use scale::positive_scale;
pub(crate) use scale::softplus;
pub use streams::LayerStreams;

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
pub(crate) fn noise_rows(
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

/// A draw of a factor, none if there is no factor.
fn draw(
    factor: Option<&Factor>,
    noise: &Option<Tensor<2>>,
    n_samples: usize,
) -> Result<Option<Tensor<2>>, crate::Error> {
    factor.map(|factor| factor.draw(noise.clone(), n_samples)).transpose()
}

#[cfg(test)]
mod tests;
