//! Builds the tables of one data set from its groups of runs and the published figures.

use super::charts::shift::{kind_label, shift_kinds};
use super::comparison::{
    Better, Claim, Comparison, Estimate, Notation, Origin, SummaryColumn, SummaryRow, SummaryTable,
};
use super::group::{Group, SetGroups};
use super::input::RunDocument;
use super::metric::{METRICS, Metric, NLL, known, method_label};
use super::table_document::BaselineDocument;

/// The main table: headline metrics of every method, published figures, methods that were not run.
pub(crate) fn headline(set: &SetGroups<'_>, comparison: &Comparison) -> SummaryTable {
    let claims = claims_of(set, comparison);
    let metrics: Vec<&Metric> = METRICS
        .iter()
        .filter(|metric| metric.headline)
        .filter(|metric| {
            set.groups.iter().any(|group| group.metric(metric).is_some())
                || claims.iter().any(|claim| metric.is(&claim.metric))
        })
        .collect();
    let mut columns: Vec<SummaryColumn> = vec![count("Runs")];
    columns.extend(metrics.iter().map(|metric| metric.column(set.regression)));
    let kinds = shift_kinds(set);
    columns.extend(kinds.iter().map(|kind| {
        let column = NLL.column(set.regression);
        SummaryColumn { label: format!("NLL, {}", kind_label(kind).0), ..column }
    }));
    let mut rows: Vec<SummaryRow> = set.groups.iter().map(|group| ours(group, &metrics, &kinds)).collect();
    rows.extend(constant(set, &metrics));
    rows.extend(linear(set, &metrics));
    rows.extend(published(&claims, &metrics));
    rows.extend(comparison.not_run.iter().filter(|row| row.set == set.set).map(|row| SummaryRow {
        label: method_label(&row.method),
        origin: Origin::NotRun { reason: row.reason.clone() },
        cells: Vec::new(),
    }));
    SummaryTable {
        title: "Results".to_owned(),
        caption: "Mean ± standard error over runs (seeds or splits). ↓ lower is better, ↑ higher is better, bold: best mean of \
                  those run here, –: does not apply or not measured.".to_owned(),
        row_header: "Method".to_owned(),
        columns,
        rows,
    }
}

fn count(label: &str) -> SummaryColumn {
    SummaryColumn { label: label.to_owned(), notation: Notation::Count, ..SummaryColumn::default() }
}

fn exactly(value: f64) -> Option<Estimate> {
    Some(Estimate { mean: value, standard_error: None, n: 1 })
}

fn ours(group: &Group<'_>, metrics: &[&Metric], kinds: &[&str]) -> SummaryRow {
    let mut cells = vec![exactly(group.n() as f64)];
    cells.extend(metrics.iter().map(|metric| group.metric(metric)));
    cells.extend(kinds.iter().map(|kind| group.estimate(|run| mean_over_severities(run, kind))));
    SummaryRow { label: group.label.clone(), origin: Origin::Ours, cells }
}

/// What a constant would reach on the same rows; none where no run says it.
fn constant(set: &SetGroups<'_>, metrics: &[&Metric]) -> Option<SummaryRow> {
    let runs = || set.groups.iter().flat_map(|group| &group.runs);
    if runs().all(|run| run.evaluation.constant.is_empty()) {
        return None;
    }
    // Every method has the same test rows, so that the mean over all runs is the mean over seeds or splits.
    let cell = |metric: &&Metric| {
        let values = Estimate::of(runs().filter_map(|run| metric.value(&run.evaluation.constant)))?;
        exactly(values.mean)
    };
    let cells = std::iter::once(None).chain(metrics.iter().map(cell)).collect();
    Some(SummaryRow { label: "Constant prediction".to_owned(), origin: Origin::Ours, cells })
}

/// Linear models on the same rows, or why there are none.
fn linear(set: &SetGroups<'_>, metrics: &[&Metric]) -> Vec<SummaryRow> {
    let baselines =
        || set.groups.iter().flat_map(Group::evaluations).flat_map(|evaluation| &evaluation.baselines);
    let mut names: Vec<&str> = Vec::new();
    for baseline in baselines() {
        if !names.contains(&baseline.name.as_str()) {
            names.push(&baseline.name);
        }
    }
    let row = |name: &str| {
        let alike = || baselines().filter(|baseline| baseline.name == name);
        let label = alike().next().map_or(name, BaselineDocument::label).to_owned();
        if alike().all(|baseline| baseline.left_out.is_some()) {
            let reason = alike().find_map(|baseline| baseline.left_out.clone()).unwrap_or_default();
            return SummaryRow { label, origin: Origin::NotRun { reason }, cells: Vec::new() };
        }
        let cell = |metric: &&Metric| {
            let values = Estimate::of(alike().filter_map(|baseline| metric.value(&baseline.metrics)))?;
            exactly(values.mean)
        };
        let cells = std::iter::once(None).chain(metrics.iter().map(cell)).collect();
        SummaryRow { label, origin: Origin::Ours, cells }
    };
    names.into_iter().map(row).collect()
}

