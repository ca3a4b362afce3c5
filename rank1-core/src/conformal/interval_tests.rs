//! Conformal intervals by hand, nested in coverage, in any unit.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, array};
use proptest::prelude::*;

use super::*;
use crate::conformal::threshold;

#[test]
fn scores_and_ends_match_hand_values() {
    let (mean, scale, y) = (array![1.0, 2.0], array![2.0, 0.5], array![4.0, 1.0]);
    assert_eq!(absolute_scores(mean.view(), y.view()).unwrap(), array![3.0, 1.0]);
    assert_eq!(normalized_scores(mean.view(), scale.view(), y.view()).unwrap(), array![1.5, 2.0]);
    let wide = Interval { lower: array![0.0, 0.0], upper: array![3.0, 3.0] };
    assert_eq!(cqr_scores(&wide, y.view()).unwrap(), array![1.0, -1.0]);
    let found = normalized_interval(mean.view(), scale.view(), 2.0).unwrap();
    assert_eq!(found, Interval { lower: array![-3.0, 1.0], upper: array![5.0, 3.0] });
    let found = absolute_interval(mean.view(), f64::INFINITY).unwrap();
    assert!(
        found.lower.iter().all(|v| *v == f64::NEG_INFINITY)
            && found.upper.iter().all(|v| *v == f64::INFINITY)
    );
    assert_eq!(summarize_intervals(&found).unwrap().mean_width, f64::INFINITY);
}

#[test]
fn a_negative_threshold_may_leave_nothing() {
    let wide = Interval { lower: array![0.0, 0.0], upper: array![1.0, 4.0] };
    let found = cqr_interval(&wide, -1.0).unwrap();
    assert_eq!(found, Interval { lower: array![1.0, 1.0], upper: array![0.0, 3.0] });
    assert_eq!(summarize_intervals(&found).unwrap(), IntervalSummary { mean_width: 1.0, n_empty: 1 });
}

#[test]
fn bad_input_is_refused() {
    let (one, two) = (array![1.0], array![1.0, 2.0]);
    assert!(matches!(absolute_scores(one.view(), array![].view()), Err(Error::Empty { .. })));
    assert!(matches!(absolute_scores(one.view(), two.view()), Err(Error::ShapeMismatch { .. })));
    let got = absolute_scores(array![f64::NAN].view(), one.view());
    assert!(matches!(got, Err(Error::NotFinite { argument: "mean", .. })));
    for scale in [0.0, -1.0] {
        let got = normalized_scores(one.view(), array![scale].view(), one.view());
        assert!(matches!(got, Err(Error::OutOfRange { argument: "scale", .. })));
    }
    assert!(matches!(absolute_interval(one.view(), -0.5), Err(Error::OutOfRange { .. })));
    assert!(matches!(normalized_interval(one.view(), one.view(), f64::NAN), Err(Error::OutOfRange { .. })));
    let interval = Interval { lower: one.clone(), upper: two };
    assert!(cqr_scores(&interval, one.view()).is_err() && cqr_interval(&interval, 1.0).is_err());
    assert!(summarize_intervals(&interval).is_err());
}

proptest! {
    #[test]
    fn intervals_are_nested_in_coverage_and_follow_the_unit(
        rows in prop::collection::vec((-5.0..5.0_f64, 0.1..3.0_f64, -5.0..5.0_f64), 1..30),
        low in 0.05..0.9_f64,
        unit in 0.1..10.0_f64,
    ) {
        let column = |f: fn(&(f64, f64, f64)) -> f64| rows.iter().map(f).collect::<Array1<f64>>();
        let (mean, scale, y) = (column(|r| r.0), column(|r| r.1), column(|r| r.2));
        let at = |coverage: f64, unit: f64| {
            let (mean, scale, y) = (&mean * unit, &scale * unit, &y * unit);
            let scores = normalized_scores(mean.view(), scale.view(), y.view()).unwrap();
            let q = threshold(scores.view(), coverage).unwrap();
            normalized_interval(mean.view(), scale.view(), q).unwrap()
        };
        let (narrow, wide) = (at(low, 1.0), at(0.5 * (low + 0.99), 1.0));
        prop_assert!(narrow.lower.iter().zip(&wide.lower).all(|(n, w)| w <= n));
        prop_assert!(narrow.upper.iter().zip(&wide.upper).all(|(n, w)| n <= w));
        for (one, other) in at(low, unit).upper.iter().zip(&narrow.upper) {
            prop_assert!(one == &f64::INFINITY && other == one || (one - other * unit).abs() < 1e-9);
        }
    }
}
