//! Eigenvalues, effective ranks and sampling factors of weight covariances, through LAPACK.
//!
//! Only with the feature `lapack`; needs a system OpenBLAS. Not for rank-1 sampling itself, which needs no factorization.

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};
use ndarray_linalg::{Cholesky, Eigh, UPLO};

use crate::Error;

/// Eigenvalues of a covariance below this fraction of the largest one count as zero.
pub const RELATIVE_RANK_TOLERANCE: f64 = 1e-10;

/// Eigenvalues in descending order with their eigenvectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// `[n]`, largest first.
    pub values: Array1<f64>,
    /// `[n, n]`, column `c` belongs to `values[c]`.
    pub vectors: Array2<f64>,
}

/// Spectral decomposition of a covariance.
///
/// # Shapes
/// `covariance`: `[n, n]`, symmetric.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`], [`Error::NotFinite`]; [`Error::Factorization`] if the matrix is not
/// symmetric (1e-9 relative to its largest entry) or LAPACK reports failure.
///
/// # Source
/// LAPACK's symmetric eigensolver through `ndarray-linalg`.
pub fn spectrum(covariance: ArrayView2<'_, f64>) -> Result<Spectrum, Error> {
    const OP: &str = "spectrum";
    check(OP, covariance)?;
    let failed = |_| Error::Factorization { op: OP, factorization: "eigh", rows: covariance.nrows() };
    let (values, vectors) = covariance.to_owned().eigh(UPLO::Lower).map_err(failed)?;
    let descending: Vec<usize> = (0..values.len()).rev().collect();
    Ok(Spectrum {
        values: values.select(Axis(0), &descending),
        vectors: vectors.select(Axis(1), &descending),
    })
}

/// Lower triangular `L` with `L Lᵀ` equal to the covariance.
///
/// # Shapes
/// `covariance`: `[n, n]`; returns `[n, n]`.
///
/// # Errors
/// As [`spectrum`]; [`Error::Factorization`] unless the matrix is positive definite. Covariances of rank-1 noise are
/// often singular: use [`Spectrum::sampling_factor`] for those.
///
/// # Source
/// LAPACK's Cholesky factorization through `ndarray-linalg`.
pub fn cholesky(covariance: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
    const OP: &str = "cholesky";
    check(OP, covariance)?;
    let failed = |_| Error::Factorization { op: OP, factorization: "Cholesky", rows: covariance.nrows() };
    covariance.to_owned().cholesky(UPLO::Lower).map_err(failed)
}

impl Spectrum {
    /// Number of eigenvalues above [`RELATIVE_RANK_TOLERANCE`] of the largest.
    ///
    /// # Source
    /// Definition of numerical rank.
    pub fn rank(&self) -> usize {
        let floor = self.values[0] * RELATIVE_RANK_TOLERANCE;
        self.values.iter().filter(|&&value| value > floor && value > 0.0).count()
    }

    /// `exp` of the entropy of the normalized eigenvalues: 1 for one direction, `n` for equal variances.
    ///
    /// # Numerics
    /// Negative rounding residues count as zero; NaN for the zero matrix.
    ///
    /// # Source
    /// Roy and Vetterli, "The effective rank", EUSIPCO 2007.
    pub fn effective_rank(&self) -> f64 {
        let total: f64 = self.values.iter().map(|v| v.max(0.0)).sum();
        let shares = self.values.iter().map(|v| v.max(0.0) / total);
        shares.map(|p| if p == 0.0 { 0.0 } else { -p * p.ln() }).sum::<f64>().exp()
    }

    /// `(sum λ)^2 / sum λ^2`, the participation ratio.
    ///
    /// # Source
    /// Definition; never above [`Spectrum::effective_rank`].
    pub fn participation_ratio(&self) -> f64 {
        self.values.sum().powi(2) / self.values.dot(&self.values)
    }

    /// `A` with `A Aᵀ` equal to the covariance: `A z` with standard normal `z` has that covariance. Singular is fine.
    ///
    /// # Shapes
    /// Returns `[n, rank]`.
    ///
    /// # Errors
    /// [`Error::Factorization`] if an eigenvalue is negative beyond [`RELATIVE_RANK_TOLERANCE`]: not a covariance.
    ///
    /// # Source
    /// Eigenvectors scaled by the roots of their eigenvalues.
    pub fn sampling_factor(&self) -> Result<Array2<f64>, Error> {
        let n = self.values.len();
        if self.values[n - 1] < -RELATIVE_RANK_TOLERANCE * self.values[0].abs() {
            return Err(Error::Factorization {
                op: "sampling_factor",
                factorization: "square root",
                rows: n,
            });
        }
        let mut factor = self.vectors.slice_axis(Axis(1), Slice::from(..self.rank())).to_owned();
        for (mut column, value) in factor.columns_mut().into_iter().zip(&self.values) {
            column *= value.sqrt();
        }
        Ok(factor)
    }
}

