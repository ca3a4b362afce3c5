//! Every type of a column encodes to the inputs of its CSV.

use std::path::Path;

use parquet::basic::{Compression, GzipLevel, LogicalType, TimeUnit, ZstdLevel};
use rank1_data::{CsvOptions, CsvSchema, Dates, Missing, TestPart, load_table};

use crate::writing::{Column, Values, column, doubles, file, file_of, place, texts};

const N: usize = 6;

/// A column of the target, so that every table has one.
fn target() -> Column {
    doubles("y", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.5])
}

const TARGETS: [&str; N] = ["1", "2", "4", "8", "16", "32.5"];

fn csv(name: &str, cells: [&str; N]) -> String {
    let rows: Vec<String> = cells.iter().zip(TARGETS).map(|(cell, y)| format!("{cell},{y}\n")).collect();
    format!("{name},y\n{}", rows.concat())
}

fn options() -> CsvOptions {
    CsvOptions {
        missing: Missing::Indicator,
        dates: Dates::CalendarParts,
        booleans: true,
        ..CsvOptions::default()
    }
}

/// Both files give the same schema and the same inputs, through either schema.
fn check(name: &'static str, logical: Option<LogicalType>, values: Values, cells: [&str; N]) {
    let (_one, parquet) = place("t.parquet", file(&[column(name, logical, values), target()]));
    let (_other, csv) = place("t.csv", csv(name, cells));
    let fit = |path: &Path| CsvSchema::fit(path, "y", &options()).unwrap();
    let (of_parquet, of_csv) = (fit(&parquet), fit(&csv));
    assert_eq!(of_parquet, of_csv, "{name}");
    let read = |schema: &CsvSchema, path: &Path| schema.read_inputs(path).unwrap().values;
    assert_eq!(read(&of_csv, &parquet), read(&of_csv, &csv), "{name}");
    assert_eq!(of_csv.read(&parquet).unwrap(), of_csv.read(&csv).unwrap(), "{name}");
}

fn int32(values: [i32; N]) -> Values {
    Values::Int32(values.map(Some).to_vec())
}

fn int64(values: [i64; N]) -> Values {
    Values::Int64(values.map(Some).to_vec())
}

#[test]
fn numbers_of_every_width_are_those_of_the_csv() {
    let whole = ["1", "-2", "0", "7", "100", "42"];
    for bits in [8, 16, 32] {
        check("n", Some(LogicalType::integer(bits, true)), int32([1, -2, 0, 7, 100, 42]), whole);
    }
    check("n", None, int32([1, -2, 0, 7, 100, 42]), whole);
    check("n", Some(LogicalType::integer(64, true)), int64([1, -2, 0, 7, 100, 42]), whole);
    let large = ["4294967295", "1", "2", "3", "4", "5"];
    check("n", Some(LogicalType::integer(32, false)), int32([-1, 1, 2, 3, 4, 5]), large);
    let larger = ["18446744073709551615", "9007199254740993", "-1", "3", "4", "5"];
    let signed = ["9223372036854775807", "9007199254740993", "-1", "3", "4", "5"];
    check("n", None, int64([i64::MAX, 9_007_199_254_740_993, -1, 3, 4, 5]), signed);
    let unsigned = larger.map(|text| if text == "-1" { "0" } else { text });
    check(
        "n",
        Some(LogicalType::integer(64, false)),
        int64([-1, 9_007_199_254_740_993, 0, 3, 4, 5]),
        unsigned,
    );
}

