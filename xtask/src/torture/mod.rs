//! `cargo xtask torture`: runs that are killed at random moments, on a full disk too, each resumed to the bytes of an undisturbed
//! one; two processes on one folder; a folder that may only be read.
//!
//! It only runs the program and compares files; what a run may leave behind is said in `trial.rs`.

mod mount;
pub(crate) mod random;
mod recipe;
pub(crate) mod snapshot;
mod stage;
mod trial;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Verdict;
use crate::args::TortureOptions;
use crate::reproduce::program;
use crate::workspace::Workspace;
use random::Random;
use stage::Stage;
use trial::Outcome;

/// Runs if no number is given.
const RUNS: usize = 200;

/// Failures that are told in full.
const TOLD: usize = 20;

/// Tortures as many runs as asked for, and prints what was met and what went wrong.
pub(crate) fn run(workspace: &Workspace, options: &TortureOptions) -> Result<Verdict> {
    let program = program::locate(workspace)?;
    let folder = match &options.out {
        Some(folder) => {
            let empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
            ensure!(empty, "--out {} is not empty", folder.display());
            folder.clone()
        }
        None => workspace.root.join("out/torture"),
    };
    let seed = options.seed.unwrap_or(0);
    let (verdict, _) = torture(program, folder, options, seed)?;
    Ok(verdict)
}

fn torture(
    program: PathBuf,
    folder: PathBuf,
    options: &TortureOptions,
    seed: u64,
) -> Result<(Verdict, BTreeMap<String, usize>)> {
    let stage = Stage::set(program, folder, options.epochs)?;
    let (started, runs) = (Instant::now(), options.runs.unwrap_or(RUNS));
    let limit = options.seconds.map(Duration::from_secs);
    let (mut random, mut counts, mut failures) = (Random::new(seed), BTreeMap::new(), Vec::new());
    let mut done = 0;
    while done < runs && limit.is_none_or(|limit| started.elapsed() < limit) {
        let kind = trial::Kind::of(done);
        let Outcome { met, failed } =
            kind.play(&stage, done, &mut random).with_context(|| format!("run {done} ({kind})"))?;
        *counts.entry(format!("runs: {kind}")).or_insert(0) += 1;
        for what in met {
            *counts.entry(what).or_insert(0) += 1;
        }
        failures.extend(failed.into_iter().map(|text| format!("run {done} ({kind}): {text}")));
        done += 1;
    }
    println!("{done} runs in {:.0} s, seed {seed}", started.elapsed().as_secs_f64());
    for (what, count) in &counts {
        println!("  {count:6}  {what}");
    }
    for failure in failures.iter().take(TOLD) {
        println!("FAILED {failure}");
    }
    println!("{} failures", failures.len());
    if failures.is_empty() {
        stage.clear()?;
    } else {
        println!("what was compared is in {}", stage.folder().display());
    }
    Ok((Verdict::from_passed(failures.is_empty()), counts))
}
