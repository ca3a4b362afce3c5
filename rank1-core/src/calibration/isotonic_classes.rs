//! Isotonic calibration of class probabilities.
//!
//! Not for few rows: a function of many knots follows them closely. Below about a thousand one temperature is safer.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::isotonic::{Isotonic, IsotonicOptions};
use crate::Error;
use crate::metrics::checks;

/// A rising function of the probability of each class.
///
/// Two classes have one function, of the probability of class 1, whose complement is that of class 0. More classes have one
/// each, fitted to one against the rest; a row is then divided by its sum. The most probable class may change, also to a tie.
#[derive(Debug, Clone, PartialEq)]
pub struct IsotonicClasses {
    functions: Vec<Isotonic>,
    n_classes: usize,
}

impl IsotonicClasses {
    /// Fits every function by pooling adjacent violators, its values kept within `1 / (n + 2)` of 0 and 1.
    ///
    /// # Shapes
    /// `probs` `[n, C]` with `C` at least 2, `labels` `[n]`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`], [`Error::NotFinite`], [`Error::NotNormalized`];
    /// [`Error::OutOfRange`] for an entry outside of `[0, 1]` and for fewer than two classes.
    ///
    /// # Source
    /// Zadrozny and Elkan 2002, doi:10.1145/775047.775151. The bound is ours, the rule of succession: `n` rows of one kind do not make the other
    /// impossible, and a probability of zero would make a NLL infinite.
    pub fn fit(probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>) -> Result<Self, Error> {
        const OP: &str = "IsotonicClasses::fit";
        checks::normalized_probs_and_labels(OP, probs, labels)?;
        let n_classes = probs.ncols();
        if n_classes < 2 {
            let expected = "at least 2 classes";
            return Err(Error::OutOfRange { op: OP, argument: "probs", value: n_classes as f64, expected });
        }
        let least = 1.0 / (labels.len() as f64 + 2.0);
        let options = IsotonicOptions { increasing: true, least, largest: 1.0 - least };
        let of_class = |class: usize| {
            let happened: Array1<f64> = labels.mapv(|label| f64::from(u8::from(label == class)));
            Isotonic::fit(probs.column(class), happened.view(), None, options)
        };
        let first = if n_classes == 2 { 1 } else { 0 };
        let functions = (first..n_classes).map(of_class).collect::<Result<_, _>>()?;
        Ok(Self { functions, n_classes })
    }

    /// The map of given functions: one for two classes, else one per class.
    ///
    /// # Shapes
    /// `functions` of `n_classes`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] for another number; [`Error::OutOfRange`] for values outside of `(0, 1)` or that fall.
    pub fn from_functions(functions: Vec<Isotonic>, n_classes: usize) -> Result<Self, Error> {
        const OP: &str = "IsotonicClasses::from_functions";
        checks::same_len(OP, "functions", if n_classes == 2 { 1 } else { n_classes }, functions.len())?;
        for function in &functions {
            function.values().iter().try_for_each(|value| checks::open_unit(OP, "values", *value))?;
            if !function.values().is_sorted() {
                let value = function.values()[0];
                return Err(Error::OutOfRange { op: OP, argument: "values", value, expected: "ascending" });
            }
        }
        Ok(Self { functions, n_classes })
    }

    /// The functions, of class 1 alone or of every class.
    ///
    /// # Shapes
    /// One, or `C`.
    #[must_use]
    pub fn functions(&self) -> &[Isotonic] {
        &self.functions
    }

