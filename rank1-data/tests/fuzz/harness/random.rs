//! Random numbers of one input: SplitMix64, so that a seed and a number repeat it on every machine.
//!
//! # Source
//! Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.

/// A sequence of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence of input `number` of a seed.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        Self(Self(seed).next().wrapping_add(number)).next_state()
    }

    /// The sequence that begins at the next number.
    fn next_state(mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is above 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// One of the values.
    pub(crate) fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_has_its_own_sequence_and_the_same_one_again() {
        let draw = |seed, number| Random::of(seed, number).next();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(2, 1));
        let mut random = Random::of(0, 0);
        let drawn: Vec<usize> = (0..200).map(|_| random.below(5)).collect();
        assert!((0..5).all(|n| drawn.contains(&n)) && drawn.iter().all(|&n| n < 5));
    }
}
