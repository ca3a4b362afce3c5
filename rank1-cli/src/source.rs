//! From a recipe's `[data]` table to rows: named sets and the user's own table.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rank1_core::likelihood::Likelihood;
use rank1_data::{
    CsvOptions, CsvSchema, Dataset, LoadOptions, Missing, Normalizer, Split, Task, TestPart, holdout_indices,
    load, load_table,
};
use rank1_models::fit::TrainingData;
use rank1_models::network::MlpShape;
use rank1_models::recipe::{DataRecipe, Recipe};

/// Default share of a user's table that is held out for testing.
const TEST_FRACTION: f64 = 0.1;

/// A data set and, for tables, how its columns are read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Raw rows, training and test part.
    pub dataset: Dataset,
    /// Columns; none for images.
    pub schema: Option<CsvSchema>,
}

/// Reads the rows that a recipe names.
///
/// # Errors
/// Every error of the readers; unknown sets come with the nearest name.
pub fn open(recipe: &Recipe, root: Option<&Path>) -> Result<Source> {
    let data = &recipe.data;
    if data.set == "csv" {
        return open_table(recipe);
    }
    let options = LoadOptions { root: root.map(Path::to_path_buf), split: data.split, gap: data.gap };
    let dataset = load(&data.set, &options)?;
    let schema = match dataset.image {
        Some(_) => None,
        None => Some(CsvSchema::numeric(&dataset.feature_names, "target", &dataset.class_names)),
    };
    Ok(Source { dataset, schema })
}

fn open_table(recipe: &Recipe) -> Result<Source> {
    let data = &recipe.data;
    let (Some(file), Some(target)) = (&data.file, &data.target) else {
        bail!("data.set = \"csv\" needs data.file and data.target");
    };
    let missing = match data.missing.as_deref() {
        Some("mean") => Missing::ImputeMean,
        Some("median") => Missing::ImputeMedian,
        _ => Missing::Refuse,
    };
    let task = recipe.model.likelihood.map(|likelihood| match likelihood {
        Likelihood::Categorical | Likelihood::Bernoulli => Task::Classification,
        _ => Task::Regression,
    });
    let options =
        CsvOptions { categorical: data.categorical.clone(), missing, task, ..CsvOptions::default() };
    let fraction = data.test_fraction.unwrap_or(TEST_FRACTION);
    let test = TestPart::Fraction { fraction, seed: recipe.seed };
    let (dataset, schema) = load_table(Path::new(file), &test, target, &options)?;
    Ok(Source { dataset, schema: Some(schema) })
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
        .with_context(|| format!("validation = {} of {n} training rows", data.validation))?;
    Ok(held)
}

/// Normalized training rows with their validation part.
///
/// # Errors
/// Rows that are not finite, or too few.
pub fn training_data(recipe: &Recipe, train: &Split, normalizer: &Normalizer) -> Result<TrainingData> {
    train.targets.check_two_classes()?;
    let normalized = normalizer.apply(train)?;
    let validation = validation_rows(&recipe.data, recipe.seed, train.len())?;
    Ok(TrainingData { inputs: normalized.inputs, targets: normalized.targets, validation })
}

/// The shape of the network for a data set.
///
/// # Errors
/// A likelihood that does not fit the task.
pub fn shape(recipe: &Recipe, dataset: &Dataset) -> Result<MlpShape> {
    let classes = dataset.n_classes();
    let likelihood = recipe.model.likelihood.unwrap_or(match dataset.task {
        Task::Classification => Likelihood::Categorical,
        Task::Regression => Likelihood::HeteroscedasticGaussian,
    });
    let outputs = match (likelihood, classes) {
        (Likelihood::Categorical, Some(classes)) => classes,
        (Likelihood::Bernoulli, Some(2)) | (Likelihood::Gaussian, None) => 1,
        (Likelihood::HeteroscedasticGaussian, None) => 2,
        (Likelihood::Bernoulli, Some(classes)) => {
            bail!("likelihood `bernoulli` needs two classes, {} has {classes}", dataset.name)
        }
        _ => bail!(
            "likelihood {likelihood:?} does not fit a {} task ({})",
            match dataset.task {
                Task::Classification => "classification",
                Task::Regression => "regression",
            },
            dataset.name
        ),
    };
    Ok(MlpShape {
        inputs: dataset.n_features(),
        hidden: recipe.model.hidden.clone(),
        outputs,
        activation: recipe.model.activation,
        likelihood,
    })
}
