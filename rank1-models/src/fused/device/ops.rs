//! A whole perturbed layer of a CubeCL device as one operation: what crosses Burn's dispatch.
//!
//! Linear maps and convolutions differ in [`LayerShape`] alone. Factors arrive as tensors or are drawn inside.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};
use rank1_gpu::{ConvShape, Draw, DrawShape, LinearShape, Perturbation};

use crate::fused::Optional;

/// Which map it is, with all sizes; several samples count as more members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerShape {
    /// Rows of vectors.
    Linear(LinearShape),
    /// Images with the channels last.
    Convolution(ConvShape),
}

/// Where the values of a factor come from.
#[derive(Debug, Clone, ExtensionType)]
pub enum FactorArgument<B: Backend> {
    /// There is no such factor.
    Absent,
    /// Drawn already, `[K*B, D]` or `[K, D]`.
    Given(FloatTensor<B>),
    /// Drawn by the layer, forward and once more backward, so that no draw is kept between the passes.
    Drawn {
        /// `[K / S, D]` of S samples.
        location: FloatTensor<B>,
        /// Unconstrained scales, `[K / S, D]`.
        raw_scale: FloatTensor<B>,
        /// Noise, family and clip of each sample.
        draws: Vec<Draw>,
        /// Of one sample: one row per example, or one per member.
        shape: DrawShape,
    },
}

/// Arguments of the layer, in `f32`, checked already; images and kernels have their channels last.
#[derive(Debug, Clone, ExtensionType)]
pub struct LayerArguments<B: Backend> {
    /// `[K*B, D_in]` or `[K*B, H, W, C_in]`.
    pub x: FloatTensor<B>,
    /// `[D_in, D_out]` or `[kh*kw*C_in, C_out]`.
    pub weight: FloatTensor<B>,
    /// Factor s, on inputs or input channels.
    #[extension_type]
    pub input_factor: FactorArgument<B>,
    /// Factor r, on outputs or output channels.
    #[extension_type]
    pub output_factor: FactorArgument<B>,
    /// `[K, D_out]`.
    #[extension_type]
    pub bias: Optional<B>,
    /// Map and sizes.
    pub shape: LayerShape,
    /// How factors act.
    pub perturbation: Perturbation,
}

/// Gradients of a factor: of the values, or of location and raw scale; absent where the factor is.
pub type FactorGradients<B> = [Option<FloatTensor<B>>; 2];

/// Gradients of the layer, each in the shape of its argument.
#[derive(Debug, Clone)]
pub struct LayerGradients<B: Backend> {
    /// For `x`.
    pub x: FloatTensor<B>,
    /// For `weight`.
    pub weight: FloatTensor<B>,
    /// For `input_factor`.
    pub input_factor: FactorGradients<B>,
    /// For `output_factor`.
    pub output_factor: FactorGradients<B>,
    /// For `bias`.
    pub bias: Option<FloatTensor<B>>,
}

/// Forward map of a back end.
#[backend_extension(Autodiff, Cube)]
pub trait PerturbedLayerOps: Backend {
    /// The layer, `[K*B, D_out]` or `[K*B, H', W', C_out]`.
    fn perturbed_layer(#[extension_type] arguments: LayerArguments<Self>) -> FloatTensor<Self>;
}

/// Backward map of a back end; autodiff of [`PerturbedLayerOps`] is built on it.
pub trait PerturbedLayerBackward: PerturbedLayerOps {
    /// Gradients for every argument from the gradient of the output.
    fn perturbed_layer_backward(
        arguments: LayerArguments<Self>,
        grad_output: FloatTensor<Self>,
    ) -> LayerGradients<Self>;
}
