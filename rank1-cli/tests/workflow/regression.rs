//! A user's table with a real-valued target, some cells missing: training, evaluation, prediction with intervals.

use serde_json::Value;

use crate::workbench::{Bench, TABLE, Toy, files, sum, table};
use crate::{DIGITS, json, numbers, parse_csv};

/// 91 rows; every ninth `a` and every tenth `color` is missing.
fn gappy() -> String {
    let full = table(91, sum);
    let holed = full.lines().enumerate().map(|(i, line)| {
        let mut fields: Vec<&str> = line.split(',').collect();
        if i > 0 && i % 9 == 0 {
            fields[0] = "NA";
        }
        if i > 0 && i % 10 == 0 {
            fields[2] = "";
        }
        fields.join(",") + "\n"
    });
    holed.collect()
}

fn trained() -> Bench {
    let data = format!("{TABLE}\nmissing = \"median\"\ntest_fraction = 0.2\nvalidation = 0.2");
    let bench = Bench::with(&Toy { data: &data, train: "epochs = 150", ..Toy::default() });
    bench.write("table.csv", gappy());
    bench.train("run", &[]);
    bench
}

#[test]
fn the_table_is_learned_with_imputed_cells() {
    let bench = trained();
    let found = json(&bench.succeed(&["evaluate", "run", "--json"]).stdout);
    assert_eq!((&found["n"], &found["split"], &found["shift"]), (&18.into(), &"test".into(), &().into()));
    assert_eq!((&found["members"], &found["samples"]), (&2.into(), &4.into()));
    // The target's standard deviation is above 2.
    let rmse = found["metrics"]["rmse"].as_f64().unwrap();
    assert!(rmse < 1.2, "{rmse}");
    assert_eq!(found["member_metrics"].as_array().unwrap().len(), 2);
}

#[test]
fn training_prints_the_evaluation_that_it_stores() {
    let bench = trained();
    let words = ["train", "recipe.toml", "--quiet", "--out", "again", "--json"];
    let ran = bench.succeed(&words);
    // What was filled is said even so.
    assert!(
        ran.stderr.starts_with("note: table.csv: missing cells were filled (data.missing): 10 of `a` with"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert_close(&json(&ran.stdout), &json(&bench.read("again/evaluation.json")));
    // A finished run is shown, not trained again.
    let before = files(&bench.path("again"));
    let shown = bench.succeed(&[&words[..], &["--resume"]].concat());
    assert_eq!(json(&shown.stdout), json(&ran.stdout));
    assert!(before == files(&bench.path("again")));
}

/// The same document up to the nine digits that are printed.
fn assert_close(printed: &Value, stored: &Value) {
    match (printed, stored) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() <= 1e-8 * b.abs(), "{a} is not {b}");
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| assert_close(a, b));
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()));
            a.iter().for_each(|(key, a)| assert_close(a, &b[key]));
        }
        (a, b) => assert_eq!(a, b),
    }
}

#[test]
fn every_split_is_evaluated_on_its_own_rows() {
    let bench = trained();
    let before = files(&bench.path("run"));
    for (split, rows) in [("train", 73), ("validation", 15), ("test", 18)] {
        let found = json(&bench.succeed(&["evaluate", "run", "--split", split, "--json"]).stdout);
        assert_eq!((&found["split"], &found["n"]), (&split.into(), &rows.into()));
    }
    assert!(before == files(&bench.path("run")), "other splits are not stored");
}

#[test]
fn a_shift_raises_the_error_and_is_not_stored() {
    let bench = trained();
    let before = files(&bench.path("run"));
    let plain = json(&bench.succeed(&["evaluate", "run", "--json"]).stdout);
    let noise = ["evaluate", "run", "--shift", "gaussian_noise:2", "--samples", "8", "--json"];
    let shifted = json(&bench.succeed(&noise).stdout);
    assert_eq!((&shifted["shift"], &shifted["samples"]), (&"gaussian_noise:2".into(), &8.into()));
    let rmse = |of: &serde_json::Value| of["metrics"]["rmse"].as_f64().unwrap();
    assert!(rmse(&shifted) > 1.5 * rmse(&plain), "{} {}", rmse(&shifted), rmse(&plain));
    assert!(before == files(&bench.path("run")));
}

