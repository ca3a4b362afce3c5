//! The Philox 4x32-10 counter-based generator as a device function, with the bits of [`rank1_core::noise::philox4x32`].
//!
//! Not a generator with state: the same counter and key always give the same words.
//!
//! Contract of the stream: entry `index` of the row of (`step`, `member`, `example`) is word `index % 4` of the block
//! at counter `[index / 4, example, member, step]` under the stream's key.

use cubecl::prelude::*;

const MULTIPLIER_0: u32 = 0xD251_1F53;
const MULTIPLIER_1: u32 = 0xCD9E_8D57;
const WEYL_0: u32 = 0x9E37_79B9;
const WEYL_1: u32 = 0xBB67_AE85;
const ROUNDS: u32 = 10;

/// The four words of one block, on the device.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) word_0: u32,
    pub(crate) word_1: u32,
    pub(crate) word_2: u32,
    pub(crate) word_3: u32,
}

/// One unit computes one block.
///
/// Additions and products wrap, as unsigned device arithmetic does.
#[cube]
pub(crate) fn philox_block(quad: u32, example: u32, member: u32, step: u32, key_0: u32, key_1: u32) -> Block {
    let mut word_0 = quad;
    let mut word_1 = example;
    let mut word_2 = member;
    let mut word_3 = step;
    let mut round_key_0 = key_0;
    let mut round_key_1 = key_1;
    #[unroll]
    for _round in 0..ROUNDS {
        let even_high = word_0.mul_hi(MULTIPLIER_0);
        let even_low = word_0 * MULTIPLIER_0;
        let odd_high = word_2.mul_hi(MULTIPLIER_1);
        let odd_low = word_2 * MULTIPLIER_1;
        word_0 = odd_high ^ word_1 ^ round_key_0;
        word_1 = odd_low;
        word_2 = even_high ^ word_3 ^ round_key_1;
        word_3 = even_low;
        round_key_0 += WEYL_0;
        round_key_1 += WEYL_1;
    }
    Block { word_0, word_1, word_2, word_3 }
}
