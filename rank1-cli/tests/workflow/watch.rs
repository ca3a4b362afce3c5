//! New rows against those of training: no alarm where nothing moved, the column that moved named first, labels or none.

use std::fs;

use serde_json::Value;

use crate::json;
use crate::workbench::photos;
use crate::workbench::{Bench, Ran, TABLE, Toy, assert_same, assert_says, files};

/// A number from 0 to 1, the next of a fixed sequence (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Rows of numbers, whole numbers and colors with a noisy target, which may be left out.
#[derive(Clone, Copy)]
struct Rows {
    seed: u64,
    n: usize,
    stretch: f64,
    /// Share of rows with a color that training never saw.
    violet: f64,
    labelled: bool,
    classes: bool,
}

const NEW: Rows = Rows { seed: 2, n: 900, stretch: 1.0, violet: 0.0, labelled: true, classes: false };

impl Rows {
    fn lines(&self) -> Vec<String> {
        let mut numbers = Numbers(self.seed);
        let line = |_| {
            let (a, b) = (numbers.next(), numbers.next() * 6.0 - 3.0);
            let count = (numbers.next() * 5.0).floor();
            let color = ["red", "green", "blue"][(numbers.next() * 3.0) as usize];
            let color = if numbers.next() < self.violet { "violet" } else { color };
            let noise: f64 = (0..4).map(|_| numbers.next() - 0.5).sum();
            let y = 2.0 * a - b + 0.3 * noise;
            let y =
                if self.classes { if y > 0.0 { "late" } else { "early" }.into() } else { format!("{y:.4}") };
            let target = if self.labelled { format!(",{y}") } else { String::new() };
            format!("{a:.4},{:.4},{count},{color}{target}", b * self.stretch)
        };
        (0..self.n).map(line).collect()
    }

    fn write(&self, bench: &Bench, name: &str) {
        write_lines(bench, name, &self.lines(), self.labelled);
    }
}

fn write_lines(bench: &Bench, name: &str, lines: &[String], labelled: bool) {
    let header = if labelled { "a,b,count,color,y" } else { "a,b,count,color" };
    bench.write(name, format!("{header}\n{}\n", lines.join("\n")));
}

fn trained(data: &str, train: &str, classes: bool) -> Bench {
    let data = format!("{TABLE}\n{data}");
    let bench = Bench::with(&Toy { data: &data, train, ..Toy::default() });
    Rows { seed: 1, n: 1_000, classes, ..NEW }.write(&bench, "table.csv");
    bench.train("run", &[]);
    bench
}

fn watch(bench: &Bench, file: &str, more: &[&str]) -> Ran {
    bench.rank1(&[&["watch", "run", "--input", file], more].concat())
}

