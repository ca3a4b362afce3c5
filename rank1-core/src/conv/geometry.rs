//! Sizes of a two-dimensional convolution: padding rules, output size, lengths of its arrays.
//!
//! Not the product itself. Images are `[height, width, channels]`, weights `[kernel_h, kernel_w, c_in, c_out]`.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How many zeros surround an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// None: every window lies inside the image.
    #[default]
    Valid,
    /// As TensorFlow: the output has `ceil(size / stride)` positions; an odd zero goes to the bottom and right.
    Same,
    /// Given counts.
    Explicit {
        /// Rows above the image.
        top: usize,
        /// Rows below the image.
        bottom: usize,
        /// Columns left of the image.
        left: usize,
        /// Columns right of the image.
        right: usize,
    },
}

/// Zeros on each side of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Pads {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// Zeros on each side for an image of `size` (height, width) seen through windows.
    ///
    /// # Source
    /// `Same`: TensorFlow's rule, `total = max((ceil(n / stride) - 1) * stride + (window - 1) * dilation + 1 - n, 0)`
    /// of which the smaller half comes first.
    pub fn pads(
        self,
        size: (usize, usize),
        window: (usize, usize),
        stride: (usize, usize),
        dilation: (usize, usize),
    ) -> Pads {
        let same = |n: usize, window: usize, stride: usize, dilation: usize| {
            let last = n.div_ceil(stride.max(1)).saturating_sub(1) * stride;
            let total = (last + window.saturating_sub(1) * dilation + 1).saturating_sub(n);
            (total / 2, total - total / 2)
        };
        match self {
            Self::Valid => Pads::default(),
            Self::Same => {
                let (top, bottom) = same(size.0, window.0, stride.0, dilation.0);
                let (left, right) = same(size.1, window.1, stride.1, dilation.1);
                Pads { top, bottom, left, right }
            }
            Self::Explicit { top, bottom, left, right } => Pads { top, bottom, left, right },
        }
    }
}

/// Number of window positions along an axis of `padded` elements; 0 if the window does not fit or a size is 0.
pub(crate) fn positions(padded: usize, window: usize, stride: usize, dilation: usize) -> usize {
    let reach = window.saturating_sub(1) * dilation + 1;
    padded.checked_sub(reach).and_then(|room| room.checked_div(stride)).map_or(0, |steps| steps + 1)
}

/// Refuses zero sizes and windows that are larger than the padded image.
pub(crate) fn check_sizes(
    op: &'static str,
    sizes: &[(&'static str, usize)],
    out: impl FnOnce() -> (usize, usize),
) -> Result<(), Error> {
    for &(argument, size) in sizes {
        if size == 0 {
            return Err(Error::OutOfRange { op, argument, value: 0.0, expected: "at least 1" });
        }
    }
    let (height, width) = out();
    for (argument, size) in [("window height", height), ("window width", width)] {
        if size == 0 {
            let expected = "at least one position (window no larger than the padded image)";
            return Err(Error::OutOfRange { op, argument, value: 0.0, expected });
        }
    }
    Ok(())
}

/// Everything about a convolution except its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvShape {
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Input channels.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Kernel height and width.
    pub kernel: (usize, usize),
    /// Steps of the window.
    pub stride: (usize, usize),
    /// Distance of neighboring kernel entries; (1, 1) is an ordinary convolution.
    pub dilation: (usize, usize),
    /// Zeros around the image.
    pub padding: Padding,
}

impl ConvShape {
    /// Verifies that every size is positive and that the kernel fits into the padded image.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the size.
    pub fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("height", self.height),
            ("width", self.width),
            ("c_in", self.c_in),
            ("c_out", self.c_out),
            ("kernel height", self.kernel.0),
            ("kernel width", self.kernel.1),
            ("vertical stride", self.stride.0),
            ("horizontal stride", self.stride.1),
            ("vertical dilation", self.dilation.0),
            ("horizontal dilation", self.dilation.1),
        ];
        check_sizes("ConvShape::check", &sizes, || self.out_size())
    }

    /// Height and width of an output image.
    ///
    /// # Source
    /// Definition: window positions on the padded image.
    pub fn out_size(&self) -> (usize, usize) {
        let pads = self.pads();
        let (height, width) = (self.height + pads.top + pads.bottom, self.width + pads.left + pads.right);
        (
            positions(height, self.kernel.0, self.stride.0, self.dilation.0),
            positions(width, self.kernel.1, self.stride.1, self.dilation.1),
        )
    }

    /// Zeros on each side of an image.
    ///
    /// # Source
    /// [`Padding::pads`].
    pub fn pads(&self) -> Pads {
        self.padding.pads((self.height, self.width), self.kernel, self.stride, self.dilation)
    }

    /// Columns of an input image with the zeros on both sides.
    pub(crate) fn padded_width(&self) -> usize {
        let pads = self.pads();
        self.width + pads.left + pads.right
    }

    /// Values of a padded image.
    pub(crate) fn padded_len(&self) -> usize {
        let pads = self.pads();
        (self.height + pads.top + pads.bottom) * self.padded_width() * self.c_in
    }

    /// Elements of an input image.
    pub fn in_len(&self) -> usize {
        self.height * self.width * self.c_in
    }

    /// Elements of an output image.
    pub fn out_len(&self) -> usize {
        let (height, width) = self.out_size();
        height * width * self.c_out
    }

    /// Elements of the weight.
    pub fn weight_len(&self) -> usize {
        self.patch_len() * self.c_out
    }

    /// Multiplications (each with an addition) per image, zeros of the padding included.
    pub fn multiply_adds(&self) -> u64 {
        let (height, width) = self.out_size();
        height as u64 * width as u64 * self.weight_len() as u64
    }

    /// Input values under one kernel position.
    pub(crate) fn patch_len(&self) -> usize {
        self.kernel.0 * self.kernel.1 * self.c_in
    }

    /// Whether the patches of an image are the image itself.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == (1, 1) && self.pads() == Pads::default()
    }

    /// The convolution from output gradients to input gradients, with the flipped and transposed kernel; only for
    /// stride 1 and padding within the kernel's reach.
    pub(crate) fn transposed(&self) -> Option<Self> {
        if self.stride != (1, 1) {
            return None;
        }
        let (height, width) = self.out_size();
        let pads = self.pads();
        let reach = ((self.kernel.0 - 1) * self.dilation.0, (self.kernel.1 - 1) * self.dilation.1);
        Some(Self {
            height,
            width,
            c_in: self.c_out,
            c_out: self.c_in,
            padding: Padding::Explicit {
                top: reach.0.checked_sub(pads.top)?,
                bottom: reach.0.checked_sub(pads.bottom)?,
                left: reach.1.checked_sub(pads.left)?,
                right: reach.1.checked_sub(pads.right)?,
            },
            ..*self
        })
    }
}
