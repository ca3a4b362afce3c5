//! Tests of the class predictive: hand values, identities, refusals.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array3, Array4, Slice, array};
use proptest::prelude::*;

use super::*;
use crate::metrics;

#[test]
fn one_draw_is_its_softmax() {
    let logits = Array4::from_shape_vec((1, 1, 1, 3), vec![0.0, 2.0_f64.ln(), 5.0_f64.ln()]).unwrap();
    let got = ClassPredictive::from_logits(logits.view()).unwrap();
    for (value, expected) in got.probs().iter().zip([0.125, 0.25, 0.625]) {
        assert_relative_eq!(*value, expected, max_relative = 1e-14);
    }
    assert_eq!(got.log_probs, got.mean_log_probs);
}

#[test]
fn probabilities_are_averaged_not_logits() {
    // One member is certain of class 0, the other gives it one third; logits of 800 must not overflow.
    let logits = Array4::from_shape_vec((1, 2, 1, 2), vec![800.0, 0.0, 0.0, 2.0_f64.ln()]).unwrap();
    let got = ClassPredictive::from_logits(logits.view()).unwrap();
    assert_relative_eq!(got.probs()[[0, 0]], (1.0 + 1.0 / 3.0) / 2.0, max_relative = 1e-14);
    assert_relative_eq!(got.mean_log_probs[[0, 1]], (-800.0 + (2.0_f64 / 3.0).ln()) / 2.0);
    assert_relative_eq!(got.member_log_probs[[0, 0, 1]], -800.0);
}

#[test]
fn bernoulli_logits_are_two_classes() {
    let logits = Array4::from_shape_vec((1, 1, 3, 1), vec![3.0_f64.ln(), 0.0, -900.0]).unwrap();
    let got = ClassPredictive::from_bernoulli_logits(logits.view()).unwrap();
    assert_relative_eq!(got.probs()[[0, 1]], 0.75, max_relative = 1e-14);
    assert_relative_eq!(got.probs()[[1, 0]], 0.5, max_relative = 1e-14);
    assert_relative_eq!(got.log_probs[[2, 1]], -900.0, max_relative = 1e-14);
    assert_eq!(got.n_classes(), 2);
}

#[test]
fn impossible_classes_stay_impossible() {
    let mut sum = PredictiveAccumulator::new(1, 1, 2).unwrap();
    let certain = Array3::from_shape_vec((1, 1, 2), vec![0.0, f64::NEG_INFINITY]).unwrap();
    sum.add_log_probs(certain.view()).unwrap();
    sum.add_log_probs(certain.view()).unwrap();
    let got = sum.predictive().unwrap();
    assert_eq!(got.log_probs, array![[0.0, f64::NEG_INFINITY]]);
    assert_eq!(got.expected_entropy, array![0.0]);
}

