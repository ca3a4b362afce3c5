//! What a model is trained to predict: class labels or real values, checked once.
//!
//! Not for reading files and not for normalization; see the data crate for both.

use ndarray::Array1;

use crate::Error;

/// Targets of `N` examples, in the order of their inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class index per example.
    Classes {
        /// Class indices, shape `[N]`, each below `n_classes`.
        labels: Array1<usize>,
        /// Number of classes, at least two.
        n_classes: usize,
    },
    /// One real value per example, shape `[N]`, in the unit the caller chose.
    Values(Array1<f64>),
}

impl Targets {
    /// Checked class targets: every label is below `n_classes`.
    ///
    /// A set in which only one class occurs is accepted (a batch may look like that); see [`Targets::check_two_classes`].
    ///
    /// # Shapes
    /// `labels`: `[N]`, `N >= 1`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::OutOfRange`] for fewer than two classes, [`Error::LabelOutOfRange`].
    pub fn classes(labels: Array1<usize>, n_classes: usize) -> Result<Self, Error> {
        let targets = Self::Classes { labels, n_classes };
        targets.check()?;
        Ok(targets)
    }

    /// Checked real targets: every value is finite.
    ///
    /// # Shapes
    /// `values`: `[N]`, `N >= 1`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`].
    pub fn values(values: Array1<f64>) -> Result<Self, Error> {
        let targets = Self::Values(values);
        targets.check()?;
        Ok(targets)
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes { labels, .. } => labels.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of classes; `None` for real values.
    pub fn n_classes(&self) -> Option<usize> {
        match self {
            Self::Classes { n_classes, .. } => Some(*n_classes),
            Self::Values(_) => None,
        }
    }

    /// The targets of the named examples, in the order of `indices`; an index may repeat.
    ///
    /// # Shapes
    /// `indices`: `[M]`; returns `M` targets.
    ///
    /// # Panics
    /// If an index is not below [`Targets::len`].
    #[track_caller]
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::Classes { labels, n_classes } => {
                Self::Classes { labels: indices.iter().map(|&i| labels[i]).collect(), n_classes: *n_classes }
            }
            Self::Values(values) => Self::Values(indices.iter().map(|&i| values[i]).collect()),
        }
    }

    /// Verifies what the constructors promise, for targets built from the variants directly.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::OutOfRange`] for fewer than two classes, [`Error::LabelOutOfRange`], [`Error::NotFinite`].
    pub fn check(&self) -> Result<(), Error> {
        const OP: &str = "targets";
        if self.is_empty() {
            return Err(Error::Empty { op: OP, argument: "targets" });
        }
        match self {
            Self::Classes { labels, n_classes } => {
                if *n_classes < 2 {
                    return Err(Error::OutOfRange {
                        op: OP,
                        argument: "n_classes",
                        value: *n_classes as f64,
                        expected: "at least 2 classes",
                    });
                }
                match labels.iter().position(|&label| label >= *n_classes) {
                    Some(row) => {
                        Err(Error::LabelOutOfRange { op: OP, row, label: labels[row], n_classes: *n_classes })
                    }
                    None => Ok(()),
                }
            }
            Self::Values(values) => match values.iter().position(|value| !value.is_finite()) {
                Some(row) => Err(Error::NotFinite { op: OP, argument: "targets", index: vec![row] }),
                None => Ok(()),
            },
        }
    }

    /// Verifies that at least two classes occur; real values always pass.
    ///
    /// # Errors
    /// [`Error::OneClass`] names the only class present; [`Error::Empty`] when there is no example.
    ///
    /// # Source
    /// Definition; a classifier fitted to one class has no decision to learn.
    pub fn check_two_classes(&self) -> Result<(), Error> {
        const OP: &str = "targets";
        let Self::Classes { labels, .. } = self else { return Ok(()) };
        let Some(&class) = labels.first() else {
            return Err(Error::Empty { op: OP, argument: "targets" });
        };
        if labels.iter().all(|&label| label == class) {
            return Err(Error::OneClass { op: OP, class, n: labels.len() });
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_label_at_the_class_count_is_refused_by_row() {
        let got = Targets::classes(array![0, 2, 1, 3], 3).unwrap_err();
        assert_eq!(got, Error::LabelOutOfRange { op: "targets", row: 3, label: 3, n_classes: 3 });
    }

    #[test]
    fn empty_and_not_finite_targets_are_refused() {
        assert!(matches!(Targets::values(array![]), Err(Error::Empty { .. })));
        assert!(matches!(Targets::classes(array![], 3), Err(Error::Empty { .. })));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let got = Targets::values(array![1.0, bad]).unwrap_err();
            assert_eq!(got, Error::NotFinite { op: "targets", argument: "targets", index: vec![1] });
        }
        assert!(matches!(Targets::classes(array![0], 1), Err(Error::OutOfRange { .. })));
    }

    #[test]
    fn one_class_is_named_and_counted() {
        let targets = Targets::classes(array![2, 2, 2], 5).unwrap();
        assert_eq!(targets.check_two_classes(), Err(Error::OneClass { op: "targets", class: 2, n: 3 }));
        assert_eq!(Targets::classes(array![2, 1], 5).unwrap().check_two_classes(), Ok(()));
        assert_eq!(Targets::values(array![1.0, 1.0]).unwrap().check_two_classes(), Ok(()));
    }

    #[test]
    fn select_keeps_order_and_repeats() {
        let classes = Targets::classes(array![0, 1, 2], 3).unwrap();
        assert_eq!(classes.select(&[2, 0, 2]), Targets::Classes { labels: array![2, 0, 2], n_classes: 3 });
        let values = Targets::values(array![0.5, 1.5]).unwrap();
        assert_eq!(values.select(&[1]), Targets::Values(array![1.5]));
        assert_eq!((classes.len(), classes.n_classes(), values.n_classes()), (3, Some(3), None));
    }
}
