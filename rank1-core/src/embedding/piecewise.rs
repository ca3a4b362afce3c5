//! A number by the bins that it has passed, and a linear layer on that code.
//!
//! The code of a number in bin t is one for every bin before, its place in bin t, and zero after. Its product with a matrix
//! is a sum of rows; sums of the first rows are made once, so that a number costs one row and not one for each bin.

use super::Edges;
use crate::error::check_len;
use crate::{Error, Real};

/// Piecewise-linear embeddings without a bias: `out[b, f] = code(x[b, f]) weight[f]`.
#[derive(Debug, Clone, Copy)]
pub struct PiecewiseLinear<'a, F> {
    /// Bins of every feature.
    pub edges: &'a Edges,
    /// `[all bins, d]`, feature by feature.
    pub weight: &'a [F],
    /// Values a feature d.
    pub width: usize,
}

/// Piecewise-linear codes of numbers.
///
/// # Shapes
/// `x` `[B, n]`; the result is `[B, all bins]`, feature by feature.
pub fn encode(edges: &Edges, x: &[f64]) -> Vec<f64> {
    let mut out = Vec::with_capacity(x.len() / edges.n_features().max(1) * edges.n_bins());
    for (i, &x) in x.iter().enumerate() {
        let feature = i % edges.n_features();
        let (bin, place) = edges.locate(feature, x);
        let n_bins = edges.of(feature).len() - 1;
        out.extend((0..n_bins).map(|b| {
            if b < bin {
                1.0
            } else if b == bin {
                place
            } else {
                0.0
            }
        }));
    }
    out
}

