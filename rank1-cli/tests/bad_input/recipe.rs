//! Recipes with mistakes: hints, impossible values, several problems at once.

use crate::workbench::{Bench, Ran, Toy, assert_says};

const TRAIN: [&str; 5] = ["train", "recipe.toml", "--quiet", "--out", "run"];

/// Training with these values set is refused with one line that says all of `texts`.
fn refuses(set: &[&str], texts: &[&str]) {
    let mut words = TRAIN.to_vec();
    words.extend(set.iter().flat_map(|value| ["--set", value]));
    assert_says(&Bench::with(&Toy::default()).refused(&words), &[&["recipe.toml: "], texts].concat());
}

#[test]
fn an_unknown_key_gets_the_nearest_one() {
    refuses(&["train.epcohs=3"], &["train.epcohs: unknown key; did you mean `epochs`?"]);
    refuses(&["method.member=3"], &["method.member: unknown key; did you mean `members`?"]);
    refuses(&["evaluat.ood=\"glyphs\""], &["evaluat: unknown key; did you mean `evaluate`?"]);
}

#[test]
fn impossible_values_are_refused_with_what_was_expected_and_what_came() {
    for (set, texts) in [
        ("train.optimizer.learning_rate=-1", ["train.optimizer.learning_rate: ", "above 0, got -1"]),
        ("train.optimizer.learning_rate=nan", ["train.optimizer.learning_rate: ", "got NaN"]),
        ("method={ kind = \"mc_dropout\", rate = 1.5 }", ["method.rate: ", "in [0, 1), got 1.5"]),
        ("method.members=0", ["method.members: ", "expected 1 to 1024, got 0"]),
        ("data.validation=0.95", ["data.validation: ", "in [0, 0.9), got 0.95"]),
        ("train.batch_size=0", ["train.batch_size: ", "at least 1, got 0"]),
        ("data.file=\"x.csv\"", ["data.file: ", "data.set = \"csv\""]),
        ("data.split=20", ["data set `yacht`", "split 20 does not exist"]),
    ] {
        refuses(&[set], &texts);
    }
}

#[test]
fn a_wrong_type_is_refused_by_its_key() {
    refuses(&["train.epochs=\"many\""], &["train.epochs: ", "string \"many\"", "expected usize"]);
    refuses(&["method.members=2.5"], &["method", "2.5"]);
    refuses(&["model.hidden=50"], &["model.hidden: ", "integer `50`", "expected a sequence"]);
}

#[test]
fn an_unknown_set_gets_the_nearest_name() {
    refuses(&["data.set=\"yatch\""], &["data: unknown data set `yatch`", "did you mean `yacht`?"]);
}

#[test]
fn an_unknown_method_lists_the_known_ones() {
    refuses(&["method={ kind = \"rank2\" }"], &["method", "unknown variant `rank2`", "`rank1`"]);
}

#[test]
fn what_cannot_be_measured_is_refused_before_training() {
    refuses(&["evaluate.shifts=[\"rotation:30\"]"], &["evaluate: shift `rotation:30` needs images"]);
    refuses(
        &["evaluate.shifts=[\"gaussian_noise:-1\"]"],
        &["evaluate: shift `gaussian_noise:-1`", "expected"],
    );
    refuses(&["evaluate.ood=\"glpyhs\""], &["evaluate: ", "`glpyhs`", "did you mean `glyphs`?"]);
    refuses(&["evaluate.ood=\"glyphs\""], &["evaluate: `glyphs` holds images", "yacht does not"]);
}

#[test]
fn several_problems_are_counted_and_listed_one_a_line() {
    let bench = Bench::with(&Toy::default());
    let sets = [
        "train.epcohs=3",
        "train.optimizer.learning_rate=-1",
        "method.members=0",
        "model.hidden=50",
        "data.validation=0.95",
    ];
    let mut words = TRAIN.to_vec();
    words.extend(sets.iter().flat_map(|value| ["--set", value]));
    let ran = bench.rank1(&words);
    assert_eq!(ran.code, Some(2));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "error: recipe.toml: 5 problems in the recipe");
    let keys: Vec<&str> = lines[1..].iter().map(|line| line.trim().split(": ").next().unwrap()).collect();
    let expected = [
        "train.epcohs",
        "model.hidden",
        "data.validation",
        "method.members",
        "train.optimizer.learning_rate",
    ];
    assert_eq!(keys, expected, "{}", ran.stderr);
    assert!(!bench.path("run").exists());
}

#[test]
fn a_value_of_the_search_is_checked_like_any_other() {
    refuses(&["search={ \"train.l2\" = [0.0, -1.0] }"], &["search.train.l2: value -1", "at least 0"]);
    refuses(&["search={ \"train.sampels\" = [2] }"], &["search.train.sampels: ", "did you mean `samples`?"]);
    refuses(&["search={ \"train.l2\" = [0.0] }", "data.validation=0"], &["data.validation: ", "[search]"]);
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_place() {
    let bench = Bench::new();
    bench.write("recipe.toml", "name = \"x\"\n[data\n");
    assert_says(&bench.refused(&TRAIN), &["recipe.toml: not valid TOML: line 2, column 6: "]);
}

#[test]
fn a_recipe_that_is_not_there_is_named() {
    assert_says(&Bench::new().refused(&TRAIN), &["cannot read recipe recipe.toml", "No such file"]);
}

#[test]
fn a_learning_rate_that_diverges_ends_with_code_3_step_and_quantity() {
    let nothing = "run: no such run folder";
    for (more, texts, left) in [
        (&[][..], ["diverged at step 1 (epoch 0)", "the objective is"], nothing),
        // One step in all: no later objective shows that the parameters are useless, and they were saved.
        (
            &["--set", "train.epochs=1", "--set", "train.batch_size=400"][..],
            ["diverged at step 0", "a prediction is"],
            "run: no trained model",
        ),
        (
            &["--set", "train.batch_size=400", "--set", "train.early_stopping.patience=1"],
            ["diverged at step 0", "a prediction is"],
            nothing,
        ),
    ] {
        let bench = Bench::with(&Toy::default());
        let words = [&TRAIN[..], &["--set", "train.optimizer.learning_rate=1e30"], more].concat();
        let line = bench.rank1(&words).error(3);
        assert_says(&line, &texts);
        assert_says(&bench.refused(&["evaluate", "run"]), &[left]);
    }
}

#[test]
fn a_search_in_which_everything_diverges_ends_with_code_3() {
    let rest = "[search]\n\"train.optimizer.learning_rate\" = [1e30, 1e29]";
    let bench = Bench::with(&Toy { rest, ..Toy::default() });
    assert_says(&bench.rank1(&TRAIN).error(3), &["every trial of [search]"]);
}

#[test]
fn an_instruction_set_that_is_not_there_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    let mut command = bench.command(&["data", "list"]);
    let line = Ran::of(command.env("RANK1_SIMD", "avx1024").output().unwrap()).refusal();
    assert_says(&line, &["RANK1_SIMD: expected one of scalar", "got `avx1024`"]);
    let mut command = bench.command(&["data", "list"]);
    assert_eq!(command.env("RANK1_SIMD", "scalar").output().unwrap().status.code(), Some(0));
}
