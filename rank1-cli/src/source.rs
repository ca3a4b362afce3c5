//! From a recipe's `[data]` table to rows: named sets, the user's own table and images.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ndarray::Axis;
use rank1_data::{
    CsvSchema, Dataset, InputGroup, InputKind, InputLayout, LoadOptions, Normalizer, NumberScaling,
    PhysionetScaler, Task, holdout_indices, image, load, permutation,
};
use rank1_models::fit::{TrainingData, TrainingInputs};
use rank1_models::network::{NetworkShape, TableColumn, TableColumns};
use rank1_models::recipe::{DataRecipe, NumberScale, Recipe};
use rank1_models::train::Augmentation;

use crate::data_facts::DataFacts;
use crate::part::Part;
use crate::shift::Rows;
use crate::{clinical, image_source, own_table};

/// A data set, in memory or on disk, and how its rows are read.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name it was asked for by, or the stem of the user's file.
    pub name: String,
    /// What is predicted.
    pub task: Task,
    /// The part to fit on.
    pub train: Part,
    /// The part to report on.
    pub test: Part,
    /// One name per input column; none for streamed images.
    pub feature_names: Vec<String>,
    /// One name per class; empty for regression.
    pub class_names: Vec<String>,
    /// Height and width of gray images in memory.
    pub image: Option<(usize, usize)>,
    /// What the columns of a row are.
    pub layout: InputLayout,
    /// Where the data came from, in one sentence.
    pub provenance: String,
    /// Columns; none for images and sequences.
    pub schema: Option<CsvSchema>,
    /// How clinical sequences were scaled.
    pub scaler: Option<PhysionetScaler>,
    /// What should be said about how a table was read, one line each.
    pub notes: Vec<String>,
    /// Training rows held out for validation, where the set decides it; none where the recipe's fraction does.
    pub validation: Option<Vec<usize>>,
}

impl From<Dataset> for Source {
    fn from(set: Dataset) -> Self {
        Self {
            name: set.name,
            task: set.task,
            train: set.train.into(),
            test: set.test.into(),
            feature_names: set.feature_names,
            class_names: set.class_names,
            image: set.image,
            layout: set.layout,
            provenance: set.provenance,
            schema: None,
            scaler: None,
            notes: Vec::new(),
            validation: None,
        }
    }
}

impl Source {
    /// What the rows are, for shifts.
    #[must_use]
    pub fn rows(&self) -> Rows {
        Rows { image: self.image, layout: self.layout }
    }

    /// The scaling of inputs and targets: fitted to rows in memory, fixed for images on disk. Where a recipe says how numbers of
    /// a table are scaled, codes stay as they are and validation rows are not looked at.
    ///
    /// # Errors
    /// Rows that are not finite, or too few.
    pub fn normalizer(&self, recipe: &Recipe) -> Result<Normalizer> {
        match (&self.train, &self.schema, recipe.data.numbers) {
            (Part::Stored(split), Some(schema), Some(numbers)) => {
                let numbers = match numbers {
                    NumberScale::Standard => NumberScaling::Standard,
                    NumberScale::Quantiles => NumberScaling::Quantiles,
                };
                let rows = split.select(&self.fitted_rows(recipe)?);
                Ok(Normalizer::fit_table(&rows, &schema.input_groups(), numbers, recipe.seed)?)
            }
            (Part::Stored(split), ..) => Ok(Normalizer::fit(split, self.layout)?),
            (Part::Streamed { images, .. }, ..) => Ok(images.normalizer().clone()),
        }
    }

    /// The training rows that are not held out.
    ///
    /// # Errors
    /// As [`Source::validation_rows`].
    pub fn fitted_rows(&self, recipe: &Recipe) -> Result<Vec<usize>> {
        let mut held_out = vec![false; self.train.len()];
        self.validation_rows(recipe)?.into_iter().for_each(|row| held_out[row] = true);
        Ok((0..self.train.len()).filter(|&row| !held_out[row]).collect())
    }

    /// What the columns are to a network.
    #[must_use]
    pub fn columns(&self) -> TableColumns {
        let feature = |group: InputGroup| match group.kind {
            InputKind::Number => vec![TableColumn::Number { edges: Vec::new() }; group.width],
            InputKind::Cyclic => vec![TableColumn::Circles { width: group.width }],
            _ => vec![TableColumn::Code { width: group.width }],
        };
        match &self.schema {
            Some(schema) => TableColumns::new(schema.input_groups().into_iter().flat_map(feature).collect()),
            None => TableColumns::numbers(self.train.n_features()),
        }
    }

    /// The indices of the training rows that are held out for early stopping and search.
    ///
    /// # Errors
    /// A fraction that leaves a part empty.
    pub fn validation_rows(&self, recipe: &Recipe) -> Result<Vec<usize>> {
        match &self.validation {
            Some(rows) => Ok(rows.clone()),
            None => validation_rows(&recipe.data, recipe.seed, self.train.len()),
        }
    }
}

