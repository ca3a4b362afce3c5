//! The rows of a delimited text that is read from its beginning to its end, with the line of each.
//!
//! Not for finding the separator; see [`super::dialect`]. Not for whole tables; see [`super::read`].

use std::io::{self, Read};
use std::path::PathBuf;

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};

use super::error::TableError;
use super::place::RowPlace;
use super::quotes::Quotes;
use super::read::Reading;
use crate::Error;

/// The longest row of a text that is read in blocks, in bytes.
pub(super) const LONGEST_ROW: usize = 64 << 20;

/// Bytes that are asked of a file at a time.
const BUFFER: usize = 1 << 16;

/// What is known of a text before its rows are read.
pub(super) struct Opened<R> {
    /// For messages.
    pub(super) path: PathBuf,
    /// The text behind a line `sep=;`.
    pub(super) text: R,
    /// The separator.
    pub(super) separator: u8,
    /// The 1-based line on which the text begins.
    pub(super) line: usize,
    /// How the bytes were packed.
    pub(super) packing: Option<&'static str>,
    /// The longest row, in bytes; a longer one is refused.
    pub(super) longest_row: usize,
}

/// One row behind the header.
pub(super) struct Row {
    /// Its trimmed cells, those of ignored columns empty.
    pub(super) cells: StringRecord,
    /// The 1-based line on which it starts.
    pub(super) line: usize,
    /// The cells of the kept columns, not trimmed.
    pub(super) kept: Vec<String>,
}

/// Rows that are read one after the other.
pub(super) struct Rows<R> {
    path: PathBuf,
    reader: csv::Reader<Lines<R>>,
    /// Names of the columns.
    pub(super) header: Vec<String>,
    separator: u8,
    packing: Option<&'static str>,
    ignored: Vec<usize>,
    kept: Vec<usize>,
    record: ByteRecord,
    /// Rows read, the header not counted.
    n_read: usize,
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    pub(super) fn open(opened: Opened<R>, reading: &Reading<'_>) -> Result<Self, Error> {
        let Opened { path, text, separator, line, packing, longest_row } = opened;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::None)
            .delimiter(separator)
            .buffer_capacity(BUFFER)
            .from_reader(Lines::new(text, separator, line, longest_row));
        let record = ByteRecord::new();
        let header = Vec::new();
        let (ignored, kept) = (Vec::new(), Vec::new());
        let mut rows = Self { path, reader, header, separator, packing, ignored, kept, record, n_read: 0 };
        let line = rows.advance(0)?.ok_or_else(|| TableError::Empty { path: rows.path.clone() })?;
        let names = rows.text(RowPlace { row: 0, line })?;
        rows.header = names.iter().map(str::to_owned).collect();
        if rows.header.iter().all(|name| name.is_empty()) {
            return Err(TableError::Empty { path: rows.path }.into());
        }
        let listed = |names: &[String], name: &String| names.contains(name);
        let header = rows.header.iter().enumerate();
        rows.ignored = header
            .filter(|(_, name)| listed(reading.ignore, name) && !listed(reading.kept, name))
            .map(|(i, _)| i)
            .collect();
        let place = |name: &String| rows.header.iter().position(|other| other == name);
        rows.kept = reading.kept.iter().filter_map(place).collect();
        Ok(rows)
    }

    /// The next row; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Error> {
        let Some(line) = self.advance(self.n_read + 1)? else { return Ok(None) };
        let row = RowPlace { row: self.n_read + 1, line };
        let (expected, got) = (self.header.len(), self.record.len());
        let kept_bytes: Vec<Vec<u8>> =
            self.kept.iter().map(|&i| self.record.get(i).map(<[u8]>::to_vec).unwrap_or_default()).collect();
        if !self.ignored.is_empty() {
            self.record = blanked(&self.record, &self.ignored);
        }
        let cells = self.text(row)?;
        if got != expected {
            let (path, separator) = (self.path.clone(), char::from(self.separator));
            return Err(TableError::RaggedRow { path, row, expected, got, separator }.into());
        }
        self.n_read += 1;
        // The same bytes, trimmed, are text.
        let kept = kept_bytes.into_iter().map(|cell| String::from_utf8_lossy(&cell).into_owned()).collect();
        Ok(Some(Row { cells, line, kept }))
    }

    /// Reads a record, and tells the line on which it starts.
    fn advance(&mut self, row: usize) -> Result<Option<usize>, Error> {
        let there = self.reader.read_byte_record(&mut self.record);
        let start = self.record.position().map_or(0, csv::Position::byte);
        match there {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => return Err(self.refused(error.into(), row, start)),
        }
        let lines = self.reader.get_mut();
        if let (true, Some(opened)) = (lines.ended, lines.quotes.open()) {
            let (path, line) = (self.path.clone(), lines.line_at(opened));
            return Err(TableError::UnclosedQuote { path, line }.into());
        }
        Ok(Some(lines.line_at(start)))
    }

    fn refused(&mut self, source: io::Error, row: usize, start: u64) -> Error {
        let path = self.path.clone();
        let lines = self.reader.get_mut();
        if lines.too_long {
            let row = RowPlace { row, line: lines.line_at(start) };
            return TableError::LongRow { path, row }.into();
        }
        match self.packing {
            Some(format) => Error::Compressed { path, format, source },
            None => Error::io(&path)(source),
        }
    }

    /// The record as trimmed text.
    fn text(&mut self, row: RowPlace) -> Result<StringRecord, TableError> {
        self.record.trim();
        StringRecord::from_byte_record(self.record.clone()).map_err(|error| {
            let field = error.utf8_error().field() + 1;
            TableError::NotUtf8 { path: self.path.clone(), row, field }
        })
    }
}

