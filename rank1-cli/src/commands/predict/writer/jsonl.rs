//! Rows as JSON lines: one object a line, keys in the order of the columns, numbers with nine significant digits.

use std::io::{BufWriter, Write};

use anyhow::{Result, anyhow};

use super::RowWriter;
use crate::commands::predict::columns::{Columns, Values};
use crate::json::cell;
use crate::output::OutputStream;

/// Bytes that are written at a time.
const BUFFER: usize = 1 << 16;

/// A line for every row.
pub(super) struct JsonLines(BufWriter<OutputStream>);

impl JsonLines {
    pub(super) fn new(stream: OutputStream) -> Self {
        Self(BufWriter::with_capacity(BUFFER, stream))
    }
}

impl RowWriter for JsonLines {
    fn write(&mut self, columns: &Columns) -> Result<()> {
        let names =
            columns.iter().map(|(name, _)| serde_json::to_string(name)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..columns.n_rows() {
            for (number, (name, (_, values))) in names.iter().zip(columns.iter()).enumerate() {
                let value = match values {
                    Values::Text(values) => serde_json::to_string(&values[row])?,
                    // JSON has no other numbers than finite ones.
                    Values::Number(values) if !values[row].is_finite() => "null".into(),
                    Values::Number(values) => cell(values[row]),
                    Values::Integer(values) => values[row].to_string(),
                    Values::Truth(values) => values[row].to_string(),
                };
                write!(self.0, "{}{name}:{value}", if number == 0 { '{' } else { ',' })?;
            }
            self.0.write_all(b"}\n")?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<OutputStream> {
        self.0.into_inner().map_err(|error| anyhow!(error.into_error()))
    }
}
