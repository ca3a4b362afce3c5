//! What a person does with predictions: calibrated columns, rows left to a person, decisions of least expected cost.

use std::collections::BTreeMap;

use crate::parse_csv;
use crate::workbench::{Bench, TABLE, Toy, assert_says, sum, table};

fn trained(target: fn(f64, f64, &str) -> String) -> Bench {
    let data = format!("{TABLE}\nvalidation = 0.2");
    let bench = Bench::with(&Toy { data: &data, train: "epochs = 30", ..Toy::default() });
    bench.write("table.csv", table(151, target));
    bench.train("run", &[]);
    let all = table(351, target);
    let lines: Vec<&str> = all.lines().collect();
    bench.write("new.csv", [&lines[..1], &lines[152..]].concat().join("\n") + "\n");
    bench
}

fn sign(a: f64, _: f64, _: &str) -> String {
    if a > 0.2 { "large" } else { "small" }.into()
}

/// The columns of a prediction file by name.
fn columns(bench: &Bench, words: &[&str]) -> BTreeMap<String, Vec<String>> {
    bench.succeed(&[&["predict", "run", "--input", "new.csv", "--output", "out.csv"], words].concat());
    let (header, rows) = parse_csv(&bench.read("out.csv"));
    let column = |i: usize| rows.iter().map(|row| row[i].clone()).collect();
    header.iter().enumerate().map(|(i, name)| (name.clone(), column(i))).collect()
}

fn floats(column: &[String]) -> Vec<f64> {
    column.iter().map(|cell| cell.parse().unwrap()).collect()
}

#[test]
fn calibrated_columns_stand_beside_the_others_and_can_be_left_aside() {
    let bench = trained(sum);
    let before = columns(&bench, &[]);
    bench.succeed(&["calibrate", "run", "--data", "new.csv", "--coverage", "0.8"]);
    let said = bench.succeed(&["predict", "run", "--input", "new.csv", "--output", "out.csv"]).stderr;
    assert_says(&said, &["intervals of 80 % come from the 200 rows of new.csv", "not each kind of row"]);
    let after = columns(&bench, &[]);
    for (name, cells) in &before {
        assert_eq!(&after[name], cells, "{name}");
    }
    let [mean, lower, upper] = ["mean", "lower_80", "upper_80"].map(|name| floats(&after[name]));
    assert!(mean.iter().zip(lower.iter().zip(&upper)).all(|(m, (l, u))| l <= m && m <= u));
    assert_eq!(after.len(), before.len() + 3);
    assert!(after.contains_key("calibrated_std"));
    assert_eq!(columns(&bench, &["--uncalibrated"]), before);
    assert_says(
        &bench
            .succeed(&["predict", "run", "--input", "new.csv", "--output", "o.csv", "--samples", "7"])
            .stderr,
        &["its coverage is not guaranteed"],
    );
}

#[test]
fn a_share_is_kept_by_the_limit_of_the_rows_that_calibrated() {
    let bench = trained(sign);
    let words = ["predict", "run", "--input", "new.csv", "--output", "out.csv", "--keep-share", "0.75"];
    assert_says(&bench.refused(&words), &["--keep-share", "rank1 calibrate run --data FILE"]);
    bench.succeed(&["calibrate", "run", "--data", "new.csv"]);
    let kept = columns(&bench, &["--keep-share", "0.75"]);
    let abstained = kept["abstain"].iter().filter(|cell| *cell == "true").count();
    // The rows are those that calibrated, so the share is what was asked for, up to ties.
    assert!((40..=50).contains(&abstained), "{abstained}");
    let stated: Vec<f64> = floats(&kept["calibrated_p(large)"]).iter().map(|p| p.min(1.0 - p)).collect();
    let worst_kept = stated.iter().zip(&kept["abstain"]).filter(|(_, a)| *a == "false").map(|(r, _)| *r);
    let best_left = stated.iter().zip(&kept["abstain"]).filter(|(_, a)| *a == "true").map(|(r, _)| *r);
    assert!(worst_kept.fold(0.0, f64::max) <= best_left.fold(1.0, f64::min));
    let fixed = columns(&bench, &["--abstain-above", "0.1"]);
    assert!(stated.iter().zip(&fixed["abstain"]).all(|(risk, a)| (*risk > 0.1) == (a == "true")));
    for (words, said) in [
        (["--keep-share", "0"], "--keep-share: expected a share above 0 and at most 1, got 0"),
        (["--abstain-above", "NaN"], "--abstain-above: expected a number of at least 0, got NaN"),
    ] {
        let all = [&["predict", "run", "--input", "new.csv", "--output", "x.csv"], &words[..]].concat();
        assert_says(&bench.refused(&all), &[said]);
        assert!(!bench.path("x.csv").exists());
    }
    // What is measured of it stands in the report.
    bench.succeed(&["evaluate", "run"]);
    bench.succeed(&["report", "run", "--output", "page.html"]);
    assert_says(
        &bench.read("page.html"),
        &["Referral", "Calibrated", "errors of the kept", "covered, 90 % stated"],
    );
}

