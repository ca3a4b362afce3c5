//! What our own tiles gather for a convolution: patches of images, gradients of the outputs that saw a pixel, and the
//! weight by inputs.

use cubecl::prelude::*;
use cubecl::std::FastDivmod;

use super::linear::perturb;
use super::linear_backward::ProductGradient;
use super::matrix::{Matrix, MatrixExpand};
use super::window::{Place, Tap, Window};
use crate::Perturbation;

/// A place on the padded image of an example, and the position of the first entry of its factor's row.
#[derive(CubeType)]
pub(crate) struct FactoredPlace {
    place: Place,
    factor: u32,
}

/// Rows: output positions of all images. Columns: kernel entries and input channels. Entries: pixels under the input
/// factor, zeros in the padding.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Patches {
    pub(crate) pixels: Box<[f32]>,
    pub(crate) factor: ComptimeOption<Box<[f32]>>,
    pub(crate) window: Window,
    pub(crate) channels: u32,
    pub(crate) by_channels: FastDivmod<u32>,
    pub(crate) images_per_factor: u32,
    #[cube(comptime)]
    pub(crate) perturbation: Perturbation,
}

#[cube]
impl Matrix for Patches {
    type Row = FactoredPlace;
    type Column = Tap;

    fn row(&self, row: u32) -> Self::Row {
        let place = self.window.corner(row);
        let factor = place.image / self.images_per_factor * self.channels;
        FactoredPlace { place, factor }
    }

    fn column(&self, column: u32) -> Self::Column {
        self.window.tap(column, &self.by_channels)
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        let pixel = self.window.pixel_under(&row.place, column);
        let mut value = 0.0f32;
        if pixel.exists {
            let stored = self.pixels[(pixel.position * self.channels + column.channel) as usize];
            value = #[comptime]
            match &self.factor {
                ComptimeOption::Some(factor) => {
                    perturb(stored, factor[(row.factor + column.channel) as usize], self.perturbation)
                }
                ComptimeOption::None => stored,
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
    pub(crate) by_channels: FastDivmod<u32>,
    pub(crate) images_per_factor: u32,
    /// Whether both strides are 1.
    #[cube(comptime)]
    pub(crate) dense: bool,
}

#[cube]
impl Matrix for SeenBy {
    type Row = FactoredPlace;
    type Column = Tap;

    fn row(&self, row: u32) -> Self::Row {
        let place = self.window.padded(row);
        let factor = place.image / self.images_per_factor * self.gradient.width;
        FactoredPlace { place, factor }
    }

    fn column(&self, column: u32) -> Self::Column {
        self.window.tap(column, &self.by_channels)
    }

    fn at(&self, row: &Self::Row, column: &Self::Column) -> f32 {
        let output = self.window.output_over(&row.place, column, self.dense);
        let mut value = 0.0f32;
        if output.exists {
            let at = output.position * self.gradient.width + column.channel;
            value = self.gradient.value(at, row.factor + column.channel);
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
