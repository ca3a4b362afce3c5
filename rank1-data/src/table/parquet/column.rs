//! One column of a Parquet file: its values in order as text, empty where they are missing.
//!
//! Not for which columns are read; see [`super::file`].

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, DataType};
use parquet::errors::{ParquetError, Result};

use super::cells::{Kind, double, moment, single};

/// What the text of a value is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// What the values are.
    pub(super) kind: Kind,
    /// The decimal mark.
    pub(super) mark: char,
    /// The level of a value that is there: 0 if none may be missing.
    pub(super) there: i16,
}

/// The next `n` values.
///
/// # Errors
/// Pages that cannot be decoded, or that hold fewer values; text that is no UTF-8.
pub(super) fn read(reader: &mut ColumnReader, form: Form, n: usize) -> Result<Vec<String>> {
    let Form { kind, mark, .. } = form;
    match reader {
        ColumnReader::BoolColumnReader(r) => texts(r, form, n, |value| Ok(value.to_string())),
        ColumnReader::Int32ColumnReader(r) => texts(r, form, n, |value| Ok(kind.of_i32(*value, mark))),
        ColumnReader::Int64ColumnReader(r) => texts(r, form, n, |value| Ok(kind.of_i64(*value, mark))),
        ColumnReader::Int96ColumnReader(r) => texts(r, form, n, |value| {
            let &[low, high, day] = value.data() else { return Err(bad()) };
            let nanos = i128::from(low) + (i128::from(high) << 32);
            // Days are counted from noon of the first day of the Julian period.
            let days = i128::from(day.cast_signed()) - 2_440_588;
            Ok(moment(days * 86_400_000_000_000 + nanos, 1_000_000_000, false))
        }),
        ColumnReader::FloatColumnReader(r) => texts(r, form, n, |value| Ok(single(*value, mark))),
        ColumnReader::DoubleColumnReader(r) => texts(r, form, n, |value| Ok(double(*value, mark))),
        ColumnReader::ByteArrayColumnReader(r) => texts(r, form, n, |value| of_bytes(value.as_bytes(), form)),
        ColumnReader::FixedLenByteArrayColumnReader(r) => {
            texts(r, form, n, |value| of_bytes(value.as_bytes(), form))
        }
    }
}

fn of_bytes(bytes: &[u8], form: Form) -> Result<String> {
    form.kind.of_bytes(bytes, form.mark).ok_or_else(bad)
}

fn bad() -> ParquetError {
    ParquetError::General("a value that is none of its type, or text that is not UTF-8".into())
}

fn texts<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    form: Form,
    n: usize,
    text: impl Fn(&T::T) -> Result<String>,
) -> Result<Vec<String>> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (read, _, _) = reader.read_records(n, Some(&mut levels), None, &mut values)?;
    if read != n {
        return Err(ParquetError::EOF(format!("{read} values where {n} were announced")));
    }
    let mut values = values.iter();
    let mut next = || values.next().ok_or_else(bad);
    if form.there == 0 {
        return (0..n).map(|_| text(next()?)).collect();
    }
    levels.iter().map(|&level| if level == form.there { text(next()?) } else { Ok(String::new()) }).collect()
}
