//! How new rows differ from those of training.

use anyhow::Result;

use super::{number, plain, say};
use crate::watch::{Errors, Finding, Findings, Share};

/// Columns that are printed; of more, the number is.
const SHOWN: usize = 15;

/// Prints what was found.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_findings(found: &Findings) -> Result<()> {
    let columns = if found.columns.is_empty() {
        String::new()
    } else {
        format!("columns of {} training rows, ", found.training_rows)
    };
    say(&format!(
        "{}: {} rows against {columns}scores of {} {} rows",
        found.input, found.rows, found.score_rows, found.score_rows_are
    ))?;
    if !found.columns.is_empty() {
        print_differences("column", "outside training", &found.columns[..found.columns.len().min(SHOWN)])?;
        if let Some(rest) = found.columns.get(SHOWN..).filter(|rest| !rest.is_empty()) {
            let shifted = rest.iter().filter(|finding| finding.shifted).count();
            say(&format!("and {} more columns, {shifted} of them shifted", rest.len()))?;
        }
    }
    if !found.ignored.is_empty() {
        say(&format!("left out as asked: {}", found.ignored.join(", ")))?;
    }
    for finding in &found.columns {
        print_levels(finding)?;
    }
    if let Some(outside) = found.outside {
        say(&format!(
            "rows with a number outside the training range or a level that training never saw: {}",
            share(outside)
        ))?;
    }
    print_differences("score", "outside reference", &found.scores)?;
    for (score, auroc) in found.scores.iter().filter_map(|score| Some((score, score.auroc?))) {
        say(&format!(
            "{}: higher than that of a reference row with a chance of {}",
            score.name,
            number(auroc)
        ))?;
    }
    if let Some(uncertain) = &found.uncertain {
        say(&format!(
            "epistemic uncertainty above {}, the 95th percentile of the reference: {}",
            number(uncertain.threshold),
            share(uncertain.above)
        ))?;
    }
    match &found.errors {
        Some(errors) => print_errors(errors)?,
        None => say("no labels: errors are not measured")?,
    }
    if found.shifted.is_empty() {
        return say(&format!("nothing is shifted (adjusted probabilities below {})", found.alpha));
    }
    let more = found.shifted.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = found.shifted[..found.shifted.len() - more].join(", ");
    say(&format!("shifted (adjusted probabilities below {}): {named}{rest}", found.alpha))
}

fn print_differences(what: &str, outside: &str, findings: &[Finding]) -> Result<()> {
    let mut table = plain(&[what, "distance", "adjusted p", outside, ""]);
    for finding in findings {
        let beyond = finding.outside.map_or("-".into(), share);
        let verdict = if finding.shifted { "shifted" } else { "" };
        let of = [number(finding.distance), number(finding.p_value), beyond, verdict.into()];
        table.add_row([vec![finding.name.clone()], of.to_vec()].concat());
    }
    say(&table.to_string())
}

fn print_levels(finding: &Finding) -> Result<()> {
    if let (Some(first), Some(outside)) = (&finding.first_unseen, finding.outside) {
        say(&format!(
            "`{}`: levels that training never saw, `{first}` first: {}",
            finding.name,
            share(outside)
        ))?;
    }
    match finding.shared_level {
        Some(shared) if shared.rows > 0 => {
            say(&format!("`{}`: levels that are rare in training or new: {}", finding.name, share(shared)))
        }
        _ => Ok(()),
    }
}

fn print_errors(errors: &Errors) -> Result<()> {
    let mut table = plain(&["error", "stated", "observed", "standard error", ""]);
    for check in &errors.checks {
        let verdict = if check.differs { "differs" } else { "" };
        let of = [check.expected, check.observed, check.standard_error].map(number);
        table.add_row([vec![check.name.clone()], of.to_vec(), vec![verdict.into()]].concat());
    }
    let of_nll = [String::new(), number(errors.nll), number(errors.nll_standard_error), String::new()];
    table.add_row([vec!["NLL, mixture (nats)".to_owned()], of_nll.to_vec()].concat());
    say(&table.to_string())
}

/// `12 of 400` as percent beside the number.
fn share(share: Share) -> String {
    format!("{} ({:.1} %)", share.rows, share.share * 100.0)
}
