//! The monotone function of one variable nearest to given values: isotonic regression.
//!
//! Not for probabilities of several classes; see [`super::IsotonicClasses`].

use ndarray::{Array1, ArrayView1};

use crate::Error;
use crate::metrics::checks;

/// Direction and bounds of the function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IsotonicOptions {
    /// Whether it rises; else it falls.
    pub increasing: bool,
    /// Least value.
    pub least: f64,
    /// Largest value.
    pub largest: f64,
}

impl Default for IsotonicOptions {
    fn default() -> Self {
        Self { increasing: true, least: f64::NEG_INFINITY, largest: f64::INFINITY }
    }
}

/// A monotone function: linear between its knots, level beyond them.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    knots: Vec<f64>,
    values: Vec<f64>,
}

/// Neighboring places that share a value.
struct Block {
    weight: f64,
    /// Sum of weight times value, so that means of whole numbers are rounded once.
    sum: f64,
    places: usize,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

impl Isotonic {
    /// Least weighted squares among monotone functions, by pooling adjacent violators.
    ///
    /// # Shapes
    /// `x`, `y`, `weights` `[n]`; without weights all are 1.
    ///
    /// # Errors
    /// [`Error::Empty`], also when every weight is zero, [`Error::ShapeMismatch`], [`Error::NotFinite`];
    /// [`Error::OutOfRange`] for a negative weight and for bounds that are not ascending.
    ///
    /// # Numerics
    /// `O(n log n)`. Equal `x` are averaged first, rows of weight zero are left out.
    ///
    /// # Source
    /// Ayer et al. 1955; Zadrozny and Elkan 2002, doi:10.1145/775047.775151, for calibration. Between knots
    /// values are interpolated, where the classical solution has steps.
    pub fn fit(
        x: ArrayView1<'_, f64>,
        y: ArrayView1<'_, f64>,
        weights: Option<ArrayView1<'_, f64>>,
        options: IsotonicOptions,
    ) -> Result<Self, Error> {
        const OP: &str = "Isotonic::fit";
        checks::finite(OP, "x", x)?;
        checks::same_len(OP, "y", x.len(), y.len())?;
        checks::finite(OP, "y", y)?;
        if let Some(weights) = weights {
            checks::same_len(OP, "weights", x.len(), weights.len())?;
            checks::finite(OP, "weights", weights)?;
            if let Some(&value) = weights.iter().find(|weight| **weight < 0.0) {
                return Err(Error::OutOfRange {
                    op: OP,
                    argument: "weights",
                    value,
                    expected: "at least zero",
                });
            }
        }
        let IsotonicOptions { increasing, least, largest } = options;
        if least > largest || least.is_nan() || largest.is_nan() {
            let expected = "at most `options.largest`, both numbers";
            return Err(Error::OutOfRange { op: OP, argument: "options.least", value: least, expected });
        }
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let mut order: Vec<usize> = (0..x.len()).filter(|&i| weight(i) > 0.0).collect();
        if order.is_empty() {
            return Err(Error::Empty { op: OP, argument: "weights" });
        }
        order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
        // Zeros of both signs are one place.
        let same = |a: &usize, b: &usize| x[*a].partial_cmp(&x[*b]) == Some(std::cmp::Ordering::Equal);
        let sign = if increasing { 1.0 } else { -1.0 };
        let (mut places, mut blocks) = (Vec::new(), Vec::<Block>::new());
        for tied in order.chunk_by(same) {
            places.push(x[tied[0]]);
            let sum = tied.iter().map(|&i| sign * weight(i) * y[i]).sum();
            let mut block = Block { weight: tied.iter().map(|&i| weight(i)).sum(), sum, places: 1 };
            while let Some(before) = blocks.pop_if(|before| before.mean() >= block.mean()) {
                block.weight += before.weight;
                block.sum += before.sum;
                block.places += before.places;
            }
            blocks.push(block);
        }
        let value = |block: &Block| (sign * block.mean()).clamp(least, largest);
        let values: Vec<f64> =
            blocks.iter().flat_map(|block| std::iter::repeat_n(value(block), block.places)).collect();
        Ok(Self::of_places(&places, &values))
    }

    /// Keeps the ends and the places where the value changes.
    fn of_places(places: &[f64], values: &[f64]) -> Self {
        let last = places.len() - 1;
        let differs = |a: usize, b: usize| values[a].total_cmp(&values[b]).is_ne();
        let kept: Vec<usize> =
            (0..=last).filter(|&i| i == 0 || i == last || differs(i, i - 1) || differs(i, i + 1)).collect();
        let pick = |from: &[f64]| kept.iter().map(|&i| from[i]).collect();
        Self { knots: pick(places), values: pick(values) }
    }

    /// A function by its knots.
    ///
    /// # Shapes
    /// Both `[n]`, `n` at least 1.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for knots that do not ascend or
    /// values that are not monotone.
    pub fn from_knots(knots: Vec<f64>, values: Vec<f64>) -> Result<Self, Error> {
        const OP: &str = "Isotonic::from_knots";
        checks::finite(OP, "knots", ArrayView1::from(&knots))?;
        checks::same_len(OP, "values", knots.len(), values.len())?;
        checks::finite(OP, "values", ArrayView1::from(&values))?;
        if let Some(pair) = knots.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Error::OutOfRange {
                op: OP,
                argument: "knots",
                value: pair[1],
                expected: "ascending",
            });
        }
        if !values.is_sorted() && !values.is_sorted_by(|a, b| a >= b) {
            return Err(Error::OutOfRange {
                op: OP,
                argument: "values",
                value: values[0],
                expected: "monotone",
            });
        }
        Ok(Self { knots, values })
    }

    /// Places where the function is known: first, last, and those whose value differs from a neighbor's.
    ///
    /// # Shapes
    /// Any number, ascending.
    #[must_use]
    pub fn knots(&self) -> &[f64] {
        &self.knots
    }

    /// The values there.
    ///
    /// # Shapes
    /// As [`Isotonic::knots`].
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The function: linear between knots, held at the first and last value outside; NaN passes through.
    ///
    /// # Shapes
    /// A scalar.
    ///
    /// # Source
    /// As [`Isotonic::fit`].
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        let above = self.knots.partition_point(|knot| *knot <= x);
        match (above, self.knots.get(above)) {
            _ if x.is_nan() => x,
            (0, _) => self.values[0],
            (above, None) => self.values[above - 1],
            (above, Some(next)) => {
                let (knot, value) = (self.knots[above - 1], self.values[above - 1]);
                value + (self.values[above] - value) * ((x - knot) / (next - knot))
            }
        }
    }

    /// The function at many places.
    ///
    /// # Shapes
    /// `x` `[N]`; returns `[N]`.
    #[must_use]
    pub fn apply(&self, x: ArrayView1<'_, f64>) -> Array1<f64> {
        x.mapv(|x| self.at(x))
    }
}

#[cfg(test)]
#[path = "isotonic_tests.rs"]
mod tests;
