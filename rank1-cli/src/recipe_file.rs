//! A recipe file with the replacements of the command line.
//!
//! Not for what a recipe means; see [`rank1_models::recipe`].

use std::path::Path;

use anyhow::{Context, Result};
use rank1_models::recipe::{self, CheckedRecipe, Override};

use crate::data_file::Places;

/// Reads and checks a recipe.
///
/// # Errors
/// A file that cannot be read, and every problem of the recipe.
pub fn read(path: &Path, overrides: &[Override]) -> Result<CheckedRecipe> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read recipe {}", path.display()))?;
    recipe::parse(&text, overrides).with_context(|| path.display().to_string())
}

/// Where the data file of a recipe at `path` is looked for.
#[must_use]
pub fn places<'a>(path: &'a Path, data: Option<&'a Path>) -> Places<'a> {
    Places { data, folder: path.parent(), before: None }
}
