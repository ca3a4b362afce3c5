//! A table that is read from its beginning to its end with little of it in memory: what it is, its separator and decimal mark.
//!
//! Not for whole tables; see [`super::read`]. Not for encoding; see [`super::blocks`].

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use super::bytes::{MARK, PARQUET, Watched, check_text};
use super::dialect::{separator, tells_separator};
use super::parquet::ParquetRows;
use super::read::{Reading, Table};
use super::rows::{LONGEST_ROW, Opened, Rows};
use super::unpack::{packing, unpacking};
use crate::Error;

/// Bytes that tell what a file is.
const START: usize = 8;

/// Bytes of a text that tell whether it is one.
const TEXT_START: usize = 1024;

/// Bytes of a text that are looked at for separator and decimal mark, or more where they do not tell the separator.
const LOOKED_AT: usize = 1 << 20;

/// The most that is looked at.
const MOST_LOOKED_AT: usize = 32 << 20;

/// Where the rows of a table come from.
pub(super) enum Source {
    Text {
        rows: Box<Rows<Box<dyn Read + Send>>>,
        /// The file, if it is one.
        watched: Option<Watched>,
    },
    Parquet(ParquetRows),
}

impl Source {
    /// Opens a file, which may be a pipe; with an empty table of its columns.
    pub(super) fn of_file(path: &Path, reading: &Reading<'_>) -> Result<(Self, Table), Error> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let watched = Watched::of(&file, path)?;
        let start = first(&mut file, START).map_err(Error::io(path))?;
        if start.starts_with(PARQUET) && watched.is_some() {
            return of_parquet(ParquetRows::of_file(file, path, reading)?, path, reading);
        }
        Self::of_start(start, file, path, reading, watched)
    }

    /// Opens a stream that messages call `name`.
    pub(super) fn of_reader(
        mut reader: impl Read + Send + 'static,
        name: &Path,
        reading: &Reading<'_>,
    ) -> Result<(Self, Table), Error> {
        let start = first(&mut reader, START).map_err(Error::io(name))?;
        Self::of_start(start, reader, name, reading, None)
    }

    fn of_start(
        start: Vec<u8>,
        rest: impl Read + Send + 'static,
        path: &Path,
        reading: &Reading<'_>,
        watched: Option<Watched>,
    ) -> Result<(Self, Table), Error> {
        if start.starts_with(PARQUET) {
            let rows = ParquetRows::of_stream(Cursor::new(start).chain(rest), path, reading)?;
            return of_parquet(rows, path, reading);
        }
        let packing = packing(&start);
        let bytes = BufReader::new(Cursor::new(start).chain(rest));
        let mut text: Box<dyn Read + Send> = match packing {
            Some(format) => unpacking(bytes, format),
            None => Box::new(bytes),
        };
        let looked = LookedAt::read(&mut text, reading).map_err(|source| match packing {
            Some(format) => Error::Compressed { path: path.into(), format, source },
            None => Error::io(path)(source),
        })?;
        check_text(&looked.text, path)?;
        let marked = if looked.text.starts_with(MARK) { MARK.len() } else { 0 };
        let (separator, start) = separator(&looked.text[marked..], path, reading.delimiter, looked.is_whole)?;
        let behind = marked + start;
        let line = 1 + usize::from(start > 0);
        let is_whole = looked.is_whole;
        let decimal = match reading.decimal {
            Some(mark) => mark,
            None => {
                let text = &looked.text[behind..];
                let opened = opened(text, path, separator, line, None);
                found_decimal(Rows::open(opened, reading), path, separator, is_whole, reading)?
            }
        };
        let mut first = Cursor::new(looked.text);
        first.set_position(behind as u64);
        let text: Box<dyn Read + Send> = Box::new(first.chain(text));
        let rows = Rows::open(opened(text, path, separator, line, packing), reading)?;
        let mut table = Table::empty(path, rows.header.clone(), char::from(separator), String::new());
        table.decimal = decimal;
        Ok((Self::Text { rows: Box::new(rows), watched }, table))
    }

    /// Number of rows that are left, all of which are read.
    ///
    /// # Errors
    /// What is wrong with the first row that is none.
    pub(super) fn count(&mut self) -> Result<usize, Error> {
        let (rows, watched) = match self {
            Self::Parquet(rows) => return rows.count(),
            Self::Text { rows, watched } => (rows, watched),
        };
        let mut n = 0;
        while rows.next()?.is_some() {
            n += 1;
        }
        watched.as_ref().map_or(Ok(n), |watched| watched.check().map(|()| n))
    }

