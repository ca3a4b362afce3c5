//! `rank1 watch`: new rows against what a run remembers of its training rows.

use anyhow::{Context, Result, bail};
use rank1_models::device::Compute;

use crate::args::WatchArgs;
use crate::model::Model;
use crate::reference::{self, FEWEST_ROWS, Reference};
use crate::watch::{Findings, NewRows};
use crate::{run_split, tables};

/// Names that are told where the check fails; of more, the number is.
const NAMED: usize = 5;

/// A check that `--fail-above` asked for and that failed; the text says by what.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Shifted(String);

/// Reads, predicts, compares and prints; nothing is stored but the reference of a run that had none.
///
/// # Errors
/// A damaged run, rows that do not fit, too few of them; [`Shifted`] where `--fail-above` asked for it.
pub fn run(args: &WatchArgs) -> Result<()> {
    if !(args.alpha > 0.0 && args.alpha < 1.0) {
        bail!("--alpha: expected a probability strictly between 0 and 1, got {}", args.alpha);
    }
    if let Some(distance) = args.fail_above.filter(|distance| !(0.0..1.0).contains(distance)) {
        bail!("--fail-above: expected a distance from 0 to below 1, got {distance}");
    }
    let mut model = Model::open(&args.run, &Compute::open(args.device.clone())?, None)?;
    let reference = match Reference::open(&args.run)? {
        Some(reference) => reference,
        None => made(&mut model, args)?,
    };
    let rows = NewRows::read(&model, args)?;
    if rows.part.len() < FEWEST_ROWS {
        bail!(
            "--input {}: expected at least {FEWEST_ROWS} rows, of fewer no shift can be told from chance; got {}",
            rows.name,
            rows.part.len()
        );
    }
    let samples = reference.scores.samples;
    let predictive = model.predict_part(&rows.part, samples)?;
    let draws = samples * model.n_members();
    let findings = Findings::of(&reference, &rows, &predictive, draws, (args.alpha, &args.ignore))?;
    if args.json {
        tables::print_json(&findings)?;
    } else {
        tables::print_findings(&findings)?;
    }
    args.fail_above.map_or(Ok(()), |distance| check(&findings, distance))
}

fn check(findings: &Findings, distance: f64) -> Result<()> {
    let found: Vec<String> = findings
        .above(distance)
        .map(|finding| format!("`{}` by {:.4}", finding.name, finding.distance))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = found[..found.len() - more].join(", ");
    Err(Shifted(format!("{}: shifted by more than {distance}: {named}{rest}", findings.input)).into())
}

/// The reference of a run that was trained before there were any, from its own data set.
fn made(model: &mut Model, args: &WatchArgs) -> Result<Reference> {
    let run = args.run.display();
    let source = run_split::open_unchanged(model, &args.run, args.data.as_deref(), args.json);
    let source = source.with_context(|| {
        format!(
            "{run} has no {}, which needs the run's own data set as it was (--data says where it is); or train it anew",
            reference::FILE
        )
    })?;
    let reference = Reference::make(model, &source, &args.run)?;
    let kept = match reference.write(&args.run) {
        Ok(()) => "kept in the run".to_owned(),
        // It is there all the same, for this comparison.
        Err(error) => format!("not kept: {error:#}"),
    };
    tables::note(&format!("note: {run} had no {}: made from its data set, {kept}", reference::FILE));
    Ok(reference)
}
