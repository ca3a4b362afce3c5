//! A Parquet file as rows: which columns are read, from one row group after the other.
//!
//! Not for the text of values; see [`super::cells`].

use std::fs::File;
use std::io::{Read, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use csv::{ByteRecord, StringRecord};
use parquet::basic::Compression;
use parquet::column::reader::ColumnReader;
use parquet::errors::{ParquetError as DecoderError, Result as Decoded};
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

use super::super::bytes::Content;
use super::super::error::TableError;
use super::super::place::shown;
use super::super::read::{Reading, Table};
use super::cells::{Kind, nested};
use super::column::{Form, read};
use super::error::ParquetError;
use crate::Error;

/// Rows that are held as values at a time where a whole file is read.
const AT_ONCE: usize = 4096;

/// Rows that tell the decimal mark of numbers in columns of text.
const LOOKED_AT: usize = 1000;

/// A column that is read.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// Its place in the header.
    position: usize,
    /// Its number among the columns without levels below them.
    leaf: usize,
    form: Form,
}

/// The rows of a file, read in order.
pub(in crate::table) struct ParquetRows {
    path: PathBuf,
    file: Box<dyn FileReader>,
    header: Vec<String>,
    columns: Vec<Column>,
    /// Places of the kept columns in the header.
    kept: Vec<usize>,
    /// The row group that is opened next.
    group: usize,
    /// One reader for each column, and the rows that the group still has.
    readers: Vec<ColumnReader>,
    left: usize,
}

/// Reads a whole file.
pub(in crate::table) fn table(content: Content, path: &Path, reading: &Reading<'_>) -> Result<Table, Error> {
    let size = content.bytes.len() as u64;
    let mut rows = ParquetRows::open(Bytes::from(content.bytes), path, reading)?;
    let mut table = Table::empty(path, rows.header.clone(), ',', content.digest);
    let bound = (256 << 20).max(size.saturating_mul(1000));
    let mut held = 0;
    loop {
        let before = table.n_rows();
        rows.fill(&mut table, &mut [], AT_ONCE)?;
        if table.n_rows() == before {
            return Ok(table);
        }
        // What the rows would take as CSV.
        held += (before..table.n_rows()).map(|row| table.bytes_of(row) as u64).sum::<u64>();
        if held > bound {
            return Err(TableError::UnpacksTooLarge { path: path.into(), format: "Parquet", bound }.into());
        }
    }
}

impl ParquetRows {
    /// Opens a file on disk.
    pub(in crate::table) fn of_file(file: File, path: &Path, reading: &Reading<'_>) -> Result<Self, Error> {
        Self::open(file, path, reading)
    }

    /// As [`ParquetRows::of_file`], of a stream, which is put into a file without a name: the directory stands at the end.
    pub(in crate::table) fn of_stream(
        mut stream: impl Read,
        path: &Path,
        reading: &Reading<'_>,
    ) -> Result<Self, Error> {
        let mut file = tempfile::tempfile().map_err(Error::io(std::env::temp_dir()))?;
        std::io::copy(&mut stream, &mut file).map_err(Error::io(path))?;
        file.rewind().map_err(Error::io(path))?;
        Self::open(file, path, reading)
    }

