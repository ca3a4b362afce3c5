//! `reference.json` of a run: what its training rows and its uncertainties looked like, kept instead of the rows.
//!
//! Not for comparing new rows with it; see [`crate::watch`].

mod columns;
mod scores;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rank1_models::checkpoint::{FORMAT, PROGRAM, read_sealed, write_sealed};
use serde::{Deserialize, Serialize};

use crate::evaluation::evenly_spaced;
use crate::model::Model;
use crate::model_digest::model_digest;
use crate::part::Part;
use crate::source::Source;

pub use columns::{ColumnReference, ColumnValues};
pub(crate) use columns::{column_references, levels_of_rows};
pub use scores::{ScoreReference, ScoreRows, Scores};

/// Its name in the run folder.
pub const FILE: &str = "reference.json";

/// Fewest rows that are compared: of fewer the probabilities of a distance are not right, and only gross shifts would show.
pub const FEWEST_ROWS: usize = 20;

/// Most held-out rows whose scores are kept.
const SCORED_ROWS: usize = 1_000;

/// The whole document. Numbers keep all their digits, because new rows may have the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Format of run folders, see [`rank1_models::checkpoint::FORMAT`].
    pub format: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// Digest of the model, see [`model_digest`].
    pub model: String,
    /// Rows that the networks were fitted to.
    pub rows: usize,
    /// The columns of these rows; none for images and clinical stays.
    pub columns: Vec<ColumnReference>,
    /// The scores of held-out rows.
    pub scores: ScoreReference,
}

impl Reference {
    /// The reference of a trained model, whose checkpoint is in the run.
    ///
    /// Columns are those of the rows that the networks were fitted to. Scores are of rows that they were not fitted to, because
    /// a network is surer of the rows it knows: the validation rows if early stopping held some out, else the test rows.
    ///
    /// # Errors
    /// Rows that cannot be read or predicted, a checkpoint that cannot be read.
    pub fn make(model: &mut Model, source: &Source, run: &Path) -> Result<Self> {
        let recipe = model.recipe.get();
        let stops = recipe.train.early_stopping.is_some();
        // Without early stopping all training rows are fitted to, whatever the recipe holds out for a search.
        let held_out = if stops { source.validation_rows(recipe)? } else { Vec::new() };
        let fitted = if stops { source.fitted_rows(recipe)? } else { (0..source.train.len()).collect() };
        let columns = match (&source.train, &model.document.schema) {
            (Part::Stored(split), Some(schema)) => column_references(split, &fitted, schema)?,
            _ => Vec::new(),
        };
        let n_test = source.test.len();
        let (kind, part) = if held_out.len() >= FEWEST_ROWS || held_out.len() > n_test {
            let places = evenly_spaced(held_out.len().min(SCORED_ROWS), held_out.len());
            let rows: Vec<usize> = places.into_iter().map(|place| held_out[place]).collect();
            (ScoreRows::Validation, source.train.select(&rows))
        } else {
            (ScoreRows::Test, source.test.select(&evenly_spaced(n_test.min(SCORED_ROWS), n_test)))
        };
        let samples = model.n_samples(None);
        let predictive = model.predict_part(&part, samples)?;
        let scores = Scores::of(&predictive, samples * model.n_members());
        Ok(Self {
            format: FORMAT,
            program: PROGRAM.into(),
            model: model_digest(run)?,
            rows: fitted.len(),
            columns,
            scores: ScoreReference::of(&scores, kind, samples, model.draws())?,
        })
    }

    /// The reference of a run; none if it has none.
    ///
    /// # Errors
    /// A file that was changed or belongs to another model, with what replaces it.
    pub fn open(run: &Path) -> Result<Option<Self>> {
        let path = run.join(FILE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
            Ok(_) => {}
        }
        let advice = "remove it, then `rank1 watch` makes it anew from the run's own data set (--data says where it is)";
        let reference: Self =
            read_sealed(&path).map_err(|error| anyhow!("{:#}; {advice}", anyhow!(error)))?;
        if reference.model != model_digest(run)? {
            bail!("{}: was made for another model than the run's; {advice}", path.display());
        }
        Ok(Some(reference))
    }

    /// Writes it in one piece.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        Ok(write_sealed(&run.join(FILE), self)?)
    }
}
