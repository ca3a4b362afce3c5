//! The order of training rows in an epoch, as a pure function of seed and epoch.

use rank1_core::noise::philox4x32;

/// Marks counters of shuffles, apart from those of factor draws.
const SHUFFLE: u32 = 0x5348_5546;

/// A uniformly random permutation of `0..n` for one epoch of one network.
///
/// Fisher-Yates on Philox words; the bias of the multiply-shift reduction is below n / 2^32.
#[must_use]
pub fn epoch_order(seed: u64, epoch: usize, n: usize) -> Vec<usize> {
    let key = [seed as u32, (seed >> 32) as u32];
    let mut order: Vec<usize> = (0..n).collect();
    let mut words = [0; 4];
    for i in (1..n).rev() {
        let lane = i % 4;
        if lane == 3 || i == n - 1 {
            words = philox4x32([(i / 4) as u32, epoch as u32, 0, SHUFFLE], key);
        }
        let j = (u64::from(words[lane]) * (i as u64 + 1)) >> 32;
        order.swap(i, j as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_permutation_that_differs_by_epoch_and_seed() {
        let order = epoch_order(7, 0, 101);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..101).collect::<Vec<_>>());
        assert_eq!(order, epoch_order(7, 0, 101));
        assert_ne!(order, epoch_order(7, 1, 101));
        assert_ne!(order, epoch_order(8, 0, 101));
    }

    #[test]
    fn every_position_is_reached_equally_often() {
        let mut counts = [0_u32; 5];
        for epoch in 0..10_000 {
            counts[epoch_order(3, epoch, 5).iter().position(|&i| i == 0).unwrap_or(0)] += 1;
        }
        // Standard deviation 40; five of them.
        assert!(counts.iter().all(|&c| (1800..2200).contains(&c)), "{counts:?}");
    }
}
