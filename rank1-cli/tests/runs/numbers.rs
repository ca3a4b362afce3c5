//! Numbers as they are written, problems with their keys, and what is said off a terminal.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::workbench::{Bench, Toy, assert_says, sum, table};

/// Significant digits of a number as it is written.
fn digits(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap().replace(['-', '.'], "");
    let mantissa = mantissa.trim_start_matches('0');
    if text.contains('.') { mantissa.len() } else { mantissa.trim_end_matches('0').len() }
}

fn numbers(text: &str) -> Vec<String> {
    let words = text.split([',', '\n', ' ', '[', ']', '{', '}', ':', '"']);
    words.filter(|word| word.parse::<f64>().is_ok() && word.contains(['.', 'e'])).map(str::to_owned).collect()
}

#[test]
fn no_number_has_more_than_nine_digits_and_no_zero_a_sign() {
    let bench = Bench::with_table(&table(61, sum));
    bench.train("run", &[]);
    let predict = ["predict", "run", "--input", "table.csv", "--output", "-"];
    let evaluation = bench.succeed(&["evaluate", "run", "--json"]).stdout;
    assert_eq!(evaluation.trim(), bench.read("run/evaluation.json").trim());
    for text in [
        bench.succeed(&predict).stdout,
        evaluation,
        bench.read("run/metrics.csv"),
        bench.read("run/run.json"),
    ] {
        let found = numbers(&text);
        assert!(found.len() > 5, "{text}");
        for number in found {
            assert!(digits(&number) <= 9 || number.parse::<u64>().is_ok(), "{number}");
            assert!(!(number.starts_with('-') && number.parse::<f64>().unwrap() == 0.0), "{number}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_whole_key() {
    let bench = Bench::with(&Toy::default());
    for (set, key) in [
        ("train.optimizer.learning_rate=fast", "train.optimizer.learning_rate: "),
        ("train.optimizer.beta1=[1]", "train.optimizer.beta1: "),
        ("train.schedule={ kind = \"cosine\", warmup_epochs = \"two\" }", "train.schedule.warmup_epochs: "),
        ("train.multipliers.scales=yes", "train.multipliers.scales: "),
        ("train.early_stopping={ patience = \"long\" }", "train.early_stopping.patience: "),
        ("train.epochs=many", "train.epochs: "),
        ("method.members=two", "method.members: "),
        ("method.prior={ family = \"normal\", mean = \"one\", std = 0.1 }", "method.prior.mean: "),
        ("model.hidden=wide", "model.hidden: "),
        ("data.validation=some", "data.validation: "),
    ] {
        let line = bench.refused(&["train", "recipe.toml", "--quiet", "--out", "run", "--set", set]);
        assert_says(&line, &[key]);
    }
}

#[test]
fn off_a_terminal_progress_is_told_at_intervals() {
    let bench = Bench::with(&Toy { train: "epochs = 200000\ncheckpoint_every = 200000", ..Toy::default() });
    let words = ["train", "recipe.toml", "--out", "run"];
    let mut child = bench.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let told: Vec<String> = lines.map(Result::unwrap).take(2).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told.len(), 2);
    for line in &told {
        assert_says(line, &["/1800000 steps ", " rows/s left ", " s NLL "]);
    }
}
