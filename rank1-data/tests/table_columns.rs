//! Columns as they are: indicators, places for other levels, truth values, dates, useless columns.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use ndarray::{Array2, array};
use rank1_data::{CsvOptions, CsvSchema, Dates, Error, InputKind, Missing, TableNote, UnknownLevels};
use tempfile::TempDir;

fn file(content: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn fit(content: &str, options: &CsvOptions) -> Result<CsvSchema, Error> {
    let (_folder, path) = file(content);
    CsvSchema::fit(&path, "y", options)
}

fn inputs(schema: &CsvSchema, content: &str) -> (Array2<f64>, Vec<String>) {
    let (_folder, path) = file(content);
    let read = schema.read_inputs(&path).unwrap();
    let told = read.notes.iter().map(|note| note.to_string().split_once("t.csv: ").unwrap().1.to_owned());
    (read.values, told.collect())
}

fn refusal(got: Result<impl std::fmt::Debug, Error>) -> String {
    let message = got.unwrap_err().to_string();
    message.split_once("t.csv: ").map_or(message.clone(), |(_, rest)| rest.to_owned())
}

fn kinds(schema: &CsvSchema) -> Vec<(String, usize, usize, InputKind)> {
    schema.input_groups().into_iter().map(|g| (g.column, g.start, g.width, g.kind)).collect()
}

#[test]
fn a_missing_cell_gets_the_median_and_an_indicator_or_a_level_of_its_own() {
    let options = CsvOptions { missing: Missing::Indicator, ..CsvOptions::default() };
    let table = "a,c,full,y\n1,red,5,1\n,,6,2\n3,blue,7,3\n8,red,8,4\n";
    let schema = fit(table, &options).unwrap();
    assert_eq!(schema.feature_names(), ["a", "a is missing", "c=blue", "c=red", "c is missing", "full"]);
    use InputKind::{Code, Number};
    let expected = [("a", 0, 1, Number), ("a", 1, 1, Code), ("c", 2, 3, Code), ("full", 5, 1, Number)];
    assert_eq!(
        kinds(&schema),
        expected.map(|(name, start, width, kind)| (name.to_owned(), start, width, kind))
    );
    assert_eq!(schema.number_columns(), [0, 5]);
    let (values, notes) = inputs(&schema, "a,c,full\n,red,\n2,,1\n");
    assert_eq!(values, array![[3.0, 1.0, 0.0, 1.0, 0.0, 6.5], [2.0, 0.0, 0.0, 0.0, 1.0, 1.0]]);
    assert_eq!(
        notes,
        [
            "missing cells were filled (data.missing): 1 of `a` with 3, and marked, 1 of `c` with a level of their own, \
          1 of `full` with 6.5; data.missing_tokens says which cells are missing"
        ]
    );
    let again: CsvSchema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
    assert_eq!(again, schema);
}

#[test]
fn levels_without_missing_cells_in_training_are_filled_with_the_most_frequent_one() {
    let options = CsvOptions { missing: Missing::Indicator, ..CsvOptions::default() };
    let schema = fit("c,y\nred,1\nred,2\nblue,3\n", &options).unwrap();
    let (values, notes) = inputs(&schema, "c\n\"\"\nblue\n");
    assert_eq!(values, array![[0.0, 1.0], [1.0, 0.0]]);
    assert!(notes[0].contains("1 of `c` with `red`"), "{notes:?}");
    let (_folder, path) = file("c\ngreen\n");
    assert!(refusal(schema.read_inputs(&path)).contains("unknown level `green`"));
}

#[test]
fn rare_and_new_levels_share_a_place() {
    let own = CsvOptions { unknown_levels: UnknownLevels::OwnLevel, rare_below: 2, ..CsvOptions::default() };
    let schema = fit("c,y\nred,1\nred,2\nblue,3\nblue,1\ngrey,2\n", &own).unwrap();
    assert_eq!(schema.feature_names(), ["c=blue", "c=red", "c is another level"]);
    let (values, notes) = inputs(&schema, "c\ngreen\nred\ngrey\n");
    assert_eq!(values, array![[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    assert_eq!(
        notes,
        ["levels that are rare in training or new to it share one place (data.unknown, data.rare_below): \
          2 in `c` (`green`, ...)"]
    );
    // Without rare levels nothing was trained on such a place: zeros, and told.
    let schema = fit("c,y\nred,1\nblue,3\n", &CsvOptions { rare_below: 1, ..own.clone() }).unwrap();
    let (values, notes) = inputs(&schema, "c\ngreen\n");
    assert_eq!(values, array![[0.0, 0.0]]);
    assert!(notes[0].starts_with("levels that training never saw"), "{notes:?}");
    // Too many levels: the most frequent ones stay.
    let schema =
        fit("c,y\nb,1\na,3\nb,2\nc,1\n", &CsvOptions { max_levels: 1, rare_below: 1, ..own }).unwrap();
    assert_eq!(schema.feature_names(), ["c=b", "c is another level"]);
}

#[test]
fn truth_values_are_one_input() {
    let options = CsvOptions { booleans: true, missing: Missing::Indicator, ..CsvOptions::default() };
    let schema =
        fit("a,b,c,d,y\nYes,T,True,m,1\nNo,F,False,w,2\nYes,F,,m,3\nYes,F,True,m,3\n", &options).unwrap();
    assert_eq!(schema.feature_names(), ["a", "b", "c", "c is missing", "d=m", "d=w"]);
    let (values, _) = inputs(&schema, "a,b,c,d\nno,T,,w\nYES,f,TRUE,m\n");
    assert_eq!(values, array![[0.0, 1.0, 1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]]);
    let (_folder, path) = file("a,b,c,d\nmaybe,T,True,m\n");
    assert!(refusal(schema.read_inputs(&path)).contains("unknown level `maybe`"));
    assert_eq!(fit("a,y\nyes,1\nno,2\n", &CsvOptions::default()).unwrap().feature_names(), ["a=no", "a=yes"]);
}

fn calendar() -> CsvOptions {
    CsvOptions { dates: Dates::CalendarParts, missing: Missing::Indicator, ..CsvOptions::default() }
}

#[test]
fn dates_become_days_and_places_on_circles() {
    // 2024-01-01 is a Monday.
    let schema = fit("when,y\n2024-01-01,1\n2024-07-02T12:00,2\n,1\n2024-01-08,3\n", &calendar()).unwrap();
    let names = [
        "days",
        "sine of year",
        "cosine of year",
        "sine of week",
        "cosine of week",
        "sine of day",
        "cosine of day",
    ];
    let mut expected = names.map(|name| format!("when: {name}")).to_vec();
    expected.push("when is missing".into());
    assert_eq!(schema.feature_names(), expected);
    assert_eq!(schema.number_columns(), [0]);
    let (values, notes) = inputs(&schema, "when\n2023-12-31\n2024-07-01 18:00\nNA\n");
    let close = |row: usize, expected: [f64; 8]| {
        for (place, (got, expected)) in values.row(row).iter().zip(expected).enumerate() {
            assert!((got - expected).abs() < 1e-12, "{row} {place}: {got} {expected}");
        }
    };
    let turn = |share: f64| (std::f64::consts::TAU * share).sin_cos();
    let ((s, c), (ws, wc)) = (turn(364.0 / 365.0), turn(6.0 / 7.0));
    close(0, [-1.0, s, c, ws, wc, 0.0, 1.0, 0.0]);
    let (s, c) = turn(182.75 / 366.0);
    close(1, [182.75, s, c, 0.0, 1.0, -1.0, 0.0, 0.0]);
    close(2, [7.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert!(notes[0].contains("1 of `when` with day 7, and marked"), "{notes:?}");
    let (_folder, path) = file("when\n2024-01-01\n01.02.2024\n");
    assert!(
        refusal(schema.read_inputs(&path))
            .starts_with("row 2 (line 3), column `when`: `01.02.2024` is not a date of the form YYYY-MM-DD;")
    );
}

#[test]
fn days_and_months_are_never_guessed() {
    let ambiguous = "when,y\n01/02/2024,1\n03/04/2024,2\n";
    assert!(refusal(fit(ambiguous, &calendar())).contains("say which with data.day_first"));
    for (day_first, expected) in [(true, 33.0), (false, 122.0)] {
        let schema = fit(ambiguous, &CsvOptions { day_first: Some(day_first), ..calendar() }).unwrap();
        let (values, _) = inputs(&schema, "when\n05/03/2024\n");
        assert_eq!(values[[0, 0]], expected);
    }
    for (second, pattern) in [("13/04/2024", "DD/MM/YYYY"), ("04/13/2024", "MM/DD/YYYY")] {
        let schema = fit(&format!("when,y\n01/02/2024,1\n{second},2\n"), &calendar()).unwrap();
        let line = schema.describe()[0].to_string();
        assert!(line.starts_with(&format!("when: dates ({pattern})")), "{line}");
    }
    let both = "when,y\n01/13/2024,1\n13/01/2024,2\n";
    assert!(
        refusal(fit(both, &calendar()))
            .starts_with("row 2 (line 3), column `when`: `13/01/2024` is not a date")
    );
    assert!(
        refusal(fit("when,y\n2024-02-30,1\n2024-02-01,2\n", &calendar()))
            .contains("`2024-02-30` is not a date")
    );
}

#[test]
fn dates_are_refused_unless_asked_for_and_compact_ones_are_numbers_unless_named() {
    let table = "when,y\n2024-01-01,1\n2024-01-02,2\n";
    assert!(refusal(fit(table, &CsvOptions::default())).contains("is a date or time"));
    let compact = "when,y\n20240131,1\n20240201,2\n";
    assert_eq!(fit(compact, &calendar()).unwrap().feature_names(), ["when"]);
    let named = CsvOptions { date_columns: vec!["when".into()], ..CsvOptions::default() };
    let (values, _) = inputs(&fit(compact, &named).unwrap(), "when\n20240301\n");
    assert_eq!(values[[0, 0]], 30.0);
    let got = fit("when,y\n12,1\n13,2\n", &named);
    assert!(refusal(got).contains("`12` is not a date of the form a date with a year of four digits"));
    assert!(refusal(fit("when,y\n12:30,1\n13:30,2\n", &calendar())).contains("is a date or time"));
}

#[test]
fn useless_columns_are_left_out_by_name_only_when_asked() {
    let mut table = String::from("id,name,k,code,year,x,y\n");
    for i in 0..30 {
        table.push_str(&format!("{},n{i}x,7,,{},{},{i}\n", 1000 + (7 * i) % 30, 1990 + i, (i * i) % 11));
    }
    let median = CsvOptions { missing: Missing::ImputeMedian, ..CsvOptions::default() };
    let useless = CsvOptions { leave_out_useless: true, ..median.clone() };
    let (_folder, path) = file(&table);
    let part = rank1_data::TestPart::Fraction { fraction: 0.2, seed: 1 };
    let loaded = rank1_data::load_table(&path, &part, "y", &useless).unwrap();
    assert_eq!(loaded.schema.feature_names(), ["year", "x"]);
    let note =
        loaded.notes.iter().find(|note| matches!(note, TableNote::Useless { .. })).unwrap().to_string();
    assert!(
        note.ends_with(
            "left out as useless: `id` (counts the rows), `name` (another text in every row), \
             `k` (constant in the training rows), `code` (missing in all training rows); data.keep keeps columns"
        ),
        "{note}"
    );
    let keeping = CsvOptions { keep: vec!["id".into()], ..useless };
    let kept = rank1_data::load_table(&path, &part, "y", &keeping).unwrap();
    assert_eq!(kept.schema.feature_names(), ["id", "year", "x"]);
    let (values, _) = inputs(&loaded.schema, "year,x\n2001,3\n");
    assert_eq!(values, array![[2001.0, 3.0]]);
    let ignoring = CsvOptions { ignore: vec!["code".into()], ..median };
    assert!(fit(&table, &ignoring).unwrap().feature_names().contains(&"id".to_owned()));
}

#[test]
fn schemas_without_new_options_are_written_as_they_were() {
    let schema = fit("a,c,y\n1,red,1\n2,blue,2\n", &CsvOptions::default()).unwrap();
    assert_eq!(
        serde_json::to_string(&schema).unwrap(),
        r#"{"target":"y","target_kind":{"kind":"value"},"columns":[{"name":"a","kind":"numeric","impute":null},{"name":"c","kind":"categorical","levels":["blue","red"],"impute":null}],"ignore":[],"missing_tokens":null,"unknown_levels":"refuse","delimiter":null,"decimal":null,"fitted_decimal":"."}"#
    );
}
