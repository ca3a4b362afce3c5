//! Where the entries lie that one row of factors scales: rows, or the pixels of images in either order of axes.
//!
//! Not for strides: every buffer is contiguous.

use crate::{DrawShape, Error};

/// Order of the axes of a batch of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageLayout {
    /// `[K * B, C, H, W]`, NCHW.
    ChannelsFirst,
    /// `[K * B, H, W, C]`, NHWC.
    ChannelsLast,
}

/// The axes of a batch of images that a [`DrawShape`] does not have; its `width` is the number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Images per member, `B`.
    pub batch_size: usize,
    /// Rows of pixels, `H`.
    pub height: usize,
    /// Pixels of a row, `W`.
    pub width: usize,
    /// Order of the axes.
    pub layout: ImageLayout,
}

/// How the entries scaled by one row of factors lie, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Positions that each factor entry scales: rows, or images times pixels.
    pub(crate) positions: usize,
    /// Consecutive positions between two channels; 1 where channels come last.
    pub(crate) plane: usize,
    /// Shape of the scaled buffer.
    pub(crate) axes: [usize; 4],
    pub(crate) n_axes: usize,
}

impl Spread {
    /// Rows `[K * batch_size, D]`.
    pub(crate) fn rows(op: &'static str, shape: DrawShape, batch_size: usize) -> Result<Self, Error> {
        shape.check_batch(op, batch_size)?;
        shape.with_batch(batch_size).elements(op)?;
        let axes = [shape.n_members * batch_size, shape.width, 1, 1];
        Ok(Self { positions: batch_size / shape.n_examples, plane: 1, axes, n_axes: 2 })
    }

    /// Images in either order.
    pub(crate) fn images(op: &'static str, shape: DrawShape, images: ImageShape) -> Result<Self, Error> {
        let ImageShape { batch_size, height, width, layout } = images;
        shape.check_batch(op, batch_size)?;
        for (axis, length) in [("batch_size", batch_size), ("height", height), ("image width", width)] {
            if length == 0 {
                return Err(Error::Empty { op, axis });
            }
        }
        shape.elements(op)?;
        let pixels = height.saturating_mul(width);
        shape.with_batch(batch_size.saturating_mul(pixels)).elements(op)?;
        let (n_images, positions) = (shape.n_members * batch_size, batch_size / shape.n_examples * pixels);
        let (plane, axes) = match layout {
            ImageLayout::ChannelsFirst => (pixels, [n_images, shape.width, height, width]),
            ImageLayout::ChannelsLast => (1, [n_images, height, width, shape.width]),
        };
        Ok(Self { positions, plane, axes, n_axes: 4 })
    }

    /// Shape of the scaled buffer.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.axes[..self.n_axes]
    }

    /// Number of entries of the scaled buffer.
    pub(crate) fn elements(&self) -> usize {
        self.axes.iter().product()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const IMAGES: ImageShape =
        ImageShape { batch_size: 5, height: 7, width: 11, layout: ImageLayout::ChannelsFirst };

    #[test]
    fn one_draw_scales_its_image_or_all_images_of_its_member() {
        let own = DrawShape { n_members: 3, n_examples: 5, width: 13 };
        let shared = DrawShape { n_examples: 1, ..own };
        let spread = |shape, layout| {
            let spread = Spread::images("test", shape, ImageShape { layout, ..IMAGES }).unwrap();
            (spread.positions, spread.plane, spread.shape().to_vec())
        };
        assert_eq!(spread(own, ImageLayout::ChannelsFirst), (77, 77, vec![15, 13, 7, 11]));
        assert_eq!(spread(shared, ImageLayout::ChannelsFirst), (385, 77, vec![15, 13, 7, 11]));
        assert_eq!(spread(shared, ImageLayout::ChannelsLast), (385, 1, vec![15, 7, 11, 13]));
    }

    #[test]
    fn empty_oversized_and_unfitting_images_are_refused() {
        let shape = DrawShape { n_members: 3, n_examples: 5, width: 13 };
        let refusal = |images| Spread::images("test", shape, images).unwrap_err();
        let error = refusal(ImageShape { height: 0, ..IMAGES });
        assert!(matches!(error, Error::Empty { axis: "height", .. }), "{error}");
        let error = refusal(ImageShape { width: 0, ..IMAGES });
        assert!(matches!(error, Error::Empty { axis: "image width", .. }), "{error}");
        let error = refusal(ImageShape { height: usize::MAX, ..IMAGES });
        assert!(matches!(error, Error::OverLimit { .. }), "{error}");
        let error = refusal(ImageShape { batch_size: 4, ..IMAGES });
        assert!(matches!(error, Error::BatchMismatch { n_examples: 5, batch_size: 4, .. }), "{error}");
    }
}
