//! The whole way of a practitioner: a table, `rank1 train`, `rank1 predict`, `rank1 report`. Prints the predictions.
#![allow(clippy::print_stdout)]

use std::fmt::Write as _;
use std::fs;

use clap::Parser;
use rank1_cli::args::{Cli, Command};
use rank1_cli::commands::{predict, report, train};

const RECIPE: &str = r#"
name = "example/own_table"

[data]
set = "csv"
file = "TABLE"
target = "price"
validation = 0.0

[model]
kind = "mlp"
hidden = [20]

[method]
kind = "rank1"
members = 4
prior = { family = "normal", mean = 1.0, std = 0.3 }
member_kl = "mean"

[train]
steps = 1500
batch_size = 16
optimizer = { kind = "adam", learning_rate = 0.01 }
"#;

fn main() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("rank1-own-table-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let path = |name: &str| folder.join(name).display().to_string();
    // Price falls with age, faster for one maker, and scatters more for old ones.
    let mut table = String::from("age,maker,price\n");
    for i in 0..120 {
        let (age, maker) = (f64::from(i % 30), if i % 2 == 0 { "north" } else { "south" });
        let scatter = f64::from((i * 37) % 11 - 5) * 0.01 * (1.0 + age);
        let slope = if maker == "north" { 0.4 } else { 0.8 };
        writeln!(table, "{age},{maker},{:.3}", 30.0 - slope * age + scatter)?;
    }
    fs::write(path("table.csv"), table)?;
    fs::write(path("recipe.toml"), RECIPE.replace("TABLE", &path("table.csv")))?;
    // The last row lies far outside the table: its epistemic part is larger.
    fs::write(path("new.csv"), "maker,age\nnorth,3\nsouth,3\nnorth,25\nsouth,60\n")?;

    let commands = [
        vec![
            "rank1".into(),
            "train".into(),
            path("recipe.toml"),
            "--out".into(),
            path("run"),
            "--quiet".into(),
        ],
        vec![
            "rank1".into(),
            "predict".into(),
            path("run"),
            "--input".into(),
            path("new.csv"),
            "--output".into(),
            path("predictions.csv"),
        ],
        vec!["rank1".into(), "report".into(), path("run"), "--output".into(), path("report.html")],
    ];
    for words in commands {
        match Cli::try_parse_from(words)?.command {
            Command::Train(args) => train::run(&args)?,
            Command::Predict(args) => predict::run(&args)?,
            Command::Report(args) => report::run(&args)?,
            _ => {}
        }
    }
    println!("{}", fs::read_to_string(path("predictions.csv"))?);
    println!("report: {} bytes", fs::metadata(path("report.html"))?.len());
    fs::remove_dir_all(&folder)?;
    Ok(())
}
