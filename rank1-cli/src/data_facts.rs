//! What a network must know of its data: input layout, task and classes, for catalogued sets without reading them.
//!
//! Not for rows; see [`crate::source`].

use std::path::Path;

use anyhow::{Context, Result};
use rank1_data::{InputLayout, SetInfo, Task, benchmark};
use rank1_models::network::{InputShape, NetworkShape};
use rank1_models::recipe::Recipe;

use crate::image_stream::Reading;
use crate::source::Source;
use crate::{clinical, image_source, source};

/// Classes of the published ImageNet.
const IMAGENET_CLASSES: usize = 1_000;

/// Training images of the published ImageNet.
const IMAGENET_IMAGES: usize = 1_281_167;

/// Share of the rows of a UCI set that a published split trains on.
const UCI_TRAINING: f64 = 0.9;

/// What decides a network's inputs and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFacts {
    /// Name of the set.
    pub name: String,
    /// What is predicted.
    pub task: Task,
    /// Classes; none for regression.
    pub n_classes: Option<usize>,
    /// What the columns of a row are.
    pub input: InputShape,
    /// Training rows, those held out for validation among them; none where only reading the set tells them.
    pub train_rows: Option<usize>,
    /// What a user should be told of rows that were read; empty for sets that were not.
    pub notes: Vec<String>,
}

impl DataFacts {
    /// The facts of rows that were read.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        Self {
            name: source.name.clone(),
            task: source.task,
            n_classes: source.train.targets().n_classes(),
            input: input_shape(source.layout, source.train.n_features()),
            train_rows: Some(source.train.len()),
            notes: source.notes.clone(),
        }
    }

    /// The facts that a recipe's set is known to have; only a user's own table or images and MIMIC-III are read.
    ///
    /// # Errors
    /// An unknown set with the nearest name, and the errors of the table reader.
    pub fn ahead(recipe: &Recipe, root: Option<&Path>) -> Result<Self> {
        let set = recipe.data.set.as_str();
        if set == "csv" || set == clinical::MIMIC || set == image_source::IMAGES {
            return Ok(Self::of(&source::open(recipe, root, false)?));
        }
        if let (image_source::IMAGENET, Some(size)) = (set, recipe.data.cropped_size()) {
            let input = input_shape(Reading::resnet(size).layout(), 0);
            let n_classes = Some(IMAGENET_CLASSES);
            return Ok(Self {
                name: set.into(),
                task: Task::Classification,
                n_classes,
                input,
                train_rows: Some(IMAGENET_IMAGES),
                notes: Vec::new(),
            });
        }
        Ok(benchmark(set)?.into())
    }

    /// The network that a recipe wants for such data.
    ///
    /// # Errors
    /// A likelihood that does not fit the task.
    pub fn network(self, recipe: &Recipe) -> Result<NetworkShape> {
        NetworkShape::of(&recipe.model, self.input, self.n_classes)
            .with_context(|| format!("{}, a {} task", self.name, self.task))
    }
}

impl From<&SetInfo> for DataFacts {
    fn from(info: &SetInfo) -> Self {
        Self {
            name: info.name.into(),
            task: info.task,
            n_classes: info.n_classes,
            input: input_shape(info.layout(), info.features),
            train_rows: train_rows(info),
            notes: Vec::new(),
        }
    }
}

/// Training rows of the published division, where there is one.
fn train_rows(info: &SetInfo) -> Option<usize> {
    match info.name {
        "mnist10k" => Some(8_000),
        "mnist" | "fashion-mnist" => Some(60_000),
        "cifar10" | "cifar10-jpeg" | "cifar100" => Some(50_000),
        clinical::PHYSIONET => Some(4_000),
        _ if info.task == Task::Regression => Some((UCI_TRAINING * info.rows as f64).round() as usize),
        _ => None,
    }
}

fn input_shape(layout: InputLayout, n_features: usize) -> InputShape {
    match layout {
        InputLayout::Columns => InputShape::Columns { width: n_features },
        InputLayout::Image { height, width, channels } => InputShape::Image { height, width, channels },
        InputLayout::Sequence { steps, features, context, ragged } => {
            InputShape::Sequence { steps, features, context, ragged }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_data::{LoadOptions, catalogue, load};

    use super::*;

    #[test]
    fn what_the_catalogue_says_is_what_the_readers_give() {
        for info in catalogue().iter().filter(|info| info.embedded && info.splits > 0) {
            let read = load(info.name, &LoadOptions::default()).unwrap();
            assert_eq!(DataFacts::from(info), DataFacts::of(&read.into()), "{}", info.name);
        }
    }
}
