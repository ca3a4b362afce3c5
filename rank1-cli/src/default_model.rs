//! The model that `rank1 fit` trains: its recipe keys, and how long it trains in the time given.
//!
//! The values were chosen on validation rows of six tables (`docs/protocol.md`).

use std::time::Instant;

use anyhow::Result;
use ndarray::Axis;
use rank1_models::device::Compute;
use rank1_models::engine::Batch;
use rank1_models::fit::{TrainingInputs, network_seed};
use rank1_models::network::Network;
use rank1_models::recipe::CheckedRecipe;
use rank1_models::train::{Stepper, TrainState};
use toml::{Table, Value};

use crate::source::{self, Source};

/// Most steps in which the scales of the posterior are trained, after all others; and the share of all steps where these are few.
const SCALE_STEPS: u64 = 200;
const SCALE_SHARE: u64 = 10;

/// Categories of more places than this become trained vectors.
const EMBEDDED_ABOVE: i64 = 16;

/// Most passes over the training rows.
const PASSES: u64 = 100;

/// Steps that are timed, after as many that fill memory.
const TIMED: usize = 6;

/// Share of the time for training; reading, measuring on test rows and the report have the rest.
const SHARE: f64 = 0.8;

/// What a step of the default model costs on this machine, and how many fit the time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Median time of a step.
    pub step_seconds: f64,
    /// Steps of training.
    pub steps: u64,
}

/// Adds model, method, training and prediction to a recipe that names its data.
pub fn fill(recipe: &mut Table, likelihood: Option<&str>, measured: Option<&Measured>) {
    let vectors = table(&[("above", EMBEDDED_ABOVE.into())]);
    let mut model = table(&[
        ("kind", "tabm".into()),
        ("width", 256.into()),
        ("blocks", 3.into()),
        ("category_embedding", Value::Table(vectors)),
    ]);
    if let Some(likelihood) = likelihood {
        model.insert("likelihood".into(), likelihood.into());
    }
    let prior = table(&[("family", "normal".into()), ("mean", 1.0.into()), ("std", 0.3.into())]);
    let method = table(&[
        ("kind", "rank1".into()),
        ("members", 8.into()),
        ("posterior", "normal".into()),
        ("prior", Value::Table(prior)),
        ("granularity", "per_batch".into()),
        ("dropout_rate", 0.01.into()),
    ]);
    let optimizer =
        table(&[("kind", "adam".into()), ("learning_rate", 0.002.into()), ("weight_decay", 3e-4.into())]);
    let steps = measured.map_or(1_000, |measured| measured.steps);
    let train = table(&[
        ("steps", Value::Integer(steps as i64)),
        ("batch_size", 256.into()),
        ("optimizer", Value::Table(optimizer)),
        ("clip_norm", 1.0.into()),
        ("posterior_temperature", 0.02.into()),
        ("scales_after", Value::Table(table(&[("steps", Value::Integer(scale_steps(steps) as i64))]))),
        ("early_stopping", Value::Table(table(&[("patience", 16.into())]))),
    ]);
    recipe.insert("model".into(), Value::Table(model));
    recipe.insert("method".into(), Value::Table(method));
    recipe.insert("train".into(), Value::Table(train));
    recipe.insert("predict".into(), Value::Table(table(&[("samples", 4.into())])));
}

fn table(entries: &[(&str, Value)]) -> Table {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn scale_steps(steps: u64) -> u64 {
    SCALE_STEPS.min(steps / SCALE_SHARE).max(1)
}

/// Times a few steps of the recipe's network on its rows.
///
/// # Errors
/// Rows that cannot be trained on.
pub fn measure(recipe: &CheckedRecipe, source: &Source, compute: &Compute, seconds: f64) -> Result<Measured> {
    let settings = recipe.get();
    let normalizer = source.normalizer(settings)?;
    let data = source::training_data(settings, source, &normalizer, 1)?;
    let shape = source::with_columns(source::shape(settings, source)?, settings, source, &data)?;
    let network = Network::new(shape, settings.method.network())?;
    let fitted = source.fitted_rows(settings)?;
    let batch_size = settings.train.batch_size.min(fitted.len());
    let mut state = TrainState::start(&network, settings, network_seed(settings.seed, 0))?;
    let mut stepper = Stepper::new(&network, settings, compute, fitted.len());
    let TrainingInputs::Stored(inputs) = &data.inputs else {
        anyhow::bail!("the rows of a table are in memory");
    };
    let rows = &fitted[..batch_size];
    let (inputs, targets) = (inputs.select(Axis(0), rows), data.targets.select(rows));
    let mut times = Vec::new();
    for _ in 0..2 * TIMED {
        let started = Instant::now();
        stepper.step(&mut state, Batch { inputs: inputs.view(), targets: &targets })?;
        times.push(started.elapsed().as_secs_f64());
    }
    let timed = &mut times[TIMED..];
    timed.sort_by(f64::total_cmp);
    let step_seconds = timed[TIMED / 2];
    let pass = fitted.len().div_ceil(settings.train.batch_size) as u64;
    // Predictions of the validation rows after every pass, forward only.
    let samples = if settings.train.scales_after.is_some() { 1 } else { settings.predict.samples };
    let judged = (source.validation_rows(settings)?.len() * samples) as f64;
    let per_step = step_seconds * (1.0 + judged / (3.0 * fitted.len() as f64));
    let affordable = (SHARE * seconds / per_step) as u64;
    // A step with draws is taken for two without.
    let affordable = affordable.saturating_sub(2 * scale_steps(affordable));
    Ok(Measured { step_seconds, steps: affordable.clamp(pass.min(200), PASSES * pass).max(1) })
}
