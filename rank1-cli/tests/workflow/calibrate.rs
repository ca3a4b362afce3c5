//! Rows that a model has never seen become intervals, sets and probabilities of their own file, beside a posterior that stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::json;
use crate::workbench::photos;
use crate::workbench::{Bench, TABLE, Toy, assert_same, assert_says, files, sum, table};

fn trained(target: fn(f64, f64, &str) -> String, epochs: &str) -> Bench {
    let data = format!("{TABLE}\nvalidation = 0.2");
    let bench = Bench::with(&Toy { data: &data, train: epochs, ..Toy::default() });
    bench.write("table.csv", table(151, target));
    bench.train("run", &[]);
    bench
}

/// Three classes, one of them rare.
fn size(a: f64, b: f64, _: &str) -> String {
    if a > 0.95 && b > 0.0 {
        "huge"
    } else if a > 0.0 {
        "large"
    } else {
        "small"
    }
    .into()
}

/// Rows of the table that training never saw.
fn unseen(rows: usize, target: fn(f64, f64, &str) -> String) -> String {
    let all = table(151 + rows, target);
    let lines: Vec<&str> = all.lines().collect();
    [&lines[..1], &lines[152..]].concat().join("\n") + "\n"
}

fn content(bench: &Bench, run: &str) -> Value {
    json(&bench.read(&format!("{run}/calibration.json")))["content"].clone()
}

/// All files of a run but its calibration.
fn posterior(bench: &Bench) -> BTreeMap<std::path::PathBuf, Option<Vec<u8>>> {
    let mut found = files(&bench.path("run"));
    found.remove(Path::new("calibration.json"));
    found
}

#[test]
fn values_get_a_scale_and_intervals_and_the_posterior_stays() {
    let bench = trained(sum, "epochs = 20");
    bench.write("new.csv", unseen(60, sum));
    let before = posterior(&bench);
    let words = ["calibrate", "run", "--data", "new.csv", "--coverage", "0.9", "--coverage", "0.5"];
    let shown = bench.succeed(&words).stdout;
    assert_says(
        &shown,
        &["60 rows of new.csv", "scale", "normalized", "90 %", "50 %", "before", "after", "in-sample"],
    );
    assert_same(&before, &posterior(&bench));
    let found = content(&bench, "run");
    assert_eq!((&found["rows"]["n"], &found["rows"]["kind"]), (&60.into(), &"file".into()));
    assert_eq!(found["rows"]["sha256"].as_str().unwrap().len(), 64);
    let levels = found["conformal"]["levels"].as_array().unwrap();
    // Ranks 31 and 55 of 60, whatever the order in which coverages were asked for.
    assert_eq!((&levels[0]["rank"], &levels[1]["rank"]), (&31.into(), &55.into()));
    assert_eq!(levels[1]["in_sample_coverage"], 55.0 / 60.0);
    assert!(levels[0]["threshold"].as_f64() < levels[1]["threshold"].as_f64());
    let nll = |at: usize| found["in_sample"]["nll"][at].as_f64().unwrap();
    assert!(nll(1) <= nll(0), "{} {}", nll(0), nll(1));

    // Measured beside, never instead of, what there was.
    let evaluated = json(&bench.succeed(&["evaluate", "run", "--input", "new.csv", "--json"]).stdout);
    let calibrated = &evaluated["calibrated"];
    let close = |a: &Value, b: f64| (a.as_f64().unwrap() - b).abs() < 1e-7 * b.abs().max(1.0);
    assert!(close(&evaluated["metrics"]["nll"], nll(0)) && close(&calibrated["metrics"]["nll"], nll(1)));
    assert!(close(&calibrated["levels"][1]["observed"], 55.0 / 60.0), "{calibrated}");
    assert_says(&bench.succeed(&["evaluate", "run"]).stdout, &["calibrated on 60 rows of new.csv", "90 %"]);
    let stored = json(&bench.read("run/evaluation.json"))["calibrated"].clone();
    assert!(stored["levels"].is_array() && stored["in_sample"] == false && calibrated["in_sample"] == true);

    // The same rows give the same bytes; another method replaces the file.
    let bytes = bench.read("run/calibration.json");
    bench.succeed(&words);
    assert_eq!(bytes, bench.read("run/calibration.json"));
    for method in ["absolute", "cqr"] {
        let words =
            ["calibrate", "run", "--data", "new.csv", "--method", method, "--adjust", "none", "--json"];
        let printed = json(&bench.succeed(&words).stdout);
        assert_eq!(printed["conformal"]["method"]["kind"], method);
        assert!(printed["adjustment"].is_null());
        assert!(close(&printed["conformal"]["levels"][0]["in_sample_coverage"], 55.0 / 60.0), "{printed}");
    }
}

