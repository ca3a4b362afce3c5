//! Learning-rate schedules as pure functions of the step.

use serde::{Deserialize, Serialize};

/// How the learning rate moves over a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// The base rate throughout, after warm-up.
    Constant {
        /// Epochs of linear warm-up from zero.
        #[serde(default)]
        warmup_epochs: f64,
    },
    /// Half a cosine from the base rate down to `final_fraction` of it.
    Cosine {
        /// Epochs of linear warm-up from zero.
        #[serde(default)]
        warmup_epochs: f64,
        /// Fraction of the base rate at the end.
        #[serde(default)]
        final_fraction: f64,
    },
    /// The base rate times `ratio` to the number of decay epochs passed.
    Steps {
        /// Epochs of linear warm-up from zero.
        #[serde(default)]
        warmup_epochs: f64,
        /// Epochs at which the rate drops.
        epochs: Vec<f64>,
        /// Factor of each drop.
        ratio: f64,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine { warmup_epochs: 0.0, final_fraction: 0.0 }
    }
}

impl Schedule {
    /// The multiple of the base learning rate at `step` (from 0) of a run of `epochs` epochs.
    ///
    /// # Source
    /// Warm-up and step decay follow the reference code: `e / warmup` below the warm-up, else `ratio^n` with
    /// n the number of decay epochs not after e, where e = step / steps per epoch.
    #[must_use]
    pub fn factor(&self, step: u64, steps_per_epoch: u64, epochs: usize) -> f64 {
        let epoch = step as f64 / steps_per_epoch as f64;
        let (Self::Constant { warmup_epochs }
        | Self::Cosine { warmup_epochs, .. }
        | Self::Steps { warmup_epochs, .. }) = self;
        if epoch < *warmup_epochs {
            return epoch / warmup_epochs;
        }
        match self {
            Self::Constant { .. } => 1.0,
            Self::Cosine { warmup_epochs, final_fraction } => {
                let span = (epochs as f64 - warmup_epochs).max(f64::MIN_POSITIVE);
                let done = ((epoch - warmup_epochs) / span).min(1.0);
                let half_cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
                final_fraction + (1.0 - final_fraction) * half_cosine
            }
            Self::Steps { epochs: at, ratio, .. } => {
                ratio.powi(at.iter().filter(|decay| **decay <= epoch).count() as i32)
            }
        }
    }

    pub(crate) fn warmup_epochs(&self) -> f64 {
        match self {
            Self::Constant { warmup_epochs }
            | Self::Cosine { warmup_epochs, .. }
            | Self::Steps { warmup_epochs, .. } => *warmup_epochs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reproduce_the_reference_rows_of_cifar() {
        let schedule = Schedule::Steps { warmup_epochs: 1.0, epochs: vec![100.0, 200.0, 225.0], ratio: 0.2 };
        let rate = |step| 0.1 * schedule.factor(step, 390, 250);
        assert_eq!(rate(0), 0.0);
        assert!((rate(195) - 0.05).abs() < 1e-12);
        assert!((rate(390) - 0.1).abs() < 1e-12);
        assert!((rate(390 * 100) - 0.02).abs() < 1e-12);
        assert!((rate(390 * 225) - 0.1 * 0.008).abs() < 1e-12);
    }

    #[test]
    fn cosine_ends_at_its_final_fraction() {
        let schedule = Schedule::Cosine { warmup_epochs: 2.0, final_fraction: 0.1 };
        assert!((schedule.factor(20, 10, 12) - 1.0).abs() < 1e-12);
        assert!((schedule.factor(70, 10, 12) - 0.55).abs() < 1e-12);
        assert!((schedule.factor(120, 10, 12) - 0.1).abs() < 1e-12);
    }
}
