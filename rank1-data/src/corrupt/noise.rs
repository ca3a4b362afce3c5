//! Noise on single values: Gaussian, shot (Poisson), impulse (salt and pepper) and speckle.
//!
//! Not for noise with a spatial structure; see the weather family.

use super::draws::{Draws, Purpose};
use super::pixels::Pixels;

pub(super) fn gaussian_noise(image: &Pixels, sd: f32, draws: Draws) -> Pixels {
    changed(image, &draws.normal(Purpose::Field, image.values.len()), |value, z| value + sd * z)
}

/// Noise in proportion to the value.
pub(super) fn speckle_noise(image: &Pixels, sd: f32, draws: Draws) -> Pixels {
    changed(image, &draws.normal(Purpose::Field, image.values.len()), |value, z| value + value * sd * z)
}

/// Each value becomes black or white with probability `probability`.
pub(super) fn impulse_noise(image: &Pixels, probability: f32, draws: Draws) -> Pixels {
    changed(image, &draws.uniform(Purpose::Field, image.values.len()), |value, u| {
        if u >= probability {
            value
        } else if u < 0.5 * probability {
            1.0
        } else {
            0.0
        }
    })
}

/// The count of a Poisson number with mean `photons * value`, divided by `photons`.
pub(super) fn shot_noise(image: &Pixels, photons: f32, draws: Draws) -> Pixels {
    let uniforms = draws.uniform(Purpose::Field, image.values.len());
    // Bytes have 256 levels, so every level's law is prepared once.
    let log_factorials = log_factorials(photons as usize);
    let laws: Vec<_> = (0..256)
        .map(|level| Poisson::new(f64::from(level) / 255.0 * f64::from(photons), &log_factorials))
        .collect();
    changed(image, &uniforms, |value, u| {
        let level = (value * 255.0).round() as usize;
        laws[level.min(255)].quantile(u) / photons
    })
}

fn changed(image: &Pixels, noise: &[f32], change: impl Fn(f32, f32) -> f32) -> Pixels {
    image.with(image.values.iter().zip(noise).map(|(&value, &noise)| change(value, noise)).collect())
}

/// `ln(k!)` for `k` from 0 to `most`.
fn log_factorials(most: usize) -> Vec<f64> {
    let mut sum = 0.0;
    (0..=most)
        .map(|k| {
            sum += if k > 1 { (k as f64).ln() } else { 0.0 };
            sum
        })
        .collect()
}

/// A Poisson law, prepared for inversion from its mode outwards.
#[derive(Debug, Clone, Copy)]
struct Poisson {
    mean: f64,
    mode: usize,
    mode_probability: f64,
}

impl Poisson {
    fn new(mean: f64, log_factorials: &[f64]) -> Self {
        let mode = mean as usize;
        let log_probability =
            if mean > 0.0 { mode as f64 * mean.ln() - mean - log_factorials[mode] } else { 0.0 };
        Self { mean, mode, mode_probability: log_probability.exp() }
    }

    /// The count whose share of the unit interval holds `u`, when shares are laid out from the mode outwards.
    fn quantile(&self, u: f32) -> f32 {
        let mut rest = f64::from(u) - self.mode_probability;
        let (mut below, mut above) = (self.mode, self.mode);
        let (mut at_below, mut at_above) = (self.mode_probability, self.mode_probability);
        while rest >= 0.0 {
            above += 1;
            at_above *= self.mean / above as f64;
            rest -= at_above;
            if rest < 0.0 {
                return above as f32;
            }
            if below > 0 {
                at_below *= below as f64 / self.mean;
                below -= 1;
                rest -= at_below;
                if rest < 0.0 {
                    return below as f32;
                }
            }
            // Both tails are exhausted in double precision.
            if at_above + at_below < 1e-12 || (below == 0 && at_above < 1e-12) {
                return above as f32;
            }
        }
        self.mode as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_the_variance_of_their_law() {
        for mean in [0.4, 3.0, 61.5, 500.0] {
            let law = Poisson::new(mean, &log_factorials(500));
            let n = 40_000;
            let counts: Vec<f64> =
                (0..n).map(|i| f64::from(law.quantile((i as f32 + 0.5) / n as f32))).collect();
            let average = counts.iter().sum::<f64>() / f64::from(n);
            let variance = counts.iter().map(|count| (count - average).powi(2)).sum::<f64>() / f64::from(n);
            assert!((average - mean).abs() < 2e-3 * mean.sqrt(), "{mean}: mean {average}");
            assert!((variance / mean - 1.0).abs() < 5e-3, "{mean}: variance {variance}");
        }
    }

    #[test]
    fn no_light_gives_no_photons() {
        assert_eq!(Poisson::new(0.0, &[0.0]).quantile(0.999_999), 0.0);
    }
}
