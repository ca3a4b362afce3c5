//! What a convolution gathers: patches of images, gradients of the outputs that saw a pixel, and the weight by inputs.

use cubecl::prelude::*;

use super::linear::perturb;
use super::linear_backward::ProductGradient;
use super::matrix::{Matrix, MatrixExpand};
use crate::linear::Perturbation;

/// Sizes that the kernels need; pads are those above and to the left.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Window {
    pub(crate) in_height: u32,
    pub(crate) in_width: u32,
    pub(crate) out_height: u32,
    pub(crate) out_width: u32,
    pub(crate) kernel_width: u32,
    pub(crate) stride_y: u32,
    pub(crate) stride_x: u32,
    pub(crate) dilation_y: u32,
    pub(crate) dilation_x: u32,
    pub(crate) top: u32,
    pub(crate) left: u32,
}

/// A place on the padded image of an example: positions of the first entries of the image and of its factor's row.
#[derive(CubeType)]
pub(crate) struct Place {
    image: u32,
    factor: u32,
    y: u32,
    x: u32,
}

/// A kernel entry: its distance from the window's corner, and the channel.
#[derive(CubeType)]
pub(crate) struct Tap {
    y: u32,
    x: u32,
    channel: u32,
}

#[cube]
fn tap(column: u32, channels: u32, window: &Window) -> Tap {
    let entry = column / channels;
    Tap {
        y: entry / window.kernel_width * window.dilation_y,
        x: entry % window.kernel_width * window.dilation_x,
        channel: column % channels,
    }
}

/// Rows: output positions of all images. Columns: kernel entries and input channels. Entries: pixels under the input
/// factor, zeros in the padding.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Patches {
    pub(crate) pixels: Box<[f32]>,
    pub(crate) factor: ComptimeOption<Box<[f32]>>,
    pub(crate) window: Window,
    pub(crate) channels: u32,
    pub(crate) images_per_factor: u32,
    #[cube(comptime)]
    pub(crate) perturbation: Perturbation,
}

#[cube]
impl Matrix for Patches {
    type Row = Place;
    type Column = Tap;

    fn row(&self, row: u32) -> Self::Row {
        let positions = self.window.out_height * self.window.out_width;
        let image = row / positions;
        let position = row % positions;
        Place {
            image: image * (self.window.in_height * self.window.in_width * self.channels),
            factor: image / self.images_per_factor * self.channels,
            y: position / self.window.out_width * self.window.stride_y,
            x: position % self.window.out_width * self.window.stride_x,
        }
    }

    fn column(&self, column: u32) -> Self::Column {
        tap(column, self.channels, &self.window)
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        // In the padding above or to the left these wrap around and are larger than any size.
        let y = row.y + column.y - self.window.top;
        let x = row.x + column.x - self.window.left;
        let mut value = 0.0f32;
        if y < self.window.in_height && x < self.window.in_width {
            let at = row.image + (y * self.window.in_width + x) * self.channels + column.channel;
            let pixel = self.pixels[at as usize];
            value = #[comptime]
            match &self.factor {
                ComptimeOption::Some(factor) => {
                    perturb(pixel, factor[(row.factor + column.channel) as usize], self.perturbation)
                }
                ComptimeOption::None => pixel,
            };
        }
        value
    }

    fn is_row_major(_this: &Self) -> comptime_type!(bool) {
        true
    }
}

/// Rows: input positions of all images. Columns: kernel entries and output channels. Entries: the gradient of the product
/// at the one output that saw the pixel through the entry, zeros where there is none.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct SeenBy {
    pub(crate) gradient: ProductGradient,
    pub(crate) window: Window,
    pub(crate) images_per_factor: u32,
    /// Whether both strides are 1, which saves divisions.
    #[cube(comptime)]
    pub(crate) dense: bool,
}

#[cube]
impl Matrix for SeenBy {
    type Row = Place;
    type Column = Tap;

    fn row(&self, row: u32) -> Self::Row {
        let positions = self.window.in_height * self.window.in_width;
        let image = row / positions;
        let position = row % positions;
        let channels = self.gradient.width;
        Place {
            image: image * (self.window.out_height * self.window.out_width * channels),
            factor: image / self.images_per_factor * channels,
            y: position / self.window.in_width + self.window.top,
            x: position % self.window.in_width + self.window.left,
        }
    }

    fn column(&self, column: u32) -> Self::Column {
        tap(column, self.gradient.width, &self.window)
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        let mut value = 0.0f32;
        // The corner of the window that has the pixel under this entry.
        if row.y >= column.y && row.x >= column.x {
            let corner_y = row.y - column.y;
            let corner_x = row.x - column.x;
            let mut y = corner_y;
            let mut x = corner_x;
            let mut seen = true;
            if comptime!(!self.dense) {
                y = corner_y / self.window.stride_y;
                x = corner_x / self.window.stride_x;
                seen = y * self.window.stride_y == corner_y && x * self.window.stride_x == corner_x;
            }
            if seen && y < self.window.out_height && x < self.window.out_width {
                let position = (y * self.window.out_width + x) * self.gradient.width;
                value =
                    self.gradient.value(row.image + position + column.channel, row.factor + column.channel);
            }
        }
        value
    }

    fn is_row_major(_this: &Self) -> comptime_type!(bool) {
        true
    }
}

/// Rows: input channels. Columns: kernel entries and output channels.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct WeightByInput {
    pub(crate) weight: Box<[f32]>,
    pub(crate) c_in: u32,
    pub(crate) c_out: u32,
}

#[cube]
impl Matrix for WeightByInput {
    type Row = u32;
    type Column = u32;

    fn row(&self, row: u32) -> Self::Row {
        row * self.c_out
    }

    fn column(&self, column: u32) -> Self::Column {
        column / self.c_out * (self.c_in * self.c_out) + column % self.c_out
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        self.weight[(*row + *column) as usize]
    }

    fn is_row_major(_this: &Self) -> comptime_type!(bool) {
        true
    }
}
