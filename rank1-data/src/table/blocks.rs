//! The inputs of a table in blocks of rows, so that any number of rows takes the memory of one block.
//!
//! Not for training and evaluation, which hold their rows; see [`super::assemble`] and [`CsvSchema::read`].

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use ndarray::Array2;

use super::encode::Told;
use super::error::TableError;
use super::notes::TableNote;
use super::read::{Table, check_header};
use super::schema::CsvSchema;
use super::stream::Source;
use crate::Error;

/// Encoded rows that follow one another in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct InputBlock {
    /// Rows of the table before these.
    pub before: usize,
    /// Encoded columns, `[N, D]`, in double precision: they are standardized before they are rounded.
    pub values: Array2<f64>,
    /// The cells of the kept columns as they stand in the file, one list of N per column, in the order asked for.
    pub kept: Vec<Vec<String>>,
}

/// The blocks of a table, in order; ends with the first error.
///
/// Values, notes and messages are those of [`CsvSchema::read_inputs`], whatever the size of a block, but for what needs the
/// whole file: of several faults the first row's is told, the decimal mark is the one that the first mebibyte tells (a later
/// number with the other mark is refused), and a row may have 64 MiB.
pub struct InputBlocks {
    schema: CsvSchema,
    source: Source,
    /// The rows of the block.
    table: Table,
    positions: Vec<usize>,
    n_kept: usize,
    rows_per_block: usize,
    /// Rows of the table before the next block.
    rows: usize,
    /// Rows of the table before the first that is not read.
    end: usize,
    told: Told,
    dialect: Option<TableNote>,
    /// What is wrong with the row behind the last block.
    fault: Option<Error>,
    done: bool,
}

impl std::fmt::Debug for InputBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputBlocks")
            .field("table", &self.table.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl CsvSchema {
    /// Reads the inputs of a file, or of a pipe, in blocks of `rows_per_block` rows (at least one); columns named in `kept` are
    /// given back as text, whether they are inputs or not.
    ///
    /// # Errors
    /// As [`CsvSchema::read_inputs`] for the header and for what is no table; [`TableError::MissingColumn`] for a kept column that
    /// is not there. The blocks tell what is wrong with rows.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("t.csv");
    /// use rank1_data::{CsvOptions, CsvSchema};
    /// std::fs::write(&path, "size,price\n1,10\n2,30\n")?;
    /// let schema = CsvSchema::fit(&path, "price", &CsvOptions::default())?;
    /// std::fs::write(&path, "id,size\nx1,5\nx2,6\nx3,7\n")?;
    /// let mut blocks = schema.input_blocks(&path, &["id".to_owned()], 2)?;
    /// let first = blocks.next().transpose()?;
    /// assert_eq!(first.map(|block| block.kept), Some(vec![vec!["x1".to_owned(), "x2".to_owned()]]));
    /// assert_eq!(blocks.by_ref().count(), 1);
    /// assert!(blocks.notes().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn input_blocks(
        &self,
        path: &Path,
        kept: &[String],
        rows_per_block: usize,
    ) -> Result<InputBlocks, Error> {
        let reading = self.reading(kept);
        let opened = Source::of_file(path, &reading)?;
        InputBlocks::new(self, opened, kept, rows_per_block)
    }

    /// Whether a file has the target column; nothing but its beginning is read.
    ///
    /// # Errors
    /// As [`CsvSchema::read_inputs`] for the header and for what is no table.
    pub fn has_target(&self, path: &Path) -> Result<bool, Error> {
        let (_, table) = Source::of_file(path, &self.reading(&[]))?;
        Ok(table.header.contains(&self.target))
    }

    /// Number of rows of a file: all of it is read, nothing is encoded. Of a Parquet file its directory tells.
    ///
    /// # Errors
    /// As [`CsvSchema::input_blocks`], and the first row that is no row of the table.
    pub fn count_rows(&self, path: &Path) -> Result<usize, Error> {
        let (mut source, _) = Source::of_file(path, &self.reading(&[]))?;
        source.count()
    }

    /// As [`CsvSchema::input_blocks`], from a stream that messages call `name`.
    ///
    /// A Parquet file is put into a temporary file first: its directory stands at its end.
    ///
    /// # Errors
    /// As [`CsvSchema::input_blocks`].
    pub fn input_blocks_from(
        &self,
        reader: impl Read + Send + 'static,
        name: &Path,
        kept: &[String],
        rows_per_block: usize,
    ) -> Result<InputBlocks, Error> {
        let reading = self.reading(kept);
        let opened = Source::of_reader(reader, name, &reading)?;
        InputBlocks::new(self, opened, kept, rows_per_block)
    }
}