#[test]
fn floating_point_numbers_lose_nothing_through_text() {
    let values = [0.1, -1.0 / 3.0, 1e30, 123_456.789_012_345_67, 5e-324, 1.0];
    let (_folder, path) = place("t.parquet", file(&[doubles("x", &values), target()]));
    let schema = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap();
    let read = schema.read_inputs(&path).unwrap().values;
    assert!(read.iter().zip(values).all(|(read, value)| read.to_bits() == value.to_bits()), "{read}");
    let cells = values.map(|value| format!("{value:e}"));
    check("x", None, Values::Double(values.map(Some).to_vec()), cells.each_ref().map(String::as_str));
    // Single precision is written as every program writes it: the shortest text that reads as it.
    let single = [0.1_f32, 1.5, -2.25, 1e10, 3.0, 16_777_216.0];
    let cells = ["0.1", "1.5", "-2.25", "1e10", "3", "16777216"];
    check("x", None, Values::Float(single.map(Some).to_vec()), cells);
    let half = [0x3c00_u16, 0xc000, 0x3800, 0x4900, 0x0000, 0x7bff];
    let bytes = half.map(|bits| Some(bits.to_le_bytes().to_vec())).to_vec();
    let cells = ["1", "-2", "0.5", "10", "0", "65504"];
    check("x", Some(LogicalType::Float16), Values::Fixed(2, bytes), cells);
}

#[test]
fn decimals_are_read_from_numbers_and_bytes() {
    let cells = ["12.34", "-0.05", "0.00", "100.00", "1.00", "-7.77"];
    let values = [1234, -5, 0, 10_000, 100, -777];
    let decimal = || Some(LogicalType::decimal(2, 9));
    check("d", decimal(), int32(values), cells);
    check("d", Some(LogicalType::decimal(2, 18)), int64(values.map(i64::from)), cells);
    let bytes = |n: usize| values.map(|v| Some(i128::from(v).to_be_bytes()[16 - n..].to_vec())).to_vec();
    check("d", decimal(), Values::Fixed(4, bytes(4)), cells);
    check("d", Some(LogicalType::decimal(2, 38)), Values::Fixed(16, bytes(16)), cells);
    check("d", decimal(), Values::Bytes(bytes(3)), cells);
}

#[test]
fn truth_values_texts_and_levels_are_those_of_the_csv() {
    let truths = [true, false, true, true, false, false].map(Some).to_vec();
    check("b", None, Values::Truth(truths), ["true", "false", "true", "true", "false", "false"]);
    let words = ["red", " blue ", "red", "é\u{1F600}", "blue", "red"];
    let bytes = words.map(|word| Some(word.as_bytes().to_vec())).to_vec();
    for logical in [LogicalType::String, LogicalType::Enum] {
        check("c", Some(logical), Values::Bytes(bytes.clone()), words);
    }
    let ids = [[1_u8; 16], [2; 16], [1; 16], [2; 16], [1; 16], [1; 16]];
    let id = |n: &str| [n.repeat(4), n.repeat(2), n.repeat(2), n.repeat(2), n.repeat(6)].join("-");
    let cells = [id("01"), id("02"), id("01"), id("02"), id("01"), id("01")];
    let bytes = ids.map(|id| Some(id.to_vec())).to_vec();
    let cells = cells.each_ref().map(String::as_str);
    check("u", Some(LogicalType::Uuid), Values::Fixed(16, bytes), cells);
}

#[test]
fn dates_and_times_become_the_calendar_parts_of_the_csv() {
    let dates = ["2024-01-31", "1969-12-31", "2000-02-29", "2024-12-31", "1970-01-01", "2026-11-30"];
    check("t", Some(LogicalType::Date), int32([19_753, -1, 11_016, 20_088, 0, 20_787]), dates);
    let days = [19_753_i64, -1, 11_016, 20_088, 0, 20_787].map(|day| day * 86_400 + 66_605);
    let moments = dates.map(|day| format!("{day} 18:30:05.25"));
    let moments = moments.each_ref().map(String::as_str);
    for (unit, per_second) in
        [(TimeUnit::MILLIS, 1_000), (TimeUnit::MICROS, 1_000_000), (TimeUnit::NANOS, 1_000_000_000)]
    {
        let values = days.map(|seconds| seconds * per_second + per_second / 4);
        for universal in [true, false] {
            check("t", Some(LogicalType::timestamp(universal, unit)), int64(values), moments);
        }
    }
    // As older programs write moments: a day of the Julian period and nanoseconds.
    let old = days.map(|seconds| {
        let nanos = seconds.rem_euclid(86_400) as u64 * 1_000_000_000 + 250_000_000;
        Some([nanos as u32, (nanos >> 32) as u32, (seconds.div_euclid(86_400) + 2_440_588) as u32])
    });
    check("t", None, Values::Int96(old.to_vec()), moments);
    let midnights = int64([19_753, -1, 11_016, 20_088, 0, 20_787].map(|day| day * 86_400_000));
    check("t", Some(LogicalType::timestamp(false, TimeUnit::MILLIS)), midnights, dates);
}

