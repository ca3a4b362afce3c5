//! Calibrations and what they make of rows.

use std::path::Path;

use anyhow::Result;

use super::{number, plain, say};
use crate::calibration::{Artefact, Costs, Level, percent};
use crate::report::table_document::CalibratedDocument;

/// Prints what a calibration holds.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_calibration(artefact: &Artefact, run: &Path) -> Result<()> {
    let Artefact { rows, adjustment, conformal, in_sample, .. } = artefact;
    say(&format!("{}: {} rows of {}", run.join("calibration.json").display(), rows.n, rows.name))?;
    let classes = !artefact.class_names.is_empty();
    if let Some(map) = adjustment {
        let error = if classes { "ECE, 15 bins" } else { "quantile calibration error" };
        let map = map.to_string();
        let mut table = plain(&[map.as_str(), "before", "after"]);
        for (name, [before, after]) in
            [("NLL, mixture (nats)", in_sample.nll), (error, in_sample.calibration_error)]
        {
            table.add_row([name.to_owned(), number(before), number(after)]);
        }
        say(&table.to_string())?;
    }
    let size = if classes { "classes in a set" } else { "width" };
    let mut table = plain(&[conformal.method.name(), "rank", "threshold", "coverage", size]);
    for level in &conformal.levels {
        let name = format!("{} %", percent(level.coverage));
        let of_all = [
            level.rank.map_or("-".into(), |rank| rank.to_string()),
            level.threshold.map_or("-".into(), number),
        ];
        let seen = [number(level.in_sample_coverage), number(level.in_sample_size)];
        table.add_row([vec![name], of_all.to_vec(), seen.to_vec()].concat());
        class_rows(level, &mut table);
    }
    say(&table.to_string())?;
    if let Some(choice) = &artefact.referral {
        let why = match &choice.costs {
            Some(Costs { referral: Some(cost), .. }) => format!(", least cost where a person costs {cost}"),
            _ => String::new(),
        };
        let (share, limit) = (percent(choice.keep_share), number(choice.limit));
        say(&format!("above a stated risk of {limit} to a person: keeps {share} % of these rows{why}"))?;
    }
    say("All numbers are of the calibration rows themselves, so in-sample; `rank1 evaluate` measures others.")
}

fn class_rows(level: &Level, table: &mut comfy_table::Table) {
    for class in &level.classes {
        let threshold = class.threshold.map_or("in every set".into(), number);
        let name = format!("  {} ({} rows)", class.class, class.rows);
        table.add_row([name, class.rank.to_string(), threshold, String::new(), String::new()]);
    }
}

/// Prints what a calibration makes of evaluated rows.
///
/// # Errors
/// A stdout that takes no more.
pub(super) fn print_calibrated(found: &CalibratedDocument, classes: bool) -> Result<()> {
    let map = found.map.as_deref().unwrap_or("no map");
    let in_sample = if found.in_sample { "; these very rows, so in-sample" } else { "" };
    say(&format!("calibrated on {} rows of {}: {map}{in_sample}", found.n_rows, found.rows))?;
    let mut table = plain(&["metric", "calibrated"]);
    for (key, name) in super::NAMES.iter().filter(|(key, _)| found.metrics.contains_key(*key)) {
        table.add_row([(*name).to_owned(), number(found.metrics[*key])]);
    }
    say(&table.to_string())?;
    let size = if classes { "classes in a set" } else { "width" };
    let by_class = if found.per_class { " by class" } else { "" };
    let method = format!("{}{by_class}", found.method);
    let mut table = plain(&[method.as_str(), "coverage", size, "empty"]);
    for level in &found.levels {
        let name = format!("{} %", percent(level.coverage));
        table.add_row([name, number(level.observed), number(level.size), level.n_empty.to_string()]);
    }
    say(&table.to_string())
}
