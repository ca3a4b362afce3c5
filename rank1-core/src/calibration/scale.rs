//! One scale for the spread of a regression's predictive.
//!
//! Not for intervals with a guarantee; see [`crate::conformal`].

use ndarray::{Array1, ArrayView1};

use crate::Error;
use crate::metrics::{checks, density_nll};
use crate::predictive::GaussianMixturePredictive;

/// Scales that are looked at unless others are asked for.
pub const SCALE_BRACKET: [f64; 2] = [0.05, 20.0];

/// Scales at equal ratios that are tried first: the NLL of a mixture may have several minima.
const TRIED: usize = 49;
/// Ratio of the golden section.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// Width in `ln scale` at which the search ends; the NLL cannot tell closer ones apart.
const CLOSE: f64 = 1e-9;

/// A fitted scale of deviations from the mixture's mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Factor of every deviation; above one spreads, below one narrows, one leaves as it is.
    pub scale: f64,
    /// Whether the NLL has its minimum there; else the scale is an end of the bracket.
    pub interior: bool,
}

impl Scale {
    /// The scale of the bracket with the least mean NLL of the scaled mixtures.
    ///
    /// # Shapes
    /// `predictive` of `N` examples, `targets` `[N]` in its unit; `bracket` the least and the largest scale.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for a bracket that is not ascending, positive and finite.
    ///
    /// # Numerics
    /// The best of 49 scales at equal ratios, then golden section between its neighbors: near 1e-8, as far as the NLL tells
    /// scales apart. Each takes `N M` densities.
    ///
    /// # Source
    /// Definition: `min over c of ln c - mean ln f(mean + (y - mean) / c)` with the mixture density `f`. For one Gaussian each
    /// `c^2` is the mean squared standardized residual.
    pub fn fit(
        predictive: &GaussianMixturePredictive,
        targets: ArrayView1<'_, f64>,
        bracket: [f64; 2],
    ) -> Result<Self, Error> {
        const OP: &str = "Scale::fit";
        checks::same_len(OP, "targets", predictive.n_examples(), targets.len())?;
        checks::finite(OP, "targets", targets)?;
        let [least, largest] = bracket;
        for value in bracket {
            if !(value > 0.0 && value.is_finite() && least < largest) {
                let expected = "two finite scales above zero, the smaller first";
                return Err(Error::OutOfRange { op: OP, argument: "bracket", value, expected });
            }
        }
        let mean = predictive.mean();
        let nll = |log_scale: f64| scaled_nll(predictive, &mean, targets, log_scale.exp());
        let (low, high) = (least.ln(), largest.ln());
        let grid: Vec<f64> = (0..TRIED).map(|i| low + (high - low) * i as f64 / (TRIED - 1) as f64).collect();
        let mut best = (0, f64::INFINITY);
        for (i, &log_scale) in grid.iter().enumerate() {
            let value = nll(log_scale)?;
            if value < best.1 {
                best = (i, value);
            }
        }
        let (mut low, mut high) = (grid[best.0.saturating_sub(1)], grid[(best.0 + 1).min(TRIED - 1)]);
        let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        let (mut at_a, mut at_b) = (nll(a)?, nll(b)?);
        while high - low > CLOSE {
            if at_a <= at_b {
                (high, b, at_b) = (b, a, at_a);
                a = high - GOLDEN * (high - low);
                at_a = nll(a)?;
            } else {
                (low, a, at_a) = (a, b, at_b);
                b = low + GOLDEN * (high - low);
                at_b = nll(b)?;
            }
        }
        let found = (0.5 * (low + high)).exp();
        for end in bracket {
            if (found / end).ln().abs() <= 2.0 * CLOSE {
                return Ok(Self { scale: end, interior: false });
            }
        }
        Ok(Self { scale: found, interior: true })
    }

    /// The mixtures spread about their means: a term's mean moves to `mean + c (its mean - mean)`, its standard deviation is
    /// multiplied by `c`. Means stay, every standard deviation and interval about the mean grows by `c`, and aleatoric and
    /// epistemic variance keep their shares.
    ///
    /// # Units
    /// The target's own unit.
    ///
    /// # Shapes
    /// Keeps `[M, N]`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless the scale is above zero; [`Error::NotFinite`] when a result overflows.
    ///
    /// # Source
    /// The law of `mean + c (Y - mean)`.
    pub fn apply(&self, predictive: &GaussianMixturePredictive) -> Result<GaussianMixturePredictive, Error> {
        let mean = predictive.mean();
        let means = (&predictive.means() - &mean) * self.scale + &mean;
        GaussianMixturePredictive::new(means, &predictive.std_devs() * self.scale)
    }
}

