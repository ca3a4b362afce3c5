//! A user's own table: what a recipe's `[data]` says of it, as options of the reader.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rank1_core::likelihood::Likelihood;
use rank1_data::{
    CsvOptions, CsvSchema, Dates, Error, LoadedTable, Missing, ReadingChanges, Shares, TableParts, Task,
    TestPart, UnknownLevels, load_parts, load_table,
};
use rank1_models::recipe::{DataRecipe, DateReading, Override, Recipe, UnknownLevel};
use toml::{Table, Value};

use crate::source::Source;

/// Default share of a user's table that is held out for testing.
const TEST_FRACTION: f64 = 0.1;

/// Keys of a recipe that may be set when later files are read.
const LATER: [&str; 5] = ["delimiter", "decimal", "missing_tokens", "unknown", "ignore"];

/// Reads the table of a recipe, divided as it says.
///
/// # Errors
/// Every error of the reader.
pub fn open(recipe: &Recipe) -> Result<Source> {
    let data = &recipe.data;
    let task = recipe.model.likelihood.map(|likelihood| match likelihood {
        Likelihood::Categorical | Likelihood::Bernoulli => Task::Classification,
        _ => Task::Regression,
    });
    let Some(parts) = parts(data, recipe.seed) else {
        let loaded = load(data, task, recipe.seed)?;
        let notes = loaded.notes.iter().map(ToString::to_string).collect();
        return Ok(Source { schema: Some(loaded.schema), notes, ..Source::from(loaded.dataset) });
    };
    let (file, target) = named(data)?;
    let loaded = load_parts(Path::new(file), &parts, target, &options(data, task))?;
    let notes = loaded.notes.iter().map(ToString::to_string).collect();
    let mut dataset = loaded.dataset();
    let first = dataset.train.len();
    let mut validation = Vec::new();
    if let Some(held_out) = &loaded.validation {
        validation.extend(first..first + held_out.len());
        dataset.train = dataset.train.followed_by(held_out)?;
    }
    let (schema, validation) = (Some(loaded.schema), Some(validation));
    Ok(Source { schema, notes, validation, ..Source::from(dataset) })
}

/// How a recipe divides a table, unless it is by two random fractions.
fn parts(data: &DataRecipe, seed: u64) -> Option<TableParts> {
    let test = data.test_fraction.unwrap_or(TEST_FRACTION);
    // A recipe's fraction is one of the rows that do not test.
    let shares = Shares { validation: data.validation * (1.0 - test), test };
    let path = |name: &Option<String>| name.as_ref().map(PathBuf::from);
    if let Some(column) = data.time_column.clone() {
        return Some(TableParts::Time { column, shares, as_input: data.dates == Some(DateReading::Parts) });
    }
    if let Some(column) = data.group_column.clone() {
        return Some(TableParts::Groups { column, shares, seed });
    }
    if let Some(column) = data.part_column.clone() {
        return Some(TableParts::Column { column });
    }
    if let Some(file) = path(&data.rows_file) {
        return Some(TableParts::Rows { file });
    }
    let (validation, test) = (path(&data.validation_file), path(&data.test_file));
    (validation.is_some() || test.is_some()).then_some(TableParts::Files { validation, test, shares, seed })
}

/// File and target of a recipe on a table.
fn named(data: &DataRecipe) -> Result<(&str, &str)> {
    let (Some(file), Some(target)) = (&data.file, &data.target) else {
        bail!("data.set = \"csv\" needs data.file and data.target");
    };
    Ok((file, target))
}

/// The table of `rank1 data inspect FILE --target COLUMN`, with keys of `[data]` set.
///
/// # Errors
/// Keys and values that a recipe would not take, and every error of the reader.
pub fn inspected(file: &str, target: &str, overrides: &[Override]) -> Result<LoadedTable> {
    let mut data = section(overrides, &|_| true)?;
    let text = |text: &str| Value::String(text.into());
    data.insert("set".into(), text("csv"));
    data.insert("file".into(), text(file));
    data.insert("target".into(), text(target));
    load(&checked(data)?, None, 0)
}

/// What `--set data.KEY=VALUE` of a prediction changes in how its table is read.
///
/// # Errors
/// Keys that are decided by training, and values that a recipe would not take.
fn changes(overrides: &[Override]) -> Result<ReadingChanges> {
    let mut data = section(overrides, &|key| LATER.contains(&key))?;
    for (key, value) in [("set", "csv"), ("file", "-"), ("target", "-")] {
        data.insert(key.into(), Value::String(value.into()));
    }
    let data = checked(data)?;
    Ok(ReadingChanges {
        delimiter: character(data.delimiter.as_deref()),
        decimal: character(data.decimal.as_deref()),
        missing_tokens: data.missing_tokens,
        unknown_levels: data.unknown.map(levels),
        ignore: data.ignore,
    })
}