fn check(op: &'static str, covariance: ArrayView2<'_, f64>) -> Result<(), Error> {
    let (n, columns) = covariance.dim();
    if n != columns {
        let (expected, got) = (vec![n, n], vec![n, columns]);
        return Err(Error::ShapeMismatch { op, argument: "covariance", expected, got });
    }
    if n == 0 {
        return Err(Error::Empty { op, argument: "covariance" });
    }
    if let Some(((i, j), _)) = covariance.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(Error::NotFinite { op, argument: "covariance", index: vec![i, j] });
    }
    let largest = covariance.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
    let symmetric =
        covariance.indexed_iter().all(|((i, j), v)| (v - covariance[[j, i]]).abs() <= 1e-9 * largest);
    if symmetric {
        Ok(())
    } else {
        Err(Error::Factorization { op, factorization: "symmetry check", rows: n })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::moments::FactorMoments;
    use crate::testkit::{max_relative_error, normals};

    fn covariance(input: f64, output: f64) -> (Array2<f64>, Array2<f64>) {
        let weight: Array2<f64> = normals(110, (5, 3));
        let std = |seed, n, scale| normals::<f64, _, _>(seed, n).mapv(|v: f64| scale * v.abs());
        let moments = FactorMoments::unit_mean(&std(111, 5, input), &std(112, 3, output));
        (moments.weight_covariance(weight.view()).unwrap(), weight)
    }

    #[test]
    fn input_noise_alone_has_one_eigenvalue_per_input() {
        let (covariance, weight) = covariance(0.3, 0.0);
        let got = spectrum(covariance.view()).unwrap();
        let std: Array1<f64> = normals::<f64, _, _>(111, 5).mapv(|v: f64| 0.3 * v.abs());
        let mut expected: Vec<f64> =
            (0..5).map(|i| std[i].powi(2) * weight.row(i).dot(&weight.row(i))).collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        assert!(max_relative_error(got.values.slice_axis(Axis(0), (..5).into()), &expected) < 1e-12);
        assert_eq!(got.rank(), 5);
        assert!(got.values.iter().skip(5).all(|v| v.abs() < 1e-14));
    }

    #[test]
    fn small_rank_one_noise_uses_far_fewer_directions_than_independent_noise() {
        let (rank1, _) = covariance(0.03, 0.03);
        let independent = Array2::from_diag(&rank1.diag());
        let (a, b) = (spectrum(rank1.view()).unwrap(), spectrum(independent.view()).unwrap());
        assert!((a.values.sum() - b.values.sum()).abs() < 1e-12 * b.values.sum());
        assert!(a.effective_rank() < 0.8 * b.effective_rank());
        for s in [&a, &b] {
            assert!(s.participation_ratio() <= s.effective_rank() && s.effective_rank() <= 15.0);
        }
        let equal = spectrum(Array2::<f64>::eye(7).view()).unwrap();
        assert!(
            (equal.effective_rank() - 7.0).abs() < 1e-12 && (equal.participation_ratio() - 7.0).abs() < 1e-12
        );
    }

    #[test]
    fn factors_reproduce_the_covariance() {
        for (input, output) in [(0.3, 0.0), (0.3, 0.2), (0.0, 0.2)] {
            let (covariance, _) = covariance(input, output);
            let factor = spectrum(covariance.view()).unwrap().sampling_factor().unwrap();
            assert!(max_relative_error(&factor.dot(&factor.t()), &covariance) < 1e-10);
        }
        let (definite, _) = covariance(0.3, 0.2);
        let lower = cholesky(definite.view()).unwrap();
        assert!(max_relative_error(&lower.dot(&lower.t()), &definite) < 1e-12);
        assert!(lower.indexed_iter().all(|((i, j), &v)| j <= i || v == 0.0));
    }

    #[test]
    fn what_is_not_a_covariance_is_refused() {
        let failed = |got: Result<Array2<f64>, Error>| matches!(got, Err(Error::Factorization { .. }));
        let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
        assert!(failed(cholesky(indefinite.view())));
        assert!(failed(spectrum(indefinite.view()).unwrap().sampling_factor()));
        assert!(failed(cholesky(array![[1.0, 0.5], [0.0, 1.0]].view())));
        assert!(matches!(cholesky(Array2::zeros((2, 3)).view()), Err(Error::ShapeMismatch { .. })));
        assert!(matches!(spectrum(Array2::zeros((0, 0)).view()), Err(Error::Empty { .. })));
        let nan = array![[1.0, f64::NAN], [f64::NAN, 1.0]];
        assert!(matches!(spectrum(nan.view()), Err(Error::NotFinite { .. })));
    }
}
