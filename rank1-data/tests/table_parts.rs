//! Tables in three parts: by time, by groups, by a column, by lists and by files; and what cannot be divided.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use rank1_data::{
    CsvOptions, Dates, Error, LoadedParts, Missing, PartRows, Shares, TableParts, TestPart, load_parts,
    load_table,
};
use tempfile::TempDir;

const SHARES: Shares = Shares { validation: 0.2, test: 0.2 };

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

fn load(content: &str, parts: &TableParts) -> Result<LoadedParts, Error> {
    let files = Files::new();
    load_parts(&files.put("t.csv", content), parts, "y", &CsvOptions::default())
}

fn refusal(content: &str, parts: &TableParts) -> String {
    let message = load(content, parts).unwrap_err().to_string();
    assert!(!message.contains('\n'));
    message.split_once("t.csv: ").map_or(message.clone(), |(_, rest)| rest.to_owned())
}

fn column(name: &str) -> TableParts {
    TableParts::Column { column: name.into() }
}

fn time(column: &str) -> TableParts {
    TableParts::Time { column: column.into(), shares: SHARES, as_input: false }
}

/// `n` rows of `x`, a date that falls row by row, and five groups.
fn table(n: usize) -> String {
    let mut table = String::from("x,day,group,y\n");
    for i in 0..n {
        table.push_str(&format!("{},2024-01-{:02},g{},{}\n", i * i, n - i, i % 5, i));
    }
    table
}

#[test]
fn a_random_division_has_the_test_rows_of_a_fraction() {
    let files = Files::new();
    let path = files.put("t.csv", "x,y\n1,1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n9,9\n10,10\n");
    let parts = TableParts::Random { shares: SHARES, seed: 4 };
    let loaded = load_parts(&path, &parts, "y", &CsvOptions::default()).unwrap();
    let part = TestPart::Fraction { fraction: 0.2, seed: 4 };
    let whole = load_table(&path, &part, "y", &CsvOptions::default()).unwrap();
    assert_eq!(loaded.test, whole.dataset.test);
    assert_eq!((loaded.train.len(), loaded.validation.as_ref().unwrap().len()), (6, 2));
    assert_eq!(loaded.dataset().test, loaded.test);
}

#[test]
fn the_last_rows_in_time_test() {
    // Dates are no inputs here, so nothing has to be said about them.
    let loaded = load(&table(20), &time("day")).unwrap();
    assert_eq!(loaded.rows.test, [0, 1, 2, 3]);
    assert_eq!(loaded.rows.validation, [4, 5, 6, 7]);
    assert_eq!(loaded.schema.feature_names()[0], "x");
    assert!(!loaded.schema.feature_names().contains(&"day".to_owned()));
}

#[test]
fn groups_are_never_divided() {
    let parts = TableParts::Groups { column: "group".into(), shares: SHARES, seed: 3 };
    let files = Files::new();
    let options = CsvOptions { ignore: vec!["day".into()], ..CsvOptions::default() };
    let path = files.put("t.csv", &table(25));
    let loaded = load_parts(&path, &parts, "y", &options).unwrap();
    assert_eq!(loaded.schema.feature_names(), ["x"]);
    let groups = |rows: &[usize]| rows.iter().map(|row| row % 5).collect::<HashSet<_>>();
    let PartRows { train, validation, test } = &loaded.rows;
    assert_eq!([train.len(), validation.len(), test.len()], [15, 5, 5]);
    assert!(groups(train).is_disjoint(&groups(test)) && groups(train).is_disjoint(&groups(validation)));
    assert_eq!(load_parts(&path, &parts, "y", &options).unwrap().rows, loaded.rows);
    let two = "group,x,y\na,1,1\nb,2,2\na,3,3\nb,3,4\na,3,4\n";
    assert_eq!(
        refusal(two, &parts),
        "column `group` has 2 groups, fewer than the 3 parts; no group may be in two of them"
    );
    assert!(refusal("group,x,y\na,1,1\n,2,2\n", &parts).contains("expected the name of a group"));
}

#[test]
fn a_column_names_the_part_of_each_row() {
    let rows = "part,x,y\ntrain,1,1\nTrain,2,2\nvalid,3,3\nvalidation,4,4\ntest,5,5\ntest,6,6\n";
    let loaded = load(rows, &column("part")).unwrap();
    assert_eq!(loaded.rows, PartRows { train: vec![0, 1], validation: vec![2, 3], test: vec![4, 5] });
    assert_eq!(loaded.schema.feature_names(), ["x"]);
    assert_eq!(
        refusal("part,x,y\ntrain,1,1\nholdout,2,2\n", &column("part")),
        "`holdout` in row 2 (line 3), column `part`, expected `train`, `validation` or `test`, for the column divides \
         the rows into parts"
    );
    let few = "part,x,y\ntrain,1,1\ntrain,2,2\ntest,3,3\n";
    assert!(
        refusal(few, &column("part")).starts_with("the test part has 1 of the rows, at least 2 are needed")
    );
    assert!(refusal(few, &column("prat")).contains("did you mean `part`?"));
    assert!(refusal(few, &column("y")).contains("the target `y` cannot divide"));
}

