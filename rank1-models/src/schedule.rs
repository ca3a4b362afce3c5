//! Learning-rate schedules as pure functions of the step.

use serde::{Deserialize, Serialize};

/// How the learning rate moves over a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// The base rate throughout, after warm-up.
    Constant {
        /// Epochs of linear warm-up from zero; this or `warmup_steps`.
        #[serde(default)]
        warmup_epochs: f64,
        /// Steps of linear warm-up from zero.
        #[serde(default, skip_serializing_if = "is_zero")]
        warmup_steps: u64,
    },
    /// Half a cosine from the base rate down to `final_fraction` of it.
    Cosine {
        /// Epochs of linear warm-up from zero; this or `warmup_steps`.
        #[serde(default)]
        warmup_epochs: f64,
        /// Steps of linear warm-up from zero.
        #[serde(default, skip_serializing_if = "is_zero")]
        warmup_steps: u64,
        /// Fraction of the base rate at the end.
        #[serde(default)]
        final_fraction: f64,
    },
    /// The base rate times `ratio` to the number of drops passed.
    Steps {
        /// Epochs of linear warm-up from zero; this or `warmup_steps`.
        #[serde(default)]
        warmup_epochs: f64,
        /// Steps of linear warm-up from zero.
        #[serde(default, skip_serializing_if = "is_zero")]
        warmup_steps: u64,
        /// Epochs at which the rate drops; this or `steps`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        epochs: Vec<f64>,
        /// Steps at which the rate drops.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<u64>,
        /// Factor of each drop.
        ratio: f64,
    },
}

fn is_zero(steps: &u64) -> bool {
    *steps == 0
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine { warmup_epochs: 0.0, warmup_steps: 0, final_fraction: 0.0 }
    }
}

impl Schedule {
    /// The multiple of the base learning rate at `step` (from 0) of a run of `horizon` steps, where an epoch lasts
    /// `epoch_steps`.
    ///
    /// # Source
    /// Warm-up and step decay follow the reference code: `e / warmup` below the warm-up, else `ratio^n` with
    /// n the number of decay epochs not after e, where e = step / steps per epoch.
    #[must_use]
    pub fn factor(&self, step: u64, epoch_steps: u64, horizon: u64) -> f64 {
        let in_epochs = |steps: u64| steps as f64 / epoch_steps as f64;
        let epoch = in_epochs(step);
        let (warmup_epochs, warmup_steps) = self.warmup();
        let warmup = warmup_epochs + in_epochs(warmup_steps);
        if epoch < warmup {
            return epoch / warmup;
        }
        match self {
            Self::Constant { .. } => 1.0,
            Self::Cosine { final_fraction, .. } => {
                let span = (in_epochs(horizon) - warmup).max(f64::MIN_POSITIVE);
                let done = ((epoch - warmup) / span).min(1.0);
                let half_cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
                final_fraction + (1.0 - final_fraction) * half_cosine
            }
            Self::Steps { epochs, steps, ratio, .. } => {
                let drops = epochs.iter().filter(|decay| **decay <= epoch).count()
                    + steps.iter().filter(|decay| **decay <= step).count();
                ratio.powi(drops as i32)
            }
        }
    }

    /// Epochs and steps of warm-up, one of which is 0.
    pub(crate) fn warmup(&self) -> (f64, u64) {
        let (Self::Constant { warmup_epochs, warmup_steps }
        | Self::Cosine { warmup_epochs, warmup_steps, .. }
        | Self::Steps { warmup_epochs, warmup_steps, .. }) = self;
        (*warmup_epochs, *warmup_steps)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn steps_reproduce_the_reference_rows_of_cifar() {
        let schedule = Schedule::Steps {
            warmup_epochs: 1.0,
            warmup_steps: 0,
            epochs: vec![100.0, 200.0, 225.0],
            steps: Vec::new(),
            ratio: 0.2,
        };
        let rate = |step| 0.1 * schedule.factor(step, 390, 390 * 250);
        assert_eq!(rate(0), 0.0);
        assert!((rate(195) - 0.05).abs() < 1e-12);
        assert!((rate(390) - 0.1).abs() < 1e-12);
        assert!((rate(390 * 100) - 0.02).abs() < 1e-12);
        assert!((rate(390 * 225) - 0.1 * 0.008).abs() < 1e-12);
    }

    #[test]
    fn cosine_ends_at_its_final_fraction() {
        let schedule = Schedule::Cosine { warmup_epochs: 2.0, warmup_steps: 0, final_fraction: 0.1 };
        assert!((schedule.factor(20, 10, 120) - 1.0).abs() < 1e-12);
        assert!((schedule.factor(70, 10, 120) - 0.55).abs() < 1e-12);
        assert!((schedule.factor(120, 10, 120) - 0.1).abs() < 1e-12);
    }
    #[test]
    fn steps_and_epochs_say_the_same() {
        let text = |warmup: &str, drops: &str| -> Schedule {
            toml::from_str(&format!("kind = \"steps\"\nratio = 0.1\n{warmup}\n{drops}")).unwrap()
        };
        let by_epochs = text("warmup_epochs = 2.0", "epochs = [3.0, 5.0]");
        let by_steps = text("warmup_steps = 14", "steps = [21, 35]");
        for step in 0..50 {
            assert_eq!(by_epochs.factor(step, 7, 50), by_steps.factor(step, 7, 50), "{step}");
        }
    }
}
