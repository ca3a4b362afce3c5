//! A category as a trained vector: the row of a matrix that its code picks.
//!
//! A code of one 1 and else zeros times a matrix is a row of it, so only rows whose code is not zero are read. A code of zeros
//! alone, such as that of a level without a place, is the zero vector.

use crate::error::check_len;
use crate::{Error, Real};

/// Embeddings of one category without a bias: `out = code weight`.
#[derive(Debug, Clone, Copy)]
pub struct Category<'a, F> {
    /// `[m, d]`, a row for each place of the code.
    pub weight: &'a [F],
    /// Values of the vector d.
    pub width: usize,
}

impl<F: Real> Category<'_, F> {
    fn check(&self, code: usize, out: usize) -> Result<(), Error> {
        const OP: &str = "embedding::Category";
        check_len(OP, "code", code, self.weight.len() / self.width.max(1))?;
        check_len(OP, "out", out, self.width)
    }

    /// Adds the embedding of one row to `out`.
    ///
    /// # Shapes
    /// `code` `[m]`, `out` `[d]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]. NaN passes through.
    pub fn add(&self, code: impl ExactSizeIterator<Item = F>, out: &mut [F]) -> Result<(), Error> {
        self.check(code.len(), out.len())?;
        for (code, weight) in code.zip(self.weight.chunks_exact(self.width)) {
            if code != F::zero() {
                out.iter_mut().zip(weight).for_each(|(out, &w)| *out += code * w);
            }
        }
        Ok(())
    }

    /// Adds the gradient of the weight of one row; codes are data and get none.
    ///
    /// # Shapes
    /// `code` `[m]`, `gradient` `[d]` that of `out`, `d_weight` `[m, d]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`].
    pub fn backward(
        &self,
        code: impl ExactSizeIterator<Item = F>,
        gradient: &[F],
        d_weight: &mut [F],
    ) -> Result<(), Error> {
        self.check(code.len(), gradient.len())?;
        check_len("embedding::Category", "d_weight", d_weight.len(), self.weight.len())?;
        for (code, sink) in code.zip(d_weight.chunks_exact_mut(self.width)) {
            if code != F::zero() {
                sink.iter_mut().zip(gradient).for_each(|(sink, &g)| *sink += code * g);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn values(n: usize, phase: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 0.77 + phase).sin() * 1.4).collect()
    }

    #[test]
    fn a_code_picks_its_row_and_zeros_pick_none() {
        let weight = values(12, 0.3);
        let layer = Category { weight: &weight, width: 3 };
        for level in 0..4 {
            let code: Vec<f64> = (0..4).map(|place| f64::from(u8::from(place == level))).collect();
            let mut out = vec![0.5; 3];
            layer.add(code.iter().copied(), &mut out).unwrap();
            let expected: Vec<f64> = weight[level * 3..level * 3 + 3].iter().map(|w| 0.5 + w).collect();
            assert_eq!(out, expected);
        }
        let mut out = vec![0.0; 3];
        layer.add([0.0; 4].into_iter(), &mut out).unwrap();
        assert_eq!(out, [0.0; 3]);
    }

    #[test]
    fn gradients_are_those_of_central_differences() {
        let (mut weight, cotangent) = (values(12, 0.3), values(3, 0.9));
        // Any numbers: the map is linear in them.
        let code = [0.7, 0.0, -1.2, 1.0];
        let objective = |weight: &[f64]| -> f64 {
            let mut out = vec![0.0; 3];
            Category { weight, width: 3 }.add(code.into_iter(), &mut out).unwrap();
            out.iter().zip(&cotangent).map(|(o, c)| o * c).sum()
        };
        let mut gradient = vec![0.0; 12];
        let layer = Category { weight: &weight, width: 3 };
        layer.backward(code.into_iter(), &cotangent, &mut gradient).unwrap();
        for (i, &gradient) in gradient.iter().enumerate() {
            let (before, h) = (weight[i], 1e-6);
            weight[i] = before + h;
            let above = objective(&weight);
            weight[i] = before - h;
            let below = objective(&weight);
            weight[i] = before;
            assert_relative_eq!(gradient, (above - below) / (2.0 * h), epsilon = 1e-6);
        }
    }

    #[test]
    fn slices_of_other_lengths_are_refused() {
        let layer = Category { weight: &[0.0; 12], width: 3 };
        assert!(layer.add([0.0; 3].into_iter(), &mut [0.0; 3]).is_err());
        assert!(layer.add([0.0; 4].into_iter(), &mut [0.0; 2]).is_err());
        assert!(layer.backward([0.0; 4].into_iter(), &[0.0; 3], &mut [0.0; 9]).is_err());
    }
}
