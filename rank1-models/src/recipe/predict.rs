//! The `[predict]` and `[evaluate]` tables of a recipe.

use serde::{Deserialize, Serialize};

/// How predictions are drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PredictRecipe {
    /// Samples S per member (ignored by methods without random draws).
    pub samples: usize,
    /// Most rows of S x K x chunk that are held at once; bounds memory, with fewer where activations would take a gibibyte.
    pub chunk_rows: usize,
    /// Whether rows have draws of their own or share them.
    pub draws: Draws,
}

impl Default for PredictRecipe {
    fn default() -> Self {
        Self { samples: 16, chunk_rows: 8192, draws: Draws::default() }
    }
}

/// Which draws the rows of a prediction get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draws {
    /// Every row its own, as the reference code: errors of the draws average out over rows; equal rows differ by them.
    PerRow,
    /// The same S x K draws for every row: equal rows have equal predictions, whatever stands beside them, and no noise is
    /// made while rows are predicted.
    #[default]
    Shared,
}

/// What is measured after training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateRecipe {
    /// Shifts of the test split, as `kind:severity`.
    pub shifts: Vec<String>,
    /// Rows, evenly spaced, that each shift is measured on; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift_rows: Option<usize>,
    /// A set whose images count as out of distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ood: Option<String>,
}
