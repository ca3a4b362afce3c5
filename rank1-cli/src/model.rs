//! What a checkpoint must remember beside tensors to predict raw rows: shape, recipe, scaling, columns.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ndarray::ArrayView2;
use rank1_data::{CsvSchema, InputLayout, Normalizer, PhysionetScaler, Task};
use rank1_models::checkpoint::{read_sealed, write_sealed};
use rank1_models::device::Compute;
use rank1_models::engine::Engine;
use rank1_models::fit;
use rank1_models::inputs::{InputStream, Inputs};
use rank1_models::network::{Network, NetworkShape};
use rank1_models::predict::{
    AdaptivePredictive, AdaptiveSampling, Predictive, TrainedNetwork, engines, predict, predict_block,
    predict_block_adaptively, predict_in_steps,
};
use rank1_models::recipe::{self, CheckedRecipe, Draws, Override};
use rank1_models::train::EpochRecord;
use serde::{Deserialize, Serialize};

use crate::args::DrawsName;
use crate::baseline::LinearBaseline;
use crate::constant::ConstantPrediction;
use crate::part::Part;
use crate::run_lock;
use crate::run_start::check_version;

/// The document `checkpoint/model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelDocument {
    /// Format of run folders, see [`rank1_models::checkpoint::FORMAT`].
    #[serde(default)]
    pub format: u32,
    /// Version of the program that wrote it; older ones did not tell.
    #[serde(default)]
    pub program: String,
    /// Shape of each network.
    pub shape: NetworkShape,
    /// The recipe as trained, searched values replaced; TOML.
    pub recipe: String,
    /// Hash of the recipe as given; checkpoints carry it.
    pub recipe_hash: String,
    /// What is predicted.
    pub task: Task,
    /// Scaling of inputs and targets.
    pub normalizer: Normalizer,
    /// Columns of a table; none for images and sequences.
    pub schema: Option<CsvSchema>,
    /// What the columns of a row are.
    pub layout: InputLayout,
    /// How clinical sequences are scaled.
    pub scaler: Option<PhysionetScaler>,
    /// Height and width of image inputs.
    pub image: Option<(usize, usize)>,
    /// One name per input column; none for streamed images.
    pub feature_names: Vec<String>,
    /// One name per class; empty for regression.
    pub class_names: Vec<String>,
    /// What a constant would predict.
    pub constant: ConstantPrediction,
    /// The linear model beside a model of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<LinearBaseline>,
}

/// A run that can predict.
pub struct Model {
    /// What the checkpoint remembers.
    pub document: ModelDocument,
    /// The recipe as trained.
    pub recipe: CheckedRecipe,
    /// Networks with selected parameters.
    pub networks: Vec<TrainedNetwork>,
    /// Epoch records of every network.
    pub histories: Vec<Vec<EpochRecord>>,
    engines: Vec<Box<dyn Engine>>,
    compute: Compute,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("document", &self.document).finish_non_exhaustive()
    }
}

impl Model {
    /// A model from trained networks that predicts on a device.
    #[must_use]
    pub fn new(
        document: ModelDocument,
        recipe: CheckedRecipe,
        networks: Vec<TrainedNetwork>,
        histories: Vec<Vec<EpochRecord>>,
        compute: &Compute,
    ) -> Self {
        let engines = engines(recipe.get(), &networks, compute);
        Self { document, recipe, networks, histories, engines, compute: compute.clone() }
    }

