//! Activations by the names that golden files use, as numbers and as tensors.

use burn::tensor::{Tensor, activation};
use ndarray::{Array2, ArrayView2};
use rank1_core::numeric::{sigmoid, softplus};

use crate::json::{Outcome, Record};

/// An activation with its derivative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    Linear,
    Relu,
    Tanh,
    Sigmoid,
    Softplus,
    Silu,
}

impl Activation {
    pub(crate) fn read(record: &Record<'_>) -> Outcome<Self> {
        Ok(match record.text("activation")? {
            "linear" => Self::Linear,
            "relu" => Self::Relu,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "softplus" => Self::Softplus,
            "silu" | "swish" => Self::Silu,
            other => return record.fault("activation", format!("is {other:?}, which is not known")),
        })
    }

    fn value(self, z: f64) -> f64 {
        match self {
            Self::Linear => z,
            Self::Relu => z.max(0.0),
            Self::Tanh => z.tanh(),
            Self::Sigmoid => sigmoid(z),
            Self::Softplus => softplus(z),
            Self::Silu => z * sigmoid(z),
        }
    }

    fn slope(self, z: f64) -> f64 {
        match self {
            Self::Linear => 1.0,
            Self::Relu => f64::from(z > 0.0),
            Self::Tanh => 1.0 - z.tanh().powi(2),
            Self::Sigmoid => sigmoid(z) * (1.0 - sigmoid(z)),
            Self::Softplus => sigmoid(z),
            Self::Silu => sigmoid(z) * (1.0 + z * (1.0 - sigmoid(z))),
        }
    }

    pub(crate) fn forward(self, z: ArrayView2<'_, f64>) -> Array2<f64> {
        z.mapv(|z| self.value(z))
    }

    pub(crate) fn backward(self, z: ArrayView2<'_, f64>, grad: ArrayView2<'_, f64>) -> Array2<f64> {
        z.mapv(|z| self.slope(z)) * grad
    }

    pub(crate) fn tensor(self, z: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Linear => z,
            Self::Relu => activation::relu(z),
            Self::Tanh => z.tanh(),
            Self::Sigmoid => activation::sigmoid(z),
            Self::Softplus => activation::softplus(z, 1.0),
            Self::Silu => activation::silu(z),
        }
    }
}