    fn open(file: impl ChunkReader + 'static, path: &Path, reading: &Reading<'_>) -> Result<Self, Error> {
        let file = guarded(path, || SerializedFileReader::new(file)).map_err(TableError::from)?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let fields = schema.root_schema().get_fields();
        if fields.is_empty() {
            return Err(TableError::Empty { path: path.into() }.into());
        }
        let header: Vec<String> = fields.iter().map(|field| field.name().trim_ascii().to_owned()).collect();
        let needed = |name: &String| match &reading.needed {
            Some(needed) => needed.contains(&name.as_str()),
            None => !reading.ignore.contains(name),
        };
        let mut columns = Vec::new();
        for (position, field) in fields.iter().enumerate().filter(|(i, _)| needed(&header[*i])) {
            let refused = |kind: &str| {
                let column = shown(&header[position]);
                TableError::from(ParquetError::Type { path: path.into(), column, kind: kind.into() })
            };
            let mut leaves = (0..schema.num_columns()).filter(|&i| schema.get_column_root_idx(i) == position);
            let leaf = leaves.next().map(|leaf| (leaf, schema.column(leaf)));
            let Some((leaf, column)) = leaf.filter(|(_, c)| field.is_primitive() && c.max_rep_level() == 0)
            else {
                return Err(refused(nested(field)).into());
            };
            let kind = Kind::of(&column).map_err(|kind| refused(&kind))?;
            let mark = reading.decimal.unwrap_or('.');
            let form = Form { kind, mark, there: column.max_def_level() };
            columns.push(Column { position, leaf, form });
        }
        let place = |name: &String| header.iter().position(|other| other == name);
        let kept = reading.kept.iter().filter_map(place).collect();
        let (path, readers) = (path.into(), Vec::new());
        Ok(Self { path, file: Box::new(file), header, columns, kept, group: 0, readers, left: 0 })
    }

    /// Names of the columns.
    pub(in crate::table) fn header(&self) -> &[String] {
        &self.header
    }

    /// Adds up to `n` rows to a table, and the cells of the kept columns to their lists; none behind the last row.
    pub(in crate::table) fn fill(
        &mut self,
        table: &mut Table,
        kept: &mut [Vec<String>],
        n: usize,
    ) -> Result<(), Error> {
        let mut wanted = n;
        while wanted > 0 {
            if self.left == 0 {
                if self.group == self.file.num_row_groups() {
                    return Ok(());
                }
                self.open_group()?;
                continue;
            }
            let rows = wanted.min(self.left);
            let mut readers = std::mem::take(&mut self.readers);
            let cells = self.cells(&self.columns, &mut readers, rows).map_err(TableError::from)?;
            self.readers = readers;
            for (&place, kept) in self.kept.iter().zip(kept.iter_mut()) {
                kept.extend_from_slice(&cells[place]);
            }
            add_rows(table, &cells, rows);
            self.left -= rows;
            wanted -= rows;
        }
        Ok(())
    }

    /// Number of rows, as the directory tells.
    pub(in crate::table) fn count(&self) -> Result<usize, Error> {
        (0..self.file.num_row_groups()).map(|group| self.rows_of(group)).sum()
    }

    /// Leaves `n` rows out; row groups among them are not opened.
    pub(in crate::table) fn skip(&mut self, n: usize) -> Result<(), Error> {
        let mut left = n;
        while left > 0 {
            if self.left == 0 {
                if self.group == self.file.num_row_groups() {
                    return Ok(());
                }
                let rows = self.rows_of(self.group)?;
                if rows > left {
                    self.open_group()?;
                } else {
                    self.group += 1;
                    left -= rows;
                }
                continue;
            }
            let rows = left.min(self.left).min(AT_ONCE);
            let mut readers = std::mem::take(&mut self.readers);
            self.cells(&self.columns, &mut readers, rows).map_err(TableError::from)?;
            self.readers = readers;
            self.left -= rows;
            left -= rows;
        }
        Ok(())
    }

    fn rows_of(&self, group: usize) -> Result<usize, Error> {
        let rows = guarded(&self.path, || {
            let rows = self.file.metadata().row_group(group).num_rows();
            usize::try_from(rows).map_err(|_| DecoderError::General("a negative number of rows".into()))
        });
        Ok(rows.map_err(TableError::from)?)
    }