    /// Opens the checkpoint of a finished run, to predict on a device.
    ///
    /// # Errors
    /// A missing, damaged or unfinished checkpoint.
    pub fn open(run: &Path, compute: &Compute, draws: Option<DrawsName>) -> Result<Self> {
        let there = std::fs::metadata(run);
        if there.as_ref().is_err_and(|cause| cause.kind() == ErrorKind::NotFound) {
            bail!("{}: no such run folder", run.display());
        }
        let unreadable = || format!("cannot read run folder {}", run.display());
        if !there.with_context(unreadable)?.is_dir() {
            bail!("{}: no such run folder, but a file", run.display());
        }
        check_version(run)?;
        let root = checkpoint_folder(run);
        // A folder that may not be looked into is told as such: the model may well be there.
        let document = root.join("model.json");
        if !document.try_exists().with_context(|| format!("cannot read {}", document.display()))? {
            if let Some(process) = run_lock::holder(run) {
                let process = if process.is_empty() { process } else { format!(" by process {process}") };
                bail!("{}: still being trained{process}; wait until it has ended", run.display());
            }
            bail!(
                "{}: no trained model; {}",
                run.display(),
                if run.join("recipe.toml").exists() {
                    format!("finish it with `rank1 train RECIPE --out {} --resume`", run.display())
                } else {
                    "expected a run folder that `rank1 train` wrote".into()
                }
            );
        }
        let document: ModelDocument =
            read_sealed(&document).with_context(|| format!("{} holds no usable model", run.display()))?;
        let draws = draws.map(|name| Override::new("predict.draws", name.to_string().into()));
        let recipe = recipe::parse_stored(&document.recipe, draws.as_slice())?;
        let states = fit::load(recipe.get(), &document.recipe_hash, &document.shape, &root)?;
        if let Some(state) = states.iter().find(|s| !s.finished) {
            bail!(
                "{}: training stopped after step {}; finish it with `rank1 train RECIPE --out {} --resume`",
                run.display(),
                state.step(),
                run.display()
            );
        }
        let network = Network::new(document.shape.clone(), &recipe.get().method)?;
        let networks = states.iter().map(|state| state.trained(&network)).collect::<Result<_, _>>()?;
        let histories = states.into_iter().map(|s| s.history).collect();
        Ok(Self::new(document, recipe, networks, histories, compute))
    }

    /// Members K of all networks together.
    #[must_use]
    pub fn n_members(&self) -> usize {
        self.networks.iter().map(|n| n.network.n_members).sum()
    }

    /// Of every network the numbers of the members that were kept after training, from 1; none where all were.
    #[must_use]
    pub fn kept_members(&self) -> Vec<Option<Vec<usize>>> {
        let from_one = |kept: &Vec<usize>| kept.iter().map(|member| member + 1).collect();
        self.networks.iter().map(|network| network.kept.as_ref().map(from_one)).collect()
    }

    /// Of two classes, the one that areas are about: that of `data.event`, or the rarer of the training rows, or the second.
    #[must_use]
    pub fn event(&self) -> Option<usize> {
        let ConstantPrediction::Rates(rates) = &self.document.constant else { return None };
        let &[first, second] = &rates[..] else { return None };
        let named = self.recipe.get().data.event.as_ref();
        let named = named.and_then(|name| self.document.class_names.iter().position(|class| class == name));
        Some(named.unwrap_or(usize::from(second <= first)))
    }

