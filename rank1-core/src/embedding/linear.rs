//! A number times a vector of its feature, plus another.

use crate::error::check_len;
use crate::{Error, Real};

/// Linear embeddings: `out[b, f] = x[b, f] weight[f] + bias[f]`.
#[derive(Debug, Clone, Copy)]
pub struct Linear<'a, F> {
    /// `[n, d]`.
    pub weight: &'a [F],
    /// `[n, d]`.
    pub bias: &'a [F],
    /// Values a feature d.
    pub width: usize,
}

impl<F: Real> Linear<'_, F> {
    fn check(&self, op: &'static str, x: &[F], out: usize) -> Result<usize, Error> {
        let n = self.weight.len() / self.width;
        check_len(op, "bias", self.bias.len(), self.weight.len())?;
        check_len(op, "out", out, x.len() * self.width)?;
        check_len(op, "x", x.len(), x.len() / n.max(1) * n)?;
        Ok(n)
    }

    /// Adds the embeddings to `out`.
    ///
    /// # Shapes
    /// See [`super`].
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]. NaN passes through.
    pub fn add(&self, x: &[F], out: &mut [F]) -> Result<(), Error> {
        let n = self.check("embedding::Linear", x, out.len())?;
        for (i, (out, &x)) in out.chunks_exact_mut(self.width).zip(x).enumerate() {
            let at = i % n * self.width;
            let parts = out.iter_mut().zip(&self.weight[at..]).zip(&self.bias[at..]);
            parts.for_each(|((out, &w), &b)| *out += x * w + b);
        }
        Ok(())
    }

    /// Adds the gradients of weight, bias and, where asked for, numbers.
    ///
    /// # Shapes
    /// See [`super`]; `gradient` is that of `out`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`].
    pub fn backward(
        &self,
        x: &[F],
        gradient: &[F],
        (d_weight, d_bias): (&mut [F], &mut [F]),
        mut d_x: Option<&mut [F]>,
    ) -> Result<(), Error> {
        let n = self.check("embedding::Linear", x, gradient.len())?;
        for (i, (gradient, &x)) in gradient.chunks_exact(self.width).zip(x).enumerate() {
            let at = i % n * self.width..(i % n + 1) * self.width;
            let sinks = d_weight[at.clone()].iter_mut().zip(&mut d_bias[at.clone()]);
            for ((w, b), &g) in sinks.zip(gradient) {
                *w += g * x;
                *b += g;
            }
            if let Some(d_x) = d_x.as_deref_mut() {
                let parts = gradient.iter().zip(&self.weight[at]);
                d_x[i] += parts.map(|(&g, &w)| g * w).fold(F::zero(), |sum, v| sum + v);
            }
        }
        Ok(())
    }
}
