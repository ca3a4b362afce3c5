//! Expected second-order change of a score under weight noise: the variance-structure theorem, both sides.
//!
//! Not a proof and not an estimate: each side is an exact contraction of a covariance with an exact Hessian.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::network::{HessianKind, SmoothNet};
use crate::{Error, Real};

/// Second moments of a centered perturbation `dW` of one weight `[D_in, D_out]`.
#[derive(Debug, Clone, Copy)]
pub enum WeightNoise<'a, F> {
    /// `E[dW_ij dW_kl] = W_ij Σ_ik W_kl`, with `Σ` over the **input** indices of both entries.
    ///
    /// In the paper's transposed notation this is `Σ_jl`, the column index of both; the printed `Σ_jk` mixes an input
    /// with an output index and is not a covariance.
    SharedInput {
        /// `[D_in, D_in]`, symmetric positive semidefinite.
        sigma: ArrayView2<'a, F>,
    },
    /// Independent multiplicative noise, `E[dW_ij dW_kl] = W_ij^2 v_ij` if the entries coincide and 0 otherwise.
    Independent {
        /// `[D_in, D_out]`, variances relative to the squared weights.
        variance: ArrayView2<'a, F>,
    },
    /// Any covariance of the entries in row-major order.
    Dense {
        /// `[D_in D_out, D_in D_out]`.
        covariance: ArrayView2<'a, F>,
    },
}

impl<F: Real> WeightNoise<'_, F> {
    /// `E[dW_ij dW_kl]`, i and k inputs, j and l outputs.
    ///
    /// # Shapes
    /// `weight` `[D_in, D_out]`.
    ///
    /// # Source
    /// Definition of each variant.
    pub fn second_moment(
        &self,
        weight: ArrayView2<'_, F>,
        (i, j): (usize, usize),
        (k, l): (usize, usize),
    ) -> F {
        match self {
            Self::SharedInput { sigma } => weight[[i, j]] * sigma[[i, k]] * weight[[k, l]],
            Self::Independent { variance } if (i, j) == (k, l) => {
                weight[[i, j]] * weight[[i, j]] * variance[[i, j]]
            }
            Self::Independent { .. } => F::zero(),
            Self::Dense { covariance } => covariance[[i * weight.ncols() + j, k * weight.ncols() + l]],
        }
    }

    fn check(&self, op: &'static str, weight: ArrayView2<'_, F>) -> Result<(), Error> {
        let (d_in, d_out) = weight.dim();
        let (argument, expected, got) = match self {
            Self::SharedInput { sigma } => ("sigma", [d_in, d_in], sigma.dim()),
            Self::Independent { variance } => ("variance", [d_in, d_out], variance.dim()),
            Self::Dense { covariance } => ("covariance", [d_in * d_out; 2], covariance.dim()),
        };
        let got = [got.0, got.1];
        if got == expected {
            return Ok(());
        }
        Err(Error::ShapeMismatch { op, argument, expected: expected.to_vec(), got: got.to_vec() })
    }
}

/// `E <dW, Hess_W f dW>`: the side of the theorem that perturbs the weight of one layer.
///
/// # Shapes
/// `x`: `[D_0]`; `noise` as its variant says for the weight of `layer` (counted from 0); returns a scalar.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::OutOfRange`] for a layer that does not exist.
///
/// # Numerics
/// Costs `(D_in D_out)^2`: the Hessian entry of `W_ij, W_kl` is `x_i x_k H_jl` with `H` over pre-activations.
///
/// # Source
/// Dusenberry et al. 2020, Theorem 1, left side, for one input and one layer (the theorem has no terms across layers).
pub fn weight_form<F: Real>(
    net: &SmoothNet<'_, F>,
    x: ArrayView1<'_, F>,
    layer: usize,
    noise: WeightNoise<'_, F>,
    kind: HessianKind,
) -> Result<F, Error> {
    let hessian = net.preactivation_hessian(x, layer, kind)?;
    let weight = net.weights[layer];
    noise.check("weight_form", weight)?;
    let input = net.layer_input(x, layer)?;
    let (d_in, d_out) = weight.dim();
    let mut total = F::zero();
    for i in 0..d_in {
        for k in 0..d_in {
            let mut block = F::zero();
            for j in 0..d_out {
                for l in 0..d_out {
                    block += hessian[[j, l]] * noise.second_moment(weight, (i, j), (k, l));
                }
            }
            total += input[i] * input[k] * block;
        }
    }
    Ok(total)
}

