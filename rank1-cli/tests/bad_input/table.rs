//! Broken tables at training and at prediction; every message names the file, the place, what was expected and what came.

use crate::workbench::{Bench, TABLE, Toy, assert_says, sum, table};

const TRAIN: [&str; 5] = ["train", "recipe.toml", "--quiet", "--out", "run"];

/// Training on this table is refused with a line that says all of `texts`.
fn refuses(csv: &str, texts: &[&str]) {
    let line = Bench::with_table(csv).refused(&TRAIN);
    assert_says(&line, &[&["recipe.toml", "table.csv"], texts].concat());
}

/// The good table with one text replaced.
fn edited(from: &str, to: &str) -> String {
    let good = table(31, sum);
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1)
}

#[test]
fn the_table_that_the_others_are_broken_copies_of_is_accepted() {
    Bench::with_table(&table(31, sum)).train("run", &[]);
}

#[test]
fn a_target_that_is_no_column_gets_the_nearest_name() {
    let bench = Bench::with_table(&table(31, sum).replacen(",y\n", ",price\n", 1));
    let line = bench.refused(&[&TRAIN[..], &["--set", "data.target=pric"]].concat());
    assert_says(&line, &["table.csv", "no column `pric`", "did you mean `price`?", "a, b, color, price"]);
}

#[test]
fn text_in_a_numeric_column_is_named_with_its_row() {
    refuses(&edited("0.6442,", "tall,"), &["row 2 (line 3)", "column `a`", "`tall` is not a number"]);
}

#[test]
fn a_missing_cell_is_refused_unless_imputation_is_chosen() {
    refuses(&edited("0.6442,", "NaN,"), &["row 2 (line 3)", "column `a`", "missing value (`NaN`)"]);
    refuses(&edited("0.6442,", ","), &["row 2 (line 3)", "column `a`", "missing value (``)"]);
}

#[test]
fn infinite_and_overflowing_numbers_are_refused() {
    refuses(&edited("0.6442,", "inf,"), &["row 2 (line 3)", "column `a`", "`inf` is not a finite"]);
    refuses(&edited("0.6442,", "1e39,"), &["row 2 (line 3)", "column `a`", "`1e39` is not a finite"]);
}

#[test]
fn a_target_that_is_not_finite_is_refused() {
    refuses(
        &edited(",green,5.4859", ",green,-inf"),
        &["row 2 (line 3)", "column `y`", "`-inf` is not a finite"],
    );
    refuses(&edited(",green,5.4859", ",green,NaN"), &["row 2 (line 3)", "target `y` is missing (`NaN`)"]);
}

#[test]
fn a_ragged_row_is_named() {
    refuses(&edited(",green,5.4859", ",green,5.4859,7"), &["row 2 (line 3)", "5 fields", "expected 4"]);
    refuses(&edited(",green,5.4859", ",green"), &["row 2 (line 3)", "3 fields", "expected 4"]);
}

#[test]
fn an_empty_file_is_refused() {
    refuses("", &["the file is empty", "expected a header line"]);
}

#[test]
fn a_header_without_rows_is_refused() {
    refuses("a,b,color,y\n", &["only a header line with 4 columns, no rows"]);
}

#[test]
fn one_row_cannot_be_divided() {
    let line = Bench::with_table("a,y\n1,2\n").refused(&TRAIN);
    assert_says(&line, &["recipe.toml", "1 rows leaves one part empty"]);
}

#[test]
fn a_target_with_one_class_is_refused() {
    refuses(&table(31, |_, _, _| "yes".into()), &["target `y` has one class (`yes`)", "at least two"]);
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let line = Bench::with(&Toy { data: TABLE, ..Toy::default() }).refused(&TRAIN);
    assert_says(&line, &["cannot read table.csv", "No such file"]);
}

#[test]
fn a_likelihood_that_does_not_fit_the_target_is_refused() {
    let classes = table(31, |_, _, color| color.into());
    let bench = Bench::with_table(&classes);
    let line = bench.refused(&[&TRAIN[..], &["--set", "model.likelihood=gaussian"]].concat());
    assert_says(&line, &["table.csv", "row 1 (line 2), column `y`: `red` is not a number"]);
    let line = bench.refused(&[&TRAIN[..], &["--set", "model.likelihood=bernoulli"]].concat());
    assert_says(
        &line,
        &["recipe.toml: model: ", "expected two classes for `likelihood = \"bernoulli\"`, got 3"],
    );
}

/// Prediction of this table by a model of the good one is refused with a line that says all of `texts`.
fn refuses_prediction(csv: &str, texts: &[&str]) {
    let bench = Bench::with_table(&table(31, sum));
    bench.train("run", &[]);
    bench.write("rows.csv", csv);
    let line = bench.refused(&["predict", "run", "--input", "rows.csv", "--output", "out.csv"]);
    assert_says(&line, &[&["rows.csv"], texts].concat());
}

#[test]
fn too_few_features_at_prediction_are_refused() {
    refuses_prediction("a,color\n1,red\n", &["no column `b`", "columns: a, color"]);
    refuses_prediction("a,b,colour\n1,2,red\n", &["no column `color`", "did you mean `colour`?"]);
}

#[test]
fn too_many_features_at_prediction_are_refused() {
    let texts = ["5 feature columns, expected 3", "not among the columns of training: c, d"];
    refuses_prediction("a,b,c,color,d\n1,2,3,red,4\n", &texts);
}

#[test]
fn broken_rows_at_prediction_are_refused() {
    refuses_prediction(
        "a,b,color\n1,2,red\n1,x,red\n",
        &["row 2 (line 3)", "column `b`", "`x` is not a number"],
    );
    refuses_prediction("a,b,color\n1,,red\n", &["row 1 (line 2)", "column `b`", "missing value"]);
    refuses_prediction("a,b,color\n1,inf,red\n", &["row 1 (line 2)", "column `b`", "`inf` is not a finite"]);
    refuses_prediction("a,b,color\n1,2,grene\n", &["row 1 (line 2)", "`grene`", "did you mean `green`?"]);
    refuses_prediction("a,b,color\n1,2\n", &["row 1 (line 2)", "2 fields", "expected 3"]);
    refuses_prediction("a,b,color\n", &["only a header line with 3 columns, no rows"]);
    refuses_prediction("", &["the file is empty"]);
}
