//! Tables as users have them: every fault is one clear line, and what is fitted stays fitted.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use ndarray::array;
use rank1_core::targets::Targets;
use rank1_data::{
    CsvOptions, CsvSchema, Error, LoadedTable, Missing, TableError, Task, TestPart, UnknownLevels, load_table,
};
use tempfile::TempDir;

/// A folder with one file `t.csv`.
fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn fit(content: impl AsRef<[u8]>, options: &CsvOptions) -> Result<CsvSchema, Error> {
    let (_folder, path) = file(content);
    CsvSchema::fit(&path, "y", options)
}

/// The message after the path, which must be one line.
fn refusal(error: Error) -> String {
    let message = error.to_string();
    assert!(!message.contains('\n'), "more than one line: {message}");
    let Error::Table(_) = error else { panic!("not a table error: {message}") };
    message.split_once("t.csv: ").map_or(message.clone(), |(_, rest)| rest.to_owned())
}

fn fit_refusal(content: impl AsRef<[u8]>) -> String {
    refusal(fit(content, &CsvOptions::default()).unwrap_err())
}

fn imputing(missing: Missing) -> CsvOptions {
    CsvOptions { missing, ..CsvOptions::default() }
}

#[test]
fn an_empty_file_is_refused() {
    for content in ["", "\n\n", "  \n", "\u{feff}"] {
        assert_eq!(fit_refusal(content), "the file is empty; expected a header line and rows", "{content:?}");
    }
}

#[test]
fn a_header_without_rows_is_refused() {
    assert_eq!(fit_refusal("a,b,y\n"), "only a header line with 3 columns, no rows");
}

#[test]
fn a_table_without_header_is_refused() {
    assert_eq!(
        fit_refusal("1.5,2,3\n4,5,6\n"),
        "the first line holds numbers (`1.5`, ...); expected a header line with column names"
    );
}

#[test]
fn a_ragged_row_is_named_with_both_counts() {
    assert_eq!(
        fit_refusal("a,b,y\n1,2,3\n\n1,2\n"),
        "row 2 (line 4) has 2 fields, expected 3 as in the header; cells are separated by ',', data.delimiter says otherwise"
    );
    assert_eq!(
        fit_refusal("a,b,y\r\n1,2,3\r\n1,2,3,4\r\n"),
        "row 2 (line 3) has 4 fields, expected 3 as in the header; cells are separated by ',', data.delimiter says otherwise"
    );
}

#[test]
fn a_repeated_column_name_is_refused() {
    assert_eq!(fit_refusal("a,b,a,y\n1,2,3,4\n"), "column `a` occurs twice, at positions 1 and 3");
}

#[test]
fn a_column_without_name_is_refused_unless_ignored() {
    let table = ",a,y\n7,1,2\n5,3,4\n";
    assert_eq!(
        fit_refusal(table),
        "column 1 has no name; leave it out with data.ignore = [\"\"] (an index that pandas wrote?) or name it"
    );
    let options = CsvOptions { ignore: vec![String::new()], ..CsvOptions::default() };
    assert_eq!(fit(table, &options).unwrap().feature_names(), ["a"]);
}

#[test]
fn bytes_that_are_not_utf8_are_named_by_row_and_field() {
    assert_eq!(
        fit_refusal(b"a,b,y\n1,2,3\n1,caf\xe9,3\n"),
        "row 2 (line 3), field 2 is not UTF-8 text; save the table as UTF-8"
    );
    assert!(
        fit_refusal(b"\xff\xfea\0,\0y\0\n\0").starts_with("is UTF-16 text; expected a table as UTF-8 text")
    );
}

#[test]
fn a_missing_target_column_gets_the_nearest_name() {
    let (_folder, path) = file("rooms,price\n1,2\n");
    let got = CsvSchema::fit(&path, "prize", &CsvOptions::default()).unwrap_err();
    assert_eq!(refusal(got), "no column `prize` (did you mean `price`?); columns: rooms, price");
}

#[test]
fn options_that_name_no_column_are_refused() {
    for options in [
        CsvOptions { categorical: vec!["colour".into()], ..CsvOptions::default() },
        CsvOptions { ignore: vec!["colour".into()], ..CsvOptions::default() },
    ] {
        let got = refusal(fit("color,y\nred,1\n", &options).unwrap_err());
        assert_eq!(got, "no column `colour` (did you mean `color`?); columns: color, y");
    }
    let ignored = CsvOptions { ignore: vec!["y".into()], ..CsvOptions::default() };
    let got = refusal(fit("a,y\n1,2\n", &ignored).unwrap_err());
    assert_eq!(got, "the target `y` is listed in data.ignore");
    let got = refusal(
        fit("a,y\n1,2\n", &CsvOptions { delimiter: Some('→'), ..CsvOptions::default() }).unwrap_err(),
    );
    assert!(got.starts_with("data.delimiter: the separator '→' is not one ASCII character"), "{got}");
}

