//! Central differences, error measures and repeatable arrays for tests of this crate and of its users.
//!
//! Not for production code: compiled only under test or with the feature `testkit`.

use ndarray::{Array, Dimension, ShapeBuilder};

use crate::Real;
use crate::noise::{At, NoiseStream};

/// Gradient of `f` at `x` by central differences, one coordinate at a time.
///
/// # Shapes
/// `x`: `[n]`; returns `n` partial derivatives.
///
/// # Numerics
/// Fourth-order formula on the points at one and two steps of `1e-3 * max(1, |x_i|)`; in double precision and for
/// smooth `f` of order one the error is near 1e-11.
///
/// # Source
/// Standard five-point stencil.
pub fn central_differences(mut f: impl FnMut(&[f64]) -> f64, x: &[f64]) -> Vec<f64> {
    let mut point = x.to_vec();
    (0..x.len())
        .map(|i| {
            let h = 1e-3 * x[i].abs().max(1.0);
            let mut at = |offset: f64| {
                point[i] = x[i] + offset;
                f(&point)
            };
            let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            point[i] = x[i];
            slope
        })
        .collect()
}

/// Largest absolute difference divided by the largest magnitude of `expected` (or by 1e-300 if that is all zero).
///
/// # Shapes
/// Both of equal length.
///
/// # Numerics
/// NaN in either gives NaN, so that `error < tolerance` fails.
///
/// # Panics
/// If the lengths differ.
#[track_caller]
pub fn max_relative_error<'a, F: Real>(
    got: impl IntoIterator<Item = &'a F>,
    expected: impl IntoIterator<Item = &'a F>,
) -> f64 {
    let got: Vec<f64> = got.into_iter().map(|v| v.wide()).collect();
    let expected: Vec<f64> = expected.into_iter().map(|v| v.wide()).collect();
    assert_eq!(got.len(), expected.len(), "arrays of different length cannot be compared");
    let keep_nan = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
    let scale = expected.iter().fold(1e-300, |a, v| keep_nan(a, v.abs()));
    got.iter().zip(&expected).map(|(g, e)| (g - e).abs()).fold(0.0, keep_nan) / scale
}

/// Repeatable standard normal values for test inputs.
///
/// # Shapes
/// Returns an array of `shape`.
///
/// # Source
/// [`NoiseStream`] with the given seed; single-precision values, widened.
pub fn normals<F: Real, D: Dimension, Sh: ShapeBuilder<Dim = D>>(seed: u64, shape: Sh) -> Array<F, D> {
    let mut out = Array::from_elem(shape, F::zero());
    let mut values = vec![0.0_f32; out.len()];
    NoiseStream::new(seed, 0x7e57, 0).fill_normal(At::default(), &mut values);
    out.iter_mut().zip(values).for_each(|(slot, value)| *slot = F::of(f64::from(value)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn central_differences_of_a_known_function_are_its_gradient() {
        let x = [0.3, -1.7, 20.0];
        let got = central_differences(|p| p[0].exp() * p[1].sin() + p[2].ln(), &x);
        let expected = [0.3_f64.exp() * (-1.7_f64).sin(), 0.3_f64.exp() * (-1.7_f64).cos(), 0.05];
        assert!(max_relative_error(&got, &expected) < 1e-10);
    }

    #[test]
    fn a_nan_never_counts_as_close() {
        let error = max_relative_error(&[f64::NAN, 1.0], &[1.0, 1.0]);
        assert!(error.is_nan());
        assert_eq!(max_relative_error(&[1.0, 3.0], &[2.0, 4.0]), 0.25);
    }
}