#[test]
fn an_evaluation_is_printed_as_a_table_without_json() {
    let ran = trained().succeed(&["evaluate", "run"]);
    assert!(ran.stdout.starts_with("table test: 18 rows, 2 members x 4 samples\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("RMSE") && ran.stdout.contains("member"));
    assert_eq!(ran.stderr, "");
}

/// Predicts the training table, whose target column and missing cells are no obstacle.
fn predicted(more: &[&str]) -> (Vec<String>, Vec<Vec<String>>) {
    let bench = trained();
    let words = ["predict", "run", "--input", "table.csv", "--output", "out.csv"];
    let ran = bench.succeed(&[&words[..], more].concat());
    assert_eq!(ran.stdout, "");
    assert!(!bench.path("out.csv.tmp").exists());
    parse_csv(&bench.read("out.csv"))
}

#[test]
fn predictions_have_consistent_uncertainties_and_intervals() {
    let (header, rows) = predicted(&[]);
    assert_eq!(header, ["row", "mean", "std", "total", "aleatoric", "epistemic", "lower", "upper"]);
    assert_eq!(rows.len(), 91);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row[0], (i + 1).to_string());
        let [mean, std, total, aleatoric, epistemic, lower, upper] = numbers(row, 1)[..] else { panic!() };
        assert!((total - aleatoric - epistemic).abs() <= DIGITS * total.max(1.0), "row {i}");
        assert!((std * std - total).abs() <= DIGITS * total.max(1.0), "row {i}");
        assert!(aleatoric > 0.0 && epistemic >= 0.0, "row {i}");
        assert!(lower < mean && mean < upper, "row {i}: {lower} {mean} {upper}");
    }
}

#[test]
fn a_higher_probability_gives_wider_intervals() {
    let width = |level| {
        let (_, rows) = predicted(&["--interval", level]);
        rows.iter().map(|row| numbers(row, 1)).map(|n| n[6] - n[5]).collect::<Vec<f64>>()
    };
    assert!(width("0.5").iter().zip(width("0.99")).all(|(narrow, wide)| 2.0 * narrow < wide));
}

#[test]
fn adaptive_sampling_reports_the_samples_of_every_row_and_a_tighter_bound_needs_more() {
    let samples = |bound| {
        let (header, rows) = predicted(&["--samples", "32", "--standard-error", bound]);
        assert_eq!(header.last().unwrap(), "samples");
        rows.iter().map(|row| row.last().unwrap().parse::<usize>().unwrap()).collect::<Vec<_>>()
    };
    let (loose, medium, tight) = (samples("1e6"), samples("0.05"), samples("1e-9"));
    assert!(loose.iter().all(|&s| s == 4) && tight.iter().all(|&s| s == 32));
    assert!(medium.iter().all(|s| [4, 8, 16, 32].contains(s)));
    let words = ["predict", "run", "--input", "table.csv", "--output", "no.csv", "--standard-error", "0"];
    let told = trained().refused(&words);
    assert!(told.contains("--standard-error: expected a number above 0, got 0"), "{told}");
}

#[test]
fn rows_may_come_without_target_and_in_any_column_order() {
    let bench = trained();
    bench.write("ordered.csv", "a,b,color,y\n0.5,1,red,0\n-0.5,2,green,0\n");
    bench.write("shuffled.csv", "color,b,a\nred,1,0.5\ngreen,2,-0.5\n");
    for name in ["ordered", "shuffled"] {
        let (input, output) = (format!("{name}.csv"), format!("{name}-out.csv"));
        bench.succeed(&["predict", "run", "--input", &input, "--output", &output]);
    }
    assert_eq!(bench.read("ordered-out.csv"), bench.read("shuffled-out.csv"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let bench = trained();
    let mut child = bench
        .command(&["evaluate", "run", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), &*String::from_utf8_lossy(&done.stderr)), (Some(0), ""));
}
