//! A network from arrays to predictions in four calls: [`Model::fit`], [`Model::predict`], [`Model::save`], [`Model::open`].
//!
//! Not for files of data, searches with progress or resumed runs; see [`crate::fit`] and the command.

use std::path::Path;

use ndarray::{ArrayView2, Axis};
use rank1_core::Real;
use rank1_core::scaling::{InputScaling, Scaling, Standard};
use rank1_core::targets::Targets;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{FORMAT, PROGRAM, read_sealed, write_sealed};
use crate::device::Compute;
use crate::engine::Engine;
use crate::error::Error;
use crate::fit::{FitOptions, Progress, TrainingData, fit, load, save};
use crate::network::{InputShape, Network, NetworkShape, TableColumns};
use crate::predict::{Predictive, TrainedNetwork, engines, predict};
use crate::recipe::{self, CheckedRecipe};
use crate::train::epoch_order;

/// Name of the document beside the networks.
const DOCUMENT: &str = "model.json";

/// What a folder remembers beside tensors: the keys that runs of the command share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Document {
    format: u32,
    program: String,
    shape: NetworkShape,
    recipe: String,
    recipe_hash: String,
    normalizer: Scaling,
}

/// What [`Model::fit_with`] does beside the defaults of [`Model::fit`].
pub struct Setup<'a> {
    /// What a row is; plain columns if none.
    pub input: Option<InputShape>,
    /// Rows held out for early stopping and search; if none, a random part as large as `data.validation` says.
    pub validation: Option<Vec<usize>>,
    /// Where to compute.
    pub compute: &'a Compute,
    /// Networks trained at a time.
    pub threads: usize,
    /// Told of trials, steps and epochs, from several threads.
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("input", &self.input).finish_non_exhaustive()
    }
}

/// A trained network, or several, with the scaling of its inputs and targets.
///
/// ```
/// use ndarray::{Array2, Axis};
/// use rank1_core::targets::Targets;
/// use rank1_models::{Model, recipe::Recipe};
///
/// let x = Array2::from_shape_fn((60, 1), |(i, _)| i as f64 / 10.0);
/// let y = Targets::values(x.index_axis(Axis(1), 0).mapv(|x| 20.0 + 3.0 * x))?;
/// let recipe = Recipe::mlp([8]).rank1(2).adam(0.02).steps(200).check()?;
/// let mut model = Model::fit(x.view(), &y, &recipe)?;
/// let folder = tempfile::tempdir().unwrap();
/// model.save(folder.path())?;
/// let predictive = Model::open(folder.path())?.predict(x.view())?;
/// assert_eq!(predictive, model.predict(x.view())?);
/// # Ok::<(), rank1_models::Error>(())
/// ```
pub struct Model {
    document: Document,
    recipe: CheckedRecipe,
    networks: Vec<TrainedNetwork>,
    engines: Vec<Box<dyn Engine>>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("document", &self.document).finish_non_exhaustive()
    }
}

impl Model {
    /// Trains a recipe on rows of plain columns, on the processor: columns and real targets are standardized, and where the
    /// recipe judges held-out rows (early stopping, search) a random part of them is held out.
    ///
    /// # Shapes
    /// `x`: `[N, D]`, in f32 or f64.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Core`] for rows that cannot be trained on, [`Error::Architecture`] for a likelihood that
    /// does not fit the targets, [`Error::Diverged`].
    pub fn fit<F: Real>(
        x: ArrayView2<'_, F>,
        targets: &Targets,
        recipe: &CheckedRecipe,
    ) -> Result<Self, Error> {
        let (compute, progress) = (&Compute::default(), &|_: Progress<'_>| {});
        Self::fit_with(
            x,
            targets,
            recipe,
            Setup { input: None, validation: None, compute, threads: 1, progress },
        )
    }

    /// As [`Model::fit`], for other rows, devices and threads.
    ///
    /// Columns are standardized each by its own mean and deviation, images by those of their channels, sequences not at all.
    ///
    /// # Errors
    /// As [`Model::fit`], and those of the device.
    pub fn fit_with<F: Real>(
        x: ArrayView2<'_, F>,
        targets: &Targets,
        recipe: &CheckedRecipe,
        setup: Setup<'_>,
    ) -> Result<Self, Error> {
        let settings = recipe.get();
        if x.is_empty() {
            return Err(rank1_core::Error::Empty { op: "Model::fit", argument: "x" }.into());
        }
        if let Some(((row, column), _)) = x.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let index = vec![row, column];
            return Err(rank1_core::Error::NotFinite { op: "Model::fit", argument: "x", index }.into());
        }
        let input = setup.input.unwrap_or(InputShape::Columns { width: x.ncols() });
        if input.width() != x.ncols() {
            return Err(Error::Mismatch { what: "columns of x", expected: input.width(), got: x.ncols() });
        }
        let shape = NetworkShape::of(&settings.model, input, targets.n_classes())?;
        targets.check()?;
        let inputs = match input {
            InputShape::Columns { .. } => InputScaling::per_column(x),
            InputShape::Image { channels, .. } => InputScaling::per_channel(x, channels),
            InputShape::Sequence { .. } => InputScaling::Unchanged { n_columns: x.ncols() },
        };
        let target = match targets {
            Targets::Classes { .. } => None,
            Targets::Values(values) => Some(Standard::fit(values.iter().copied())),
        };
        let scaling = Scaling { inputs, target };
        let judges = settings.train.early_stopping.is_some() || !settings.search.is_empty();
        let validation = match setup.validation {
            Some(rows) => rows,
            None if judges => held_out(settings.data.validation, settings.seed, x.nrows()),
            None => Vec::new(),
        };
        let inputs = scaling.inputs.apply(x)?;
        let shape = match input {
            InputShape::Columns { width } => {
                let mut fitted: Vec<usize> = (0..x.nrows()).collect();
                fitted.retain(|row| !validation.contains(row));
                let rows = inputs.select(Axis(0), &fitted);
                shape.with_columns(TableColumns::numbers(width), rows.view())?
            }
            _ => shape,
        };
        let data = TrainingData {
            inputs: inputs.into(),
            targets: scaling.targets(targets)?,
            validation,
            augmentation: None,
        };
        let Setup { compute, threads, progress, .. } = setup;
        let fitted = fit(recipe, &shape, &data, FitOptions { threads, compute, checkpoint: None, progress })?;
        let document = Document {
            format: FORMAT,
            program: PROGRAM.into(),
            shape,
            recipe: fitted.chosen.to_toml(),
            recipe_hash: recipe.hash(),
            normalizer: scaling,
        };
        Ok(Self::new(document, fitted.chosen, fitted.networks, compute))
    }