impl<F: Real> PiecewiseLinear<'_, F> {
    fn check(&self, x: &[F], out: usize) -> Result<usize, Error> {
        const OP: &str = "embedding::PiecewiseLinear";
        let n = self.edges.n_features();
        check_len(OP, "weight", self.weight.len(), self.edges.n_bins() * self.width)?;
        check_len(OP, "x", x.len(), x.len() / n.max(1) * n)?;
        check_len(OP, "out", out, x.len() * self.width)?;
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
        let (n, d) = (self.check(x, out.len())?, self.width);
        // Sums of the rows of a feature's bins before each of them.
        let mut passed = vec![F::zero(); self.weight.len()];
        for feature in 0..n {
            let first = self.edges.first_bin(feature);
            for bin in first + 1..first + self.edges.of(feature).len() - 1 {
                for j in 0..d {
                    passed[bin * d + j] = passed[(bin - 1) * d + j] + self.weight[(bin - 1) * d + j];
                }
            }
        }
        for (i, (out, &x)) in out.chunks_exact_mut(d).zip(x).enumerate() {
            let (bin, place) = self.edges.locate(i % n, x.wide());
            let (at, place) = ((self.edges.first_bin(i % n) + bin) * d, F::of(place));
            let parts = out.iter_mut().zip(&passed[at..]).zip(&self.weight[at..]);
            parts.for_each(|((out, &passed), &w)| *out += passed + place * w);
        }
        Ok(())
    }

    /// Adds the gradients of the weight and, where asked for, of the numbers.
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
        d_weight: &mut [F],
        mut d_x: Option<&mut [F]>,
    ) -> Result<(), Error> {
        let (n, d) = (self.check(x, gradient.len())?, self.width);
        // Gradients of the sums of rows; each row is in the sums of all later bins of its feature.
        let mut passed = vec![F::zero(); self.weight.len()];
        for (i, (gradient, &x)) in gradient.chunks_exact(d).zip(x).enumerate() {
            let (bin, place) = self.edges.locate(i % n, x.wide());
            let (at, place) = ((self.edges.first_bin(i % n) + bin) * d, F::of(place));
            let sinks = d_weight[at..].iter_mut().zip(&mut passed[at..]);
            for ((sink, passed), &g) in sinks.zip(gradient) {
                *sink += place * g;
                *passed += g;
            }
            if let Some(d_x) = d_x.as_deref_mut() {
                let edges = self.edges.of(i % n);
                let parts = gradient.iter().zip(&self.weight[at..at + d]);
                let slope = parts.map(|(&g, &w)| g * w).fold(F::zero(), |sum, v| sum + v);
                d_x[i] += slope / F::of(edges[bin + 1] - edges[bin]);
            }
        }
        for feature in 0..n {
            let first = self.edges.first_bin(feature);
            let last = first + self.edges.of(feature).len() - 2;
            for bin in (first..last).rev() {
                for j in 0..d {
                    let later = passed[(bin + 1) * d + j];
                    d_weight[bin * d + j] += later;
                    passed[bin * d + j] += later;
                }
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
    use crate::embedding::{Linear, Periodic};

    fn values(n: usize, phase: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 0.77 + phase).sin() * 1.4).collect()
    }

    fn edges() -> Edges {
        Edges::new(&[vec![-1.0, -0.3, 0.2, 0.9], vec![-0.5, 0.6], vec![-1.1, 0.0, 0.1]]).unwrap()
    }

    #[test]
    fn embeddings_are_codes_times_matrices() {
        let (edges, d, rows) = (edges(), 5, 7);
        let (x, weight) = (values(rows * 3, 0.1), values(edges.n_bins() * d, 0.5));
        let mut out = vec![0.25; rows * 3 * d];
        PiecewiseLinear { edges: &edges, weight: &weight, width: d }.add(&x, &mut out).unwrap();
        let code = encode(&edges, &x);
        for row in 0..rows {
            for feature in 0..3 {
                for j in 0..d {
                    let bins =
                        edges.first_bin(feature)..edges.first_bin(feature) + edges.of(feature).len() - 1;
                    let expected: f64 =
                        bins.map(|b| code[row * edges.n_bins() + b] * weight[b * d + j]).sum();
                    assert_relative_eq!(out[(row * 3 + feature) * d + j], 0.25 + expected, epsilon = 1e-12);
                }
            }
        }
    }

    /// Adds embeddings of arguments, of which the first are the numbers.
    type Add<'a> = dyn Fn(&[Vec<f64>], &mut [f64]) + 'a;

    /// Adds the gradients of all arguments from that of the embeddings.
    type Backward<'a> = dyn Fn(&[Vec<f64>], &[f64], &mut [Vec<f64>]) + 'a;

    /// The gradient of sum(out * cotangent) in every argument against central differences.
    fn check_gradients(arguments: &mut [Vec<f64>], width: usize, add: &Add<'_>, backward: &Backward<'_>) {
        let cotangent = values(arguments[0].len() * width, 0.9);
        let objective = |arguments: &[Vec<f64>]| -> f64 {
            let mut out = vec![0.0; cotangent.len()];
            add(arguments, &mut out);
            out.iter().zip(&cotangent).map(|(o, c)| o * c).sum()
        };
        let mut gradients: Vec<Vec<f64>> = arguments.iter().map(|a| vec![0.0; a.len()]).collect();
        backward(arguments, &cotangent, &mut gradients);
        for place in 0..arguments.len() {
            for i in 0..arguments[place].len() {
                let (before, h) = (arguments[place][i], 1e-6);
                arguments[place][i] = before + h;
                let above = objective(arguments);
                arguments[place][i] = before - h;
                let below = objective(arguments);
                arguments[place][i] = before;
                assert_relative_eq!(gradients[place][i], (above - below) / (2.0 * h), epsilon = 1e-6);
            }
        }
    }

    #[test]
    fn gradients_are_those_of_central_differences() {
        let (edges, d, rows, m) = (edges(), 5, 7, 2);
        let x = values(rows * 3, 0.1);
        check_gradients(
            &mut [x.clone(), values(edges.n_bins() * d, 0.5)],
            d,
            &|a, out| PiecewiseLinear { edges: &edges, weight: &a[1], width: d }.add(&a[0], out).unwrap(),
            &|a, g, d_a| {
                let (d_x, d_w) = d_a.split_at_mut(1);
                let layer = PiecewiseLinear { edges: &edges, weight: &a[1], width: d };
                layer.backward(&a[0], g, &mut d_w[0], Some(&mut d_x[0])).unwrap();
            },
        );
        check_gradients(
            &mut [x.clone(), values(3 * d, 0.5), values(3 * d, 0.2)],
            d,
            &|a, out| Linear { weight: &a[1], bias: &a[2], width: d }.add(&a[0], out).unwrap(),
            &|a, g, d_a| {
                let [d_x, d_w, d_b] = d_a else { unreachable!() };
                let layer = Linear { weight: &a[1], bias: &a[2], width: d };
                layer.backward(&a[0], g, (d_w, d_b), Some(d_x)).unwrap();
            },
        );
        for layers in [3, 1] {
            check_gradients(
                &mut [
                    x.clone(),
                    values(3 * m, 0.5),
                    values(layers * 2 * m * d, 0.2),
                    values(layers * d, 0.7),
                ],
                d,
                &|a, out| {
                    let layer = Periodic {
                        frequencies: &a[1],
                        weight: &a[2],
                        bias: &a[3],
                        n_frequencies: m,
                        width: d,
                    };
                    layer.add(&a[0], out).unwrap();
                },
                &|a, g, d_a| {
                    let [d_x, d_f, d_w, d_b] = d_a else { unreachable!() };
                    let layer = Periodic {
                        frequencies: &a[1],
                        weight: &a[2],
                        bias: &a[3],
                        n_frequencies: m,
                        width: d,
                    };
                    layer.backward(&a[0], g, (d_f, d_w, d_b), Some(d_x)).unwrap();
                },
            );
        }
    }

    #[test]
    fn slices_of_other_lengths_are_refused() {
        let edges = edges();
        let layer = PiecewiseLinear { edges: &edges, weight: &[0.0; 30], width: 5 };
        assert!(layer.add(&[0.0; 4], &mut [0.0; 20]).is_err());
        assert!(layer.add(&[0.0; 3], &mut [0.0; 14]).is_err());
        let short = PiecewiseLinear { weight: &[0.0; 25], ..layer };
        assert!(short.add(&[0.0; 3], &mut [0.0; 15]).is_err());
        let linear = Linear { weight: &[0.0; 4], bias: &[0.0; 3], width: 2 };
        assert!(linear.add(&[0.0; 2], &mut [0.0; 4]).is_err());
    }
}
