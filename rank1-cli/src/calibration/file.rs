//! `calibration.json` on disk: read and written as a whole, and bound to the model that it was made for.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rank1_models::checkpoint::{FORMAT, PROGRAM, read_sealed, write_sealed};

use super::document::{Artefact, Conformal, InSample, Rows, RowsKind};
use super::measure::percent;
use crate::model_digest::model_digest;

/// Its name in the run folder.
const FILE: &str = "calibration.json";

impl Artefact {
    /// A document of this program for the model of a run.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub fn of_run(run: &Path, rows: Rows, conformal: Conformal, in_sample: InSample) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            program: PROGRAM.into(),
            model: model_digest(run)?,
            rows,
            samples: 0,
            draws: String::new(),
            class_names: Vec::new(),
            adjustment: None,
            conformal,
            in_sample,
            stated_risk: None,
            referral: None,
        })
    }

    /// The calibration of a run; none if it has none.
    ///
    /// # Errors
    /// A file that was changed or belongs to another model, with the command that replaces it.
    pub fn open(run: &Path) -> Result<Option<Self>> {
        let path = run.join(FILE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
            Ok(_) => {}
        }
        let advice =
            || format!("make it anew with `rank1 calibrate {} --data FILE`, or remove it", run.display());
        let artefact: Self =
            read_sealed(&path).map_err(|error| anyhow!("{:#}; {}", anyhow!(error), advice()))?;
        if artefact.model != model_digest(run)? {
            bail!("{}: was made for another model than the run's; {}", path.display(), advice());
        }
        Ok(Some(artefact))
    }

    /// Writes it in one piece.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        Ok(write_sealed(&run.join(FILE), self)?)
    }

    /// One sentence about what its columns promise.
    #[must_use]
    pub fn meaning(&self) -> String {
        let coverages: Vec<String> =
            self.conformal.levels.iter().map(|level| format!("{} %", percent(level.coverage))).collect();
        let what = if self.class_names.is_empty() { "intervals" } else { "sets" };
        let scope =
            if self.conformal.per_class { "each class" } else { "all rows together, not each kind of row" };
        let validation = if self.rows.kind == RowsKind::Validation {
            "; the model was chosen by them, so they cover less than that"
        } else {
            ""
        };
        format!(
            "{what} of {} come from the {} rows of {}: that coverage holds for rows like those, over {scope}{validation}",
            coverages.join(", "),
            self.rows.n,
            self.rows.name
        )
    }

    /// One sentence if predictions are made otherwise than those that were calibrated.
    #[must_use]
    pub fn difference(&self, samples: usize, draws: &str) -> Option<String> {
        let now = format!("{samples} samples and {draws} draws");
        let then = format!("{} samples and {} draws", self.samples, self.draws);
        (now != then)
            .then(|| format!("{FILE} was made with {then}, not with {now}: its coverage is not guaranteed"))
    }
}
