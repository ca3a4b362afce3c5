//! `rank1 fit`: a table in, a run and a report out, and a recipe that says all of it.

use std::path::Path;

use crate::json;
use crate::workbench::{Bench, assert_same, assert_says, lasting_files, sum, table};

/// A network that trains in a moment.
const SMALL: [&str; 6] = ["--set", "model.width=8", "--set", "method.members=2", "--set", "train.steps=30"];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("table.csv", table(211, sum));
    bench
}

fn fit(bench: &Bench, more: &[&str]) -> serde_json::Value {
    let words = [&["fit", "table.csv", "--target", "y", "--json", "--quiet"][..], &SMALL, more].concat();
    json(&bench.succeed(&words).stdout)
}

#[test]
fn the_recipe_that_fit_makes_is_complete_and_gives_the_same_bytes() {
    let bench = bench();
    let found = fit(&bench, &["--out", "run"]);
    assert_eq!((&found["split"], &found["n"]), (&"test".into(), &42.into()));
    let page = bench.read("run/report.html");
    assert!(page.contains("onstant prediction") && page.contains("y from table.csv"));
    std::fs::remove_file(bench.path("run/report.html")).unwrap();
    bench.succeed(&["train", "run/recipe.toml", "--out", "again", "--quiet"]);
    let (first, again) = (lasting_files(&bench.path("run")), lasting_files(&bench.path("again")));
    assert_same(&first, &again);
    let input = table(3, |_, _, _| String::new());
    bench.write("new.csv", input);
    bench.succeed(&["predict", "run", "--input", "new.csv", "--output", "predictions.csv"]);
    assert_eq!(bench.read("predictions.csv").lines().count(), 4);
}

#[test]
fn a_run_goes_on_with_the_length_it_began_with_and_with_nothing_else_changed() {
    let bench = bench();
    let words = ["fit", "table.csv", "--target", "y", "--quiet", "--out", "run", "--set", "model.width=8"];
    // A length that is measured, and so another one each time.
    let short = [&words[..], &["--minutes", "0.001"]].concat();
    bench.succeed(&short);
    let recipe = bench.read("run/recipe.toml");
    bench.succeed(&[&words[..], &["--minutes", "5", "--resume"]].concat());
    assert_eq!(bench.read("run/recipe.toml"), recipe);
    let line = bench.refused(&[&short[..], &["--resume", "--set", "method.members=3"]].concat());
    assert_says(&line, &["was started with another recipe"]);
}

#[test]
fn a_recipe_alone_is_printed_and_nothing_is_written() {
    let bench = bench();
    let words = ["fit", "table.csv", "--target", "y", "--recipe-only"];
    let ran = bench.succeed(&[&words[..], &SMALL].concat());
    let recipe: toml::Table = ran.stdout.parse().unwrap();
    assert_eq!(recipe["model"]["kind"].as_str(), Some("tabm"));
    assert_eq!(recipe["train"]["steps"].as_integer(), Some(30));
    assert!(Path::new(recipe["data"]["file"].as_str().unwrap()).is_absolute());
    assert!(!bench.path("runs").exists());
    assert!(recipe["train"].as_table().unwrap().contains_key("scales_after"));
    // What only a posterior has goes with it.
    let method = ["--set", "method={ kind = \"batch_ensemble\", members = 4 }"];
    let recipe: toml::Table = bench.succeed(&[&words[..], &method].concat()).stdout.parse().unwrap();
    assert!(!recipe["train"].as_table().unwrap().contains_key("scales_after"));
}

#[test]
fn what_columns_are_taken_for_is_told_with_the_key_that_changes_it() {
    let bench = Bench::new();
    let mut text = String::from("id,when,kind,paid,empty,y\n");
    for row in 0..120 {
        let (kind, paid) = (["a", "b", "c"][row % 3], ["yes", "no"][row % 2]);
        let cell = if row % 7 == 0 { String::new() } else { format!("{}", row % 11) };
        text.push_str(&format!("user-{row},2024-01-{:02},{kind},{paid},{cell},{}\n", 1 + row % 28, row % 5));
    }
    bench.write("table.csv", text);
    let words = ["fit", "table.csv", "--target", "y", "--out", "run"];
    let ran = bench.succeed(&[&words[..], &SMALL].concat());
    let lines =
        ["when: ", "data.dates", "kind: 3 levels", "paid: a truth value", "`id`", "data.keep keeps columns"];
    assert_says(&ran.stderr, &lines);
    assert_says(&ran.stderr, &["next: rank1 predict run --input NEW.csv"]);
}