#[test]
fn classes_get_a_temperature_and_sets_for_all_or_for_each() {
    let bench = trained(size, "epochs = 40");
    bench.write("new.csv", unseen(120, size));
    let calibrate =
        |more: &[&str]| bench.succeed(&[&["calibrate", "run", "--data", "new.csv"], more].concat());
    assert_says(&calibrate(&[]).stdout, &["temperature", "ECE", "lac", "classes in a set"]);
    let found = content(&bench, "run");
    assert_eq!(found["adjustment"]["kind"], "temperature");
    assert_eq!(found["class_names"], serde_json::json!(["huge", "large", "small"]));
    assert_eq!(found["conformal"]["levels"][0]["rank"], 109);
    let evaluated = json(&bench.succeed(&["evaluate", "run", "--input", "new.csv", "--json"]).stdout);
    // A temperature changes no class.
    assert_eq!(evaluated["calibrated"]["metrics"]["accuracy"], evaluated["metrics"]["accuracy"]);
    assert!(evaluated["calibrated"]["metrics"]["nll"].as_f64() <= evaluated["metrics"]["nll"].as_f64());
    for (words, adjust) in [(["--method", "aps"], "isotonic"), (["--method", "raps"], "none")] {
        let printed = json(&calibrate(&[&words[..], &["--adjust", adjust, "--json"]].concat()).stdout);
        let level = &printed["conformal"]["levels"][0];
        assert!(level["in_sample_coverage"].as_f64().unwrap() >= 0.9, "{level}");
    }
    // A class that is too rare for its own threshold is in every set, which is said.
    let ran = calibrate(&["--per-class", "--coverage", "0.95"]);
    assert_says(&ran.stderr, &["note: class `huge` has", "needs 19: it is in every set"]);
    assert_says(&ran.stdout, &["in every set", "large ("]);
    let classes = content(&bench, "run")["conformal"]["levels"][0]["classes"].clone();
    assert!(classes[0]["threshold"].is_null() && classes[1]["threshold"].is_number(), "{classes}");
}

#[test]
fn bad_requests_are_refused_in_one_line_and_write_nothing() {
    let bench = trained(size, "epochs = 3");
    let refused = |more: &[&str]| bench.refused(&[&["calibrate", "run"], more].concat());
    bench.write("new.csv", unseen(8, size));
    let with = |more: &[&str]| refused(&[&["--data", "new.csv"], more].concat());
    assert_says(&with(&[]), &["coverage 0.9 needs at least 9 rows, got 8", "--coverage of at most 0.888"]);
    for coverage in ["0", "1", "1.5", "NaN"] {
        assert_says(
            &with(&["--coverage", coverage]),
            &["--coverage: expected a number strictly between 0 and 1"],
        );
    }
    assert_says(
        &with(&["--method", "cqr"]),
        &["--method cqr: the run predicts classes, expected lac, aps or raps"],
    );
    assert_says(&with(&["--adjust", "scale"]), &["--adjust scale", "temperature, isotonic or none"]);
    assert_says(&with(&["--method", "raps", "--raps-penalty=-1"]), &["--raps-penalty"]);
    assert_says(&with(&["--labels", "new.csv"]), &["--labels: only IDX files"]);
    assert_says(&with(&["--stays", "b"]), &["--stays: only runs on clinical stays"]);
    assert_says(&with(&["--root", "."]), &["--root: is for --data test or validation"]);
    assert_says(&with(&["--set", "data.missing=mean"]), &["--set data.missing", "expected a key of data"]);
    assert_says(&refused(&["--data", "absent.csv"]), &["--data absent.csv: no such file"]);
    bench.write("bad.csv", "a,b,color,y\n1,2,red,tiny\n");
    assert_says(&refused(&["--data", "bad.csv"]), &["row 1 (line 2)", "unknown class `tiny`"]);
    bench.write("bad.csv", "a,b,color\n1,2,red\n");
    assert_says(&refused(&["--data", "bad.csv"]), &["no column `y`"]);
    bench.write("bad.csv", "a,b,color,y\n1,2,red,\n");
    assert_says(&refused(&["--data", "bad.csv"]), &["row 1 (line 2)", "`y` is missing"]);
    assert_says(&refused(&["--data", "test", "--set", "data.decimal=,"]), &["--data test", "without"]);
    let values = trained(sum, "epochs = 3");
    values.write("new.csv", unseen(20, sum));
    let line = values.refused(&["calibrate", "run", "--data", "new.csv", "--per-class"]);
    assert_says(&line, &["--per-class", "no classes"]);
    assert_says(
        &values.refused(&["calibrate", "run", "--data", "new.csv", "--method", "aps"]),
        &["normalized, absolute or cqr"],
    );
}

#[test]
fn own_rows_calibrate_only_by_name_and_with_a_warning() {
    let all = trained(sum, "epochs = 5");
    let line = all.refused(&["calibrate", "run", "--data", "validation"]);
    assert_says(&line, &["--data validation", "was trained on these rows too"]);
    let bench = trained(sum, "epochs = 5\nearly_stopping = { patience = 3 }");
    let ran = bench.succeed(&["calibrate", "run", "--data", "validation"]);
    assert_says(&ran.stderr, &["note: ", "validation rows", "coverage is not guaranteed"]);
    assert_eq!(content(&bench, "run")["rows"]["kind"], "validation");
    let ran = bench.succeed(&["calibrate", "run", "--data", "test"]);
    assert_says(&ran.stderr, &["test rows calibrate", "in-sample"]);
    assert_eq!(content(&bench, "run")["rows"]["kind"], "test");
    let shown = bench.succeed(&["evaluate", "run"]).stdout;
    assert_says(&shown, &["these very rows, so in-sample"]);
}