    /// Reads `n` rows, or those that are left if they are fewer, and drops them.
    ///
    /// # Errors
    /// As [`Source::count`].
    pub(super) fn skip(&mut self, n: usize) -> Result<(), Error> {
        let rows = match self {
            Self::Parquet(rows) => return rows.skip(n),
            Self::Text { rows, .. } => rows,
        };
        for _ in 0..n {
            if rows.next()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Refuses a file that changed since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<(), Error> {
        match self {
            Self::Text { watched: Some(watched), .. } => watched.check(),
            Self::Text { watched: None, .. } | Self::Parquet(_) => Ok(()),
        }
    }

    /// Adds up to `n` rows to a table, and the cells of the kept columns to their lists; none behind the last row.
    ///
    /// # Errors
    /// What is wrong with the first row that is not added.
    pub(super) fn fill(
        &mut self,
        table: &mut Table,
        kept: &mut [Vec<String>],
        n: usize,
    ) -> Result<(), Error> {
        let (rows, watched) = match self {
            Self::Parquet(rows) => return rows.fill(table, kept, n),
            Self::Text { rows, watched } => (rows, watched),
        };
        for _ in 0..n {
            let Some(row) = rows.next()? else {
                return watched.as_ref().map_or(Ok(()), Watched::check);
            };
            table.push(row.cells, row.line);
            kept.iter_mut().zip(row.kept).for_each(|(column, cell)| column.push(cell));
        }
        Ok(())
    }
}

fn of_parquet(rows: ParquetRows, path: &Path, reading: &Reading<'_>) -> Result<(Source, Table), Error> {
    let mut table = Table::empty(path, rows.header().to_vec(), ',', String::new());
    table.decimal = match reading.decimal {
        Some(mark) => mark,
        None => rows.found_decimal(reading)?,
    };
    Ok((Source::Parquet(rows), table))
}

fn opened<R>(text: R, path: &Path, separator: u8, line: usize, packing: Option<&'static str>) -> Opened<R> {
    Opened { path: path.into(), text, separator, line, packing, longest_row: LONGEST_ROW }
}

/// The decimal mark that the first rows tell.
fn found_decimal<R: Read>(
    rows: Result<Rows<R>, Error>,
    path: &Path,
    separator: u8,
    is_whole: bool,
    reading: &Reading<'_>,
) -> Result<char, Error> {
    // What is wrong with rows is told when they are read.
    let Ok(mut rows) = rows else { return Ok(reading.expected_decimal) };
    let mut table = Table::empty(path, rows.header.clone(), char::from(separator), String::new());
    let mut last = None;
    while let Ok(Some(row)) = rows.next() {
        if let Some((cells, line)) = last.replace((row.cells, row.line)) {
            table.push(cells, line);
        }
    }
    // The last row of a text that goes on may be cut.
    if let (Some((cells, line)), true) = (last, is_whole) {
        table.push(cells, line);
    }
    Ok(table.found_decimal(reading)?)
}

/// The beginning of a text.
struct LookedAt {
    text: Vec<u8>,
    /// Whether there is nothing behind it.
    is_whole: bool,
}

impl LookedAt {
    fn read(text: &mut (impl Read + ?Sized), reading: &Reading<'_>) -> std::io::Result<Self> {
        // Where both marks are given, nothing waits for more than it needs.
        let given = reading.delimiter.is_some() && reading.decimal.is_some();
        let mut wanted = if given { TEXT_START } else { LOOKED_AT };
        let mut looked = Self { text: Vec::new(), is_whole: false };
        loop {
            let more = first(text, wanted - looked.text.len())?;
            looked.text.extend_from_slice(&more);
            looked.is_whole = looked.text.len() < wanted;
            let tells = given || reading.delimiter.is_some() || tells_separator(&looked.text);
            if looked.is_whole || tells || wanted >= MOST_LOOKED_AT {
                return Ok(looked);
            }
            wanted *= 2;
        }
    }
}

/// Up to `n` bytes, fewer only at the end.
fn first(reader: &mut (impl Read + ?Sized), n: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(n as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
