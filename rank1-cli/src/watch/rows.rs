//! New rows with labels or without, of any file that a model can read.
//!
//! Not for rows that must have labels; see [`crate::labelled`].

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ndarray::Array1;
use rank1_core::targets::Targets;
use rank1_data::image::escaped_name;
use rank1_data::{InputLayout, ReadingChanges, Split, TableNote, UnknownLevels};
use rank1_models::recipe::UnknownLevel;

use crate::args::WatchArgs;
use crate::labelled::{self, LabelledFile};
use crate::model::Model;
use crate::new_images::NewImages;
use crate::part::Part;
use crate::{own_table, tables};

/// Rows to compare with those of training.
#[derive(Debug, Clone)]
pub struct NewRows {
    /// What they are called.
    pub name: String,
    /// The rows; without labels the targets are zeros that nobody reads.
    pub part: Part,
    /// Whether the targets are there.
    pub labelled: bool,
    /// Levels that training never saw, as the reader tells them.
    pub unseen: Vec<Unseen>,
}

/// Cells of a column whose levels training never saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// The column of the file.
    pub column: String,
    /// How many.
    pub cells: usize,
    /// The first of them as it stands in the file.
    pub first: String,
}

impl NewRows {
    /// Reads `--input`. A level that training never saw is no reason to stop, even if the recipe refuses it.
    ///
    /// # Errors
    /// Rows of another kind than the model reads, and every error of the readers.
    pub fn read(model: &Model, args: &WatchArgs) -> Result<Self> {
        let path = args.input.as_path();
        if !path.exists() {
            bail!("--input {}: no such file", path.display());
        }
        let document = &model.document;
        if document.schema.is_some() && args.labels.is_none() && args.stays.is_none() {
            return Self::of_table(model, args, path);
        }
        let name = path.display().to_string();
        let is_image = matches!(document.layout, InputLayout::Image { .. });
        if is_image && args.stays.is_none() && args.overrides.is_empty() && args.labels.is_none() {
            let is_idx = document.image.is_some() && path.is_file();
            if is_idx {
                let split = without_targets(labelled::gray_images(model, path)?.mapv(f64::from))?;
                return Ok(Self { name, part: split.into(), labelled: false, unseen: Vec::new() });
            }
            if !has_class_folders(path, &document.class_names)?
                && let Some(found) = NewImages::find(model, path, args.bad_images)?
            {
                let targets = Targets::Values(Array1::zeros(found.files.len()));
                let part = Part::Streamed { images: found.images, targets };
                return Ok(Self { name, part, labelled: false, unseen: Vec::new() });
            }
        }
        if let (InputLayout::Sequence { .. }, None) = (document.layout, &document.scaler) {
            bail!("--input {name}: the run is on clinical sequences whose files are not read on their own");
        }
        let also =
            LabelledFile { labels: args.labels.as_deref(), stays: args.stays, overrides: &args.overrides };
        let part = labelled::read(model, "--input", path, &also)?;
        Ok(Self { name, part, labelled: true, unseen: Vec::new() })
    }

    fn of_table(model: &Model, args: &WatchArgs, file: &Path) -> Result<Self> {
        let Some(schema) = model.document.schema.clone() else {
            bail!("the run's model.json has no columns")
        };
        if !file.is_file() {
            // It is read more than once: for its header, its inputs and its targets.
            bail!("--input {}: expected a file", file.display());
        }
        // Levels that training never saw are what is watched for, so they are read unless that is forbidden here.
        let refuses = matches!(model.recipe.get().data.unknown, None | Some(UnknownLevel::Refuse));
        let unknown_levels = refuses.then_some(UnknownLevels::AllZero);
        let schema = schema.with_reading(&ReadingChanges { unknown_levels, ..ReadingChanges::default() });
        let schema = own_table::later(&schema, &args.overrides)?;
        let inputs = schema.read_inputs(file)?;
        inputs.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
        let unseen = inputs.notes.iter().flat_map(|note| match note {
            TableNote::UnknownLevels { columns, .. } => columns.clone(),
            _ => Vec::new(),
        });
        let unseen = unseen.map(|(column, cells, first)| Unseen { column, cells, first }).collect();
        let name = file.display().to_string();
        if schema.has_target(file)? {
            let part = schema.read(file)?.into();
            return Ok(Self { name, part, labelled: true, unseen });
        }
        let part = without_targets(inputs.values)?.into();
        Ok(Self { name, part, labelled: false, unseen })
    }
}

/// Rows whose targets nobody reads.
fn without_targets(inputs: ndarray::Array2<f64>) -> Result<Split> {
    let targets = Targets::Values(Array1::zeros(inputs.nrows()));
    Ok(Split::from_f64(inputs, targets)?)
}

/// Whether a folder has a folder of a class of the model: then images lie in the folders of their classes.
fn has_class_folders(path: &Path, class_names: &[String]) -> Result<bool> {
    if !path.is_dir() {
        return Ok(false);
    }
    let unreadable = || format!("--input: cannot read {}", path.display());
    for entry in fs::read_dir(path).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        if entry.path().is_dir() && class_names.contains(&escaped_name(&entry.file_name())) {
            return Ok(true);
        }
    }
    Ok(false)
}
