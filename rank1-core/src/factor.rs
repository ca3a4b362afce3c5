//! Shapes and clipping of factor draws.
//!
//! Not for sampling; draws come from the priors crate and from [`crate::noise`].

use ndarray::{Array, Array3, ArrayView, ArrayView3, Dimension, Zip};
use serde::{Deserialize, Serialize};

use crate::{Error, Real};

/// The interval that sampled factor entries are clipped to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipBounds {
    /// Lower bound.
    pub min: f64,
    /// Upper bound, at least `min`.
    pub max: f64,
}

impl ClipBounds {
    /// The reference code's bounds for dense and convolution layers, -10 and 10.
    pub const REFERENCE: Self = Self { min: -10.0, max: 10.0 };

    /// Checked bounds.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `min <= max`; NaN is refused.
    pub fn new(min: f64, max: f64) -> Result<Self, Error> {
        if min <= max {
            Ok(Self { min, max })
        } else {
            Err(Error::OutOfRange {
                op: "ClipBounds",
                argument: "max",
                value: max,
                expected: "at least `min`",
            })
        }
    }

    /// `value` limited to the interval; NaN passes through.
    ///
    /// # Source
    /// Reference code: draws of dense and convolution layers are clipped, plain variables and recurrent cells are not.
    pub fn clip<F: Real>(&self, value: F) -> F {
        let (min, max) = (F::of(self.min), F::of(self.max));
        if value < min {
            min
        } else if value > max {
            max
        } else {
            value
        }
    }

    /// Whether the derivative passes: true inside the interval and on its ends.
    ///
    /// # Source
    /// The derivative that the reference framework assigns to clipping.
    pub fn passes<F: Real>(&self, value: F) -> bool {
        !(value < F::of(self.min) || value > F::of(self.max))
    }

    /// Clips every entry.
    ///
    /// # Shapes
    /// `draws`: any; returns the same shape.
    ///
    /// # Source
    /// See [`ClipBounds::clip`].
    pub fn forward<F: Real, D: Dimension>(&self, draws: ArrayView<'_, F, D>) -> Array<F, D> {
        draws.mapv(|value| self.clip(value))
    }

    /// Gradient with respect to the draws before clipping: zero where they were cut.
    ///
    /// # Shapes
    /// `draws` (before clipping) and `grad`: equal shapes; returns that shape.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the shapes differ.
    ///
    /// # Source
    /// See [`ClipBounds::passes`].
    pub fn backward<F: Real, D: Dimension>(
        &self,
        draws: ArrayView<'_, F, D>,
        grad: ArrayView<'_, F, D>,
    ) -> Result<Array<F, D>, Error> {
        if draws.shape() != grad.shape() {
            return Err(Error::ShapeMismatch {
                op: "ClipBounds::backward",
                argument: "grad",
                expected: draws.shape().to_vec(),
                got: grad.shape().to_vec(),
            });
        }
        let mut out = grad.to_owned();
        Zip::from(&mut out).and(&draws).for_each(|g, &value| {
            if !self.passes(value) {
                *g = F::zero();
            }
        });
        Ok(out)
    }
}

/// The shape that a factor must have: one draw per member and example, or one per member shared by the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorShape {
    /// Number of members `K`.
    pub n_members: usize,
    /// Examples per member `B`.
    pub batch_size: usize,
    /// Length of the factor: the layer's inputs for the input factor, its outputs for the output factor.
    pub width: usize,
}

impl FactorShape {
    /// Verifies that a factor has shape `[K, B, D]` or `[K, 1, D]`.
    ///
    /// # Shapes
    /// `factor`: checked.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] with `op` and `argument` as given, `expected` for per-example draws.
    ///
    /// # Source
    /// Per-example draws are the reference code's choice; one draw per batch is a cheaper variant of later work.
    pub fn check<A>(
        &self,
        op: &'static str,
        argument: &'static str,
        factor: ArrayView3<'_, A>,
    ) -> Result<(), Error> {
        let (k, b, d) = factor.dim();
        if k == self.n_members && (b == self.batch_size || b == 1) && d == self.width {
            return Ok(());
        }
        Err(Error::ShapeMismatch {
            op,
            argument,
            expected: vec![self.n_members, self.batch_size, self.width],
            got: vec![k, b, d],
        })
    }
}

/// A plain per-member factor as one draw shared by the batch.
///
/// # Shapes
/// `factor`: `[K, D]`; returns `[K, 1, D]`.
///
/// # Source
/// Deterministic factors of BatchEnsemble, Wen et al. 2020.
pub fn per_member<F: Clone>(factor: ndarray::ArrayView2<'_, F>) -> Array3<F> {
    factor.insert_axis(ndarray::Axis(1)).to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;

    #[test]
    fn clipping_limits_values_and_stops_their_gradient() {
        let draws = array![-12.5, -10.0, 0.5, 10.0, 10.001];
        let bounds = ClipBounds::REFERENCE;
        assert_eq!(bounds.forward(draws.view()), array![-10.0, -10.0, 0.5, 10.0, 10.0]);
        let grad = bounds.backward(draws.view(), array![1.0, 2.0, 3.0, 4.0, 5.0].view()).unwrap();
        assert_eq!(grad, array![0.0, 2.0, 3.0, 4.0, 0.0]);
        assert!(bounds.clip(f64::NAN).is_nan());
    }

    #[test]
    fn crossed_and_nan_bounds_are_refused() {
        assert!(ClipBounds::new(1.0, -1.0).is_err());
        assert!(ClipBounds::new(f64::NAN, 1.0).is_err());
        assert!(ClipBounds::new(2.0, 2.0).is_ok());
    }

    #[test]
    fn a_factor_is_per_example_or_per_member_and_nothing_else() {
        let shape = FactorShape { n_members: 3, batch_size: 5, width: 7 };
        for (dim, fits) in
            [((3, 5, 7), true), ((3, 1, 7), true), ((3, 2, 7), false), ((5, 3, 7), false), ((3, 5, 1), false)]
        {
            let got = shape.check("test", "input_factor", Array3::<f32>::zeros(dim).view());
            assert_eq!(got.is_ok(), fits, "{dim:?}");
        }
    }
}
