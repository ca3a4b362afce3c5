//! A delimited text file as rows of trimmed text cells, with everything about its form checked.
//!
//! Not for the meaning of cells; see [`super::fit`] and [`super::encode`].

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};

use super::error::TableError;
use crate::Error;
use crate::nearest::nearest;

/// A rectangular table of text.
pub(super) struct Table {
    pub(super) path: PathBuf,
    pub(super) header: Vec<String>,
    rows: Vec<StringRecord>,
    /// 1-based line of the file on which each row starts.
    lines: Vec<usize>,
}

impl Table {
    /// Reads and checks a whole file: encoding, header, equal number of fields.
    pub(super) fn read(path: &Path, delimiter: char) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(Error::io(path))?;
        Self::parse(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes), path, delimiter)
    }

    fn parse(bytes: &[u8], path: &Path, delimiter: char) -> Result<Self, Error> {
        let separator = u8::try_from(delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
            .ok_or(TableError::Delimiter { delimiter })?;
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .delimiter(separator)
            .from_reader(bytes);
        let mut lines = LineCounter { bytes, position: 0, line: 1 };
        let mut header: Option<Vec<String>> = None;
        let (mut rows, mut row_lines) = (Vec::new(), Vec::new());
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|error| Error::io(path)(error.into()))? {
            let start = record.position().map_or(0, csv::Position::byte);
            let row = lines.line_at(usize::try_from(start).unwrap_or(usize::MAX));
            let text = StringRecord::from_byte_record(record.clone()).map_err(|error| {
                let field = error.utf8_error().field() + 1;
                TableError::NotUtf8 { path: path.into(), row, field }
            })?;
            let Some(names) = &header else {
                header = Some(text.iter().map(str::to_owned).collect());
                continue;
            };
            if text.len() != names.len() {
                let (expected, got) = (names.len(), text.len());
                return Err(TableError::RaggedRow { path: path.into(), row, expected, got }.into());
            }
            rows.push(text);
            row_lines.push(row);
        }
        let header = header.ok_or_else(|| TableError::Empty { path: path.into() })?;
        if header.iter().all(|name| name.is_empty()) {
            return Err(TableError::Empty { path: path.into() }.into());
        }
        let table = Self { path: path.into(), header, rows, lines: row_lines };
        table.check_header()?;
        Ok(table)
    }

    fn check_header(&self) -> Result<(), TableError> {
        if let [first, ..] = self.header.as_slice()
            && self.header.iter().all(|name| name.parse::<f64>().is_ok())
        {
            return Err(TableError::NoHeader { path: self.path.clone(), first: first.clone() });
        }
        let mut seen = HashMap::new();
        for (second, name) in self.header.iter().enumerate() {
            if let Some(first) = seen.insert(name, second) {
                return Err(TableError::DuplicateColumn {
                    path: self.path.clone(),
                    column: name.clone(),
                    first: first + 1,
                    second: second + 1,
                });
            }
        }
        if self.rows.is_empty() {
            return Err(TableError::HeaderOnly { path: self.path.clone(), columns: self.header.len() });
        }
        Ok(())
    }

    pub(super) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Position of a column; the error proposes the nearest name.
    pub(super) fn position(&self, column: &str) -> Result<usize, TableError> {
        self.header.iter().position(|name| name == column).ok_or_else(|| TableError::MissingColumn {
            path: self.path.clone(),
            column: column.to_owned(),
            hint: nearest(column, &self.header),
            available: self.header.clone(),
        })
    }

    pub(super) fn cell(&self, row: usize, position: usize) -> Cell<'_> {
        Cell { table: self, row, position }
    }

    /// All cells of one column, from the first row to the last.
    pub(super) fn column(&self, position: usize) -> impl Iterator<Item = Cell<'_>> + Clone {
        (0..self.rows.len()).map(move |row| self.cell(row, position))
    }
}

/// One cell with its place, for messages.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    table: &'a Table,
    row: usize,
    position: usize,
}

impl<'a> Cell<'a> {
    pub(super) fn text(self) -> &'a str {
        &self.table.rows[self.row][self.position]
    }

    pub(super) fn is_missing(self, tokens: &[String]) -> bool {
        tokens.iter().any(|token| token == self.text())
    }

    /// Whether the cell is a number, finite or not.
    pub(super) fn is_number(self) -> bool {
        self.text().parse::<f64>().is_ok()
    }

    /// The cell as a number that is finite in single precision.
    pub(super) fn number(self) -> Result<f64, TableError> {
        let (path, row, column, value) = self.place();
        match self.text().parse::<f64>() {
            Ok(number) if (number as f32).is_finite() => Ok(number),
            Ok(_) => Err(TableError::NotFinite { path, row, column, value }),
            Err(_) => Err(TableError::TextInNumericColumn { path, row, column, value }),
        }
    }

    /// File, line, column name and shortened one-line content.
    pub(super) fn place(self) -> (PathBuf, usize, String, String) {
        const LONGEST: usize = 40;
        let mut escaped = String::new();
        for character in self.text().chars().take(LONGEST + 1) {
            if character.is_control() {
                escaped.extend(character.escape_default());
            } else {
                escaped.push(character);
            }
        }
        let value = if escaped.chars().count() > LONGEST {
            escaped.chars().take(LONGEST - 3).chain("...".chars()).collect()
        } else {
            escaped
        };
        let (line, column) = (self.table.lines[self.row], self.table.header[self.position].clone());
        (self.table.path.clone(), line, column, value)
    }
}

/// Turns growing byte positions of record starts into line numbers.
///
/// The parser's own line count is not used: it places a record on the line end before it when lines end in `\r\n` and on
/// the first of the blank lines that it skips.
struct LineCounter<'a> {
    bytes: &'a [u8],
    position: usize,
    line: usize,
}

impl LineCounter<'_> {
    fn line_at(&mut self, start: usize) -> usize {
        while let Some(&byte) = self.bytes.get(self.position) {
            if self.position >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            let next = self.bytes.get(self.position + 1);
            if byte == b'\n' || (byte == b'\r' && next != Some(&b'\n')) {
                self.line += 1;
            }
            self.position += 1;
        }
        self.line
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        Table::parse(text.as_bytes(), Path::new("t.csv"), ',').unwrap().lines
    }

    #[test]
    fn rows_are_numbered_by_the_line_they_start_on() {
        assert_eq!(lines("a,b\n1,2\n3,4\n"), [2, 3]);
        assert_eq!(lines("a,b\r\n1,2\r\n3,4\r\n"), [2, 3]);
        assert_eq!(lines("a,b\n\n\n1,2\n \n3,4".replace(" \n", "\n").as_str()), [4, 6]);
        assert_eq!(lines("\r\na,b\r\n\r\n1,2\r\n3,4"), [4, 5]);
        assert_eq!(lines("a,b\n\"x\ny\",2\n3,4\n"), [2, 4]);
        assert_eq!(lines("a,b\r1,2\r3,4"), [2, 3]);
    }

    #[test]
    fn long_and_multi_line_cells_are_shown_short_and_on_one_line() {
        let text = format!("a,b\n\"x\ny\",{}\n", "z".repeat(500));
        let table = Table::parse(text.as_bytes(), Path::new("t.csv"), ',').unwrap();
        assert_eq!(table.cell(0, 0).place().3, "x\\ny");
        assert_eq!(table.cell(0, 1).place().3, format!("{}...", "z".repeat(37)));
    }
}
