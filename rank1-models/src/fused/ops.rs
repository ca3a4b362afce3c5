//! The operation as a Burn back-end extension: what a back end with fused kernels implements.
//!
//! To plug in another back end, implement both traits for it, name it in the list of [`PerturbedLinearOps`]
//! and accept its device in `fused::perturbed_linear`.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};
use rank1_core::perturb::Perturbation;

/// A tensor that may be left out; `Option` itself cannot cross Burn's dispatch.
#[derive(Debug, Clone, ExtensionType)]
pub enum Optional<B: Backend> {
    /// Left out.
    Absent,
    /// Given.
    Present(FloatTensor<B>),
}

impl<B: Backend> From<Option<FloatTensor<B>>> for Optional<B> {
    fn from(tensor: Option<FloatTensor<B>>) -> Self {
        tensor.map_or(Self::Absent, Self::Present)
    }
}

impl<B: Backend> Optional<B> {
    /// The tensor as an `Option`.
    #[must_use]
    pub fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Absent => None,
            Self::Present(tensor) => Some(tensor),
        }
    }
}

/// Arguments of the map, in `f32`; shapes as in [`crate::fused::perturbed_linear`], already checked.
#[derive(Debug, Clone, ExtensionType)]
pub struct Arguments<B: Backend> {
    /// `[K*B, D_in]`.
    pub x: FloatTensor<B>,
    /// `[D_in, D_out]`.
    pub weight: FloatTensor<B>,
    /// `[K*B, D_in]` or `[K, D_in]`.
    #[extension_type]
    pub input_factor: Optional<B>,
    /// `[K*B, D_out]` or `[K, D_out]`.
    #[extension_type]
    pub output_factor: Optional<B>,
    /// `[K, D_out]`.
    #[extension_type]
    pub bias: Optional<B>,
    /// K.
    pub n_members: usize,
    /// How factors act.
    pub perturbation: Perturbation,
}

/// Gradients of the map; each has the shape of its argument and is absent where that is.
#[derive(Debug, Clone)]
pub struct Gradients<B: Backend> {
    /// For `x`.
    pub x: FloatTensor<B>,
    /// For `weight`.
    pub weight: FloatTensor<B>,
    /// For `input_factor`.
    pub input_factor: Option<FloatTensor<B>>,
    /// For `output_factor`.
    pub output_factor: Option<FloatTensor<B>>,
    /// For `bias`.
    pub bias: Option<FloatTensor<B>>,
}

/// Fused forward map of a back end; CubeCL devices take it and more by `fused::device`.
#[backend_extension(Autodiff, Flex)]
pub trait PerturbedLinearOps: Backend {
    /// The perturbed linear map, `[K*B, D_out]`.
    fn perturbed_linear(#[extension_type] arguments: Arguments<Self>) -> FloatTensor<Self>;
}

/// Fused backward map of a back end; autodiff of [`PerturbedLinearOps`] is built on it.
pub trait PerturbedLinearBackward: PerturbedLinearOps {
    /// Gradients for every argument from the gradient of the output, `[K*B, D_out]`.
    fn perturbed_linear_backward(
        arguments: Arguments<Self>,
        grad_output: FloatTensor<Self>,
    ) -> Gradients<Self>;
}
