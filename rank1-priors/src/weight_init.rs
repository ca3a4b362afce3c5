//! Initializers of the shared weights in Keras' conventions, from fans alone; no matrices here.

use rand::Rng;
use rand_distr::{Distribution, Open01, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::error::{Error, finite, positive};
use crate::real::Real;

/// Standard deviation of a standard normal truncated at plus and minus 2.
pub const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

/// Normal distribution cut off two standard deviations from its mean.
///
/// `std` is the standard deviation before the cut, as in Keras; the result's own is [`TRUNCATED_STD`] of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruncatedNormal {
    mean: f64,
    std: f64,
}

impl TruncatedNormal {
    /// A truncated normal distribution.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `mean` is finite and `std` positive and finite.
    ///
    /// # Source
    /// Keras' `TruncatedNormal`.
    pub fn new(mean: f64, std: f64) -> Result<Self, Error> {
        Ok(Self {
            mean: finite("TruncatedNormal", "mean", mean)?,
            std: positive("TruncatedNormal", "std", std)?,
        })
    }
}

impl Distribution<f64> for TruncatedNormal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        loop {
            let z: f64 = StandardNormal.sample(rng);
            if z.abs() <= 2.0 {
                return self.mean + self.std * z;
            }
        }
    }
}

/// Fan-in and fan-out of a kernel: the last two axes are input and output, the others are taps that multiply both.
///
/// # Shapes
/// `shape` is a kernel's shape; a vector has both fans equal to its length, a scalar 1.
///
/// # Source
/// Keras' convention.
pub fn fans(shape: &[usize]) -> (usize, usize) {
    match shape {
        [] => (1, 1),
        [n] => (*n, *n),
        [taps @ .., fan_in, fan_out] => {
            let taps: usize = taps.iter().product();
            (taps * fan_in, taps * fan_out)
        }
    }
}

/// Standard deviation aimed at by `he_normal`: `sqrt(2 / fan_in)`.
///
/// # Errors
/// [`Error::Parameter`] when `fan_in` is 0.
///
/// # Source
/// He et al. 2015.
pub fn he_normal_std(fan_in: usize) -> Result<f64, Error> {
    Ok((2.0 / positive("he_normal_std", "fan_in", fan_in as f64)?).sqrt())
}

/// Standard deviation before truncation that gives [`he_normal_std`] after it.
///
/// # Errors
/// [`Error::Parameter`] when `fan_in` is 0.
///
/// # Source
/// Keras' `VarianceScaling` divides by [`TRUNCATED_STD`].
pub fn he_normal_untruncated_std(fan_in: usize) -> Result<f64, Error> {
    Ok(he_normal_std(fan_in)? / TRUNCATED_STD)
}

/// Bound of `glorot_uniform`: `sqrt(6 / (fan_in + fan_out))`.
///
/// # Errors
/// [`Error::Parameter`] when both fans are 0.
///
/// # Source
/// Glorot and Bengio 2010.
pub fn glorot_uniform_limit(fan_in: usize, fan_out: usize) -> Result<f64, Error> {
    Ok((6.0 / positive("glorot_uniform_limit", "fan_in + fan_out", (fan_in + fan_out) as f64)?).sqrt())
}

/// Mean and jitter of a posterior standard deviation scaled by fan: `sqrt(gain / fan)` and a tenth of it.
///
/// # Errors
/// [`Error::Parameter`] when `gain` is not positive or `fan` is 0.
///
/// # Source
/// Edward2's `ScaledNormalStdDev`.
pub fn scaled_normal_std(gain: f64, fan: usize) -> Result<(f64, f64), Error> {
    let gain = positive("scaled_normal_std", "gain", gain)?;
    let mean = (gain / positive("scaled_normal_std", "fan", fan as f64)?).sqrt();
    Ok((mean, 0.1 * mean))
}

/// How the shared weights of a layer start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum WeightInit {
    /// Truncated normal with standard deviation `sqrt(2 / fan_in)` after truncation.
    HeNormal,
    /// Uniform within `sqrt(6 / (fan_in + fan_out))`.
    GlorotUniform,
    /// Truncated normal around zero.
    TruncatedNormal {
        /// Standard deviation before truncation.
        std: f64,
    },
    /// Normal around zero.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform within `fan_in^-1/2`, as linear layers of PyTorch start.
    FanInUniform,
    /// Random orthonormal rows of a `[fan_in, fan_out]` matrix, or columns where it is taller than wide.
    Orthogonal,
    /// All zeros.
    Zeros,
}

impl WeightInit {
    /// Fills the entries of a kernel with the given fans.
    ///
    /// # Shapes
    /// `out` is the kernel's entries in any order; [`fans`] gives the fans of a shape.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a zero fan or a standard deviation that is not positive; nothing is written then.
    ///
    /// # Source
    /// Keras' initializers of the same names; orthogonal: Saxe et al. 2014.
    pub fn fill<T: Real, R: Rng + ?Sized>(
        &self,
        out: &mut [T],
        fan_in: usize,
        fan_out: usize,
        rng: &mut R,
    ) -> Result<(), Error> {
        match *self {
            Self::HeNormal => {
                draw_all(out, TruncatedNormal::new(0.0, he_normal_untruncated_std(fan_in)?)?, rng)
            }
            Self::TruncatedNormal { std } => draw_all(out, TruncatedNormal::new(0.0, std)?, rng),
            Self::Normal { std } => draw_all(out, crate::dist::Normal::new(0.0, std)?, rng),
            Self::GlorotUniform => fill_uniform(out, glorot_uniform_limit(fan_in, fan_out)?, rng),
            Self::FanInUniform => {
                fill_uniform(out, positive("FanInUniform", "fan_in", fan_in as f64)?.sqrt().recip(), rng);
            }
            Self::Orthogonal => orthogonal(out, fan_in, fan_out, rng)?,
            Self::Zeros => out.fill(T::of(0.0)),
        }
        Ok(())
    }
}

