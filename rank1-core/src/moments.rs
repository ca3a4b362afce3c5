//! Moments of the perturbed weight and the paper's variance-structure theorem as checkable functions.
//!
//! Not for training: the covariance of a layer has `(D_in D_out)^2` entries. With the feature `lapack` the spectra and
//! sampling factors of such covariances come from `ndarray-linalg`.
//!
//! - this file: mean, variance and covariance of `W' = W ∘ (s rᵀ)`;
//! - [`network`]: smooth networks with exact second derivatives;
//! - [`theorem`]: expected second-order forms under full-rank, rank-1 and independent noise;
//! - `spectrum` (feature `lapack`): eigenvalues, effective rank, Cholesky and sampling factors.

pub mod network;
#[cfg(feature = "lapack")]
pub mod spectrum;
pub mod theorem;

use ndarray::{Array1, Array2, ArrayView2};

use crate::{Error, Real};

/// First two moments of an input factor `s` and an output factor `r` that are independent of each other.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorMoments<F> {
    /// Mean of `s`, `[D_in]`.
    pub input_mean: Array1<F>,
    /// Covariance of `s`, `[D_in, D_in]`.
    pub input_covariance: Array2<F>,
    /// Mean of `r`, `[D_out]`.
    pub output_mean: Array1<F>,
    /// Covariance of `r`, `[D_out, D_out]`.
    pub output_covariance: Array2<F>,
}

impl<F: Real> FactorMoments<F> {
    /// Factors with independent entries of mean one and the given standard deviations.
    ///
    /// # Shapes
    /// `input_std`: `[D_in]`, `output_std`: `[D_out]`.
    ///
    /// # Source
    /// Posterior after the usual initialization: normal entries around one.
    pub fn unit_mean(input_std: &Array1<F>, output_std: &Array1<F>) -> Self {
        let diagonal = |std: &Array1<F>| Array2::from_diag(&std.mapv(|v| v * v));
        Self {
            input_mean: Array1::from_elem(input_std.len(), F::one()),
            input_covariance: diagonal(input_std),
            output_mean: Array1::from_elem(output_std.len(), F::one()),
            output_covariance: diagonal(output_std),
        }
    }

    /// `E W'_ij = W_ij E s_i E r_j`.
    ///
    /// # Shapes
    /// `weight`: `[D_in, D_out]`; returns that shape.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`].
    ///
    /// # Source
    /// Independence of the two factors.
    pub fn weight_mean(&self, weight: ArrayView2<'_, F>) -> Result<Array2<F>, Error> {
        self.check("weight_mean", weight)?;
        Ok(Array2::from_shape_fn(weight.dim(), |(i, j)| {
            weight[[i, j]] * self.input_mean[i] * self.output_mean[j]
        }))
    }

    /// `Var W'_ij`; for unit means `W_ij^2 [(1 + var s_i)(1 + var r_j) - 1]`.
    ///
    /// # Shapes
    /// `weight`: `[D_in, D_out]`; returns that shape.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`].
    ///
    /// # Source
    /// The diagonal of [`FactorMoments::weight_covariance`].
    pub fn weight_variance(&self, weight: ArrayView2<'_, F>) -> Result<Array2<F>, Error> {
        self.check("weight_variance", weight)?;
        Ok(Array2::from_shape_fn(weight.dim(), |(i, j)| self.entry(weight, (i, j), (i, j))))
    }

    /// Covariance of all entries of `W'`, in row-major order of the weight.
    ///
    /// For factors of independent entries with unit means the four cases are: same entry, see
    /// [`FactorMoments::weight_variance`]; same input only, `W_ij W_il var s_i`; same output only,
    /// `W_ij W_kj var r_j`; neither, 0.
    ///
    /// # Shapes
    /// `weight`: `[D_in, D_out]`; returns `[D_in D_out, D_in D_out]`, entry `(i D_out + j, k D_out + l)`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`].
    ///
    /// # Source
    /// `W_ij W_kl (E[s_i s_k] E[r_j r_l] - E s_i E s_k E r_j E r_l)`; elementary.
    pub fn weight_covariance(&self, weight: ArrayView2<'_, F>) -> Result<Array2<F>, Error> {
        self.check("weight_covariance", weight)?;
        let m = weight.ncols();
        let n = weight.len();
        let entry = |(a, b): (usize, usize)| self.entry(weight, (a / m, a % m), (b / m, b % m));
        Ok(Array2::from_shape_fn((n, n), entry))
    }

