//! A table as rows of trimmed text cells, with everything about its form checked.
//!
//! Not for the meaning of cells; see [`super::fit`] and [`super::encode`].

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::bytes::Content;
use super::decimal::decimal_mark;
use super::dialect::separator;
use super::error::{NamedCell, TableError};
use super::missing::Tokens;
use super::notes::TableNote;
use super::parquet;
use super::place::{RowPlace, shown};
use super::rows::{Opened, Rows};
use super::written::{Written, number, written};
use crate::Error;
use crate::nearest::nearest;

/// What is known of a table before it is read.
pub(super) struct Reading<'a> {
    /// The separator; found out if absent.
    pub(super) delimiter: Option<char>,
    /// The decimal mark; found out if absent.
    pub(super) decimal: Option<char>,
    /// The decimal mark where no cell tells it.
    pub(super) expected_decimal: char,
    /// Columns that may hold anything.
    pub(super) ignore: &'a [String],
    /// What counts as missing.
    pub(super) tokens: Tokens<'a>,
    /// Columns that hold no numbers, whatever they look like.
    pub(super) categorical: &'a [String],
    /// The columns of numbers, where they are known already.
    pub(super) numeric: Option<Vec<&'a str>>,
    /// The columns whose cells are needed, where they are known already; typed files leave all others unread.
    pub(super) needed: Option<Vec<&'a str>>,
    /// Columns that are given back as text, whether ignored or not.
    pub(super) kept: &'a [String],
}

impl Reading<'_> {
    /// Whether the column of this name may be one of numbers.
    fn may_be_numbers(&self, name: &str) -> bool {
        let listed = |names: &[String]| names.iter().any(|listed| listed == name);
        match &self.numeric {
            Some(numeric) => numeric.contains(&name),
            None => !listed(self.ignore) && !listed(self.categorical),
        }
    }
}

/// A rectangular table of text.
pub(super) struct Table {
    pub(super) path: PathBuf,
    pub(super) header: Vec<String>,
    /// What separates cells.
    pub(super) separator: char,
    /// What separates whole numbers and fractions.
    pub(super) decimal: char,
    /// SHA-256 of the unpacked content.
    pub(super) digest: String,
    /// Rows of the file before these.
    before: usize,
    rows: Vec<StringRecord>,
    /// Number of each row in the file, from 1.
    numbers: Vec<usize>,
    /// 1-based line of the file on which each row starts.
    lines: Vec<usize>,
}

impl Table {
    /// Reads and checks a whole file: packing, encoding, header, equal number of fields.
    pub(super) fn read(path: &Path, reading: &Reading<'_>) -> Result<Self, Error> {
        Self::of_content(Content::of_file(path)?, path, reading)
    }

    /// As [`Table::read`], from a stream that messages call `name`.
    pub(super) fn from_reader(reader: impl Read, name: &Path, reading: &Reading<'_>) -> Result<Self, Error> {
        Self::of_content(Content::of_reader(reader, name)?, name, reading)
    }

    fn of_content(content: Content, path: &Path, reading: &Reading<'_>) -> Result<Self, Error> {
        let mut table = match content.parquet {
            true => parquet::table(content, path, reading)?,
            false => Self::parse(&content, path, reading)?,
        };
        check_header(&table.header, path, reading)?;
        if table.rows.is_empty() {
            return Err(TableError::HeaderOnly { path: path.into(), columns: table.header.len() }.into());
        }
        table.decimal = match reading.decimal {
            Some(mark) => mark,
            None => table.found_decimal(reading)?,
        };
        Ok(table)
    }

    /// The decimal mark that the cells tell.
    pub(super) fn found_decimal(&self, reading: &Reading<'_>) -> Result<char, TableError> {
        let numbers = |position: &usize| reading.may_be_numbers(&self.header[*position]);
        let positions = (0..self.header.len()).filter(numbers);
        decimal_mark(self, positions, reading.tokens, reading.expected_decimal)
    }

