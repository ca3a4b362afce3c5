//! `rank1 fit`: a table in; a recipe, a run and a report out.
//!
//! Decides nothing that a recipe could not say: the recipe that it makes is in the run, and `rank1 train` with it gives the same
//! bytes. Its length is what the time given allows, measured on a few steps.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rank1_models::device::{Compute, DeviceNames};
use rank1_models::recipe::{self, CheckedRecipe, Override};
use toml::{Table, Value};

use super::{report, train};
use crate::args::{FitArgs, ReportArgs, TaskName, TrainArgs};
use crate::default_model::{self, Measured};
use crate::launch::Launch;
use crate::source::Source;
use crate::{recipe_file, source, tables};

/// Share of the rows that test.
const TEST: f64 = 0.2;

/// Share of the other rows that validate: a tenth of all.
const VALIDATION: f64 = 0.125;

/// Columns that are told one by one.
const TOLD_COLUMNS: usize = 40;

/// Reads, trains, measures and reports.
///
/// # Errors
/// A table that cannot be read or divided, and all errors of training.
pub fn run(args: &FitArgs) -> Result<()> {
    if !(args.minutes > 0.0 && args.minutes.is_finite()) {
        bail!("--minutes: expected a number above 0, got {}", args.minutes);
    }
    let draft = draft(args, None)?;
    let source = source::open(draft.get(), None, true).with_context(|| args.table.display().to_string())?;
    source.train.targets().check_two_classes().with_context(|| args.table.display().to_string())?;
    if !args.recipe_only && !args.quiet {
        tell_columns(&source);
    }
    let run = args.out.clone().unwrap_or_else(|| default_run(args));
    let begun = run.join("recipe.toml");
    let compute = Compute::open(DeviceNames::default())?;
    let mut measured = default_model::measure(&draft, &source, &compute, args.minutes * 60.0)
        .with_context(|| args.table.display().to_string())?;
    if args.resume && begun.exists() {
        // A run that goes on keeps the length that was measured when it began; all else must be as it was.
        let before = recipe_file::read(&begun, &[])?;
        measured.steps = before.get().train.steps.unwrap_or(measured.steps);
    }
    let recipe = self::draft(args, Some(&measured))?;
    if args.recipe_only {
        return tables::print_text(&recipe.to_toml());
    }
    let told = format!(
        "training: at most {} steps of {} rows, about {:.0} ms each; stops when validation no longer improves (--minutes {})",
        recipe.get().train.steps.unwrap_or(measured.steps),
        recipe.get().train.batch_size,
        1e3 * measured.step_seconds,
        args.minutes
    );
    if !args.quiet {
        tables::note(&told);
    }
    let train = TrainArgs {
        recipe: args.table.clone(),
        data: None,
        out: Some(run.clone()),
        device: DeviceNames::default(),
        seed: None,
        overrides: Vec::new(),
        resume: args.resume,
        threads: None,
        force: false,
        quiet: args.quiet,
        json: args.json,
    };
    train::run_recipe(&train, &recipe, &Launch::alone())?;
    let page = run.join("report.html");
    report::run(&ReportArgs {
        runs: vec![run.clone()],
        output: page.clone(),
        title: format!("{} from {}", args.target, args.table.display()),
        claims: None,
        comparison: None,
    })?;
    if !args.quiet {
        let run = run.display();
        tables::note(&format!("next: rank1 predict {run} --input NEW.csv --output predictions.csv"));
    }
    Ok(())
}

