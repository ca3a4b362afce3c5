//! `rank1 predict` takes the memory of a block of rows, however many rows there are.
#![allow(clippy::unwrap_used)]

#[path = "workbench/mod.rs"]
mod workbench;

use clap::Parser as _;
use peak_alloc::PeakAlloc;
use rank1_cli::args::{Cli, Command};
use rank1_cli::commands;

use workbench::{Bench, sum, table};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Rows of a short and of a long table; both fill a row group of a Parquet file.
const ROWS: [usize; 2] = [70_000, 210_000];

/// What the long table may take beyond the short one.
const SLACK: usize = 1 << 20;

/// The most bytes that a prediction holds at a time.
fn peak(bench: &Bench, output: &str) -> usize {
    let path = |name: &str| bench.path(name).display().to_string();
    let (run, input, output) = (path("run"), path("rows.csv"), path(output));
    let words =
        ["rank1", "predict", &run, "--input", &input, "--output", &output, "--rows-per-block", "1000"];
    let Command::Predict(args) = Cli::parse_from(words).command else { panic!("another command") };
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    commands::predict::run(&args).unwrap();
    ALLOCATOR.peak_usage() - before
}

#[test]
fn memory_does_not_grow_with_rows() {
    let bench = Bench::with_table(&table(61, sum));
    bench.train("run", &[]);
    for output in ["out.csv", "out.jsonl", "out.parquet"] {
        if output == "out.parquet" && !cfg!(feature = "parquet") {
            continue;
        }
        let peaks = ROWS.map(|rows| {
            bench.write("rows.csv", table(rows, sum));
            let peak = peak(&bench, output);
            assert!(bench.path(output).exists());
            peak
        });
        assert!(peaks[1] < peaks[0] + SLACK, "{output}: {peaks:?} bytes for {ROWS:?} rows");
    }
}