    fn parse(content: &Content, path: &Path, reading: &Reading<'_>) -> Result<Self, Error> {
        let (separator, start) = separator(&content.bytes, path, reading.delimiter, true)?;
        let opened = Opened {
            path: path.into(),
            text: &content.bytes[start..],
            separator,
            line: 1 + usize::from(start > 0),
            packing: None,
            longest_row: usize::MAX,
        };
        let mut read = Rows::open(opened, reading)?;
        let header = read.header.clone();
        let mut table = Self::empty(path, header, char::from(separator), content.digest.clone());
        while let Some(row) = read.next()? {
            table.push(row.cells, row.line);
        }
        Ok(table)
    }

    /// A table without rows, with decimal points.
    pub(super) fn empty(path: &Path, header: Vec<String>, separator: char, digest: String) -> Self {
        let (rows, numbers, lines) = (Vec::new(), Vec::new(), Vec::new());
        Self { path: path.into(), header, separator, decimal: '.', digest, before: 0, rows, numbers, lines }
    }

    /// Adds a row behind those that are there; `line` is 0 in files without lines.
    pub(super) fn push(&mut self, cells: StringRecord, line: usize) {
        self.rows.push(cells);
        self.numbers.push(self.before + self.rows.len());
        self.lines.push(line);
    }

    /// Leaves the rows out; those that follow are numbered as before.
    pub(super) fn clear(&mut self) {
        self.before += self.rows.len();
        self.rows.clear();
        self.lines.clear();
        self.numbers.clear();
    }

    /// Numbers the rows that follow as if so many more had been there.
    pub(super) fn skip(&mut self, rows: usize) {
        self.before += rows;
    }

    /// What a row takes as CSV, about.
    #[cfg(feature = "parquet")]
    pub(super) fn bytes_of(&self, row: usize) -> usize {
        self.rows[row].as_slice().len() + self.header.len()
    }

    /// One row alone.
    pub(super) fn row(&self, place: usize) -> Self {
        Self {
            path: self.path.clone(),
            header: self.header.clone(),
            digest: self.digest.clone(),
            rows: vec![self.rows[place].clone()],
            numbers: vec![self.numbers[place]],
            lines: vec![self.lines[place]],
            ..*self
        }
    }

    /// What should be said about a separator and a decimal mark that were found out.
    pub(super) fn dialect_note(&self, delimiter: Option<char>, decimal: Option<char>) -> Option<TableNote> {
        let found =
            (delimiter.is_none() && self.separator != ',') || (decimal.is_none() && self.decimal != '.');
        let (path, separator, decimal) = (self.path.clone(), self.separator, self.decimal);
        found.then_some(TableNote::Dialect { path, separator, decimal })
    }

