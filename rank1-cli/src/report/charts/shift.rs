//! NLL under shifted inputs and with more draws.

use super::super::average::at_places;
use super::super::group::SetGroups;
use super::super::input::Evaluation;
use super::super::metric::NLL;
use super::axis::Axis;
use super::figure::{Figure, NamedCurve};

/// One figure per kind of shift, NLL against severity.
pub(crate) fn shifts(set: &SetGroups<'_>) -> Vec<Figure> {
    shift_kinds(set).into_iter().filter_map(|kind| shift(set, kind)).collect()
}

/// Kinds of shift that any run was measured under.
pub(crate) fn shift_kinds<'a>(set: &'a SetGroups<'_>) -> Vec<&'a str> {
    let mut kinds: Vec<&str> = Vec::new();
    for point in set.groups.iter().flat_map(|group| group.evaluations()).flat_map(|one| &one.shifts) {
        if !kinds.contains(&point.kind.as_str()) {
            kinds.push(&point.kind);
        }
    }
    kinds
}

fn shift(set: &SetGroups<'_>, kind: &str) -> Option<Figure> {
    let curves = curves(set, |evaluation| severities(evaluation, kind));
    let (noun, unit) = kind_label(kind);
    let caption = format!(
        "Mixture NLL (nats per example) on test inputs under {noun}; the leftmost point is the unshifted test set. \
         Lower and flatter is better. Mean over runs, bars ± 1 standard error."
    );
    let (places, means) = spans(&curves);
    let axes = (Axis::within(&unit, places), Axis::from_zero("NLL (nats)", means));
    Figure::of_curves(&format!("NLL under {noun}"), &caption, axes, &curves, None)
}

/// The shifted points, and the unshifted test set at severity zero unless it is among them.
fn severities(evaluation: &Evaluation, kind: &str) -> Vec<(f64, f64)> {
    let of_kind = evaluation.shifts.iter().filter(|point| point.kind == kind);
    let mut points: Vec<(f64, f64)> =
        of_kind.filter_map(|point| Some((point.severity, NLL.value(&point.metrics)?))).collect();
    if !points.is_empty() && points.iter().all(|point| point.0 != 0.0) {
        points.extend(NLL.value(&evaluation.metrics).map(|nll| (0.0, nll)));
    }
    points
}

/// A kind of shift as words, and its axis.
pub(crate) fn kind_label(kind: &str) -> (String, String) {
    let (noun, unit) = match kind {
        "rotation" | "rotate" => ("rotation", "rotation (degrees)"),
        "gaussian_noise" | "noise" => ("Gaussian noise", "noise (standard deviation)"),
        other => {
            let words = other.replace("corrupt/", "corruption ").replace('_', " ");
            return (words.clone(), format!("{words} (severity)"));
        }
    };
    (noun.to_owned(), unit.to_owned())
}

/// NLL against draws per member.
pub(crate) fn nll_by_samples(set: &SetGroups<'_>) -> Option<Figure> {
    let draws =
        |evaluation: &Evaluation| evaluation.nll_by_samples.iter().map(|pair| (pair[0], pair[1])).collect();
    let mut curves = curves(set, draws);
    // One point says nothing of the effect of draws: methods without randomness at prediction have no curve.
    curves.retain(|named| named.curve.points.len() > 1);
    let (places, means) = spans(&curves);
    let axes = (Axis::log2("draws per member S", places), Axis::around("NLL (nats)", means));
    for point in curves.iter_mut().flat_map(|named| &mut named.curve.points) {
        point.x = point.x.log2();
    }
    Figure::of_curves(
        "NLL and number of draws",
        "Mixture NLL (nats per example) when the predictive averages S draws per member; each step to the right \
         doubles the cost of a prediction. Where the curve is flat, more draws buy nothing. Mean over runs, bars ± 1 \
         standard error.",
        axes,
        &curves,
        None,
    )
}

fn curves(set: &SetGroups<'_>, points: impl Fn(&Evaluation) -> Vec<(f64, f64)>) -> Vec<NamedCurve> {
    let named = set.groups.iter().map(|group| NamedCurve {
        label: group.label.clone(),
        series: group.series,
        curve: at_places(group.evaluations().map(&points)),
    });
    named.collect()
}

/// Places of all curves, and their means with one standard error on both sides.
fn spans(curves: &[NamedCurve]) -> (Vec<f64>, Vec<f64>) {
    let points = || curves.iter().flat_map(|named| &named.curve.points);
    let means =
        points().flat_map(|point| [point.mean - point.standard_error, point.mean + point.standard_error]);
    (points().map(|point| point.x).collect(), means.collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::input::{Metrics, ShiftPoint};
    use super::*;

    #[test]
    fn the_unshifted_test_set_stands_at_severity_zero_once() {
        let nll = |value: f64| Metrics::from([("nll".to_owned(), value)]);
        let point =
            |severity, value| ShiftPoint { kind: "rotation".to_owned(), severity, metrics: nll(value) };
        let mut evaluation =
            Evaluation { metrics: nll(0.1), shifts: vec![point(30.0, 0.5)], ..Evaluation::default() };
        assert_eq!(severities(&evaluation, "rotation"), [(30.0, 0.5), (0.0, 0.1)]);
        assert_eq!(severities(&evaluation, "noise"), []);
        evaluation.shifts.push(point(0.0, 0.2));
        assert_eq!(severities(&evaluation, "rotation"), [(30.0, 0.5), (0.0, 0.2)]);
    }
}
