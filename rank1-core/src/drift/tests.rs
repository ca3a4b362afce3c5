//! Values by hand, and how often two samples of one distribution raise an alarm.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use proptest::prelude::*;

use super::*;
use crate::noise::NoiseStream;

fn normal(seed: u64, n: usize) -> Array1<f64> {
    let mut out = vec![0.0_f32; n];
    NoiseStream::new(seed, 0, 0).fill_normal(Default::default(), &mut out);
    out.into_iter().map(f64::from).collect()
}

#[test]
fn distances_of_small_samples_are_those_by_hand() {
    let reference = NumberReference::of(array![1.0, 2.0, 2.0, 5.0].view()).unwrap();
    let at = |sample: Array1<f64>| reference.compare(sample.view()).unwrap().distance;
    assert_eq!(at(array![5.0, 2.0, 1.0, 2.0]), 0.0);
    assert_eq!(at(array![2.0]), 0.25);
    assert_eq!(at(array![0.0]), 1.0);
    assert_eq!(at(array![9.0, 1.0]), 0.5);
    assert_eq!([0.9, 1.0, 5.0, 5.1].map(|v| reference.is_outside(v)), [true, false, false, true]);
    assert_eq!([0.2, 0.25, 0.3, 1.0].map(|s| reference.quantile(s)), [1.0, 1.0, 2.0, 5.0]);
}

#[test]
fn probabilities_are_those_of_the_series_and_of_the_chi_square() {
    let reference = NumberReference::of(Array1::range(0.0, 100.0, 1.0).view()).unwrap();
    let moved = reference.compare(Array1::range(20.0, 120.0, 1.0).view()).unwrap();
    assert_relative_eq!(moved.distance, 0.2, epsilon = 1e-12);
    // The series at (sqrt(50) + 0.12 + 0.11 / sqrt(50)) * 0.2, summed in Python.
    assert_relative_eq!(moved.p_value, 0.03137665215307253, max_relative = 1e-12);
    let levels = LevelReference::of(vec![10, 20, 30]).unwrap();
    let found = levels.compare(&[30, 20, 10]).unwrap();
    assert_relative_eq!(found.distance, 1.0 / 3.0, epsilon = 1e-12);
    // Statistic 20, two degrees of freedom: exp(-10).
    assert_relative_eq!(found.p_value, (-10.0_f64).exp(), max_relative = 1e-10);
}

#[test]
fn samples_of_one_distribution_raise_few_alarms_and_others_many() {
    let reference = NumberReference::of(normal(1, 5_000).view()).unwrap();
    let alarms = |scale: f64| {
        let one = |seed| reference.compare((normal(seed, 400) * scale).view()).unwrap().p_value < 0.05;
        (2..202).filter(|&seed| one(seed)).count()
    };
    // 200 draws of at most 5 %: more than 22 have probability 0.0003.
    let (same, wider) = (alarms(1.0), alarms(1.6));
    assert!(same <= 22, "{same}");
    assert!(wider > 190, "{wider}");
}

#[test]
fn quantiles_of_many_values_move_a_distance_little() {
    let (many, other) = (normal(3, 30_000), normal(4, 1_000) * 1.2);
    let reference = NumberReference::of(many.view()).unwrap();
    let exact = {
        let whole = NumberReference::of(other.view()).unwrap();
        whole.compare(many.view()).unwrap().distance
    };
    assert!((reference.compare(other.view()).unwrap().distance - exact).abs() < 1.0 / 2_000.0);
    assert_eq!(reference.n(), 30_000);
}

#[test]
fn levels_that_were_never_seen_are_told() {
    let levels = LevelReference::of(vec![100, 0, 50]).unwrap();
    assert_eq!([0, 1, 2, 3].map(|level| levels.is_unseen(level)), [false, true, false, true]);
    assert!(levels.compare(&[50, 40, 20]).unwrap().p_value < 1e-6);
    assert_eq!(levels.compare(&[200, 0, 100]).unwrap().distance, 0.0);
    assert!(levels.compare(&[1, 2]).is_err() && levels.compare(&[0, 0, 0]).is_err());
    assert!(LevelReference::of(vec![0, 0]).is_err());
}

#[test]
fn holm_multiplies_the_smallest_by_their_number_and_keeps_the_order() {
    assert_eq!(holm(&[0.04, 0.01, 0.03]), [0.06, 0.03, 0.06]);
    assert_eq!(holm(&[0.5, 0.9]), [1.0, 1.0]);
    assert!(holm(&[]).is_empty());
}

proptest! {
    #[test]
    fn a_distance_does_not_depend_on_unit_or_order(
        mut sample in prop::collection::vec(-50_i32..50, 1..40),
        other in prop::collection::vec(-50_i32..50, 1..40),
        scale in 0.1_f64..10.0,
    ) {
        let to = |values: &[i32], scale: f64| values.iter().map(|&v| f64::from(v) * scale).collect::<Array1<f64>>();
        let at = |sample: &[i32], scale| {
            NumberReference::of(to(&other, scale).view()).unwrap().compare(to(sample, scale).view()).unwrap()
        };
        let before = at(&sample, 1.0);
        sample.reverse();
        prop_assert!((before.distance - at(&sample, scale).distance).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&before.distance) && (0.0..=1.0).contains(&before.p_value));
    }
}