#[test]
fn chunks_of_examples_concatenate() {
    let logits =
        Array4::from_shape_fn((2, 3, 5, 7), |(s, k, n, c)| ((s + 2 * k + 3 * n) * (c + 1)) as f64 % 5.0);
    let whole = ClassPredictive::from_logits(logits.view()).unwrap();
    let parts = [
        ClassPredictive::from_logits(logits.slice_axis(Axis(2), Slice::from(..2))).unwrap(),
        ClassPredictive::from_logits(logits.slice_axis(Axis(2), Slice::from(2..))).unwrap(),
    ];
    assert_eq!(ClassPredictive::concatenate(&parts), Ok(whole));
    let fewer = ClassPredictive::from_logits(logits.slice_axis(Axis(0), Slice::from(..1))).unwrap();
    let [first, _] = parts;
    assert!(matches!(ClassPredictive::concatenate(&[first, fewer]), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(ClassPredictive::concatenate(&[]), Err(Error::Empty { .. })));
}

#[test]
fn bad_samples_are_refused_and_leave_no_trace() {
    let mut sum = PredictiveAccumulator::new(3, 5, 7).unwrap();
    assert!(matches!(sum.predictive(), Err(Error::Empty { argument: "samples", .. })));
    let fine = Array3::<f32>::zeros((3, 5, 7));
    sum.add_logits(fine.view()).unwrap();
    let before = sum.predictive().unwrap();
    let mut bad = fine.clone();
    bad[[1, 4, 6]] = f32::NAN;
    let got = sum.add_logits(bad.view());
    assert!(matches!(got, Err(Error::NotFinite { ref index, .. }) if *index == vec![1, 4, 6]));
    assert!(matches!(
        sum.add_logits(Array3::<f32>::zeros((3, 5, 1)).view()),
        Err(Error::ShapeMismatch { .. })
    ));
    assert!(sum.add_bernoulli_logits(Array3::<f32>::zeros((3, 5, 1)).view()).is_err());
    let impossible = Array3::from_elem((3, 5, 7), f64::NEG_INFINITY);
    assert!(matches!(sum.add_log_probs(impossible.view()), Err(Error::OutOfRange { .. })));
    assert_eq!(sum.predictive(), Ok(before));
    assert!(matches!(PredictiveAccumulator::new(0, 1, 1), Err(Error::Empty { .. })));
}

fn logits(dims: (usize, usize, usize, usize)) -> impl Strategy<Value = Array4<f64>> {
    let n = dims.0 * dims.1 * dims.2 * dims.3;
    prop::collection::vec(-30.0..30.0_f64, n).prop_map(move |v| Array4::from_shape_vec(dims, v).unwrap())
}

proptest! {
    #[test]
    fn mixture_nll_is_at_most_gibbs_nll(logits in logits((2, 3, 5, 7)), label in 0..7_usize) {
        let got = ClassPredictive::from_logits(logits.view()).unwrap();
        let labels = Array1::from_elem(5, label);
        let mixture = metrics::nll(got.log_probs.view(), labels.view()).unwrap();
        let members = metrics::gibbs_nll(got.member_log_probs.view(), labels.view()).unwrap();
        let draws = metrics::gibbs_nll_of_predictive(&got, labels.view()).unwrap();
        prop_assert!(mixture <= members + 1e-12 && members <= draws + 1e-12);
    }

    #[test]
    fn rows_sum_to_one_and_shifts_cancel(logits in logits((3, 1, 2, 5)), shift in -500.0..500.0_f64) {
        let got = ClassPredictive::from_logits(logits.view()).unwrap();
        let shifted = ClassPredictive::from_logits((&logits + shift).view()).unwrap();
        for (a, b) in got.log_probs.iter().zip(&shifted.log_probs) {
            prop_assert!((a - b).abs() < 1e-10);
        }
        for row in got.probs().rows() {
            prop_assert!((row.sum() - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn samples_and_members_are_exchangeable_in_the_mixture(logits in logits((2, 3, 1, 4))) {
        let swapped = logits.view().permuted_axes([1, 0, 2, 3]);
        let a = ClassPredictive::from_logits(logits.view()).unwrap();
        let b = ClassPredictive::from_logits(swapped).unwrap();
        for (x, y) in a.log_probs.iter().zip(&b.log_probs) {
            prop_assert!((x - y).abs() < 1e-12);
        }
    }
}

#[test]
fn probabilities_of_another_program_are_taken_and_rows_that_are_none_refused() {
    let logits = array![[[[1.0_f32, 0.0, -1.0], [0.5, 2.0, 0.0]]], [[[0.0, 0.0, 3.0], [1.0, 1.0, 1.0]]]];
    let expected = ClassPredictive::from_logits(logits.view()).unwrap();
    let mut probs = logits.mapv(f64::from);
    for mut row in probs.rows_mut() {
        row.mapv_inplace(f64::exp);
        let sum = row.sum();
        row /= sum;
    }
    for got in [
        ClassPredictive::from_probs(probs.view()).unwrap(),
        ClassPredictive::from_log_probs(probs.mapv(f64::ln).view()).unwrap(),
    ] {
        assert!((&got.log_probs - &expected.log_probs).iter().all(|d| d.abs() < 1e-7));
        assert!((&got.expected_entropy - &expected.expected_entropy).iter().all(|d| d.abs() < 1e-7));
    }
    probs[[1, 0, 1, 2]] += 0.4;
    let got = ClassPredictive::from_probs(probs.view()).unwrap_err();
    assert!(matches!(got, Error::NotNormalized { row: 3, .. }), "{got}");
    probs[[1, 0, 1, 2]] = -0.1;
    let got = ClassPredictive::from_probs(probs.view()).unwrap_err();
    assert!(matches!(got, Error::OutOfRange { argument: "probs", .. }), "{got}");
}

#[test]
fn scores_are_those_of_the_metrics() {
    let certain = array![[[[1.0_f32, 0.0], [0.25, 0.75]]]];
    let scores = ClassPredictive::from_probs(certain.view()).unwrap().scores(array![0, 0].view()).unwrap();
    assert_eq!((scores.accuracy, scores.brier), (0.5, 0.5625));
    assert!((scores.nll - 4.0_f64.ln() / 2.0).abs() < 1e-12 && (scores.ece - 0.375).abs() < 1e-12);
}
