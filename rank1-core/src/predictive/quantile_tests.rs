//! Tests of mixture quantiles: known values, tails, round trips.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;

fn column(terms: &[(f64, f64)]) -> GaussianMixturePredictive {
    let part = |f: fn(&(f64, f64)) -> f64| {
        Array2::from_shape_vec((terms.len(), 1), terms.iter().map(f).collect()).unwrap()
    };
    GaussianMixturePredictive::new(part(|t| t.0), part(|t| t.1)).unwrap()
}

#[test]
fn one_gaussian_has_the_tabled_quantiles() {
    let one = column(&[(10.0, 2.0)]);
    assert_relative_eq!(
        one.quantile(0.975).unwrap()[0],
        10.0 + 2.0 * 1.959_963_984_540_054,
        max_relative = 1e-14
    );
    assert_relative_eq!(one.quantile(0.5).unwrap()[0], 10.0, max_relative = 1e-14);
    // Far tails: z(1e-12) and z(1e-300).
    let z = column(&[(0.0, 1.0)]);
    assert_relative_eq!(z.quantile(1e-12).unwrap()[0], -7.034_483_825_301_131, max_relative = 1e-12);
    assert_relative_eq!(z.quantile(1e-300).unwrap()[0], -37.047_096_299_361_2, max_relative = 1e-12);
}

#[test]
fn a_gap_between_two_peaks_does_not_trap_the_search() {
    let mixture = column(&[(-1000.0, 0.01), (1000.0, 0.01)]);
    assert_relative_eq!(mixture.quantile(0.25).unwrap()[0], -1000.0, max_relative = 1e-12);
    assert_relative_eq!(mixture.quantile(0.75).unwrap()[0], 1000.0, max_relative = 1e-12);
    let third = mixture.quantile(0.4).unwrap()[0];
    assert_relative_eq!(mixture.cdf(array![third].view()).unwrap()[0], 0.4, max_relative = 1e-9);
}

#[test]
fn narrow_peaks_among_wide_ones_do_not_send_newton_back_and_forth() {
    let terms = [(46.9, 8.5), (9.8, 13.8), (40.6, 1.4), (21.6, 13.4), (0.0, 0.01), (13.9, 1.6), (0.0, 0.01)];
    for (level, place) in (1..1000).map(|i| f64::from(i) / 1000.0).zip((0..100).cycle()) {
        let narrow = (-32.0 - 0.02 * f64::from(place), 0.01);
        let mixture = column(&[&terms[..], &[narrow]].concat());
        let x = mixture.quantile(level).unwrap();
        assert_relative_eq!(mixture.cdf(x.view()).unwrap()[0], level, max_relative = 1e-9);
    }
}

#[test]
fn central_interval_of_a_symmetric_mixture_is_symmetric() {
    let interval = column(&[(-1.0, 0.5), (1.0, 0.5)]).central_interval(0.9).unwrap();
    assert_relative_eq!(interval.lower[0], -interval.upper[0], max_relative = 1e-12);
}

#[test]
fn levels_at_the_ends_are_refused() {
    let one = column(&[(0.0, 1.0)]);
    for level in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(one.quantile(level).is_err() && one.central_interval(level).is_err());
    }
}

proptest! {
    #[test]
    fn quantile_inverts_the_distribution_function(
        terms in prop::collection::vec((-50.0..50.0_f64, 0.01..20.0_f64), 1..9),
        level in 1e-9..1.0_f64,
    ) {
        let mixture = column(&terms);
        let x = mixture.quantile(level.min(1.0 - 1e-9)).unwrap();
        let back = mixture.cdf(x.view()).unwrap()[0];
        prop_assert!((back - level).abs() < 1e-9 * level.max(1e-3) + 1e-9, "{back} {level}");
    }

    #[test]
    fn quantiles_rise_with_the_level(
        terms in prop::collection::vec((-5.0..5.0_f64, 0.1..2.0_f64), 1..5),
        low in 0.001..0.5_f64,
        step in 0.001..0.4_f64,
    ) {
        let mixture = column(&terms);
        prop_assert!(mixture.quantile(low).unwrap()[0] < mixture.quantile(low + step).unwrap()[0]);
    }
}