/// Mean mixture NLL over the severities of one kind of shift; `None` if it is missing at any of them, since a mean
/// without the worst severity would flatter.
fn mean_over_severities(run: &RunDocument, kind: &str) -> Option<f64> {
    let of_kind = run.evaluation.shifts.iter().filter(|point| point.kind == kind && point.severity != 0.0);
    let values: Option<Vec<f64>> = of_kind.map(|point| NLL.value(&point.metrics)).collect();
    Estimate::of(values?).map(|estimate| estimate.mean)
}

/// Size of every method and what it costs.
pub(crate) fn size_and_cost(set: &SetGroups<'_>) -> SummaryTable {
    let seconds = |label: &str, unit: &str| SummaryColumn {
        label: label.to_owned(),
        unit: Some(unit.to_owned()),
        ..SummaryColumn::default()
    };
    let row = |group: &Group<'_>| {
        let run = &group.runs[0].run;
        let size = |value: f64| (value > 0.0).then_some(value).and_then(exactly);
        SummaryRow {
            label: group.label.clone(),
            origin: Origin::Ours,
            cells: vec![
                size(run.n_members as f64),
                size(run.samples as f64),
                size(run.parameters as f64),
                group.estimate(|run| Some(run.run.wall_seconds)),
                group.estimate(|run| run.run.microseconds_per_prediction),
            ],
        }
    };
    SummaryTable {
        title: "Size and cost".to_owned(),
        caption: "Members K, draws S per member at evaluation, trained parameters of all members, wall-clock time of \
                  training, and time per predicted example with all members and draws."
            .to_owned(),
        row_header: "Method".to_owned(),
        columns: vec![
            count("K"),
            count("S"),
            count("Parameters"),
            seconds("Training", "s"),
            seconds("Prediction", "µs"),
        ],
        rows: set.groups.iter().map(row).collect(),
    }
}

/// Claims about this set, from the comparison and from the runs, each once.
fn claims_of<'a>(set: &'a SetGroups<'_>, comparison: &'a Comparison) -> Vec<&'a Claim> {
    let of_runs =
        set.groups.iter().flat_map(|group| &group.runs).filter_map(|run| run.run.published.as_ref());
    let mut claims: Vec<&Claim> = Vec::new();
    for claim in comparison.claims.iter().chain(of_runs.flatten()) {
        if claim.set == set.set && !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}

/// One row per method and source.
fn published(claims: &[&Claim], metrics: &[&Metric]) -> Vec<SummaryRow> {
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for claim in claims {
        if !rows.contains(&(&claim.method, &claim.source)) {
            rows.push((&claim.method, &claim.source));
        }
    }
    let cell = |(method, source): (&str, &str), metric: &Metric| {
        let claim = claims
            .iter()
            .find(|claim| claim.method == method && claim.source == source && metric.is(&claim.metric))?;
        Some(Estimate { mean: claim.claimed, standard_error: claim.standard_error, n: 1 })
    };
    rows.into_iter()
        .map(|row| SummaryRow {
            label: method_label(row.0),
            origin: Origin::Published { source: row.1.to_owned() },
            cells: std::iter::once(None).chain(metrics.iter().map(|metric| cell(row, metric))).collect(),
        })
        .collect()
}

/// Members alone beside the predictive of all; `None` where no method has several.
pub(crate) fn members(set: &SetGroups<'_>) -> Option<SummaryTable> {
    let with_members: Vec<&Group<'_>> = set
        .groups
        .iter()
        .filter(|group| group.evaluations().any(|evaluation| evaluation.member_metrics.len() > 1))
        .collect();
    if with_members.is_empty() {
        return None;
    }
    let second = known(if set.regression { "rmse" } else { "accuracy" });
    let metrics: Vec<&Metric> = [Some(&NLL), second].into_iter().flatten().collect();
    let mut columns = vec![count("Members K")];
    for metric in &metrics {
        for (suffix, better) in [("one member", Better::Neither), ("all members", metric.better)] {
            let column = metric.column(set.regression);
            columns.push(SummaryColumn { label: format!("{}, {suffix}", column.label), better, ..column });
        }
    }
    let rows = with_members.iter().map(|group| {
        let members =
            group.evaluations().map(|evaluation| evaluation.member_metrics.len()).max().unwrap_or(0);
        let mut cells = vec![exactly(members as f64)];
        for metric in &metrics {
            cells.push(group.estimate(|run| {
                let members = run.evaluation.member_metrics.iter().filter_map(|member| metric.value(member));
                Estimate::of(members).map(|estimate| estimate.mean)
            }));
            cells.push(group.metric(metric));
        }
        SummaryRow { label: group.label.clone(), origin: Origin::Ours, cells }
    });
    Some(SummaryTable {
        title: "Members alone and together".to_owned(),
        caption:
            "What averaging over members gains. \"One member\" is the mean over members, each predicting by \
                  itself; without a gain the members have collapsed onto each other."
                .to_owned(),
        row_header: "Method".to_owned(),
        rows: rows.collect(),
        columns,
    })
}