#[test]
fn a_table_of_only_the_target_is_refused() {
    assert_eq!(fit_refusal("y\n1\n2\n"), "no feature columns beside the target `y`");
}

#[test]
fn text_among_numbers_is_named_by_row_column_and_value() {
    assert_eq!(
        fit_refusal("a,b,y\n1,2,3\n4,five,6\n"),
        "row 2 (line 3), column `b`: `five` is not a number; mend the cell, list it in data.missing_tokens if it stands for a missing value, or the column in data.categorical"
    );
    assert!(
        fit_refusal("a,y\n1,2.5\n2,1.5\n\"x,5\",3.5\n")
            .starts_with("row 3 (line 4), column `a`: `x,5` is not a number")
    );
    assert!(
        fit_refusal("a,y\n1 000,2\n2,3\n").starts_with("row 1 (line 2), column `a`: `1 000` is not a number")
    );
}

#[test]
fn nan_and_infinity_are_refused_even_when_missing_cells_are_imputed() {
    for cell in ["inf", "-inf", "NAN", "Infinity", "1e400", "1e39"] {
        let table = format!("a,y\n1,2\n{cell},3\n");
        let expected =
            format!("row 2 (line 3), column `a`: `{cell}` is not a finite single-precision number");
        assert_eq!(fit_refusal(&table), expected);
        assert_eq!(refusal(fit(&table, &imputing(Missing::ImputeMean)).unwrap_err()), expected);
        let in_target = format!("a,y\n1,2\n3,{cell}\n");
        assert!(fit_refusal(in_target).starts_with("row 2 (line 3), column `y`"));
    }
}

#[test]
fn missing_cells_are_refused_by_default() {
    for token in ["", "NA", "NaN", "nan", "?", " "] {
        let got = fit_refusal(format!("a,b,y\n1,2,3\n4,{token},6\n"));
        let expected = format!(
            "row 2 (line 3), column `b`: missing value (`{}`); training with data.missing = \"mean\" or \"median\" fills it, or remove the row",
            token.trim()
        );
        assert_eq!(got, expected);
    }
}

#[test]
fn missing_targets_are_refused_under_every_policy() {
    for missing in [Missing::Refuse, Missing::ImputeMean, Missing::ImputeMedian] {
        let got = refusal(fit("a,y\n1,2\n3,?\n", &imputing(missing)).unwrap_err());
        assert_eq!(got, "row 2 (line 3): the target `y` is missing (`?`); targets are never imputed");
    }
}

#[test]
fn a_column_without_any_value_is_refused() {
    let got = refusal(fit("a,b,y\n1,NA,2\n3,?,4\n", &imputing(Missing::ImputeMean)).unwrap_err());
    assert_eq!(got, "column `b` has no values in the training rows; leave it out with data.ignore");
}

#[test]
fn a_target_with_one_class_is_refused() {
    assert_eq!(
        fit_refusal("a,y\n1,yes\n2,yes\n3,yes\n"),
        "target `y` has one class (`yes`) in 3 rows; at least two are needed"
    );
}

#[test]
fn a_column_of_many_names_is_refused() {
    let rows: String = (0..129).map(|i| format!("person{i},{i}\n")).collect();
    assert_eq!(
        fit_refusal(format!("name,y\n{rows}")),
        "column `name` has 129 levels, more than the limit of 128; leave it out with data.ignore, raise data.max_levels, or set data.decimal or data.delimiter if they are numbers"
    );
    let rows: String = (0..387).map(|i| format!("{i},person{}\n", i % 129)).collect();
    assert!(fit_refusal(format!("a,y\n{rows}")).starts_with("column `y` has 129 levels"));
    assert!(fit(format!("a,y\n{rows}"), &CsvOptions { max_levels: 129, ..CsvOptions::default() }).is_ok());
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let got = CsvSchema::fit(&PathBuf::from("absent.csv"), "y", &CsvOptions::default()).unwrap_err();
    assert!(got.to_string().starts_with("cannot read absent.csv: "), "{got}");
}

