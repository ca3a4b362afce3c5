//! What was predicted for rows: beside what was observed, and how far what was stated held.

use super::super::super::average::{Curve, CurvePoint};
use super::super::super::group::SetGroups;
use super::super::super::metric::known;
use super::super::super::number::fixed;
use super::super::axis::Axis;
use super::super::figure::{Figure, NamedCurve, Panel};
use super::super::ink::Ink;
use super::super::plot::{LARGE, Layer, PANEL, Plot};
use super::{Shown, first_only, heading, shown};

/// Series of rows whose interval holds and does not.
const INSIDE: usize = 0;
const OUTSIDE: usize = 1;

/// Some rows of a regression with their intervals; `None` for classes.
pub(crate) fn observed(set: &SetGroups<'_>) -> Option<Figure> {
    let mut shown = shown(set);
    shown.retain(|one| !one.table.rows.is_empty());
    let size = if shown.len() > 1 { PANEL } else { LARGE };
    let panels: Vec<Panel> = shown
        .iter()
        .map(|one| Panel { heading: heading(&shown, one), plot: observed_plot(one, size).into() })
        .collect();
    let (one, rows) = (shown.first()?, shown.first()?.table.rows.len());
    Some(Figure {
        title: "Predicted and observed".to_owned(),
        caption: format!(
            "{} of {rows} test rows, evenly spaced over the test part. Each bar is the 90 % interval of one row at its \
             predicted mean, each mark what was observed; of ten marks one may lie outside its bar. On the dashed line the \
             mean is right.{}",
            one.table.target,
            first_only(&shown)
        ),
        legend: vec![
            ("observed, inside its 90 % interval".to_owned(), INSIDE),
            ("observed, outside".to_owned(), OUTSIDE),
        ],
        panels,
    })
}

fn observed_plot(one: &Shown<'_>, size: (u32, u32)) -> Plot {
    let rows = &one.table.rows;
    let means = || rows.iter().map(|row| row[1]);
    let x = Axis::around("predicted mean", means());
    let y = Axis::around("observed", rows.iter().flat_map(|row| [row[0], row[2], row[3]]));
    // The line of equal values, as far as the frame goes.
    let (low, high) = (x.range.0.max(y.range.0), x.range.1.min(y.range.1));
    let mut layers = Vec::new();
    for (series, is_inside) in [(INSIDE, true), (OUTSIDE, false)] {
        let of_series: Vec<&[f64; 4]> =
            rows.iter().filter(|row| (row[2]..=row[3]).contains(&row[0]) == is_inside).collect();
        let bar = |row: &&[f64; 4]| (row[1], 0.5 * (row[2] + row[3]), 0.5 * (row[3] - row[2]));
        layers.push(Layer::Intervals(of_series.iter().map(bar).collect(), series));
        layers.push(Layer::Dots(of_series.iter().map(|row| (row[1], row[0])).collect(), series));
    }
    // Bars lie behind all marks.
    layers.sort_by_key(|layer| u8::from(matches!(layer, Layer::Dots(..))));
    if low < high {
        layers.push(Layer::Line(vec![(low, low), (high, high)], Ink::Reference));
    }
    let name = format!("Predicted and observed values of {}", one.group.label);
    Plot { name, size, x, y, layers }
}

/// The error that came against the error that was stated.
pub(crate) fn errors(set: &SetGroups<'_>) -> Option<Figure> {
    let shown = shown(set);
    let curves = curves(&shown, |one| {
        let bins = one.table.errors.iter();
        bins.map(|bin| CurvePoint { x: bin.stated, mean: bin.observed, standard_error: bin.standard_error })
            .collect()
    });
    let (stated, observed, what) = if set.regression {
        (
            "stated deviation",
            "root mean square error",
            "root mean square of the predicted deviations and of the errors",
        )
    } else {
        ("stated risk, 1 − top probability", "error rate", "mean stated risk and the share of wrong classes")
    };
    let points = || curves.iter().flat_map(|named| &named.curve.points);
    let caption = format!(
        "Does it know when it is wrong? Test rows in ten bins from the surest to the least sure, each with the {what}. On the \
         dashed line the error is as stated; above it the model is too sure of itself. A flat line cannot tell easy rows from \
         hard ones. Bars ± 1 standard error.{}",
        first_only(&shown)
    );
    let axes = (
        Axis::from_zero(stated, points().map(|point| point.x)),
        Axis::from_zero(observed, points().map(|point| point.mean + point.standard_error)),
    );
    let end = axes.0.range.1.min(axes.1.range.1);
    let line = vec![(0.0, 0.0), (end, end)];
    Figure::of_curves("Error by stated uncertainty", &caption, axes, &curves, Some(line))
}

/// Share of targets inside the 90 % interval along the prediction; `None` for classes.
pub(crate) fn coverage(set: &SetGroups<'_>) -> Option<Figure> {
    let shown = shown(set);
    let curves = curves(&shown, |one| {
        let point = |bin: &super::super::super::table_document::CoverageBin| CurvePoint {
            x: bin.prediction,
            mean: bin.covered,
            standard_error: bin.standard_error.min(1.0 - bin.covered),
        };
        one.table.coverage.iter().map(point).collect()
    });
    let points = || curves.iter().flat_map(|named| &named.curve.points);
    let overall: Vec<String> = shown
        .iter()
        .filter_map(|one| {
            let value = known("coverage_90")?.value(&one.evaluation.metrics)?;
            Some(format!("{} % of {}", fixed(100.0 * value, 1), one.group.label))
        })
        .collect();
    let caption = format!(
        "Share of test targets inside the 90 % interval, in ten bins from the lowest to the highest prediction; the dashed line \
         is 90 %. Over all rows the intervals hold for {}. Bars ± 1 standard error.{}",
        overall.join(", "),
        first_only(&shown)
    );
    let x = Axis::around("predicted mean", points().map(|point| point.x));
    let shares =
        points().flat_map(|point| [point.mean - point.standard_error, point.mean + point.standard_error]);
    let y = Axis::around("share inside", shares.chain([0.8, 1.0]));
    let line = vec![(x.range.0, 0.9), (x.range.1, 0.9)];
    Figure::of_curves("Coverage along the prediction", &caption, (x, y), &curves, Some(line))
}

fn curves(shown: &[Shown<'_>], points: impl Fn(&Shown<'_>) -> Vec<CurvePoint>) -> Vec<NamedCurve> {
    let curve = |one: &Shown<'_>| NamedCurve {
        label: one.group.label.clone(),
        series: one.group.series,
        curve: Curve { points: points(one) },
    };
    shown.iter().map(curve).collect()
}
