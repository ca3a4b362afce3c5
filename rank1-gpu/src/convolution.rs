//! The shape of a perturbed convolution; its other arguments are those of [`crate::linear`].
//!
//! Images are `[height, width, channels]`, weights `[kernel_h, kernel_w, c_in, c_out]`, both row-major.

use rank1_core::conv::Pads;

use crate::Error;
use crate::linear::Sizes;
use crate::shape::check_axes;

/// Axes of a perturbed two-dimensional convolution of all members; image `k * batch_size + b` belongs to member `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Number of members `K`.
    pub n_members: usize,
    /// Examples per member `B`.
    pub batch_size: usize,
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
    /// Vertical and horizontal steps of the window.
    pub stride: (usize, usize),
    /// Distances of neighboring kernel entries; (1, 1) is an ordinary convolution.
    pub dilation: (usize, usize),
    /// Zeros around the image; they stay zero under an input factor, which acts before the padding.
    pub pads: Pads,
}

impl ConvShape {
    /// Height and width of an output image; 0 where the window does not fit into the padded image.
    ///
    /// # Source
    /// Definition: window positions on the padded image.
    pub fn out_size(&self) -> (usize, usize) {
        let (height, width) = self.padded();
        (
            positions(height, self.kernel.0, self.stride.0, self.dilation.0),
            positions(width, self.kernel.1, self.stride.1, self.dilation.1),
        )
    }

    /// Verifies that no axis is empty, that the window fits and that every buffer has 32-bit addresses.
    ///
    /// # Errors
    /// [`Error::Empty`] names the axis (`out_height` or `out_width` for a window that does not fit),
    /// [`Error::OverLimit`] counts the elements.
    pub fn check(&self, op: &'static str) -> Result<(), Error> {
        let images = [("n_members", self.n_members), ("batch_size", self.batch_size)];
        let (c_in, c_out) = (("c_in", self.c_in), ("c_out", self.c_out));
        let kernel = [("kernel height", self.kernel.0), ("kernel width", self.kernel.1)];
        check_axes(op, &[images[0], images[1], ("height", self.height), ("width", self.width), c_in])?;
        check_axes(op, &[kernel[0], kernel[1], c_in, c_out])?;
        // Coordinates on the padded image and the steps between them are 32-bit integers too.
        let (height, width) = self.padded();
        for step in [
            ("vertical stride", self.stride.0),
            ("horizontal stride", self.stride.1),
            ("vertical dilation", self.dilation.0),
            ("horizontal dilation", self.dilation.1),
            ("padded height", height),
            ("padded width", width),
        ] {
            check_axes(op, &[step])?;
        }
        let (out_height, out_width) = self.out_size();
        let out = [("out_height", out_height), ("out_width", out_width)];
        check_axes(op, &[images[0], images[1], out[0], out[1], c_out]).map(|_| ())
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let (out_height, out_width) = self.out_size();
        Sizes {
            n_members: self.n_members,
            batch_size: self.batch_size,
            in_positions: self.height * self.width,
            out_positions: out_height * out_width,
            c_in: self.c_in,
            c_out: self.c_out,
            taps: self.kernel.0 * self.kernel.1,
        }
    }

    fn padded(&self) -> (usize, usize) {
        let Pads { top, bottom, left, right } = self.pads;
        let sum =
            |size: usize, before: usize, after: usize| size.saturating_add(before).saturating_add(after);
        (sum(self.height, top, bottom), sum(self.width, left, right))
    }
}

fn positions(padded: usize, window: usize, stride: usize, dilation: usize) -> usize {
    let reach = window.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
    padded.checked_sub(reach).and_then(|room| room.checked_div(stride)).map_or(0, |steps| steps + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ConvShape = ConvShape {
        n_members: 3,
        batch_size: 2,
        height: 7,
        width: 5,
        c_in: 2,
        c_out: 3,
        kernel: (3, 2),
        stride: (2, 1),
        dilation: (1, 2),
        pads: Pads { top: 1, bottom: 0, left: 0, right: 1 },
    };

    #[test]
    fn windows_are_counted_on_the_padded_image() {
        // Height 8, reach 3, stride 2: starts 0, 2, 4. Width 6, reach 3: starts 0 to 3.
        assert_eq!(SHAPE.out_size(), (3, 4));
        assert!(SHAPE.check("test").is_ok());
    }

    #[test]
    fn what_cannot_be_launched_is_named() {
        let large = usize::MAX;
        for (shape, name) in [
            (ConvShape { height: 0, ..SHAPE }, "height"),
            (ConvShape { kernel: (0, 2), ..SHAPE }, "kernel height"),
            (ConvShape { stride: (2, 0), ..SHAPE }, "horizontal stride"),
            (ConvShape { dilation: (0, 1), ..SHAPE }, "vertical dilation"),
            (ConvShape { kernel: (9, 2), ..SHAPE }, "out_height"),
            (ConvShape { dilation: (1, large), ..SHAPE }, "out_width"),
        ] {
            let got = shape.check("test");
            let named = matches!(got, Err(Error::Empty { axis, .. }) if axis == name);
            assert!(
                named || matches!(got, Err(Error::OverLimit { requested, .. }) if requested == large as u64),
                "{got:?}"
            );
        }
        let pads = Pads { top: large, ..SHAPE.pads };
        assert!(matches!(ConvShape { pads, ..SHAPE }.check("test"), Err(Error::OverLimit { .. })));
    }
}
