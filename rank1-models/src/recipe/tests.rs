//! Recipes: known keys in step with the types, every problem at once, hints, overrides, round trips.

use toml::{Table, Value};

use super::keys::{KNOWN_KEYS, unknown};
use super::*;

const FULL: &str = r#"
name = "test/full"
seed = 3
[data]
set = "csv"
split = 1
gap = true
validation = 0.2
file = "table.csv"
target = "y"
event = "yes"
categorical = ["color"]
missing = "mean"
ignore = ["id"]
keep_index = true
missing_tokens = ["-999"]
delimiter = ";"
decimal = ","
unknown = "missing"
max_levels = 50
test_fraction = 0.2
train_rows = 100
augment = { pad = 2, flip = false }
[model]
kind = "mlp"
hidden = [7, 5]
activation = "tanh"
likelihood = "gaussian"
[method]
kind = "rank1"
[train]
epochs = 3
batch_size = 8
batch_statistics = "per_rank"
optimizer = { kind = "adam", learning_rate = 0.01 }
schedule = { kind = "steps", epochs = [1.0], ratio = 0.1 }
multipliers = { factors = 2.0, scales = 1.0, noise = 1.0 }
objective = "mixture_nll"
samples = 2
kl_annealing = { steps = 5 }
posterior_temperature = 0.5
entropy_weight = 0.1
average_from = 0.75
l2 = 0.1
clip_norm = 1.0
early_stopping = { patience = 3, every = { steps = 2 } }
checkpoint_every = { steps = 4 }
stop_step = 2
epoch_steps = 3
engine = "autodiff"
[predict]
samples = 4
chunk_rows = 64
draws = "shared"
[evaluate]
shifts = ["rotation:30"]
shift_rows = 100
ood = "glyphs"
[search]
"train.l2" = [0.0, 0.1]
"#;

