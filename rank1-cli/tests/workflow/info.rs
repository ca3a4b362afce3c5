//! `rank1 info`: the layers and costs of a recipe's network, before anything is run and without its data.

use crate::json;
use crate::workbench::{Bench, TABLE, Toy, assert_says, sum, table};

const WIDE: &str = "name = \"test/wide\"\n[data]\nset = \"cifar10\"\n[model]\nkind = \"wide_resnet\"\ndepth = 28\nwiden = 10\n\
[method]\nkind = \"rank1\"\nmembers = 4\nposterior = \"normal\"\n\
[train]\nepochs = 1\nbatch_size = 64\noptimizer = { kind = \"sgd\", learning_rate = 0.1 }\n";

fn wide() -> Bench {
    let bench = Bench::new();
    bench.write("recipe.toml", WIDE);
    bench
}

#[test]
fn the_wide_residual_network_has_the_published_number_of_parameters() {
    let found = json(&wide().succeed(&["info", "recipe.toml", "--json"]).stdout);
    assert_eq!(found["total"], 36_653_824);
    assert_eq!(found["trainable"], 36_635_872);
    let plain = ["info", "recipe.toml", "--set", "method={ kind = \"deterministic\" }", "--json"];
    let found = json(&wide().succeed(&plain).stdout);
    assert_eq!(found["total"], 36_497_146);
    assert_eq!(found["percent_over_deterministic"], 0.0);
}

#[test]
fn people_get_layers_kinds_and_costs() {
    let text = wide().succeed(&["info", "recipe.toml"]).stdout;
    let expected = ["cifar10: 32x32x3", "32x32x160", "36,635,872", "36,653,824", "running statistics", "GiB"];
    assert_says(&text, &expected);
}

#[test]
fn inputs_of_every_kind_of_set_are_known_without_files() {
    let bench = wide();
    let first_output = |set: &str| {
        let found = bench.succeed(&["info", "recipe.toml", "--set", &format!("data.set={set}"), "--json"]);
        json(&found.stdout)["rows"][0]["output"].clone()
    };
    assert_eq!(first_output("cifar100"), serde_json::json!([32, 32, 16]));
    assert_eq!(first_output("mnist"), serde_json::json!([28, 28, 16]));
    assert_eq!(first_output("imagenet"), serde_json::json!([224, 224, 16]));
    let toy = Bench::with(&Toy::default());
    for (set, inputs) in [("yacht", 6), ("protein", 9), ("physionet2012", 5_532), ("mnist10k", 784)] {
        let ran = toy.succeed(&["info", "recipe.toml", "--set", &format!("data.set={set}"), "--json"]);
        assert_eq!(json(&ran.stdout)["rows"][0]["weight"], serde_json::json!([inputs, 8]), "{set}");
    }
}

#[test]
fn a_table_is_read_for_its_columns() {
    let bench = Bench::with(&Toy { data: TABLE, ..Toy::default() });
    bench.write("table.csv", table(31, sum));
    let found = json(&bench.succeed(&["info", "recipe.toml", "--json"]).stdout);
    assert_eq!(found["rows"][0]["weight"], serde_json::json!([5, 8]), "a, b and three colors");
}

#[test]
fn unknown_sets_and_networks_that_do_not_read_their_inputs_are_refused() {
    let bench = wide();
    let line = bench.refused(&["info", "recipe.toml", "--set", "data.set=cifar11"]);
    assert_says(&line, &["recipe.toml: data", "did you mean `cifar10`"]);
    let line = bench.refused(&["info", "recipe.toml", "--set", "data.set=yacht"]);
    assert_says(&line, &["recipe.toml: model", "columns"]);
}

