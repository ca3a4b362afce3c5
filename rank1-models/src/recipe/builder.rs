//! Recipes written in code: the keys of a recipe file by name, checked by the same rules.

use toml::Value;

use super::{CheckedRecipe, Override, Recipe, parse};
use crate::error::Error;

/// What every recipe needs and rows in memory do not tell.
const START: &str = "name = \"in_code\"\ndata = { set = \"arrays\" }";

/// A recipe that is being written; [`RecipeBuilder::check`] ends it.
///
/// Keys that are not set have the defaults of a recipe file: without a length, training stops early on held-out rows.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct RecipeBuilder(Vec<Override>);

impl Recipe {
    /// A perceptron with these hidden layers; deterministic unless a method follows.
    ///
    /// ```
    /// use rank1_models::recipe::Recipe;
    /// let recipe = Recipe::mlp([50]).rank1(4).normal_prior(1.0, 0.3).adam(0.01).steps(3000).check()?;
    /// assert_eq!(recipe.get().train.steps, Some(3000));
    /// let refused = Recipe::mlp([50]).rank1(0).check().unwrap_err();
    /// assert!(refused.to_string().starts_with("method.members"));
    /// # Ok::<(), rank1_models::Error>(())
    /// ```
    pub fn mlp(hidden: impl IntoIterator<Item = usize>) -> RecipeBuilder {
        let hidden: Vec<Value> = hidden.into_iter().map(|units| Value::Integer(units as i64)).collect();
        RecipeBuilder(Vec::new())
            .set("model.kind", "mlp")
            .set("model.hidden", hidden)
            .set("method.kind", "deterministic")
    }

    /// A network of another kind, for example `lenet5` or `lstm`; its sizes by [`RecipeBuilder::set`].
    pub fn network(kind: &str) -> RecipeBuilder {
        RecipeBuilder(Vec::new()).set("model.kind", kind).set("method.kind", "deterministic")
    }
}

impl RecipeBuilder {
    /// Sets any key of a recipe file by its dotted name.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.push(Override::new(key, value.into()));
        self
    }

    /// Rank-1 factors with this many members.
    pub fn rank1(self, members: usize) -> Self {
        self.set("method.kind", "rank1").set("method.members", members as i64)
    }

    /// BatchEnsemble with this many members.
    pub fn batch_ensemble(self, members: usize) -> Self {
        self.set("method.kind", "batch_ensemble").set("method.members", members as i64)
    }

    /// Dropout at training and prediction.
    pub fn mc_dropout(self, rate: f64) -> Self {
        self.set("method.kind", "mc_dropout").set("method.rate", rate)
    }

    /// A Gaussian per weight.
    pub fn mean_field(self) -> Self {
        self.set("method.kind", "mean_field")
    }

    /// A normal prior of rank-1 factors or mean-field weights.
    pub fn normal_prior(self, mean: f64, std: f64) -> Self {
        let key = |name| format!("method.prior.{name}");
        self.set(&key("family"), "normal").set(&key("mean"), mean).set(&key("std"), std)
    }

    /// The posterior family of rank-1 factors, for example `normal` or `cauchy`.
    pub fn posterior(self, family: &str) -> Self {
        self.set("method.posterior", family)
    }

    /// Adam at this learning rate.
    pub fn adam(self, learning_rate: f64) -> Self {
        self.set("train.optimizer.kind", "adam").set("train.optimizer.learning_rate", learning_rate)
    }

    /// Optimizer steps.
    pub fn steps(self, steps: u64) -> Self {
        self.set("train.steps", steps as i64)
    }

    /// Passes over the rows.
    pub fn epochs(self, epochs: usize) -> Self {
        self.set("train.epochs", epochs as i64)
    }

    /// Examples per step.
    pub fn batch_size(self, rows: usize) -> Self {
        self.set("train.batch_size", rows as i64)
    }

    /// Stop after this many validations without a better NLL on held-out rows.
    pub fn early_stopping(self, patience: usize) -> Self {
        self.set("train.early_stopping.patience", patience as i64)
    }

    /// Samples per member of a prediction.
    pub fn samples(self, samples: usize) -> Self {
        self.set("predict.samples", samples as i64)
    }

    /// Seed of initial values, draws and orders.
    pub fn seed(self, seed: u64) -> Self {
        self.set("seed", seed as i64)
    }

    /// The recipe, checked by the rules of recipe files.
    ///
    /// # Errors
    /// [`Error::Recipe`] with every problem found.
    pub fn check(self) -> Result<CheckedRecipe, Error> {
        parse(START, &self.0)
    }
}
