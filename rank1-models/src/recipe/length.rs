//! Lengths of training: everything is counted in steps; epochs are another way to write them.

use serde::{Deserialize, Serialize};

use super::TrainRecipe;
use super::defaults::STEPS;
use crate::method::Method;

/// A distance between events of a training run: a number of epochs, or `{ steps = N }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of epochs or { steps = N }")]
pub enum Every {
    /// Passes over the training rows.
    Epochs(u64),
    /// Optimizer steps.
    Steps {
        /// How many.
        steps: u64,
    },
}

impl Every {
    pub(super) fn is_positive(self) -> bool {
        matches!(self, Self::Epochs(n) | Self::Steps { steps: n } if n > 0)
    }

    fn in_steps(self, epoch: u64) -> u64 {
        match self {
            Self::Epochs(epochs) => epochs.saturating_mul(epoch),
            Self::Steps { steps } => steps,
        }
    }
}

/// How long the weight of the KL rises: a fraction of the run, or `{ steps = N }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a fraction of the run in [0, 1] or { steps = N }")]
pub enum Annealing {
    /// Of all steps.
    Fraction(f64),
    /// Optimizer steps.
    Steps {
        /// How many.
        steps: u64,
    },
}

impl Default for Annealing {
    fn default() -> Self {
        Self::Fraction(0.0)
    }
}

/// The lengths of one training run on a given number of rows, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// One pass over the rows; the last batch of it may be smaller.
    pub pass: u64,
    /// What one epoch of schedules and intervals lasts: a pass, unless `train.epoch_steps` says otherwise.
    pub epoch: u64,
    /// The run as schedule and KL annealing see it.
    pub horizon: u64,
    /// Where the run ends: at the horizon, or before it at `train.stop_step`.
    pub end: u64,
    /// Over which the weight of the KL rises.
    pub annealing: u64,
    /// Between two validations; none without early stopping, which validates at the end only.
    pub check: Option<u64>,
    /// Between two checkpoints.
    pub save: u64,
    /// From which on validations count for early stopping: objective and mean are then the ones that are kept.
    pub judged_from: u64,
    /// Steps that do not enter the mean of the parameters; none where the last parameters are kept.
    pub average_from: Option<u64>,
}

impl Lengths {
    /// Whether something happens after `step` steps: a record is made there.
    #[must_use]
    pub fn is_event(&self, step: u64) -> bool {
        step.is_multiple_of(self.pass) || self.is_check(step) || self.is_save(step)
    }

    /// Whether the network is judged on the validation rows after `step` steps.
    #[must_use]
    pub fn is_check(&self, step: u64) -> bool {
        step == self.end || self.check.is_some_and(|every| step.is_multiple_of(every))
    }

    /// Whether a checkpoint is due after `step` steps.
    #[must_use]
    pub fn is_save(&self, step: u64) -> bool {
        step == self.end || step.is_multiple_of(self.save)
    }
}

/// Validations of a run whose early stopping does not say how often it looks, unless an epoch is longer.
const CHECKS: u64 = 100;

/// The least number of validations and of checkpoints of a run, however long its epochs are.
const FEWEST: u64 = 10;

/// Epochs between checkpoints, unless the run is short.
const SAVE_EPOCHS: u64 = 10;

