//! Columns and slices of a table: what the prediction needs, and where it is worst.

use super::super::super::group::SetGroups;
use super::super::super::metric::NLL;
use super::super::super::number::{fixed, grouped};
use super::super::axis::Axis;
use super::super::bars::{Bar, Bars};
use super::super::figure::{Figure, Panel};
use super::super::plot::{LARGE, PANEL};
use super::{Shown, first_only, heading, shown};

/// Series of all bars: methods are told apart by panel.
const SERIES: usize = 0;

/// What the NLL loses when the cells of a column are exchanged between rows.
pub(crate) fn importance(set: &SetGroups<'_>) -> Option<Figure> {
    let mut shown = shown(set);
    shown.retain(|one| one.table.importance.as_ref().is_some_and(|found| !found.columns.is_empty()));
    let panels = shown.iter().filter_map(|one| {
        let found = one.table.importance.as_ref()?;
        let bars: Vec<Bar> = found
            .columns
            .iter()
            .map(|column| Bar {
                label: column.column.clone(),
                note: with_error(column.increase, column.standard_error),
                value: column.increase,
                error: column.standard_error,
                series: SERIES,
            })
            .collect();
        let name = format!("Importance of columns for {}", one.group.label);
        Some(Panel {
            heading: heading(&shown, one),
            plot: plot(name, "increase of the NLL (nats)", 0.0, bars, shown.len()).into(),
        })
    });
    let panels: Vec<Panel> = panels.collect();
    let found = shown.first()?.table.importance.as_ref()?;
    let which = match found.n_columns {
        n if n > found.columns.len() => format!("the first {} of {n} columns", found.columns.len()),
        n => format!("all {n} columns"),
    };
    Some(Figure {
        title: "Which columns matter".to_owned(),
        caption: format!(
            "How much the NLL of {} test rows rises when the cells of one column are exchanged between rows ({which}; all levels \
             of a category move together). Near zero the model does without the column. Columns that say the same share their \
             importance. Lines ± 1 standard error over rows.{}",
            grouped(found.rows as f64),
            first_only(&shown)
        ),
        legend: Vec::new(),
        panels,
    })
}

/// Levels and quarters of columns whose rows are predicted worst.
pub(crate) fn slices(set: &SetGroups<'_>) -> Option<Figure> {
    let mut shown = shown(set);
    shown.retain(|one| !one.table.slices.is_empty() && NLL.value(&one.evaluation.metrics).is_some());
    let panels: Vec<Panel> = shown.iter().map(|one| slice_panel(&shown, one)).collect();
    let first = shown.first()?;
    Some(Figure {
        title: "Where it is worst".to_owned(),
        caption: format!(
            "NLL of the slices of the test part whose NLL is most clearly above that of all rows, where the bars begin; of {} \
             slices (levels of categories, quarters of numbers, each with at least 20 rows). Of so many some are bad by chance: \
             lines ± 1 standard error over rows.{}",
            grouped(first.table.n_slices as f64),
            first_only(&shown)
        ),
        legend: Vec::new(),
        panels,
    })
}

fn slice_panel(shown: &[Shown<'_>], one: &Shown<'_>) -> Panel {
    let overall = NLL.value(&one.evaluation.metrics).unwrap_or(0.0);
    let bar = |slice: &super::super::super::table_document::SliceScore| Bar {
        label: slice.slice.clone(),
        note: format!("{}, n = {}", with_error(slice.nll, slice.standard_error), grouped(slice.count as f64)),
        value: slice.nll,
        error: slice.standard_error,
        series: SERIES,
    };
    let bars = one.table.slices.iter().map(bar).collect();
    let name = format!("Worst slices of {}", one.group.label);
    let label = format!("NLL (nats); of all rows {}", fixed(overall, 3));
    Panel { heading: heading(shown, one), plot: plot(name, &label, overall, bars, shown.len()).into() }
}

fn with_error(value: f64, error: f64) -> String {
    // Two digits of the error, where they are few.
    let places = if error > 0.0 { (1.0 - error.log10().floor()).clamp(2.0, 4.0) as usize } else { 3 };
    format!("{} ± {}", fixed(value, places), fixed(error, places))
}

/// Text of several panels must not shrink with them.
fn plot(name: String, label: &str, base: f64, bars: Vec<Bar>, panels: usize) -> Bars {
    let (width, _) = if panels > 1 { PANEL } else { LARGE };
    let ends = bars.iter().flat_map(|bar| [bar.value - bar.error, bar.value + bar.error]);
    Bars { name, width, x: Axis::around(label, ends.chain([base])), base, bars }
}
