//! Kernel, stride, dilation and padding of a convolution, and the convolution of channels-first tensors.
//!
//! No parameters and no factors; those are in [`super::conv`] and [`super::mean_field_conv`].

use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use rank1_core::Error;
use rank1_core::conv::{ConvShape, Padding, Pads};
use serde::{Deserialize, Serialize};

use super::expect_shape;

/// How a kernel moves over an image; pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvGeometry {
    /// Taps.
    pub kernel: [usize; 2],
    /// Steps of the kernel.
    pub stride: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Zeros around the image.
    pub padding: Padding,
}

impl ConvGeometry {
    /// Stride 1, no dilation, outputs as large as the inputs.
    ///
    /// # Source
    /// Defaults of the networks of Dusenberry et al. 2020.
    #[must_use]
    pub fn same(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], dilation: [1, 1], padding: Padding::Same }
    }

    /// The same with another stride on both axes.
    #[must_use]
    pub fn with_stride(mut self, stride: usize) -> Self {
        self.stride = [stride, stride];
        self
    }

    /// Number of taps.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Refuses a kernel, stride or dilation of zero.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the setting.
    pub fn check(&self) -> Result<(), Error> {
        for (argument, pair) in
            [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)]
        {
            if pair.contains(&0) {
                let expected = "at least 1 on both axes";
                return Err(Error::OutOfRange { op: "ConvGeometry::check", argument, value: 0.0, expected });
            }
        }
        Ok(())
    }

    /// The convolution of images of a size (height, width).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a size of zero or a kernel larger than the padded image.
    ///
    /// # Source
    /// [`ConvShape::check`].
    pub fn shape(
        &self,
        size: [usize; 2],
        channels_in: usize,
        channels_out: usize,
    ) -> Result<ConvShape, Error> {
        let shape = ConvShape {
            height: size[0],
            width: size[1],
            c_in: channels_in,
            c_out: channels_out,
            kernel: self.kernel.into(),
            stride: self.stride.into(),
            dilation: self.dilation.into(),
            padding: self.padding,
        };
        shape.check()?;
        Ok(shape)
    }

    /// Height and width of the outputs for an image of the given size.
    ///
    /// # Errors
    /// As [`ConvGeometry::shape`].
    ///
    /// # Source
    /// [`ConvShape::out_size`].
    pub fn output_size(&self, size: [usize; 2]) -> Result<[usize; 2], Error> {
        Ok(self.shape(size, 1, 1)?.out_size().into())
    }

    /// Convolution of channels-first images with a weight stored tap by tap.
    ///
    /// # Shapes
    /// `x`: `[R, C_in, H, W]`; `weight`: `[kh*kw*C_in, C_out]`, row `(i*kw + j)*C_in + c`; returns `[R, C_out, H', W']`.
    ///
    /// # Errors
    /// [`Error::Empty`] for no rows, [`Error::ShapeMismatch`] if the weight does not fit, otherwise as
    /// [`ConvGeometry::shape`].
    ///
    /// # Source
    /// Cross-correlation, as every deep-learning library; the weight is a height-width-in-out kernel, flattened.
    pub fn convolve(&self, x: Tensor<4>, weight: Tensor<2>) -> Result<Tensor<4>, Error> {
        const OP: &str = "ConvGeometry::convolve";
        let [rows, channels_in, height, width] = x.dims();
        let [_, channels_out] = weight.dims();
        if rows == 0 {
            return Err(Error::Empty { op: OP, argument: "x" });
        }
        let shape = self.shape([height, width], channels_in, channels_out)?;
        expect_shape(OP, "weight", &weight, [self.taps() * channels_in, channels_out])?;
        let [kh, kw] = self.kernel;
        let kernel = weight.reshape([kh, kw, channels_in, channels_out]).permute([3, 2, 0, 1]);
        let Pads { top, bottom, left, right } = shape.pads();
        let options =
            ConvOptions::new_with_padding(self.stride, [(top, bottom), (left, right)], self.dilation, 1);
        Ok(conv2d(x, kernel, None, options))
    }
}
