//! `cargo xtask ranks`: trainings on several ranks that reach the losses of one process, and runs of which a rank is killed at a
//! random moment and which are resumed to the bytes of an undisturbed one.
//!
//! It only runs the program, which has to be built with the feature `mpi`, under `mpirun`, and compares files.

mod agree;
mod kill;
mod launch;
mod recipe;

use anyhow::{Context as _, Result};

use crate::Verdict;
use crate::args::RanksOptions;
use crate::reproduce::program;
use crate::workspace::Workspace;
use launch::Bench;

/// Kills if no number is given.
const KILLS: usize = 20;

/// Ranks of a run of which one is killed.
const RANKS: usize = 2;

/// Compares the losses of every recipe, then kills.
pub(crate) fn run(workspace: &Workspace, options: &RanksOptions) -> Result<Verdict> {
    let program = program::locate(workspace)?;
    let folder = workspace.root.join("out/ranks");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let bench = Bench::new(program, folder)?;
    let sizes = if options.sizes.is_empty() { vec![1, 2, 4] } else { options.sizes.clone() };
    let mut failures = Vec::new();
    for recipe in recipe::AGREEING {
        failures.extend(agree::compare(&bench, &recipe, &sizes)?);
    }
    let kills = options.kills.unwrap_or(KILLS);
    failures.extend(kill::torture(&bench, RANKS, kills, options.seed.unwrap_or(0))?);
    for failure in &failures {
        println!("FAILED {failure}");
    }
    println!("{} failures", failures.len());
    if failures.is_empty() {
        bench.clear()?;
    }
    Ok(Verdict::from_passed(failures.is_empty()))
}
