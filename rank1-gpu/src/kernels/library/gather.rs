//! Where the entries of an operand lie in memory: row by row, or gathered for a convolution.

use cubecl::prelude::*;
use cubecl::std::FastDivmod;

use crate::kernels::window::Window;

/// What a convolution gathers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Gather {
    /// Rows: output positions of all images. Columns: kernel entries and input channels. Zeros in the padding.
    Patches,
    /// Rows: input positions of all images. Columns: kernel entries and output channels. Zeros where no output saw the
    /// pixel through the entry.
    SeenBy,
    /// Rows: input channels. Columns: kernel entries and output channels.
    WeightByInput,
}

/// A gathered operand, whose neighbors of a row lie together within the channels of a kernel entry.
#[derive(CubeType, CubeLaunch, Clone)]
#[expand(derive(Clone))]
pub(crate) struct Gathered {
    pub(crate) window: Window,
    /// Of a kernel entry.
    pub(crate) channels: u32,
    pub(crate) by_channels: FastDivmod<u32>,
    #[cube(comptime)]
    pub(crate) gather: Gather,
    /// Whether both strides are 1.
    #[cube(comptime)]
    pub(crate) dense: bool,
}

/// Where an entry lies, and its place in the row of its factor.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) at: u32,
    pub(crate) channel: u32,
    /// False where zero stands for it; `at` lies inside the buffer all the same.
    pub(crate) exists: bool,
}

#[cube]
impl Gathered {
    /// The entry of a row inside the operand, one of `rows`.
    pub(crate) fn spot(&self, row: u32, column: u32, rows: u32) -> Spot {
        let tap = self.window.tap(column, &self.by_channels);
        let channel = tap.channel;
        match comptime!(self.gather) {
            Gather::Patches => {
                let pixel = self.window.pixel_under(&self.window.corner(row), &tap);
                Spot { at: pixel.position * self.channels + channel, channel, exists: pixel.exists }
            }
            Gather::SeenBy => {
                let output = self.window.output_over(&self.window.padded(row), &tap, self.dense);
                Spot { at: output.position * self.channels + channel, channel, exists: output.exists }
            }
            Gather::WeightByInput => {
                let at = (tap.entry * rows + row) * self.channels + channel;
                Spot { at, channel, exists: true.runtime() }
            }
        }
    }
}
