//! Recipes: everything that defines an experiment, as a TOML file.
//!
//! [`parse`] reads text and overrides, reports every problem at once, and returns a [`CheckedRecipe`]; only
//! that can be trained.

mod after;
mod builder;
mod check;
mod check_after;
mod check_images;
mod check_sizes;
mod check_table;
mod data;
mod defaults;
mod keys;
mod length;
mod overrides;
mod predict;
mod sections;

use std::collections::BTreeMap;
use std::fmt;

use rank1_core::likelihood::Likelihood;
use rank1_core::objective::NllForm;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::method::Method;
use crate::network::Body;
use crate::optimizer::{LearningRateMultipliers, OptimizerSpec};
use crate::ranks::BatchStatistics;
use crate::schedule::Schedule;

pub use after::{PruneMembers, ScalesAfter};
pub use builder::RecipeBuilder;
pub use data::{AugmentRecipe, BadImages, DataRecipe, DateReading, NumberScale, PictureFormat, UnknownLevel};
pub use keys::KNOWN_KEYS;
pub use length::{Annealing, Every, Lengths};
pub use overrides::Override;
pub use predict::{Draws, EvaluateRecipe, PredictRecipe};

/// An experiment before it is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// `<task>/<model>_<method>`.
    pub name: String,
    /// Seed of initial values, draws, shuffling and splits.
    #[serde(default)]
    pub seed: u64,
    /// Where the rows come from.
    pub data: DataRecipe,
    /// The network.
    pub model: ModelRecipe,
    /// The method of uncertainty.
    pub method: Method,
    /// The optimization.
    #[serde(default)]
    pub train: TrainRecipe,
    /// How predictions are drawn.
    #[serde(default)]
    pub predict: PredictRecipe,
    /// What is measured after training.
    #[serde(default)]
    pub evaluate: EvaluateRecipe,
    /// Values to try for dotted keys; the best by validation NLL is trained again on all training rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub search: BTreeMap<String, Vec<toml::Value>>,
}

/// The network, apart from what the data decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecipe {
    /// Architecture, by `kind`.
    #[serde(flatten)]
    pub body: Body,
    /// What the outputs parameterize; by default categorical or heteroscedastic Gaussian, as the task asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<Likelihood>,
}

/// The optimization. A recipe that gives neither `epochs` nor `steps` gets a length and early stopping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainRecipe {
    /// Passes over the training rows; this or `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Optimizer steps: one length for sets of very different sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// End after this step, on the schedule of the whole length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_step: Option<u64>,
    /// Steps that an epoch of the length, schedule and intervals lasts; a pass over the training rows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_steps: Option<u64>,
    /// New examples per step, over all devices and ranks; members see the same examples.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// Whose rows normalizations take their statistics from where several ranks share a batch.
    #[serde(default, skip_serializing_if = "BatchStatistics::is_default")]
    pub batch_statistics: BatchStatistics,
    /// Update rule.
    #[serde(default = "default_optimizer")]
    pub optimizer: OptimizerSpec,
    /// Learning-rate schedule.
    #[serde(default)]
    pub schedule: Schedule,
    /// Learning-rate multiples per kind of parameter.
    #[serde(default)]
    pub multipliers: LearningRateMultipliers,
    /// Reduction of the likelihood over samples and members.
    #[serde(default = "default_objective")]
    pub objective: NllForm,
    /// Samples S per member and step.
    #[serde(default = "default_one")]
    pub samples: usize,
    /// Over which the KL weight rises to one: a fraction of the run or `{ steps = N }`; 0 for none.
    #[serde(default)]
    pub kl_annealing: Annealing,
    /// Final multiple of KL / N: 1 is the evidence bound, below 1 a tempered ("cold") posterior.
    #[serde(default = "default_unit")]
    pub posterior_temperature: f64,
    /// Multiple gamma of the entropy of the posterior that is taken off the KL: the objective has `(KL - gamma H[q]) / N`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub entropy_weight: f64,
    /// Fraction of the run after which every step enters the mean of the parameters that is predicted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_from: Option<f64>,
    /// Trains factors as points first, and the scales of their posterior afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales_after: Option<ScalesAfter>,
    /// Drops members once all else is trained, chosen on validation rows; all are kept if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune_members: Option<PruneMembers>,
    /// L2 penalty: this times the sum of squares of weights and biases, not divided by N.
    #[serde(default)]
    pub l2: f64,
    /// Whether the L2 penalty takes in the scales and shifts of normalizations, as the published CIFAR recipes do.
    #[serde(default = "default_true")]
    pub l2_norms: bool,
    /// Longest allowed gradient; `inf` for no bound. Posteriors without a variance or with a wide start
    /// (`dropout_rate` above 0.01) get [`FAR_DRAWS_CLIP`] if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Stop when the validation NLL no longer falls, and keep the best parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Epochs, or `{ steps = N }`, between checkpoints; if absent 10 epochs, but at least ten checkpoints a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<Every>,
    /// Which gradient engine runs.
    #[serde(default)]
    pub engine: EngineKind,
}

fn default_objective() -> NllForm {
    NllForm::AverageNll
}
fn default_one() -> usize {
    1
}
fn default_true() -> bool {
    true
}
fn default_unit() -> f64 {
    1.0
}
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}
fn default_batch_size() -> usize {
    256
}
fn default_optimizer() -> OptimizerSpec {
    OptimizerSpec::adam(0.003)
}

