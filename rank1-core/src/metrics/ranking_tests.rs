//! Tests of the ranking metrics: hand values, refusals and identities.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use proptest::prelude::*;

use super::*;

#[test]
fn hand_values_with_a_tie() {
    // Positives score 3 and 2, negatives 2 and 1: pairs 1 + 1 + 1/2 + 1 of 4.
    let (scores, positive) = (array![3.0, 2.0, 2.0, 1.0], array![true, true, false, false]);
    assert_relative_eq!(auroc(scores.view(), positive.view()).unwrap(), 3.5 / 4.0);
    // Steps: (tp 1, fp 0), (tp 2, fp 1), (tp 2, fp 2).
    let ap = average_precision(scores.view(), positive.view()).unwrap();
    assert_relative_eq!(ap, 0.5 + 0.5 * 2.0 / 3.0);
    let trapezoid = auc_pr_trapezoid(scores.view(), positive.view()).unwrap();
    assert_relative_eq!(trapezoid, 0.5 * (1.0 + 2.0 / 3.0) / 2.0 + 0.5);
    assert_relative_eq!(fpr95(scores.view(), positive.view()).unwrap(), 0.5);
    assert_relative_eq!(fpr_at_tpr(scores.view(), positive.view(), 0.5).unwrap(), 0.0);
}

#[test]
fn curves_keep_every_distinct_score() {
    let (scores, positive) = (array![0.1, 0.4, 0.35, 0.8], array![false, false, true, true]);
    let roc = roc_curve(scores.view(), positive.view()).unwrap();
    assert_eq!(roc.fpr, vec![0.0, 0.0, 0.5, 0.5, 1.0]);
    assert_eq!(roc.tpr, vec![0.0, 0.5, 0.5, 1.0, 1.0]);
    assert_eq!(roc.thresholds, vec![f64::INFINITY, 0.8, 0.4, 0.35, 0.1]);
    let pr = precision_recall_curve(scores.view(), positive.view()).unwrap();
    assert_eq!(pr.precision, vec![0.5, 2.0 / 3.0, 0.5, 1.0, 1.0]);
    assert_eq!(pr.recall, vec![1.0, 1.0, 0.5, 0.5, 0.0]);
    assert_eq!(pr.thresholds, vec![0.1, 0.35, 0.4, 0.8]);
}

#[test]
fn equal_scores_give_one_half_and_the_base_rate() {
    let (scores, positive) = (Array1::from_elem(5, 0.5), array![false, true, false, true, true]);
    assert_eq!(auroc(scores.view(), positive.view()), Ok(0.5));
    assert_relative_eq!(average_precision(scores.view(), positive.view()).unwrap(), 0.6);
    assert_eq!(fpr95(scores.view(), positive.view()), Ok(1.0));
}

#[test]
fn bad_input_is_refused() {
    let scores = array![0.5, 0.7];
    let got = auroc(scores.view(), array![true, true].view());
    assert_eq!(got, Err(Error::OneClass { op: "auroc", class: 1, n: 2 }));
    let got = auroc(array![0.5, f64::NAN].view(), array![true, false].view());
    assert_eq!(got, Err(Error::NotFinite { op: "auroc", argument: "scores", index: vec![1] }));
    assert!(matches!(auroc(scores.view(), array![true].view()), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(auroc(array![].view(), array![].view()), Err(Error::Empty { .. })));
    let got = fpr_at_tpr(scores.view(), array![true, false].view(), 0.0);
    assert!(matches!(got, Err(Error::OutOfRange { .. })));
}

#[test]
fn infinite_scores_rank_at_the_ends() {
    let scores = array![f64::NEG_INFINITY, 0.0, f64::INFINITY];
    assert_eq!(auroc(scores.view(), array![false, false, true].view()), Ok(1.0));
}

/// Few distinct scores, so that ties happen; both classes present.
fn ranked() -> impl Strategy<Value = (Array1<f64>, Array1<bool>)> {
    prop::collection::vec((0..12_i32, any::<bool>()), 0..40).prop_map(|mut pairs| {
        pairs.extend([(3, true), (5, false)]);
        let scores = pairs.iter().map(|(s, _)| f64::from(*s) / 4.0 - 1.0).collect();
        (scores, pairs.iter().map(|(_, p)| *p).collect())
    })
}

proptest! {
    #[test]
    fn areas_do_not_change_under_increasing_maps((scores, positive) in ranked()) {
        let mapped = scores.mapv(|v| 7.0 * (2.0 * v).exp() - 3.0);
        for metric in [auroc, average_precision, auc_pr_trapezoid, fpr95] {
            prop_assert_eq!(metric(scores.view(), positive.view()), metric(mapped.view(), positive.view()));
        }
    }

    #[test]
    fn auroc_is_the_count_over_all_pairs((scores, positive) in ranked()) {
        let (mut wins, mut pairs) = (0.0, 0.0);
        for (s, _) in scores.iter().zip(&positive).filter(|(_, p)| **p) {
            for (t, _) in scores.iter().zip(&positive).filter(|(_, p)| !**p) {
                pairs += 1.0;
                wins += if s > t { 1.0 } else if s == t { 0.5 } else { 0.0 };
            }
        }
        prop_assert!((auroc(scores.view(), positive.view()).unwrap() - wins / pairs).abs() < 1e-12);
    }

    #[test]
    fn auroc_is_the_trapezoid_of_its_curve((scores, positive) in ranked()) {
        let roc = roc_curve(scores.view(), positive.view()).unwrap();
        let area: f64 = (1..roc.fpr.len())
            .map(|i| (roc.fpr[i] - roc.fpr[i - 1]) * 0.5 * (roc.tpr[i] + roc.tpr[i - 1]))
            .sum();
        prop_assert!((auroc(scores.view(), positive.view()).unwrap() - area).abs() < 1e-12);
    }

    #[test]
    fn swapping_classes_and_signs_keeps_auroc((scores, positive) in ranked()) {
        let swapped = auroc((-&scores).view(), positive.mapv(|p| !p).view()).unwrap();
        prop_assert!((auroc(scores.view(), positive.view()).unwrap() - swapped).abs() < 1e-12);
    }
}
