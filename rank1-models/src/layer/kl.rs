//! The KL of a network's layers as a differentiable tensor: value and gradients come from the priors crate, once.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use rank1_core::Error as CoreError;
use rank1_core::objective::MemberKl;
use rank1_priors::{PosteriorFamily, PriorSpec, kl_and_grad};

use super::host::read;
use super::{Factor, Pass, positive_scale};
use crate::engine::Site;
use crate::error::Error;
use crate::penalty::monte_carlo_noise;

const OP: &str = "kl_of";

/// A layer with random parameters: what [`kl_of`] and [`check_streams`] ask of it.
pub trait BayesianLayer {
    /// Number of the noise stream that the layer draws from; a network has each once.
    fn stream(&self) -> usize;

    /// Members K whose divergences [`BayesianLayer::kl_terms`] sums; 1 where all members share the random parameters.
    fn n_members(&self) -> usize;

    /// The layer's posteriors; the KL of the layer is the sum over them.
    fn kl_terms(&self) -> Vec<KlTerm>;
}

/// A factorized posterior with its values.
#[derive(Debug, Clone)]
pub struct KlTerm {
    /// Where Monte-Carlo divergences draw their noise; one of its own for each posterior of a layer.
    pub site: Site,
    /// Family of every entry.
    pub family: PosteriorFamily,
    /// Locations inside their domain.
    pub location: Tensor<2>,
    /// Positive scales, in the shape of the locations or shared; none where the family has none.
    pub scale: Option<Tensor<2>>,
}

impl KlTerm {
    /// The posterior of a factor.
    #[must_use]
    pub fn of(factor: &Factor, site: Site) -> Self {
        Self { site, family: factor.family, location: factor.locations(), scale: factor.scale() }
    }

    /// KL to a prior in nats, summed over entries, as a scalar that backpropagates.
    ///
    /// # Shapes
    /// `noise`: `draws` times as many standard values as entries where the pair has no closed form, else none; returns `[1]`.
    ///
    /// # Errors
    /// A pair without a divergence, noise of the wrong length, or a location outside the support of the prior.
    ///
    /// # Numerics
    /// Computed in double precision by the priors crate, then rounded.
    ///
    /// # Source
    /// [`rank1_priors::kl_and_grad`].
    pub fn divergence(self, prior: PriorSpec, noise: Option<&[f32]>) -> Result<Tensor<1>, Error> {
        let loc = read(self.location.clone())?;
        let scales = self.scale.clone().map(read).transpose()?.unwrap_or_default();
        let kl = kl_and_grad::<f32>(self.family, prior, &loc, &scales, noise)?;
        let mut linear = linear_term(self.location, kl.d_loc);
        if let Some(scale) = self.scale {
            linear = linear + linear_term(scale, kl.d_scale);
        }
        // The value comes from arrays; a term that is zero carries the gradient into the graph.
        Ok(linear.clone() - linear.detach() + kl.value as f32)
    }
}

/// The penalty of an objective: KL of all posteriors of `layers` to a prior, over the training rows, in nats per example.
///
/// Added to the NLL of a batch it is the negative evidence bound; multiply it for annealing or tempering. Closed forms where the pair
/// has one, else an estimate from fresh draws of the pass's step. Layers with another prior take a call of their own, and
/// [`check_streams`] all of them together.
///
/// # Shapes
/// `n_train`: rows N of the training set; returns `[1]`.
///
/// # Errors
/// [`Error::SharedStream`] if two of the layers draw from one stream, no layer with a posterior, no training row, and as
/// [`KlTerm::divergence`].
///
/// # Source
/// Dusenberry et al. 2020, section 3.2; a sum over members in the reference code ([`MemberKl`]).
///
/// # Example
/// ```
/// use rank1_core::objective::MemberKl;
/// use rank1_models::burn::tensor::Device;
/// use rank1_models::layer::{LayerStreams, Pass, Rank1LinearConfig, kl_of};
/// use rank1_priors::PriorSpec;
///
/// let layer = Rank1LinearConfig::new(5, 2, 3).init(&mut LayerStreams::new(7, &Device::flex()))?;
/// let prior = PriorSpec::Normal { mean: 1.0, std: 0.1 };
/// let kl = kl_of(&[&layer], prior, MemberKl::Sum, 100, &Pass::training(7, 0, 3))?;
/// assert!(kl.into_scalar::<f32>() > 0.0);
/// # Ok::<(), rank1_models::Error>(())
/// ```
pub fn kl_of(
    layers: &[&dyn BayesianLayer],
    prior: PriorSpec,
    member_kl: MemberKl,
    n_train: usize,
    pass: &Pass,
) -> Result<Tensor<1>, Error> {
    if n_train == 0 {
        let expected = "the number of training rows, at least 1";
        return Err(CoreError::OutOfRange { op: OP, argument: "n_train", value: 0.0, expected }.into());
    }
    check_streams(layers)?;
    let mut total: Option<Tensor<1>> = None;
    let mut noise = Vec::new();
    for layer in layers {
        let weight = member_kl.weight(layer.n_members()) / n_train as f64;
        for term in layer.kl_terms() {
            let stream = |draw| term.site.stream(pass.key.seed, layer.stream(), draw);
            let len = term.location.shape().num_elements();
            let random = monte_carlo_noise(term.family, prior, stream, pass.key.step, len, &mut noise)?;
            let kl = term.divergence(prior, random.then_some(&noise[..]))? * weight;
            total = Some(match total {
                Some(total) => total + kl,
                None => kl,
            });
        }
    }
    total.ok_or(CoreError::Empty { op: OP, argument: "layers with a posterior" }.into())
}

/// Refuses layers of which two draw from one noise stream, or of which one is listed twice.
///
/// # Errors
/// [`Error::SharedStream`] names the stream.
pub fn check_streams(layers: &[&dyn BayesianLayer]) -> Result<(), Error> {
    let mut streams: Vec<usize> = layers.iter().map(|layer| layer.stream()).collect();
    streams.sort_unstable();
    match streams.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::SharedStream { stream: pair[0] }),
        None => Ok(()),
    }
}

/// The posteriors of the factors that are there.
pub(super) fn factor_terms<const N: usize>(factors: [(&Option<Factor>, Site); N]) -> Vec<KlTerm> {
    let present = factors.into_iter().filter_map(|(factor, site)| Some((factor.as_ref()?, site)));
    present.map(|(factor, site)| KlTerm::of(factor, site)).collect()
}

/// Gaussian weights.
pub(super) fn weight_term(mean: &Param<Tensor<2>>, raw_scale: &Param<Tensor<2>>) -> KlTerm {
    KlTerm {
        site: Site::WeightKl,
        family: PosteriorFamily::Normal,
        location: mean.val(),
        scale: Some(positive_scale(raw_scale.val())),
    }
}

fn linear_term(tensor: Tensor<2>, slope: Vec<f32>) -> Tensor<1> {
    let slope = Tensor::from_data(TensorData::new(slope, tensor.dims()), &tensor.device());
    (tensor * slope).sum()
}

#[cfg(test)]
mod tests;
