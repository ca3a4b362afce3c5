//! One tortured run: what is done to it, and what it must survive.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::mount::Mount;
use super::random::Random;
use super::snapshot::Snapshot;
use super::stage::{Stage, Whole, lines};

const SIGKILL: i32 = 9;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Most kills of one run.
const KILLS: usize = 4;

/// Of the time of an undisturbed run, how far kills reach; some come after its end.
const REACH: f64 = 1.1;

/// What is done to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Killed at random moments.
    Killed,
    /// The same on a file system that is sometimes too small.
    KilledOnSmallDisk,
    /// Started twice at once.
    Twice,
    /// Read where it may not be written.
    ReadOnly,
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Events to be counted.
    pub(super) met: Vec<String>,
    /// What must not happen.
    pub(super) failed: Vec<String>,
}

impl Outcome {
    fn meet(&mut self, what: impl Into<String>) {
        self.met.push(what.into());
    }

    fn need(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.failed.push(otherwise());
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "killed and resumed",
            Self::KilledOnSmallDisk => "killed and resumed on a small tmpfs",
            Self::Twice => "two processes on one folder",
            Self::ReadOnly => "a read-only folder",
        })
    }
}

impl Kind {
    /// Six of ten are killed on a disk, two on a small one.
    pub(super) fn of(run: usize) -> Self {
        match run % 10 {
            2 | 6 => Self::KilledOnSmallDisk,
            4 => Self::Twice,
            8 => Self::ReadOnly,
            _ => Self::Killed,
        }
    }

    /// Does it.
    pub(super) fn play(self, stage: &Stage, number: usize, random: &mut Random) -> Result<Outcome> {
        let (whole, mut outcome) = (stage.whole(number / 2), Outcome::default());
        match self {
            Self::Killed => killed(stage, whole, &format!("run{number}"), random, &mut outcome)?,
            Self::KilledOnSmallDisk => small_disk(stage, whole, random, &mut outcome)?,
            Self::Twice => twice(stage, whole, &format!("run{number}"), random, &mut outcome)?,
            Self::ReadOnly => read_only(stage, whole, &mut outcome)?,
        }
        Ok(outcome)
    }
}

fn killed(stage: &Stage, whole: &Whole, run: &str, random: &mut Random, outcome: &mut Outcome) -> Result<()> {
    for _ in 0..1 + random.below(KILLS) {
        kill_once(stage, whole, run, random, outcome)?;
    }
    finish_and_compare(stage, whole, run, outcome)
}

/// Starts or resumes a run and sends it a signal at a random moment.
fn kill_once(
    stage: &Stage,
    whole: &Whole,
    run: &str,
    random: &mut Random,
    outcome: &mut Outcome,
) -> Result<()> {
    let signal = [SIGKILL, SIGTERM, SIGKILL, SIGINT][random.below(4)];
    let mut child = stage.train(&whole.sample, run, true).spawn().context("cannot start rank1")?;
    sleep(Duration::from_secs_f64(random.unit() * REACH * whole.time.as_secs_f64()));
    send(&mut child, signal)?;
    let output = child.wait_with_output()?;
    let (code, said) = (output.status.code(), lines(&output));
    let folder = stage.folder().join(run);
    match (signal, code, output.status.signal()) {
        (_, Some(0), _) => outcome.meet("ended before its signal"),
        (SIGKILL, _, Some(SIGKILL)) => outcome.meet(format!("SIGKILL {}", moment(&folder))),
        // Before signals are listened for there is nothing to be saved.
        (SIGTERM | SIGINT, _, Some(by)) if by == signal => outcome.meet("other signal before training"),
        (SIGTERM | SIGINT, Some(code), _) if code == 128 + signal => {
            outcome.meet(format!(
                "{} {}",
                if signal == SIGTERM { "SIGTERM" } else { "Ctrl-C" },
                moment(&folder)
            ));
            let last = said.last().cloned().unwrap_or_default();
            let says = last.contains("--resume") || (last.contains("nothing is left") && !folder.exists());
            outcome.need(says, || format!("after signal {signal} it says {said:?}"));
        }
        // A small disk.
        (_, Some(2), _) if is_full(&output) => outcome.meet("no space left"),
        _ => outcome.failed.push(format!("signal {signal} ended it with {}: {said:?}", output.status)),
    }
    Ok(())
}

/// What a run has on disk.
fn moment(run: &Path) -> &'static str {
    match std::fs::read_to_string(run.join("checkpoint/network0/manifest.json")) {
        Err(_) => "before the first state",
        Ok(manifest) if manifest.contains("\"finished\": false") => "between two states",
        Ok(_) => "after the last state of a network",
    }
}

fn is_full(output: &Output) -> bool {
    // Notes on the training may stand before the one line of the error.
    let errors: Vec<String> = lines(output).into_iter().filter(|line| !line.starts_with("note: ")).collect();
    errors.len() == 1 && errors[0].contains("No space left")
}

fn send(child: &mut Child, signal: i32) -> Result<()> {
    if signal == SIGKILL {
        // A process that has ended takes it too.
        let _ = child.kill();
        return Ok(());
    }
    if child.try_wait()?.is_none() {
        let words = [format!("-{signal}"), child.id().to_string()];
        Command::new("kill").args(words).stderr(std::process::Stdio::null()).status().context("kill")?;
    }
    Ok(())
}

