//! Scores of classes: one minus the probability (LAC), and cumulated probabilities, plain (APS) or with a penalty (RAPS).
//!
//! Not for thresholds and sets.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1};

use crate::Error;
use crate::metrics::checks;

/// How badly a class fits a row of probabilities; sets hold the classes whose score is at most a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClassScore {
    /// `1 - p_y`: the smallest sets on average. Sets may be empty.
    ///
    /// Sadinle et al. 2019, arXiv:1609.00451 (least ambiguous classifiers).
    Lac,
    /// The probability of the classes before `y`, by falling probability, plus `u p_y`. Of equal classes the lower index comes first.
    ///
    /// Romano et al. 2020, arXiv:2006.02544, who write `1 - u`. No class is forced into a set.
    Aps,
    /// As [`ClassScore::Aps`], plus `penalty * max(0, place of y - free)`, places counted from 1.
    ///
    /// Angelopoulos et al. 2021, arXiv:2009.14193, equation 4 (lambda and k_reg). Both must be chosen without the calibration rows.
    Raps {
        /// Added for every place beyond the free ones.
        penalty: f64,
        /// Places without a penalty.
        free: usize,
    },
}

impl ClassScore {
    /// The score of every class of every row.
    ///
    /// # Shapes
    /// `probs` `[N, C]`; `u` `[N]` random numbers from 0 to 1, one for all classes of a row, or none for `u = 1`, which
    /// makes sets larger and repeatable. [`ClassScore::Lac`] has no use for them. Returns `[N, C]`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], [`Error::ShapeMismatch`]; [`Error::OutOfRange`] for an entry or `u` outside of
    /// `[0, 1]` and for a penalty that is negative or not finite; [`Error::NotNormalized`].
    ///
    /// # Numerics
    /// Probabilities are added from the largest to the smallest, so that calibration and new rows round alike.
    ///
    /// # Source
    /// As each variant says.
    pub fn of_classes(
        self,
        probs: ArrayView2<'_, f64>,
        u: Option<ArrayView1<'_, f64>>,
    ) -> Result<Array2<f64>, Error> {
        const OP: &str = "ClassScore::of_classes";
        checks::probs(OP, "probs", probs)?;
        checks::normalized(OP, "probs", probs.rows().into_iter().map(|row| row.sum()))?;
        if let Some(u) = u {
            checks::same_len(OP, "u", probs.nrows(), u.len())?;
            checks::probs(OP, "u", u)?;
        }
        let (penalty, free) = match self {
            Self::Lac => return Ok(probs.mapv(|p| 1.0 - p)),
            Self::Aps => (0.0, 0),
            Self::Raps { penalty, free } => (penalty, free),
        };
        if !(penalty >= 0.0 && penalty.is_finite()) {
            let expected = "finite and at least zero";
            return Err(Error::OutOfRange { op: OP, argument: "penalty", value: penalty, expected });
        }
        let mut scores = Array2::zeros(probs.dim());
        for (row, (probs, out)) in probs.rows().into_iter().zip(scores.rows_mut()).enumerate() {
            cumulate(probs, u.map_or(1.0, |u| u[row]), (penalty, free), out);
        }
        Ok(scores)
    }
}

/// Cumulated scores of one row.
fn cumulate(
    probs: ArrayView1<'_, f64>,
    u: f64,
    (penalty, free): (f64, usize),
    mut out: ArrayViewMut1<'_, f64>,
) {
    let mut order: Vec<usize> = (0..probs.len()).collect();
    // A stable sort keeps the lower index first among equals.
    order.sort_by(|&a, &b| probs[b].total_cmp(&probs[a]));
    let mut before = 0.0;
    for (place, class) in (1..).zip(order) {
        out[class] = before + u * probs[class] + penalty * usize::saturating_sub(place, free) as f64;
        before += probs[class];
    }
}

/// The scores at what was observed.
///
/// # Shapes
/// `scores` `[N, C]` of [`ClassScore::of_classes`], `labels` `[N]`; returns `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`].
pub fn label_scores(
    scores: ArrayView2<'_, f64>,
    labels: ArrayView1<'_, usize>,
) -> Result<Array1<f64>, Error> {
    const OP: &str = "label_scores";
    if scores.is_empty() {
        return Err(Error::Empty { op: OP, argument: "scores" });
    }
    checks::labels(OP, labels, scores.nrows(), scores.ncols())?;
    Ok(scores.rows().into_iter().zip(labels).map(|(row, &label)| row[label]).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn scores_match_hand_values_and_equals_go_by_index() {
        let probs = array![[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]];
        let of = |score: ClassScore, u: Option<&Array1<f64>>| {
            score.of_classes(probs.view(), u.map(|u| u.view())).unwrap()
        };
        assert_eq!(of(ClassScore::Lac, None), array![[0.75, 0.5, 0.75], [0.875, 0.875, 0.25]]);
        assert_eq!(of(ClassScore::Aps, None), array![[0.75, 0.5, 1.0], [0.875, 1.0, 0.75]]);
        let u = array![0.0, 0.5];
        assert_eq!(of(ClassScore::Aps, Some(&u)), array![[0.5, 0.0, 0.75], [0.8125, 0.9375, 0.375]]);
        let raps = ClassScore::Raps { penalty: 0.5, free: 1 };
        assert_eq!(of(raps, None), array![[1.25, 0.5, 2.0], [1.375, 2.0, 0.75]]);
        assert_eq!(of(ClassScore::Raps { penalty: 0.5, free: 3 }, Some(&u)), of(ClassScore::Aps, Some(&u)));
    }

    #[test]
    fn bad_input_is_refused() {
        let fine = array![[0.5, 0.5]];
        let of = |score: ClassScore, probs: &Array2<f64>, u: Option<f64>| {
            score.of_classes(probs.view(), u.map(|u| array![u]).as_ref().map(|u| u.view()))
        };
        assert!(matches!(of(ClassScore::Lac, &Array2::zeros((0, 2)), None), Err(Error::Empty { .. })));
        assert!(matches!(
            of(ClassScore::Lac, &array![[0.5, 0.4]], None),
            Err(Error::NotNormalized { row: 0, .. })
        ));
        assert!(matches!(of(ClassScore::Lac, &array![[0.5, f64::NAN]], None), Err(Error::NotFinite { .. })));
        assert!(matches!(
            of(ClassScore::Aps, &fine, Some(1.5)),
            Err(Error::OutOfRange { argument: "u", .. })
        ));
        let two = array![0.1, 0.2];
        assert!(matches!(
            ClassScore::Aps.of_classes(fine.view(), Some(two.view())),
            Err(Error::ShapeMismatch { .. })
        ));
        for penalty in [-0.1, f64::NAN, f64::INFINITY] {
            let got = of(ClassScore::Raps { penalty, free: 1 }, &fine, None);
            assert!(matches!(got, Err(Error::OutOfRange { argument: "penalty", .. })));
        }
        assert!(matches!(label_scores(fine.view(), array![2].view()), Err(Error::LabelOutOfRange { .. })));
        assert!(matches!(label_scores(fine.view(), array![0, 1].view()), Err(Error::ShapeMismatch { .. })));
    }
}