#[test]
fn missing_values_are_empty_cells_and_nan_is_missing_among_numbers() {
    let numbers = Values::Double(vec![Some(1.5), None, Some(f64::NAN), Some(-2.0), None, Some(3.25)]);
    check("x", None, numbers, ["1.5", "", "NaN", "-2", "", "3.25"]);
    let whole = Values::Int64(vec![Some(1), None, Some(3), Some(4), None, Some(6)]);
    check("x", None, whole, ["1", "", "3", "4", "", "6"]);
    let words =
        vec![Some(b"a".to_vec()), None, Some(b"b".to_vec()), Some(Vec::new()), None, Some(b"a".to_vec())];
    check("c", Some(LogicalType::String), Values::Bytes(words), ["a", "", "b", "", "", "a"]);
    let truths = vec![Some(true), None, Some(false), Some(true), None, Some(true)];
    check("b", None, Values::Truth(truths), ["true", "", "false", "true", "", "true"]);
    let days = Values::Int32(vec![Some(0), None, Some(10), Some(20), None, Some(30)]);
    let cells = ["1970-01-01", "", "1970-01-11", "1970-01-21", "", "1970-01-31"];
    check("t", Some(LogicalType::Date), days, cells);
}

#[test]
fn packed_pages_and_many_row_groups_change_nothing() {
    let columns = [
        doubles("x", &[0.5, 1.5, -2.0, 3.0, 4.0, 5.5]),
        texts("c", &["a", "b", "a", "a", "b", "a"].map(Some)),
        target(),
    ];
    let (_plain, path) = place("t.parquet", file(&columns));
    let schema = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap();
    let expected = schema.read(&path).unwrap();
    let gzip = Compression::GZIP(GzipLevel::default());
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for compression in [Compression::SNAPPY, gzip, zstd] {
        for rows_per_group in [1, 4, 6] {
            let (_folder, path) = place("t.csv", file_of(&columns, rows_per_group, compression));
            assert_eq!(schema.read(&path).unwrap(), expected, "{compression:?}, {rows_per_group}");
        }
    }
}

#[test]
fn columns_of_text_may_hold_numbers_with_a_decimal_comma() {
    let columns = [texts("x", &["1,5", "2,5", "-3,25", "4", "5", "6"].map(Some)), target()];
    let (_folder, path) = place("t.parquet", file(&columns));
    let refused = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap_err().to_string();
    assert!(refused.contains("has a decimal point") && refused.contains("data.decimal"), "{refused}");
    let options = CsvOptions { decimal: Some(','), ..CsvOptions::default() };
    let schema = CsvSchema::fit(&path, "y", &options).unwrap();
    assert_eq!(schema.read_inputs(&path).unwrap().values[[2, 0]], -3.25);
    assert_eq!(schema.read(&path).unwrap().len(), N);
}

#[test]
fn a_table_is_loaded_and_divided_as_its_csv_is() {
    let (_one, parquet) =
        place("t.parquet", file(&[texts("c", &["a", "b", "a", "a", "b", "a"].map(Some)), target()]));
    let (_other, csv) = place("t.csv", csv("c", ["a", "b", "a", "a", "b", "a"]));
    let part = TestPart::Fraction { fraction: 0.3, seed: 1 };
    let load = |path: &Path| load_table(path, &part, "y", &CsvOptions::default()).unwrap();
    let (of_parquet, of_csv) = (load(&parquet), load(&csv));
    assert_eq!(
        (of_parquet.dataset.train, of_parquet.dataset.test),
        (of_csv.dataset.train, of_csv.dataset.test)
    );
    assert_eq!(of_parquet.digest.len(), 64);
}
