//! Cosines and sines of a number at trained frequencies, then a linear layer of the feature or of all features.

use std::f64::consts::TAU;

use crate::error::check_len;
use crate::{Error, Real};

/// Periodic embeddings: `out[b, f] = [cos a, sin a] weight[f] + bias[f]` with `a = 2 pi frequencies[f] x[b, f]`.
#[derive(Debug, Clone, Copy)]
pub struct Periodic<'a, F> {
    /// `[n, m]`.
    pub frequencies: &'a [F],
    /// `[n, 2 m, d]`, or `[2 m, d]` where all features share one layer.
    pub weight: &'a [F],
    /// `[n, d]`, or `[d]`.
    pub bias: &'a [F],
    /// Frequencies a feature m.
    pub n_frequencies: usize,
    /// Values a feature d.
    pub width: usize,
}

impl<F: Real> Periodic<'_, F> {
    /// Number of features, and of layers: that or one.
    fn check(&self, x: &[F], out: usize) -> Result<(usize, usize), Error> {
        const OP: &str = "embedding::Periodic";
        let n = self.frequencies.len() / self.n_frequencies;
        let layers = self.bias.len() / self.width;
        let layers = if layers == 1 { 1 } else { n };
        check_len(OP, "bias", self.bias.len(), layers * self.width)?;
        check_len(OP, "weight", self.weight.len(), layers * 2 * self.n_frequencies * self.width)?;
        check_len(OP, "x", x.len(), x.len() / n.max(1) * n)?;
        check_len(OP, "out", out, x.len() * self.width)?;
        Ok((n, layers))
    }

    /// All cosines, then all sines.
    fn waves(&self, feature: usize, x: F, waves: &mut Vec<F>) {
        let at = feature * self.n_frequencies;
        let frequencies = &self.frequencies[at..at + self.n_frequencies];
        let angles = || frequencies.iter().map(|&f| F::of(TAU) * f * x);
        waves.clear();
        waves.extend(angles().map(F::cos));
        waves.extend(angles().map(F::sin));
    }

    /// Adds the embeddings to `out`.
    ///
    /// # Shapes
    /// See [`super`].
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]. NaN passes through.
    pub fn add(&self, x: &[F], out: &mut [F]) -> Result<(), Error> {
        let (n, layers) = self.check(x, out.len())?;
        let (d, mut waves) = (self.width, Vec::new());
        for (i, (out, &x)) in out.chunks_exact_mut(d).zip(x).enumerate() {
            let layer = i % n % layers;
            self.waves(i % n, x, &mut waves);
            out.iter_mut().zip(&self.bias[layer * d..]).for_each(|(out, &b)| *out += b);
            let weight = &self.weight[layer * waves.len() * d..];
            for (&wave, weight) in waves.iter().zip(weight.chunks_exact(d)) {
                out.iter_mut().zip(weight).for_each(|(out, &w)| *out += wave * w);
            }
        }
        Ok(())
    }

    /// Adds the gradients of frequencies, weight, bias and, where asked for, numbers.
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
        (d_frequencies, d_weight, d_bias): (&mut [F], &mut [F], &mut [F]),
        mut d_x: Option<&mut [F]>,
    ) -> Result<(), Error> {
        let (n, layers) = self.check(x, gradient.len())?;
        let (d, m, mut waves) = (self.width, self.n_frequencies, Vec::new());
        let mut d_waves = vec![F::zero(); 2 * m];
        for (i, (gradient, &x)) in gradient.chunks_exact(d).zip(x).enumerate() {
            let (feature, layer) = (i % n, i % n % layers);
            self.waves(feature, x, &mut waves);
            d_bias[layer * d..].iter_mut().zip(gradient).for_each(|(sink, &g)| *sink += g);
            let at = layer * 2 * m * d..(layer + 1) * 2 * m * d;
            let rows = self.weight[at.clone()].chunks_exact(d).zip(d_weight[at].chunks_exact_mut(d));
            for ((&wave, d_wave), (weight, sink)) in waves.iter().zip(&mut d_waves).zip(rows) {
                *d_wave = F::zero();
                for ((sink, &w), &g) in sink.iter_mut().zip(weight).zip(gradient) {
                    *sink += wave * g;
                    *d_wave += w * g;
                }
            }
            let mut of_x = F::zero();
            for j in 0..m {
                let d_angle = d_waves[m + j] * waves[j] - d_waves[j] * waves[m + j];
                let place = feature * m + j;
                d_frequencies[place] += F::of(TAU) * x * d_angle;
                of_x += F::of(TAU) * self.frequencies[place] * d_angle;
            }
            if let Some(d_x) = d_x.as_deref_mut() {
                d_x[i] += of_x;
            }
        }
        Ok(())
    }
}
