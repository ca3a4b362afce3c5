//! How large buffers are stored and a layer's products computed: element type, and whose kernel.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// How large buffers are stored and the operands of products rounded; all else is computed in f32 and rounded once.
///
/// The large ones are inputs, outputs, weights and the gradients of inputs and outputs. Factors, biases and the gradients
/// of weights, factors and biases are f32 in every precision: they are drawn or updated in f32, and sums over a batch
/// would lose what a half keeps. So are the parameters of draws and their gradients, noise scales, losses and
/// predictives. A device converts to a half as its language allows: CUDA to the nearest, WGSL to either neighbor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// 32-bit floats, multiplied exactly as such.
    #[default]
    F32,
    /// Stored as f32; tensor cores round the operands of a product to 10 bits behind the leading one. The same as f32 where
    /// nothing is a product: draws and losses.
    Tf32,
    /// IEEE 754 half precision: 10 bits behind the leading one, largest value 65,504.
    F16,
    /// The upper half of an f32: 7 bits behind the leading one, the range of f32.
    Bf16,
}

impl Precision {
    /// Bytes of an entry of a large buffer.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::Tf32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// What a device must offer for it, in words.
    pub(crate) fn feature(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32 on tensor cores",
            Self::F16 => "buffers of f16",
            Self::Bf16 => "buffers of bf16",
        }
    }

    /// The type of the large buffers.
    pub(crate) fn stored(self) -> ElemType {
        match self {
            Self::F32 | Self::Tf32 => f32::elem_type_native(),
            Self::F16 => half::f16::elem_type_native(),
            Self::Bf16 => half::bf16::elem_type_native(),
        }
    }
}

/// Whose kernel computes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Our own tiles, 4x4 entries per unit: f32 only, any device.
    Tiles,
    /// cubek-matmul without tensor cores: f32 arithmetic on operands of any precision.
    Units,
    /// cubek-matmul on tensor cores, one stage of operands in shared memory.
    TensorCores,
    /// The same with two stages, so that one is loaded while the other is multiplied.
    TensorCoresDoubleBuffered,
}

/// Precision, and an engine if it must be a certain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Arithmetic {
    /// How buffers are stored.
    pub precision: Precision,
    /// Chosen by [`crate::launch::engine`] if absent.
    pub engine: Option<Engine>,
}

impl From<Precision> for Arithmetic {
    fn from(precision: Precision) -> Self {
        Self { precision, engine: None }
    }
}