#[test]
fn what_training_would_say_of_a_table_is_said() {
    let bench = Bench::with_table(&table(31, sum).replace(',', ";"));
    let ran = bench.rank1(&["info", "recipe.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_says(&ran.stderr, &["note: table.csv: read with ';' between cells", "data.delimiter"]);
    let trained = bench.rank1(&["train", "recipe.toml", "--quiet", "--out", "run"]);
    assert_eq!(trained.stderr, ran.stderr);
}

/// `rank1 info recipe.toml --ranks 4` with more words, as JSON.
fn cluster(bench: &Bench, more: &[&str]) -> serde_json::Value {
    let words = [&["info", "recipe.toml", "--ranks", "4", "--tflops", "0.2", "--json"][..], more].concat();
    json(&bench.succeed(&words).stdout)["cluster"].clone()
}

#[test]
fn a_plan_for_ranks_counts_steps_arithmetic_messages_and_memory() {
    let bench = wide();
    let found = cluster(&bench, &["--gbit", "8", "--latency", "10"]);
    let plan = |ranks: u64| {
        let plans = found["plans"].as_array().unwrap();
        plans.iter().find(|plan| plan["ranks"] == ranks).unwrap_or_else(|| panic!("{ranks}: {found}")).clone()
    };
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7 * b, "{a} is not {b}");
    // 50,000 rows less a tenth for validation, in batches of 64.
    assert_eq!((&found["rows"], &found["work"]["steps"]), (&50_000.into(), &704.into()));
    let flops = number(&json(&bench.succeed(&["info", "recipe.toml", "--json"]).stdout)["flops_per_example"]);
    // Forward and two gradients.
    close(number(&plan(1)["compute_seconds"]), 3.0 * flops * 64.0 / 0.2e12);
    close(number(&plan(4)["compute_seconds"]), 3.0 * flops * 16.0 / 0.2e12);
    // A gigabyte a second; six messages of a quarter of the gradient of 36,635,872 numbers.
    close(number(&plan(4)["all_reduce_seconds"]), 6.0 * (1e-5 + 36_635_872.0 / 1e9));
    assert_eq!(plan(1)["all_reduce_seconds"], 0.0);
    assert!(number(&plan(4)["memory_bytes"]) < number(&plan(1)["memory_bytes"]));
    let limits = &found["limits"];
    assert!(number(&limits["half_used"]) <= number(&limits["fastest"]), "{limits}");
    let slow = cluster(&bench, &["--gbit", "0.0001"]);
    assert_eq!(slow["limits"], serde_json::json!({ "half_used": 1, "fastest": 1 }));
    let more = ["--set", "data.train_rows=6400", "--set", "data.validation=0.0"];
    assert_eq!(cluster(&bench, &more)["work"]["steps"], 100);
}

#[test]
fn a_plan_is_a_table_and_without_a_rate_this_machine_is_measured() {
    let bench = Bench::with(&Toy::default());
    let text = bench.succeed(&["info", "recipe.toml", "--ranks", "2"]).stdout;
    let said = ["ranks", "all-reduce", "efficiency", "GFLOP/s measured here", "at least half", "shortest"];
    assert_says(&text, &said);
    let text = bench.succeed(&["info", "recipe.toml", "--ranks", "2", "--tflops", "1.5"]).stdout;
    assert_says(&text, &["1,500 GFLOP/s"]);
    let images = wide();
    let decoded = |more: &[&str]| {
        let set = ["--set", "data.set=imagenet", "--cores", "2", "--decode", "8"];
        cluster(&images, &[&set[..], more].concat())
    };
    let found = decoded(&[]);
    // 64 images at 8 ms on two cores; 1,281,167 of them.
    assert_eq!(
        (found["plans"][0]["decode_seconds"].as_f64(), found["rows"].as_u64()),
        (Some(0.256), Some(1_281_167))
    );
    assert_eq!(decoded(&["--rows", "640"])["rows"], 640);
}

#[test]
fn impossible_plans_and_unknown_numbers_of_rows_are_refused() {
    let bench = wide();
    for (words, said) in [
        (&["--ranks", "0"][..], "--ranks"),
        (&["--ranks", "2", "--gbit", "0"], "a number above 0"),
        (&["--ranks", "2", "--tflops", "fast"], "a number above 0"),
        (&["--gbit", "10"], "--ranks"),
    ] {
        let ran = bench.rank1(&[&["info", "recipe.toml"], words].concat());
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert_says(&ran.stderr, &[said]);
    }
}