#[test]
fn a_decision_costs_least_in_expectation() {
    let bench = trained(sign);
    bench.write("costs.csv", "class,act,wait,ask\nsmall,10,0,2\nlarge,0,100,2\n");
    let found = columns(&bench, &["--costs", "costs.csv"]);
    let large = floats(&found["p(large)"]);
    let expected = floats(&found["expected_cost"]);
    let mut seen = std::collections::BTreeSet::new();
    for ((p, decision), expected) in large.iter().zip(&found["decision"]).zip(expected) {
        let costs = [("act", 10.0 * (1.0 - p)), ("wait", 100.0 * p), ("ask", 2.0)];
        let least = costs.iter().map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min);
        let own = costs.iter().find(|(name, _)| name == decision).unwrap().1;
        assert!((own - least).abs() < 1e-6 && (expected - least).abs() < 1e-6, "{p} {decision} {expected}");
        seen.insert(decision.clone());
    }
    assert!(seen.len() > 1, "{seen:?}");
    for (text, said) in [
        ("class,act\nsmall,1\n", "no row for the classes `large`"),
        ("class,act\nsmall,1\nlarge,x\n", "line 3, column `act`: expected a cost, a finite number, got `x`"),
        ("class\nsmall\nlarge\n", "expected a header `class` and a name for each decision"),
    ] {
        bench.write("wrong.csv", text);
        let words = ["predict", "run", "--input", "new.csv", "--output", "x.csv", "--costs", "wrong.csv"];
        assert_says(&bench.refused(&words), &["wrong.csv", said]);
    }
}

#[test]
fn the_limit_is_chosen_by_cost_on_calibration_rows_and_marked_in_the_report() {
    let bench = trained(sign);
    bench.write("costs.csv", "class,act,wait\nsmall,10,0\nlarge,0,100\n");
    let words = ["calibrate", "run", "--data", "new.csv", "--costs", "costs.csv", "--referral-cost", "1"];
    let ran = bench.succeed(&words);
    assert_says(&ran.stdout, &["above a stated risk of", "least cost where a person costs 1"]);
    let choice = crate::json(&bench.read("run/calibration.json"))["content"]["referral"].clone();
    assert_eq!(choice["costs"]["decisions"], serde_json::json!(["act", "wait"]));
    bench.succeed(&["evaluate", "run"]);
    let found = crate::json(&bench.read("run/evaluation.json"))["calibrated"].clone();
    // An evaluation has nine digits, a calibration all.
    let limits = [&found["chosen"]["limit"], &choice["limit"]].map(|limit| limit.as_f64().unwrap());
    assert!((limits[0] - limits[1]).abs() < 1e-8, "{limits:?}");
    assert_eq!(found["referral"].as_array().unwrap().len(), 22);
    let all = found["referral"][21].clone();
    assert!(
        all["expected_cost"].is_number() && all["cost"].is_number() && all["total_cost"].is_number(),
        "{all}"
    );
    bench.succeed(&["report", "run", "--output", "page.html"]);
    let page = bench.read("page.html");
    assert_says(
        &page,
        &["<h4>Referral</h4>", "Referral, cost with persons", "expected cost of the kept", " %, chosen"],
    );

    let refused = |more: &[&str]| bench.refused(&[&["calibrate", "run", "--data", "new.csv"], more].concat());
    assert_says(&refused(&["--referral-cost", "1"]), &["--referral-cost", "--costs FILE"]);
    assert_says(
        &refused(&["--keep-share", "0"]),
        &["--keep-share: expected a share above 0 and at most 1, got 0"],
    );
    let both = ["--costs", "costs.csv", "--referral-cost", "1", "--keep-share", "0.8"];
    assert_says(&refused(&both), &["leave out --keep-share"]);
    assert_says(
        &refused(&["--costs", "costs.csv", "--referral-cost", "NaN"]),
        &["expected a finite number, got NaN"],
    );
    assert_says(&refused(&["--costs", "none.csv"]), &["--costs", "none.csv"]);
    bench.write("wrong.csv", "class,act\nsmall,1\n");
    assert_says(&refused(&["--costs", "wrong.csv"]), &["no row for the classes `large`"]);
}

#[test]
fn costs_are_for_classes() {
    let bench = trained(sum);
    bench.write("costs.csv", "class,act\na,1\n");
    let words = ["predict", "run", "--input", "new.csv", "--output", "x.csv", "--costs", "costs.csv"];
    assert_says(&bench.refused(&words), &["--costs: the run predicts values; costs are for classes"]);
    let words = ["calibrate", "run", "--data", "new.csv", "--costs", "costs.csv"];
    assert_says(&bench.refused(&words), &["--costs: the run predicts values; costs are for classes"]);
}

#[test]
fn a_later_file_may_leave_out_its_further_columns_but_none_that_the_model_needs() {
    let bench = trained(sum);
    let before = columns(&bench, &[]);
    let with_id =
        |(i, line): (usize, &str)| if i == 0 { format!("id,{line}") } else { format!("L{i},{line}") };
    let text: Vec<String> = bench.read("new.csv").lines().enumerate().map(with_id).collect();
    bench.write("new.csv", text.join("\n") + "\n");
    let words = ["predict", "run", "--input", "new.csv", "--output", "x.csv"];
    assert_says(
        &bench.refused(&words),
        &["not among the columns of training: id; data.ignore leaves columns out"],
    );
    assert_eq!(columns(&bench, &["--set", "data.ignore=[\"id\"]"]), before);
    let needed = [&words[..], &["--set", "data.ignore=[\"id\", \"a\"]"]].concat();
    assert_says(&bench.refused(&needed), &["--set data.ignore: the model needs the column `a`"]);
}