impl TrainRecipe {
    /// The lengths of training on `rows` rows.
    #[must_use]
    pub fn lengths(&self, rows: usize, method: &Method) -> Lengths {
        let pass = (rows.div_ceil(self.batch_size) as u64).max(1);
        let epoch = self.epoch_steps.unwrap_or(pass).max(1);
        let horizon = match (self.epochs, self.steps) {
            (Some(epochs), _) => epochs as u64 * epoch,
            (None, steps) => steps.unwrap_or(STEPS),
        }
        .max(1);
        let annealing = match self.kl_annealing {
            Annealing::Fraction(fraction) => (fraction * horizon as f64).round() as u64,
            Annealing::Steps { steps } => steps,
        };
        let at_least = |steps: u64| steps.min(horizon.div_ceil(FEWEST)).max(1);
        let check = self.early_stopping.map(|stopping| match stopping.every {
            Some(every) => every.in_steps(epoch).max(1),
            None => at_least(epoch.max(horizon / CHECKS)),
        });
        let save = match self.checkpoint_every {
            Some(every) => every.in_steps(epoch).max(1),
            None => at_least(SAVE_EPOCHS * epoch),
        };
        let average_from = self.average_from.map(|fraction| (fraction * horizon as f64).round() as u64);
        let full_kl = if method.has_kl() { annealing.min(horizon) } else { 0 };
        Lengths {
            pass,
            epoch,
            horizon,
            end: self.stop_step.map_or(horizon, |stop| stop.min(horizon)),
            annealing,
            check,
            save,
            judged_from: full_kl.max(average_from.map_or(0, |skipped| (skipped + 1).min(horizon))),
            average_from,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{CheckedRecipe, Override, parse};
    use super::*;

    fn recipe(train: &str) -> CheckedRecipe {
        let text = format!(
            "name = \"test/x\"\ndata = {{ set = \"boston\" }}\nmodel = {{ kind = \"mlp\", hidden = [5] }}\n\
             method = {{ kind = \"rank1\" }}\n[train]\nbatch_size = 32\n\
             optimizer = {{ kind = \"adam\", learning_rate = 0.01 }}\n{train}"
        );
        parse(&text, &[]).unwrap()
    }

    fn lengths(train: &str, rows: usize) -> Lengths {
        let recipe = recipe(train);
        recipe.get().train.lengths(rows, &recipe.get().method)
    }

    #[test]
    fn steps_are_steps_however_long_an_epoch_is() {
        let long = lengths("steps = 2000", 1_000_000);
        assert_eq!((long.pass, long.horizon, long.end), (31_250, 2_000, 2_000));
        let short = lengths("steps = 2000", 77);
        assert_eq!((short.pass, short.horizon, short.end), (3, 2_000, 2_000));
    }

    #[test]
    fn epochs_are_passes_and_a_kept_epoch_keeps_its_length() {
        assert_eq!(lengths("epochs = 7", 77).horizon, 21);
        let kept = lengths("epochs = 7\nepoch_steps = 2\nstop_step = 5", 77);
        assert_eq!((kept.pass, kept.epoch, kept.horizon, kept.end), (3, 2, 14, 5));
    }

    #[test]
    fn a_run_is_judged_and_saved_often_enough_on_long_and_short_epochs() {
        let stopping = "steps = 2000\nearly_stopping = { patience = 5 }";
        let long = lengths(stopping, 1_000_000);
        assert_eq!((long.check, long.save), (Some(200), 200));
        let short = lengths(stopping, 77);
        assert_eq!((short.check, short.save), (Some(20), 30));
        let said = lengths("steps = 2000\nearly_stopping = { patience = 5, every = { steps = 7 } }", 77);
        assert_eq!(said.check, Some(7));
        assert_eq!(lengths("steps = 2000", 77).check, None);
    }

    #[test]
    fn validations_count_once_the_kl_has_its_full_weight() {
        let text = "steps = 2000\nkl_annealing = 0.25\nearly_stopping = { patience = 5 }";
        assert_eq!(lengths(text, 77).judged_from, 500);
        let text = "steps = 2000\nkl_annealing = { steps = 30 }";
        assert_eq!((lengths(text, 77).annealing, lengths(text, 77).judged_from), (30, 30));
        assert_eq!(lengths("steps = 2000\naverage_from = 0.75", 77).judged_from, 1501);
        let without_kl = recipe("steps = 2000\nkl_annealing = 0.25")
            .with(&["method={kind=\"deterministic\"}".parse::<Override>().unwrap()])
            .unwrap();
        assert_eq!(without_kl.get().train.lengths(77, &without_kl.get().method).judged_from, 0);
    }
}
