//! What an operation gives: plain columns or channels-first images, and the way from one to the other.
//!
//! Rows of columns that hold an image have its channels last, as everywhere outside Burn's convolutions.

use burn::tensor::{Tensor, activation};

use crate::network::{Activation, Volume};

/// The rows of one operation, S*K*B of them.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// `[S*K*B, H*W*C]`.
    Columns(Tensor<2>),
    /// `[S*K*B, C, H, W]`.
    Image(Tensor<4>),
}

impl Value {
    /// As rows with the channels last.
    pub(super) fn columns(self) -> Tensor<2> {
        match self {
            Self::Columns(x) => x,
            Self::Image(x) => {
                let [rows, channels, height, width] = x.dims();
                x.permute([0, 2, 3, 1]).reshape([rows, height * width * channels])
            }
        }
    }

    /// As images with the channels first; `volume` is what a row of columns holds.
    pub(super) fn image(self, volume: Volume) -> Tensor<4> {
        match self {
            Self::Image(x) => x,
            Self::Columns(x) => {
                let [rows, _] = x.dims();
                x.reshape([rows, volume.height, volume.width, volume.channels]).permute([0, 3, 1, 2])
            }
        }
    }

    /// Applies a nonlinearity to every entry.
    pub(super) fn activate(self, kind: Activation) -> Self {
        match self {
            Self::Columns(x) => Self::Columns(activate(x, kind)),
            Self::Image(x) => Self::Image(activate(x, kind)),
        }
    }
}

fn activate<const D: usize>(z: Tensor<D>, kind: Activation) -> Tensor<D> {
    match kind {
        Activation::Relu => activation::relu(z),
        Activation::Relu6 => z.clamp(0.0, 6.0),
        Activation::Tanh => z.tanh(),
        Activation::Silu => activation::silu(z),
        Activation::Softplus => crate::layer::softplus(z),
        Activation::Linear => z,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn images_and_columns_are_the_same_values_in_another_order() {
        let volume = Volume { height: 3, width: 2, channels: 5 };
        let x = Tensor::<1>::from_floats(std::array::from_fn::<f32, 60, _>(|i| i as f32), &Device::flex());
        let columns = x.reshape([2, 30]);
        let image = Value::Columns(columns.clone()).image(volume);
        assert_eq!(image.dims(), [2, 5, 3, 2]);
        // Row 1, channel 4, position (2, 1).
        let pixel = image.clone().slice([1..2, 4..5, 2..3, 1..2]).into_scalar::<f32>();
        assert_eq!(pixel, (30 + (2 * 2 + 1) * 5 + 4) as f32);
        Value::Image(image).columns().into_data().assert_eq(&columns.into_data(), true);
    }
}