const TRAIN: &str = "size,color,y\n1,red,10\n2,blue,20\n4,red,30\n";

fn predict(content: &str, options: &CsvOptions) -> Result<ndarray::Array2<f64>, Error> {
    let schema = fit(TRAIN, options).unwrap();
    let (_folder, path) = file(content);
    schema.read_inputs(&path).map(|inputs| inputs.values)
}

fn predict_refusal(content: &str) -> String {
    refusal(predict(content, &CsvOptions::default()).unwrap_err())
}

#[test]
fn prediction_needs_no_target_and_no_column_order() {
    let expected = array![[5.0, 1.0, 0.0], [6.0, 0.0, 1.0]];
    for content in ["size,color\n5,blue\n6,red\n", "color,y,size\nblue,,5\nred,oops,6\n"] {
        assert_eq!(predict(content, &CsvOptions::default()).unwrap(), expected);
    }
}

#[test]
fn wrong_columns_at_prediction_are_named() {
    assert_eq!(
        predict_refusal("size\n5\n"),
        "no column `color`; columns: size; one column only, so data.delimiter may be another"
    );
    assert_eq!(
        predict_refusal("Size,color\n5,red\n"),
        "no column `size` (did you mean `Size`?); columns: Size, color"
    );
    assert_eq!(
        predict_refusal("size,color,weight,id\n5,red,1,2\n"),
        "4 feature columns, expected 2; not among the columns of training: weight, id; data.ignore leaves columns out"
    );
}

#[test]
fn faults_in_cells_at_prediction_are_named() {
    assert!(
        predict_refusal("size,color\nbig,red\n")
            .starts_with("row 1 (line 2), column `size`: `big` is not a number")
    );
    assert!(predict_refusal("size,color\ninf,red\n").contains("`inf` is not a finite"));
    assert!(
        predict_refusal("size,color\n1,red\n2,\n")
            .starts_with("row 2 (line 3), column `color`: missing value")
    );
    assert_eq!(
        predict_refusal("size,color\n1,rad\n"),
        "row 1 (line 2), column `color`: unknown level `rad` (did you mean `red`?); known: blue, red; data.unknown = \"missing\" reads it as none of them"
    );
}

#[test]
fn unknown_levels_become_zeros_only_on_request() {
    let options = CsvOptions { unknown_levels: UnknownLevels::AllZero, ..CsvOptions::default() };
    assert_eq!(predict("size,color\n7,green\n", &options).unwrap(), array![[7.0, 0.0, 0.0]]);
}

#[test]
fn unknown_classes_in_a_test_file_are_refused() {
    let schema = fit("a,y\n1,no\n2,yes\n", &CsvOptions::default()).unwrap();
    let (_folder, path) = file("a,y\n1,no\n2,maybe\n");
    let got = refusal(schema.read(&path).unwrap_err());
    assert_eq!(got, "row 2 (line 3), target `y`: unknown class `maybe`; known: no, yes");
}

#[test]
fn imputed_values_are_those_of_the_training_file() {
    let table = "a,c,y\n1,u,1\n,v,2\n3,v,3\n8,,4\n";
    for (missing, expected) in [(Missing::ImputeMean, 4.0), (Missing::ImputeMedian, 3.0)] {
        let schema = fit(table, &imputing(missing)).unwrap();
        let (_folder, path) = file("a,c\nNA,\n100,u\n200,u\n");
        let got = schema.read_inputs(&path).unwrap().values;
        assert_eq!(got.row(0).to_vec(), [expected, 0.0, 1.0]);
    }
}

#[test]
fn imputation_does_not_look_at_held_out_rows() {
    let mut rows: Vec<String> = (0..20).map(|i| format!("{i},{i}")).collect();
    rows.push(",0".into());
    let (_folder, path) = file(format!("a,y\n{}\n", rows.join("\n")));
    let part = TestPart::Fraction { fraction: 0.3, seed: 4 };
    let LoadedTable { dataset: set, schema, .. } =
        load_table(&path, &part, "y", &imputing(Missing::ImputeMean)).unwrap();
    let (kept, _) = rank1_data::holdout_indices(21, 0.3, 4).unwrap();
    let present: Vec<f64> = kept.iter().filter(|&&row| row < 20).map(|&row| row as f64).collect();
    let expected = present.iter().sum::<f64>() / present.len() as f64;
    let rank1_data::ColumnKind::Numeric { impute: Some(got) } = schema.columns()[0].kind else {
        panic!("column a is numeric and imputed")
    };
    assert!((got - expected).abs() < 1e-12 && (got - 9.5).abs() > 1e-6, "{got} against {expected}");
    assert_eq!((set.train.len(), set.test.len()), (15, 6));
}

