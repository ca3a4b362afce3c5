//! Constraints from unconstrained trained parameters to positive scales; no distributions.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::real::Real;

/// Smallest scale that [`raw_to_scale`] returns; keeps logarithms and quotients finite.
pub const SCALE_FLOOR: f64 = 1e-7;

/// Scale of an unconstrained parameter: `softplus(raw) + 1e-7`.
///
/// # Numerics
/// Finite and at least [`SCALE_FLOOR`] for every finite `raw`; NaN passes through.
///
/// # Source
/// Edward2's softplus constraint: the floor is added after the softplus.
///
/// # Example
/// ```
/// let scale: f64 = rank1_priors::raw_to_scale(0.0);
/// assert!((scale - (2f64.ln() + 1e-7)).abs() < 1e-15);
/// ```
pub fn raw_to_scale<T: Real>(raw: T) -> T {
    T::of(softplus(raw.wide()) + SCALE_FLOOR)
}

/// Derivative of [`raw_to_scale`]: the logistic sigmoid of `raw`.
///
/// # Source
/// Derivative of the softplus; the floor is a constant.
pub fn d_scale_d_raw<T: Real>(raw: T) -> T {
    T::of(sigmoid(raw.wide()))
}

/// The unconstrained parameter whose softplus is `scale`: `ln(exp(scale) - 1)`.
///
/// The floor of [`raw_to_scale`] is left out, as in the reference code, so that
/// `raw_to_scale(scale_to_raw(c)) = c + 1e-7`.
///
/// # Errors
/// [`Error::Parameter`] unless `scale` is positive and finite.
///
/// # Source
/// Edward2's initializers of the raw scale (inverse softplus).
pub fn scale_to_raw(scale: f64) -> Result<f64, Error> {
    let scale = crate::error::positive("scale_to_raw", "scale", scale)?;
    // exp overflows beyond 709; there the correction is far below one ulp.
    Ok(if scale > 40.0 { scale } else { scale.exp_m1().ln() })
}

/// How a trained number becomes a positive one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// `softplus(raw) + 1e-7`, the one that training uses.
    #[default]
    Softplus,
    /// `exp(raw) + 1e-7`.
    Exp,
    /// `max(raw, 1e-7)`.
    Positive,
}

impl Constraint {
    /// The positive number.
    ///
    /// # Source
    /// Edward2's constraints of the same names.
    pub fn apply<T: Real>(&self, raw: T) -> T {
        let x = raw.wide();
        match self {
            Self::Softplus => raw_to_scale(raw),
            Self::Exp => T::of(x.exp() + SCALE_FLOOR),
            // Written so that NaN passes through.
            Self::Positive => T::of(if x < SCALE_FLOOR { SCALE_FLOOR } else { x }),
        }
    }

    /// Derivative of [`Constraint::apply`]; for `Positive`, 0 below the floor.
    ///
    /// # Source
    /// Derivatives of the formulas above.
    pub fn slope<T: Real>(&self, raw: T) -> T {
        let x = raw.wide();
        match self {
            Self::Softplus => d_scale_d_raw(raw),
            Self::Exp => T::of(x.exp()),
            Self::Positive => T::of(if x < SCALE_FLOOR { 0.0 } else { 1.0 }),
        }
    }
}

/// `ln(1 + exp(x))` without overflow.
pub(crate) fn softplus(x: f64) -> f64 {
    // `f64::max` would turn NaN into 0.
    (if x < 0.0 { 0.0 } else { x }) + (-x.abs()).exp().ln_1p()
}

/// `1 / (1 + exp(-x))` without overflow.
pub(crate) fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn softplus_constraint_matches_known_values() {
        for (raw, scale) in
            [(-40.0, 1.0000000000424836e-07), (-3.4386, 0.03160497006825658), (20.0, 20.000000102061154)]
        {
            approx::assert_relative_eq!(raw_to_scale::<f64>(raw), scale, max_relative = 1e-12);
        }
    }

    #[test]
    fn extreme_raw_values_stay_finite_and_nan_passes() {
        for raw in [-1e300, -800.0, 0.0, 800.0, 1e300] {
            assert!(raw_to_scale::<f64>(raw).is_finite() && raw_to_scale::<f64>(raw) >= SCALE_FLOOR);
            assert!((0.0..=1.0).contains(&d_scale_d_raw::<f64>(raw)));
        }
        assert!(raw_to_scale(f64::NAN).is_nan());
        assert!(d_scale_d_raw(f32::NAN).is_nan());
    }

    #[test]
    fn raw_round_trip_adds_the_floor_only() {
        for scale in [1e-6, 0.0316, 1.0, 7.0, 60.0, 900.0] {
            let back = raw_to_scale(scale_to_raw(scale).unwrap());
            approx::assert_relative_eq!(back, scale + SCALE_FLOOR, max_relative = 1e-12);
        }
        assert!(scale_to_raw(0.0).is_err() && scale_to_raw(f64::NAN).is_err());
    }

    #[test]
    fn every_constraint_matches_known_values_and_its_slope() {
        let known = [
            (Constraint::Softplus, -3.0, 0.048587451573742065),
            (Constraint::Exp, -3.0, 0.04978716836786395),
            (Constraint::Exp, 5.0, 148.4131592025766),
            (Constraint::Positive, -3.0, 1e-7),
            (Constraint::Positive, 5.0, 5.0),
        ];
        for (constraint, raw, scale) in known {
            approx::assert_relative_eq!(constraint.apply::<f64>(raw), scale, max_relative = 1e-12);
            let numeric = (constraint.apply::<f64>(raw + 1e-5) - constraint.apply::<f64>(raw - 1e-5)) / 2e-5;
            approx::assert_relative_eq!(constraint.slope::<f64>(raw), numeric, max_relative = 1e-8);
            assert!(constraint.apply(f64::NAN).is_nan());
        }
    }

    #[test]
    fn constraint_slope_equals_central_difference() {
        for raw in [-5.0, -0.3, 0.0, 0.7, 4.0] {
            let numeric = (raw_to_scale::<f64>(raw + 1e-5) - raw_to_scale::<f64>(raw - 1e-5)) / 2e-5;
            approx::assert_relative_eq!(d_scale_d_raw::<f64>(raw), numeric, max_relative = 1e-8);
        }
    }
}
