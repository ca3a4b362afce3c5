//! The predictive of a regression: an equally weighted mixture of Gaussians per example.
//!
//! A mixture density throughout, never the one Gaussian of the same mean and variance. What is read off the
//! density is in `density.rs` beside this file, its inverse in `quantile.rs`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Slice, concatenate};

use crate::Error;
use crate::metrics::checks;

/// `M` Gaussians of weight `1/M` for each of `N` examples, in the target's own unit.
///
/// With `S` samples of `K` members `M = S K` and row `s K + k` is sample `s` of member `k`.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixturePredictive {
    means: Array2<f64>,
    std_devs: Array2<f64>,
}

/// Lower and upper ends of one interval per example, in the target's own unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// `[N]` lower ends.
    pub lower: Array1<f64>,
    /// `[N]` upper ends.
    pub upper: Array1<f64>,
}

impl GaussianMixturePredictive {
    /// Checks and keeps means and standard deviations.
    ///
    /// # Shapes
    /// `means`, `std_devs` `[M, N]`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for a standard
    /// deviation that is not above zero.
    ///
    /// # Source
    /// Mixture over samples and components, Dusenberry et al. 2020, arXiv:2005.07186, section 5.
    pub fn new(means: Array2<f64>, std_devs: Array2<f64>) -> Result<Self, Error> {
        const OP: &str = "GaussianMixturePredictive::new";
        checks::finite(OP, "means", means.view())?;
        checks::same_shape(OP, "std_devs", means.shape().to_vec(), std_devs.shape().to_vec())?;
        checks::finite(OP, "std_devs", std_devs.view())?;
        match std_devs.iter().find(|v| **v <= 0.0) {
            Some(&value) => {
                Err(Error::OutOfRange { op: OP, argument: "std_devs", value, expected: "above zero" })
            }
            None => Ok(Self { means, std_devs }),
        }
    }

    /// Puts the examples of several mixtures of the same `M` behind one another.
    ///
    /// # Shapes
    /// Parts `[M, N_i]`; the result has `N = sum N_i`.
    ///
    /// # Errors
    /// [`Error::Empty`] without parts, [`Error::ShapeMismatch`] when `M` differs.
    pub fn concatenate(parts: &[Self]) -> Result<Self, Error> {
        const OP: &str = "GaussianMixturePredictive::concatenate";
        let first = parts.first().ok_or(Error::Empty { op: OP, argument: "parts" })?;
        for part in parts {
            checks::same_len(OP, "parts", first.n_terms(), part.n_terms())?;
        }
        Self::join(OP, parts, Axis(1))
    }

    /// Puts the terms of several mixtures of the same `N` examples below one another, all of equal weight.
    ///
    /// # Shapes
    /// Parts `[M_i, N]`; the result has `M = sum M_i`. One part per sample with its `K` members as rows gives
    /// the row order `s K + k`.
    ///
    /// # Errors
    /// [`Error::Empty`] without parts, [`Error::ShapeMismatch`] when `N` differs.
    pub fn stack(parts: &[Self]) -> Result<Self, Error> {
        const OP: &str = "GaussianMixturePredictive::stack";
        let first = parts.first().ok_or(Error::Empty { op: OP, argument: "parts" })?;
        for part in parts {
            checks::same_len(OP, "parts", first.n_examples(), part.n_examples())?;
        }
        Self::join(OP, parts, Axis(0))
    }