impl InputBlocks {
    fn new(
        schema: &CsvSchema,
        (source, table): (Source, Table),
        kept: &[String],
        rows_per_block: usize,
    ) -> Result<Self, Error> {
        check_header(&table.header, &table.path, &schema.reading(kept))?;
        for name in kept {
            table.position(name)?;
        }
        let positions = schema.positions_in(&table, kept)?;
        let dialect = table.dialect_note(schema.delimiter, schema.decimal);
        Ok(Self {
            schema: schema.clone(),
            source,
            table,
            positions,
            n_kept: kept.len(),
            rows_per_block: rows_per_block.max(1),
            rows: 0,
            end: usize::MAX,
            told: Told::default(),
            dialect,
            fault: None,
            done: false,
        })
    }

    /// The blocks of these rows only, which keep their numbers in the table; rows before them are read, not encoded.
    ///
    /// # Errors
    /// A row before them that is no row of the table.
    pub fn between(mut self, rows: Range<usize>) -> Result<Self, Error> {
        self.source.skip(rows.start)?;
        self.table.skip(rows.start);
        (self.rows, self.end) = (rows.start, rows.end);
        Ok(self)
    }

    /// What was guessed and filled in the blocks so far.
    #[must_use]
    pub fn notes(self) -> Vec<TableNote> {
        let mut notes: Vec<TableNote> = self.dialect.into_iter().collect();
        notes.extend(self.told.notes(&self.schema, &self.table.path));
        notes
    }

    fn read(&mut self) -> Result<Option<InputBlock>, Error> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let most = self.rows_per_block.min(self.end.saturating_sub(self.rows));
        if most == 0 {
            self.source.check_unchanged()?;
            return Ok(None);
        }
        self.table.clear();
        let mut kept = vec![Vec::new(); self.n_kept];
        let read = self.source.fill(&mut self.table, &mut kept, most);
        let n_rows = self.table.n_rows();
        if n_rows == 0 {
            read?;
            if self.rows == 0 {
                let (path, columns) = (self.table.path.clone(), self.table.header.len());
                return Err(TableError::HeaderOnly { path, columns }.into());
            }
            return Ok(None);
        }
        // Rows before a row that cannot be read come first, as they do in blocks of one row.
        self.fault = read.err();
        let values = match self.schema.encode(&self.table, &self.positions, &mut self.told) {
            Ok(values) => values,
            Err(error) => return Err(self.first_fault().unwrap_or(error).into()),
        };
        let before = self.rows;
        self.rows += n_rows;
        Ok(Some(InputBlock { before, values, kept }))
    }

    /// What is wrong with the first row of the block that cannot be encoded, whatever the order of columns.
    fn first_fault(&self) -> Option<TableError> {
        let of_row = |row| {
            let row = self.table.row(row);
            self.schema.encode(&row, &self.positions, &mut Told::default()).err()
        };
        (0..self.table.n_rows()).find_map(of_row)
    }
}

impl Iterator for InputBlocks {
    type Item = Result<InputBlock, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let block = self.read().transpose();
        self.done = !matches!(block, Some(Ok(_)));
        block
    }
}
