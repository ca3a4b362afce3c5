//! Trainings under `mpirun`, and by a process alone.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::recipe::{self, Recipe};

/// The program, and a folder with recipes and data.
#[derive(Debug)]
pub(super) struct Bench {
    program: PathBuf,
    folder: PathBuf,
}

impl Bench {
    pub(super) fn new(program: PathBuf, folder: PathBuf) -> Result<Self> {
        recipe::write_data(&folder)?;
        Ok(Self { program, folder })
    }

    /// A training into `run`, by this many ranks or, without any, by a process alone.
    pub(super) fn train(
        &self,
        recipe: &Recipe,
        run: &str,
        ranks: Option<usize>,
        resume: bool,
    ) -> Result<Command> {
        let file = format!("{}.toml", recipe.name);
        std::fs::write(self.folder.join(&file), recipe.text())?;
        let mut command = match ranks {
            None => Command::new(&self.program),
            Some(ranks) => {
                let mut command = Command::new("mpirun");
                // More ranks than cores, by whichever user runs the check; without the launcher's own page of advice.
                command.args(["--allow-run-as-root", "--oversubscribe", "--quiet", "-n"]);
                command.arg(ranks.to_string()).arg(&self.program);
                command
            }
        };
        command.args(["train", &file, "--quiet", "--data", ".", "--out", run]);
        if resume {
            command.arg("--resume");
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// A training that has to succeed.
    pub(super) fn finish(
        &self,
        recipe: &Recipe,
        run: &str,
        ranks: Option<usize>,
        resume: bool,
    ) -> Result<PathBuf> {
        let output = self.train(recipe, run, ranks, resume)?.output().context("cannot start mpirun")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{run} ended with {}: {}", output.status, said.trim());
        Ok(self.folder.join(run))
    }

    /// Removes everything.
    pub(super) fn clear(self) -> Result<()> {
        let folder = self.folder;
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }
}