    /// The decimal mark that the first rows tell.
    pub(in crate::table) fn found_decimal(&self, reading: &Reading<'_>) -> Result<char, Error> {
        // Numbers of numeric types have points, and text is looked at only where there is some.
        let numeric = |column: &Column| {
            let name = &self.header[column.position];
            reading.numeric.as_ref().is_none_or(|numeric| numeric.contains(&name.as_str()))
        };
        let columns: Vec<Column> = self.columns.iter().copied().filter(numeric).collect();
        if columns.iter().all(|column| column.form.kind != Kind::Text) {
            return Ok('.');
        }
        let mut looked = Table::empty(&self.path, self.header.clone(), ',', String::new());
        let mut groups = 0..self.file.num_row_groups();
        while looked.n_rows() < LOOKED_AT
            && let Some(group) = groups.next()
        {
            let (mut readers, mut left) = self.readers_of(group, &columns)?;
            while left > 0 && looked.n_rows() < LOOKED_AT {
                let rows = left.min(LOOKED_AT - looked.n_rows());
                let cells = self.cells(&columns, &mut readers, rows).map_err(TableError::from)?;
                add_rows(&mut looked, &cells, rows);
                left -= rows;
            }
        }
        Ok(looked.found_decimal(reading)?)
    }

    /// The next cells of some columns, by place in the header; columns that are not read have none.
    fn cells(
        &self,
        columns: &[Column],
        readers: &mut [ColumnReader],
        rows: usize,
    ) -> Result<Vec<Vec<String>>, ParquetError> {
        let mut cells = vec![Vec::new(); self.header.len()];
        for (column, reader) in columns.iter().zip(readers) {
            cells[column.position] = guarded(&self.path, || read(reader, column.form, rows))
                .map_err(|error| error.of_column(&shown(&self.header[column.position])))?;
        }
        Ok(cells)
    }

    fn open_group(&mut self) -> Result<(), Error> {
        (self.readers, self.left) = self.readers_of(self.group, &self.columns)?;
        self.group += 1;
        Ok(())
    }

    /// Refuses pages that are packed by a codec which is not built in.
    fn check_packing(&self, group: usize, columns: &[Column]) -> Result<(), TableError> {
        let group = self.file.metadata().row_group(group);
        for column in columns {
            let codec = match group.columns().get(column.leaf).map(|chunk| chunk.compression()) {
                None
                | Some(
                    Compression::UNCOMPRESSED
                    | Compression::SNAPPY
                    | Compression::GZIP(_)
                    | Compression::ZSTD(_),
                ) => continue,
                Some(Compression::LZ4 | Compression::LZ4_RAW) => "LZ4",
                Some(Compression::BROTLI(_)) => "Brotli",
                Some(Compression::LZO) => "LZO",
            };
            let column = shown(&self.header[column.position]);
            return Err(ParquetError::Packing { path: self.path.clone(), column, codec: codec.into() }.into());
        }
        Ok(())
    }

    /// Readers of some columns of a row group, and its number of rows.
    fn readers_of(&self, group: usize, columns: &[Column]) -> Result<(Vec<ColumnReader>, usize), Error> {
        self.check_packing(group, columns)?;
        let opened = guarded(&self.path, || {
            let group = self.file.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows())
                .map_err(|_| DecoderError::General("a negative number of rows".into()))?;
            let readers = columns.iter().map(|column| group.get_column_reader(column.leaf));
            Ok((readers.collect::<Result<Vec<_>, _>>()?, rows))
        });
        Ok(opened.map_err(TableError::from)?)
    }
}

/// Adds rows of cells, trimmed as those of CSV are; columns without cells are empty.
fn add_rows(table: &mut Table, cells: &[Vec<String>], rows: usize) {
    for row in 0..rows {
        let cells = cells.iter().map(|column| column.get(row).map_or("", String::as_str));
        let mut record = ByteRecord::from(cells.collect::<Vec<&str>>());
        record.trim();
        // Text without the spaces around it is text.
        table.push(StringRecord::from_byte_record_lossy(record), 0);
    }
}

/// What a decoder says; it panics of some damaged pages.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Decoded<T>) -> Result<T, ParquetError> {
    let reason = match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(decoded)) => return Ok(decoded),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "a page that its decoder cannot take".into(),
    };
    let line: Vec<&str> = reason.split_whitespace().collect();
    let reason = line.join(" ").chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
    Err(ParquetError::Damaged { path: path.into(), reason })
}

/// The most of a decoder's reason that is repeated, in characters.
const LONGEST_REASON: usize = 300;
