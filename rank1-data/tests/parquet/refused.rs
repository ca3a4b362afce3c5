//! Columns that no cell can hold, and files that are cut.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::Int32Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use rank1_data::{CsvOptions, CsvSchema};
use tempfile::TempDir;

use crate::writing::{Values, column, doubles, file, place};

fn leaf(name: &str, repetition: Repetition) -> TypePtr {
    let builder = Type::primitive_type_builder(name, Physical::INT32).with_repetition(repetition);
    Arc::new(builder.build().unwrap())
}

fn group(name: &str, logical: Option<LogicalType>, repetition: Repetition, fields: Vec<TypePtr>) -> TypePtr {
    let builder = Type::group_type_builder(name).with_logical_type(logical).with_repetition(repetition);
    Arc::new(builder.with_fields(fields).build().unwrap())
}

/// A table of three rows with a column `nested` beside `x` and `y`.
fn nested(field: TypePtr, leaves: usize, levels: (i16, Option<i16>)) -> (TempDir, PathBuf) {
    let fields = vec![leaf("x", Repetition::REQUIRED), field, leaf("y", Repetition::REQUIRED)];
    let schema = Arc::new(Type::group_type_builder("t").with_fields(fields).build().unwrap());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    for i in 0..leaves + 2 {
        let mut one = rows.next_column().unwrap().unwrap();
        let inner = (1..=leaves).contains(&i);
        let (definition, repetition) = (vec![levels.0; 3], levels.1.map(|level| vec![level; 3]));
        let definition = (inner && levels.0 > 0).then_some(&definition[..]);
        let repetition = repetition.as_deref().filter(|_| inner);
        one.typed::<Int32Type>().write_batch(&[1, 2, 5], definition, repetition).unwrap();
        one.close().unwrap();
    }
    rows.close().unwrap();
    place("t.parquet", writer.into_inner().unwrap())
}

fn ignoring(names: &[&str]) -> CsvOptions {
    let ignore = names.iter().map(|name| (*name).to_owned()).collect();
    CsvOptions { ignore, ..CsvOptions::default() }
}

#[test]
fn a_column_with_levels_below_it_is_named_with_its_type_unless_it_is_not_used() {
    const REPEATED: Repetition = Repetition::REPEATED;
    const REQUIRED: Repetition = Repetition::REQUIRED;
    let list = group("list", None, REPEATED, vec![leaf("element", REQUIRED)]);
    let list = group("nested", Some(LogicalType::List), REQUIRED, vec![list]);
    let pair = group("key_value", None, REPEATED, vec![leaf("key", REQUIRED), leaf("value", REQUIRED)]);
    let map = group("nested", Some(LogicalType::Map), REQUIRED, vec![pair]);
    let structure = group("nested", None, REQUIRED, vec![leaf("a", REQUIRED), leaf("b", REQUIRED)]);
    for (kind, field, leaves, levels) in [
        ("list", list, 1, (1, Some(0))),
        ("map", map, 2, (1, Some(0))),
        ("struct", structure, 2, (0, None)),
        ("list", leaf("nested", REPEATED), 1, (1, Some(0))),
    ] {
        let (_folder, path) = nested(field, leaves, levels);
        let message = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap_err().to_string();
        let expected = format!(
            "t.parquet: column `nested` is of the type {kind}, which is not read; leave it out with data.ignore = [\"nested\"], or store it as numbers or text"
        );
        assert!(message.ends_with(&expected), "{message}");
        let schema = CsvSchema::fit(&path, "y", &ignoring(&["nested"])).unwrap();
        assert_eq!(schema.read_inputs(&path).unwrap().values.column(0).to_vec(), [1.0, 2.0, 5.0]);
        // A kept column is read.
        let kept = schema.input_blocks(&path, &["nested".to_owned()], 10).unwrap_err().to_string();
        assert!(kept.contains("column `nested` is of the type"), "{kept}");
        // A target of that type is none of the inputs.
        let (_csv, csv) = place("t.csv", "x,nested,y\n1,2,1\n2,3,1\n3,5,1\n");
        let of_csv = CsvSchema::fit(&csv, "nested", &ignoring(&["y"])).unwrap();
        assert_eq!(of_csv.read_inputs(&path).unwrap().values, schema.read_inputs(&path).unwrap().values);
        assert!(of_csv.read(&path).unwrap_err().to_string().contains("column `nested` is of the type"));
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let blob = || Values::Bytes(vec![Some(vec![0, 1]), Some(vec![2, 255]), Some(vec![])]);
    let y = || doubles("y", &[1.0, 2.0, 3.5]);
    let (_folder, path) = place("t.parquet", file(&[column("blob", None, blob()), y()]));
    let message = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap_err().to_string();
    assert!(message.contains("column `blob` is of the type binary"), "{message}");
    let said = column("blob", Some(LogicalType::String), blob());
    let (_folder, path) = place("t.parquet", file(&[said, y()]));
    let message = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap_err().to_string();
    assert!(message.contains("column `blob`") && message.contains("UTF-8"), "{message}");
}

#[test]
fn a_file_cut_anywhere_is_refused_in_one_line() {
    let values: Vec<f64> = (0..50).map(|i| f64::from(i).sin()).collect();
    let whole = file(&[doubles("x", &values), doubles("y", &values)]);
    let (_folder, path) = place("t.parquet", &whole);
    let schema = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap();
    for length in 4..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let message = schema.read_inputs(&path).unwrap_err().to_string();
        assert!(message.contains("t.parquet: truncated or corrupt Parquet file"), "{length}: {message}");
        assert!(!message.contains('\n'));
        let message = schema.input_blocks(&path, &[], 7).unwrap_err().to_string();
        assert!(message.contains("truncated or corrupt Parquet file"), "{length}: {message}");
    }
}

#[test]
fn a_packed_parquet_file_says_what_to_do() {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&file(&[doubles("x", &[1.0, 2.0]), doubles("y", &[1.0, 2.0])])).unwrap();
    let (_folder, path) = place("t.parquet.gz", packed.finish().unwrap());
    let message = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap_err().to_string();
    assert!(message.contains("is a Parquet file that was packed; unpack it"), "{message}");
}