/// Every metric that the main table leaves out, known ones first; `None` without any.
pub(crate) fn remaining(set: &SetGroups<'_>) -> Option<SummaryTable> {
    let present = |metric: &&Metric| set.groups.iter().any(|group| group.metric(metric).is_some());
    let metrics: Vec<&Metric> = METRICS.iter().filter(|metric| !metric.headline).filter(present).collect();
    let mut others: Vec<&str> = set
        .groups
        .iter()
        .flat_map(|group| &group.runs)
        .flat_map(|run| run.evaluation.metrics.keys().map(String::as_str))
        .filter(|key| known(key).is_none())
        .collect();
    others.sort_unstable();
    others.dedup();
    if metrics.is_empty() && others.is_empty() {
        return None;
    }
    let mut columns: Vec<SummaryColumn> =
        metrics.iter().map(|metric| metric.column(set.regression)).collect();
    columns.extend(
        others.iter().map(|key| SummaryColumn { label: (*key).to_owned(), ..SummaryColumn::default() }),
    );
    let rows = set.groups.iter().map(|group| {
        let mut cells: Vec<_> = metrics.iter().map(|metric| group.metric(metric)).collect();
        cells
            .extend(others.iter().map(|key| group.estimate(|run| run.evaluation.metrics.get(*key).copied())));
        SummaryRow { label: group.label.clone(), origin: Origin::Ours, cells }
    });
    Some(SummaryTable {
        row_header: "Method".to_owned(),
        rows: rows.collect(),
        columns,
        ..SummaryTable::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::comparison::NotRun;
    use super::super::fabricated::{Fabricated, regression};
    use super::super::group::group_runs;
    use super::*;

    fn claim(metric: &str, claimed: f64) -> Claim {
        Claim {
            set: "boston".to_owned(),
            method: "pbp".to_owned(),
            metric: metric.to_owned(),
            claimed,
            standard_error: None,
            source: "S".to_owned(),
        }
    }

    #[test]
    fn claims_on_one_method_share_a_row_below_ours() {
        let mut run = regression(&Fabricated { set: "boston", ..Fabricated::default() });
        run.run.published = Some(vec![claim("rmse", 3.01)]);
        let comparison = Comparison {
            claims: vec![
                claim("rmse", 3.01),
                claim("nll", 2.57),
                Claim { set: "wine".to_owned(), ..claim("nll", 0.9) },
            ],
            not_run: vec![NotRun {
                set: "boston".to_owned(),
                method: "flipout".to_owned(),
                reason: "slow".to_owned(),
            }],
            ..Comparison::default()
        };
        let runs = [run];
        let table = headline(&group_runs(&runs)[0], &comparison);
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[1].label, "Ridge regression");
        let place = table.columns.iter().position(|column| column.label == "RMSE").unwrap();
        assert_eq!(table.rows[2].cells[place].unwrap().mean, 3.01);
        assert_eq!(table.rows[3].origin, Origin::NotRun { reason: "slow".to_owned() });
    }

    #[test]
    fn a_metric_without_words_is_listed_under_its_key() {
        let mut run = regression(&Fabricated::default());
        run.evaluation.metrics.insert("novel_score".to_owned(), 0.5);
        let runs = [run];
        let table = remaining(&group_runs(&runs)[0]).unwrap();
        assert!(table.columns.iter().any(|column| column.label == "novel_score"));
    }

    #[test]
    fn one_member_is_the_mean_over_members() {
        let mut run = regression(&Fabricated::default());
        run.evaluation.member_metrics =
            [2.0, 4.0].map(|nll| [("nll".to_owned(), nll)].into_iter().collect()).to_vec();
        let runs = [run];
        let table = members(&group_runs(&runs)[0]).unwrap();
        assert_eq!(table.rows[0].cells[1].unwrap().mean, 3.0);
    }
}