/// Reads the rows that a recipe names; long readings show their progress unless `quiet`.
///
/// # Errors
/// Every error of the readers; unknown sets come with the nearest name.
pub fn open(recipe: &Recipe, root: Option<&Path>, quiet: bool) -> Result<Source> {
    let data = &recipe.data;
    if data.set == "csv" {
        return own_table::open(recipe);
    }
    if data.set == clinical::PHYSIONET {
        let (dataset, scaler) = clinical::physionet(root)?;
        return Ok(Source { scaler: Some(scaler), ..Source::from(dataset) });
    }
    if data.set == clinical::MIMIC {
        let (dataset, validation) = clinical::mimic(data, root, quiet)?;
        return Ok(Source { validation: Some(validation), ..Source::from(dataset) });
    }
    match (data.set.as_str(), data.cropped_size()) {
        (image_source::IMAGES, _) => return image_source::own(recipe, quiet),
        (image_source::IMAGENET, Some(size)) => return image_source::imagenet(data, size, root),
        _ => {}
    }
    let options = LoadOptions { root: root.map(Path::to_path_buf), split: data.split, gap: data.gap };
    let dataset = load(&data.set, &options)?;
    let schema = match dataset.layout {
        InputLayout::Columns => {
            Some(CsvSchema::numeric(&dataset.feature_names, "target", &dataset.class_names))
        }
        _ => None,
    };
    Ok(Source { schema, ..Source::from(dataset) })
}

/// The indices of the training rows that are held out for early stopping and search.
///
/// # Errors
/// A fraction that leaves a part empty.
pub fn validation_rows(data: &DataRecipe, seed: u64, n: usize) -> Result<Vec<usize>> {
    if data.validation <= 0.0 {
        return Ok(Vec::new());
    }
    let (_, held) = holdout_indices(n, data.validation, seed)
        .with_context(|| format!("data.validation = {} of {n} training rows", data.validation))?;
    Ok(held)
}

/// Normalized training rows with their validation part, for `at_a_time` networks that are trained at a time.
///
/// # Errors
/// Rows that are not finite, or too few.
pub fn training_data(
    recipe: &Recipe,
    source: &Source,
    normalizer: &Normalizer,
    at_a_time: usize,
) -> Result<TrainingData> {
    source.train.targets().check_two_classes()?;
    let validation = source.validation_rows(recipe)?;
    let (inputs, targets) = match &source.train {
        Part::Stored(split) => {
            let normalized = normalizer.apply(split)?;
            (normalized.inputs.into(), normalized.targets)
        }
        Part::Streamed { images, targets } => {
            (TrainingInputs::Streamed(Arc::new(images.shared_by(at_a_time))), targets.clone())
        }
    };
    let augmentation = augmentation(recipe, source.layout)?;
    Ok(TrainingData { inputs, targets, validation, augmentation })
}

/// The training rows that a recipe uses: all, or the first of a seeded order.
///
/// # Errors
/// More rows than there are.
pub fn training_rows(recipe: &Recipe, train: Part) -> Result<Part> {
    let Some(rows) = recipe.data.train_rows else { return Ok(train) };
    if rows > train.len() {
        bail!("data.train_rows: expected at most the {} training rows there are, got {rows}", train.len());
    }
    // A stream apart from those of validation rows and initial values.
    Ok(train.select(&permutation(train.len(), recipe.seed ^ 0x7472_6169_6e5f_7273)[..rows]))
}

/// Shifted crops and mirror images of normalized training images; what lies beyond an image is its mean color.
#[derive(Debug)]
struct ImageAugmentation {
    augment: image::Augment,
    layout: InputLayout,
}

impl Augmentation for ImageAugmentation {
    fn apply(&self, row: &mut [f32], seed: u64, epoch: usize, index: usize) {
        let before = row.to_vec();
        let key = image::example_key(seed, epoch as u32, index as u64);
        self.augment
            .apply(&before, self.layout, key, row)
            .expect("the layout was tried when the recipe was read");
    }
}

fn augmentation(recipe: &Recipe, layout: InputLayout) -> Result<Option<Arc<dyn Augmentation>>> {
    let Some(wanted) = recipe.data.augment else { return Ok(None) };
    let augment = image::Augment { pad: wanted.pad, flip: wanted.flip };
    let width = layout.width().unwrap_or(0);
    augment.apply(&vec![0.0_f32; width], layout, 0, &mut vec![0.0; width]).context("data.augment")?;
    Ok(Some(Arc::new(ImageAugmentation { augment, layout })))
}

/// The shape of the network for a data set.
///
/// # Errors
/// A likelihood that does not fit the task.
pub fn shape(recipe: &Recipe, source: &Source) -> Result<NetworkShape> {
    DataFacts::of(source).network(recipe)
}

/// The shape with what a network learns of the columns before it is trained: bins of numbers, of rows that are not held out.
///
/// # Errors
/// Columns other than those of the data.
pub fn with_columns(
    shape: NetworkShape,
    recipe: &Recipe,
    source: &Source,
    data: &TrainingData,
) -> Result<NetworkShape> {
    let TrainingInputs::Stored(inputs) = &data.inputs else { return Ok(shape) };
    let rows = inputs.select(Axis(0), &source.fitted_rows(recipe)?);
    Ok(shape.with_columns(source.columns(), rows.view())?)
}
