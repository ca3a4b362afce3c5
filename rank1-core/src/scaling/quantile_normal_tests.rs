//! Quantiles to a normal: by hand, at ties and ends, and what is refused.

use approx::assert_relative_eq;
use proptest::prelude::*;

use super::*;
use crate::numeric::normal_cdf;

#[test]
fn quantiles_are_interpolated_order_statistics() {
    let fitted = QuantileNormal::fit(&[4.0, 0.0, 1.0, 3.0, 2.0, 10.0], None, 3).unwrap();
    assert_eq!(fitted.quantiles, [0.0, 2.5, 10.0]);
    assert_eq!(fitted.apply(2.5), 0.0);
    // Half of the way from the second quantile to the last.
    assert_relative_eq!(fitted.apply(6.25), 0.674_489_750_196_081_7, max_relative = 1e-13);
    assert_relative_eq!(normal_cdf(fitted.apply(0.5)), 0.1, max_relative = 1e-13);
}

#[test]
fn the_ends_are_those_of_the_published_probability() {
    let least = 1e-7 - f64::EPSILON;
    for (end, level) in ENDS.into_iter().zip([least, 1.0 - least]) {
        assert_relative_eq!(end, normal_quantile(level), max_relative = 1e-11);
    }
}

#[test]
fn ends_are_cut_off_and_the_lower_one_wins() {
    let fitted = QuantileNormal::fit(&[0.0, 1.0, 2.0], None, 10).unwrap();
    assert_eq!(fitted.quantiles.len(), 3);
    for (value, expected) in [
        (-1e9, -5.199_337_582_605_575),
        (0.9e-7, -5.199_337_582_605_575),
        (2.0, 5.199_337_582_703_42),
        (1e300, 5.199_337_582_703_42),
    ] {
        assert_relative_eq!(fitted.apply(value), expected, max_relative = 1e-11);
    }
    assert!(fitted.apply(f64::NAN).is_nan());
}

#[test]
fn repeated_values_get_the_middle_of_their_references() {
    // Of nine values five are 1: quantiles 2 to 6 of nine.
    let values = [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0];
    let fitted = QuantileNormal::fit(&values, None, 9).unwrap();
    assert_eq!(fitted.quantiles, values);
    assert_eq!(fitted.apply(1.0), 0.0);
    assert_relative_eq!(normal_cdf(fitted.apply(1.0 + 1e-12)), 0.75, max_relative = 1e-3);
}

#[test]
fn a_constant_column_becomes_zero_and_the_published_formula_does_not() {
    let noise = [1e-5, -1e-5, 3e-6];
    let fitted = QuantileNormal::fit(&[2.5; 3], Some(&noise), 10).unwrap();
    assert_eq!(fitted.quantiles, [2.5; 3]);
    assert_eq!([fitted.apply(2.5), fitted.apply(7.0)], [0.0, 0.0]);
    assert!(fitted.apply_published(2.5) < -5.19 && fitted.apply_published(2.6) > 5.19);
    let one = QuantileNormal::fit(&[1.0], None, 10).unwrap();
    assert_eq!((one.quantiles.len(), one.apply(1.0)), (1, 0.0));
}

#[test]
fn noise_is_added_only_while_quantiles_are_learned() {
    let fitted = QuantileNormal::fit(&[0.0, 1.0], Some(&[0.25, 0.5]), 2).unwrap();
    assert_eq!(fitted.quantiles, [0.25, 1.5]);
    assert_relative_eq!(normal_cdf(fitted.apply(1.0)), 0.6, max_relative = 1e-13);
}

#[test]
fn what_has_no_quantiles_is_refused() {
    assert!(matches!(QuantileNormal::fit(&[], None, 3), Err(Error::Empty { .. })));
    assert!(matches!(QuantileNormal::fit(&[1.0], None, 0), Err(Error::OutOfRange { .. })));
    let got = QuantileNormal::fit(&[1.0, f64::NAN], None, 3);
    assert!(matches!(got, Err(Error::NotFinite { ref index, .. }) if *index == [1]), "{got:?}");
    assert!(matches!(QuantileNormal::fit(&[1.0, 2.0], Some(&[0.0]), 3), Err(Error::ShapeMismatch { .. })));
}

proptest! {
    #[test]
    fn results_rise_with_values_and_stay_in_range(
        mut values in prop::collection::vec(-50_i32..50, 2..80),
        n_quantiles in 2_usize..40,
        halves in -120_i32..120,
    ) {
        let numbers: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        let fitted = QuantileNormal::fit(&numbers, None, n_quantiles).unwrap();
        prop_assert!(fitted.quantiles.is_sorted());
        values.sort_unstable();
        let at = |x: f64| fitted.apply(x);
        let x = 0.5 * f64::from(halves);
        prop_assert!(at(x) <= at(x + 0.5) && at(x).abs() <= 5.2);
    }
}