fn problems(text: &str, overrides: &[&str]) -> Vec<String> {
    let overrides: Vec<Override> = overrides.iter().map(|o| o.parse().unwrap()).collect();
    match parse(text, &overrides) {
        Err(Error::Recipe(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

fn table_at<'a>(table: &'a Table, path: &str) -> &'a Table {
    path.split('.').filter(|p| !p.is_empty()).fold(table, |t, part| t[part].as_table().unwrap())
}

/// The keys that a table of rows has no use for.
const CLINICAL: &str = r#"
name = "test/clinical"
data = { set = "mimic3", window_hours = 24, bin_hours = 2, validation = 0.2 }
model = { kind = "lstm", units = 7, likelihood = "bernoulli" }
method = { kind = "deterministic" }
train = { epochs = 1, batch_size = 8, optimizer = { kind = "adam", learning_rate = 0.01 } }
"#;

/// The keys of images that are cropped while they are read.
const IMAGES: &str = r#"
name = "test/images"
data = { set = "images", file = "photos", image_size = 32, bad_images = "skip", formats = ["webp"], test_fraction = 0.2 }
model = { kind = "lenet5" }
method = { kind = "deterministic" }
train = { epochs = 1, batch_size = 8, optimizer = { kind = "adam", learning_rate = 0.01 } }
"#;

#[test]
fn known_keys_are_those_of_the_types() {
    let [mut written, clinical, images] = [FULL, CLINICAL, IMAGES]
        .map(|text| -> Table { parse(text, &[]).unwrap().to_toml().parse().unwrap() });
    for (name, value) in [clinical, images].iter().flat_map(|table| table["data"].as_table().unwrap()) {
        written["data"].as_table_mut().unwrap().entry(name).or_insert_with(|| value.clone());
    }
    // Keys that do not go together with those above, or with each other.
    let table = "data={ set = \"csv\", file = \"t.csv\", target = \"y\", unknown = \"own_level\", numbers = \"standard\" }";
    for (section, key, value) in [
        ("data", "rare_below", "3"),
        ("data", "booleans", "true"),
        ("data", "dates", "parts"),
        ("data", "date_columns", "[\"d\"]"),
        ("data", "day_first", "true"),
        ("data", "leave_out_useless", "true"),
        ("data", "keep", "[\"k\"]"),
        ("data", "numbers", "quantiles"),
        ("data", "time_column", "t"),
        ("data", "group_column", "g"),
        ("data", "part_column", "p"),
        ("data", "rows_file", "r.json"),
        ("data", "validation_file", "v.csv"),
        ("data", "test_file", "t.csv"),
        ("train", "scales_after", "{ steps = 7, learning_rate = 0.1, multiples = [0.1, 0.3] }"),
        ("train", "prune_members", "2"),
        ("model", "category_embedding", "{ dim = 3, above = 9 }"),
    ] {
        let set =
            [table, "search={}", &format!("{section}.{key}={value}")].map(|o| o.parse::<Override>().unwrap());
        let more: Table = parse(FULL, &set).unwrap().to_toml().parse().unwrap();
        let value =
            more[section].get(key).unwrap_or_else(|| panic!("{section}.{key} is not written")).clone();
        written[section].as_table_mut().unwrap().insert(key.into(), value);
    }
    let mut problems = Vec::new();
    unknown(&written, &mut problems);
    assert_eq!(problems, Vec::new(), "a field that KNOWN_KEYS does not list");
    for (path, keys) in KNOWN_KEYS {
        let table = table_at(&written, path);
        for key in keys.iter().filter(|k| **k != "steps") {
            assert!(table.contains_key(*key), "KNOWN_KEYS lists {path}.{key}, no field has that name");
        }
    }
}

#[test]
fn entropies_averages_and_rows_of_shifts_have_their_ranges() {
    for (sets, expected) in [
        (
            &["method={ kind = \"deterministic\" }", "train.entropy_weight=0.1"][..],
            "train.entropy_weight: expected 0 for a method without a posterior, got 0.1",
        ),
        (
            &["train.entropy_weight=-1.0", "seed=1"],
            "train.entropy_weight: expected a finite number, at least 0, got -1",
        ),
        (&["train.average_from=1.0", "seed=1"], "train.average_from: expected a fraction in [0, 1), got 1"),
        (
            &["method={ kind = \"rank1\" }", "train.scales_after.steps=9"],
            "train.scales_after: expected no [search] beside this key: its winner is trained on the validation rows too, got one",
        ),
        (
            &["search={}", "train.scales_after={ steps = 9, multiples = [0.1, 0.0] }"],
            "train.scales_after.multiples: expected numbers above 0, got [0.1, 0.0]",
        ),
        (
            &[
                "method={ kind = \"rank1\", posterior = \"point_mass\" }",
                "train={ steps = 9, scales_after = { steps = 9 }, early_stopping = { patience = 2 } }",
                "search={}",
            ],
            "train.scales_after: expected a rank1 method whose posterior has trained scales beside this key, got rank-1 point_mass",
        ),
        (
            &["train.prune_members=3", "seed=1"],
            "train.prune_members: expected no [search] beside this key: its winner is trained on the validation rows too, got one",
        ),
        (
            &["search={}", "train.prune_members=4"],
            "train.prune_members: expected `\"auto\"`, or at least 1 and fewer than method.members, got 4",
        ),
        (
            &["search={}", "train={ steps = 9, prune_members = \"auto\" }"],
            "train.prune_members: expected train.early_stopping beside this key: members are chosen on validation rows, got none",
        ),
        (
            &[
                "search={}",
                "train.prune_members=\"auto\"",
                "method={ kind = \"deterministic\" }",
                "train.entropy_weight=0.0",
            ],
            "train.prune_members: expected a rank1 or batch_ensemble method of several members beside this key, got deterministic",
        ),
        (
            &["data.numbers=quantiles", "model.category_embedding={ dim = 0 }"],
            "model.category_embedding.dim: expected 1 to 10000, got 0",
        ),
        (
            &["seed=1", "model.category_embedding={}"],
            "model.category_embedding: expected data.numbers beside this key: without it codes are standardized and pick no vector, got none",
        ),
        (&["evaluate.shift_rows=0", "seed=1"], "evaluate.shift_rows: expected at least 1, got 0"),
    ] {
        assert_eq!(problems(FULL, sets), [expected]);
    }
}

#[test]
fn every_method_schedule_and_optimizer_passes_its_own_keys() {
    for method in [
        r#"{ kind = "deterministic" }"#,
        r#"{ kind = "mc_dropout", rate = 0.1, inputs = true, placement = "filters" }"#,
        r#"{ kind = "mean_field", estimator = "flipout", prior = { family = "tied_mean", std = 0.1 }, initial_std = 0.1 }"#,
        r#"{ kind = "batch_ensemble", members = 2, sign_init = 0.5 }"#,
        r#"{ kind = "rank1", members = 2, posterior = "cauchy", prior = { family = "cauchy", location = 1.0, scale = 0.1 }, sign_init = -0.5, dropout_rate = 0.1, stochastic = "input", granularity = "per_batch", perturbation = "additive", clip = { min = -1.0, max = 1.0 }, member_kl = "mean" }"#,
        r#"{ kind = "ensemble", networks = 3, of = { kind = "rank1", members = 2 } }"#,
    ] {
        let set: Override = format!("method={method}").parse().unwrap();
        // Only a posterior has an entropy.
        let none: Override = "train.entropy_weight=0.0".parse().unwrap();
        let recipe = parse(FULL, &[set, none]).unwrap();
        let again = parse(&recipe.to_toml(), &[]).unwrap();
        assert_eq!(recipe.hash(), again.hash(), "{method}");
    }
    for model in [
        r#"{ kind = "lenet5", activation = "tanh" }"#,
        r#"{ kind = "resnet", depth = 20, width = 8, norm = "per_member" }"#,
        r#"{ kind = "wide_resnet", depth = 28, widen = 10, norm = "shared" }"#,
        r#"{ kind = "resnet50", norm = "shared", likelihood = "categorical" }"#,
        r#"{ kind = "lstm", units = 8, embedding = 3, hidden = [4], activation = "relu6" }"#,
    ] {
        let recipe = parse(FULL, &[format!("model={model}").parse().unwrap()]).unwrap();
        assert_eq!(recipe.hash(), parse(&recipe.to_toml(), &[]).unwrap().hash(), "{model}");
    }
    for set in [
        r#"train.optimizer={ kind = "sgd", learning_rate = 0.1, momentum = 0.9, nesterov = true }"#,
        r#"train.schedule={ kind = "cosine", warmup_epochs = 1.0, final_fraction = 0.1 }"#,
        r#"train.schedule={ kind = "constant", warmup_epochs = 1.0 }"#,
    ] {
        parse(FULL, &[set.parse().unwrap()]).unwrap();
    }
}

#[test]
fn a_wrong_type_inside_a_table_of_a_kind_names_its_field() {
    for (set, start) in [
        ("model.hidden=50", "model.hidden: invalid type"),
        (r#"model={ kind = "lstm", units = "many" }"#, "model.units: invalid type"),
        ("method.members=\"four\"", "method.members: invalid type"),
        (r#"model={ kind = "resnet", depth = 21 }"#, "model.depth: expected 6 n + 2"),
        // Planning its operations would take hours.
        (r#"model={ kind = "resnet", depth = 6000000000002 }"#, "model.depth: expected 6 n + 2"),
        (
            r#"model={ kind = "wide_resnet", depth = 6000000000004, widen = 1 }"#,
            "model.depth: expected 6 n + 4",
        ),
    ] {
        let found = problems(FULL, &[set]);
        assert!(found.len() == 1 && found[0].starts_with(start), "{set}: {found:?}");
    }
}

#[test]
fn unknown_keys_come_with_the_nearest_known_one() {
    let found = problems(FULL, &["train.epocs=3", "method.menbers=2", "data.sett=1"]);
    assert!(found.contains(&"train.epocs: unknown key; did you mean `epochs`?".into()), "{found:?}");
    assert!(found.contains(&"method.menbers: unknown key; did you mean `members`?".into()), "{found:?}");
    assert!(found.contains(&"data.sett: unknown key; did you mean `set`?".into()), "{found:?}");
}

#[test]
fn problems_of_every_kind_are_reported_together() {
    let found = problems(
        FULL,
        &[
            "train.optimizer.learning_rate=-1",
            "predict.samples=0",
            "train.bogus_thing=1",
            "data.validation=0.95",
        ],
    );
    for key in ["train.optimizer.learning_rate", "predict.samples", "train.bogus_thing", "data.validation"] {
        assert!(found.iter().any(|p| p.starts_with(key)), "{key} is missing in {found:?}");
    }
}

#[test]
fn impossible_values_are_refused() {
    for set in [
        "train.epochs=0",
        "train.batch_size=0",
        "train.steps=5",
        "train.clip_norm=0.0",
        "train.l2=-0.1",
        "train.kl_annealing=1.5",
        "train.objective=marginalized_logits",
        "method.members=0",
        "method.dropout_rate=1.0",
        "method.sign_init=1.5",
        "method.prior={ family = \"normal\", mean = 1.0, std = 0.0 }",
        "method.posterior=cauchy",
        "method.posterior={ normal_fixed_scale = { scale = -0.1 } }",
        "method.clip={ min = 1.0, max = -1.0 }",
        "method.clip={ min = -1.0, max = nan }",
        "method={ kind = \"rank1\", posterior = \"log_normal\", sign_init = 0.5 }",
        "method={ kind = \"rank1\", posterior = \"log_normal\", clip = { min = -2.0, max = -1.0 } }",
        "method={ kind = \"rank1\", posterior = \"point_mass\", prior = { family = \"half_cauchy\", scale = 1.0 }, sign_init = 0.75 }",
        "method={ kind = \"mean_field\", prior = { family = \"half_cauchy\", scale = 1.0 } }",
        "method={ kind = \"mean_field\", prior = { family = \"trainable_scale\", mean = 0.0 } }",
        "method={ kind = \"mc_dropout\", rate = 1.0 }",
        "method={ kind = \"ensemble\", networks = 0, of = { kind = \"deterministic\" } }",
        "method={ kind = \"ensemble\", networks = 2, of = { kind = \"ensemble\", networks = 2, of = { kind = \"deterministic\" } } }",
        "model.hidden=[0]",
        "model={ kind = \"lstm\", units = 8, embedding = 54551857071941065, hidden = [4] }",
        "data.missing=guess",
        "data.target=3",
        "search={ \"train.l2\" = [-1.0] }",
        "search={ \"data.split\" = [0, 1] }",
    ] {
        assert!(!problems(FULL, &[set]).is_empty(), "{set}");
    }
}

#[test]
fn keys_of_images_are_refused_where_they_mean_nothing() {
    let first = |sets: &[&str]| problems(IMAGES, sets).into_iter().next().unwrap();
    for (set, start) in [
        ("data.image_size=7", "data.image_size: expected a side of 8 to 1024"),
        ("data.split=1", "data.split: expected no split beside images"),
        ("data.bad_images=ignore", "data.bad_images: unknown variant"),
        ("data.formats=[\"gif\"]", "data.formats: unknown variant"),
        ("data={ set = \"imagenet\", formats = [\"tiff\"] }", "data.formats: expected data.set"),
        ("data.augment={ flip = true }", "data.augment: expected no such table"),
        ("data.missing=mean", "data.missing: expected data.set = \"csv\""),
        ("data.set=cifar10", "data.file: expected data.set = \"csv\" or \"images\""),
        ("data={ set = \"images\" }", "data.file: expected the path of a folder"),
        ("data={ set = \"mnist\", image_size = 28 }", "data.image_size: expected data.set"),
        ("data={ set = \"imagenet\", bad_images = \"skip\" }", "data.bad_images: expected data.set"),
        ("data={ set = \"imagenet\", augment = { pad = 4 } }", "data.augment: expected no such table"),
    ] {
        let found = first(&[set]);
        assert!(found.starts_with(start), "{set}: {found}");
    }
    let size = |set: &str| parse(IMAGES, &[set.parse().unwrap()]).unwrap().get().data.cropped_size();
    assert_eq!(size("data.split=0"), Some(32));
    assert_eq!(size("data={ set = \"imagenet\" }"), Some(224));
    assert_eq!(size("data={ set = \"images\", file = \"x\", augment = { pad = 2 } }"), None);
}

#[test]
fn a_recipe_without_a_length_gets_one_and_early_stopping() {
    let bare = "name = \"x\"\ndata = { set = \"csv\", file = \"t.csv\", target = \"y\" }\n\
                model = { kind = \"mlp\", hidden = [5] }\nmethod = { kind = \"rank1\" }\n";
    let complete = parse(bare, &[]).unwrap();
    let train = &complete.get().train;
    assert!(train.steps.is_some() && train.early_stopping.is_some());
    assert_eq!(train.clip_norm, Some(1.0));
    assert_eq!(*train, TrainRecipe::default());
    assert_eq!(parse(&complete.to_toml(), &[]).unwrap(), complete, "the complete recipe says it all");
    let without_rows = parse(bare, &["data.validation=0.0".parse().unwrap()]).unwrap();
    assert_eq!(without_rows.get().train.early_stopping, None);
    let with_length = parse(bare, &["train.epochs=3".parse().unwrap()]).unwrap();
    assert_eq!((with_length.get().train.steps, with_length.get().train.early_stopping), (None, None));
}

#[test]
fn posteriors_with_far_draws_have_bounded_gradients_unless_a_recipe_says_otherwise() {
    let clip = |set: &[&str]| {
        let overrides: Vec<Override> = set.iter().map(|o| o.parse().unwrap()).collect();
        let bare = "name = \"x\"\ndata = { set = \"boston\" }\nmodel = { kind = \"mlp\", hidden = [5] }\nmethod = { kind = \"rank1\" }\ntrain = { epochs = 1 }\n";
        parse(bare, &overrides).unwrap().get().train.clip_norm
    };
    let cauchy = "method={ kind = \"rank1\", posterior = \"cauchy\", prior = { family = \"cauchy\", location = 1.0, scale = 0.1 } }";
    assert_eq!(clip(&[]), Some(FAR_DRAWS_CLIP), "a wide start");
    assert_eq!(clip(&["method.dropout_rate=0.001"]), None);
    assert_eq!(clip(&["method={ kind = \"deterministic\" }"]), None);
    assert_eq!(clip(&[cauchy]), Some(FAR_DRAWS_CLIP));
    assert_eq!(clip(&[cauchy, "train.clip_norm=inf"]), Some(f64::INFINITY));
}

#[test]
fn the_hash_depends_on_the_seed() {
    let other: Override = Override::new("seed", Value::Integer(4));
    assert_ne!(parse(FULL, &[]).unwrap().hash(), parse(FULL, &[other]).unwrap().hash());
}
