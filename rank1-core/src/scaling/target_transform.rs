//! Monotone transforms of skewed targets, with the Jacobian that keeps densities comparable.
//!
//! Not for standardization, which follows on the transformed target.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Width of the interval of powers that a fit leaves.
const PRECISION: f64 = 1e-4;

/// The inverse of the golden ratio.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// A transform of a real target before it is standardized.
///
/// A density of the transformed target becomes one of the target by adding [`TargetTransform::log_jacobian`] to its logarithm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TargetTransform {
    /// The target itself.
    #[default]
    None,
    /// Its natural logarithm; for positive targets.
    Log,
    /// The power of Yeo and Johnson of the target divided by `scale`: 1 leaves it as it is, 0 is a logarithm above zero, 2 one
    /// below. Powers lie between 0 and 2, so that every real number is the transform of some target.
    Power {
        /// The power, from 0 to 2.
        lambda: f64,
        /// What targets are divided by, positive, in their unit.
        scale: f64,
    },
}

impl TargetTransform {
    /// The power under which the target is most nearly normal: the maximum of its likelihood.
    ///
    /// `scale` is the mean of the targets without their signs. Constant targets get the power 1.
    ///
    /// # Errors
    /// [`Error::Empty`] without targets; [`Error::NotFinite`].
    ///
    /// # Source
    /// Yeo and Johnson 2000, profile likelihood of the power; found by golden sections.
    pub fn fit_power(targets: &[f64]) -> Result<Self, Error> {
        const OP: &str = "TargetTransform::fit_power";
        if targets.is_empty() {
            return Err(Error::Empty { op: OP, argument: "targets" });
        }
        if let Some(row) = targets.iter().position(|target| !target.is_finite()) {
            return Err(Error::NotFinite { op: OP, argument: "targets", index: vec![row] });
        }
        let n = targets.len() as f64;
        let mean_size = targets.iter().map(|target| target.abs() / n).sum::<f64>();
        let scale = if mean_size > 0.0 { mean_size } else { 1.0 };
        if targets.iter().all(|target| *target == targets[0]) {
            return Ok(Self::Power { lambda: 1.0, scale });
        }
        let score = |lambda: f64| Self::Power { lambda, scale }.normal_log_likelihood(targets);
        let (mut low, mut high) = (0.0, 2.0);
        let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        let (mut of_left, mut of_right) = (score(left), score(right));
        while high - low > PRECISION {
            if of_left >= of_right {
                (high, right, of_right) = (right, left, of_left);
                left = high - GOLDEN * (high - low);
                of_left = score(left);
            } else {
                (low, left, of_left) = (left, right, of_right);
                right = low + GOLDEN * (high - low);
                of_right = score(right);
            }
        }
        // The ends are found exactly: a logarithm is one.
        let lambda = match 0.5 * (low + high) {
            lambda if lambda < PRECISION => 0.0,
            lambda if lambda > 2.0 - PRECISION => 2.0,
            lambda => lambda,
        };
        Ok(Self::Power { lambda, scale })
    }

    /// The transforms to choose from on validation rows: none, the logarithm if all targets are positive, the fitted power.
    ///
    /// # Errors
    /// As [`TargetTransform::fit_power`].
    pub fn candidates(targets: &[f64]) -> Result<Vec<Self>, Error> {
        let power = Self::fit_power(targets)?;
        let log = targets.iter().all(|&target| target > 0.0).then_some(Self::Log);
        Ok([Self::None].into_iter().chain(log).chain([power]).collect())
    }

    /// The mean log-density of targets whose transform is normal with its own mean and deviation, in nats; a quick judgement.
    pub fn normal_log_likelihood(self, targets: &[f64]) -> f64 {
        let n = targets.len() as f64;
        let mean = targets.iter().map(|&y| self.forward(y)).sum::<f64>() / n;
        let square = |y: f64| (self.forward(y) - mean) * (self.forward(y) - mean);
        let variance = targets.iter().map(|&y| square(y)).sum::<f64>() / n;
        let jacobian = targets.iter().map(|&y| self.log_jacobian(y)).sum::<f64>() / n;
        -0.5 * (crate::numeric::LN_TWO_PI + 1.0 + variance.ln()) + jacobian
    }

    /// Refuses targets that have no transform.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] with the first target that is not positive, for the logarithm.
    pub fn check(self, targets: &[f64]) -> Result<(), Error> {
        match targets.iter().find(|&&target| self == Self::Log && (target.is_nan() || target <= 0.0)) {
            Some(&value) => {
                let (op, argument) = ("TargetTransform", "targets");
                Err(Error::OutOfRange { op, argument, value, expected: "positive targets for a logarithm" })
            }
            None => Ok(()),
        }
    }

    /// The transformed target; NaN or `-inf` for the logarithm of targets that are not positive.
    pub fn forward(self, target: f64) -> f64 {
        match self {
            Self::None => target,
            Self::Log => target.ln(),
            Self::Power { lambda, scale } => {
                let y = target / scale;
                if y >= 0.0 { power(y, lambda) } else { -power(-y, 2.0 - lambda) }
            }
        }
    }

