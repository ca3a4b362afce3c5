//! `rank1 fit` as it is typed.

use std::path::PathBuf;

use clap::Args;
use rank1_models::recipe::Override;

/// `rank1 fit`.
#[derive(Debug, Args)]
pub struct FitArgs {
    /// Table: CSV with a header and any separator, plain or packed by gzip, xz or zstd, or a Parquet file.
    pub table: PathBuf,
    /// Column to predict.
    #[arg(long, value_name = "COLUMN")]
    pub target: String,
    /// Run folder to create [default: runs/TABLE-TARGET].
    #[arg(long, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// What is predicted [default: classes for text, else real values].
    #[arg(long, value_name = "TASK")]
    pub task: Option<TaskName>,
    /// Of two classes, the one that AUROC and average precision are about [default: the rarer one].
    #[arg(long, value_name = "CLASS")]
    pub event: Option<String>,
    /// About how long training may take.
    #[arg(long, value_name = "M", default_value_t = 2.5)]
    pub minutes: f64,
    /// Divide the rows in time by this column of dates or numbers: the last rows test.
    #[arg(long, value_name = "C", group = "division")]
    pub time_column: Option<String>,
    /// Divide the rows by groups that this column names; no group is in two parts.
    #[arg(long, value_name = "C", group = "division")]
    pub group_column: Option<String>,
    /// Column that names the part of each row: train, validation or test.
    #[arg(long, value_name = "C", group = "division")]
    pub part_column: Option<String>,
    /// JSON file with the rows of each part, counted from 0: {"train": […], "validation": […], "test": […]}.
    #[arg(long, value_name = "FILE", group = "division")]
    pub rows: Option<PathBuf>,
    /// Table with the validation rows.
    #[arg(long, value_name = "FILE", conflicts_with = "division")]
    pub validation: Option<PathBuf>,
    /// Table with the test rows.
    #[arg(long, value_name = "FILE", conflicts_with = "division")]
    pub test: Option<PathBuf>,
    /// Seed of initial values, draws and random parts.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Set a key of the recipe, for example data.ignore=["id"] or method.members=8; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Print the recipe and do nothing else.
    #[arg(long)]
    pub recipe_only: bool,
    /// Go on with a run that was interrupted, or do nothing if it is finished.
    #[arg(long)]
    pub resume: bool,
    /// No progress bar and no tables.
    #[arg(long)]
    pub quiet: bool,
    /// Print the evaluation as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// What `--task` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TaskName {
    /// A real value, with its distribution.
    Regression,
    /// A class, with probabilities.
    Classification,
}
