//! Sets of classes whose scores are at most their thresholds, and what is said of many of them.
//!
//! Not for the scores; see [`super::ClassScore`].

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::Error;
use crate::metrics::checks;

/// What is said of many sets.
#[derive(Debug, Clone, PartialEq)]
pub struct SetSummary {
    /// Share of rows whose label is in their set.
    pub coverage: f64,
    /// Mean number of classes in a set.
    pub mean_size: f64,
    /// Sets without any class.
    pub n_empty: usize,
    /// `[C]` share of the rows of each class whose label is in their set; none of a class without rows.
    pub class_coverage: Vec<Option<f64>>,
}

/// Which classes are in the set of each row: those whose score is at most the threshold; equal counts.
///
/// # Shapes
/// `scores` `[N, C]`; `thresholds` of one entry for all classes, or `[C]`; returns `[N, C]`.
///
/// # Errors
/// [`Error::Empty`]; [`Error::ShapeMismatch`] for another number of thresholds; [`Error::NotFinite`] for a threshold that is NaN.
///
/// # Source
/// Definition. An infinite threshold puts a class into every set; an empty set stays empty.
pub fn prediction_sets(
    scores: ArrayView2<'_, f64>,
    thresholds: ArrayView1<'_, f64>,
) -> Result<Array2<bool>, Error> {
    const OP: &str = "prediction_sets";
    if scores.is_empty() {
        return Err(Error::Empty { op: OP, argument: "scores" });
    }
    if thresholds.len() != 1 {
        checks::same_len(OP, "thresholds", scores.ncols(), thresholds.len())?;
    }
    if let Some(class) = thresholds.iter().position(|threshold| threshold.is_nan()) {
        return Err(Error::NotFinite { op: OP, argument: "thresholds", index: vec![class] });
    }
    let of = |class: usize| thresholds[if thresholds.len() == 1 { 0 } else { class }];
    Ok(Array2::from_shape_fn(scores.dim(), |(row, class)| scores[[row, class]] <= of(class)))
}

/// Coverage and size of sets.
///
/// # Shapes
/// `sets` `[N, C]`, `labels` `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`].
pub fn summarize_sets(
    sets: ArrayView2<'_, bool>,
    labels: ArrayView1<'_, usize>,
) -> Result<SetSummary, Error> {
    const OP: &str = "summarize_sets";
    if sets.is_empty() {
        return Err(Error::Empty { op: OP, argument: "sets" });
    }
    checks::labels(OP, labels, sets.nrows(), sets.ncols())?;
    let mut of_class = vec![(0_usize, 0_usize); sets.ncols()];
    let (mut covered, mut members, mut n_empty) = (0_usize, 0_usize, 0);
    for (set, &label) in sets.rows().into_iter().zip(labels) {
        let size = set.iter().filter(|is_in| **is_in).count();
        members += size;
        n_empty += usize::from(size == 0);
        covered += usize::from(set[label]);
        of_class[label].0 += usize::from(set[label]);
        of_class[label].1 += 1;
    }
    let n = sets.nrows() as f64;
    let share = |(covered, rows): (usize, usize)| (rows > 0).then(|| covered as f64 / rows as f64);
    Ok(SetSummary {
        coverage: covered as f64 / n,
        mean_size: members as f64 / n,
        n_empty,
        class_coverage: of_class.into_iter().map(share).collect(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, array};
    use proptest::prelude::*;

    use super::*;
    use crate::conformal::{ClassScore, class_thresholds, label_scores, threshold};
    use crate::numeric::softmax;

    #[test]
    fn sets_and_their_summary_match_hand_values() {
        let scores = array![[0.5, 0.7, 0.2], [0.9, 0.8, 0.95]];
        let sets = prediction_sets(scores.view(), array![0.7].view()).unwrap();
        assert_eq!(sets, array![[true, true, true], [false, false, false]]);
        let sets = prediction_sets(scores.view(), array![0.5, 0.1, f64::INFINITY].view()).unwrap();
        assert_eq!(sets, array![[true, false, true], [false, false, true]]);
        let found = summarize_sets(sets.view(), array![0, 1].view()).unwrap();
        assert_eq!((found.coverage, found.mean_size, found.n_empty), (0.5, 1.5, 0));
        assert_eq!(found.class_coverage, [Some(1.0), Some(0.0), None]);
    }

    #[test]
    fn bad_input_is_refused() {
        let scores = array![[0.5, 0.7]];
        let sets = |thresholds: Array1<f64>| prediction_sets(scores.view(), thresholds.view());
        assert!(matches!(sets(array![0.1, 0.2, 0.3]), Err(Error::ShapeMismatch { .. })));
        assert!(
            matches!(sets(array![0.1, f64::NAN]), Err(Error::NotFinite { ref index, .. }) if *index == [1])
        );
        let empty = Array2::<f64>::zeros((0, 2));
        assert!(matches!(prediction_sets(empty.view(), array![0.1].view()), Err(Error::Empty { .. })));
        let got = summarize_sets(array![[true, false]].view(), array![2].view());
        assert!(matches!(got, Err(Error::LabelOutOfRange { .. })));
    }

    proptest! {
        #[test]
        fn sets_grow_with_coverage_and_hold_the_classes_before(
            logits in prop::collection::vec(prop::array::uniform4(-3.0..3.0_f64), 1..25),
            seed in any::<u64>(),
            low in 0.05..0.9_f64,
            penalty in 0.0..0.5_f64,
        ) {
            let n = logits.len();
            let rows: Vec<f64> = logits.iter().flat_map(|row| softmax(ndarray::aview1(row))).collect();
            let probs = Array2::from_shape_vec((n, 4), rows).unwrap();
            let labels = Array1::from_shape_fn(n, |i| (seed.rotate_left(7 * i as u32) % 4) as usize);
            for score in [ClassScore::Lac, ClassScore::Aps, ClassScore::Raps { penalty, free: 1 }] {
                let scores = score.of_classes(probs.view(), None).unwrap();
                let own = label_scores(scores.view(), labels.view()).unwrap();
                let at = |coverage: f64| {
                    let q = threshold(own.view(), coverage).unwrap();
                    prediction_sets(scores.view(), array![q].view()).unwrap()
                };
                let (small, large) = (at(low), at(0.5 * (low + 0.99)));
                prop_assert!(small.iter().zip(&large).all(|(s, l)| !s || *l), "{score:?}");
                // Whatever is more probable than a class of the set is in it.
                for (set, p) in small.rows().into_iter().zip(probs.rows()) {
                    for (a, b) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
                        prop_assert!(!(set[b] && p[a] > p[b]) || set[a], "{score:?}");
                    }
                }
                let by_class = class_thresholds(own.view(), labels.view(), 4, low).unwrap();
                let sets = prediction_sets(scores.view(), by_class.thresholds.view()).unwrap();
                let covered = summarize_sets(sets.view(), labels.view()).unwrap();
                // On its own rows a class is covered by at least its rank.
                for (class, share) in covered.class_coverage.iter().enumerate() {
                    let least = by_class.ranks[class].min(by_class.counts[class]) as f64 / by_class.counts[class].max(1) as f64;
                    prop_assert!(share.unwrap_or(1.0) >= least - 1e-12);
                }
            }
        }
    }
}
