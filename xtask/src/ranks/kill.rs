//! One rank killed at a random moment: the others end soon, and the run goes on to the bytes of an undisturbed one.

use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::launch::Bench;
use super::recipe::{KILLED, Recipe};
use crate::torture::random::Random;
use crate::torture::snapshot::Snapshot;

/// How long the other ranks may live.
const LIMIT: Duration = Duration::from_secs(10);

/// Most kills of a run.
const AT_MOST: usize = 2;

/// Kills a rank of as many runs as asked for, and tells what went wrong.
pub(super) fn torture(bench: &Bench, ranks: usize, runs: usize, seed: u64) -> Result<Vec<String>> {
    let (mut random, mut failures, mut longest) = (Random::new(seed), Vec::new(), Duration::ZERO);
    let (mut kills, mut late) = (0, 0);
    let mut wholes = Vec::new();
    for recipe in KILLED.iter().take(runs) {
        let started = Instant::now();
        let run = bench.finish(recipe, &format!("{}-whole", recipe.name), Some(ranks), false)?;
        wholes.push((recipe, Snapshot::of(&run)?, started.elapsed()));
    }
    for number in 0..runs {
        let (recipe, whole, time) = &wholes[number % wholes.len()];
        let run = format!("killed{number}");
        for _ in 0..1 + random.below(AT_MOST) {
            let moment = time.mul_f64(random.unit());
            match kill(bench, recipe, &run, ranks, random.below(ranks), moment)? {
                Some(lived) => {
                    kills += 1;
                    longest = longest.max(lived);
                }
                None => late += 1,
            }
        }
        let folder = bench.finish(recipe, &run, Some(ranks), true)?;
        let differing = whole.differences(&Snapshot::of(&folder)?);
        if differing.is_empty() {
            std::fs::remove_dir_all(&folder)?;
        } else {
            failures.push(format!("{run} ({}): differs in {differing:?}", recipe.name));
        }
    }
    if longest > LIMIT {
        failures.push(format!("ranks lived on for {:.1} s", longest.as_secs_f64()));
    }
    println!(
        "{runs} runs on {ranks} ranks: {kills} kills of a rank, {late} runs had ended; the others ended within {:.1} s; seed {seed}",
        longest.as_secs_f64()
    );
    Ok(failures)
}

/// Kills one rank at a moment of a run, and how long the launcher lived on; none where the run had ended.
fn kill(
    bench: &Bench,
    recipe: &Recipe,
    run: &str,
    ranks: usize,
    victim: usize,
    moment: Duration,
) -> Result<Option<Duration>> {
    let mut launcher = bench.train(recipe, run, Some(ranks), true)?.spawn().context("cannot start mpirun")?;
    sleep(moment);
    let process = loop {
        if launcher.try_wait()?.is_some() {
            return Ok(None);
        }
        if let Some(process) = process_of(&launcher, victim)? {
            break process;
        }
        sleep(Duration::from_millis(2));
    };
    let killed = Instant::now();
    // One that has ended meanwhile is nobody's loss.
    let words = ["-9", &process];
    Command::new("kill").args(words).stderr(std::process::Stdio::null()).status().context("kill")?;
    launcher.wait_with_output()?;
    Ok(Some(killed.elapsed()))
}

/// The process number of a rank: a child of the launcher with that number in its environment, as Open MPI gives it.
fn process_of(launcher: &Child, rank: usize) -> Result<Option<String>> {
    let id = launcher.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let wanted = format!("OMPI_COMM_WORLD_RANK={rank}");
    let is_it = |process: &&str| {
        let environment = std::fs::read(Path::new("/proc").join(process).join("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|word| word == wanted.as_bytes())
    };
    Ok(children.split_whitespace().find(is_it).map(str::to_owned))
}
