//! Image corruptions: among the shifts of a recipe, as the shift of an evaluation, with their means.

use serde_json::Value;

use crate::workbench::{Bench, Toy, assert_says};
use crate::{DIGITS, json};

fn bench(shifts: &str) -> Bench {
    let rest = format!("[evaluate]\nshifts = [{shifts}]");
    let data = "set = \"mnist10k\"\ntrain_rows = 640";
    let toy = Toy { data, method: "kind = \"deterministic\"", train: "epochs = 2", rest: &rest };
    Bench::with(&toy)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn corruptions_are_measured_like_shifts_and_averaged_apart_from_them() {
    let bench =
        bench("\"rotation:40\", \"contrast:5\", \"corrupt/gaussian_noise:4\", \"gaussian_noise:0.7\"");
    bench.train("run", &[]);
    let stored = json(&bench.read("run/evaluation.json"));
    let kinds: Vec<&str> =
        stored["shifts"].as_array().unwrap().iter().map(|point| point["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["rotation", "corrupt/contrast", "corrupt/gaussian_noise", "gaussian_noise"]);
    for key in ["nll", "accuracy", "ece"] {
        let of = |i: usize| number(&stored["shifts"][i]["metrics"][key]);
        let mean = number(&stored["metrics"][format!("corrupted_{key}")]);
        assert!((mean - (of(1) + of(2)) / 2.0).abs() < DIGITS, "{key}: {mean}");
    }
    assert!(number(&stored["shifts"][1]["metrics"]["nll"]) > number(&stored["metrics"]["nll"]) + 0.1);
    for text in ["contrast:5", "corrupt/contrast:5"] {
        let found = json(&bench.succeed(&["evaluate", "run", "--shift", text, "--json"]).stdout);
        assert_eq!(found["metrics"]["nll"], stored["shifts"][1]["metrics"]["nll"], "{text}");
        assert_eq!(found["metrics"].get("corrupted_nll"), None);
    }
    assert_says(
        &bench.succeed(&["evaluate", "run"]).stdout,
        &["mean over corruptions", "corrupt/contrast 5"],
    );
}

#[test]
fn a_corruption_that_does_not_exist_or_apply_is_refused_before_training() {
    let refusal = |bench: &Bench, shift: &str| {
        let shifts = format!("evaluate.shifts=[\"{shift}\"]");
        bench.refused(&["train", "recipe.toml", "--out", "run", "--set", &shifts])
    };
    let digits = bench("");
    assert_says(&refusal(&digits, "frots:3"), &["recipe.toml: evaluate", "did you mean `frost`?"]);
    assert_says(&refusal(&digits, "fog:6"), &["severity `6`", "from 1 to 5"]);
    assert_says(&refusal(&Bench::with(&Toy::default()), "fog:3"), &["`fog:3` needs images", "plain columns"]);
}
