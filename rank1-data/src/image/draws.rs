//! Random choices of crops and flips as a pure function of (seed, epoch, index).
//!
//! No generator is kept anywhere: the key of an example is computed, and its choices follow from the key.

use rank1_core::noise::philox4x32;

/// Third word of the counters of keys: "IMGK" in ASCII.
const KEY_TAG: u32 = 0x494d_474b;

/// The key of one example in one epoch of a run; equal arguments give the equal key, on every machine and thread.
pub fn example_key(seed: u64, epoch: u32, index: u64) -> u64 {
    let counter = [index as u32, (index >> 32) as u32, epoch, KEY_TAG];
    let words = philox4x32(counter, [seed as u32, (seed >> 32) as u32]);
    u64::from(words[0]) | u64::from(words[1]) << 32
}

/// The choices of one example for one purpose, in the order they are asked for.
#[derive(Debug)]
pub(super) struct Draws {
    key: [u32; 2],
    purpose: u32,
    taken: u32,
}

impl Draws {
    pub(super) fn new(key: u64, purpose: u32) -> Self {
        Self { key: [key as u32, (key >> 32) as u32], purpose, taken: 0 }
    }

    fn word(&mut self) -> u32 {
        let words = philox4x32([self.taken / 4, self.purpose, 0, KEY_TAG], self.key);
        let word = words[(self.taken % 4) as usize];
        self.taken += 1;
        word
    }

    /// An integer from 0 to `n - 1`; 0 for `n` of 0 or 1. The bias is below `n / 2^32`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.word()) * n as u64) >> 32) as usize
    }

    /// A number in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(self.word()) / 4_294_967_296.0
    }

    pub(super) fn coin(&mut self) -> bool {
        self.word() >> 31 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_seed_epoch_and_index_in_all_their_bits() {
        let mut keys: Vec<u64> = Vec::new();
        for seed in [0, 1, 1 << 32] {
            for epoch in [0, 1] {
                keys.extend([0, 1, 1 << 32].map(|index| example_key(seed, epoch, index)));
            }
        }
        let distinct: std::collections::HashSet<u64> = keys.iter().copied().collect();
        assert_eq!(distinct.len(), 18);
        assert_eq!(example_key(5, 7, 11), example_key(5, 7, 11));
    }

    #[test]
    fn every_choice_is_equally_likely() {
        let mut counts = [0_u32; 5];
        (0..10_000).for_each(|key| counts[Draws::new(example_key(3, 0, key), 1).below(5)] += 1);
        // Four standard deviations of a binomial count with p = 1/5.
        assert!(counts.iter().all(|&n| (f64::from(n) - 2_000.0).abs() < 160.0), "{counts:?}");
    }
}