fn found(bench: &Bench, file: &str, more: &[&str]) -> Value {
    let ran = watch(bench, file, &[&["--json"], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    json(&ran.stdout)
}

#[test]
fn rows_like_those_of_training_raise_no_alarm_and_a_moved_column_does() {
    let bench = trained("validation = 0.2", "epochs = 60\nearly_stopping = { patience = 30 }", false);
    NEW.write(&bench, "new.csv");
    let before = files(&bench.path("."));
    let same = found(&bench, "new.csv", &["--fail-above", "0"]);
    assert_eq!(same["shifted"], serde_json::json!([]), "{same}");
    assert_eq!((&same["rows"], &same["training_rows"]), (&900.into(), &720.into()));
    assert_eq!((&same["score_rows"], &same["score_rows_are"]), (&180.into(), &"validation".into()));
    assert_eq!((same["columns"].as_array().unwrap().len(), same["scores"].as_array().unwrap().len()), (4, 2));
    let above = same["uncertain"]["above"]["share"].as_f64().unwrap();
    assert!((0.0..0.12).contains(&above), "{above}");
    assert!(same["outside"]["share"].as_f64().unwrap() < 0.02);
    let checks = same["errors"]["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2);
    assert!(checks.iter().all(|check| check["expected"].is_number() && check["differs"].is_boolean()));
    assert!(same["errors"]["nll"].is_number() && same["errors"]["nll_standard_error"].is_number());
    let shown = watch(&bench, "new.csv", &[]);
    assert_says(
        &shown.stdout,
        &[
            "900 rows against columns of 720 training rows",
            "scores of 180 validation rows",
            "nothing is shifted",
        ],
    );
    assert_says(&shown.stdout, &["coverage of 90 % intervals", "stated risk", "95th percentile"]);

    // Without the target the columns say the same.
    Rows { labelled: false, ..NEW }.write(&bench, "plain.csv");
    let plain = found(&bench, "plain.csv", &[]);
    assert_eq!((&plain["columns"], &plain["scores"]), (&same["columns"], &same["scores"]));
    assert!(plain["errors"].is_null());
    assert_says(&watch(&bench, "plain.csv", &[]).stdout, &["no labels: errors are not measured"]);

    Rows { stretch: 1.3, ..NEW }.write(&bench, "moved.csv");
    let ran = watch(&bench, "moved.csv", &["--json", "--fail-above", "0"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_says(&ran.stderr, &["moved.csv: shifted by more than 0: `b` by 0.1"]);
    let moved = json(&ran.stdout);
    assert_eq!((&moved["columns"][0]["name"], &moved["columns"][0]["shifted"]), (&"b".into(), &true.into()));
    assert!(moved["columns"][0]["outside"]["share"].as_f64().unwrap() > 0.15, "{moved}");
    assert!(moved["columns"][1]["shifted"] == false);
    assert_eq!(watch(&bench, "moved.csv", &["--fail-above", "0.9"]).code, Some(0));
    let ran = watch(&bench, "moved.csv", &["--ignore", "b"]);
    assert_eq!(ran.code, Some(0));
    assert_says(&ran.stdout, &["left out as asked: b"]);
    let now = files(&bench.path("run"));
    let then = before.into_iter().filter_map(|(name, content)| {
        Some((
            name.strip_prefix("run").ok().filter(|rest| !rest.as_os_str().is_empty())?.to_path_buf(),
            content,
        ))
    });
    assert_same(&then.collect(), &now);
}

#[test]
fn halves_of_unseen_rows_raise_few_alarms() {
    let bench = trained("validation = 0.3", "epochs = 60\nearly_stopping = { patience = 30 }", false);
    let lines = Rows { seed: 3, n: 600, ..NEW }.lines();
    let mut numbers = Numbers(4);
    let mut alarms = 0;
    for _ in 0..20 {
        let half: Vec<String> = lines.iter().filter(|_| numbers.next() < 0.5).cloned().collect();
        write_lines(&bench, "half.csv", &half, true);
        alarms += usize::from(watch(&bench, "half.csv", &["--fail-above", "0"]).code == Some(1));
    }
    assert!(alarms <= 1, "{alarms}");
}

#[test]
fn levels_that_training_never_saw_are_told_even_where_prediction_refuses_them() {
    let bench = trained("", "epochs = 3", false);
    Rows { violet: 0.1, ..NEW }.write(&bench, "new.csv");
    let line = bench.refused(&["predict", "run", "--input", "new.csv", "--output", "out.csv"]);
    assert_says(&line, &["`violet`"]);
    let ran = watch(&bench, "new.csv", &["--fail-above", "0"]);
    assert_eq!(ran.code, Some(1));
    assert_says(&ran.stdout, &["`color`: levels that training never saw, `violet` first"]);
    assert_says(&ran.stderr, &["note: new.csv: levels that training never saw", "`color` by 0."]);
    let seen = found(&bench, "new.csv", &[]);
    assert_eq!(seen["columns"][0]["name"], "color");
    assert_eq!(seen["columns"][0]["first_unseen"], "violet");
    let n_violet = bench.read("new.csv").matches("violet").count();
    assert_eq!(seen["columns"][0]["outside"]["rows"], n_violet);
    assert_eq!(seen["outside"]["rows"].as_u64().unwrap() as usize / n_violet, 1);
    let line = watch(&bench, "new.csv", &["--set", "data.unknown=refuse"]).refusal();
    assert_says(&line, &["column `color`", "`violet`"]);

    // With a place that rare and new levels share, the rows in it are counted.
    let shared = trained("unknown = \"own_level\"\nmax_levels = 2", "epochs = 3", false);
    Rows { violet: 0.3, ..NEW }.write(&shared, "new.csv");
    let seen = found(&shared, "new.csv", &[]);
    assert_eq!(seen["columns"][0]["name"], "color");
    assert!(seen["columns"][0]["shared_level"]["share"].as_f64().unwrap() > 0.45, "{seen}");
    assert_says(&watch(&shared, "new.csv", &[]).stdout, &["levels that are rare in training or new"]);
}

#[test]
fn classes_are_watched_with_their_error_rate_and_a_point_network_has_one_score() {
    let bench = trained("", "epochs = 40", true);
    Rows { classes: true, ..NEW }.write(&bench, "new.csv");
    let seen = found(&bench, "new.csv", &[]);
    assert_eq!(seen["errors"]["checks"][0]["name"], "error rate");
    assert_eq!((&seen["score_rows_are"], &seen["score_rows"]), (&"test".into(), &100.into()));
    // Labels the wrong way round are errors that the predictions do not state.
    let text = bench.read("new.csv").replace("late", "x").replace("early", "late").replace('x', "early");
    bench.write("wrong.csv", text);
    let wrong = found(&bench, "wrong.csv", &[]);
    assert_eq!(wrong["errors"]["checks"][0]["differs"], true);
    assert_eq!(wrong["columns"], seen["columns"]);
    bench.train("point", &["--set", "method={ kind = \"deterministic\" }"]);
    let words = ["watch", "point", "--input", "new.csv", "--json"];
    let point = json(&bench.succeed(&words).stdout);
    assert_eq!(point["scores"].as_array().unwrap().len(), 1);
    assert!(point["uncertain"].is_null());
}

#[test]
fn bad_requests_are_refused_in_one_line() {
    let bench = trained("", "epochs = 3", false);
    NEW.write(&bench, "new.csv");
    let refused =
        |file: &str, more: &[&str]| bench.refused(&[&["watch", "run", "--input", file], more].concat());
    Rows { n: 19, ..NEW }.write(&bench, "few.csv");
    assert_says(&refused("few.csv", &[]), &["few.csv", "at least 20 rows", "got 19"]);
    for alpha in ["0", "1", "NaN"] {
        assert_says(&refused("new.csv", &["--alpha", alpha]), &["--alpha: expected a probability"]);
    }
    for distance in ["-0.1", "1", "NaN"] {
        let line = refused("new.csv", &[&format!("--fail-above={distance}")]);
        assert_says(&line, &["--fail-above: expected a distance"]);
    }
    assert_says(&refused("new.csv", &["--ignore", "z"]), &["--ignore z", "it has a, b, count, color"]);
    assert_says(&refused("absent.csv", &[]), &["--input absent.csv: no such file"]);
    assert_says(&refused("new.csv", &["--labels", "new.csv"]), &["--labels: only IDX files"]);
    assert_says(&refused("new.csv", &["--stays", "b"]), &["--stays: only runs on clinical stays"]);
    bench.write("narrow.csv", "a,b\n1,2\n");
    assert_says(&refused("narrow.csv", &[]), &["narrow.csv", "no column `count`"]);
    bench.write("bad.csv", "a,b,count,color,y\n1,2,0,red,\n");
    assert_says(&refused("bad.csv", &[]), &["row 1 (line 2)", "`y` is missing"]);
    let line = bench.refused(&["predict", "run", "--input", "new.csv", "--output", "run/reference.json"]);
    assert_says(&line, &["a part of the run"]);

    let text = bench.read("run/reference.json");
    bench.write("run/reference.json", text.replacen("\"rows\": 900", "\"rows\": 901", 1));
    assert_says(&refused("new.csv", &[]), &["reference.json", "remove it"]);
    bench.write("run/reference.json", &text[..text.len() / 2]);
    assert_says(&refused("new.csv", &[]), &["reference.json", "remove it"]);
    bench.train("other", &["--seed", "6"]);
    fs::copy(bench.path("other/reference.json"), bench.path("run/reference.json")).unwrap();
    assert_says(&refused("new.csv", &[]), &["another model", "remove it"]);
}

#[test]
fn a_run_without_a_reference_gets_the_same_one_from_its_own_table() {
    let bench = trained("validation = 0.2", "epochs = 10\nearly_stopping = { patience = 5 }", false);
    NEW.write(&bench, "new.csv");
    let (kept, table) = (bench.read("run/reference.json"), bench.read("table.csv"));
    let first = found(&bench, "new.csv", &[]);
    fs::remove_file(bench.path("run/reference.json")).unwrap();
    let ran = watch(&bench, "new.csv", &["--json"]);
    assert_says(&ran.stderr, &["note: run had no reference.json", "kept in the run"]);
    assert_eq!(json(&ran.stdout), first);
    assert_eq!(bench.read("run/reference.json"), kept);

    fs::remove_file(bench.path("run/reference.json")).unwrap();
    bench.write("table.csv", format!("{table}0.5,1,2,red,3\n"));
    let refused = || bench.refused(&["watch", "run", "--input", "new.csv"]);
    assert_says(&refused(), &["run has no reference.json", "not as it was when the model was trained"]);
    fs::remove_file(bench.path("table.csv")).unwrap();
    assert_says(&refused(), &["run has no reference.json", "--data", "train it anew"]);
    bench.write("moved.csv", table);
    let ran = watch(&bench, "new.csv", &["--data", "moved.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn images_have_scores_only_with_labels_or_without() {
    let data = "set = \"images\"\nfile = \"flowers\"\ntest_fraction = 0.25\nvalidation = 0.0";
    let bench = Bench::with(&Toy { data, ..Toy::default() });
    photos::flowers(&bench, "flowers");
    for i in 0..12 {
        photos::put(&bench, &format!("new/oak/{i}.png"), photos::png(0, 20 + i, 16));
        photos::put(&bench, &format!("new/rose/{i}.png"), photos::png(1, 20 + i, 16));
        photos::put(&bench, &format!("loose/oak-{i}.png"), photos::png(0, 20 + i, 16));
        photos::put(&bench, &format!("loose/rose-{i}.png"), photos::png(1, 20 + i, 16));
    }
    let more = ["--set", "train.batch_size=8"];
    bench.train("run", &more);
    bench.train("streamed", &[&more[..], &["--set", "data.image_size=12"]].concat());
    for run in ["run", "streamed"] {
        let watch = |folder| json(&bench.succeed(&["watch", run, "--input", folder, "--json"]).stdout);
        let (labelled, loose) = (watch("new"), watch("loose"));
        assert_eq!((&labelled["rows"], &loose["rows"]), (&24.into(), &24.into()));
        assert_eq!(labelled["columns"], serde_json::json!([]));
        assert!(labelled["outside"].is_null() && loose["errors"].is_null());
        assert_eq!(labelled["errors"]["checks"][0]["name"], "error rate");
        assert_eq!(labelled["scores"].as_array().unwrap().len(), 2);
        assert_eq!(labelled["scores"], loose["scores"]);
    }
    let shown = bench.succeed(&["watch", "run", "--input", "loose"]).stdout;
    assert_says(&shown, &["loose: 24 rows against scores of 6 test rows", "no labels"]);
    let line = bench.refused(&["watch", "run", "--input", "loose", "--ignore", "a"]);
    assert_says(&line, &["--ignore a", "on no table"]);
    let line = bench.refused(&["watch", "run", "--input", "loose/oak-0.png"]);
    assert_says(&line, &["at least 20 rows", "got 1"]);
}

/// Bytes in the IDX format.
fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
    bytes.extend(data);
    bytes
}

#[test]
fn noise_instead_of_digits_is_a_shift_of_the_scores() {
    let data = "set = \"mnist10k\"\ntrain_rows = 400\nvalidation = 0.0";
    let bench = Bench::with(&Toy { data, train: "epochs = 20", ..Toy::default() });
    bench.train("run", &[]);
    let mut numbers = Numbers(7);
    let pixels: Vec<u8> = (0..60 * 28 * 28).map(|_| (numbers.next() * 255.0) as u8).collect();
    bench.write("noise.idx", idx(&[60, 28, 28], &pixels));
    let ran = watch(&bench, "noise.idx", &["--fail-above", "0.2"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_says(&ran.stderr, &["noise.idx: shifted by more than 0.2"]);
    assert_says(&ran.stdout, &["scores of 1000 test rows", "no labels"]);
    let labels: Vec<u8> = (0..60).map(|row| row % 10).collect();
    bench.write("labels.idx", idx(&[60], &labels));
    let seen = found(&bench, "noise.idx", &["--labels", "labels.idx"]);
    assert!(seen["errors"]["checks"][0]["observed"].as_f64().unwrap() > 0.5, "{seen}");
}
