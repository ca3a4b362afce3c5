//! The register tiles of direct convolutions on this machine, and channels in their order.

use crate::conv::ConvShape;
use crate::kernels::simd::f32_lanes;

/// Widths of a tile on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    /// Vectors of output channels, 1 or 2.
    pub(super) vectors: usize,
    /// Output channels, all vectors together; the last group of a convolution may have fewer.
    channels: usize,
}

impl Tile {
    /// The tile for a convolution; none where the patches have to be taken.
    pub(super) fn of(shape: &ConvShape) -> Option<Self> {
        let lanes = f32_lanes();
        let vectors = if shape.c_out.is_multiple_of(2 * lanes) { 2 } else { 1 };
        let worth = 4 * shape.c_out >= shape.c_out.next_multiple_of(lanes);
        (lanes > 1 && worth && shape.dilation.1 == 1).then_some(Self { vectors, channels: vectors * lanes })
    }

    /// Whether every group of channels is whole.
    pub(super) fn fills(self, channels: usize) -> bool {
        channels.is_multiple_of(self.channels)
    }

    /// Length of `rows` rows of `c_out` channels, packed.
    pub(super) fn packed_len(self, rows: usize, c_out: usize) -> usize {
        rows * c_out.next_multiple_of(self.channels)
    }

    /// From `[rows, C_out]` to `[groups of channels, rows, tile]`; channels that are missing in the last group get what comes
    /// next in `rows`, and nothing is read from their sums.
    pub(super) fn pack(self, c_out: usize, rows: &[f32], packed: &mut [f32]) {
        let group_len = rows.len() / c_out * self.channels;
        for (group, packed) in packed.chunks_exact_mut(group_len).enumerate() {
            let first = group * self.channels;
            for (to, start) in packed.chunks_exact_mut(self.channels).zip((first..).step_by(c_out)) {
                if let Some(from) = rows.get(start..start + self.channels) {
                    to.copy_from_slice(from);
                } else {
                    to.fill(0.0);
                    to[..rows.len() - start].copy_from_slice(&rows[start..]);
                }
            }
        }
    }
}
