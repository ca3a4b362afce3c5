//! Clinical stays by their lettered sets: calibrated by one, watched on another, and stays that no set was like are found.

use std::fmt::Write as _;
use std::fs;

use crate::json;
use crate::workbench::{Bench, assert_says};

const RECIPE: &str = "name = \"test/stays\"\n[data]\nset = \"physionet2012\"\nvalidation = 0.2\n\
    [model]\nkind = \"lstm\"\nunits = 8\nlikelihood = \"bernoulli\"\n\
    [method]\nkind = \"rank1\"\nmembers = 2\n\
    [train]\nepochs = 10\nbatch_size = 16\noptimizer = { kind = \"adam\", learning_rate = 0.02 }\n\
    early_stopping = { patience = 10 }\n[predict]\nsamples = 4\n";

/// Stays of one set in the published format; the heart of those who die is fast, and where `between` is set it is neither.
fn set(bench: &Bench, letter: char, n: u32, between: bool) {
    let mut outcomes = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n".to_owned();
    fs::create_dir_all(bench.path(&format!("stays/set-{letter}"))).unwrap();
    for i in 0..n {
        let id = 1_000 * u32::from(letter) + i;
        let died = u32::from(i % 3 == 0);
        let rate = if between { 100 } else { 70 + 60 * died } + i * 7 % 11;
        let mut stay = format!(
            "Time,Parameter,Value\n00:00,RecordID,{id}\n00:00,Age,{}\n00:00,Gender,1\n00:00,Height,-1\n00:00,ICUType,3\n\
             00:00,Weight,70\n",
            50 + i % 30
        );
        for hour in (1..48).step_by(4) {
            writeln!(stay, "{hour:02}:10,HR,{}\n{hour:02}:30,Temp,{}", rate + hour % 3, 37.0).unwrap();
        }
        bench.write(&format!("stays/set-{letter}/{id}.txt"), stay);
        writeln!(outcomes, "{id},6,1,5,-1,{died}").unwrap();
    }
    bench.write(&format!("stays/Outcomes-{letter}.txt"), outcomes);
}

#[test]
fn stays_are_calibrated_and_watched_by_the_letters_of_their_sets() {
    let bench = Bench::new();
    bench.write("recipe.toml", RECIPE);
    for (letter, n, between) in [('a', 120, false), ('b', 90, false), ('c', 60, false), ('d', 60, true)] {
        set(&bench, letter, n, between);
    }
    bench.train("run", &["--data", "stays"]);

    bench.succeed(&["calibrate", "run", "--data", "stays", "--stays", "c", "--coverage", "0.8"]);
    let found = json(&bench.read("run/calibration.json"))["content"].clone();
    assert_eq!(
        (&found["rows"]["n"], &found["rows"]["name"], &found["conformal"]["levels"][0]["rank"]),
        (&60.into(), &"stays set-c".into(), &49.into())
    );
    let evaluated = json(&bench.succeed(&["evaluate", "run", "--data", "stays", "--json"]).stdout);
    assert_eq!(
        (&evaluated["n"], &evaluated["calibrated"]["in_sample"], &evaluated["calibrated"]["n_rows"]),
        (&90.into(), &false.into(), &60.into())
    );
    assert!(evaluated["calibrated"]["levels"][0]["observed"].as_f64().unwrap() > 0.6, "{evaluated}");

    let watch = |letter: &str, more: &[&str]| {
        bench.rank1(&[&["watch", "run", "--input", "stays", "--stays", letter, "--json"], more].concat())
    };
    let same = watch("c", &["--fail-above", "0"]);
    assert_eq!(same.code, Some(0), "{}", same.stderr);
    let same = json(&same.stdout);
    assert_eq!(
        (&same["rows"], &same["columns"], &same["outside"].is_null()),
        (&60.into(), &serde_json::json!([]), &true)
    );
    assert_eq!(same["scores"].as_array().unwrap().len(), 2);
    assert_eq!(same["errors"]["checks"][0]["name"], "error rate");
    let moved = watch("d", &["--fail-above", "0"]);
    assert_eq!(moved.code, Some(1), "{} {}", moved.stdout, moved.stderr);
    let auroc = |found: &serde_json::Value| found["scores"][0]["auroc"].as_f64().unwrap();
    assert!((0.3..0.7).contains(&auroc(&same)) && auroc(&json(&moved.stdout)) > 0.8, "{}", moved.stdout);
    assert!(!json(&moved.stdout)["shifted"].as_array().unwrap().is_empty());

    for command in [["calibrate", "run", "--data", "stays"], ["watch", "run", "--input", "stays"]] {
        let refused = |more: &[&str]| bench.refused(&[&command[..], more].concat());
        assert_says(&refused(&[]), &["--stays LETTER", "set-a, set-b, set-c, set-d"]);
        assert_says(&refused(&["--stays", "a"]), &["--stays a", "set-a trained the model"]);
        assert_says(&refused(&["--stays", "q"]), &["--stays q", "has no such set"]);
        assert_says(&refused(&["--stays", "c", "--labels", "x"]), &["--labels: only IDX files"]);
    }
    set(&bench, 'e', 8, false);
    let few = ["calibrate", "run", "--data", "stays", "--stays", "e"];
    assert_says(&bench.refused(&few), &["needs at least 9 rows, got 8"]);
}