/// A schema that reads a later file as these keys say.
///
/// # Errors
/// Keys that training decides, and columns left out that the model needs.
pub fn later(schema: &CsvSchema, overrides: &[Override]) -> Result<CsvSchema> {
    let changes = changes(overrides)?;
    if let Some(column) =
        changes.ignore.iter().find(|column| schema.input_groups().iter().any(|g| g.column == **column))
    {
        bail!("--set data.ignore: the model needs the column `{column}`");
    }
    Ok(schema.clone().with_reading(&changes))
}

fn load(data: &DataRecipe, task: Option<Task>, seed: u64) -> Result<LoadedTable> {
    let (file, target) = named(data)?;
    let options = options(data, task);
    let fraction = data.test_fraction.unwrap_or(TEST_FRACTION);
    load_table(Path::new(file), &TestPart::Fraction { fraction, seed }, target, &options).map_err(|error| {
        let of_fraction = matches!(error, Error::Fraction { .. });
        let error = anyhow::Error::from(error);
        if of_fraction { error.context("data.test_fraction") } else { error }
    })
}

fn options(data: &DataRecipe, task: Option<Task>) -> CsvOptions {
    let default = CsvOptions::default();
    CsvOptions {
        categorical: data.categorical.clone(),
        ignore: data.ignore.clone(),
        keep_index: data.keep_index,
        missing: match data.missing.as_deref() {
            Some("mean") => Missing::ImputeMean,
            Some("median") => Missing::ImputeMedian,
            Some("indicator") => Missing::Indicator,
            _ => Missing::Refuse,
        },
        missing_tokens: data.missing_tokens.clone(),
        task,
        unknown_levels: data.unknown.map_or(default.unknown_levels, levels),
        max_levels: data.max_levels.unwrap_or(default.max_levels),
        rare_below: data.rare_below.unwrap_or(default.rare_below),
        booleans: data.booleans,
        dates: match data.dates {
            Some(DateReading::Parts) => Dates::CalendarParts,
            Some(DateReading::Refuse) | None => Dates::Refuse,
        },
        date_columns: data.date_columns.clone(),
        day_first: data.day_first,
        leave_out_useless: data.leave_out_useless,
        keep: data.keep.clone(),
        delimiter: character(data.delimiter.as_deref()),
        decimal: character(data.decimal.as_deref()),
    }
}

fn character(text: Option<&str>) -> Option<char> {
    text.and_then(|text| text.chars().next())
}

fn levels(unknown: UnknownLevel) -> UnknownLevels {
    match unknown {
        UnknownLevel::Refuse => UnknownLevels::Refuse,
        UnknownLevel::Missing => UnknownLevels::AllZero,
        UnknownLevel::OwnLevel => UnknownLevels::OwnLevel,
    }
}

/// The keys of `[data]` that are set, each of which must be allowed.
fn section(overrides: &[Override], allowed: &dyn Fn(&str) -> bool) -> Result<Table> {
    let mut data = Table::new();
    for Override { key, value } in overrides {
        match key.strip_prefix("data.") {
            Some(name) if allowed(name) => data.insert(name.into(), value.clone()),
            _ => bail!(
                "--set {key}: expected a key of data that says how a table is read: data.{}",
                LATER.join(", data.")
            ),
        };
    }
    Ok(data)
}

/// A `[data]` table that is checked as that of a recipe.
fn checked(data: Table) -> Result<DataRecipe> {
    let recipe = format!(
        "name = \"table\"\nmodel = {{ kind = \"mlp\", hidden = [1] }}\nmethod = {{ kind = \"deterministic\" }}\n\
         train = {{ epochs = 1, batch_size = 1, optimizer = {{ kind = \"adam\", learning_rate = 0.1 }} }}\n[data]\n{data}"
    );
    Ok(rank1_models::recipe::parse(&recipe, &[])?.get().data.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_reading_may_be_set_for_a_prediction() {
        let set = |text: &str| changes(&[text.parse().unwrap()]);
        assert_eq!(set("data.unknown=missing").unwrap().unknown_levels, Some(UnknownLevels::AllZero));
        assert_eq!(set("data.delimiter=;").unwrap().delimiter, Some(';'));
        assert_eq!(set("data.decimal=\",\"").unwrap().decimal, Some(','));
        assert_eq!(changes(&[]).unwrap(), ReadingChanges::default());
        for (bad, expected) in [
            ("data.missing=mean", "expected a key of data that says how a table is read"),
            ("seed=1", "--set seed: expected a key of data"),
            ("data.decimal=x", "data.decimal: expected `.` or `,`"),
            ("data.unknown=zero", "data.unknown"),
        ] {
            let got = format!("{:#}", set(bad).unwrap_err());
            assert!(got.contains(expected), "{bad}: {got}");
        }
    }
}
