//! Figures of runs on a table: rows, columns and members; each is `None` for runs that were evaluated without them.
//!
//! Of a method with several runs the first is drawn: rows and bins of another split are other ones.

pub(crate) mod columns;
pub(crate) mod members;
pub(crate) mod rows;

use super::super::group::{Group, SetGroups};
use super::super::input::Evaluation;
use super::super::table_document::TableDocument;
use super::figure::Figure;

/// One method whose table is known.
struct Shown<'a> {
    group: &'a Group<'a>,
    evaluation: &'a Evaluation,
    table: &'a TableDocument,
}

/// All figures about a table, in reading order.
pub(crate) fn figures(set: &SetGroups<'_>) -> Vec<Figure> {
    let all = [
        rows::observed(set),
        rows::errors(set),
        rows::coverage(set),
        columns::importance(set),
        columns::slices(set),
        members::alone(set),
    ];
    all.into_iter().flatten().collect()
}

fn shown<'a>(set: &'a SetGroups<'a>) -> Vec<Shown<'a>> {
    let first = |group: &'a Group<'a>| {
        let evaluation = group.evaluations().next()?;
        Some(Shown { group, evaluation, table: evaluation.table.as_ref()? })
    };
    set.groups.iter().filter_map(first).collect()
}

/// What a caption adds where a method has several runs.
fn first_only(shown: &[Shown<'_>]) -> &'static str {
    if shown.iter().any(|one| one.group.n() > 1) { " Of several runs the first is shown." } else { "" }
}

/// The heading of a panel; none where there is one.
fn heading(shown: &[Shown<'_>], one: &Shown<'_>) -> String {
    if shown.len() > 1 { one.group.label.clone() } else { String::new() }
}
