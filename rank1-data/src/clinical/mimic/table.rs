//! One table of the published CSV files, plain or gzipped, row by row in bounded memory.
//!
//! Not for knowing what the columns mean; columns are found by name, in upper or lower case.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::ByteRecord;
use flate2::read::MultiGzDecoder;

use super::options::BadTimes;
use super::time::parse_time;
use crate::Error;
use crate::clinical::ClinicalError;

/// `NAME.csv`, `NAME.csv.gz` or the same in lower case, in `root`.
pub(super) fn find(root: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), name.to_lowercase()]
        .iter()
        .flat_map(|name| [format!("{name}.csv"), format!("{name}.csv.gz")])
        .map(|name| root.join(name))
        .find(|path| path.is_file())
}

/// As [`find`], an error when absent.
pub(super) fn require(root: &Path, name: &str) -> Result<PathBuf, Error> {
    find(root, name).ok_or_else(|| Error::SetNotFound {
        set: "mimic3",
        root: root.into(),
        looked_for: format!("`{name}.csv` or `{name}.csv.gz`"),
    })
}

struct Counted {
    source: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

pub(super) struct Table {
    pub(super) file: PathBuf,
    reader: csv::Reader<Box<dyn Read>>,
    columns: Vec<(&'static str, usize)>,
    record: ByteRecord,
    gzipped: bool,
    read: Arc<AtomicU64>,
    pub(super) total_bytes: u64,
    pub(super) rows: u64,
}

impl Table {
    /// Opens a table; `columns` must all be in its header and are later asked for by their place in this list.
    pub(super) fn open(file: PathBuf, columns: &[&'static str]) -> Result<Self, Error> {
        let source = File::open(&file).map_err(Error::io(&file))?;
        let total_bytes = source.metadata().map_err(Error::io(&file))?.len();
        let read = Arc::new(AtomicU64::new(0));
        let source = BufReader::with_capacity(1 << 16, Counted { source, read: Arc::clone(&read) });
        let gzipped = file.extension().is_some_and(|ending| ending == "gz");
        let stream: Box<dyn Read> =
            if gzipped { Box::new(MultiGzDecoder::new(source)) } else { Box::new(source) };
        let reader = csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(stream);
        let record = ByteRecord::new();
        let mut table =
            Self { file, reader, columns: Vec::new(), record, gzipped, read, total_bytes, rows: 0 };
        let header = match table.reader.byte_headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(table.refuse(error)),
        };
        if header.is_empty() {
            return Err(Error::EmptyFile { path: table.file });
        }
        let names: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_uppercase()).collect();
        for &column in columns {
            let Some(at) = names.iter().position(|name| name == column) else {
                return Err(ClinicalError::Column { file: table.file, column, got: names }.into());
            };
            table.columns.push((column, at));
        }
        Ok(table)
    }

    /// Goes to the next row; `false` at the end.
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(more) => {
                self.rows += u64::from(more);
                Ok(more)
            }
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// Bytes of the file that were read, compressed if it is.
    pub(super) fn bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The field of the current row in the wanted column number `which`.
    pub(super) fn field(&self, which: usize) -> &[u8] {
        self.record.get(self.columns[which].1).unwrap_or_default().trim_ascii()
    }

    /// A whole number that must be there.
    pub(super) fn id(&self, which: usize) -> Result<u32, Error> {
        self.maybe_id(which)?.ok_or_else(|| self.bad(which, "a whole number").into())
    }

    /// A whole number, `None` when empty. A decimal point followed by zeros is accepted.
    pub(super) fn maybe_id(&self, which: usize) -> Result<Option<u32>, Error> {
        let field = self.field(which);
        if field.is_empty() {
            return Ok(None);
        }
        let whole = match field.iter().position(|&byte| byte == b'.') {
            Some(point) if field[point + 1..].iter().all(|&byte| byte == b'0') => &field[..point],
            _ => field,
        };
        let number = (!whole.is_empty()).then(|| {
            whole.iter().try_fold(0_u32, |number, byte| {
                let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
                number.checked_mul(10)?.checked_add(digit)
            })
        });
        number.flatten().map(Some).ok_or_else(|| self.bad(which, "a whole number").into())
    }

    /// A time: `Some(None)` when empty, `None` when it cannot be read and such rows are skipped.
    pub(super) fn time(&self, which: usize, bad: BadTimes) -> Result<Option<Option<i64>>, Error> {
        let field = self.field(which);
        if field.is_empty() {
            return Ok(Some(None));
        }
        match (parse_time(field), bad) {
            (Some(seconds), _) => Ok(Some(Some(seconds))),
            (None, BadTimes::Skip) => Ok(None),
            (None, BadTimes::Refuse) => Err(self.bad(which, "a time YYYY-MM-DD HH:MM:SS").into()),
        }
    }

    /// The refusal of a field of the current row.
    pub(super) fn bad(&self, which: usize, expected: &'static str) -> ClinicalError {
        ClinicalError::Field {
            file: self.file.clone(),
            row: self.record.position().map_or(0, csv::Position::line),
            column: self.columns[which].0.into(),
            value: String::from_utf8_lossy(self.field(which)).chars().take(80).collect(),
            expected,
        }
    }

    fn refuse(&self, error: csv::Error) -> Error {
        let file = self.file.clone();
        let row = error.position().or(self.record.position()).map_or(1, csv::Position::line);
        match error.into_kind() {
            csv::ErrorKind::Io(source) if self.gzipped => {
                Error::Compressed { path: file, format: "gzip", source }
            }
            csv::ErrorKind::Io(source) => Error::Io { path: file, source },
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                ClinicalError::Fields { file, row, expected: expected_len as usize, got: len as usize }.into()
            }
            other => ClinicalError::Csv { file, row, problem: format!("{other:?}") }.into(),
        }
    }
}
