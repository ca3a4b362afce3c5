//! A counter-based 64-bit hash: the only source of pseudo-randomness of this crate.
//!
//! Not a random generator with state and not the noise of training; splits and input shifts need no more than this.

/// Step between consecutive counters: the odd integer nearest to 2^64 divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes a seed and a counter into 64 well-scattered bits (the SplitMix64 output function of Steele, Lea and Flood 2014).
///
/// Two rounds: the seed is scattered first, so that neighboring seeds do not give shifted copies of one sequence.
pub(crate) fn hash(seed: u64, counter: u64) -> u64 {
    scatter(scatter(seed.wrapping_add(STEP)).wrapping_add(counter.wrapping_add(1).wrapping_mul(STEP)))
}

/// A uniform number in the open interval (0, 1), from the upper 52 bits of the hash.
pub(crate) fn uniform(seed: u64, counter: u64) -> f64 {
    const SPACING: f64 = 1.0 / (1_u64 << 52) as f64;
    ((hash(seed, counter) >> 12) as f64 + 0.5) * SPACING
}

/// Two independent standard normal numbers for one counter, by the Box-Muller transform.
pub(crate) fn normal_pair(seed: u64, counter: u64) -> (f64, f64) {
    let radius = (-2.0 * uniform(seed, counter.wrapping_mul(2)).ln()).sqrt();
    let angle = std::f64::consts::TAU * uniform(seed, counter.wrapping_mul(2).wrapping_add(1));
    (radius * angle.cos(), radius * angle.sin())
}

fn scatter(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scatter_reproduces_the_published_first_output_of_splitmix64_seed_zero() {
        assert_eq!(scatter(STEP), 0xE220_A839_7B1D_CDAF);
        assert_eq!(scatter(STEP.wrapping_mul(2)), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn uniforms_stay_inside_the_open_interval_and_fill_it_evenly() {
        let n = 100_000_u64;
        let mut sorted: Vec<f64> = (0..n).map(|i| uniform(3, i)).collect();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted[0] > 0.0 && sorted[sorted.len() - 1] < 1.0);
        let ks = sorted
            .iter()
            .enumerate()
            .map(|(i, u)| (u - i as f64 / n as f64).abs().max((u - (i + 1) as f64 / n as f64).abs()))
            .fold(0.0, f64::max);
        // Kolmogorov-Smirnov at significance 0.001: 1.95 / sqrt(n).
        assert!(ks < 1.95 / (n as f64).sqrt(), "KS distance {ks}");
    }

    #[test]
    fn normal_pairs_have_unit_variance_and_no_correlation() {
        let n = 100_000_u64;
        let (mut sum, mut squares, mut cross) = (0.0, 0.0, 0.0);
        for i in 0..n {
            let (a, b) = normal_pair(11, i);
            sum += a + b;
            squares += a * a + b * b;
            cross += a * b;
        }
        let n = n as f64;
        // Four standard errors of each estimate.
        assert!((sum / (2.0 * n)).abs() < 4.0 / (2.0 * n).sqrt());
        assert!((squares / (2.0 * n) - 1.0).abs() < 4.0 * (2.0 / (2.0 * n)).sqrt());
        assert!((cross / n).abs() < 4.0 / n.sqrt());
    }

    #[test]
    fn neighboring_seeds_do_not_share_values() {
        let first: std::collections::HashSet<u64> = (0..1000).map(|i| hash(1, i)).collect();
        assert_eq!(first.len(), 1000);
        assert!((0..1000).all(|i| !first.contains(&hash(2, i))));
    }
}
