//! What all tortured runs share: the program, the recipes, undisturbed runs and the time these took.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::recipe::{SAMPLES, Sample};
use super::snapshot::Snapshot;

/// Epochs of the first recipe: about a second in release mode.
const EPOCHS: usize = 500;

/// An undisturbed run.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) sample: Sample,
    pub(super) files: Snapshot,
    pub(super) time: Duration,
}

/// Recipes and undisturbed runs in a folder.
#[derive(Debug)]
pub(super) struct Stage {
    program: PathBuf,
    folder: PathBuf,
    wholes: Vec<Whole>,
}

impl Stage {
    /// Empties the folder and trains every recipe once.
    pub(super) fn set(program: PathBuf, folder: PathBuf, epochs: Option<usize>) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut stage = Self { program, folder, wholes: Vec::new() };
        for sample in SAMPLES {
            let recipe = stage.folder.join(format!("{}.toml", sample.name));
            std::fs::write(&recipe, sample.text(epochs.unwrap_or(EPOCHS)))?;
            let run = format!("whole-{}", sample.name);
            let started = Instant::now();
            let output = stage.train(&sample, &run, false).output().context("cannot start rank1")?;
            ensure!(output.status.success(), "{run}: {}", String::from_utf8_lossy(&output.stderr));
            let (time, files) = (started.elapsed(), Snapshot::of(&stage.folder.join(&run))?);
            stage.wholes.push(Whole { sample, files, time });
        }
        Ok(stage)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn whole(&self, index: usize) -> &Whole {
        &self.wholes[index % self.wholes.len()]
    }

    /// `rank1 WORDS` in the folder of the stage, with both outputs kept.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).args(words).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A training of a recipe into `run`.
    pub(super) fn train(&self, sample: &Sample, run: &str, resume: bool) -> Command {
        let recipe = format!("{}.toml", sample.name);
        let words = ["train", &recipe, "--quiet", "--out", run, "--threads", sample.threads, "--resume"];
        self.command(if resume { &words } else { &words[..words.len() - 1] })
    }

    /// Removes everything.
    pub(super) fn clear(self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}

/// The non-empty lines of what a program said.
pub(super) fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}
