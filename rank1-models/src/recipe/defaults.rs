//! Defaults that depend on other keys; written into the complete recipe, so that a run says what it did.

use toml::{Table, Value};

use super::{EarlyStopping, FAR_DRAWS_CLIP, Recipe, TrainRecipe};
use crate::recipe::Annealing;

/// Steps of a run that says nothing of its length; early stopping ends it before.
pub(super) const STEPS: u64 = 20_000;

/// Validations without a better NLL before it stops.
const PATIENCE: usize = 16;

/// Steps over which the weight of its KL rises.
const ANNEALING: u64 = 500;

/// Bound of its gradients: wide posteriors and predicted variances make single steps of any length.
const CLIP: f64 = 1.0;

/// Training where a recipe does not say how long.
///
/// Chosen on the validation rows of six tables (`docs/protocol.md`): early stopping on a cosine of the rate, judged once the KL
/// has its full weight, with bounded gradients.
impl Default for TrainRecipe {
    fn default() -> Self {
        Self {
            steps: Some(STEPS),
            kl_annealing: Annealing::Steps { steps: ANNEALING },
            clip_norm: Some(CLIP),
            early_stopping: Some(EarlyStopping { patience: PATIENCE, every: None }),
            ..Self::plain()
        }
    }
}

/// Fills in how to train where `[train]` gives no length: what the table gives stays.
pub(super) fn fill_length(recipe: &mut Table) {
    let validation = recipe.get("data").and_then(|data| data.get("validation"));
    let no_rows = validation.is_some_and(|v| v.as_float() == Some(0.0) || v.as_integer() == Some(0));
    let train = recipe.entry("train").or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(train) = train else { return };
    if train.contains_key("epochs") || train.contains_key("steps") {
        return;
    }
    let Ok(defaults) = Table::try_from(TrainRecipe::default()) else { return };
    for (key, value) in defaults {
        if !(no_rows && key == "early_stopping") {
            train.entry(key).or_insert(value);
        }
    }
}

/// Bounds the gradients of posteriors with far draws, where nothing is said.
pub(super) fn bound_far_draws(recipe: &mut Recipe) {
    // A search over methods decides it for each of them.
    let searched = recipe.search.keys().any(|key| key.starts_with("method"));
    if recipe.train.clip_norm.is_none() && !searched && recipe.method.has_far_draws() {
        recipe.train.clip_norm = Some(FAR_DRAWS_CLIP);
    }
}
