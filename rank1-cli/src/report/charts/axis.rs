//! Axes of a figure: range, round ticks and their labels.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::super::number::{fixed, grouped};

/// One axis, in the coordinates that are drawn (logarithms are taken by [`Axis::log2`]).
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// Name and unit.
    pub(crate) label: String,
    /// First and last drawn coordinate.
    pub(crate) range: (f64, f64),
    /// Coordinates of the ticks.
    pub(crate) ticks: Vec<f64>,
    log2: bool,
}

impl Axis {
    /// From zero to one.
    pub(crate) fn unit(label: &str) -> Self {
        let ticks = vec![0.0, 0.25, 0.5, 0.75, 1.0];
        Self { label: label.to_owned(), range: (0.0, 1.0), ticks, log2: false }
    }

    /// Round bounds around `values`.
    pub(crate) fn around(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values);
        let step = round_step((high - low) / 5.0);
        let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
        let ticks: Vec<f64> = (first..=last).map(|index| index as f64 * step).collect();
        Self { label: label.to_owned(), range: (first as f64 * step, last as f64 * step), ticks, log2: false }
    }

    /// Round bounds around `values` and zero.
    pub(crate) fn from_zero(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        Self::around(label, values.into_iter().chain([0.0]))
    }

    /// The range of `values` exactly, with round ticks inside: for places that were chosen, such as epochs.
    pub(crate) fn within(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values);
        let step = round_step((high - low) / 5.0);
        let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        let ticks = (first..=last).map(|index| index as f64 * step).collect();
        Self { label: label.to_owned(), range: (low, high), ticks, log2: false }
    }

    /// Doublings over positive `values`; points are drawn at the base-2 logarithm of their place.
    pub(crate) fn log2(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values.into_iter().map(f64::log2));
        let (low, high) = (low.floor(), high.ceil());
        let stride = ((high - low) / 6.0).ceil().max(1.0);
        let ticks = (0..=((high - low) / stride) as i64).map(|index| low + index as f64 * stride).collect();
        Self { label: label.to_owned(), range: (low - 0.15, high + 0.15), ticks, log2: true }
    }

    /// The label of a tick.
    pub(crate) fn tick_label(&self, tick: f64) -> String {
        if self.log2 {
            return grouped(tick.exp2());
        }
        let step = self.ticks.windows(2).map(|pair| pair[1] - pair[0]).next().unwrap_or(1.0);
        if step >= 1.0 {
            return grouped(tick);
        }
        fixed(tick, (0..7).find(|places| is_whole(step * 10f64.powi(*places as i32))).unwrap_or(7))
    }

    /// Length of the longest tick label in letters; a minus sign, which is wider than a digit, counts as two.
    pub(crate) fn longest_label(&self) -> usize {
        let letters = |label: String| label.chars().map(|letter| if letter == '−' { 2 } else { 1 }).sum();
        self.ticks.iter().map(|tick| letters(self.tick_label(*tick))).max().unwrap_or(0)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.0) / (self.range.1 - self.range.0);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.tick_label(*value)
    }
}

fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6
}

/// Least and greatest finite value, widened where they coincide.
fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = finite
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = 1e-6 * low.abs().max(high.abs());
    if high - low > room {
        return (low, high);
    }
    let half = if low == 0.0 { 0.5 } else { 0.05 * low.abs() };
    (low - half, high + half)
}

/// The least of 1, 2, 2.5 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let axis = Axis::around("nll", [0.113, 0.391]);
        let labels: Vec<String> = axis.ticks.iter().map(|tick| axis.tick_label(*tick)).collect();
        assert_eq!(labels, ["0.1", "0.2", "0.3", "0.4"]);
        assert!(axis.range.0 <= 0.113 && axis.range.1 >= 0.391);
    }

    #[test]
    fn an_axis_from_zero_starts_there_and_ends_at_a_round_greatest_value() {
        assert_eq!(Axis::from_zero("kl", [50.0, 200.0]).range, (0.0, 200.0));
    }

    #[test]
    fn a_quarter_step_is_written_with_all_its_digits() {
        let axis = Axis::unit("coverage");
        assert_eq!(axis.tick_label(0.25), "0.25");
        assert_eq!(axis.longest_label(), 4);
    }

    #[test]
    fn one_value_still_has_a_range() {
        for values in [vec![3.0], vec![0.0], vec![f64::NAN], vec![], vec![-2.0, -2.0]] {
            let axis = Axis::around("x", values.clone());
            assert!(axis.range.0 < axis.range.1 && axis.ticks.len() >= 2, "{values:?}: {axis:?}");
        }
    }

    #[test]
    fn doublings_are_labeled_by_their_value() {
        let axis = Axis::log2("S", [1.0, 8.0]);
        let labels: Vec<String> = axis.ticks.iter().map(|tick| axis.tick_label(*tick)).collect();
        assert_eq!(labels, ["1", "2", "4", "8"]);
    }

    #[test]
    fn ticks_of_chosen_places_stay_inside() {
        let axis = Axis::within("epoch", [1.0, 37.0]);
        assert_eq!(axis.range, (1.0, 37.0));
        assert_eq!(axis.ticks, [10.0, 20.0, 30.0]);
    }
}
