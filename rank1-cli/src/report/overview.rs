//! One table over all data sets per metric that every data set has, so that many sets can be seen at once.

use super::comparison::{Claim, Comparison, Estimate, Origin, SummaryColumn, SummaryRow, SummaryTable};
use super::group::{Group, SetGroups};
use super::metric::{Metric, NLL, known, method_label};

/// Methods by data sets, for each task with at least two data sets.
pub(crate) fn overview(sets: &[SetGroups<'_>], comparison: &Comparison) -> Vec<SummaryTable> {
    let mut tables = Vec::new();
    for (regression, second) in [(false, "accuracy"), (true, "rmse")] {
        let of_task: Vec<&SetGroups<'_>> = sets.iter().filter(|set| set.regression == regression).collect();
        if of_task.len() < 2 {
            continue;
        }
        let metrics = [Some(&NLL), known(second)].into_iter().flatten();
        tables.extend(metrics.map(|metric| one_metric(&of_task, comparison, metric)));
    }
    tables
}

fn one_metric(sets: &[&SetGroups<'_>], comparison: &Comparison, metric: &Metric) -> SummaryTable {
    let shown = metric.column(sets[0].regression);
    let columns = sets.iter().map(|set| {
        // Sets differ in size, so their numbers of splits may.
        let runs = set.groups.iter().map(Group::n).max().unwrap_or(0);
        let unit = format!("{runs} run{}", if runs == 1 { "" } else { "s" });
        SummaryColumn { label: set.set.clone(), unit: Some(unit), ..shown.clone() }
    });
    let mut rows: Vec<SummaryRow> = Vec::new();
    for label in labels(sets) {
        let of_set = |set: &&SetGroups<'_>| {
            set.groups.iter().find(|group| group.label == label).and_then(|group| group.metric(metric))
        };
        rows.push(SummaryRow {
            label: label.to_owned(),
            origin: Origin::Ours,
            cells: sets.iter().map(of_set).collect(),
        });
    }
    rows.extend(published(sets, comparison, metric));
    let unit = shown.unit.as_ref().map_or_else(String::new, |unit| format!(" ({unit})"));
    SummaryTable {
        title: format!("{}{unit} by data set", shown.label),
        caption:
            "Mean ± standard error over runs; the greatest number of runs of a method stands below each set."
                .to_owned(),
        row_header: "Method".to_owned(),
        columns: columns.collect(),
        rows,
    }
}

/// Names of all methods in the order of first appearance.
fn labels<'a>(sets: &[&'a SetGroups<'_>]) -> Vec<&'a str> {
    let mut labels: Vec<&str> = Vec::new();
    for group in sets.iter().flat_map(|set| &set.groups) {
        if !labels.contains(&group.label.as_str()) {
            labels.push(&group.label);
        }
    }
    labels
}

/// One row per method and source that says anything of these sets.
fn published(sets: &[&SetGroups<'_>], comparison: &Comparison, metric: &Metric) -> Vec<SummaryRow> {
    let about = |claim: &&Claim| metric.is(&claim.metric) && sets.iter().any(|set| set.set == claim.set);
    let claims: Vec<&Claim> = comparison.claims.iter().filter(about).collect();
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for claim in &claims {
        if !keys.contains(&(&claim.method, &claim.source)) {
            keys.push((&claim.method, &claim.source));
        }
    }
    let row = |(method, source): (&str, &str)| {
        let of_set = |set: &&SetGroups<'_>| {
            let claim = claims
                .iter()
                .find(|claim| claim.set == set.set && claim.method == method && claim.source == source)?;
            Some(Estimate { mean: claim.claimed, standard_error: claim.standard_error, n: 1 })
        };
        SummaryRow {
            label: method_label(method),
            origin: Origin::Published { source: source.to_owned() },
            cells: sets.iter().map(of_set).collect(),
        }
    };
    keys.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fabricated::{Fabricated, classification, regression};
    use super::super::group::group_runs;
    use super::*;

    #[test]
    fn a_task_with_two_sets_has_a_table_per_metric_with_the_published_rows() {
        let on = |set| Fabricated { set, ..Fabricated::default() };
        let runs = [regression(&on("boston")), regression(&on("yacht")), classification(&on("mnist10k"))];
        let claim = Claim {
            set: "yacht".to_owned(),
            method: "pbp".to_owned(),
            metric: "nll".to_owned(),
            claimed: 1.63,
            ..Claim::default()
        };
        let comparison = Comparison { claims: vec![claim], ..Comparison::default() };
        let tables = overview(&group_runs(&runs), &comparison);
        let titles: Vec<&str> = tables.iter().map(|table| table.title.as_str()).collect();
        assert_eq!(titles, ["NLL, mixture (nats) by data set", "RMSE (target unit) by data set"]);
        let cells = &tables[0].rows[1].cells;
        assert_eq!((cells[0], cells[1].map(|cell| cell.mean)), (None, Some(1.63)));
        assert_eq!(tables[1].rows.len(), 1);
    }
}
