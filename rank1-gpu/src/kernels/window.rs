//! Which pixel an output sees through which kernel entry, and which output a pixel reaches.

use cubecl::prelude::*;
use cubecl::std::FastDivmod;

/// Sizes of images and windows; pads are those above and to the left. Divisors stand beside the numbers they are made of.
#[derive(CubeType, CubeLaunch, Clone)]
#[expand(derive(Clone))]
pub(crate) struct Window {
    pub(crate) in_height: u32,
    pub(crate) in_width: u32,
    pub(crate) out_height: u32,
    pub(crate) out_width: u32,
    pub(crate) by_in_width: FastDivmod<u32>,
    pub(crate) by_in_pixels: FastDivmod<u32>,
    pub(crate) by_out_width: FastDivmod<u32>,
    pub(crate) by_out_pixels: FastDivmod<u32>,
    pub(crate) by_kernel_width: FastDivmod<u32>,
    pub(crate) stride_y: u32,
    pub(crate) stride_x: u32,
    pub(crate) dilation_y: u32,
    pub(crate) dilation_x: u32,
    pub(crate) top: u32,
    pub(crate) left: u32,
}

/// A place on the padded grid of an image.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) image: u32,
    y: u32,
    x: u32,
}

/// A kernel entry: its number, its distance from the window's corner, and the channel.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Tap {
    pub(crate) entry: u32,
    y: u32,
    x: u32,
    pub(crate) channel: u32,
}

/// A pixel or an output, counted over all images; zero where there is none.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) exists: bool,
    pub(crate) position: u32,
}

#[cube]
impl Window {
    /// The corner of the window of an output, counted over all images.
    pub(crate) fn corner(&self, output: u32) -> Place {
        let (image, position) = self.by_out_pixels.div_mod(output);
        let (y, x) = self.by_out_width.div_mod(position);
        Place { image, y: y * self.stride_y, x: x * self.stride_x }
    }

    /// A pixel, counted over all images, on the padded image.
    pub(crate) fn padded(&self, pixel: u32) -> Place {
        let (image, position) = self.by_in_pixels.div_mod(pixel);
        let (y, x) = self.by_in_width.div_mod(position);
        Place { image, y: y + self.top, x: x + self.left }
    }

    /// Kernel entry and channel of a column, of which an entry has as many as there are channels.
    pub(crate) fn tap(&self, column: u32, by_channels: &FastDivmod<u32>) -> Tap {
        let (entry, channel) = by_channels.div_mod(column);
        let (y, x) = self.by_kernel_width.div_mod(entry);
        Tap { entry, y: y * self.dilation_y, x: x * self.dilation_x, channel }
    }

    /// The pixel under an entry of the window at a corner; none in the padding.
    pub(crate) fn pixel_under(&self, corner: &Place, tap: &Tap) -> Seen {
        // In the padding above or to the left these wrap around and are larger than any size.
        let y = corner.y + tap.y - self.top;
        let x = corner.x + tap.x - self.left;
        let exists = y < self.in_height && x < self.in_width;
        let position = (corner.image * self.in_height + y) * self.in_width + x;
        Seen { exists, position: select(exists, position, 0u32) }
    }

    /// The output whose window has the pixel under this entry; `dense` says that both strides are 1, which saves divisions.
    pub(crate) fn output_over(&self, pixel: &Place, tap: &Tap, #[comptime] dense: bool) -> Seen {
        let corner_y = pixel.y - tap.y;
        let corner_x = pixel.x - tap.x;
        let mut y = corner_y;
        let mut x = corner_x;
        let mut exists = pixel.y >= tap.y && pixel.x >= tap.x;
        if comptime!(!dense) {
            y = corner_y / self.stride_y;
            x = corner_x / self.stride_x;
            exists = exists && y * self.stride_y == corner_y && x * self.stride_x == corner_x;
        }
        exists = exists && y < self.out_height && x < self.out_width;
        let position = (pixel.image * self.out_height + y) * self.out_width + x;
        Seen { exists, position: select(exists, position, 0u32) }
    }
}
