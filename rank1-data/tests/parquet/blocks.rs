//! A table in blocks of any size is the table as a whole: values, notes, kept cells, messages.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, concatenate};
use parquet::basic::Compression;
use rank1_data::{
    CsvOptions, CsvSchema, Error, InputBlocks, Missing, ReadingChanges, TableNote, UnknownLevels,
};

use crate::writing::{Column, Values, column, file_of, place, texts};

const SIZES: [usize; 6] = [1, 2, 3, 7, 64, 1000];
const N: usize = 143;

fn x(row: usize) -> Option<f64> {
    (row % 11 != 5).then(|| (row as f64 * 0.37).sin() * 100.0)
}

fn color(row: usize) -> &'static str {
    match row {
        90 => "violet",
        91 => "brown",
        row => ["red", "green", "blue"][row % 3],
    }
}

fn id(row: usize) -> String {
    format!(" id {row:03}")
}

/// The same rows as CSV and as Parquet.
fn csv() -> String {
    let mut text = String::from("id,x,color\n");
    for row in 0..N {
        let x = x(row).map(|x| format!("{x}")).unwrap_or_default();
        text += &format!("\"{}\",{x},{}\n", id(row), color(row));
    }
    text
}

fn columns() -> Vec<Column> {
    let ids: Vec<String> = (0..N).map(id).collect();
    let ids: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    let colors: Vec<Option<&str>> = (0..N).map(|row| Some(color(row))).collect();
    vec![
        texts("id", &ids),
        column("x", None, Values::Double((0..N).map(x).collect())),
        texts("color", &colors),
    ]
}

fn schema() -> CsvSchema {
    let (_folder, path) = place("train.csv", "x,color,y\n1.5,red,1\n,green,2\n-3,blue,3\n2,red,4.5\n");
    let options = CsvOptions {
        missing: Missing::ImputeMedian,
        unknown_levels: UnknownLevels::AllZero,
        ..CsvOptions::default()
    };
    CsvSchema::fit(&path, "y", &options).unwrap()
}

type Read = (Array2<f64>, Vec<Vec<String>>, Vec<TableNote>);

fn gathered(blocks: Result<InputBlocks, Error>, size: usize) -> Result<Read, Error> {
    let mut blocks = blocks?;
    let (mut values, mut kept, mut rows) = (Vec::new(), vec![Vec::new(); 2], 0);
    for block in blocks.by_ref() {
        let block = block?;
        assert!(block.values.nrows() <= size && block.before == rows);
        rows += block.values.nrows();
        values.push(block.values);
        kept.iter_mut().zip(block.kept).for_each(|(all, one)| all.extend(one));
    }
    let views: Vec<_> = values.iter().map(|block| block.view()).collect();
    Ok((concatenate(Axis(0), &views).unwrap(), kept, blocks.notes()))
}

fn kept() -> Vec<String> {
    vec!["id".to_owned(), "color".to_owned()]
}

/// What the whole file gives, its identifiers ignored.
fn whole(schema: &CsvSchema, path: &Path) -> (Array2<f64>, Vec<TableNote>) {
    let (_folder, train) =
        place("train.csv", "id,x,color,y\na,1.5,red,1\nb,,green,2\nc,-3,blue,3\nd,2,red,4.5\n");
    let options = CsvOptions {
        missing: Missing::ImputeMedian,
        unknown_levels: UnknownLevels::AllZero,
        ignore: vec!["id".into()],
        ..CsvOptions::default()
    };
    let ignoring = CsvSchema::fit(&train, "y", &options).unwrap();
    assert_eq!(ignoring.columns(), schema.columns());
    let read = ignoring.read_inputs(path).unwrap();
    (read.values, read.notes)
}

fn packed(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(3)).unwrap();
    xz.write_all(text.as_bytes()).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
    vec![("t.gz", gzip.finish().unwrap()), ("t.xz", xz.finish().unwrap()), ("t.zst", zstd)]
}

#[test]
fn blocks_of_any_size_are_the_whole() {
    let schema = schema();
    let mut files: Vec<(PathBuf, Vec<u8>)> = vec![("t.csv".into(), csv().into_bytes())];
    files.extend(packed(&csv()).into_iter().map(|(name, bytes)| (name.into(), bytes)));
    for rows_per_group in [5, 1000] {
        let bytes = file_of(&columns(), rows_per_group, Compression::SNAPPY);
        files.push((format!("t{rows_per_group}.parquet").into(), bytes));
    }
    let mut first: Option<Array2<f64>> = None;
    for (name, bytes) in files {
        let (_folder, path) = place(name.to_str().unwrap(), &bytes);
        let (values, notes) = whole(&schema, &path);
        let shown: Vec<String> = notes.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown[0].contains("13 of `x`") && shown[1].contains("2 in `color` (`violet`"), "{shown:?}");
        assert_eq!(*first.get_or_insert_with(|| values.clone()), values, "{name:?}");
        for size in SIZES {
            let got = gathered(schema.input_blocks(&path, &kept(), size), size).unwrap();
            assert_eq!((&got.0, &got.2), (&values, &notes), "{name:?} by {size}");
            assert_eq!(got.1[0], (0..N).map(id).collect::<Vec<_>>());
            assert_eq!(got.1[1], (0..N).map(color).collect::<Vec<_>>());
            // The same bytes as a stream.
            let stream = Cursor::new(bytes.clone());
            let streamed = gathered(schema.input_blocks_from(stream, &path, &kept(), size), size).unwrap();
            assert_eq!(streamed, got, "{name:?} by {size}, streamed");
        }
    }
}