    /// The named examples, in the order of `rows`; one may repeat.
    ///
    /// # Shapes
    /// `rows` `[M']` gives `N = M'`.
    ///
    /// # Panics
    /// If a row is not below `N`.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { means: self.means.select(Axis(1), rows), std_devs: self.std_devs.select(Axis(1), rows) }
    }

    /// Number of Gaussians per example.
    ///
    /// # Shapes
    /// The scalar `M`.
    pub fn n_terms(&self) -> usize {
        self.means.nrows()
    }

    /// Number of examples.
    ///
    /// # Shapes
    /// The scalar `N`.
    pub fn n_examples(&self) -> usize {
        self.means.ncols()
    }

    /// Means of all terms.
    ///
    /// # Shapes
    /// Returns `[M, N]`.
    ///
    /// # Source
    /// As given to [`GaussianMixturePredictive::new`].
    pub fn means(&self) -> ArrayView2<'_, f64> {
        self.means.view()
    }

    /// Standard deviations of all terms.
    ///
    /// # Shapes
    /// Returns `[M, N]`.
    ///
    /// # Source
    /// As given to [`GaussianMixturePredictive::new`].
    pub fn std_devs(&self) -> ArrayView2<'_, f64> {
        self.std_devs.view()
    }

    /// The mixture of one member's samples.
    ///
    /// # Shapes
    /// Keeps the rows `member, member + K, ...` of the `M = S K` rows.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when `n_members` does not divide `M` or `member` is not below it.
    ///
    /// # Source
    /// Member metrics average over samples only, then are taken per member.
    pub fn member(&self, member: usize, n_members: usize) -> Result<Self, Error> {
        const OP: &str = "GaussianMixturePredictive::member";
        if n_members == 0 || !self.n_terms().is_multiple_of(n_members) {
            let (value, expected) = (n_members as f64, "a divisor of the number of terms");
            return Err(Error::OutOfRange { op: OP, argument: "n_members", value, expected });
        }
        if member >= n_members {
            let (value, expected) = (member as f64, "below the number of members");
            return Err(Error::OutOfRange { op: OP, argument: "member", value, expected });
        }
        Ok(self.rows(Slice::from(member..).step_by(n_members as isize)))
    }

    /// The mixture of the first `n_terms` rows, for metrics as a function of the number of samples.
    ///
    /// # Shapes
    /// Returns `[n_terms, N]`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `1 <= n_terms <= M`.
    pub fn first_terms(&self, n_terms: usize) -> Result<Self, Error> {
        if n_terms == 0 || n_terms > self.n_terms() {
            return Err(Error::OutOfRange {
                op: "GaussianMixturePredictive::first_terms",
                argument: "n_terms",
                value: n_terms as f64,
                expected: "between 1 and the number of terms",
            });
        }
        Ok(self.rows(Slice::from(..n_terms)))
    }

    /// The predictive of `scale * y + shift`: undoes the normalization of a target.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `scale` is finite and above zero; [`Error::NotFinite`] when `shift` is not
    /// finite or a result overflows.
    ///
    /// # Units
    /// From normalized units to the target's own, so that the log density gains `-ln(scale)`.
    ///
    /// # Shapes
    /// Keeps `[M, N]`.
    ///
    /// # Source
    /// Change of variables.
    pub fn affine(&self, scale: f64, shift: f64) -> Result<Self, Error> {
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(Error::OutOfRange {
                op: "GaussianMixturePredictive::affine",
                argument: "scale",
                value: scale,
                expected: "finite and above zero",
            });
        }
        Self::new(&self.means * scale + shift, &self.std_devs * scale)
    }

    pub(super) fn z(&self, term: usize, example: usize, y: f64) -> f64 {
        (y - self.means[[term, example]]) / self.std_devs[[term, example]]
    }

    fn join(op: &'static str, parts: &[Self], axis: Axis) -> Result<Self, Error> {
        let join = |f: fn(&Self) -> ArrayView2<'_, f64>| {
            let views: Vec<_> = parts.iter().map(f).collect();
            concatenate(axis, &views).map_err(|_| Error::Undefined { op, what: "parts of different layouts" })
        };
        Ok(Self { means: join(|p| p.means.view())?, std_devs: join(|p| p.std_devs.view())? })
    }

    fn rows(&self, rows: Slice) -> Self {
        Self {
            means: self.means.slice_axis(Axis(0), rows).to_owned(),
            std_devs: self.std_devs.slice_axis(Axis(0), rows).to_owned(),
        }
    }

    pub(super) fn terms(&self) -> f64 {
        self.n_terms() as f64
    }

    pub(super) fn check_targets(&self, op: &'static str, targets: ArrayView1<'_, f64>) -> Result<(), Error> {
        checks::same_len(op, "targets", self.n_examples(), targets.len())?;
        checks::finite(op, "targets", targets)
    }
}

#[cfg(test)]
#[path = "gaussian_mixture_tests.rs"]
mod tests;
