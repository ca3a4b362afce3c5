//! A divergence of the priors crate as a differentiable tensor: its value and gradients are computed there, once.

use burn::tensor::Tensor;
use rank1_priors::{PosteriorFamily, PriorSpec, kl_and_grad};

use crate::error::Error;

/// KL from a factorized posterior to a prior, summed over entries, as a scalar that backpropagates.
///
/// The value comes from arrays; a term that is zero carries the gradient into the graph.
pub(super) fn divergence(
    family: PosteriorFamily,
    prior: PriorSpec,
    location: Tensor<2>,
    scale: Option<Tensor<2>>,
    noise: Option<&[f32]>,
) -> Result<Tensor<1>, Error> {
    let loc = host(&location);
    let scales = scale.as_ref().map(host).unwrap_or_default();
    let kl = kl_and_grad::<f32>(family, prior, &loc, &scales, noise)?;
    let mut linear = linear_term(location, kl.d_loc);
    if let Some(scale) = scale {
        linear = linear + linear_term(scale, kl.d_scale);
    }
    Ok(linear.clone() - linear.detach() + kl.value as f32)
}

fn host(tensor: &Tensor<2>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

fn linear_term(tensor: Tensor<2>, slope: Vec<f32>) -> Tensor<1> {
    let slope = Tensor::from_data(burn::tensor::TensorData::new(slope, tensor.dims()), &tensor.device());
    (tensor * slope).sum()
}
