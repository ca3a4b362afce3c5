//! NLL, KL and factor spread over the epochs of training.

use std::fmt::Write as _;

use super::super::group::{Group, SetGroups};
use super::super::history::HistoryRow;
use super::super::number::fixed;
use super::axis::Axis;
use super::cut;
use super::figure::{Drawing, Figure, NamedCurve, Panel, curve_plot, legend};
use super::plot::{LARGE, PANEL};

/// Validation NLL per epoch, or training NLL where nothing was held out.
pub(crate) fn learning_curves(set: &SetGroups<'_>) -> Option<Figure> {
    let held_out = set.groups.iter().any(|group| !group.history(|row| row.valid_nll).points.is_empty());
    let value = |row: &HistoryRow| if held_out { row.valid_nll } else { row.train_nll };
    let curves: Vec<NamedCurve> = set
        .groups
        .iter()
        .map(|group| NamedCurve {
            label: group.label.clone(),
            series: group.series,
            curve: group.history(value),
        })
        .collect();
    let unit = if set.regression { "nats per example of standardized targets" } else { "nats per example" };
    let part = if held_out { "validation" } else { "training" };
    let mut caption = format!(
        "NLL on the {part} part ({unit}) after each epoch, mean over runs up to the epoch that all runs of a method \
         reached; bars ± 1 standard error."
    );
    let title = if held_out { "Validation NLL in training" } else { "Training NLL" };
    let (x, mut y) = axes(&curves, "NLL (nats)", false);
    let Some(top) = cut::top(&curves) else {
        return Figure::of_curves(title, &caption, (x, y), &curves, None);
    };
    let heights = curves.iter().flat_map(|named| &named.curve.points).map(|point| point.mean);
    let highest = heights.clone().fold(f64::NEG_INFINITY, f64::max);
    y = Axis::around(&y.label, heights.filter(|height| *height <= top).chain([top]));
    let _ = write!(
        caption,
        " The frame ends where the first epochs would flatten all others: an arrow marks where a curve leaves it, at most for {}.",
        if highest < 1e4 { fixed(highest, 2) } else { format!("{highest:.1e}") }
    );
    let mut figure = Figure::of_curves(title, &caption, (x, y), &curves, None)?;
    for panel in &mut figure.panels {
        if let Drawing::Plot(plot) = &mut panel.plot {
            cut::cut(plot);
        }
    }
    Some(figure)
}

/// KL of each layer's posterior from its prior per epoch, one panel per method that has one.
pub(crate) fn layer_kl(set: &SetGroups<'_>) -> Option<Figure> {
    layered(
        set,
        "KL per layer",
        "KL (nats)",
        "KL of the posterior from its prior, summed over all random entries of a layer and all members (nats). A curve \
         that falls to zero is a layer whose posterior has gone back to the prior and carries no information. Mean \
         over runs; each panel has its own scale.",
        |row| &row.layer_kl,
    )
}

/// Mean standard deviation of each layer's factors per epoch, one panel per method that has one.
pub(crate) fn factor_spread(set: &SetGroups<'_>) -> Option<Figure> {
    layered(
        set,
        "Factor spread per layer",
        "standard deviation",
        "Mean posterior standard deviation of the random entries on the input and on the output side of each layer. Near zero the \
         members act as point estimates; growing spread means that the layer is learning to be uncertain. Mean over \
         runs; each panel has its own scale.",
        |row| &row.spread,
    )
}

fn layered(
    set: &SetGroups<'_>,
    title: &str,
    unit: &str,
    caption: &str,
    values: impl Fn(&HistoryRow) -> &Vec<(String, f64)>,
) -> Option<Figure> {
    let mut names: Vec<String> = Vec::new();
    let mut drawn: Vec<(&Group<'_>, Vec<NamedCurve>)> = Vec::new();
    for group in &set.groups {
        let curves = layer_curves(group, &mut names, &values);
        // A method without a posterior writes no column or nothing but zeros.
        if curves.iter().flat_map(|named| &named.curve.points).any(|point| point.mean != 0.0) {
            drawn.push((group, curves));
        }
    }
    let size = if drawn.len() > 1 { PANEL } else { LARGE };
    let panels: Vec<Panel> = drawn
        .iter()
        .map(|(group, curves)| {
            let name = format!("{title} of {}", group.label);
            Panel {
                heading: group.label.clone(),
                plot: curve_plot(&name, size, axes(curves, unit, true), curves, None).into(),
            }
        })
        .collect();
    let mut shown: Vec<(String, usize)> = Vec::new();
    for entry in drawn.iter().flat_map(|(_, curves)| legend(curves)) {
        if !shown.contains(&entry) {
            shown.push(entry);
        }
    }
    (!panels.is_empty()).then(|| Figure {
        title: title.to_owned(),
        caption: caption.to_owned(),
        legend: shown,
        panels,
    })
}

/// One curve per layer; a layer has the same style in the panel of every method.
fn layer_curves(
    group: &Group<'_>,
    names: &mut Vec<String>,
    values: impl Fn(&HistoryRow) -> &Vec<(String, f64)>,
) -> Vec<NamedCurve> {
    let of_group: Vec<String> = group
        .runs
        .iter()
        .filter_map(|run| run.history.first())
        .max_by_key(|row| values(row).len())
        .map_or_else(Vec::new, |row| values(row).iter().map(|(name, _)| name.clone()).collect());
    let of_layer = |name: &String| NamedCurve {
        label: layer_label(name),
        series: names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        }),
        curve: group.history(|row| {
            values(row).iter().find(|(other, _)| other == name).map_or(f64::NAN, |(_, value)| *value)
        }),
    };
    of_group.iter().map(of_layer).collect()
}

/// "hidden1/input" as words.
fn layer_label(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((layer, "input")) => format!("{layer}, input factor"),
        Some((layer, "output")) => format!("{layer}, output factor"),
        _ => name.to_owned(),
    }
}

fn axes(curves: &[NamedCurve], unit: &str, from_zero: bool) -> (Axis, Axis) {
    let points = || curves.iter().flat_map(|named| &named.curve.points);
    let (low, high) = (
        points().map(|point| point.mean - point.standard_error),
        points().map(|p| p.mean + p.standard_error),
    );
    let y =
        if from_zero { Axis::from_zero(unit, low.chain(high)) } else { Axis::around(unit, low.chain(high)) };
    (Axis::within("epoch", points().map(|point| point.x)), y)
}
