//! Tests of the experiment format and of the experiments in the repository.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::workspace::Workspace;

const BASE: &str = r#"
title = "T"
summary = "S"
cost = "C"
[[block]]
name = "b"
title = "B"
layout = "sets"
benchmark = "uci"
sets = [
  { name = "small", rows = 10, splits = 20, embedded = true },
  { name = "large", rows = 1000, splits = 5, embedded = false },
]
settings = { "evaluate.ood" = "glyphs" }
quick = { only = ["small"], repetitions = 1, settings = { "train.epochs" = 2 } }
method = [{ name = "m", label = "M", recipe = "uci/m.toml" }]
column = [{ metric = "nll", header = "NLL", better = "lower", decimals = 2 }]
published = [{ method = "pbp", label = "PBP" }]
comparison = [{ ours = "m", published = "pbp", metric = "nll" }]
"#;

const DERIVED: &str = r#"
title = "D"
summary = "S"
cost = "C"
[[block]]
from = "base"
only = ["small"]
max_splits = 3
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(format!("{name}.toml")), text).unwrap();
    }
    dir
}

fn load_base(change: impl Fn(&str) -> String) -> Result<Experiment, String> {
    let dir = folder(&[("base", &change(BASE))]);
    load(dir.path(), "base").map_err(|error| format!("{error:#}"))
}

#[test]
fn a_block_is_read_with_its_defaults() {
    let experiment = load_base(str::to_owned).unwrap();
    let block = &experiment.blocks[0];
    assert_eq!(
        (experiment.name.as_str(), block.seeds, block.max_splits, block.gap),
        ("base", 1, None, false)
    );
    assert_eq!((block.methods[0].cost, block.columns[0].scale), (1.0, 1.0));
    assert_eq!(block.sets.iter().map(|set| block.repetitions(set)).collect::<Vec<_>>(), [20, 5]);
    assert_eq!(experiment.external_sets(), ["large"]);
}

#[test]
fn a_derived_block_overrides_its_base_and_says_what_it_leaves_out() {
    let dir = folder(&[("base", BASE), ("derived", DERIVED)]);
    let experiment = load(dir.path(), "derived").unwrap();
    let block = &experiment.blocks[0];
    assert_eq!((block.title.as_str(), block.repetitions(&block.sets[0])), ("B", 3));
    let reason = "needs data: `cargo xtask reproduce base --data DIR`".to_owned();
    assert_eq!(block.left_out, [("large".to_owned(), reason)]);
    assert!(experiment.external_sets().is_empty());
}

#[test]
fn a_block_may_be_derived_from_a_derived_one() {
    let twice = DERIVED.replace("from = \"base\"\nonly = [\"small\"]", "from = \"derived\"\ntitle = \"C\"");
    let dir = folder(&[("base", BASE), ("derived", DERIVED), ("twice", &twice)]);
    let block = load(dir.path(), "twice").unwrap().blocks.remove(0);
    assert_eq!((block.title.as_str(), block.layout, block.sets.len()), ("C", Layout::Sets, 1));
}

#[test]
fn quick_may_leave_a_block_out() {
    let mut experiment = load_base(|text| {
        text.replace("quick = { only = [\"small\"], repetitions = 1,", "quick = { skip = true,")
    })
    .unwrap();
    let options = ReproduceOptions { quick: true, ..ReproduceOptions::default() };
    assert_eq!(experiment.adjust(&options).unwrap(), ["b: left out by --quick"]);
    let block = &experiment.blocks[0];
    assert!(block.sets.is_empty() && block.left_out.len() == 2);
}

#[test]
fn seeds_override_the_number_of_seeds_and_of_splits() {
    let mut experiment = load_base(str::to_owned).unwrap();
    let options = ReproduceOptions { repetitions: Some(7), ..ReproduceOptions::default() };
    assert_eq!(experiment.adjust(&options).unwrap(), ["b: --seeds 7"]);
    let block = &experiment.blocks[0];
    // A set has no more splits than were published.
    assert_eq!(block.sets.iter().map(|set| block.repetitions(set)).collect::<Vec<_>>(), [7, 5]);
    assert_eq!(block.seeds, 7);
}

#[test]
fn quick_shortens_and_says_how() {
    let mut experiment = load_base(str::to_owned).unwrap();
    let options = ReproduceOptions { quick: true, ..ReproduceOptions::default() };
    assert_eq!(experiment.adjust(&options).unwrap(), ["b: --quick (1 repetitions; train.epochs = 2)"]);
    let block = &experiment.blocks[0];
    assert_eq!((block.sets.len(), block.repetitions(&block.sets[0])), (1, 1));
    assert_eq!(block.left_out, [("large".to_owned(), "left out by --quick".to_owned())]);
    assert_eq!(block.settings.len(), 2);
}

#[test]
fn quick_settings_win_over_those_of_a_method_and_leave_the_others() {
    let own = "settings = { \"train.epochs\" = 9, \"method.members\" = 8 } }";
    let mut experiment =
        load_base(|text| text.replace("\"uci/m.toml\" }", &format!("\"uci/m.toml\", {own}"))).unwrap();
    assert_eq!(experiment.blocks[0].methods[0].settings.len(), 2);
    experiment.adjust(&ReproduceOptions { quick: true, ..ReproduceOptions::default() }).unwrap();
    let block = &experiment.blocks[0];
    assert_eq!(block.methods[0].settings.keys().collect::<Vec<_>>(), ["method.members"]);
    assert_eq!(block.settings["train.epochs"].as_integer(), Some(2));
}

