//! The Philox 4x32-10 counter-based generator, as plain Rust and as a device function with the same bits.
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
/// Third word of the counter that derives keys: "RANK" in ASCII, apart from every draw's counter.
const SUBKEY_TAG: u32 = 0x5241_4e4b;

/// Four random words from a counter and a key, by ten rounds of Philox, on the host.
///
/// # Shapes
/// `counter`: 4 words, `key`: 2 words; returns 4 words, each uniform over all 32-bit integers.
///
/// # Source
/// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; checked against the known
/// answers of the Random123 library.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut words = counter;
    let mut key = key;
    for _ in 0..ROUNDS {
        let even = u64::from(words[0]) * u64::from(MULTIPLIER_0);
        let odd = u64::from(words[2]) * u64::from(MULTIPLIER_1);
        words = [
            (odd >> 32) as u32 ^ words[1] ^ key[0],
            odd as u32,
            (even >> 32) as u32 ^ words[3] ^ key[1],
            even as u32,
        ];
        key = [key[0].wrapping_add(WEYL_0), key[1].wrapping_add(WEYL_1)];
    }
    words
}

/// The key of a run's `seed`, a `site` (layer and factor) and a posterior `sample`.
///
/// # Shapes
/// Returns 2 words.
///
/// # Source
/// The first two words of Philox at counter `[site, sample, 0, "RANK"]` under the seed's two halves.
pub fn stream_key(seed: u64, site: u32, sample: u32) -> [u32; 2] {
    let [first, second, ..] = philox4x32([site, sample, 0, SUBKEY_TAG], [seed as u32, (seed >> 32) as u32]);
    [first, second]
}

/// The four words of one block, on the device.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) word_0: u32,
    pub(crate) word_1: u32,
    pub(crate) word_2: u32,
    pub(crate) word_3: u32,
}

/// [`philox4x32`] inside a kernel: one unit computes one block.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_of_random123_are_met() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox4x32(counter, key), expected);
        }
    }

    #[test]
    fn every_part_of_an_address_changes_the_key() {
        let keys = [(1, 1, 1), (2, 1, 1), (1 + (1 << 32), 1, 1), (1, 2, 1), (1, 1, 2)]
            .map(|(seed, site, sample)| stream_key(seed, site, sample));
        let distinct: std::collections::HashSet<_> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