#[test]
fn rows_are_divided_as_asked() {
    let bench = bench();
    let lines: Vec<String> = bench.read("table.csv").lines().map(str::to_owned).collect();
    let parts = ["train", "train", "train", "valid", "test"];
    let part = |row: usize| if row == 0 { "part" } else { parts[row % 5] };
    let text: Vec<String> = lines.iter().enumerate().map(|(i, l)| format!("{l},{}", part(i))).collect();
    bench.write("parts.csv", text.join("\n"));
    let words = ["fit", "parts.csv", "--target", "y", "--json", "--quiet", "--part-column", "part"];
    let ran = bench.succeed(&[&words[..], &SMALL, &["--out", "parts"]].concat());
    assert_eq!(json(&ran.stdout)["n"], 42);
    let rows = |from: usize, to: usize| (from..to).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let lists = format!(
        "{{\"train\": [{}], \"validation\": [{}], \"test\": [{}]}}",
        rows(0, 100),
        rows(100, 130),
        rows(130, 147)
    );
    bench.write("rows.json", lists);
    assert_eq!(fit(&bench, &["--rows", "rows.json", "--out", "rows"])["n"], 17);
    assert_eq!(fit(&bench, &["--time-column", "a", "--out", "time"])["n"], 42);
    bench.write("test.csv", table(23, sum));
    assert_eq!(fit(&bench, &["--test", "test.csv", "--out", "files"])["n"], 23);
}

#[test]
fn tables_that_give_no_model_are_refused_with_one_line() {
    let bench = Bench::new();
    let wide = |target: &dyn Fn(usize) -> &'static str| {
        let rows = (0..60).map(|row| format!("{},{}\n", row % 13, target(row)));
        format!("x,y\n{}", rows.collect::<String>())
    };
    for (text, more, says) in [
        (wide(&|_| "yes"), &[][..], &["one class"][..]),
        (wide(&|row| if row % 10 == 3 { "" } else { "1.5" }), &[], &["`y`", "row 4 (line 5)"]),
        ("x,y\n1,2\n".to_owned(), &[], &["table.csv"]),
        (wide(&|row| ["1", "2", "3"][row % 3]), &["--minutes", "0"], &["--minutes", "got 0"]),
        (wide(&|row| ["1", "2", "3"][row % 3]), &["--time-column", "z"], &["`z`"]),
        (wide(&|row| ["1", "2", "3"][row % 3]), &["--rows", "absent.json"], &["absent.json"]),
        (wide(&|row| ["1", "2", "3"][row % 3]), &["--set", "model.widht=3"], &["model.widht", "`width`"]),
    ] {
        bench.write("table.csv", text);
        let words = [&["fit", "table.csv", "--target", "y", "--out", "run"][..], more].concat();
        assert_says(&bench.refused(&words), says);
    }
    bench.write("table.csv", wide(&|row| ["1", "2", "3"][row % 3]));
    assert_says(&bench.refused(&["fit", "table.csv", "--target", "price"]), &["`price`"]);
    assert_says(&bench.refused(&["fit", "absent.csv", "--target", "y"]), &["absent.csv"]);
}

#[test]
fn wide_categories_become_vectors_and_few_members_stay() {
    let bench = Bench::new();
    let mut text = String::from("city,size,y\n");
    for row in 0..300 {
        // Forty cities of seven rows, and twenty of one: these share a place.
        let city = if row < 280 { row % 40 } else { row };
        text.push_str(&format!("c{city},{},{}\n", (row * 7 % 31) as f32 / 31.0, (row % 40) / 4));
    }
    bench.write("table.csv", text);
    let keys = [
        "model.category_embedding={ dim = 3, above = 16 }",
        "data.rare_below=2",
        "method.members=4",
        "train.prune_members=2",
    ];
    let mut more: Vec<&str> = keys.iter().flat_map(|key| ["--set", *key]).collect();
    more.extend(["--out", "run"]);
    assert_eq!(fit(&bench, &more)["members"], 2);
    let run = json(&bench.read("run/run.json"));
    assert_eq!(run["n_members"], 2);
    let kept: Vec<u64> = serde_json::from_value(run["kept_members"][0].clone()).unwrap();
    assert!(kept.len() == 2 && kept[0] < kept[1] && kept[1] <= 4, "{kept:?}");
    let model = bench.read("run/checkpoint/model.json");
    assert!(model.contains("\"category_embedding\""));
    bench.write("new.csv", "city,size\nc1,0.5\nnowhere,0.5\nelsewhere,0.5\n,0.5\n");
    bench.succeed(&["predict", "run", "--input", "new.csv", "--output", "out.csv", "--members"]);
    let lines: Vec<String> = bench.read("out.csv").lines().map(str::to_owned).collect();
    assert!(lines[0].ends_with("m1_mean,m1_std,m2_mean,m2_std"), "{}", lines[0]);
    let values = |line: &str| line.split_once(',').unwrap().1.to_owned();
    assert_eq!(values(&lines[2]), values(&lines[3]), "unseen levels share a vector");
    assert_ne!(values(&lines[1]), values(&lines[2]));
    let evaluation = json(&bench.succeed(&["evaluate", "run", "--json"]).stdout);
    assert_eq!((&evaluation["members"], &evaluation["n"]), (&2.into(), &60.into()));
    bench.succeed(&["report", "run", "--output", "again.html"]);
    let line = bench.refused(&[
        "fit",
        "table.csv",
        "--target",
        "y",
        "--set",
        "train.early_stopping.patience=3",
        "--set",
        "train.prune_members=8",
    ]);
    assert_says(&line, &["train.prune_members", "fewer than method.members", "got 8"]);
}