#[test]
fn mistakes_are_found_before_anything_is_trained() {
    let cases = [
        ("layout = \"sets\"", "layout = \"rows\"", "unknown variant"),
        ("ours = \"m\"", "ours = \"x\"", "unknown method x"),
        ("metric = \"nll\" }]\n", "metric = \"rmse\" }]\n", "no column shows rmse"),
        ("benchmark = \"uci\"", "", "need a `benchmark`"),
        ("layout = \"sets\"", "layout = \"methods\"", "for one set"),
        ("cost = \"C\"", "cots = \"C\"", "unknown field `cots`"),
        ("[[block]]", "[[block]]\nonly = [\"gone\"]", "has no set gone"),
        ("[[block]]", "[[block]]\nmax_splits = 0", "no repetitions"),
        ("published = \"pbp\"", "published = \"gone\"", "not among the published"),
        (
            "recipe = \"uci/m.toml\" }",
            "recipe = \"uci/m.toml\" }, { name = \"m\", label = \"N\", recipe = \"x\" }",
            "two methods are called m",
        ),
    ];
    for (from, to, expected) in cases {
        let error = load_base(|text| text.replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{expected} is not in {error}");
    }
}

#[test]
fn a_base_with_several_blocks_or_none_is_refused() {
    let dir = folder(&[("base", "title = \"x\""), ("derived", DERIVED)]);
    let error = load(dir.path(), "derived").unwrap_err().to_string();
    assert_eq!(error, "experiment base must have exactly one block to be built upon");
}

fn committed() -> Vec<Experiment> {
    let folder = Workspace::locate().unwrap().root.join("recipes/experiments");
    let load = |name: &String| load(&folder, name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    names(&folder).unwrap().iter().map(load).collect()
}

#[test]
fn every_experiment_of_the_repository_loads() {
    let experiments = committed();
    let names: Vec<&str> = experiments.iter().map(|experiment| experiment.name.as_str()).collect();
    for expected in
        ["cifar10", "cifar100", "cifar10-jpeg", "default", "imagenet", "mimic3", "mnist10k", "uci"]
    {
        assert!(names.contains(&expected), "{names:?}");
    }
}

#[test]
fn every_experiment_names_recipes_that_exist() {
    let recipes = Workspace::locate().unwrap().root.join("recipes");
    let methods =
        committed().into_iter().flat_map(|experiment| experiment.blocks).flat_map(|block| block.methods);
    let missing: Vec<String> = methods
        .filter(|method| method.choose.is_empty())
        .map(|method| method.recipe)
        .filter(|recipe| !recipes.join(recipe).is_file())
        .collect();
    assert!(missing.is_empty(), "recipes that do not exist: {missing:?}");
}

#[test]
fn every_experiment_of_the_repository_can_be_run_where_its_data_are() {
    let committed = committed();
    let blocked: Vec<&str> =
        committed.iter().filter(|item| item.blocked().is_some()).map(|item| item.name.as_str()).collect();
    assert!(blocked.is_empty(), "{blocked:?}");
    let imagenet = committed.iter().find(|experiment| experiment.name == "imagenet").unwrap();
    assert_eq!(imagenet.external_sets(), ["imagenet"]);
}

#[test]
fn ablations_change_one_recipe_by_settings_of_their_methods() {
    let ablations: Vec<Experiment> =
        committed().into_iter().filter(|experiment| experiment.name.starts_with("cifar10-")).collect();
    assert!(ablations.len() >= 8, "{}", ablations.len());
    let settings = |name: &str, method: &str| -> Table {
        let experiment = ablations.iter().find(|experiment| experiment.name == name).unwrap();
        let found = experiment.blocks[0].methods.iter().find(|item| item.name == method);
        found.unwrap_or_else(|| panic!("{name} has no {method}")).settings.clone()
    };
    assert_eq!(settings("cifar10-factors", "output")["method.stochastic"].as_str(), Some("output"));
    assert_eq!(settings("cifar10-objective", "mixture")["train.objective"].as_str(), Some("mixture_nll"));
    // The rows of a step stay 512 and the rate follows the new images.
    for members in [1_usize, 2, 4, 8, 16] {
        let settings = settings("cifar10-members", &format!("k{members}"));
        let images = settings["train.batch_size"].as_integer().unwrap();
        let rate = settings["train.optimizer.learning_rate"].as_float().unwrap();
        assert_eq!(settings["method.members"].as_integer(), Some(members as i64));
        assert_eq!(images * members as i64, 512);
        assert!((rate - 0.1 * images as f64 / 128.0).abs() < 1e-12);
    }
}

#[test]
fn the_default_experiment_needs_nothing_but_the_repository() {
    let folder = Workspace::locate().unwrap().root.join("recipes/experiments");
    let experiment = load(&folder, "default").unwrap();
    assert!(experiment.external_sets().is_empty());
    for block in &experiment.blocks {
        let trained = block.methods.iter().filter(|method| method.choose.is_empty());
        assert_eq!(trained.count(), 7, "{}", block.name);
        assert!(block.sets.iter().all(|set| block.repetitions(set) >= 3), "{}", block.name);
    }
}

#[test]
fn the_full_regression_experiments_have_the_published_splits() {
    let folder = Workspace::locate().unwrap().root.join("recipes/experiments");
    let splits = |name: &str| {
        let experiment = load(&folder, name).unwrap();
        let block = &experiment.blocks[0];
        (block.gap, block.sets.iter().map(|set| block.repetitions(set)).collect::<Vec<_>>())
    };
    assert_eq!(splits("uci"), (false, vec![20, 20, 20, 20, 20, 20, 5, 20, 20]));
    assert_eq!(splits("uci-gap"), (true, vec![13, 8, 8, 8, 16, 4, 9, 11, 6]));
}