fn finish(stage: &Stage, whole: &Whole, run: &str) -> Result<Output> {
    stage.train(&whole.sample, run, true).output().context("cannot start rank1")
}

/// Goes on with a run to its end and compares it.
fn finish_and_compare(stage: &Stage, whole: &Whole, run: &str, outcome: &mut Outcome) -> Result<()> {
    let last = finish(stage, whole, run)?;
    if last.status.success() {
        return compare(stage, whole, run, outcome);
    }
    outcome.failed.push(format!("--resume ended with {}: {:?}", last.status, lines(&last)));
    Ok(())
}

fn compare(stage: &Stage, whole: &Whole, run: &str, outcome: &mut Outcome) -> Result<()> {
    let folder = stage.folder().join(run);
    let differing = whole.files.differences(&Snapshot::of(&folder)?);
    outcome.need(differing.is_empty(), || format!("differs from an undisturbed run in {differing:?}"));
    if differing.is_empty() {
        outcome.meet("equal to an undisturbed run");
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// Kills and full disks in one; at last there is room.
fn small_disk(stage: &Stage, whole: &Whole, random: &mut Random, outcome: &mut Outcome) -> Result<()> {
    let room = whole.files.bytes();
    let size = |times: f64| (room as f64 * times) as u64 + 4096;
    let Some(mount) = Mount::small(&stage.folder().join("small"), size(0.2 + 2.0 * random.unit()))? else {
        outcome.meet("mounting is not permitted here");
        return Ok(());
    };
    let run = "small/run";
    for _ in 0..1 + random.below(KILLS) {
        kill_once(stage, whole, run, random, outcome)?;
        let halves = halves(&stage.folder().join(run))?;
        // A killed process may leave a temporary name; one that was told that the disk is full removes it.
        outcome
            .need(halves.is_empty() || outcome.met.last().is_none_or(|met| met != "no space left"), || {
                format!("half-written files stayed: {halves:?}")
            });
        // Not below what is used.
        let _ = mount.resize(size(1.0 + 2.0 * random.unit()));
    }
    mount.resize(size(10.0) + (4 << 20))?;
    finish_and_compare(stage, whole, run, outcome)
}

/// Names of unfinished files below a folder, which may be gone.
fn halves(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(halves(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "tmp") {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

/// Two processes at once: one trains as if alone, the other is refused in one line.
fn twice(stage: &Stage, whole: &Whole, run: &str, random: &mut Random, outcome: &mut Outcome) -> Result<()> {
    let resume = random.below(2) == 1;
    let first = stage.train(&whole.sample, run, false).spawn().context("cannot start rank1")?;
    if random.below(2) == 1 {
        sleep(Duration::from_secs_f64(random.unit() * whole.time.as_secs_f64() * 0.5));
    }
    let second = stage.train(&whole.sample, run, resume).output().context("cannot start rank1")?;
    let first = first.wait_with_output()?;
    let codes = (first.status.code(), second.status.code());
    let refused = match codes {
        (Some(0), Some(2)) => Some(&second),
        (Some(2), Some(0)) => Some(&first),
        // The second came when the first had ended, and found it finished.
        (Some(0), Some(0)) if resume => None,
        _ => {
            outcome.failed.push(format!(
                "two at once ended with {codes:?}: {:?} {:?}",
                lines(&first),
                lines(&second)
            ));
            return Ok(());
        }
    };
    if let Some(refused) = refused {
        let said = lines(refused);
        outcome.need(said.len() == 1, || format!("a refusal of {} lines: {said:?}", said.len()));
        outcome.meet("the second of two refused");
    }
    compare(stage, whole, run, outcome)
}

/// Everything that only reads works on a folder that may not be written, and leaves it alone.
fn read_only(stage: &Stage, whole: &Whole, outcome: &mut Outcome) -> Result<()> {
    let folder = stage.folder().join(format!("whole-{}", whole.sample.name));
    let Some(_mount) = Mount::read_only(&folder, &stage.folder().join("fixed"))? else {
        outcome.meet("mounting is not permitted here");
        return Ok(());
    };
    let before = Snapshot::of(&folder)?;
    let evaluate = stage.command(&["evaluate", "fixed", "--json"]).output()?;
    outcome.need(evaluate.status.success() && evaluate.stdout.starts_with(b"{"), || {
        format!("evaluate ended with {}: {:?}", evaluate.status, lines(&evaluate))
    });
    outcome.need(lines(&evaluate).len() == 1, || format!("evaluate says {:?}", lines(&evaluate)));
    let report = stage.command(&["report", "fixed", "--output", "fixed.html"]).output()?;
    outcome.need(report.status.success(), || format!("report says {:?}", lines(&report)));
    let train = stage.train(&whole.sample, "fixed/inner", false).output()?;
    outcome.need(train.status.code() == Some(2) && lines(&train).len() == 1, || {
        format!("train ended with {}: {:?}", train.status, lines(&train))
    });
    let again = finish(stage, whole, "fixed")?;
    outcome.need(again.status.success(), || format!("--resume of a finished run says {:?}", lines(&again)));
    ensure!(before.is_untouched(&Snapshot::of(&folder)?), "a read-only folder has changed");
    outcome.meet("read-only folder read");
    Ok(())
}