#[test]
fn the_task_follows_the_target_unless_given() {
    let schema = fit(TRAIN, &CsvOptions::default()).unwrap();
    assert_eq!((schema.task(), schema.class_names().len()), (Task::Regression, 0));
    let options = CsvOptions { task: Some(Task::Classification), ..CsvOptions::default() };
    let (_folder, path) = file("a,y\n1,10\n2,9\n3,10\n");
    let schema = CsvSchema::fit(&path, "y", &options).unwrap();
    assert_eq!(schema.class_names(), ["9", "10"]);
    let targets = schema.read(&path).unwrap().targets;
    assert_eq!(targets, Targets::Classes { labels: array![1, 0, 1], n_classes: 2 });
    let regression = CsvOptions { task: Some(Task::Regression), ..CsvOptions::default() };
    let got = refusal(fit("a,y\n1,no\n2,yes\n", &regression).unwrap_err());
    assert!(got.starts_with("row 1 (line 2), column `y`: `no` is not a number"), "{got}");
}

#[test]
fn numeric_codes_are_levels_when_listed_as_categorical() {
    let options = CsvOptions { categorical: vec!["zone".into()], ..CsvOptions::default() };
    let schema = fit("zone,y\n10,1\n9,2\nA,3\n10,4\n", &options).unwrap();
    assert_eq!(schema.feature_names(), ["zone=10", "zone=9", "zone=A"]);
}

#[test]
fn quotes_separators_and_byte_order_marks_are_understood() {
    let options = CsvOptions { delimiter: Some(';'), ..CsvOptions::default() };
    let (_folder, path) = file("\u{feff}\"a\" ; y\n\"1.5\";2\n+3e0 ; -4\n");
    let split = CsvSchema::fit(&path, "y", &options).unwrap().read(&path).unwrap();
    assert_eq!(split.inputs, array![[1.5], [3.0]]);
    assert_eq!(split.targets, Targets::Values(array![2.0, -4.0]));
}

#[test]
fn a_schema_survives_json_unchanged() {
    let options = CsvOptions { missing: Missing::ImputeMedian, ..CsvOptions::default() };
    for table in [TRAIN, "a,color,y\n0.1,red,no\n,blue,yes\n"] {
        let schema = fit(table, &options).unwrap();
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<CsvSchema>(&text).unwrap(), schema);
    }
    let misspelled = serde_json::from_str::<CsvOptions>(r#"{"mising":"refuse"}"#);
    assert!(misspelled.unwrap_err().to_string().contains("unknown field `mising`"));
}

#[test]
fn a_separate_test_file_is_read_with_the_fitted_schema() {
    let (folder, path) = file("a,y\n1,no\n2,yes\n");
    let test = folder.path().join("test.csv");
    fs::write(&test, "y,a\nyes,3\n").unwrap();
    let set = load_table(&path, &TestPart::File(test), "y", &CsvOptions::default()).unwrap().dataset;
    assert_eq!(set.test.inputs, array![[3.0]]);
    assert_eq!(set.test.targets, Targets::Classes { labels: array![1], n_classes: 2 });
    assert_eq!((set.name.as_str(), set.task, set.n_classes()), ("t", Task::Classification, Some(2)));
}

#[test]
fn a_split_that_leaves_one_class_in_training_is_refused() {
    let (_folder, path) = file("a,y\n1,no\n2,yes\n");
    let part = TestPart::Fraction { fraction: 0.5, seed: 0 };
    let got = load_table(&path, &part, "y", &CsvOptions::default()).unwrap_err();
    assert!(matches!(got, Error::Table(TableError::OneClass { rows: 1, .. })), "{got}");
}

#[test]
fn a_named_set_is_predicted_from_a_table_with_its_column_names() {
    let set = rank1_data::load("yacht", &rank1_data::LoadOptions::default()).unwrap();
    let schema = CsvSchema::numeric(&set.feature_names, "target", &set.class_names);
    assert_eq!(
        (schema.task(), schema.n_features(), schema.feature_names()),
        (Task::Regression, 6, set.feature_names)
    );
    let (_folder, path) = file(format!("{}\n1,2,3,4,5,6\n", schema.feature_names().join(",")));
    assert_eq!(schema.read_inputs(&path).unwrap().values, array![[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]);
}
