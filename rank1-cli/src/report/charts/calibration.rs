//! Reliability of class probabilities and calibration of predictive quantiles.

use super::super::average::{at_places, pooled_bins};
use super::super::group::{Group, SetGroups};
use super::super::input::ReliabilityBin;
use super::super::metric::known;
use super::super::number::fixed;
use super::axis::Axis;
use super::figure::{Figure, NamedCurve, Panel};
use super::ink::Ink;
use super::plot::{LARGE, Layer, PANEL, Plot};

/// One reliability diagram per method; `None` for regression.
pub(crate) fn reliability(set: &SetGroups<'_>) -> Option<Figure> {
    let size = if set.groups.len() > 1 { PANEL } else { LARGE };
    let panels: Vec<Panel> = set
        .groups
        .iter()
        .filter_map(|group| {
            let bins = pooled_bins(group.evaluations());
            let filled: Vec<_> = bins.iter().filter(|bin| bin.count > 0).collect();
            (!filled.is_empty()).then(|| Panel {
                heading: heading(group),
                plot: reliability_plot(group, &filled, size).into(),
            })
        })
        .collect();
    (!panels.is_empty()).then(|| Figure {
        title: "Reliability".to_owned(),
        caption: "Share of correct predictions against stated confidence, one point per bin. On the dashed diagonal \
                  confidence is deserved; below it the method is overconfident. Bars: ± 1 binomial standard error of \
                  one test set, so a bin with few examples says little. Bins are pooled over runs."
            .to_owned(),
        legend: Vec::new(),
        panels,
    })
}

fn heading(group: &Group<'_>) -> String {
    match known("ece").and_then(|ece| group.metric(ece)) {
        Some(ece) => format!("{} · ECE {}", group.label, fixed(ece.mean, 3)),
        None => group.label.clone(),
    }
}

fn reliability_plot(group: &Group<'_>, bins: &[&ReliabilityBin], size: (u32, u32)) -> Plot {
    let points: Vec<(f64, f64)> = bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect();
    let errors = bins.iter().map(|bin| {
        // Every run predicts the same examples: pooling more runs does not narrow the bar.
        let examples = bin.count as f64 / group.n() as f64;
        (bin.confidence, bin.accuracy, (bin.accuracy * (1.0 - bin.accuracy) / examples).sqrt())
    });
    let errors = errors.map(|(x, y, error)| (x, y, error.min(y).min(1.0 - y))).collect();
    Plot {
        name: format!("Reliability diagram of {}", group.label),
        size,
        x: Axis::unit("confidence"),
        y: Axis::unit("accuracy"),
        layers: vec![
            Layer::Line(vec![(0.0, 0.0), (1.0, 1.0)], Ink::Reference),
            Layer::Errors(errors, group.series),
            Layer::Line(points.clone(), Ink::Series(group.series)),
            Layer::Markers(points, group.series),
        ],
    }
}

/// Observed share minus nominal level of predictive quantiles; `None` for classification.
pub(crate) fn quantiles(set: &SetGroups<'_>) -> Option<Figure> {
    let curves: Vec<NamedCurve> = set
        .groups
        .iter()
        .map(|group| NamedCurve {
            label: group.label.clone(),
            series: group.series,
            curve: at_places(group.evaluations().map(|evaluation| {
                evaluation.quantile_calibration.iter().map(|[level, share]| (*level, share - level)).collect()
            })),
        })
        .collect();
    let points = || curves.iter().flat_map(|named| &named.curve.points);
    let spans =
        points().flat_map(|point| [point.mean - point.standard_error, point.mean + point.standard_error]);
    let axes = (Axis::unit("level of the quantile"), Axis::from_zero("observed share − level", spans));
    Figure::of_curves(
        "Quantile calibration",
        "Share of test targets below the predicted quantile, minus the quantile's level. On the dashed line quantiles \
         hold what they say. Below it at the left and above it at the right: predictive distributions are too wide; \
         the other way round: too narrow. Mean over runs, bars ± 1 standard error.",
        axes,
        &curves,
        Some(vec![(0.0, 0.0), (1.0, 0.0)]),
    )
}