    /// Some rows of the table, which keep their numbers and lines.
    pub(super) fn with_rows(self, places: &[usize]) -> Self {
        let (mut rows, mut numbers, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for &place in places {
            rows.push(self.rows[place].clone());
            numbers.push(self.numbers[place]);
            lines.push(self.lines[place]);
        }
        Self { rows, numbers, lines, ..self }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Position of a column; the error proposes the nearest name.
    pub(super) fn position(&self, column: &str) -> Result<usize, TableError> {
        self.header.iter().position(|name| name == column).ok_or_else(|| TableError::MissingColumn {
            path: self.path.clone(),
            column: column.to_owned(),
            hint: nearest(column, &self.header).map(|name| shown(&name)),
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

    /// Whether the cell makes its column one of numbers; words such as `inf` and `nan` alone do not.
    pub(super) fn is_number(self) -> bool {
        let digit = |character: char| character.is_ascii_digit();
        self.text().contains(digit) && number(self.text(), self.table.decimal).is_some()
    }

    /// The cell as a number that is finite in single precision.
    pub(super) fn number(self) -> Result<f64, TableError> {
        match number(self.text(), self.table.decimal) {
            Some(number) if (number as f32).is_finite() => Ok(number),
            Some(_) => {
                let (path, row, column, value) = self.place();
                Err(TableError::NotFinite { path, row, column, value })
            }
            None => Err(self.not_a_number()),
        }
    }

    /// What is wrong with a cell that is no number under the decimal mark of the table.
    pub(super) fn not_a_number(self) -> TableError {
        let (path, row, column, value) = self.place();
        let problem = match (written(self.text()), self.table.decimal) {
            (Written::Grouped(_), _) => "it has thousands separators; write it without",
            (Written::Unclear(_), '.') => {
                "its comma may separate thousands or be a decimal mark; write it without, or set data.decimal = \",\""
            }
            (Written::Unclear(_), _) => {
                "its point may separate thousands or be a decimal mark; write it without, or set data.decimal = \".\""
            }
            (Written::Comma, _) => "it has a decimal comma; set data.decimal = \",\"",
            (Written::Point, _) => "it has a decimal point; set data.decimal = \".\"",
            (Written::WithUnit, _) => {
                "it has a unit; write the number alone, or list the column in data.categorical"
            }
            (Written::Plain | Written::Date | Written::Text, _) => {
                return TableError::TextInNumericColumn { path, row, column, value };
            }
        };
        TableError::NumberWrittenOtherwise { path, row, column, value, problem }
    }

    /// File, row, column name and shortened one-line content.
    pub(super) fn place(self) -> (PathBuf, RowPlace, String, String) {
        let NamedCell { row, column, value } = self.named();
        (self.table.path.clone(), row, column, value)
    }

    /// The cell for messages.
    pub(super) fn named(self) -> NamedCell {
        NamedCell {
            row: RowPlace { row: self.table.numbers[self.row], line: self.table.lines[self.row] },
            column: shown(&self.table.header[self.position]),
            value: shown(self.text()),
        }
    }
}

/// Refuses a first row of numbers and names that occur twice.
pub(super) fn check_header(header: &[String], path: &Path, reading: &Reading<'_>) -> Result<(), TableError> {
    if let [first, ..] = header
        && header.iter().all(|name| number(name, '.').or_else(|| number(name, ',')).is_some())
    {
        return Err(TableError::NoHeader { path: path.into(), first: shown(first) });
    }
    let mut seen = HashMap::new();
    for (second, name) in header.iter().enumerate() {
        if let Some(first) = seen.insert(name, second)
            && (!reading.ignore.contains(name) || reading.kept.contains(name))
        {
            return Err(TableError::DuplicateColumn {
                path: path.into(),
                column: shown(name),
                first: first + 1,
                second: second + 1,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        read(text).lines
    }

    fn read(text: &str) -> Table {
        try_read(text).unwrap()
    }

    fn try_read(text: &str) -> Result<Table, Error> {
        let reading = Reading {
            delimiter: None,
            decimal: None,
            expected_decimal: '.',
            ignore: &[],
            tokens: Tokens(None),
            categorical: &[],
            numeric: None,
            needed: None,
            kept: &[],
        };
        Table::from_reader(text.as_bytes(), Path::new("t.csv"), &reading)
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
    fn cells_are_named_by_data_row_and_line() {
        let table = read("a,b\n\n1,\"x\ny\"\n2,z\n");
        let (first, second) = (table.cell(0, 1).named(), table.cell(1, 1).named());
        assert_eq!(first.to_string(), "`x\\ny` in row 1 (line 3), column `b`,");
        assert_eq!(second.row, RowPlace { row: 2, line: 5 });
        assert_eq!(read("sep=;\na;b\n1;2\n").lines, [3]);
    }

    #[test]
    fn the_decimal_mark_is_found_in_all_columns_together() {
        for (text, expected) in [
            ("a;y\n1;2\n", '.'),
            ("a;y\n1,5;2\n1;3\n", ','),
            ("a,y\n\"1,5\",2\n\"2,5\",4\n", ','),
            ("a,y\n1.234,5\n", '.'),
            ("a;y\n1.234;5\n", '.'),
            ("a;y\n1,234;5\n", '.'),
            ("a;y\n1,234;5,5\n", ','),
            // Texts with a comma are no numbers.
            ("a;y\nx,5;2.5\n1,2,3;2\n", '.'),
            ("a;y\n?;NA\n1,5;2\n", ','),
        ] {
            assert_eq!(read(text).decimal, expected, "{text:?}");
        }
        let Err(Error::Table(error)) = try_read("a;y\n1,5;1\n2;2.5\n") else { panic!("both marks") };
        assert!(
            error.to_string().contains(
                "`2.5` in row 2 (line 3), column `y`, has a decimal point, `1,5` in row 1 (line 2)"
            ),
            "{error}"
        );
    }
}