#[test]
fn a_calibration_that_was_changed_or_is_of_another_model_is_refused() {
    let bench = trained(sum, "epochs = 3");
    bench.write("new.csv", unseen(20, sum));
    bench.succeed(&["calibrate", "run", "--data", "new.csv"]);
    let ran = bench.succeed(&["evaluate", "run", "--samples", "2"]);
    assert_says(&ran.stderr, &["note: calibration.json was made with 4 samples", "not with 2 samples"]);
    let line = bench.refused(&["predict", "run", "--input", "new.csv", "--output", "run/calibration.json"]);
    assert_says(&line, &["a part of the run"]);
    let text = bench.read("run/calibration.json");
    bench.write("run/calibration.json", text.replace("\"coverage\": 0.9", "\"coverage\": 0.8"));
    assert_says(
        &bench.refused(&["evaluate", "run"]),
        &["make it anew with `rank1 calibrate run --data FILE`"],
    );
    bench.train("other", &["--seed", "6"]);
    bench.write("other/calibration.json", &text);
    assert_says(&bench.refused(&["evaluate", "other"]), &["another model"]);
    fs::remove_file(bench.path("run/calibration.json")).unwrap();
    assert!(json(&bench.succeed(&["evaluate", "run", "--json"]).stdout)["calibrated"].is_null());
}

#[test]
fn images_in_class_folders_calibrate_a_model_of_images() {
    let data = "set = \"images\"\nfile = \"flowers\"\ntest_fraction = 0.25\nvalidation = 0.0";
    let bench = Bench::with(&Toy { data, ..Toy::default() });
    photos::flowers(&bench, "flowers");
    for i in 0..8 {
        photos::put(&bench, &format!("new/oak/{i}.png"), photos::png(0, 20 + i, 16));
        photos::put(&bench, &format!("new/rose/{i}.png"), photos::png(1, 20 + i, 16));
    }
    let more = ["--set", "train.batch_size=8"];
    bench.train("run", &more);
    bench.train("streamed", &[&more[..], &["--set", "data.image_size=12"]].concat());
    for run in ["run", "streamed"] {
        bench.succeed(&["calibrate", run, "--data", "new"]);
        let found = content(&bench, run);
        assert_eq!((&found["rows"]["n"], &found["conformal"]["levels"][0]["rank"]), (&16.into(), &16.into()));
        let evaluated = json(&bench.succeed(&["evaluate", run, "--input", "new", "--json"]).stdout);
        assert_eq!(
            (&evaluated["n"], &evaluated["calibrated"]["levels"][0]["observed"]),
            (&16.into(), &1.0.into())
        );
    }
    photos::put(&bench, "new/tulip/0.png", photos::png(2, 0, 16));
    let line = bench.refused(&["calibrate", "run", "--data", "new"]);
    assert_says(&line, &["the model knows the classes `oak`, `rose`", "`tulip`"]);
    fs::remove_dir_all(bench.path("new/tulip")).unwrap();
    photos::put(&bench, "new/rose/9.png", photos::png(1, 0, 17));
    assert_says(
        &bench.refused(&["calibrate", "run", "--data", "new"]),
        &["rose/9.png", "17 x 17", "16 x 16"],
    );
}

/// Bytes in the IDX format.
fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
    bytes.extend(data);
    bytes
}

#[test]
fn gray_images_calibrate_by_two_idx_files_or_by_the_own_test_rows() {
    let data = "set = \"mnist10k\"\ntrain_rows = 200\nvalidation = 0.0";
    let bench = Bench::with(&Toy { data, train: "epochs = 1", ..Toy::default() });
    bench.train("run", &[]);
    let pixels: Vec<u8> = (0..12 * 28 * 28).map(|i| (i * 7 % 256) as u8).collect();
    bench.write("images.idx", idx(&[12, 28, 28], &pixels));
    bench.write("labels.idx", idx(&[12], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]));
    bench.succeed(&["calibrate", "run", "--data", "images.idx", "--labels", "labels.idx"]);
    assert_eq!(content(&bench, "run")["rows"]["n"], 12);
    let refused =
        |more: &[&str]| bench.refused(&[&["calibrate", "run", "--data", "images.idx"], more].concat());
    assert_says(&refused(&[]), &["images.idx", "--labels FILE"]);
    bench.write("few.idx", idx(&[3], &[0, 1, 2]));
    assert_says(&refused(&["--labels", "few.idx"]), &["few.idx", "each of the 12 images, got 3"]);
    bench.write("high.idx", idx(&[12], &[0, 1, 12, 3, 4, 5, 6, 7, 8, 9, 0, 1]));
    assert_says(&refused(&["--labels", "high.idx"]), &["high.idx", "label 12 of image 3", "10 classes"]);
    bench.succeed(&["calibrate", "run", "--data", "test"]);
    assert_eq!(content(&bench, "run")["rows"]["n"], 2_000);
}
