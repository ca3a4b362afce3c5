//! `results.json`, `results.csv` and `comparison.json`: every mean, error and single value, ours and published.
//!
//! Not for what is measured by a clock; see [`super::times`].

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::json;

use super::experiment::Experiment;
use super::question::Verdict;
use super::tables::BlockView;
use super::times::is_time;

/// What was run, beside the numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Header<'a> {
    pub(crate) experiment: &'a str,
    pub(crate) title: &'a str,
    /// What differs from the experiment as written.
    pub(crate) notes: &'a [String],
    /// Programs that made the runs.
    pub(crate) programs: Vec<String>,
}

impl<'a> Header<'a> {
    pub(crate) fn new(experiment: &'a Experiment, notes: &'a [String]) -> Self {
        let (name, title) = (&experiment.name, &experiment.title);
        Self { experiment: name, title, notes, programs: vec![] }
    }
}

/// A row of the long table that both files hold.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a> {
    block: &'a str,
    set: &'a str,
    method: &'a str,
    /// `ours` or `published`.
    kind: &'static str,
    pub(crate) metric: &'a str,
    mean: f64,
    error: Option<f64>,
    n: usize,
    source: &'a str,
    values: Vec<f64>,
}

/// Writes the files.
pub(crate) fn write(
    out: &Path,
    header: &Header<'_>,
    views: &[BlockView<'_>],
    verdicts: &[Verdict],
) -> Result<()> {
    let rows: Vec<Row<'_>> = views.iter().flat_map(rows).filter(|row| !is_time(row.metric)).collect();
    let comparisons = |view: &BlockView<'_>| -> Vec<String> {
        let lines = view.block.comparisons.iter().filter_map(|comparison| view.compare(comparison));
        lines.map(|line| line.trim_start_matches("- ").to_owned()).collect()
    };
    let blocks: Vec<_> = views
        .iter()
        .map(|view| {
            let runs = view.cells.iter().flat_map(|cell| &cell.runs).map(|(job, outcome)| {
                json!({"folder": job.folder, "set": job.set, "method": job.method, "seed": job.seed, "split": job.split,
                    "trials": outcome.trials, "validation": outcome.validation})
            });
            let failed = view.cells.iter().flat_map(|cell| &cell.failed).map(|(job, reason)| {
                json!({"set": job.set, "method": job.method, "seed": job.seed, "split": job.split, "reason": reason})
            });
            let left_out = view.block.left_out.iter().map(|(set, reason)| json!({"set": set, "reason": reason}));
            json!({
                "name": view.block.name,
                "title": view.block.title,
                "runs": runs.collect::<Vec<_>>(),
                "failed": failed.collect::<Vec<_>>(),
                "not_run": left_out.collect::<Vec<_>>(),
                "comparisons": comparisons(view),
            })
        })
        .collect();
    let document = json!({"header": header, "questions": verdicts, "blocks": blocks, "results": rows});
    save(&out.join("results.json"), &format!("{}\n", serde_json::to_string_pretty(&document)?))?;
    save(
        &out.join("comparison.json"),
        &format!("{}\n", serde_json::to_string_pretty(&comparison(views, &rows))?),
    )?;
    save(&out.join("results.csv"), &csv(views, &rows))
}

/// What a report needs beside the runs: published figures and the sets that were left out.
fn comparison(views: &[BlockView<'_>], rows: &[Row<'_>]) -> serde_json::Value {
    let claims = rows.iter().filter(|row| row.kind == "published").map(|row| {
        json!({"set": row.set, "method": row.method, "metric": row.metric, "claimed": row.mean,
            "standard_error": row.error, "source": row.source})
    });
    let left_out = views.iter().flat_map(|view| {
        let methods = view.block.methods.iter();
        methods.flat_map(|method| {
            view.block.left_out.iter().map(move |(set, reason)| (set, &method.name, reason))
        })
    });
    let not_run =
        left_out.map(|(set, method, reason)| json!({"set": set, "method": method, "reason": reason}));
    json!({"tables": [], "claims": claims.collect::<Vec<_>>(), "not_run": not_run.collect::<Vec<_>>()})
}

/// Written under another name first: no half file keeps the final name.
pub(crate) fn save(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_added_extension("partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Every metric of every cell, and the published figures of the columns.
pub(crate) fn rows<'a>(view: &'a BlockView<'a>) -> Vec<Row<'a>> {
    let block = &view.block.name;
    let mut rows = Vec::new();
    for cell in view.cells {
        for metric in cell.metrics() {
            let Some(estimate) = cell.estimate(metric) else { continue };
            let (mean, error, n, values) = (estimate.mean, estimate.error, estimate.n, cell.values(metric));
            let (set, method) = (&cell.set, &cell.method);
            rows.push(Row {
                block,
                set,
                method,
                kind: "ours",
                metric,
                mean,
                error,
                n,
                source: "this run",
                values,
            });
        }
    }
    let left_out = view.block.left_out.iter().map(|(set, _)| set);
    for set in view.block.sets.iter().map(|set| &set.name).chain(left_out) {
        for published in &view.block.published {
            for column in &view.block.columns {
                let (method, metric) = (&published.method, &column.metric);
                let benchmark = view.block.benchmark.as_deref().unwrap_or_default();
                let Some(claim) = view.claims.find(benchmark, set, published, metric) else { continue };
                let (mean, error, source) = (claim.estimate.mean, claim.estimate.error, claim.source);
                rows.push(Row {
                    block,
                    set,
                    method,
                    kind: "published",
                    metric,
                    mean,
                    error,
                    n: 0,
                    source,
                    values: vec![],
                });
            }
        }
    }
    rows
}

fn csv(views: &[BlockView<'_>], rows: &[Row<'_>]) -> String {
    let mut text = String::from("block,set,method,kind,metric,mean,error,n,source\n");
    let mut line = |fields: [&str; 9]| {
        text.push_str(&fields.map(quoted).join(","));
        text.push('\n');
    };
    for row in rows {
        let n = if row.kind == "ours" { row.n.to_string() } else { String::new() };
        let error = row.error.map(|error| error.to_string()).unwrap_or_default();
        line([
            row.block,
            row.set,
            row.method,
            row.kind,
            row.metric,
            &row.mean.to_string(),
            &error,
            &n,
            row.source,
        ]);
    }
    for view in views {
        for (job, reason) in view.cells.iter().flat_map(|cell| &cell.failed) {
            line([&view.block.name, &job.set, &job.method, "failed", &job.title(), "", "", "", reason]);
        }
        for (set, reason) in &view.block.left_out {
            line([&view.block.name, set, "", "not run", "", "", "", "", reason]);
        }
    }
    text
}

/// A CSV field after RFC 4180.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_quotes_or_line_breaks_are_quoted() {
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a, b"), "\"a, b\"");
        assert_eq!(quoted("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(quoted("a\nb"), "\"a\nb\"");
    }
}
