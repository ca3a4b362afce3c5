//! `rank1 report`: finished runs in, one self-contained HTML page out.

use std::path::Path;

use anyhow::{Context, Result};

use crate::args::ReportArgs;
use crate::output::Output;
use crate::report::{Comparison, read_claims, read_run, render};
use crate::{run_start, tables};

/// Reads every run, renders, writes the page in one piece.
///
/// # Errors
/// Missing or malformed run folders, and a page that cannot be written.
pub fn run(args: &ReportArgs) -> Result<()> {
    let output = Output::at(&args.output)?;
    for run in &args.runs {
        output.spares(run)?;
        run_start::check_version(run)?;
    }
    for input in args.claims.iter().chain(&args.comparison) {
        output.differs_from(input)?;
    }
    let runs = args.runs.iter().map(|run| read_run(run)).collect::<Result<Vec<_>, _>>()?;
    let mut comparison = args.comparison.as_deref().map(read_comparison).transpose()?.unwrap_or_default();
    comparison.claims.extend(args.claims.as_deref().map(read_claims).transpose()?.unwrap_or_default());
    let page = render(&runs, &comparison, &args.title);
    output.write(page.as_bytes())?;
    tables::note(&format!("{} runs: {}", runs.len(), output));
    Ok(())
}

fn read_comparison(path: &Path) -> Result<Comparison> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
