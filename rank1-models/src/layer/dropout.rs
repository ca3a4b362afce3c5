//! Dropout by a given mask, so that training and prediction share one path and one source of randomness.

use burn::tensor::{Device, Tensor};
use rank1_core::Error;
use rank1_core::noise::NoiseKind;

use super::{DrawRows, expect_shape};
use crate::engine::Site;
use crate::method::Granularity;

/// Multiplies each entry by 0 with probability `rate`, else by `1 / (1 - rate)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Probability of a zero, in [0, 1).
    pub rate: f64,
}

impl Dropout {
    /// Checked dropout.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 <= rate < 1`.
    ///
    /// # Source
    /// Srivastava et al. 2014; kept at prediction as in Gal and Ghahramani 2016.
    pub fn new(rate: f64) -> Result<Self, Error> {
        if (0.0..1.0).contains(&rate) {
            return Ok(Self { rate });
        }
        Err(Error::OutOfRange { op: "Dropout::new", argument: "rate", value: rate, expected: "in [0, 1)" })
    }

    /// A mask of zeros and `1 / (1 - rate)`.
    ///
    /// # Shapes
    /// Returns `[S*K*B, width]`.
    ///
    /// # Source
    /// An entry is kept where its uniform draw is at least `rate`.
    #[must_use]
    pub fn mask(&self, rows: &DrawRows, width: usize, device: &Device) -> Tensor<2> {
        let uniform =
            rows.noise(Site::InputFactor, NoiseKind::Uniform, Granularity::PerExample, width, device);
        uniform.greater_equal_scalar(self.rate as f32).float() * (1.0 / (1.0 - self.rate)) as f32
    }

    /// `x ∘ mask`.
    ///
    /// # Shapes
    /// Both `[R, D]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the mask has another shape.
    ///
    /// # Source
    /// As [`Dropout::mask`].
    pub fn forward(&self, x: Tensor<2>, mask: Tensor<2>) -> Result<Tensor<2>, Error> {
        expect_shape("Dropout::forward", "mask", &mask, x.dims())?;
        Ok(x * mask)
    }

    /// Filter-wise dropout: whole channels of a feature map are kept or dropped.
    ///
    /// # Shapes
    /// `x`: `[R, C, H, W]`; `mask`: `[R, C]`, as [`Dropout::mask`] draws it with width C; returns the shape of `x`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the mask has another shape.
    ///
    /// # Source
    /// Tompson et al. 2015, arXiv:1411.4280 ("spatial dropout"); rates per filter as in Gal and Ghahramani 2016.
    pub fn forward_channels(&self, x: Tensor<4>, mask: Tensor<2>) -> Result<Tensor<4>, Error> {
        let [rows, channels, ..] = x.dims();
        expect_shape("Dropout::forward_channels", "mask", &mask, [rows, channels])?;
        Ok(x * mask.reshape([rows, channels, 1, 1]))
    }
}
