//! `rank1 data`: the catalogue and what is in a set or a table.

use crate::json;
use crate::workbench::{Bench, sum, table};

#[test]
fn the_catalogue_is_a_json_list_with_the_known_sets() {
    let ran = Bench::new().succeed(&["data", "list", "--json"]);
    assert_eq!(ran.stderr, "");
    let sets: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let names: Vec<&str> = sets.as_array().unwrap().iter().map(|set| set["name"].as_str().unwrap()).collect();
    for name in ["mnist10k", "boston", "concrete", "energy", "yacht", "wine", "protein", "glyphs"] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
}

#[test]
fn the_catalogue_is_a_table_for_people() {
    let text = Bench::new().succeed(&["data", "list"]).stdout;
    assert!(text.contains("boston") && text.contains("regression") && text.contains("embedded"), "{text}");
    let line = |set: &str| text.lines().find(|line| line.trim_start().starts_with(set)).unwrap().to_owned();
    for (set, features) in [
        ("cifar100 ", " 32x32x3 "),
        ("mnist10k ", " 28x28x1 "),
        ("boston ", " 13 "),
        ("physionet2012 ", " 48 steps of 112 + 156 "),
    ] {
        assert!(line(set).contains(features), "{}", line(set));
    }
}

#[test]
fn an_embedded_set_is_inspected() {
    let bench = Bench::new();
    let text = bench.succeed(&["data", "inspect", "boston"]).stdout;
    assert!(text.starts_with("boston: 455 training rows, 51 test rows, 13 input columns\n"), "{text}");
    let found = json(&bench.succeed(&["data", "inspect", "boston", "--json"]).stdout);
    assert_eq!(found["columns"].as_array().unwrap().len(), 13);
}

#[test]
fn letters_are_inspected_like_any_other_set() {
    let found = json(&Bench::new().succeed(&["data", "inspect", "glyphs", "--json"]).stdout);
    assert_eq!(found["n_features"], 784);
}

#[test]
fn a_table_is_inspected_by_its_path() {
    let bench = Bench::new();
    bench.write("table.csv", table(31, sum));
    let text = bench.succeed(&["data", "inspect", "table.csv", "--target", "y"]).stdout;
    assert!(text.contains("color=green") && text.contains("target: mean"), "{text}");
    let line = bench.refused(&["data", "inspect", "table.csv"]);
    assert!(line.contains("--target COLUMN"), "{line}");
}
