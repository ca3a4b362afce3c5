//! One temperature for a classifier's predictive.
//!
//! Not the posterior temperature of training.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::Error;
use crate::metrics::checks;
use crate::numeric::log_softmax;

/// Temperatures that are looked at unless others are asked for.
pub const TEMPERATURE_BRACKET: [f64; 2] = [0.05, 20.0];

/// Halving alone exhausts the doubles between two inverse temperatures in fewer steps.
const MAX_STEPS: usize = 200;

/// A fitted temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature {
    /// `T`; above one flattens, below one sharpens, one leaves as it is.
    pub temperature: f64,
    /// Whether the NLL has its minimum there; else `T` is an end of the bracket, or one because no `T` is better than another.
    pub interior: bool,
}

impl Temperature {
    /// The temperature of the bracket with the least mean NLL.
    ///
    /// # Shapes
    /// `log_probs` `[N, C]` of the mixture ([`crate::predictive::ClassPredictive::log_probs`]), `labels` `[N]`; `bracket` the
    /// least and the largest `T`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`]; [`Error::NotFinite`] for NaN, and for a label
    /// of probability zero, which no temperature mends; [`Error::OutOfRange`] for a positive log-probability and for a bracket
    /// that is not ascending, positive and finite.
    ///
    /// # Numerics
    /// The NLL is convex in `b = 1/T`. The root of its derivative, which rises, is found by Newton steps kept inside a bracket that is halved
    /// when they leave it: relative error near 1e-14 where the NLL is curved.
    ///
    /// # Source
    /// Guo et al. 2017, arXiv:1706.04599, section 4.2, there on the logits of one network. The log-probabilities of a mixture
    /// take their place, as averaged probabilities have no logits of their own (Rahaman and Thiery 2021, arXiv:2007.08792, pool then calibrate).
    pub fn fit(
        log_probs: ArrayView2<'_, f64>,
        labels: ArrayView1<'_, usize>,
        bracket: [f64; 2],
    ) -> Result<Self, Error> {
        const OP: &str = "Temperature::fit";
        check(OP, log_probs, labels, bracket)?;
        let [least, largest] = bracket;
        let at = |b: f64| slope(log_probs, labels, b);
        let (mut low, mut high) = (largest.recip(), least.recip());
        let (slope_low, slope_high) = (at(low).0, at(high).0);
        if slope_low >= 0.0 && slope_high <= 0.0 {
            // Equal probabilities in every row say nothing of T.
            return Ok(Self { temperature: 1.0_f64.clamp(least, largest), interior: false });
        }
        if slope_low >= 0.0 {
            return Ok(Self { temperature: largest, interior: false });
        }
        if slope_high <= 0.0 {
            return Ok(Self { temperature: least, interior: false });
        }
        let mut b = 1.0_f64.clamp(low, high);
        let mut last_step = high - low;
        for _ in 0..MAX_STEPS {
            let (value, curvature) = at(b);
            if value < 0.0 {
                low = b;
            } else {
                high = b;
            }
            let newton = b - value / curvature;
            let shrinks = (newton - b).abs() <= 0.5 * last_step;
            let next = if shrinks && (low..=high).contains(&newton) { newton } else { 0.5 * (low + high) };
            last_step = (next - b).abs();
            b = next;
            if last_step <= 2.0 * f64::EPSILON * b || high - low <= 2.0 * f64::EPSILON * b {
                break;
            }
        }
        Ok(Self { temperature: b.recip(), interior: true })
    }

    /// `log softmax(log p / T)` of every row: the order of its classes stays.
    ///
    /// # Shapes
    /// `log_probs` `[N, C]`; returns `[N, C]`.
    ///
    /// # Numerics
    /// A temperature of one changes rounding only.
    ///
    /// # Source
    /// As [`Temperature::fit`].
    #[must_use]
    pub fn apply(&self, log_probs: ArrayView2<'_, f64>) -> Array2<f64> {
        log_softmax(log_probs.mapv(|log_prob| log_prob / self.temperature).view())
    }
}

fn check(
    op: &'static str,
    log_probs: ArrayView2<'_, f64>,
    labels: ArrayView1<'_, usize>,
    [least, largest]: [f64; 2],
) -> Result<(), Error> {
    checks::log_probs(op, "log_probs", log_probs)?;
    checks::labels(op, labels, log_probs.nrows(), log_probs.ncols())?;
    for (row, &label) in labels.iter().enumerate() {
        if log_probs[[row, label]] == f64::NEG_INFINITY {
            return Err(Error::NotFinite { op, argument: "log_probs", index: vec![row, label] });
        }
    }
    for value in [least, largest] {
        if !(value > 0.0 && value.is_finite() && least < largest) {
            let expected = "two finite temperatures above zero, the smaller first";
            return Err(Error::OutOfRange { op, argument: "bracket", value, expected });
        }
    }
    Ok(())
}