    fn entry(&self, weight: ArrayView2<'_, F>, (i, j): (usize, usize), (k, l): (usize, usize)) -> F {
        let input = self.input_mean[i] * self.input_mean[k];
        let output = self.output_mean[j] * self.output_mean[l];
        let (s, r) = (self.input_covariance[[i, k]], self.output_covariance[[j, l]]);
        // Expanded, so that small variances are not lost against the product of the means.
        weight[[i, j]] * weight[[k, l]] * (s * r + s * output + input * r)
    }

    fn check(&self, op: &'static str, weight: ArrayView2<'_, F>) -> Result<(), Error> {
        let (d_in, d_out) = weight.dim();
        let parts: [(&'static str, Vec<usize>, &[usize]); 4] = [
            ("input_mean", vec![d_in], self.input_mean.shape()),
            ("input_covariance", vec![d_in, d_in], self.input_covariance.shape()),
            ("output_mean", vec![d_out], self.output_mean.shape()),
            ("output_covariance", vec![d_out, d_out], self.output_covariance.shape()),
        ];
        for (argument, expected, got) in parts {
            if expected != got {
                return Err(Error::ShapeMismatch { op, argument, expected, got: got.to_vec() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::testkit::normals;

    const D_IN: usize = 5;
    const D_OUT: usize = 3;

    fn unit() -> (Array2<f64>, Array1<f64>, Array1<f64>, FactorMoments<f64>) {
        let weight = normals(40, (D_IN, D_OUT));
        let (s, r) = (normals(41, D_IN).mapv(f64::abs) * 0.3, normals(42, D_OUT).mapv(f64::abs) * 0.3);
        let moments = FactorMoments::unit_mean(&s, &r);
        (weight, s, r, moments)
    }

    #[test]
    fn the_four_cases_of_unit_mean_factors_hold() {
        let (w, s, r, moments) = unit();
        let covariance = moments.weight_covariance(w.view()).unwrap();
        let variance = moments.weight_variance(w.view()).unwrap();
        for a in 0..D_IN * D_OUT {
            for b in 0..D_IN * D_OUT {
                let ((i, j), (k, l)) = ((a / D_OUT, a % D_OUT), (b / D_OUT, b % D_OUT));
                let (ss, rr) = (s[i] * s[i], r[j] * r[j]);
                let expected = match (i == k, j == l) {
                    (true, true) => w[[i, j]].powi(2) * ((1.0 + ss) * (1.0 + rr) - 1.0),
                    (true, false) => w[[i, j]] * w[[i, l]] * ss,
                    (false, true) => w[[i, j]] * w[[k, j]] * rr,
                    (false, false) => 0.0,
                };
                assert_relative_eq!(covariance[[a, b]], expected, max_relative = 1e-12, epsilon = 1e-16);
            }
            assert_eq!(variance[[a / D_OUT, a % D_OUT]], covariance[[a, a]]);
        }
    }

    #[test]
    fn moments_match_monte_carlo() {
        let (w, s, r, mut moments) = unit();
        moments.input_mean = normals(43, D_IN);
        moments.output_mean = normals(44, D_OUT);
        let n = 40_000;
        let (zs, zr): (Array2<f64>, Array2<f64>) = (normals(45, (n, D_IN)), normals(46, (n, D_OUT)));
        let draws = Array2::from_shape_fn((n, D_IN * D_OUT), |(t, a)| {
            let (i, j) = (a / D_OUT, a % D_OUT);
            let (si, rj) =
                (moments.input_mean[i] + s[i] * zs[[t, i]], moments.output_mean[j] + r[j] * zr[[t, j]]);
            w[[i, j]] * si * rj
        });
        let mean = moments.weight_mean(w.view()).unwrap();
        let covariance = moments.weight_covariance(w.view()).unwrap();
        let average = |f: &dyn Fn(usize) -> f64| {
            let m = (0..n).map(f).sum::<f64>() / n as f64;
            let v = (0..n).map(|t| (f(t) - m).powi(2)).sum::<f64>() / (n * n) as f64;
            (m, v.sqrt())
        };
        for a in 0..D_IN * D_OUT {
            let center = mean[[a / D_OUT, a % D_OUT]];
            let (m, error) = average(&|t| draws[[t, a]]);
            assert!((m - center).abs() < 5.0 * error, "mean {a}");
            for b in 0..=a {
                let other = mean[[b / D_OUT, b % D_OUT]];
                let (c, error) = average(&|t| (draws[[t, a]] - center) * (draws[[t, b]] - other));
                assert!((c - covariance[[a, b]]).abs() < 5.0 * error, "covariance {a} {b}");
            }
        }
    }

    #[test]
    fn a_moment_of_the_wrong_length_is_named() {
        let (w, .., mut moments) = unit();
        moments.output_mean = Array1::zeros(D_IN);
        let got = moments.weight_covariance(w.view());
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "output_mean", .. })));
    }
}
