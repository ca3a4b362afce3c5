//! Columns that count the rows, as pandas writes its index: no inputs, because they tell where a row stood in a file.
//!
//! Not for other columns of numbers that grow; whether they are inputs is the user's to say (`ignore`).

use super::notes::TableNote;
use super::options::CsvOptions;
use super::read::Table;

/// The columns of this kind, unless they are to be kept: without a name, or with the one that pandas gives such columns when it
/// reads them again, and 0, 1, 2, … or 1, 2, 3, … from the first row to the last.
pub(super) fn index_columns(table: &Table, target: &str, options: &CsvOptions) -> Vec<String> {
    if options.keep_index || table.n_rows() < 2 {
        return Vec::new();
    }
    let listed =
        |name: &String| name == target || options.ignore.contains(name) || options.categorical.contains(name);
    let counts = |position: usize| {
        [0, 1].iter().any(|first| {
            let mut numbers =
                table.column(position).map(|cell| cell.text().parse::<usize>().ok()).zip(*first..);
            numbers.all(|(cell, number)| cell == Some(number))
        })
    };
    let named = table.header.iter().enumerate().filter(|(_, name)| is_index_name(name) && !listed(name));
    named.filter(|(position, _)| counts(*position)).map(|(_, name)| name.clone()).collect()
}

/// An empty name, `Unnamed: 0`, or `Unnamed: 0.1` of an index that was written twice.
fn is_index_name(name: &str) -> bool {
    let Some(number) = name.strip_prefix("Unnamed: 0") else { return name.is_empty() };
    number.is_empty() || number.strip_prefix('.').is_some_and(|n| n.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What should be said of them.
pub(super) fn index_note(table: &Table, columns: Vec<String>) -> Option<TableNote> {
    (!columns.is_empty()).then(|| TableNote::Index { path: table.path.clone(), columns })
}
