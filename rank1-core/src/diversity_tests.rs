//! Tests of the diversity measures: hand values, refusals and identities.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array3, array};
use proptest::prelude::*;

use super::*;

#[test]
fn equal_members_have_no_diversity() {
    let log_probs = Array3::from_shape_fn((3, 5, 2), |(_, n, c)| {
        let p: f64 = 0.1 + 0.15 * n as f64;
        if c == 0 { p.ln() } else { (1.0 - p).ln() }
    });
    let got = diversity(log_probs.view(), array![0, 0, 0, 1, 1].view()).unwrap();
    assert_eq!((got.disagreement, got.normalized_disagreement), (0.0, 0.0));
    assert_eq!((got.pairwise_kl, got.symmetric_pairwise_kl), (0.0, 0.0));
    assert_relative_eq!(got.cosine_similarity, 1.0, max_relative = 1e-14);
    assert!(got.bregman_kl_variance < 1e-14);
}

#[test]
fn two_members_match_hand_values() {
    let log_probs = array![[[0.5_f64, 0.5], [0.75, 0.25]], [[0.25, 0.75], [0.75, 0.25]]].mapv(f64::ln);
    assert_relative_eq!(disagreement(log_probs.view()).unwrap(), 0.5);
    // Mean probabilities (0.375, 0.625) and (0.75, 0.25): with labels 0, 0 one of two is wrong.
    let normalized = normalized_disagreement(log_probs.view(), array![0, 0].view()).unwrap();
    assert_relative_eq!(normalized, 0.5 / (0.5 + 1e-7), max_relative = 1e-14);
    let forward = 0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln();
    let backward = 0.25 * 0.5_f64.ln() + 0.75 * 1.5_f64.ln();
    assert_relative_eq!(pairwise_kl(log_probs.view()).unwrap(), forward / 2.0, max_relative = 1e-14);
    let symmetric = symmetric_pairwise_kl(log_probs.view()).unwrap();
    assert_relative_eq!(symmetric, (forward + backward) / 4.0, max_relative = 1e-14);
    // Rows: 0.5 / sqrt(0.5 * 0.625), and 1.
    let cosine = (0.5 / 0.3125_f64.sqrt() + 1.0) / 2.0;
    assert_relative_eq!(cosine_similarity(log_probs.view()).unwrap(), cosine, max_relative = 1e-14);
    let bregman = -(0.125_f64.sqrt() + 0.375_f64.sqrt()).ln() / 2.0;
    assert_relative_eq!(bregman_kl_variance(log_probs.view()).unwrap(), bregman, max_relative = 1e-12);
}

#[test]
fn classes_of_probability_zero_are_handled() {
    let both = array![[[1.0_f64, 0.0]], [[1.0, 0.0]]].mapv(f64::ln);
    assert_eq!(pairwise_kl(both.view()), Ok(0.0));
    let contradicting = array![[[1.0_f64, 0.0]], [[0.0, 1.0]]].mapv(f64::ln);
    assert_eq!(pairwise_kl(contradicting.view()), Ok(f64::INFINITY));
    assert!(matches!(bregman_kl_variance(contradicting.view()), Err(Error::Undefined { .. })));
}

#[test]
fn one_member_and_bad_entries_are_refused() {
    let one = Array3::from_elem((1, 2, 2), 0.5_f64.ln());
    let got = disagreement(one.view());
    let expected = "at least 2";
    assert_eq!(
        got,
        Err(Error::OutOfRange { op: "disagreement", argument: "n_members", value: 1.0, expected })
    );
    let mut bad = Array3::from_elem((2, 2, 2), 0.5_f64.ln());
    bad[[1, 0, 1]] = f64::NAN;
    let got = cosine_similarity(bad.view());
    assert!(matches!(got, Err(Error::NotFinite { ref index, .. }) if *index == vec![1, 0, 1]));
    assert!(matches!(pairwise_kl(Array3::zeros((2, 0, 2)).view()), Err(Error::Empty { .. })));
    let fine = Array3::from_elem((2, 2, 2), 0.5_f64.ln());
    let got = normalized_disagreement(fine.view(), array![0, 2].view());
    assert!(matches!(got, Err(Error::LabelOutOfRange { row: 1, .. })));
}

proptest! {
    #[test]
    fn measures_ignore_what_they_should_and_keep_their_bounds(
        values in prop::collection::vec(-5.0..5.0_f64, 3 * 5 * 4),
    ) {
        let logits = Array3::from_shape_vec((3, 5, 4), values).unwrap();
        let rows = crate::numeric::log_softmax(logits.to_shape((15, 4)).unwrap().view());
        let log_probs = rows.to_shape((3, 5, 4)).unwrap().to_owned();
        let labels = array![0, 1, 2, 3, 0];
        let a = diversity(log_probs.view(), labels.view()).unwrap();
        let reversed = log_probs.select(ndarray::Axis(0), &[2, 1, 0]);
        let b = diversity(reversed.view(), labels.view()).unwrap();
        prop_assert!((a.symmetric_pairwise_kl - b.symmetric_pairwise_kl).abs() < 1e-12);
        prop_assert!((a.pairwise_kl + b.pairwise_kl - 2.0 * a.symmetric_pairwise_kl).abs() < 1e-12);
        prop_assert!((a.cosine_similarity - b.cosine_similarity).abs() < 1e-12);
        prop_assert_eq!(a.disagreement, b.disagreement);
        prop_assert!(a.pairwise_kl >= -1e-12 && a.bregman_kl_variance >= 0.0);
        prop_assert!((0.0..=1.0).contains(&a.disagreement));
        prop_assert!(a.cosine_similarity > 0.0 && a.cosine_similarity <= 1.0 + 1e-12);
    }
}
