//! Tables as people have them, through the command: other marks, columns left out, unknown levels, a table that has changed.

use std::io::Write as _;

use crate::workbench::{Bench, TABLE, Toy, assert_says, sum, table};
use crate::{json, numbers, parse_csv};

const TRAIN: [&str; 5] = ["train", "recipe.toml", "--quiet", "--out", "run"];
const PREDICT: [&str; 6] = ["predict", "run", "--input", "rows.csv", "--output", "out.csv"];

fn bench(csv: impl AsRef<[u8]>, more: &str) -> Bench {
    let data = format!("{TABLE}\n{more}");
    let bench = Bench::with(&Toy { data: &data, ..Toy::default() });
    bench.write("table.csv", csv);
    bench
}

#[test]
fn decimal_commas_and_packing_change_no_prediction() {
    let dotted = table(61, sum);
    let commas = dotted.replace(',', ";").replace('.', ",");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(commas.as_bytes()).unwrap();
    let predict = |csv: &[u8], notes: usize| {
        let bench = bench(csv, "");
        let ran = bench.succeed(&TRAIN);
        assert_eq!(ran.stderr.lines().count(), notes, "{}", ran.stderr);
        bench.write("rows.csv", "a,b,color\n0.5,1,red\n1.5,-2.25,blue\n");
        bench.succeed(&PREDICT);
        bench.read("out.csv")
    };
    let expected = predict(dotted.as_bytes(), 0);
    assert_eq!(predict(commas.as_bytes(), 1), expected);
    assert_eq!(predict(&packed.finish().unwrap(), 1), expected);
    let (_, rows) = parse_csv(&expected);
    for field in rows.iter().flatten() {
        let digits =
            field.split('e').next().unwrap().chars().filter(char::is_ascii_digit).collect::<String>();
        assert!(digits.trim_start_matches('0').len() <= 9, "{field}");
    }
    assert_eq!(rows.iter().map(|row| numbers(row, 0)[0]).collect::<Vec<_>>(), [1.0, 2.0]);
}

#[test]
fn columns_are_left_out_by_the_recipe_and_by_inspection() {
    // A column without a name that is no count of the rows, and one of dates.
    let dated = |unnamed: fn(usize) -> usize| -> String {
        let lines = table(31, sum);
        let row = |(i, line): (usize, &str)| match i {
            0 => format!(",when,{line}\n"),
            _ => format!("{},2024-01-{i:02},{line}\n", unnamed(i)),
        };
        lines.lines().enumerate().map(row).collect()
    };
    let odd = dated(|i| i * 7 % 31);
    let line = bench(&odd, "ignore = [\"\"]").refused(&TRAIN);
    assert_says(&line, &["row 1 (line 2)", "column `when`", "`2024-01-01`", "data.ignore"]);
    let line = bench(&odd, "ignore = [\"when\"]").refused(&TRAIN);
    assert_says(&line, &["column 1 has no name", "data.ignore = [\"\"]"]);
    let counted = bench(dated(|i| i), "ignore = [\"when\"]").succeed(&TRAIN);
    assert_says(&counted.stderr, &["columns that count the rows", "the one without a name"]);
    let bench = bench(&odd, "ignore = [\"\", \"when\"]");
    bench.succeed(&TRAIN);
    let words = ["data", "inspect", "table.csv", "--target", "y", "--json"];
    assert_says(&bench.refused(&words), &["column 1 has no name"]);
    let set = ["--set", "data.ignore=[\"\", \"when\"]"];
    let shown = json(&bench.succeed(&[&words[..], &set].concat()).stdout);
    assert_eq!(shown["n_features"], 5);
}

#[test]
fn an_unknown_level_is_refused_or_read_as_none() {
    let bench = bench(table(31, sum), "");
    bench.succeed(&TRAIN);
    bench.write("rows.csv", "a,b,color\n1,2,red\n1,2,violet\n");
    let line = bench.refused(&PREDICT);
    assert_says(&line, &["rows.csv: row 2 (line 3), column `color`", "`violet`", "data.unknown"]);
    let ran = bench.succeed(&[&PREDICT[..], &["--set", "data.unknown=missing"]].concat());
    assert_says(&ran.stderr, &["1 in `color` (`violet`, ...)"]);
    assert_eq!(parse_csv(&bench.read("out.csv")).1.len(), 2);
    let line = bench.refused(&[&PREDICT[..], &["--set", "data.missing=mean"]].concat());
    assert_says(&line, &["--set data.missing", "data.unknown"]);
    // Chosen for all later files by the recipe.
    bench.succeed(&["train", "recipe.toml", "--quiet", "--out", "other", "--set", "data.unknown=missing"]);
    bench.succeed(&["predict", "other", "--input", "rows.csv", "--output", "out.csv"]);
}

#[test]
fn a_table_that_has_changed_is_told() {
    let bench = bench(table(31, sum), "");
    bench.succeed(&TRAIN);
    assert_eq!(bench.succeed(&["evaluate", "run", "--json"]).stderr, "");
    bench.write("table.csv", table(31, |a, b, color| sum(a + 1.0, b, color)));
    let told = "table.csv is not as it was when the model was trained";
    assert_says(&bench.succeed(&["evaluate", "run", "--json"]).stderr, &[told]);
    // As a killed run is: without the files that are written last.
    for name in ["run.json", "evaluation.json", "metrics.csv"] {
        std::fs::remove_file(bench.path("run").join(name)).unwrap();
    }
    let line = bench.refused(&[&TRAIN[..], &["--resume"]].concat());
    assert_says(&line, &["table.csv has changed since run was started", "restore it"]);
    bench.write("table.csv", table(31, sum));
    bench.succeed(&[&TRAIN[..], &["--resume"]].concat());
}

#[test]
fn seconds_since_1970_are_told_apart() {
    let rows: String = (0..60).map(|i| format!("{},{}\n", 1_700_000_001 + i, f64::from(i) / 10.0)).collect();
    let data = format!("{TABLE}\nvalidation = 0.0");
    let bench = Bench::with(&Toy { data: &data, train: "steps = 600", ..Toy::default() });
    bench.write("table.csv", format!("time,y\n{rows}"));
    let found = json(&bench.succeed(&[&TRAIN[..], &["--json"]].concat()).stdout);
    let rmse = found["metrics"]["rmse"].as_f64().unwrap();
    // The standard deviation of the target is 1.7.
    assert!(rmse < 0.6, "{rmse}");
}
