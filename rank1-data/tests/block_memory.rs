//! Blocks of a table take the memory of a block, however many rows the table has.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "parquet/writing.rs"]
mod writing;

use std::io::Write as _;
use std::path::Path;

use parquet::basic::Compression;
use peak_alloc::PeakAlloc;
use rank1_data::{CsvOptions, CsvSchema};

use writing::{doubles, file_of, place, texts};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Rows of a short and of a long table.
const ROWS: [usize; 2] = [20_000, 200_000];

/// What the long table may take beyond the short one.
const SLACK: usize = 256 << 10;

const COLORS: [&str; 3] = ["a color that is red", "a color that is green", "a color that is blue"];

fn number(row: usize) -> f64 {
    (row as f64 * 0.1).sin()
}

fn csv(rows: usize) -> Vec<u8> {
    let mut text = b"id,x,z,color\n".to_vec();
    for row in 0..rows {
        writeln!(text, "row-{row},{},{},{}", number(row), number(row + 7), COLORS[row % 3]).unwrap();
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn parquet(rows: usize) -> Vec<u8> {
    let ids: Vec<String> = (0..rows).map(|row| format!("row-{row}")).collect();
    let ids: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    let colors: Vec<Option<&str>> = (0..rows).map(|row| Some(COLORS[row % 3])).collect();
    let numbers = |shift| (0..rows).map(|row| number(row + shift)).collect::<Vec<f64>>();
    let columns =
        [texts("id", &ids), doubles("x", &numbers(0)), doubles("z", &numbers(7)), texts("color", &colors)];
    file_of(&columns, 5_000, Compression::SNAPPY)
}

/// The most bytes that reading a file in blocks holds at a time.
fn peak(schema: &CsvSchema, path: &Path, rows: usize) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let blocks = schema.input_blocks(path, &["id".to_owned()], 500).unwrap();
    let read: usize = blocks.map(|block| block.unwrap().values.nrows()).sum();
    assert_eq!(read, rows);
    ALLOCATOR.peak_usage() - before
}

#[test]
fn the_memory_of_blocks_is_that_of_one_block() {
    let (_folder, path) = place("train.csv", {
        let text = String::from_utf8(csv(300)).unwrap();
        let with_target = |(i, line): (usize, &str)| match i {
            0 => format!("{line},y\n"),
            i => format!("{line},{}\n", i * i),
        };
        text.lines().enumerate().map(with_target).collect::<String>()
    });
    let options = CsvOptions { ignore: vec!["id".into()], ..CsvOptions::default() };
    let schema = CsvSchema::fit(&path, "y", &options).unwrap();
    for (name, make) in [
        ("t.csv", &csv as &dyn Fn(usize) -> Vec<u8>),
        ("t.csv.gz", &|rows| gzip(&csv(rows))),
        ("t.parquet", &parquet),
    ] {
        let peaks = ROWS.map(|rows| {
            let (_folder, path) = place(name, make(rows));
            peak(&schema, &path, rows)
        });
        assert!(peaks[1] < peaks[0] + SLACK, "{name}: {peaks:?} bytes for {ROWS:?} rows");
        assert!(peaks[1] < 8 << 20, "{name}: {peaks:?} bytes");
    }
}