    /// The target of a transformed one; any finite number has one, which may be beyond the largest double.
    pub fn inverse(self, transformed: f64) -> f64 {
        match self {
            Self::None => transformed,
            Self::Log => transformed.exp(),
            Self::Power { lambda, scale } => {
                let z = transformed;
                scale * if z >= 0.0 { inverse_power(z, lambda) } else { -inverse_power(-z, 2.0 - lambda) }
            }
        }
    }

    /// `ln(d forward(y) / dy)` in nats: what the log-density of the transformed target lacks.
    pub fn log_jacobian(self, target: f64) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Log => -target.ln(),
            Self::Power { lambda, scale } => {
                let y = target / scale;
                let exponent = if y >= 0.0 { lambda - 1.0 } else { 1.0 - lambda };
                exponent * y.abs().ln_1p() - scale.ln()
            }
        }
    }
}

/// `((1 + y)^lambda - 1) / lambda` for `y >= 0`, `ln(1 + y)` at 0; nothing cancels for small `y` or `lambda`.
fn power(y: f64, lambda: f64) -> f64 {
    let log = y.ln_1p();
    if lambda == 0.0 { log } else { (lambda * log).exp_m1() / lambda }
}

fn inverse_power(z: f64, lambda: f64) -> f64 {
    if lambda == 0.0 { z.exp_m1() } else { ((lambda * z).ln_1p() / lambda).exp_m1() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scaling::normal_quantile;

    /// The quantiles of a normal distribution, `n` of them.
    fn normal(n: usize) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| normal_quantile((i as f64 + 0.5) / n as f64))
    }

    #[test]
    fn the_power_of_a_normal_target_is_one_and_of_a_skewed_one_near_zero() {
        let of = |targets: Vec<f64>| match TargetTransform::fit_power(&targets).unwrap() {
            TargetTransform::Power { lambda, .. } => lambda,
            other => panic!("{other:?}"),
        };
        let middle = of(normal(501).collect());
        assert!((middle - 1.0).abs() < 0.01, "{middle}");
        let skewed = of(normal(501).map(|z| (3.0 + 2.0 * z).exp()).collect());
        assert!(skewed < 0.05, "{skewed}");
        let mirrored = of(normal(501).map(|z| -(3.0 + 2.0 * z).exp()).collect());
        assert!((2.0 - skewed - mirrored).abs() < 1e-3, "{mirrored}");
        // A unit changes nothing.
        let in_cents = of(normal(501).map(|z| 100.0 * (3.0 + 0.5 * z).exp()).collect());
        let in_units = of(normal(501).map(|z| (3.0 + 0.5 * z).exp()).collect());
        assert!((in_cents - in_units).abs() < 1e-3);
        assert_eq!([of(vec![5.0; 3]), of(vec![0.0; 3])], [1.0, 1.0]);
    }

    #[test]
    fn candidates_have_a_logarithm_for_positive_targets_only() {
        assert_eq!(TargetTransform::candidates(&[1.0, 2.0]).unwrap().len(), 3);
        assert_eq!(TargetTransform::candidates(&[0.0, 2.0]).unwrap().len(), 2);
        assert!(matches!(TargetTransform::candidates(&[]), Err(Error::Empty { .. })));
        let got = TargetTransform::fit_power(&[1.0, f64::NAN]);
        assert!(matches!(got, Err(Error::NotFinite { .. })), "{got:?}");
        assert!(TargetTransform::Log.check(&[1.0, 0.0]).is_err());
        assert!(TargetTransform::None.check(&[-1.0]).is_ok());
    }

    #[test]
    fn the_likelihood_finds_the_transform_that_made_the_target() {
        let targets: Vec<f64> = normal(301).map(|z| (1.0 + 0.8 * z).exp()).collect();
        let of = |transform: TargetTransform| transform.normal_log_likelihood(&targets);
        assert!(of(TargetTransform::Log) > of(TargetTransform::None) + 0.1);
    }

    proptest! {
        #[test]
        fn the_jacobian_is_the_slope_and_the_inverse_undoes(
            y in 0.01_f64..50.0, negative: bool, lambda in 0.0_f64..=2.0, scale in 0.1_f64..10.0, kind in 0..3,
        ) {
            let transform = match kind {
                0 => TargetTransform::None,
                1 => TargetTransform::Log,
                _ => TargetTransform::Power { lambda, scale },
            };
            let y = if negative && kind != 1 { -y } else { y };
            let h = 1e-5 * y.abs();
            let slope = (transform.forward(y + h) - transform.forward(y - h)) / (2.0 * h);
            prop_assert!((slope.ln() - transform.log_jacobian(y)).abs() < 1e-7);
            prop_assert!((transform.inverse(transform.forward(y)) - y).abs() < 1e-9 * y.abs());
        }
    }
}
