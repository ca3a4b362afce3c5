//! Whitespace-separated number files: the table of a UCI set and its index lists.
//!
//! Not for tables with a header; see [`crate::table`].

use ndarray::Array2;

use super::files::Files;
use crate::Error;

/// Reads a table of finite numbers; blank lines are skipped.
pub(super) fn table(files: &Files, key: &str) -> Result<Array2<f64>, Error> {
    let mut values = Vec::new();
    let (mut n_rows, mut n_columns) = (0, 0);
    for (row, line) in lines(files, key)? {
        let before = values.len();
        for (position, field) in line.split_whitespace().enumerate() {
            values.push(field.parse::<f64>().ok().filter(|value| (*value as f32).is_finite()).ok_or_else(
                || {
                    let (value, expected) = (field.to_owned(), "a finite number");
                    Error::Parse { path: files.path(key), row, column: position + 1, value, expected }
                },
            )?);
        }
        let got = values.len() - before;
        if n_rows == 0 {
            n_columns = got;
        } else if got != n_columns {
            return Err(Error::FieldCount { path: files.path(key), row, expected: n_columns, got });
        }
        n_rows += 1;
    }
    Ok(Array2::from_shape_vec((n_rows, n_columns), values).expect("every row has n_columns fields"))
}

/// Reads row or column numbers, each below `limit`.
pub(super) fn indices(files: &Files, key: &str, limit: usize) -> Result<Vec<usize>, Error> {
    let mut indices = Vec::new();
    for (row, line) in lines(files, key)? {
        for (position, field) in line.split_whitespace().enumerate() {
            let index: usize = field.parse().map_err(|_| {
                let (value, expected) = (field.to_owned(), "a row or column number");
                Error::Parse { path: files.path(key), row, column: position + 1, value, expected }
            })?;
            if index >= limit {
                return Err(Error::IndexOutOfRange { path: files.path(key), row, index, limit });
            }
            indices.push(index);
        }
    }
    Ok(indices)
}

/// The lines that are not blank, with their 1-based numbers; at least one.
fn lines(files: &Files, key: &str) -> Result<Vec<(usize, String)>, Error> {
    let text = String::from_utf8_lossy(files.bytes(key)?);
    let lines: Vec<_> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect();
    if lines.is_empty() {
        return Err(Error::EmptyFile { path: files.path(key) });
    }
    Ok(lines)
}