    /// Trained scalars of all networks together.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        self.networks.iter().map(|n| n.network.n_parameters()).sum()
    }

    /// Samples S per member: the recipe's, or those asked for, or one where all would be equal.
    #[must_use]
    pub fn n_samples(&self, asked: Option<u32>) -> usize {
        let recipe = self.recipe.get();
        recipe.method.n_samples(asked.map_or(recipe.predict.samples, |s| s as usize))
    }

    /// Whether rows share their draws (`shared`) or have their own (`per_row`).
    #[must_use]
    pub fn draws(&self) -> &'static str {
        match self.recipe.get().predict.draws {
            Draws::Shared => "shared",
            Draws::PerRow => "per_row",
        }
    }

    /// Predicts raw rows `[N, D]`; values come out in the target's own unit.
    ///
    /// # Errors
    /// A wrong number of columns, or inputs or outputs that are not finite.
    pub fn predict(&mut self, inputs: ArrayView2<'_, f32>, samples: usize) -> Result<Predictive> {
        let inputs = self.document.normalizer.apply_inputs(inputs)?;
        self.predict_normalized(inputs.view(), samples)
    }

    /// Predicts one part of a data set; of images on disk some are held at a time.
    ///
    /// # Errors
    /// As [`Model::predict`], and images that cannot be read.
    pub fn predict_part(&mut self, part: &Part, samples: usize) -> Result<Predictive> {
        match part {
            Part::Stored(split) => {
                let inputs = self.document.normalizer.apply_split_inputs(split)?;
                self.predict_normalized(inputs.view(), samples)
            }
            Part::Streamed { images, .. } => self.predict_normalized(images as &dyn InputStream, samples),
        }
    }

    /// What the members predict at the locations of their factors, without a distribution around them; none for networks that
    /// have none, or whose locations are not values of a factor.
    ///
    /// # Errors
    /// As [`Model::predict_part`].
    pub fn predict_part_at_locations(&mut self, part: &Part) -> Result<Option<Predictive>> {
        let of_network = |n: &TrainedNetwork| {
            let network = n.network.at_locations().filter(|points| *points != n.network)?;
            Some(TrainedNetwork { network, ..n.clone() })
        };
        let Some(mut points) = self.networks.iter().map(of_network).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let mut engines = engines(self.recipe.get(), &points, &self.compute);
        std::mem::swap(&mut self.networks, &mut points);
        std::mem::swap(&mut self.engines, &mut engines);
        let predictive = self.predict_part(part, 1);
        self.networks = points;
        self.engines = engines;
        predictive.map(Some)
    }

    /// As [`Model::predict_part`], with the mixture NLL of the first S samples for every S of `steps` below `samples`, from
    /// the same pass.
    ///
    /// # Errors
    /// As [`Model::predict_part`], and targets of the other kind.
    pub fn predict_part_in_steps(
        &mut self,
        part: &Part,
        samples: usize,
        steps: &[usize],
    ) -> Result<(Predictive, Vec<[f64; 2]>)> {
        let stored;
        let inputs: Inputs<'_> = match part {
            Part::Stored(split) => {
                stored = self.document.normalizer.apply_split_inputs(split)?;
                stored.view().into()
            }
            Part::Streamed { images, .. } => (images as &dyn InputStream).into(),
        };
        let chunk = self.recipe.get().predict.chunk_rows;
        let mut sums = vec![0.0; steps.len()];
        let targets = part.targets();
        let scale = self.document.normalizer.target();
        let mut seen = |rows: Range<usize>, samples: usize, predictive: Predictive| {
            let rows: Vec<usize> = rows.collect();
            let nll = predictive.in_target_unit(scale)?.nll(&targets.select(&rows))?;
            let of_step = steps.iter().zip(&mut sums).filter(|(step, _)| **step == samples);
            of_step.for_each(|(_, sum)| *sum += nll * rows.len() as f64);
            Ok(())
        };
        let (networks, engines) = (&self.networks, &mut self.engines);
        let all = predict_in_steps(networks, engines, inputs, samples, chunk, steps, &mut seen)?;
        let below = steps.iter().zip(sums).filter(|(step, _)| **step < samples);
        let points = below.map(|(&step, sum)| [step as f64, sum / part.len() as f64]).collect();
        Ok((all.in_target_unit(scale)?, points))
    }

    /// Predicts normalized rows, in memory or streamed.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict_normalized<'a>(
        &mut self,
        inputs: impl Into<Inputs<'a>>,
        samples: usize,
    ) -> Result<Predictive> {
        let chunk = self.recipe.get().predict.chunk_rows;
        let predictive = predict(&self.networks, &mut self.engines, inputs, samples, chunk)?;
        Ok(predictive.in_target_unit(self.document.normalizer.target())?)
    }

    /// Predicts a block of normalized rows that stand behind `before` others, whose draws are those that the rows have among
    /// all of them.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict_block<'a>(
        &mut self,
        inputs: impl Into<Inputs<'a>>,
        before: usize,
        samples: usize,
    ) -> Result<Predictive> {
        let chunk = self.recipe.get().predict.chunk_rows;
        let predictive = predict_block(&self.networks, &mut self.engines, inputs, before, samples, chunk)?;
        Ok(predictive.in_target_unit(self.document.normalizer.target())?)
    }

    /// As [`Model::predict_block`], with up to `most` samples: each row until its standard error, in the target's own unit, is
    /// within the bound.
    ///
    /// # Errors
    /// As [`Model::predict`], and a bound that is not above 0.
    pub fn predict_block_adaptively<'a>(
        &mut self,
        inputs: impl Into<Inputs<'a>>,
        before: usize,
        standard_error: f64,
        most: usize,
    ) -> Result<AdaptivePredictive> {
        let chunk = self.recipe.get().predict.chunk_rows;
        let unit = self.document.normalizer.target().map_or(1.0, |scale| scale.std);
        let sampling = AdaptiveSampling { standard_error: standard_error / unit, most };
        let found =
            predict_block_adaptively(&self.networks, &mut self.engines, inputs, before, sampling, chunk)?;
        let AdaptivePredictive { predictive, samples } = found;
        Ok(AdaptivePredictive {
            predictive: predictive.in_target_unit(self.document.normalizer.target())?,
            samples,
        })
    }
}

/// Where a run keeps its checkpoint.
#[must_use]
pub fn checkpoint_folder(run: &Path) -> PathBuf {
    run.join("checkpoint")
}

/// Writes `checkpoint/model.json`.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_document(run: &Path, document: &ModelDocument) -> Result<()> {
    Ok(write_sealed(&checkpoint_folder(run).join("model.json"), document)?)
}
