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