/// The recipe, with the length that was measured or, before it is, that of the defaults.
fn draft(args: &FitArgs, measured: Option<&Measured>) -> Result<CheckedRecipe> {
    let mut recipe = Table::new();
    let stem = stem(&args.table);
    recipe.insert("name".into(), Value::String(format!("{stem}/{}", args.target)));
    let seed = i64::try_from(args.seed).context("--seed: at most 2^63 - 1")?;
    recipe.insert("seed".into(), Value::Integer(seed));
    recipe.insert("data".into(), Value::Table(data(args)?));
    let likelihood = args.task.map(|task| match task {
        TaskName::Regression => "heteroscedastic_gaussian",
        TaskName::Classification => "categorical",
    });
    default_model::fill(&mut recipe, likelihood, measured);
    // Another method is trained as a whole, unless it is said otherwise.
    let replaced = args.overrides.iter().any(|o| o.key == "method" || o.key == "method.kind");
    if let (true, Some(Value::Table(train))) = (replaced, recipe.get_mut("train")) {
        train.remove("scales_after");
        train.remove("posterior_temperature");
    }
    recipe::parse(&toml::to_string(&recipe)?, &args.overrides).with_context(|| overridden(&args.overrides))
}

fn overridden(overrides: &[Override]) -> String {
    let keys: Vec<&str> = overrides.iter().map(|o| o.key.as_str()).collect();
    if keys.is_empty() { "recipe".into() } else { format!("--set {}", keys.join(", ")) }
}

fn data(args: &FitArgs) -> Result<Table> {
    let mut data = Table::new();
    let mut set = |key: &str, value: Value| {
        data.insert(key.into(), value);
    };
    let text = |text: &str| Value::String(text.to_owned());
    set("set", text("csv"));
    set("file", absolute(&args.table)?);
    set("target", text(&args.target));
    set("validation", Value::Float(VALIDATION));
    set("test_fraction", Value::Float(TEST));
    set("missing", text("indicator"));
    set("unknown", text("own_level"));
    set("dates", text("parts"));
    set("numbers", text("quantiles"));
    set("booleans", Value::Boolean(true));
    set("leave_out_useless", Value::Boolean(true));
    let columns = [
        ("event", &args.event),
        ("time_column", &args.time_column),
        ("group_column", &args.group_column),
        ("part_column", &args.part_column),
    ];
    for (key, column) in columns {
        if let Some(column) = column {
            set(key, text(column));
        }
    }
    let files = [("rows_file", &args.rows), ("validation_file", &args.validation), ("test_file", &args.test)];
    for (key, file) in files {
        if let Some(file) = file {
            set(key, absolute(file)?);
        }
    }
    Ok(data)
}

/// A path that a recipe in another folder still means.
fn absolute(path: &Path) -> Result<Value> {
    let absolute = fs::canonicalize(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = absolute.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(Value::String(text.to_owned()))
}

/// What each column is taken for, and what should be known of the table.
fn tell_columns(source: &Source) {
    let (train, test) = (source.train.len(), source.test.len());
    tables::note(&format!("{}: {train} rows to train and validate, {test} to test", source.name));
    let columns = source.schema.as_ref().map(rank1_data::CsvSchema::describe).unwrap_or_default();
    for column in columns.iter().take(TOLD_COLUMNS) {
        tables::note(&format!("  {column}"));
    }
    if columns.len() > TOLD_COLUMNS {
        tables::note(&format!("  and {} more columns", columns.len() - TOLD_COLUMNS));
    }
    if !source.class_names.is_empty() {
        tables::note(&format!("  classes: {}", source.class_names.join(", ")));
    }
}

fn stem(table: &Path) -> String {
    let name = table.file_name().map_or_else(|| "table".into(), |name| name.to_string_lossy());
    name.split('.').find(|part| !part.is_empty()).unwrap_or("table").to_owned()
}

fn default_run(args: &FitArgs) -> PathBuf {
    let safe = |text: &str| text.replace(['/', '\\', ' '], "-");
    PathBuf::from("runs").join(format!("{}-{}", safe(&stem(&args.table)), safe(&args.target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_after_the_table_and_the_target() {
        assert_eq!(stem(Path::new("/data/loans 2020.csv.gz")), "loans 2020");
        assert_eq!(stem(Path::new(".csv")), "csv");
    }
}
