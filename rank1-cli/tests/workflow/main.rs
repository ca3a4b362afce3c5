//! What a user does: train on a table, evaluate, predict, report, look at data sets.
#![allow(clippy::unwrap_used)]

mod calibrate;
mod classification;
mod corruption;
mod data;
mod decide;
mod download;
mod fit;
#[cfg(feature = "parquet")]
mod formats;
mod imagenet;
mod info;
mod labelled_files;
mod mimic;
mod own_images;
mod own_tables;
mod picture_files;
mod regression;
mod report;
#[cfg(feature = "parquet")]
mod shards;
mod stays;
mod watch;
#[path = "../workbench/mod.rs"]
mod workbench;

/// Numbers in files and on the screen have nine significant digits.
const DIGITS: f64 = 2e-8;

/// A CSV text as its header and rows of fields.
fn parse_csv(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().iter().map(str::to_string).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_string).collect()).collect();
    (header, rows)
}

/// Fields of a row as numbers, from this position.
fn numbers(row: &[String], from: usize) -> Vec<f64> {
    row[from..].iter().map(|field| field.parse().unwrap()).collect()
}

/// The one JSON object that a command printed, and nothing else.
fn json(stdout: &str) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(stdout).unwrap();
    assert!(value.is_object(), "{value}");
    value
}