/// Change of variables: the density of the scaled mixture from that of the given one.
fn scaled_nll(
    predictive: &GaussianMixturePredictive,
    mean: &Array1<f64>,
    targets: ArrayView1<'_, f64>,
    scale: f64,
) -> Result<f64, Error> {
    let moved = mean + &((&targets - mean) / scale);
    Ok(scale.ln() + density_nll(predictive, moved.view())?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::testkit::normals;

    #[test]
    fn of_one_gaussian_the_square_is_the_mean_squared_residual() {
        let one = GaussianMixturePredictive::new(array![[0.0, 1.0, -1.0]], array![[1.0, 2.0, 0.5]]).unwrap();
        // Standardized residuals 3, -1 and 2.
        let y = array![3.0, -1.0, 0.0];
        let found = Scale::fit(&one, y.view(), SCALE_BRACKET).unwrap();
        assert!(found.interior);
        assert_relative_eq!(found.scale, (14.0_f64 / 3.0).sqrt(), max_relative = 1e-7);
        let wide = found.apply(&one).unwrap();
        assert_relative_eq!(wide.std_devs()[[0, 1]], 2.0 * found.scale);
        let direct = density_nll(&wide, y.view()).unwrap();
        assert_relative_eq!(
            direct,
            scaled_nll(&one, &one.mean(), y.view(), found.scale).unwrap(),
            max_relative = 1e-12
        );
    }

    #[test]
    fn ends_are_told_and_bad_input_is_refused() {
        let one = GaussianMixturePredictive::new(array![[0.0, 0.0]], array![[1.0, 1.0]]).unwrap();
        let fit = |y: Array1<f64>, bracket| Scale::fit(&one, y.view(), bracket);
        assert_eq!(fit(array![0.0, 0.0], SCALE_BRACKET).unwrap(), Scale { scale: 0.05, interior: false });
        assert_eq!(fit(array![99.0, -99.0], SCALE_BRACKET).unwrap(), Scale { scale: 20.0, interior: false });
        assert!(matches!(fit(array![0.0], SCALE_BRACKET), Err(Error::ShapeMismatch { .. })));
        assert!(matches!(fit(array![0.0, f64::NAN], SCALE_BRACKET), Err(Error::NotFinite { .. })));
        assert!(matches!(
            fit(array![0.0, 0.0], [1.0, 0.5]),
            Err(Error::OutOfRange { argument: "bracket", .. })
        ));
        assert!(Scale { scale: 0.0, interior: true }.apply(&one).is_err());
    }

    proptest! {
        #[test]
        fn scaling_keeps_means_and_multiplies_both_variances_and_follows_the_unit(
            terms in prop::collection::vec((-3.0..3.0_f64, 0.2..2.0_f64), 2..6),
            unit in 0.1..10.0_f64,
            seed in 0..1000_u64,
        ) {
            let n = 20;
            let jitter: Array2<f64> = normals(seed, (terms.len(), n));
            let means = Array2::from_shape_fn((terms.len(), n), |(m, i)| terms[m].0 + 0.3 * jitter[[m, i]]);
            let stds = Array2::from_shape_fn((terms.len(), n), |(m, _)| terms[m].1);
            let y = normals::<f64, _, _>(seed + 5000, n) * 2.0;
            let mixture = GaussianMixturePredictive::new(means, stds).unwrap();
            let found = Scale::fit(&mixture, y.view(), SCALE_BRACKET).unwrap();
            let after = found.apply(&mixture).unwrap();
            let square = found.scale * found.scale;
            for (got, expected) in [
                (after.mean(), mixture.mean()),
                (after.aleatoric_variance(), mixture.aleatoric_variance() * square),
                (after.epistemic_variance(), mixture.epistemic_variance() * square),
            ] {
                prop_assert!((&got - &expected).iter().zip(&expected).all(|(d, e)| d.abs() < 1e-9 * (1.0 + e.abs())));
            }
            let nll = |m: &GaussianMixturePredictive, y: &Array1<f64>| density_nll(m, y.view()).unwrap();
            prop_assert!(nll(&after, &y) <= nll(&mixture, &y) + 1e-12);
            let in_unit = mixture.affine(unit, 3.0).unwrap();
            let y_in_unit = &y * unit + 3.0;
            let other = Scale::fit(&in_unit, y_in_unit.view(), SCALE_BRACKET).unwrap();
            // Both find the same minimum, up to what the NLL can tell.
            prop_assert!((nll(&other.apply(&mixture).unwrap(), &y) - nll(&after, &y)).abs() < 1e-12);
        }

        #[test]
        fn a_scale_of_one_is_the_identity(means in prop::collection::vec(-3.0..3.0_f64, 1..6)) {
            let means = Array2::from_shape_vec((means.len(), 1), means).unwrap();
            let mixture = GaussianMixturePredictive::new(means.clone(), means.mapv(|m| 1.0 + m * m)).unwrap();
            let same = Scale { scale: 1.0, interior: true }.apply(&mixture).unwrap();
            prop_assert_eq!(same.std_devs(), mixture.std_devs());
            prop_assert!((&same.means() - &mixture.means()).iter().all(|d| d.abs() < 1e-14));
        }
    }
}