/// A record without the content of ignored columns, which need not even be text.
fn blanked(record: &ByteRecord, ignored: &[usize]) -> ByteRecord {
    let field = |(i, field)| if ignored.contains(&i) { &b""[..] } else { field };
    record.iter().enumerate().map(field).collect()
}

/// Hands bytes on and turns growing positions of record starts into line numbers.
///
/// The parser's own line count is not used: it places a record on the line end before it when lines end in `\r\n` and on
/// the first of the blank lines that it skips.
struct Lines<R> {
    inner: R,
    /// Bytes whose lines are not counted yet, and their place in the text.
    pending: Vec<u8>,
    position: u64,
    /// How many of them are counted.
    counted: usize,
    line: usize,
    quotes: Quotes,
    longest_row: usize,
    too_long: bool,
    ended: bool,
}

impl<R> Lines<R> {
    fn new(inner: R, separator: u8, line: usize, longest_row: usize) -> Self {
        let quotes = Quotes::new(separator);
        let pending = Vec::new();
        Self {
            inner,
            pending,
            position: 0,
            counted: 0,
            line,
            quotes,
            longest_row,
            too_long: false,
            ended: false,
        }
    }

    /// The line of the first character from `start` on that ends no line.
    fn line_at(&mut self, start: u64) -> usize {
        while let Some(&byte) = self.pending.get(self.counted) {
            if self.position >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            let next = self.pending.get(self.counted + 1);
            if byte == b'\n' || (byte == b'\r' && next != Some(&b'\n')) {
                self.line += 1;
            }
            self.position += 1;
            self.counted += 1;
        }
        self.line
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.len() - self.counted > self.longest_row {
            self.too_long = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let n = self.inner.read(buffer)?;
        self.ended = n == 0 && !buffer.is_empty();
        let read = buffer.get(..n).unwrap_or_default();
        self.pending.drain(..self.counted);
        self.counted = 0;
        self.pending.extend_from_slice(read);
        self.quotes.see(read);
        Ok(n)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::missing::Tokens;
    use super::*;

    fn reading<'a>(ignore: &'a [String], kept: &'a [String]) -> Reading<'a> {
        Reading {
            delimiter: None,
            decimal: None,
            expected_decimal: '.',
            ignore,
            tokens: Tokens(None),
            categorical: &[],
            numeric: None,
            needed: None,
            kept,
        }
    }

    /// Gives one byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(buffer.len()).min(1);
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn open<'a>(text: &'a str, longest_row: usize, kept: &[String]) -> Result<Rows<Drops<'a>>, Error> {
        let text = Drops(text.as_bytes());
        let ignore = ["skip".to_owned()];
        let opened =
            Opened { path: "t.csv".into(), text, separator: b',', line: 1, packing: None, longest_row };
        Rows::open(opened, &reading(&ignore, kept))
    }

    #[test]
    fn rows_come_with_their_lines_and_the_kept_cells_as_they_stand() {
        let kept = ["id".to_owned(), "skip".to_owned()];
        let mut rows = open("id,skip,x\r\n\r\n 7 ,\" a\nb \", 1\r\n8,,2", 100, &kept).unwrap();
        let first = rows.next().unwrap().unwrap();
        assert_eq!((first.line, first.kept), (3, vec![" 7 ".to_owned(), " a\nb ".to_owned()]));
        assert_eq!(first.cells.iter().collect::<Vec<_>>(), ["7", "a\nb", "1"]);
        assert_eq!(rows.next().unwrap().unwrap().line, 5);
        assert!(rows.next().unwrap().is_none());
        let mut rows = open("id,skip,x\n1,2,3\n", 100, &[]).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().cells.iter().collect::<Vec<_>>(), ["1", "", "3"]);
    }

    #[test]
    fn a_text_that_ends_within_a_row_is_told() {
        let last = |text: &str| {
            let mut rows = open(text, 100, &[]).unwrap();
            loop {
                match rows.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("no error"),
                    Err(error) => break error.to_string(),
                }
            }
        };
        assert_eq!(last("a,b\n1,2\n3,\"x\n4,5"), "t.csv: the quote that is opened on line 3 is never closed");
        assert!(last("a,b\n1,2\n3").starts_with("t.csv: row 2 (line 3) has 1 fields, expected 2"));
        let long = format!("a,b\n1,2\n3,\"{}", "x\n".repeat(200));
        assert!(last(&long).starts_with("t.csv: row 2 (line 3) is longer than"), "{}", last(&long));
    }
}