#[test]
fn marks_are_found_as_in_the_whole() {
    let schema = schema();
    for text in [
        "x;color\n1,5;red\n2,25;green\n7;blue\n",
        "sep=|\nx|color\n1.5|red\n2|green\n",
        "\u{feff}x\tcolor\r\n1,5\tred\r\n\r\n2\tgreen\r\n",
        "color,x\nred,\"1,234\"\nblue,\"2,5\"\n",
        "color,x\nred,1.234\nblue,2.000\n",
    ] {
        let (_folder, path) = place("t.csv", text);
        let expected = schema.read_inputs(&path).unwrap();
        for size in [1, 2, 10] {
            let got = gathered(schema.input_blocks(&path, &[], size), size).unwrap();
            assert_eq!((got.0, got.2), (expected.values.clone(), expected.notes.clone()), "{text:?}");
        }
    }
}

/// The first error of blocks of every size, which is one.
fn refusal(schema: &CsvSchema, text: &[u8]) -> String {
    let (_folder, path) = place("t.csv", text);
    let messages: Vec<String> = [1, 2, 3, 100]
        .map(|size| gathered(schema.input_blocks(&path, &[], size), size).unwrap_err().to_string())
        .to_vec();
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    messages[0].split_once("t.csv: ").map_or(messages[0].clone(), |(_, rest)| rest.to_owned())
}

#[test]
fn faults_have_the_rows_and_lines_of_the_whole_whatever_the_blocks() {
    let schema = schema();
    for text in [
        "x,color\n1,red\n2,red\n\nabc,red\n4,red\n",
        "x,color\n1,red\n2,red\n3\n",
        "x,color\n1,red\n\"2\n3\",red\n",
        "x,color\n1,red\n2,\"red\n3,red\n",
        "x,color\n1,red\n2,red\n1e99,red\n",
        "x,color\n1,red\n2,\u{fffd}\nx,red\n",
        "x,color\n",
        "",
        "x,colour\n1,red\n",
        "x,color,more\n1,red,2\n",
        "x,color,x\n1,red,2\n",
        "1,2\n3,4\n",
    ] {
        let (_folder, path) = place("t.csv", text);
        let expected = schema.read_inputs(&path).unwrap_err().to_string();
        let expected = expected.split_once("t.csv: ").unwrap().1.to_owned();
        assert_eq!(refusal(&schema, text.as_bytes()), expected, "{text:?}");
    }
    // Of several faults the first row's.
    let got = refusal(&schema, b"color,x\nred,1\nred,\xff\nred,abc\n");
    assert!(got.starts_with("row 2 (line 3), field 2 is not UTF-8"), "{got}");
    let got = refusal(&schema, b"color,x\nred,1\nred,abc\nred\n");
    assert!(got.starts_with("row 2 (line 3), column `x`: `abc`"), "{got}");
}

#[test]
fn cut_streams_are_refused() {
    let schema = schema();
    for (name, bytes) in packed(&csv()) {
        let (_folder, path) = place(name, &bytes[..bytes.len() - 3]);
        let message = gathered(schema.input_blocks(&path, &kept(), 10), 10).unwrap_err().to_string();
        assert!(message.contains("truncated or corrupt"), "{name}: {message}");
    }
    let whole = file_of(&columns(), 20, Compression::UNCOMPRESSED);
    let stream = Cursor::new(whole[..whole.len() - 9].to_vec());
    let message =
        gathered(schema.input_blocks_from(stream, Path::new("stdin"), &kept(), 10), 10).unwrap_err();
    assert!(message.to_string().starts_with("stdin: truncated or corrupt Parquet file"), "{message}");
}

#[test]
fn a_mark_that_shows_late_is_refused_with_what_to_set() {
    let schema = schema();
    let mut text = "x;color\n".to_owned() + &"12;red\n".repeat(200_000);
    text += "1,5;red\n";
    let (_folder, path) = place("t.csv", &text);
    let message = gathered(schema.input_blocks(&path, &[], 5000), 5000).unwrap_err().to_string();
    assert!(message.contains("row 200001 (line 200002), column `x`: `1,5`"), "{message}");
    assert!(message.contains("it has a decimal comma; set data.decimal = \",\""), "{message}");
    let changes = ReadingChanges { decimal: Some(','), ..ReadingChanges::default() };
    let told = schema.with_reading(&changes);
    let (values, _, _) = gathered(told.input_blocks(&path, &[], 5000), 5000).unwrap();
    assert_eq!((values.nrows(), values[[200_000, 0]]), (200_001, 1.5));
}

#[test]
fn a_file_that_grows_meanwhile_is_told() {
    let schema = schema();
    let (_folder, path) = place("t.csv", csv());
    let mut blocks = schema.input_blocks(&path, &kept(), 50).unwrap();
    assert!(blocks.next().unwrap().is_ok());
    fs::write(&path, csv() + "\"a\",1,red\n").unwrap();
    let last = blocks.find_map(Result::err).unwrap().to_string();
    assert!(last.contains("changed while it was read"), "{last}");
}

#[test]
fn a_kept_column_must_be_there_once() {
    let schema = schema();
    let (_folder, path) = place("t.csv", csv());
    let message = schema.input_blocks(&path, &["idd".to_owned()], 5).unwrap_err().to_string();
    assert!(message.contains("no column `idd` (did you mean `id`?)"), "{message}");
    let message = schema.input_blocks(&path, &[], 5).unwrap_err().to_string();
    assert!(message.contains("not among the columns of training: id"), "{message}");
}
