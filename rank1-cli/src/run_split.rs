//! The parts of the data set that a finished run was trained and tested on, found and read again.
//!
//! Not for other files; see [`crate::labelled`].

use std::path::Path;

use anyhow::{Context, Result, bail};
use rank1_data::PhysionetScaler;
use rank1_models::recipe::Recipe;

use crate::args::SplitName;
use crate::data_file::{self, Places};
use crate::model::Model;
use crate::part::Part;
use crate::source::Source;
use crate::{clinical, run_start, source, tables};

/// Reads the data set of a run, whose columns and classes must be those of its model; a table that was edited is noted.
///
/// # Errors
/// Data that are not found, errors of the readers, other columns or classes.
pub fn open(model: &Model, run: &Path, root: Option<&Path>, quiet: bool) -> Result<Source> {
    let (source, edited) = read(model, run, root, quiet)?;
    if let Some(edited) = edited {
        tables::note(&format!("note: {edited}"));
    }
    Ok(source)
}

/// As [`open`], of data that are as they were when the model was trained.
///
/// # Errors
/// As [`open`], and a table that was edited.
pub fn open_unchanged(model: &Model, run: &Path, root: Option<&Path>, quiet: bool) -> Result<Source> {
    let (source, edited) = read(model, run, root, quiet)?;
    match edited {
        Some(edited) => bail!("{edited}"),
        None => Ok(source),
    }
}

/// The data set, and a sentence if its file was edited.
fn read(model: &Model, run: &Path, root: Option<&Path>, quiet: bool) -> Result<(Source, Option<String>)> {
    let recipe = model.recipe.get();
    let before = run_start::data_file(run);
    let places = Places { data: root, folder: Some(run), before: before.as_ref() };
    let (located, now) = data_file::locate(recipe, places).with_context(|| run.display().to_string())?;
    let mut source = source::open(&located, root, quiet)?;
    source.train = source::training_rows(recipe, source.train)?;
    let same = match (&source.schema, &model.document.schema) {
        (Some(now), Some(then)) => now.has_columns_of(then),
        (now, then) => now.is_none() && then.is_none(),
    };
    if !same {
        bail!(
            "{}: {} has other columns, levels or values than when the model was trained",
            run.display(),
            recipe.data.file.as_deref().unwrap_or(&recipe.data.set)
        );
    }
    if source.class_names != model.document.class_names {
        bail!(
            "{}: {} has {} classes, other than the {} the model was trained on",
            run.display(),
            source.provenance,
            source.class_names.len(),
            model.document.class_names.len()
        );
    }
    let edited = now.filter(|now| before.as_ref().is_some_and(|before| before.has_changed_to(now)));
    let sentence = |now: data_file::DataFile| {
        format!(
            "{} is not as it was when the model was trained (its SHA-256 is another)",
            now.path().display()
        )
    };
    Ok((source, edited.map(sentence)))
}

/// The rows of a split.
///
/// # Errors
/// Validation rows where none are held out.
pub fn pick(name: SplitName, source: &Source, recipe: &Recipe) -> Result<Part> {
    match name {
        SplitName::Test | SplitName::Set(_) => Ok(source.test.clone()),
        SplitName::Train => Ok(source.train.clone()),
        SplitName::Validation => held_out(&source.train, source.validation_rows(recipe)?),
    }
}

/// Clinical stays, read with the scaling of the training stays, so that a set that training never saw can stand alone.
///
/// # Errors
/// No folder, a set that is not there, and every error of the reader.
pub fn stays(
    root: Option<&Path>,
    name: SplitName,
    recipe: &Recipe,
    scaler: &PhysionetScaler,
) -> Result<Part> {
    match name {
        SplitName::Test => Ok(clinical::stays(root, None, scaler)?.into()),
        SplitName::Set(set) => Ok(clinical::stays(root, Some(set), scaler)?.into()),
        SplitName::Train | SplitName::Validation => {
            let train = source::training_rows(recipe, clinical::stays(root, Some('a'), scaler)?.into())?;
            if name == SplitName::Train {
                return Ok(train);
            }
            let rows = source::validation_rows(&recipe.data, recipe.seed, train.len())?;
            held_out(&train, rows)
        }
    }
}

fn held_out(train: &Part, rows: Vec<usize>) -> Result<Part> {
    if rows.is_empty() {
        bail!("--split validation: the recipe has data.validation = 0, no row is held out");
    }
    Ok(train.select(&rows))
}
