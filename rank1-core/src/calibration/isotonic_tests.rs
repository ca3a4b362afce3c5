//! Isotonic regression by hand, and what makes it the nearest monotone function.
#![allow(clippy::unwrap_used)]

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use proptest::prelude::*;

use super::*;

fn fit(x: &[f64], y: &[f64]) -> Isotonic {
    Isotonic::fit(ArrayView1::from(x), ArrayView1::from(y), None, IsotonicOptions::default()).unwrap()
}

#[test]
fn violators_are_pooled_and_ties_averaged() {
    let found = fit(&[1.0, 2.0, 3.0, 4.0, 5.0], &[1.0, 3.0, 2.0, 2.0, 9.0]);
    assert_eq!(found.knots(), [1.0, 2.0, 4.0, 5.0]);
    assert_eq!(found.values(), [1.0, 7.0 / 3.0, 7.0 / 3.0, 9.0]);
    for (x, expected) in [(0.0, 1.0), (1.5, 5.0 / 3.0), (3.0, 7.0 / 3.0), (4.5, 17.0 / 3.0), (7.0, 9.0)] {
        assert_relative_eq!(found.at(x), expected, max_relative = 1e-15);
    }
    // Zero and minus zero are one place.
    assert_eq!(fit(&[0.0, -0.0, 1.0], &[4.0, 0.0, 3.0]).values(), [2.0, 3.0]);
    let single = fit(&[2.0, 2.0], &[0.0, 1.0]);
    assert_eq!((single.at(-5.0), single.at(2.0), single.at(9.0)), (0.5, 0.5, 0.5));
    assert!(single.at(f64::NAN).is_nan());
}

#[test]
fn bad_input_is_refused() {
    let options = IsotonicOptions::default();
    let (one, two) = (array![1.0], array![1.0, 2.0]);
    let fit = |x: &Array1<f64>, y: &Array1<f64>, w: Option<&Array1<f64>>, options| {
        Isotonic::fit(x.view(), y.view(), w.map(|w| w.view()), options)
    };
    assert!(matches!(fit(&array![], &array![], None, options), Err(Error::Empty { .. })));
    assert!(matches!(fit(&one, &two, None, options), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(
        fit(&one, &array![f64::NAN], None, options),
        Err(Error::NotFinite { argument: "y", .. })
    ));
    assert!(matches!(
        fit(&one, &one, Some(&array![-1.0]), options),
        Err(Error::OutOfRange { argument: "weights", .. })
    ));
    assert!(matches!(
        fit(&one, &one, Some(&array![0.0]), options),
        Err(Error::Empty { argument: "weights", .. })
    ));
    let crossed = IsotonicOptions { least: 1.0, largest: 0.0, ..options };
    assert!(matches!(
        fit(&one, &one, None, crossed),
        Err(Error::OutOfRange { argument: "options.least", .. })
    ));
    assert!(Isotonic::from_knots(vec![1.0, 1.0], vec![0.0, 1.0]).is_err());
    assert!(Isotonic::from_knots(vec![1.0, 2.0, 3.0], vec![0.0, 1.0, 0.5]).is_err());
    assert!(Isotonic::from_knots(vec![1.0, 2.0], vec![1.0, 0.5]).is_ok());
}

proptest! {
    #[test]
    fn the_function_is_monotone_bounded_and_its_own_fit(
        rows in prop::collection::vec((0..12_u8, -3.0..3.0_f64, 0.0..2.0_f64), 1..40),
        increasing in any::<bool>(),
    ) {
        prop_assume!(rows.iter().any(|row| row.2 > 0.0));
        let column = |f: fn(&(u8, f64, f64)) -> f64| rows.iter().map(f).collect::<Array1<f64>>();
        let (x, y, w) = (column(|r| f64::from(r.0)), column(|r| r.1), column(|r| r.2));
        let options = IsotonicOptions { increasing, least: -2.0, largest: 2.0 };
        let found = Isotonic::fit(x.view(), y.view(), Some(w.view()), options).unwrap();
        let at: Vec<f64> = (-20..300).map(|i| found.at(f64::from(i) * 0.05)).collect();
        let sign = if increasing { 1.0 } else { -1.0 };
        prop_assert!(at.windows(2).all(|pair| sign * pair[0] <= sign * pair[1] + 1e-12));
        prop_assert!(at.iter().all(|v| (-2.0..=2.0).contains(v)));
        // A monotone function is nearest to itself.
        let again = Isotonic::fit(x.view(), found.apply(x.view()).view(), Some(w.view()), options).unwrap();
        for place in &x {
            prop_assert!((again.at(*place) - found.at(*place)).abs() < 1e-12);
        }
        let copy = Isotonic::from_knots(found.knots().to_vec(), found.values().to_vec()).unwrap();
        prop_assert_eq!(copy, found);
    }

    #[test]
    fn the_weighted_mean_is_kept_and_no_monotone_step_is_nearer(
        y in prop::collection::vec(-3.0..3.0_f64, 2..15),
        cut in any::<prop::sample::Index>(),
    ) {
        let x: Array1<f64> = (0..y.len()).map(|i| i as f64).collect();
        let y = Array1::from(y);
        let found = fit(x.as_slice().unwrap(), y.as_slice().unwrap()).apply(x.view());
        prop_assert!((found.sum() - y.sum()).abs() < 1e-9);
        let cost = |f: &Array1<f64>| (f - &y).mapv(|v| v * v).sum();
        let cut = cut.index(y.len());
        for step in [-0.01, 0.01] {
            // Raising everything behind a cut, or lowering everything before it, stays monotone.
            let moved = Array1::from_shape_fn(y.len(), |i| {
                found[i] + if (i >= cut) == (step > 0.0) { step } else { 0.0 }
            });
            prop_assert!(cost(&found) <= cost(&moved) + 1e-12);
        }
    }
}
