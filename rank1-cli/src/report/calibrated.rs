//! Tables of what a calibration makes of the evaluated rows: its metrics and coverages, and what is left when uncertain rows go
//! to a person.

use super::comparison::{Better, Estimate, Notation, Origin, SummaryColumn, SummaryRow, SummaryTable};
use super::group::{Group, SetGroups};
use super::metric::METRICS;
use super::table_document::{CalibratedDocument, ReferralPoint, SHOWN_SHARES};
use crate::calibration::percent;

/// Metrics after calibration and coverage of its intervals or sets; none where no run is calibrated.
pub(crate) fn calibrated(set: &SetGroups<'_>) -> Option<SummaryTable> {
    let first = of_groups(set).next()?;
    let metrics = METRICS.iter().filter(|metric| metric.value(&first.metrics).is_some());
    let metrics: Vec<_> = metrics.collect();
    let mut columns: Vec<SummaryColumn> =
        metrics.iter().map(|metric| metric.column(set.regression)).collect();
    let size = if set.regression { "width" } else { "classes in a set" };
    for level in &first.levels {
        let share = percent(level.coverage);
        columns.push(plain(&format!("covered, {share} % stated"), Notation::Percent));
        columns.push(plain(&format!("{size}, {share} %"), Notation::Decimal));
    }
    let row = |group: &Group<'_>| {
        let of = |value: &dyn Fn(&CalibratedDocument) -> Option<f64>| {
            group.estimate(|run| run.evaluation.calibrated.as_ref().and_then(value))
        };
        let mut cells: Vec<Option<Estimate>> =
            metrics.iter().map(|metric| of(&|found| metric.value(&found.metrics))).collect();
        for place in 0..first.levels.len() {
            cells.push(of(&|found| found.levels.get(place).map(|level| level.observed)));
            cells.push(of(&|found| found.levels.get(place).map(|level| level.size)));
        }
        SummaryRow { label: group.label.clone(), origin: Origin::Ours, cells }
    };
    let in_sample = if first.in_sample { " These are the rows that calibrated: in-sample." } else { "" };
    Some(SummaryTable {
        title: "Calibrated".to_owned(),
        caption: format!(
            "By {} and {} on {} rows of {}; coverage is promised over all rows together.{in_sample}",
            first.map.as_deref().unwrap_or("no map"),
            first.method,
            first.n_rows,
            first.rows
        ),
        row_header: "Method".to_owned(),
        columns,
        rows: set
            .groups
            .iter()
            .filter(|group| group.evaluations().any(|e| e.calibrated.is_some()))
            .map(row)
            .collect(),
    })
}

/// What is left, and how wrong, when rows above a limit go to a person; the limits keep shares of the calibration rows.
pub(crate) fn referral(set: &SetGroups<'_>) -> Option<SummaryTable> {
    let group = set.groups.iter().find(|group| {
        group.evaluations().any(|e| e.calibrated.as_ref().is_some_and(|found| !found.referral.is_empty()))
    })?;
    let found = group.evaluations().find_map(|e| e.calibrated.as_ref())?;
    let one = |value: f64| Estimate::of([value]);
    let (limit, risk) = if set.regression {
        (plain("standard deviation up to", Notation::Decimal), plain("RMSE of the kept", Notation::Decimal))
    } else {
        (plain("stated risk up to", Notation::Decimal), plain("errors of the kept", Notation::Percent))
    };
    type Cell = fn(&ReferralPoint) -> Option<f64>;
    let optional: [(&str, Cell); 3] = [
        ("expected cost of the kept", |point| point.expected_cost),
        ("cost of the kept", |point| point.cost),
        ("cost of all, persons included", |point| point.total_cost),
    ];
    let costs = optional.iter().filter(|(_, cost)| found.referral.iter().any(|point| cost(point).is_some()));
    let costs: Vec<_> = costs.collect();
    let shown = found.referral.iter().filter(|point| SHOWN_SHARES.contains(&point.keep_share));
    let row = |point: &ReferralPoint, chosen: &str| SummaryRow {
        label: format!("{} %{chosen}", percent(point.keep_share)),
        origin: Origin::Ours,
        cells: [one(point.limit), one(point.kept), point.risk.and_then(one)]
            .into_iter()
            .chain(costs.iter().map(|(_, cost)| cost(point).and_then(one)))
            .collect(),
    };
    let is_chosen =
        |point: &ReferralPoint| found.chosen.is_some_and(|one| one.keep_share == point.keep_share);
    let mut rows: Vec<(f64, SummaryRow)> =
        shown.filter(|point| !is_chosen(point)).map(|point| (point.keep_share, row(point, ""))).collect();
    rows.extend(found.chosen.iter().map(|point| (point.keep_share, row(point, ", chosen"))));
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let costs = costs.iter().map(|(name, _)| plain(name, Notation::Decimal));
    Some(SummaryTable {
        title: "Referral".to_owned(),
        caption: format!(
            "{}: rows whose prediction states more risk than the limit go to a person. Each limit keeps the share on the left of the \
             calibration rows (`rank1 predict --keep-share`).",
            group.label
        ),
        row_header: "Kept of the calibration rows".to_owned(),
        columns: [limit, plain("kept here", Notation::Percent), risk].into_iter().chain(costs).collect(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
}

/// The share of the calibration rows that each run's chosen limit keeps.
pub(crate) fn chosen_shares<'a>(group: &'a Group<'_>) -> impl Iterator<Item = f64> + 'a {
    let found = group.evaluations().filter_map(|e| e.calibrated.as_ref());
    found.filter_map(|found| found.chosen.as_ref()).map(|point| point.keep_share)
}

fn of_groups<'a>(set: &'a SetGroups<'_>) -> impl Iterator<Item = &'a CalibratedDocument> {
    set.groups.iter().flat_map(|group| group.evaluations()).filter_map(|e| e.calibrated.as_ref())
}

fn plain(label: &str, notation: Notation) -> SummaryColumn {
    SummaryColumn { label: label.to_owned(), unit: None, better: Better::Neither, notation }
}
