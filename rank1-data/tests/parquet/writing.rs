//! Writes small Parquet files for the tests of reading them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
    FloatType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use tempfile::TempDir;

/// The values of a column, `None` where they are missing.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Truth(Vec<Option<bool>>),
    Int32(Vec<Option<i32>>),
    Int64(Vec<Option<i64>>),
    Int96(Vec<Option<[u32; 3]>>),
    Float(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Fixed(i32, Vec<Option<Vec<u8>>>),
}

/// A column without levels below it.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) logical: Option<LogicalType>,
    pub(crate) values: Values,
}

pub(crate) fn column(name: &'static str, logical: Option<LogicalType>, values: Values) -> Column {
    Column { name, logical, values }
}

/// Texts, `None` where they are missing.
pub(crate) fn texts(name: &'static str, texts: &[Option<&str>]) -> Column {
    let bytes = texts.iter().map(|text| text.map(|text| text.as_bytes().to_vec())).collect();
    column(name, Some(LogicalType::String), Values::Bytes(bytes))
}

pub(crate) fn doubles(name: &'static str, values: &[f64]) -> Column {
    column(name, None, Values::Double(values.iter().copied().map(Some).collect()))
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Truth(v) => v.len(),
            Self::Int32(v) => v.len(),
            Self::Int64(v) => v.len(),
            Self::Int96(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Double(v) => v.len(),
            Self::Bytes(v) | Self::Fixed(_, v) => v.len(),
        }
    }

    fn physical(&self) -> Physical {
        match self {
            Self::Truth(_) => Physical::BOOLEAN,
            Self::Int32(_) => Physical::INT32,
            Self::Int64(_) => Physical::INT64,
            Self::Int96(_) => Physical::INT96,
            Self::Float(_) => Physical::FLOAT,
            Self::Double(_) => Physical::DOUBLE,
            Self::Bytes(_) => Physical::BYTE_ARRAY,
            Self::Fixed(..) => Physical::FIXED_LEN_BYTE_ARRAY,
        }
    }

    /// Whether no value is missing; such columns are written without levels.
    fn is_full(&self) -> bool {
        match self {
            Self::Truth(v) => v.iter().all(Option::is_some),
            Self::Int32(v) => v.iter().all(Option::is_some),
            Self::Int64(v) => v.iter().all(Option::is_some),
            Self::Int96(v) => v.iter().all(Option::is_some),
            Self::Float(v) => v.iter().all(Option::is_some),
            Self::Double(v) => v.iter().all(Option::is_some),
            Self::Bytes(v) | Self::Fixed(_, v) => v.iter().all(Option::is_some),
        }
    }
}

fn field(column: &Column) -> TypePtr {
    let builder = Type::primitive_type_builder(column.name, column.values.physical());
    let builder = builder.with_logical_type(column.logical.clone());
    let builder = match &column.logical {
        Some(LogicalType::Decimal(decimal)) => {
            builder.with_precision(decimal.precision).with_scale(decimal.scale)
        }
        _ => builder,
    };
    let builder = match &column.values {
        Values::Fixed(length, _) => builder.with_length(*length),
        _ => builder,
    };
    let repetition = if column.values.is_full() { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    Arc::new(builder.with_repetition(repetition).build().unwrap())
}

fn write<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: Vec<Option<T::T>>) {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<T::T> = values.into_iter().flatten().collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(&there, Some(&levels), None).unwrap();
    column.close().unwrap();
}

/// The bytes of a file with row groups of `rows_per_group`.
pub(crate) fn file_of(columns: &[Column], rows_per_group: usize, compression: Compression) -> Vec<u8> {
    let fields = columns.iter().map(field).collect();
    let schema = Arc::new(Type::group_type_builder("t").with_fields(fields).build().unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let n = columns[0].values.len();
    for first in (0..n).step_by(rows_per_group) {
        let rows = first..n.min(first + rows_per_group);
        let mut group = writer.next_row_group().unwrap();
        for one in columns {
            match &one.values {
                Values::Truth(v) => write::<BoolType>(&mut group, v[rows.clone()].to_vec()),
                Values::Int32(v) => write::<Int32Type>(&mut group, v[rows.clone()].to_vec()),
                Values::Int64(v) => write::<Int64Type>(&mut group, v[rows.clone()].to_vec()),
                Values::Int96(v) => {
                    let of = |&[a, b, c]: &[u32; 3]| {
                        let mut value = Int96::new();
                        value.set_data(a, b, c);
                        value
                    };
                    let values = v[rows.clone()].iter().map(|value| value.as_ref().map(of)).collect();
                    write::<Int96Type>(&mut group, values);
                }
                Values::Float(v) => write::<FloatType>(&mut group, v[rows.clone()].to_vec()),
                Values::Double(v) => write::<DoubleType>(&mut group, v[rows.clone()].to_vec()),
                Values::Bytes(v) => {
                    let values = v[rows.clone()].iter().cloned().map(|v| v.map(ByteArray::from)).collect();
                    write::<ByteArrayType>(&mut group, values);
                }
                Values::Fixed(_, v) => {
                    let values = v[rows.clone()].iter().cloned();
                    let values = values.map(|v| v.map(|v| FixedLenByteArray::from(ByteArray::from(v))));
                    write::<FixedLenByteArrayType>(&mut group, values.collect());
                }
            }
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

pub(crate) fn file(columns: &[Column]) -> Vec<u8> {
    file_of(columns, 1 << 20, Compression::UNCOMPRESSED)
}

/// A folder with a file of that name.
pub(crate) fn place(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}
