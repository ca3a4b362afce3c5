//! Rows as a Parquet file: row groups of one size whatever the blocks are, pages packed by Snappy, numbers in double precision
//! with the nine significant digits of the other formats.

use std::sync::Arc;

use anyhow::{Result, bail};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::RowWriter;
use crate::commands::predict::columns::{Columns, Values};
use crate::json::rounded;
use crate::output::OutputStream;

/// Values of a row group, about.
const VALUES: usize = 1 << 20;

/// Rows of a row group, between these.
const FEWEST: usize = 1 << 10;
const MOST: usize = 1 << 16;

/// A file that is written one row group after the other.
pub(super) struct Groups {
    writer: SerializedFileWriter<OutputStream>,
    /// Values that make no whole group yet.
    held: Vec<Values>,
    rows_per_group: usize,
}

impl Groups {
    pub(super) fn new(stream: OutputStream, columns: &Columns) -> Result<Self> {
        let fields = columns.iter().map(|(name, values)| field(name, values)).collect::<Result<Vec<_>>>()?;
        let rows_per_group = (VALUES / fields.len().max(1)).clamp(FEWEST, MOST);
        let schema = Type::group_type_builder("predictions").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("rank1 version {}", env!("CARGO_PKG_VERSION")))
            .build();
        let held = columns.iter().map(|(_, values)| part(values, 0, 0)).collect();
        let writer = SerializedFileWriter::new(stream, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, held, rows_per_group })
    }

    /// Writes the first rows that are held as a group.
    fn write_group(&mut self, rows: usize) -> Result<()> {
        let mut group = self.writer.next_row_group()?;
        for values in &mut self.held {
            let Some(mut column) = group.next_column()? else { bail!("a column of the output is missing") };
            write_column(&mut column, &part(values, 0, rows))?;
            column.close()?;
            *values = part(values, rows, values.len());
        }
        group.close()?;
        Ok(())
    }

    fn n_held(&self) -> usize {
        self.held.first().map_or(0, Values::len)
    }
}

impl RowWriter for Groups {
    fn write(&mut self, columns: &Columns) -> Result<()> {
        for (held, (_, values)) in self.held.iter_mut().zip(columns.iter()) {
            match (held, values) {
                (Values::Text(held), Values::Text(values)) => held.extend_from_slice(values),
                (Values::Number(held), Values::Number(values)) => held.extend_from_slice(values),
                (Values::Integer(held), Values::Integer(values)) => held.extend_from_slice(values),
                (Values::Truth(held), Values::Truth(values)) => held.extend_from_slice(values),
                _ => bail!("a column of the output changed its type"),
            }
        }
        while self.n_held() >= self.rows_per_group {
            self.write_group(self.rows_per_group)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<OutputStream> {
        let rows = self.n_held();
        if rows > 0 {
            self.write_group(rows)?;
        }
        Ok(self.writer.into_inner()?)
    }
}

fn field(name: &str, values: &Values) -> Result<TypePtr> {
    let (physical, logical) = match values {
        Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Values::Number(_) => (Physical::DOUBLE, None),
        Values::Integer(_) => (Physical::INT64, Some(LogicalType::integer(64, true))),
        Values::Truth(_) => (Physical::BOOLEAN, None),
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

/// The values of some rows.
fn part(values: &Values, from: usize, to: usize) -> Values {
    match values {
        Values::Text(values) => Values::Text(values[from..to].to_vec()),
        Values::Number(values) => Values::Number(values[from..to].to_vec()),
        Values::Integer(values) => Values::Integer(values[from..to].to_vec()),
        Values::Truth(values) => Values::Truth(values[from..to].to_vec()),
    }
}

fn write_column(column: &mut SerializedColumnWriter<'_>, values: &Values) -> Result<()> {
    match values {
        Values::Text(values) => {
            let texts: Vec<ByteArray> = values.iter().map(|text| ByteArray::from(text.as_str())).collect();
            column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
        }
        Values::Number(values) => {
            let numbers: Vec<f64> = values.iter().map(|&value| rounded(value)).collect();
            column.typed::<DoubleType>().write_batch(&numbers, None, None)?;
        }
        Values::Integer(values) => {
            let numbers = values.iter().map(|&value| i64::try_from(value)).collect::<Result<Vec<_>, _>>()?;
            column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
        }
        Values::Truth(values) => {
            column.typed::<BoolType>().write_batch(values, None, None)?;
        }
    }
    Ok(())
}
