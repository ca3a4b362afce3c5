//! The Philox 4x32-10 counter-based generator, one block or many blocks side by side.
//!
//! Not a random number generator with state: the same counter and key always give the same words.

use pulp::Simd;

const MULTIPLIER_0: u32 = 0xD251_1F53;
const MULTIPLIER_1: u32 = 0xCD9E_8D57;
const WEYL_0: u32 = 0x9E37_79B9;
const WEYL_1: u32 = 0xBB67_AE85;
const ROUNDS: usize = 10;

/// Four random words from a counter and a key, by ten rounds of Philox.
///
/// # Shapes
/// `counter`: 4 words, `key`: 2 words; returns 4 words, each uniform over all 32-bit integers.
///
/// # Source
/// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; checked against the known
/// answers of the Random123 library.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    philox_lanes(counter.map(|word| [word]), key).map(|lane| lane[0])
}

/// `N` independent blocks at once, word-major, so that each step is one vector instruction over the lanes.
#[inline(always)]
pub(super) fn philox_lanes<const N: usize>(counter: [[u32; N]; 4], key: [u32; 2]) -> [[u32; N]; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        for lane in 0..N {
            let p0 = u64::from(c0[lane]) * u64::from(MULTIPLIER_0);
            let p1 = u64::from(c2[lane]) * u64::from(MULTIPLIER_1);
            c0[lane] = (p1 >> 32) as u32 ^ c1[lane] ^ k0;
            c2[lane] = (p0 >> 32) as u32 ^ c3[lane] ^ k1;
            c1[lane] = p1 as u32;
            c3[lane] = p0 as u32;
        }
        k0 = k0.wrapping_add(WEYL_0);
        k1 = k1.wrapping_add(WEYL_1);
    }
    [c0, c1, c2, c3]
}

/// [`philox_lanes`] in vectors, two at a time where there are two: one waits for its products while the other goes on.
#[inline(always)]
pub(super) fn philox_vectors<S: Simd, const N: usize>(
    simd: S,
    counter: [[u32; N]; 4],
    key: [u32; 2],
) -> [[u32; N]; 4] {
    if S::IS_SCALAR || !N.is_multiple_of(S::U32_LANES) {
        return philox_lanes(counter, key);
    }
    let mut words = counter;
    let [c0, c1, c2, c3] = words.each_mut().map(|word| S::as_mut_simd_u32s(word).0);
    let pairs = c0.len() / 2;
    for v in 0..pairs {
        rounds::<S, 2>(simd, [&mut *c0, &mut *c1, &mut *c2, &mut *c3], 2 * v, key);
    }
    for v in 2 * pairs..c0.len() {
        rounds::<S, 1>(simd, [&mut *c0, &mut *c1, &mut *c2, &mut *c3], v, key);
    }
    words
}

/// The ten rounds on `V` vectors from `first` on.
#[inline(always)]
fn rounds<S: Simd, const V: usize>(simd: S, words: [&mut [S::u32s]; 4], first: usize, key: [u32; 2]) {
    let [mut k0, mut k1] = key;
    let mut state =
        [0, 1, 2, 3].map(|w: usize| -> [S::u32s; V] { std::array::from_fn(|v| words[w][first + v]) });
    let (multiplier_0, multiplier_1) = (simd.splat_u32s(MULTIPLIER_0), simd.splat_u32s(MULTIPLIER_1));
    for _ in 0..ROUNDS {
        let [c0, c1, c2, c3] = &mut state;
        let (key_0, key_1) = (simd.splat_u32s(k0), simd.splat_u32s(k1));
        for v in 0..V {
            let (low_0, high_0) = simd.widening_mul_u32s(c0[v], multiplier_0);
            let (low_1, high_1) = simd.widening_mul_u32s(c2[v], multiplier_1);
            c0[v] = simd.xor_u32s(simd.xor_u32s(high_1, c1[v]), key_0);
            c2[v] = simd.xor_u32s(simd.xor_u32s(high_0, c3[v]), key_1);
            c1[v] = low_1;
            c3[v] = low_0;
        }
        k0 = k0.wrapping_add(WEYL_0);
        k1 = k1.wrapping_add(WEYL_1);
    }
    for (word, vectors) in words.into_iter().zip(state) {
        word[first..first + V].copy_from_slice(&vectors);
    }
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::*;
    use crate::kernels::simd::arch;

    struct Vectors<const N: usize>([[u32; N]; 4]);

    impl<const N: usize> WithSimd for Vectors<N> {
        type Output = [[u32; N]; 4];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> [[u32; N]; 4] {
            philox_vectors(simd, self.0, [5, 11])
        }
    }

    #[test]
    fn vectors_equal_lanes() {
        fn check<const N: usize>() {
            let counter: [[u32; N]; 4] = std::array::from_fn(|w| {
                std::array::from_fn(|l| (w as u32 + 3).wrapping_mul(l as u32).wrapping_mul(0x9157_0a3d))
            });
            assert_eq!(arch().dispatch(Vectors(counter)), philox_lanes(counter, [5, 11]), "{N} lanes");
        }
        check::<7>();
        check::<16>();
        check::<32>();
        check::<48>();
    }

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
    fn lanes_equal_single_blocks() {
        let counter: [[u32; 7]; 4] =
            std::array::from_fn(|w| std::array::from_fn(|l| (31 * w + 977 * l) as u32));
        let lanes = philox_lanes(counter, [5, 11]);
        for lane in 0..7 {
            let single = philox4x32(counter.map(|word| word[lane]), [5, 11]);
            assert_eq!(lanes.map(|word| word[lane]), single);
        }
    }
}