/// Second derivative of the score with respect to the input factor of one layer, at the factor of ones.
///
/// # Shapes
/// `x`: `[D_0]`; returns `[D_in, D_in]` of `layer`.
///
/// # Errors
/// As [`weight_form`].
///
/// # Source
/// Chain rule: `diag(x) W H Wᵀ diag(x)`.
pub fn factor_hessian<F: Real>(
    net: &SmoothNet<'_, F>,
    x: ArrayView1<'_, F>,
    layer: usize,
    kind: HessianKind,
) -> Result<Array2<F>, Error> {
    let hessian = net.preactivation_hessian(x, layer, kind)?;
    let input = net.layer_input(x, layer)?;
    let weight = net.weights[layer];
    let mut out = weight.dot(&hessian).dot(&weight.t());
    for ((i, k), value) in out.indexed_iter_mut() {
        *value *= input[i] * input[k];
    }
    Ok(out)
}

/// `E <s - 1, Hess_s f (s - 1)>`: the side of the theorem that perturbs the input factor of one layer.
///
/// # Shapes
/// `x`: `[D_0]`, `sigma`: `[D_in, D_in]` of `layer`; returns a scalar.
///
/// # Errors
/// As [`weight_form`].
///
/// # Source
/// Dusenberry et al. 2020, Theorem 1, right side, for one input and one layer; the output factor is held at one.
pub fn factor_form<F: Real>(
    net: &SmoothNet<'_, F>,
    x: ArrayView1<'_, F>,
    layer: usize,
    sigma: ArrayView2<'_, F>,
    kind: HessianKind,
) -> Result<F, Error> {
    let hessian = factor_hessian(net, x, layer, kind)?;
    WeightNoise::SharedInput { sigma }.check("factor_form", net.weights[layer])?;
    Ok((&hessian * &sigma).sum())
}

/// The three expected second-order changes of one layer, summed over inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerForms<F> {
    /// Full-rank noise with the theorem's covariance.
    pub full_rank: F,
    /// Noise of the input factor.
    pub rank1: F,
    /// Independent multiplicative noise of the same variance per input.
    pub independent: F,
}

/// All layers' second-order forms for inputs of a data set.
///
/// `full_rank` and `rank1` agree for every smooth network. `independent` keeps only the diagonal of the pre-activation
/// covariance, so it agrees where the Hessian is diagonal (the last hidden layer) and generally differs below.
///
/// # Shapes
/// `inputs`: `[N, D_0]`; `sigmas`: one `[D_in, D_in]` per layer; returns one entry per layer.
///
/// # Errors
/// As [`weight_form`]; [`Error::ShapeMismatch`] if the number of `sigmas` is not the number of layers.
///
/// # Source
/// Dusenberry et al. 2020, Theorem 1 with the covariance index corrected. The assumed covariance makes `dW / W` equal
/// within each row with probability one, so the full-rank perturbation is itself of rank one: the theorem does not
/// cover independent noise, and `independent` shows by how much.
pub fn variance_structure<F: Real>(
    net: &SmoothNet<'_, F>,
    inputs: ArrayView2<'_, F>,
    sigmas: &[Array2<F>],
    kind: HessianKind,
) -> Result<Vec<LayerForms<F>>, Error> {
    if sigmas.len() != net.weights.len() {
        let (expected, got) = (vec![net.weights.len()], vec![sigmas.len()]);
        return Err(Error::ShapeMismatch { op: "variance_structure", argument: "sigmas", expected, got });
    }
    let mut forms = Vec::with_capacity(sigmas.len());
    for (layer, sigma) in sigmas.iter().enumerate() {
        let shared = WeightNoise::SharedInput { sigma: sigma.view() };
        shared.check("variance_structure", net.weights[layer])?;
        let diagonal: Array1<F> = sigma.diag().to_owned();
        let variance = Array2::from_shape_fn(net.weights[layer].dim(), |(i, _)| diagonal[i]);
        let independent = WeightNoise::Independent { variance: variance.view() };
        let mut sum = LayerForms { full_rank: F::zero(), rank1: F::zero(), independent: F::zero() };
        for x in inputs.rows() {
            sum.full_rank += weight_form(net, x, layer, shared, kind)?;
            sum.rank1 += factor_form(net, x, layer, sigma.view(), kind)?;
            sum.independent += weight_form(net, x, layer, independent, kind)?;
        }
        forms.push(sum);
    }
    Ok(forms)
}

#[cfg(test)]
mod tests;