/// Uniform between minus and plus `limit`.
fn fill_uniform<T: Real, R: Rng + ?Sized>(out: &mut [T], limit: f64, rng: &mut R) {
    for entry in out {
        let u: f64 = Open01.sample(rng);
        *entry = T::of(limit * (2.0 * u - 1.0));
    }
}

fn draw_all<T: Real, R: Rng + ?Sized>(out: &mut [T], law: impl Distribution<f64>, rng: &mut R) {
    for entry in out {
        *entry = T::of(law.sample(rng));
    }
}

/// Gram-Schmidt on standard normal vectors; uniform over orthonormal frames because their law is rotation-invariant.
fn orthogonal<T: Real, R: Rng + ?Sized>(
    out: &mut [T],
    fan_in: usize,
    fan_out: usize,
    rng: &mut R,
) -> Result<(), Error> {
    const OP: &str = "WeightInit::Orthogonal";
    positive(OP, "fan_in", fan_in as f64)?;
    positive(OP, "fan_out", fan_out as f64)?;
    let (count, length) = (fan_in.min(fan_out), fan_in.max(fan_out));
    let mut frame: Vec<Vec<f64>> = Vec::with_capacity(count);
    while frame.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| StandardNormal.sample(rng)).collect();
        // Twice: one pass leaves rounding errors of the size of the projections.
        for _ in 0..2 {
            for other in &frame {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        // A vector that was nearly in the span of the others is drawn again.
        if norm > 1e-6 {
            vector.iter_mut().for_each(|v| *v /= norm);
            frame.push(vector);
        }
    }
    for (index, entry) in out.iter_mut().enumerate() {
        let (row, column) = (index / fan_out, index % fan_out);
        let value = if fan_in <= fan_out { frame[row][column] } else { frame[column][row] };
        *entry = T::of(value);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        for (rows, columns) in [(5, 11), (11, 5), (7, 7), (1, 3)] {
            let mut m = vec![0.0f64; rows * columns];
            let rng = &mut Xoshiro256PlusPlus::seed_from_u64(3);
            WeightInit::Orthogonal.fill(&mut m, rows, columns, rng).unwrap();
            let count = rows.min(columns);
            let at = |i: usize, j: usize| {
                if rows <= columns { m[i * columns + j] } else { m[j * columns + i] }
            };
            for a in 0..count {
                for b in 0..count {
                    let product: f64 = (0..rows.max(columns)).map(|j| at(a, j) * at(b, j)).sum();
                    approx::assert_abs_diff_eq!(product, f64::from(u8::from(a == b)), epsilon = 1e-12);
                }
            }
        }
        assert!(
            WeightInit::Orthogonal
                .fill(&mut [0.0f64; 0], 0, 3, &mut Xoshiro256PlusPlus::seed_from_u64(1))
                .is_err()
        );
    }

    #[test]
    fn fans_and_scales_match_keras() {
        assert_eq!(fans(&[5, 3]), (5, 3));
        assert_eq!(fans(&[3, 3, 16, 160]), (144, 1440));
        assert_eq!((fans(&[]), fans(&[7])), ((1, 1), (7, 7)));
        approx::assert_relative_eq!(he_normal_std(5).unwrap(), 0.6324555320336759, max_relative = 1e-12);
        approx::assert_relative_eq!(
            he_normal_untruncated_std(5).unwrap(),
            0.7190053224346047,
            max_relative = 1e-12
        );
        approx::assert_relative_eq!(
            glorot_uniform_limit(5, 3).unwrap(),
            0.8660254037844386,
            max_relative = 1e-12
        );
        let (mean, jitter) = scaled_normal_std(1.0, 5).unwrap();
        approx::assert_relative_eq!(mean, 0.4472135954999579, max_relative = 1e-12);
        approx::assert_relative_eq!(jitter, 0.044721359549995794, max_relative = 1e-12);
    }

    #[test]
    fn truncation_constant_is_the_standard_deviation_after_the_cut() {
        let phi2 = (-2.0f64).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let inside = libm::erf(2.0 / 2f64.sqrt());
        approx::assert_relative_eq!((1.0 - 4.0 * phi2 / inside).sqrt(), TRUNCATED_STD, max_relative = 1e-14);
    }

    #[test]
    fn filled_weights_have_the_stated_spread_and_bounds() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut out = vec![0.0f64; 100_000];
        let spread = |v: &[f64]| (v.iter().map(|x| x * x).sum::<f64>() / v.len() as f64).sqrt();
        WeightInit::HeNormal.fill(&mut out, 50, 7, &mut rng).unwrap();
        approx::assert_relative_eq!(spread(&out), 0.2, max_relative = 0.01);
        assert!(out.iter().all(|x| x.abs() <= 2.0 * 0.2 / TRUNCATED_STD));
        WeightInit::GlorotUniform.fill(&mut out, 5, 19, &mut rng).unwrap();
        approx::assert_relative_eq!(spread(&out), 0.5 / 3f64.sqrt(), max_relative = 0.01);
        assert!(out.iter().all(|x| x.abs() < 0.5));
        assert!(WeightInit::HeNormal.fill(&mut out, 0, 7, &mut rng).is_err());
        assert!(WeightInit::Normal { std: f64::NAN }.fill(&mut out, 5, 7, &mut rng).is_err());
    }
}
