//! `cargo xtask torture`: runs that are killed at random moments, on a full disk too, each resumed to the bytes of an undisturbed
//! one; two processes on one folder; a folder that may only be read.
//!
//! It only runs the program and compares files; what a run may leave behind is said in `trial.rs`.

mod mount;
mod random;
mod recipe;
mod snapshot;
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

/// What `--help` says.
pub(crate) const HELP: &str = "\
Usage: cargo xtask torture [OPTIONS]

Kills runs of small recipes at random moments (SIGKILL, SIGTERM, Ctrl-C), six of ten on the disk of --out and two on a
tmpfs that is sometimes too small, and resumes each to the bytes of an undisturbed run; of the other two, one is started
twice at once and one is read where it may not be written. Without the right to mount, those runs say so.

Options:
  --runs N      runs (default: 200)
  --seconds N   stop after so many seconds, if there are runs left
  --epochs N    epochs of the recipes (default: 500, about a second each in release mode)
  --seed N      seed of kinds and moments (default: 0)
  --out DIR     where runs lie meanwhile; a new or an empty folder (default: out/torture, emptied first)

Environment:
  RANK1_BIN     use this program in place of building `rank1` in release mode

Exit status: 0 every run came out as it must, 1 one did not, 2 usage or data error.
";

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
