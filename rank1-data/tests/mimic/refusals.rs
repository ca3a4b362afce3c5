//! Broken, compressed and impossible input.
//!
//! Not for the cohort and the features.

use std::fs;
use std::io::Write as _;

use rank1_data::clinical::mimic::{BadTimes, EventTable};
use rank1_data::{ClinicalError, Error, MimicOptions, MimicSet};

use crate::tables::{ICUSTAYS, LABEVENTS, TWO, Tables, options, refusal};

#[test]
fn times_that_cannot_be_read_are_refused_with_file_and_row_or_counted() {
    let mut tables = Tables::new(&TWO);
    tables.chart(3, 211, "2150-03-01 12:40:00", "90", "0");
    tables.chart(4, 211, "yesterday", "90", "0");
    tables.chart(3, 211, "2150-03-01 25:00:00", "90", "0");
    let got = refusal(tables.read(&options())).to_string();
    assert!(
        got.ends_with(
            "CHARTEVENTS.csv: row 4, `CHARTTIME`: `2150-03-01 25:00:00` is not a time YYYY-MM-DD HH:MM:SS"
        ),
        "{got}"
    );
    let set = tables.read(&MimicOptions { bad_times: BadTimes::Skip, ..options() }).unwrap();
    let chart = &set.rows[&EventTable::ChartEvents];
    assert_eq!((chart.rows, chart.used, chart.bad_time, chart.other_patient), (3, 1, 1, 1));
    let mut tables = Tables::new(&TWO);
    tables.patient(7, "1.1.1950");
    assert!(matches!(refusal(tables.read(&options())), ClinicalError::Field { row: 4, .. }));
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzipped_and_lower_case_tables_are_the_same_tables() {
    let mut tables = Tables::new(&TWO);
    for second in 10..60 {
        tables.chart(3, 211 + second % 3, &format!("2150-03-01 12:40:{second}"), &second.to_string(), "0");
    }
    let plain = tables.read(&options()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in &tables.texts {
        let (header, body) = text.split_once('\n').unwrap();
        let text = format!("{}\n{body}", header.to_lowercase());
        fs::write(folder.path().join(format!("{}.csv.gz", name.to_lowercase())), gzip(text.as_bytes()))
            .unwrap();
    }
    let mut reports = Vec::new();
    let zipped = MimicSet::read(folder.path(), &options(), &mut |report| reports.push(*report)).unwrap();
    assert_eq!(zipped, plain);
    let chart: Vec<_> = reports.iter().filter(|report| report.table == EventTable::ChartEvents).collect();
    assert_eq!(
        chart.iter().map(|report| (report.pass, report.rows, report.done)).collect::<Vec<_>>(),
        [(1, 50, true), (2, 50, true)]
    );
    assert!(chart.iter().all(|report| report.bytes == report.total_bytes && report.bytes > 0));
    let file = folder.path().join("chartevents.csv.gz");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 12]).unwrap();
    let got = MimicSet::read(folder.path(), &options(), &mut |_| {});
    assert!(matches!(got, Err(Error::Compressed { format: "gzip", .. })), "{got:?}");
}

#[test]
fn broken_tables_are_refused_by_name() {
    let broken = |table: &str, text: &str| {
        let mut tables = Tables::new(&TWO);
        tables.texts.iter_mut().find(|(name, _)| *name == table).unwrap().1 = text.to_owned();
        tables.read(&options())
    };
    assert!(
        matches!(broken("LABEVENTS", ""), Err(Error::EmptyFile { path }) if path.ends_with("LABEVENTS.csv"))
    );
    let got = refusal(broken("LABEVENTS", "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ITEMID\"\n"));
    assert!(matches!(got, ClinicalError::Column { column: "CHARTTIME", .. }), "{got}");
    let got = refusal(broken("LABEVENTS", &format!("{LABEVENTS}1,3,1003\n")));
    assert!(matches!(got, ClinicalError::Fields { row: 2, expected: 9, got: 3, .. }), "{got}");
    let got = refusal(broken("LABEVENTS", &format!("{LABEVENTS}1,three,1003,1,,,,,\n")));
    assert!(matches!(&got, ClinicalError::Field { row: 2, column, .. } if column == "SUBJECT_ID"), "{got}");
    let got = refusal(broken("ICUSTAYS", ICUSTAYS));
    assert!(matches!(got, ClinicalError::Cohort { stays: 0, .. }), "{got}");
    let got = refusal(Tables::new(&[(3, 1), (5, 1)]).read(&options()));
    assert!(got.to_string().ends_with("all 2 training stays have the outcome 1"), "{got}");
    let tables = Tables::new(&TWO);
    tables.read(&options()).unwrap();
    fs::remove_file(tables.root().join("OUTPUTEVENTS.csv")).unwrap();
    let got = MimicSet::read(tables.root(), &options(), &mut |_| {});
    assert!(
        matches!(&got, Err(Error::SetNotFound { looked_for, .. }) if looked_for.contains("OUTPUTEVENTS")),
        "{got:?}"
    );
    assert!(matches!(
        MimicSet::read(&tables.root().join("no"), &options(), &mut |_| {}),
        Err(Error::Io { .. })
    ));
}

#[test]
fn impossible_options_are_refused_by_name() {
    let tables = Tables::new(&TWO);
    for (name, options) in [
        ("window_hours", MimicOptions { window_hours: 0, ..options() }),
        ("bin_hours", MimicOptions { bin_hours: 7, ..options() }),
        ("bin_hours", MimicOptions { bin_hours: 0, ..options() }),
        ("min_age", MimicOptions { min_age: f64::NAN, ..options() }),
        ("fractions", MimicOptions { fractions: [0.5, 0.2, 0.2], ..options() }),
        ("fractions", MimicOptions { fractions: [0.0, 0.5, 0.5], ..options() }),
        ("tables", MimicOptions { tables: vec![], ..options() }),
        ("tables", MimicOptions { tables: vec![EventTable::LabEvents; 2], ..options() }),
        ("max_dense", MimicOptions { max_dense: 0, max_items: 0, max_tokens: 0, ..options() }),
    ] {
        let got = refusal(tables.read(&options));
        assert!(matches!(got, ClinicalError::Choice { option, .. } if option == name), "{name}: {got}");
    }
    let got = refusal(tables.read(&MimicOptions { memory_limit: 10, ..options() }));
    assert!(matches!(got, ClinicalError::Memory { stays: 2, steps: 48, needed: 384, .. }), "{got}");
}
