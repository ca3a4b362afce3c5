//! Shared draws: equal rows have equal predictions, whatever stands beside them and however rows are cut into chunks.

use crate::workbench::{Bench, Toy, assert_says, sum, table};

const METHODS: [&str; 5] = [
    "kind = \"rank1\"\nmembers = 2",
    "kind = \"rank1\"\nmembers = 2\nposterior = \"cauchy\"\nprior = { family = \"cauchy\", location = 1.0, scale = 0.01 }",
    "kind = \"mc_dropout\"\nrate = 0.2",
    "kind = \"mean_field\"\nestimator = \"flipout\"",
    "kind = \"ensemble\"\nnetworks = 2\nof = { kind = \"rank1\", members = 2 }",
];

/// The fields behind the row number.
fn predictions(bench: &Bench, run: &str, input: &str, more: &[&str]) -> Vec<String> {
    let words = ["predict", run, "--input", input, "--output", "-"];
    let ran = bench.succeed(&[&words[..], more].concat());
    ran.stdout.lines().skip(1).map(|line| line.split_once(',').unwrap().1.to_owned()).collect()
}

#[test]
fn equal_rows_are_equal_and_a_row_alone_is_as_among_others() {
    for method in METHODS {
        let bench = Bench::with_table(&table(61, sum));
        let data = crate::workbench::TABLE;
        let train = "epochs = 20";
        bench.write("recipe.toml", Toy { data, method, train, ..Toy::default() }.text());
        bench.train("own", &["--set", "predict.draws=per_row"]);
        // The default.
        bench.train("shared", &[]);
        bench.train("cut", &["--set", "predict.draws=shared", "--set", "predict.chunk_rows=5"]);
        let row = "0.5000,1.0000,green\n";
        let other = "-0.3000,2.0000,red\n";
        bench.write("many.csv", format!("a,b,color\n{}{other}{}", row.repeat(20), row.repeat(20)));
        bench.write("one.csv", format!("a,b,color\n{row}"));
        let many = predictions(&bench, "shared", "many.csv", &[]);
        let one = predictions(&bench, "shared", "one.csv", &[]);
        assert_eq!(many.len(), 41);
        assert!(many.iter().enumerate().all(|(i, row)| (*row == one[0]) == (i != 20)), "{method}: {many:?}");
        // Chunks of one, two or five rows; the flag; adaptive sampling.
        assert_eq!(predictions(&bench, "cut", "many.csv", &[]), many, "{method}");
        assert_eq!(predictions(&bench, "own", "many.csv", &["--draws", "shared"]), many, "{method}");
        let adaptive =
            predictions(&bench, "shared", "many.csv", &["--standard-error", "1e6", "--samples", "8"]);
        assert!(adaptive[..20].iter().all(|row| *row == adaptive[0]), "{method}");
        // On request rows draw for themselves.
        let own = predictions(&bench, "own", "many.csv", &[]);
        assert!(own[..20].iter().any(|row| *row != own[0]), "{method}");
        assert_eq!(predictions(&bench, "shared", "many.csv", &["--draws", "per_row"]), own, "{method}");
    }
}

#[test]
fn an_unknown_word_is_refused_in_the_recipe_and_on_the_command_line() {
    let bench = Bench::with(&Toy::default());
    let train = ["train", "recipe.toml", "--quiet", "--out", "run", "--set", "predict.draws=same"];
    assert_says(&bench.refused(&train), &["predict.draws", "same", "per_row", "shared"]);
    let predict = ["predict", "run", "--input", "a", "--output", "b", "--draws", "same"];
    assert_says(&bench.refused(&predict), &["--draws", "'same'", "per_row or shared"]);
}