    /// The calibrated probabilities.
    ///
    /// # Shapes
    /// `probs` `[N, C]`; returns `[N, C]` whose rows sum to 1.
    ///
    /// # Errors
    /// As [`IsotonicClasses::fit`]; [`Error::ShapeMismatch`] for another number of classes.
    pub fn apply(&self, probs: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        const OP: &str = "IsotonicClasses::apply";
        checks::probs(OP, "probs", probs)?;
        checks::same_len(OP, "probs", self.n_classes, probs.ncols())?;
        let mut out = Array2::zeros(probs.dim());
        if let [event] = &self.functions[..] {
            for (p, mut row) in probs.rows().into_iter().zip(out.rows_mut()) {
                row[1] = event.at(p[1]);
                row[0] = 1.0 - row[1];
            }
            return Ok(out);
        }
        for ((function, p), mut column) in self.functions.iter().zip(probs.columns()).zip(out.columns_mut()) {
            column.assign(&function.apply(p));
        }
        // No row sums to zero: every value is above it.
        for mut row in out.rows_mut() {
            let total = row.sum();
            row.mapv_inplace(|value| value / total);
        }
        Ok(out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::numeric::softmax;

    #[test]
    fn two_classes_have_one_function_of_the_event() {
        let probs = array![[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]];
        let found = IsotonicClasses::fit(probs.view(), array![0, 1, 0, 1].view()).unwrap();
        assert_eq!(found.functions().len(), 1);
        // Rows two and three are pooled to one half; the ends are a sixth away from 0 and 1.
        let sixth = 1.0 / 6.0;
        assert_eq!(found.functions()[0].values(), [sixth, 0.5, 0.5, 1.0 - sixth]);
        let out = found.apply(array![[0.5, 0.5]].view()).unwrap();
        assert_eq!(out, array![[0.5, 0.5]]);
    }

    #[test]
    fn bad_input_is_refused() {
        let probs = array![[0.9, 0.1], [0.8, 0.2]];
        let got = IsotonicClasses::fit(probs.view(), array![0, 2].view());
        assert!(matches!(got, Err(Error::LabelOutOfRange { .. })));
        let got = IsotonicClasses::fit(array![[1.0]].view(), array![0].view());
        assert!(matches!(got, Err(Error::OutOfRange { argument: "probs", .. })));
        let found = IsotonicClasses::fit(probs.view(), array![0, 1].view()).unwrap();
        assert!(matches!(found.apply(array![[0.2, 0.3, 0.5]].view()), Err(Error::ShapeMismatch { .. })));
        let function = |values: [f64; 2]| Isotonic::from_knots(vec![0.0, 1.0], values.to_vec()).unwrap();
        assert!(IsotonicClasses::from_functions(vec![function([0.1, 0.9])], 3).is_err());
        assert!(IsotonicClasses::from_functions(vec![function([0.0, 0.9])], 2).is_err());
        assert!(IsotonicClasses::from_functions(vec![function([0.9, 0.1])], 2).is_err());
    }

    proptest! {
        #[test]
        fn rows_sum_to_one_and_two_classes_stay_monotone(
            logits in prop::collection::vec(prop::array::uniform3(-3.0..3.0_f64), 3..40),
            seed in any::<u64>(),
        ) {
            let n = logits.len();
            for c in [2, 3] {
                let rows: Vec<f64> = logits.iter().flat_map(|l| softmax(ArrayView1::from(&l[..c]))).collect();
                let probs = Array2::from_shape_vec((n, c), rows).unwrap();
                let labels = Array1::from_shape_fn(n, |i| (seed.rotate_left(7 * i as u32) % c as u64) as usize);
                let found = IsotonicClasses::fit(probs.view(), labels.view()).unwrap();
                let out = found.apply(probs.view()).unwrap();
                prop_assert!(out.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
                prop_assert!(out.iter().all(|p| *p > 0.0 && *p < 1.0));
                let copy = IsotonicClasses::from_functions(found.functions().to_vec(), c).unwrap();
                prop_assert_eq!(&copy, &found);
                for a in (0..n).filter(|_| c == 2) {
                    for b in 0..n {
                        prop_assert!(probs[[a, 1]] > probs[[b, 1]] || out[[a, 1]] <= out[[b, 1]] + 1e-12);
                    }
                }
            }
        }
    }
}
