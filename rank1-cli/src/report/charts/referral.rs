//! What is left, how wrong and how costly, when the rows above a limit on the stated risk go to a person.

use super::super::average::at_places;
use super::super::calibrated::chosen_shares;
use super::super::group::{Group, SetGroups};
use super::super::table_document::ReferralPoint;
use super::axis::Axis;
use super::figure::{Figure, NamedCurve, Panel, legend};
use super::ink::Ink;
use super::plot::{Layer, PANEL, Plot};

type Value = fn(&ReferralPoint) -> Option<f64>;

/// Coverage, risk and, where costs were given, cost against the share of the calibration rows that a limit keeps.
pub(crate) fn referral(set: &SetGroups<'_>) -> Option<Figure> {
    let risk = if set.regression { "RMSE of the kept" } else { "error rate of the kept" };
    let values: [(&str, &str, Value); 5] = [
        ("Coverage", "share kept here", |point| Some(point.kept)),
        ("Risk", risk, |point| point.risk),
        ("Expected cost", "expected cost of the kept", |point| point.expected_cost),
        ("Cost", "cost of the kept", |point| point.cost),
        ("Cost with persons", "mean cost of all rows", |point| point.total_cost),
    ];
    let panels: Vec<Panel> = values.iter().filter_map(|value| panel(set, value)).collect();
    let legend = legend(&curves(set, |point| Some(point.kept)));
    (!legend.is_empty()).then(|| Figure {
        title: "Referral".to_owned(),
        caption: "Each limit on the stated risk keeps the share at the axis of the calibration rows; the curves say what it leaves of \
                  these rows, which did not choose it. On the dashed diagonal it keeps as many here. The vertical line and the marks are \
                  the limit that was chosen on the calibration rows. Mean over runs, bars ± 1 standard error."
            .to_owned(),
        legend: if legend.len() > 1 { legend } else { Vec::new() },
        panels,
    })
}

fn curves(set: &SetGroups<'_>, value: Value) -> Vec<NamedCurve> {
    let of_run = |points: &[ReferralPoint], chosen: Option<&ReferralPoint>| -> Vec<(f64, f64)> {
        // The chosen limit is a point of the curve like the others, and there once.
        let own = chosen.filter(|one| points.iter().all(|point| point.keep_share != one.keep_share));
        points.iter().chain(own).filter_map(|point| Some((point.keep_share, value(point)?))).collect()
    };
    let curve = |group: &Group<'_>| NamedCurve {
        label: group.label.clone(),
        series: group.series,
        curve: at_places(
            group
                .evaluations()
                .filter_map(|e| e.calibrated.as_ref())
                .map(|found| of_run(&found.referral, found.chosen.as_ref())),
        ),
    };
    set.groups.iter().map(curve).filter(|named| !named.curve.points.is_empty()).collect()
}

fn panel(set: &SetGroups<'_>, &(heading, label, value): &(&str, &str, Value)) -> Option<Panel> {
    let curves = curves(set, value);
    if curves.is_empty() {
        return None;
    }
    let is_coverage = heading == "Coverage";
    let spans = curves.iter().flat_map(|named| &named.curve.points);
    let spans = spans.flat_map(|p| [p.mean - p.standard_error, p.mean + p.standard_error]);
    let y = if is_coverage { Axis::unit(label) } else { Axis::from_zero(label, spans) };
    let mut layers = Vec::new();
    if is_coverage {
        layers.push(Layer::Line(vec![(0.0, 0.0), (1.0, 1.0)], Ink::Reference));
    }
    let chosen = |series: usize| {
        let group = set.groups.iter().filter(move |group| group.series == series);
        group.flat_map(chosen_shares).collect::<Vec<f64>>()
    };
    let mut lines: Vec<f64> = curves.iter().flat_map(|named| chosen(named.series)).collect();
    lines.sort_by(f64::total_cmp);
    lines.dedup();
    layers.extend(lines.iter().map(|&x| Layer::Line(vec![(x, y.range.0), (x, y.range.1)], Ink::Reference)));
    for NamedCurve { series, curve, .. } in &curves {
        let shares = chosen(*series);
        let marked: Vec<_> = curve.points.iter().filter(|point| shares.contains(&point.x)).collect();
        let errors = marked.iter().map(|p| (p.x, p.mean, p.standard_error)).collect();
        layers.push(Layer::Line(curve.line(), Ink::Series(*series)));
        layers.push(Layer::Errors(errors, *series));
        layers.push(Layer::Markers(marked.iter().map(|p| (p.x, p.mean)).collect(), *series));
    }
    let name = format!("Referral, {}", heading.to_lowercase());
    let plot = Plot { name, size: PANEL, x: Axis::unit("kept of the calibration rows"), y, layers };
    Some(Panel { heading: heading.to_owned(), plot: plot.into() })
}
