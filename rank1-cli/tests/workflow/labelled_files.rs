//! A run on a table beyond its own split: other labelled files, what members say, the event, linear models beside it.

use crate::workbench::{Bench, TABLE, Toy, assert_same, assert_says, files, sum, table};
use crate::{DIGITS, json, numbers, parse_csv};

/// One in four is `late`.
fn answer(a: f64, b: f64, _: &str) -> String {
    if a + b > 1.5 { "late" } else { "on time" }.into()
}

fn trained(target: impl Fn(f64, f64, &str) -> String, more: &str) -> Bench {
    let data = format!("{TABLE}\n{more}");
    let bench = Bench::with(&Toy { data: &data, train: "epochs = 30", ..Toy::default() });
    bench.write("table.csv", table(301, target));
    bench.train("run", &[]);
    bench
}

#[test]
fn another_file_is_measured_beside_the_baselines_and_nothing_is_stored() {
    let bench = trained(sum, "");
    bench.write("more.csv", table(50, sum));
    let before = files(&bench.path("."));
    let found = json(&bench.succeed(&["evaluate", "run", "--input", "more.csv", "--json"]).stdout);
    assert_eq!(
        (&found["set"], &found["split"], &found["n"]),
        (&"more.csv".into(), &"input".into(), &50.into())
    );
    let rmse = |of: &serde_json::Value| of["rmse"].as_f64().unwrap();
    // The target is a line of the columns.
    assert_eq!(found["baselines"][0]["name"], "ridge");
    assert!(rmse(&found["baselines"][0]["metrics"]) < 0.1 * rmse(&found["constant"]));
    assert!(rmse(&found["metrics"]) < rmse(&found["constant"]));
    let shown = bench.succeed(&["evaluate", "run", "--input", "more.csv"]).stdout;
    assert_says(&shown, &["more.csv input: 50 rows", "constant prediction", "ridge regression"]);
    assert_same(&before, &files(&bench.path(".")));
}

#[test]
fn files_that_cannot_be_measured_are_refused_by_their_place() {
    let bench = trained(answer, "");
    for (csv, texts) in [
        ("a,b,color\n1,2,red\n", &["more.csv", "no column `y`"][..]),
        ("a,b,color,y\n1,2,red,early\n", &["row 1 (line 2)", "target `y`", "unknown class `early`"]),
        ("a,b,color,y\n1,2,red,\n", &["row 1 (line 2)", "`y` is missing"]),
        ("a,b,color,y\n1,inf,red,late\n", &["row 1 (line 2)", "column `b`", "`inf` is not a finite"]),
        ("a,b,color,y\n1,2,violet,late\n", &["row 1 (line 2)", "column `color`", "`violet`"]),
    ] {
        bench.write("more.csv", csv);
        assert_says(&bench.refused(&["evaluate", "run", "--input", "more.csv"]), texts);
    }
    let line = bench.refused(&["evaluate", "run", "--input", "absent.csv"]);
    assert_says(&line, &["--input absent.csv", "no such file"]);
    let line = bench.refused(&["evaluate", "run", "--event", "early"]);
    assert_says(&line, &["--event", "expected `late` or `on time`, got `early`"]);
    // One class only: what needs both is left out.
    bench.write("more.csv", "a,b,color,y\n1,2,red,late\n2,2,blue,late\n");
    let found = json(&bench.succeed(&["evaluate", "run", "--input", "more.csv", "--json"]).stdout);
    assert!(found["metrics"]["auroc"].is_null() && found["metrics"]["nll"].is_number());
}

#[test]
fn the_event_is_the_rarer_class_unless_the_recipe_or_the_command_says_otherwise() {
    let bench = trained(answer, "");
    let evaluate = |more: &[&str]| {
        json(&bench.succeed(&[&["evaluate", "run", "--split", "train", "--json"], more].concat()).stdout)
    };
    let (rare, frequent) = (evaluate(&[]), evaluate(&["--event", "on time"]));
    assert_eq!((&rare["event"], &frequent["event"]), (&"late".into(), &"on time".into()));
    let constant = |of: &serde_json::Value| of["constant"]["auc_pr"].as_f64().unwrap();
    assert!(constant(&rare) < 0.5 && (constant(&rare) + constant(&frequent) - 1.0).abs() < DIGITS);
    assert_eq!(rare["baselines"][0]["name"], "logistic");
    let bench = trained(answer, "event = \"on time\"");
    assert_eq!(json(&bench.read("run/evaluation.json"))["event"], "on time");
    let line =
        bench.refused(&["train", "recipe.toml", "--quiet", "--out", "other", "--set", "data.event=early"]);
    assert_says(&line, &["data.event", "expected `late` or `on time`, got `early`"]);
}

#[test]
fn members_of_a_classifier_average_to_its_prediction() {
    let bench = trained(answer, "");
    bench.succeed(&["predict", "run", "--input", "table.csv", "--output", "out.csv", "--members"]);
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    let last = ["m1_p(late)", "m1_p(on time)", "m2_p(late)", "m2_p(on time)"];
    assert_eq!(header[7..], last);
    for row in &rows {
        let fields = numbers(row, 2);
        assert!((fields[0] - 0.5 * (fields[5] + fields[7])).abs() < DIGITS, "{fields:?}");
    }
}

#[test]
fn members_of_a_regression_have_the_moments_of_the_mixture() {
    let bench = trained(sum, "");
    let words = ["predict", "run", "--input", "table.csv", "--output", "out.csv", "--members"];
    bench.succeed(&words);
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    assert_eq!(header[8..], ["m1_mean", "m1_std", "m2_mean", "m2_std"]);
    for row in &rows {
        let fields = numbers(row, 1);
        let [first, first_std, second, second_std] = fields[7..] else { panic!("{fields:?}") };
        assert!((fields[0] - 0.5 * (first + second)).abs() < 1e-6, "{fields:?}");
        let within = 0.5 * (first_std.powi(2) + second_std.powi(2));
        let variance = within + 0.25 * (first - second).powi(2);
        assert!((fields[1].powi(2) - variance).abs() < 1e-6 * variance, "{fields:?}");
    }
}

#[test]
fn a_report_of_a_table_draws_its_rows_and_columns_without_them() {
    let bench = trained(sum, "test_fraction = 0.4");
    std::fs::remove_file(bench.path("table.csv")).unwrap();
    bench.succeed(&["report", "run", "--output", "report.html"]);
    let page = bench.read("report.html");
    for title in [
        "Predicted and observed",
        "Error by stated uncertainty",
        "Coverage along the prediction",
        "Which columns matter",
        "Where it is worst",
        "Members alone and together",
    ] {
        assert!(page.contains(&format!("<h4>{title}</h4>")), "{title}");
    }
    assert!(page.contains("Ridge regression"));
    let found = json(&bench.read("run/evaluation.json"));
    let table = &found["table"];
    let columns = table["importance"]["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 3, "a category is one column");
    // y = 2 a - b, and b is three times as wide: the color adds little.
    assert_eq!((&columns[0]["column"], &columns[2]["column"]), (&"b".into(), &"color".into()));
    assert_eq!((&table["target"], table["errors"].as_array().unwrap().len()), (&"y".into(), 10));
    assert!(bench.read("run/evaluation.json").len() < 200_000);
}
