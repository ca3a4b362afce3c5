//! A small experiment on disk for the tests of this module, with recipes that the stand-in for `rank1` understands.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::experiment::{Experiment, load};

const EXPERIMENT: &str = r#"
title = "Sample"
summary = "a sample"
cost = "none"

[[block]]
name = "digits"
title = "Digits"
layout = "methods"
sets = [{ name = "mnist10k", rows = 8000, embedded = true }]
seeds = 2
settings = { "evaluate.shifts" = ["rotation:30"] }
method = [
  { name = "good", label = "Good", recipe = "digits/good.toml", cost = 2.0 },
  { name = "other", label = "Other", recipe = "digits/other.toml" },
]
column = [
  { metric = "nll", header = "NLL", better = "lower", decimals = 3 },
  { metric = "accuracy", header = "accuracy %", better = "higher", decimals = 1, scale = 100.0 },
  { metric = "shift_mean.nll", header = "NLL rotated", better = "lower", decimals = 2 },
  { metric = "run.parameters", header = "parameters", decimals = 0 },
]
comparison = [{ ours = "good", method = "other", metric = "nll" }]
quick = { repetitions = 1, settings = { "train.epochs" = 2 } }

[[block]]
name = "tables"
title = "Tables"
layout = "sets"
benchmark = "uci"
sets = [
  { name = "boston", rows = 455, splits = 20, embedded = true },
  { name = "yacht", rows = 277, splits = 20, embedded = true },
  { name = "kin8nm", rows = 7373, splits = 20, embedded = false },
]
only = ["boston", "yacht"]
max_splits = 2
method = [
  { name = "good", label = "Good", recipe = "uci/good.toml" },
  { name = "other", label = "Other", recipe = "uci/other.toml" },
]
column = [
  { metric = "nll", header = "NLL", better = "lower", decimals = 2 },
  { metric = "rmse", header = "RMSE", better = "lower", decimals = 2 },
]
published = [{ method = "deep_ensemble_5", label = "5-net ensemble" }]
comparison = [{ ours = "good", published = "deep_ensemble_5", metric = "nll" }]
"#;

/// A workspace root with the experiment `sample`, its recipes and the published figures.
pub(crate) fn experiment() -> (tempfile::TempDir, Experiment) {
    let dir = tempfile::tempdir().unwrap();
    let recipes = dir.path().join("recipes");
    for folder in ["experiments", "digits", "uci"] {
        std::fs::create_dir_all(recipes.join(folder)).unwrap();
    }
    std::fs::write(recipes.join("experiments/sample.toml"), EXPERIMENT).unwrap();
    for recipe in ["digits/good", "digits/other", "uci/good", "uci/other"] {
        std::fs::write(recipes.join(format!("{recipe}.toml")), format!("name = \"{recipe}\"\n")).unwrap();
    }
    let claims = concat!(env!("CARGO_MANIFEST_DIR"), "/../recipes/claims.toml");
    std::fs::copy(claims, recipes.join("claims.toml")).unwrap();
    let experiment = load(&recipes.join("experiments"), "sample").unwrap();
    (dir, experiment)
}

/// The shell script that stands in for `rank1`.
pub(crate) fn program() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "fake-rank1"].iter().collect()
}
