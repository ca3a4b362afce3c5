//! Prints column statistics of an embedded set and of a table written to a temporary folder, and one refused table.
//!
//! Run with `cargo run -p rank1-data --example inspect_table`; needs no download.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;

use rank1_data::{
    CsvOptions, CsvSchema, Dataset, LoadOptions, LoadedTable, Missing, Normalizer, TargetStats, TestPart,
    inspect, load, load_table,
};

const TABLE: &str = "\
area,district,rooms,sold
54,north,2,no
71,south,,yes
38,north,1,no
90,west,4,yes
66,west,3,yes
47,south,2,no
83,north,3,yes
59,south,2,no
";

fn main() -> Result<(), Box<dyn Error>> {
    show(&load("energy", &LoadOptions { gap: true, ..LoadOptions::default() })?);

    let folder = std::env::temp_dir().join(format!("rank1-inspect-table-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = own_table(&folder);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn own_table(folder: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let path = folder.join("homes.csv");
    fs::write(&path, TABLE)?;

    let strict = CsvSchema::fit(&path, "sold", &CsvOptions::default());
    if let Err(refusal) = strict {
        println!("refused: {refusal}\n");
    }

    let options = CsvOptions { missing: Missing::ImputeMedian, ..CsvOptions::default() };
    let held_out = TestPart::Fraction { fraction: 0.25, seed: 1 };
    let LoadedTable { dataset: set, schema, notes, .. } = load_table(&path, &held_out, "sold", &options)?;
    show(&set);
    notes.iter().for_each(|note| println!("note: {note}\n"));

    let normalizer = Normalizer::fit(&set.train, set.layout)?;
    fs::write(&path, "rooms,area,district\n,60,west\n")?;
    let raw = schema.read_inputs(&path)?.values;
    println!("columns:        {}", schema.feature_names().join(", "));
    println!("a new row:      {:.2}", raw.row(0));
    println!("the same, normalized: {:.2}", normalizer.apply_inputs(raw.view())?.row(0));
    Ok(())
}

fn show(set: &Dataset) {
    let seen = inspect(set);
    println!("{} ({}): {} train, {} test rows", seen.name, seen.task, seen.n_train, seen.n_test);
    println!(
        "  {:<22}{:>9}{:>9}{:>9}{:>9}{:>7}{:>7}",
        "column", "mean", "std", "min", "max", "values", "shift"
    );
    for column in &seen.columns {
        println!(
            "  {:<22}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>7}{:>7.2}",
            column.name,
            column.mean,
            column.std,
            column.min,
            column.max,
            column.n_distinct,
            column.test_shift
        );
    }
    match &seen.target {
        TargetStats::Values(target) => println!("  target: mean {:.3}, std {:.3}", target.mean, target.std),
        TargetStats::Classes { names, train, .. } => println!("  target: {names:?}, training rows {train:?}"),
    }
    println!();
}
