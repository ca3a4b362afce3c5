//! Kernel of the integer stream, for proofs that a device repeats the host's words bit for bit.

use cubecl::prelude::*;

use super::philox::philox_block;

/// `out[row, index]` = word of the stream, rows member-major.
#[cube(launch_unchecked)]
pub(crate) fn fill_words(
    out: &mut [u32],
    key_0: u32,
    key_1: u32,
    step: u32,
    n_rows: u32,
    n_examples: u32,
    width: u32,
) {
    let quads = width.div_ceil(4u32);
    let unit = ABSOLUTE_POS as u32;
    if unit < n_rows * quads {
        let row = unit / quads;
        let quad = unit % quads;
        let words = philox_block(quad, row % n_examples, row / n_examples, step, key_0, key_1);
        let mut lanes = Sequence::<u32>::new();
        lanes.push(words.word_0);
        lanes.push(words.word_1);
        lanes.push(words.word_2);
        lanes.push(words.word_3);
        #[unroll]
        for lane in 0..4usize {
            let index = quad * 4u32 + lane as u32;
            if index < width {
                out[(row * width + index) as usize] = lanes[lane];
            }
        }
    }
}