/// Bound of the gradient's norm for posteriors without a variance or with a wide start, unless a recipe says otherwise.
pub const FAR_DRAWS_CLIP: f64 = 1.0;

impl TrainRecipe {
    /// What every key is where a recipe gives a length and does not name the key.
    fn plain() -> Self {
        Self {
            epochs: None,
            steps: None,
            stop_step: None,
            epoch_steps: None,
            batch_size: default_batch_size(),
            batch_statistics: BatchStatistics::default(),
            optimizer: default_optimizer(),
            schedule: Schedule::default(),
            multipliers: LearningRateMultipliers::default(),
            objective: default_objective(),
            samples: 1,
            kl_annealing: Annealing::default(),
            posterior_temperature: 1.0,
            entropy_weight: 0.0,
            average_from: None,
            scales_after: None,
            prune_members: None,
            l2: 0.0,
            l2_norms: true,
            clip_norm: None,
            early_stopping: None,
            checkpoint_every: None,
            engine: EngineKind::default(),
        }
    }
}

/// When to stop: the parameters of the best validation are kept.
///
/// Validations before the KL has its full weight do not count: what is judged is what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Validations without a better NLL before training stops.
    pub patience: usize,
    /// Epochs, or `{ steps = N }`, between validations; if absent an epoch or a hundredth of the run, whichever is longer,
    /// but at least ten validations a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Every>,
}

/// Gradient engines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Hand-derived passes on ndarray: the fast path of MLPs on the CPU.
    #[default]
    Analytic,
    /// Burn's autodiff.
    Autodiff,
}

/// One problem of a recipe: where it is and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted key.
    pub key: String,
    /// What is wrong, what was expected, what came.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.key, self.message)
        }
    }
}

/// A recipe that has passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedRecipe(Recipe);

impl CheckedRecipe {
    /// The settings.
    #[must_use]
    pub fn get(&self) -> &Recipe {
        &self.0
    }

    /// The complete recipe as TOML, defaults written out.
    ///
    /// # Panics
    /// Never: every field has a TOML form.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.0).expect("every field of a recipe has a TOML form")
    }

    /// SHA-256 of the complete recipe, seed included.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.to_toml().as_bytes()))
    }

    /// The recipe with dotted keys replaced, checked again.
    ///
    /// # Errors
    /// Every problem that the new values bring.
    pub fn with(&self, overrides: &[Override]) -> Result<Self, Error> {
        parse(&self.to_toml(), overrides)
    }
}

/// Lower-case hexadecimal digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Parses a recipe, applies overrides in order, and checks everything.
///
/// # Errors
/// [`Error::Recipe`] with every problem found: TOML syntax, unknown keys with the nearest known one, wrong
/// types, impossible values.
pub fn parse(text: &str, overrides: &[Override]) -> Result<CheckedRecipe, Error> {
    let mut table: toml::Table = text.parse().map_err(|e| one("", not_toml(text, &e)))?;
    let mut problems = Vec::new();
    for o in overrides {
        o.apply(&mut table, &mut problems);
    }
    defaults::fill_length(&mut table);
    keys::unknown(&table, &mut problems);
    if !problems.is_empty() {
        // Unknown keys would be reported a second time by the typed parser; remove what is not known.
        keys::retain_known(&mut table);
    }
    let sections = sections::Sections::parse(&table, &mut problems);
    finish(sections, problems)
}

/// Parses the recipe of a finished run as it was meant when it was written: rows had draws of their own where nothing is said.
///
/// # Errors
/// As [`parse`].
pub fn parse_stored(text: &str, overrides: &[Override]) -> Result<CheckedRecipe, Error> {
    let says =
        |table: &toml::Table| table.get("predict").is_some_and(|predict| predict.get("draws").is_some());
    let before = match text.parse::<toml::Table>() {
        Ok(table) if !says(&table) => Some(Override::new("predict.draws", "per_row".into())),
        _ => None,
    };
    let all: Vec<Override> = before.into_iter().chain(overrides.iter().cloned()).collect();
    parse(text, &all)
}

/// Checks a recipe that was built in code.
///
/// # Errors
/// [`Error::Recipe`] with every impossible value.
pub fn check(recipe: Recipe) -> Result<CheckedRecipe, Error> {
    finish(recipe.into(), Vec::new())
}

fn finish(sections: sections::Sections, mut problems: Vec<Problem>) -> Result<CheckedRecipe, Error> {
    check::values(&sections, &mut problems);
    if problems.is_empty()
        && let Some(mut recipe) = sections.complete()
    {
        defaults::bound_far_draws(&mut recipe);
        check::search(&recipe, &mut problems);
        if problems.is_empty() {
            return Ok(CheckedRecipe(recipe));
        }
    }
    Err(Error::Recipe(problems))
}

/// A syntax error on one line: the parser's own text draws the source below it.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let reason = error.message().replace('\n', " ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return format!("not valid TOML: {reason}");
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("not valid TOML: line {line}, column {column}: {reason}")
}

fn one(key: &str, message: String) -> Error {
    Error::Recipe(vec![Problem { key: key.into(), message }])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