    fn new(
        document: Document,
        recipe: CheckedRecipe,
        networks: Vec<TrainedNetwork>,
        compute: &Compute,
    ) -> Self {
        let engines = engines(recipe.get(), &networks, compute);
        Self { document, recipe, networks, engines }
    }

    /// Writes the model into a folder, which is made; the document last, so that a folder that opens is whole.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let document = folder.join(DOCUMENT);
        // The scaling of an earlier model must not stand beside the networks of this one.
        match std::fs::remove_file(&document) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &document)(error));
            }
            _ => {}
        }
        save(&self.networks, &self.document.recipe_hash, &self.document.shape, folder)?;
        write_sealed(&document, &self.document)
    }

    /// Opens a folder that [`Model::save`] wrote, or the folder `checkpoint` of a run of the command, to predict on the processor.
    ///
    /// Rows of a run of the command are its encoded columns, in the order of `feature_names` in its `model.json`.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Checkpoint`] for a damaged or unfinished one and one of another version.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_on(folder, &Compute::default())
    }

    /// As [`Model::open`], to predict on a device.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_on(folder: &Path, compute: &Compute) -> Result<Self, Error> {
        let document: Document = read_sealed(&folder.join(DOCUMENT))?;
        let recipe = recipe::parse_stored(&document.recipe, &[])?;
        let states = load(recipe.get(), &document.recipe_hash, &document.shape, folder)?;
        if let Some(state) = states.iter().find(|state| !state.finished) {
            return Err(Error::Unfinished { step: state.step() });
        }
        let network = Network::new(document.shape.clone(), &recipe.get().method)?;
        let networks = states.iter().map(|state| state.trained(&network)).collect::<Result<_, _>>()?;
        Ok(Self::new(document, recipe, networks, compute))
    }

    /// The predictive distribution of rows, in the target's own unit, from as many samples as the recipe says.
    ///
    /// # Shapes
    /// `x`: `[N, D]`, as in training.
    ///
    /// # Errors
    /// [`Error::Core`] for another number of columns and for numbers that are not finite.
    pub fn predict<F: Real>(&mut self, x: ArrayView2<'_, F>) -> Result<Predictive, Error> {
        let settings = self.recipe.get();
        let inputs = self.document.normalizer.inputs.apply(x)?;
        let samples = settings.method.n_samples(settings.predict.samples);
        let chunk = settings.predict.chunk_rows;
        predict(&self.networks, &mut self.engines, inputs.view(), samples, chunk)?
            .in_target_unit(self.document.normalizer.target)
    }

    /// The recipe as trained: searched values replaced.
    #[must_use]
    pub fn recipe(&self) -> &CheckedRecipe {
        &self.recipe
    }

    /// The networks: one, or as many as an ensemble has.
    #[must_use]
    pub fn networks(&self) -> &[TrainedNetwork] {
        &self.networks
    }
}

/// A random part of `n` rows, at least one and never all of several.
fn held_out(fraction: f64, seed: u64, n: usize) -> Vec<usize> {
    if fraction <= 0.0 {
        return Vec::new();
    }
    // An order apart from those of epochs.
    let order = epoch_order(seed ^ 0x6865_6c64_5f6f_7574, 0, n);
    let count = ((fraction * n as f64).round() as usize).clamp(1, n.saturating_sub(1).max(1));
    order[..count].to_vec()
}