#[test]
fn lists_of_rows_divide_and_rows_of_no_part_are_not_looked_at() {
    let files = Files::new();
    let path = files.put("t.csv", "x,y\n1,1\n2,2\noops,\n4,4\n5,5\n6,6\n");
    let list = files.put("parts.json", r#"{"train": [0, 5, 1], "test": [3, 4]}"#);
    let parts = TableParts::Rows { file: list };
    let loaded = load_parts(&path, &parts, "y", &CsvOptions::default()).unwrap();
    assert_eq!(loaded.rows.train, [0, 1, 5]);
    assert_eq!(loaded.train.inputs.column(0).to_vec(), [1.0, 2.0, 6.0]);
    assert_eq!(loaded.test.inputs.column(0).to_vec(), [4.0, 5.0]);
    assert!(loaded.validation.is_none());
    // A fault in a listed row is named by its place in the file.
    let path = files.put("t.csv", "x,y\n1,1\n2,2\noops,\n4,4\n5,\n6,\n");
    let message = load_parts(&path, &parts, "y", &CsvOptions::default()).unwrap_err().to_string();
    assert!(
        message.ends_with(
            "t.csv: 2 of 5 rows have no target `y`, the first is row 5 (line 6) (``); \
             targets are never imputed, so remove these rows"
        ),
        "{message}"
    );
}

#[test]
fn what_is_learned_is_learned_from_the_training_rows() {
    let files = Files::new();
    let path = files.put("t.csv", "part,x,y\ntrain,1,1\ntrain,3,2\ntrain,,5\ntest,100,5\ntest,200,6\n");
    let options = CsvOptions { missing: Missing::ImputeMedian, ..CsvOptions::default() };
    let loaded = load_parts(&path, &column("part"), "y", &options).unwrap();
    assert_eq!(loaded.train.inputs.column(0).to_vec(), [1.0, 3.0, 2.0]);
    assert_eq!(
        loaded.columns[0].to_string(),
        "x: a number, 1 missing filled with 2 (data.categorical makes levels of it)"
    );
    let one = "part,x,y\ntrain,1,a\ntrain,2,a\ntest,1,b\ntest,2,a\n";
    assert!(refusal(one, &column("part")).contains("has one class (`a`) in 2 rows"));
}

#[test]
fn parts_may_be_other_files() {
    let files = Files::new();
    let path = files.put("t.csv", "x,y\n1,1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n9,9\n10,10\n");
    let test = files.put("test.csv", "y,x\n1,100\n2,200\n");
    let parts = TableParts::Files { validation: None, test: Some(test), shares: SHARES, seed: 1 };
    let loaded = load_parts(&path, &parts, "y", &CsvOptions::default()).unwrap();
    assert_eq!((loaded.train.len(), loaded.validation.unwrap().len(), loaded.rows.test.len()), (8, 2, 0));
    assert_eq!(loaded.test.inputs.column(0).to_vec(), [100.0, 200.0]);
    let short = files.put("short.csv", "y,x\n1,100\n");
    let parts = TableParts::Files { validation: Some(short), test: None, shares: SHARES, seed: 1 };
    let message = load_parts(&path, &parts, "y", &CsvOptions::default()).unwrap_err().to_string();
    assert!(message.contains("short.csv: the validation part has 1 of the rows"), "{message}");
}

#[test]
fn numbers_order_rows_too_and_the_time_may_be_an_input() {
    let rows = "t,x,y\n3,1,1\n1,2,2\n1,3,3\n2,4,4\n1,5,5\n2,6,6\n3,7,7\n1,8,8\n";
    let loaded = load(rows, &time("t")).unwrap();
    assert_eq!(loaded.rows, PartRows { train: vec![1, 2, 4, 7], validation: vec![3, 5], test: vec![0, 6] });
    let one = "t,x,y\n1,2,2\n1,3,3\n1,4,4\n1,5,5\n2,4,4\n";
    assert_eq!(
        refusal(one, &time("t")),
        "column `t` has 2 different times, too few for 3 parts; rows of the same time stay together"
    );
    assert!(refusal("t,x,y\n1,2,2\n,3,3\n", &time("t")).contains("expected a date or a number"));
    let dates = "t,x,y\n2024-01-01,1,1\n2024-01-02,1,1\n2024-13-02,1,1\n";
    assert!(refusal(dates, &time("t")).contains("row 3 (line 4), column `t`: `2024-13-02` is not a date"));
    let files = Files::new();
    let path = files.put("t.csv", &table(20));
    let parts = TableParts::Time { column: "day".into(), shares: SHARES, as_input: true };
    let options = CsvOptions { dates: Dates::CalendarParts, ..CsvOptions::default() };
    let loaded = load_parts(&path, &parts, "y", &options).unwrap();
    assert!(loaded.schema.feature_names().contains(&"day: days".to_owned()));
    assert_eq!(loaded.rows.test, [0, 1, 2, 3]);
}
