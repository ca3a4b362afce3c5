//! Predictions of the same table from CSV, packed CSV and Parquet, in blocks of any size, into every format.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::types::Type;

use crate::workbench::{Bench, Ran, TABLE, Toy, assert_says, sum, table};
use crate::{numbers, parse_csv};

const SIZES: [&str; 3] = ["1", "7", "1000"];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The table of a CSV as Parquet: columns whose every cell is a number as numbers, others as text, in row groups of 20.
pub(crate) fn parquet_of(csv: &str) -> Vec<u8> {
    let (header, rows) = parse_csv(csv);
    let is_number: Vec<bool> =
        (0..header.len()).map(|i| rows.iter().all(|row| row[i].parse::<f64>().is_ok())).collect();
    let fields = header.iter().zip(&is_number).map(|(name, number)| {
        let (physical, logical) = match number {
            true => (Physical::DOUBLE, None),
            false => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        Arc::new(builder.with_logical_type(logical).build().unwrap())
    });
    let schema = Arc::new(Type::group_type_builder("t").with_fields(fields.collect()).build().unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    for rows in rows.chunks(20) {
        let mut group = writer.next_row_group().unwrap();
        for (i, number) in is_number.iter().enumerate() {
            let mut column = group.next_column().unwrap().unwrap();
            let cells = rows.iter().map(|row| row[i].as_str());
            if *number {
                let values: Vec<f64> = cells.map(|cell| cell.parse().unwrap()).collect();
                column.typed::<DoubleType>().write_batch(&values, None, None).unwrap();
            } else {
                let values: Vec<ByteArray> = cells.map(ByteArray::from).collect();
                column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// Rows with an identifier, without a target.
pub(crate) fn rows(n: usize) -> String {
    let table = table(n, sum);
    let line = |(i, line): (usize, &str)| {
        let inputs = line.rsplit_once(',').unwrap().0;
        if i == 0 { format!("id,{inputs}\n") } else { format!("no {i},{inputs}\n") }
    };
    table.lines().enumerate().map(line).collect()
}

pub(crate) fn bench(more: &str) -> Bench {
    let bench = Bench::with(&Toy { rest: more, data: TABLE, ..Toy::default() });
    bench.write("table.csv", table(61, sum));
    bench.train("run", &[]);
    bench.write("rows.csv", rows(143));
    bench.write("rows.csv.gz", gzip(rows(143).as_bytes()));
    bench.write("rows.parquet", parquet_of(&rows(143)));
    bench
}

fn predict(bench: &Bench, input: &str, more: &[&str]) -> String {
    bench
        .succeed(&[&["predict", "run", "--input", input, "--output", "-", "--keep", "id"], more].concat())
        .stdout
}

/// The values of a Parquet file, as the cells of a CSV.
fn cells(bench: &Bench, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let reader = SerializedFileReader::new(File::open(bench.path(name)).unwrap()).unwrap();
    let header = reader.metadata().file_metadata().schema().get_fields().iter().map(|f| f.name().to_owned());
    let cell = |(_, field): (&String, &Field)| match field {
        Field::Str(text) => text.clone(),
        Field::Double(value) => rank1_cli::json::cell(*value),
        Field::Long(value) => value.to_string(),
        other => panic!("{other:?}"),
    };
    let rows = reader.get_row_iter(None).unwrap();
    let rows = rows.map(|row| row.unwrap().get_column_iter().map(cell).collect()).collect();
    (header.collect(), rows)
}

#[test]
fn the_source_and_the_size_of_blocks_change_no_byte() {
    for draws in ["shared", "per_row"] {
        let bench = bench("");
        let plain = predict(&bench, "rows.csv", &["--draws", draws]);
        assert_eq!(plain.lines().count(), 144);
        assert!(
            plain.starts_with("row,id,mean,std,total,aleatoric,epistemic,lower,upper\n1,no 1,"),
            "{plain}"
        );
        let adaptive = ["--draws", draws, "--standard-error", "0.02", "--samples", "64", "--members"];
        let drawn = predict(&bench, "rows.csv", &adaptive);
        for size in SIZES {
            for input in ["rows.csv", "rows.csv.gz", "rows.parquet"] {
                let sized = ["--draws", draws, "--rows-per-block", size];
                assert_eq!(predict(&bench, input, &sized), plain, "{input} by {size}, {draws}");
                let sized = [&adaptive[..], &["--rows-per-block", size]].concat();
                assert_eq!(predict(&bench, input, &sized), drawn, "{input} by {size}, {draws}");
            }
        }
        // Standard input is read once, whatever it holds.
        for input in ["rows.csv", "rows.csv.gz", "rows.parquet"] {
            let words = ["predict", "run", "--input", "-", "--output", "-", "--keep", "id", "--draws", draws];
            let mut child =
                bench.command(&words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let bytes = std::fs::read(bench.path(input)).unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let feed = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
            let ran = Ran::of(child.wait_with_output().unwrap());
            feed.join().unwrap();
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), plain.as_str()), "{input} from a pipe");
        }
    }
}

#[test]
fn every_format_holds_the_same_rows_whatever_the_blocks() {
    let bench = bench("");
    let csv = predict(&bench, "rows.csv", &[]);
    let (header, expected) = parse_csv(&csv);
    let into = |output: &str, more: &[&str]| {
        let words = ["predict", "run", "--input", "rows.csv", "--keep", "id", "--output", output];
        bench.succeed(&[&words[..], more].concat());
        std::fs::read(bench.path(output)).unwrap()
    };
    let lines = into("out.jsonl", &[]);
    let parquet = into("out.parquet", &[]);
    for size in SIZES {
        assert_eq!(into("out.csv", &["--rows-per-block", size]), csv.as_bytes());
        assert_eq!(into("out.ndjson", &["--rows-per-block", size]), lines);
        assert_eq!(into("again.parquet", &["--rows-per-block", size]), parquet);
        assert_eq!(into("out.txt", &["--format", "jsonl", "--rows-per-block", size]), lines);
    }
    assert_eq!(cells(&bench, "out.parquet"), (header.clone(), expected.clone()));
    let text = String::from_utf8(lines).unwrap();
    assert!(text.starts_with("{\"row\":1,\"id\":\"no 1\",\"mean\":"), "{text}");
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), expected.len());
    for (object, row) in objects.iter().zip(&expected) {
        let numbers = numbers(row, 2);
        assert_eq!(object["id"], row[1].as_str());
        for (name, number) in header[2..].iter().zip(numbers) {
            assert_eq!(object[name].as_f64(), Some(number), "{name}");
        }
    }
    // What predictions are made of reads as a table again.
    bench.succeed(&[
        "predict",
        "run",
        "--input",
        "rows.parquet",
        "--output",
        "x.parquet",
        "--keep",
        "id",
        "--keep",
        "color",
    ]);
    assert_eq!(cells(&bench, "x.parquet").0[..3], ["row", "id", "color"]);
}

#[test]
fn a_class_is_text_and_kept_columns_are_as_they_stand() {
    let bench = Bench::with(&Toy { data: TABLE, ..Toy::default() });
    bench.write("table.csv", table(61, |a, _, _| if a > 0.0 { "yes" } else { "no" }.into()));
    bench.train("run", &[]);
    bench.write("rows.csv", "color,id,a,b\nred,\" 007, x\",0.5,1\nblue,-1e-3,0.25,2\n");
    let words = ["predict", "run", "--input", "rows.csv", "--keep", "id", "--keep", "a", "--output"];
    let csv = bench.succeed(&[&words[..], &["-"]].concat()).stdout;
    let (header, rows) = parse_csv(&csv);
    assert_eq!(header[..4], ["row", "id", "a", "prediction"]);
    assert_eq!([&rows[0][1], &rows[0][2], &rows[1][1], &rows[1][2]], [" 007, x", "0.5", "-1e-3", "0.25"]);
    let lines = bench.succeed(&[&words[..], &["-", "--format", "jsonl"]].concat()).stdout;
    assert!(lines.starts_with("{\"row\":1,\"id\":\" 007, x\",\"a\":\"0.5\",\"prediction\":\""), "{lines}");
}

#[test]
fn what_cannot_be_kept_or_written_is_refused() {
    let bench = bench("");
    let words = ["predict", "run", "--input", "rows.csv", "--output", "out.csv"];
    let with = |more: &[&str]| bench.refused(&[&words[..], more].concat());
    assert_says(&with(&["--keep", "idd"]), &["rows.csv: no column `idd` (did you mean `id`?)"]);
    assert_says(&with(&[]), &["not among the columns of training: id"]);
    assert_says(&with(&["--keep", "id", "--keep", "id"]), &["--keep id", "named twice"]);
    assert_says(&with(&["--format", "xlsx"]), &["--format", "xlsx", "csv, jsonl, parquet"]);
    assert_says(&with(&["--rows-per-block", "0"]), &["--rows-per-block"]);
    bench.write("named.csv", "mean,a,b,color\n1,0.5,1,red\n");
    let line =
        bench.refused(&["predict", "run", "--input", "named.csv", "--output", "out.csv", "--keep", "mean"]);
    assert_says(&line, &["--keep mean: the predictions have a column of this name"]);
}

#[test]
fn nothing_half_written_stays() {
    let bench = bench("");
    let whole = std::fs::read(bench.path("rows.csv.gz")).unwrap();
    bench.write("cut.gz", &whole[..whole.len() - 20]);
    let parquet = std::fs::read(bench.path("rows.parquet")).unwrap();
    bench.write("cut.parquet", &parquet[..parquet.len() - 5]);
    bench.write("quote.csv", rows(20) + "\"x,0.5,1,red\n");
    bench.write("row.csv", rows(20) + "x,0.5");
    bench.write("cell.csv", rows(20) + "x,abc,1,red\n");
    for (input, texts) in [
        ("cut.gz", ["cut.gz: truncated or corrupt gzip data", ""]),
        ("cut.parquet", ["cut.parquet: truncated or corrupt Parquet file", ""]),
        ("quote.csv", ["the quote that is opened on line 22 is never closed", ""]),
        ("row.csv", ["row 21 (line 22) has 2 fields, expected 4", ""]),
        ("cell.csv", ["row 21 (line 22), column `a`", "`abc` is not a number"]),
    ] {
        for output in ["out.csv", "out.jsonl", "out.parquet"] {
            let words = ["predict", "run", "--input", input, "--output", output, "--keep", "id"];
            assert_says(&bench.refused(&[&words[..], &["--rows-per-block", "5"]].concat()), &texts);
        }
    }
}

#[test]
fn a_run_is_trained_fitted_and_evaluated_on_parquet_as_on_csv() {
    let text = table(120, sum);
    let outcome = |name: &str, bytes: &[u8]| {
        let bench = Bench::with(&Toy { data: &TABLE.replace("table.csv", name), ..Toy::default() });
        bench.write(name, bytes);
        bench.train("run", &[]);
        let evaluated = bench.succeed(&["evaluate", "run", "--input", name, "--json"]).stdout;
        let fit = ["fit", name, "--target", "y", "--out", "fitted", "--quiet", "--set", "train.steps=20"];
        bench.succeed(&fit);
        let fitted = bench.succeed(&["predict", "fitted", "--input", name, "--output", "-"]).stdout;
        let mut evaluated: serde_json::Value = serde_json::from_str(&evaluated).unwrap();
        assert!(evaluated["metrics"]["nll"].is_number(), "{evaluated}");
        evaluated["set"] = "the table".into();
        (evaluated, fitted, bench.read("run/metrics.csv"))
    };
    let of_csv = outcome("t.csv", text.as_bytes());
    let of_parquet = outcome("t.parquet", &parquet_of(&text));
    assert_eq!(of_parquet, of_csv);
}
