//! Rows as CSV with a header, numbers with nine significant digits.

use anyhow::{Result, anyhow};

use super::RowWriter;
use crate::commands::predict::columns::{Columns, Values};
use crate::json::cell;
use crate::output::OutputStream;

/// Bytes that are written at a time.
const BUFFER: usize = 1 << 16;

/// Comma-separated rows.
pub(super) struct Table(csv::Writer<OutputStream>);

impl Table {
    /// Writes the header.
    pub(super) fn new(stream: OutputStream, columns: &Columns) -> Result<Self> {
        let mut writer = csv::WriterBuilder::new().buffer_capacity(BUFFER).from_writer(stream);
        writer.write_record(columns.iter().map(|(name, _)| name))?;
        Ok(Self(writer))
    }
}

impl RowWriter for Table {
    fn write(&mut self, columns: &Columns) -> Result<()> {
        for row in 0..columns.n_rows() {
            for (_, values) in columns.iter() {
                match values {
                    Values::Text(values) => self.0.write_field(&values[row])?,
                    Values::Number(values) => self.0.write_field(cell(values[row]))?,
                    Values::Integer(values) => self.0.write_field(values[row].to_string())?,
                    Values::Truth(values) => self.0.write_field(values[row].to_string())?,
                }
            }
            self.0.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<OutputStream> {
        self.0.into_inner().map_err(|error| anyhow!(error.into_error()))
    }
}