/// First and second derivative of the mean NLL in `b`: mean over rows of `E[l - l_y]` and of `Var[l]` under `softmax(b l)`.
fn slope(log_probs: ArrayView2<'_, f64>, labels: ArrayView1<'_, usize>, b: f64) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for (row, &label) in log_probs.rows().into_iter().zip(labels) {
        let top = row.fold(f64::NEG_INFINITY, |top, v| top.max(*v));
        let (mut total, mut mean, mut square) = (0.0, 0.0, 0.0);
        // Classes of probability zero keep it at every temperature.
        for &value in row.iter().filter(|value| **value > f64::NEG_INFINITY) {
            let weight = (b * (value - top)).exp();
            let distance = value - row[label];
            total += weight;
            mean += weight * distance;
            square += weight * distance * distance;
        }
        mean /= total;
        first += mean;
        second += (square / total - mean * mean).max(0.0);
    }
    (first / labels.len() as f64, second / labels.len() as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array1, array};
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::nll;

    #[test]
    fn two_classes_have_a_temperature_in_closed_form() {
        // Three of four rows right at a log odds of 4: the best odds are 3, so T = 4 / ln 3.
        let p = 1.0 / (1.0 + (-4.0_f64).exp());
        let log_probs = array![[p, 1.0 - p], [p, 1.0 - p], [p, 1.0 - p], [p, 1.0 - p]].mapv(f64::ln);
        let found =
            Temperature::fit(log_probs.view(), array![0, 0, 0, 1].view(), TEMPERATURE_BRACKET).unwrap();
        assert!(found.interior);
        assert_relative_eq!(found.temperature, 4.0 / 3.0_f64.ln(), max_relative = 1e-13);
    }

    #[test]
    fn without_an_inner_minimum_an_end_is_told_and_without_evidence_one() {
        let sure = array![[0.9, 0.1], [0.2, 0.8]].mapv(f64::ln);
        let at = |labels: Array1<usize>| Temperature::fit(sure.view(), labels.view(), [0.1, 10.0]).unwrap();
        assert_eq!(at(array![0, 1]), Temperature { temperature: 0.1, interior: false });
        assert_eq!(at(array![1, 0]), Temperature { temperature: 10.0, interior: false });
        let flat = Array2::from_elem((2, 3), (1.0_f64 / 3.0).ln());
        let found = Temperature::fit(flat.view(), array![0, 2].view(), TEMPERATURE_BRACKET).unwrap();
        assert_eq!(found, Temperature { temperature: 1.0, interior: false });
    }

    #[test]
    fn bad_input_is_refused_and_impossible_classes_stay_so() {
        let probs = array![[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]].mapv(f64::ln);
        let fit = |labels: Array1<usize>, bracket| Temperature::fit(probs.view(), labels.view(), bracket);
        assert!(
            matches!(fit(array![2, 0], TEMPERATURE_BRACKET), Err(Error::NotFinite { ref index, .. }) if *index == [0, 2])
        );
        assert!(matches!(fit(array![0, 3], TEMPERATURE_BRACKET), Err(Error::LabelOutOfRange { .. })));
        assert!(matches!(fit(array![0], TEMPERATURE_BRACKET), Err(Error::ShapeMismatch { .. })));
        for bracket in [[0.0, 1.0], [2.0, 1.0], [1.0, f64::INFINITY], [f64::NAN, 1.0]] {
            assert!(matches!(fit(array![0, 1], bracket), Err(Error::OutOfRange { argument: "bracket", .. })));
        }
        let empty = Array2::<f64>::zeros((0, 2));
        let none: Array1<usize> = array![];
        assert!(matches!(Temperature::fit(empty.view(), none.view(), [0.1, 1.0]), Err(Error::Empty { .. })));
        let found = fit(array![0, 1], TEMPERATURE_BRACKET).unwrap();
        assert_eq!(found.apply(probs.view())[[0, 2]], f64::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn the_minimum_is_no_worse_than_its_neighbors_and_keeps_the_order(
            logits in prop::collection::vec(prop::array::uniform3(-4.0..4.0_f64), 2..30),
            seed in any::<u64>(),
        ) {
            let rows: Vec<f64> = logits.iter().flatten().copied().collect();
            let log_probs = log_softmax(Array2::from_shape_vec((logits.len(), 3), rows).unwrap().view());
            let labels = Array1::from_shape_fn(logits.len(), |i| (seed.rotate_left(5 * i as u32) % 3) as usize);
            let found = Temperature::fit(log_probs.view(), labels.view(), TEMPERATURE_BRACKET).unwrap();
            let at = |temperature: f64| {
                nll(Temperature { temperature, ..found }.apply(log_probs.view()).view(), labels.view()).unwrap()
            };
            let best = at(found.temperature);
            for factor in [0.9, 0.999, 1.001, 1.1] {
                let other = (found.temperature * factor).clamp(0.05, 20.0);
                prop_assert!(best <= at(other) + 1e-12, "{} against {other}", found.temperature);
            }
            for (before, after) in log_probs.rows().into_iter().zip(found.apply(log_probs.view()).rows()) {
                prop_assert_eq!(checks::argmax(before), checks::argmax(after));
            }
        }

        #[test]
        fn a_temperature_of_one_is_the_identity(logits in prop::array::uniform5(-8.0..8.0_f64)) {
            let log_probs = log_softmax(array![logits].view());
            let same = Temperature { temperature: 1.0, interior: true }.apply(log_probs.view());
            prop_assert!((same - log_probs).iter().all(|d| d.abs() < 1e-13));
        }

        #[test]
        fn the_temperature_of_sharpened_rows_is_sharpened(
            logits in prop::collection::vec(prop::array::uniform3(-2.0..2.0_f64), 8..30),
            seed in any::<u64>(),
            factor in 0.5..2.0_f64,
        ) {
            let rows: Vec<f64> = logits.iter().flatten().copied().collect();
            let logits = Array2::from_shape_vec((logits.len(), 3), rows).unwrap();
            let labels = Array1::from_shape_fn(logits.nrows(), |i| (seed.rotate_left(5 * i as u32) % 3) as usize);
            let of = |factor: f64| {
                Temperature::fit(log_softmax((&logits * factor).view()).view(), labels.view(), TEMPERATURE_BRACKET).unwrap()
            };
            let (plain, sharp) = (of(1.0), of(factor));
            prop_assume!(plain.interior && sharp.interior);
            prop_assert!((sharp.temperature / (plain.temperature * factor) - 1.0).abs() < 1e-7);
        }
    }
}
