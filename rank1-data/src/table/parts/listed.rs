//! Parts that a JSON file lists by row numbers.
//!
//! Not for parts in other files.

use std::path::Path;

use super::super::error::TableError;
use super::{PartError, PartRows};
use crate::Error;
use crate::error::short;

/// The rows as a file lists them, for a table of `n` rows.
///
/// # Errors
/// [`Error::Io`]; [`PartError::Form`], [`PartError::NoSuchRow`], [`PartError::RowTwice`].
pub(super) fn by_list(path: &Path, n: usize) -> Result<PartRows, Error> {
    let text = std::fs::read(path).map_err(Error::io(path))?;
    Ok(read(path, &text, n).map_err(TableError::from)?)
}

fn read(path: &Path, text: &[u8], n: usize) -> Result<PartRows, PartError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut rows: PartRows = serde_json::from_slice(text)
        .map_err(|error| PartError::Form { path: path.into(), reason: short(error) })?;
    let mut part_of: Vec<Option<&'static str>> = vec![None; n];
    for (part, listed) in
        [("training", &mut rows.train), ("validation", &mut rows.validation), ("test", &mut rows.test)]
    {
        for &row in listed.iter() {
            let path = || path.to_path_buf();
            let Some(known) = part_of.get_mut(row) else {
                return Err(PartError::NoSuchRow { path: path(), part, row, rows: n });
            };
            if let Some(first) = known.replace(part) {
                return Err(PartError::RowTwice { path: path(), row, first, second: part });
            }
        }
        listed.sort_unstable();
    }
    Ok(rows)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PartRows, PartError> {
        super::read(Path::new("parts.json"), text.as_bytes(), 6)
    }

    #[test]
    fn lists_are_sorted_and_validation_may_be_absent() {
        let rows = read(r#"{"train": [3, 0], "test": [5]}"#).unwrap();
        assert_eq!(rows, PartRows { train: vec![0, 3], validation: Vec::new(), test: vec![5] });
    }

    #[test]
    fn lists_with_faults_are_refused_on_one_line() {
        for (text, expected) in [
            (r#"{"train": [0, 6]}"#, "row 6 of the training part; the table has 6 rows, counted from 0"),
            (
                r#"{"train": [0, 0]}"#,
                "row 0 (counted from 0) stands twice, in the training and the training part",
            ),
            (
                r#"{"train": [0, 1], "test": [1]}"#,
                "row 1 (counted from 0) stands twice, in the training and the test part",
            ),
            (r#"{"train": [-1]}"#, "invalid value"),
            (r#"{"train": [0.5]}"#, "invalid type"),
            (r#"{"trian": [0]}"#, "unknown field `trian`"),
            ("[0]", "invalid"),
            ("", "EOF"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.starts_with("parts.json: ") && message.contains(expected), "{text}: {message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }
}
