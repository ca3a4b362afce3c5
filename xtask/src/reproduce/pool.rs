//! Runs the jobs as processes of the `rank1` program, several at a time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::outcome::Outcome;
use super::plan::Job;
use super::progress::Progress;
use super::summary::Finished;

/// Longest reason that is kept of a failure.
const REASON_CHARS: usize = 160;

/// Where rayon, in the program, looks for its number of threads.
const THREADS: &str = "RAYON_NUM_THREADS";

/// Threads of each of `workers` processes.
fn threads_each(workers: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / workers.max(1)).max(1)
}

/// The program and where it works.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    /// The `rank1` binary.
    pub(crate) program: PathBuf,
    /// Its fingerprint, kept with every finished run.
    pub(crate) fingerprint: String,
    /// Current folder of the processes: the root of the workspace.
    pub(crate) root: &'a Path,
    pub(crate) out: &'a Path,
    pub(crate) data: Option<&'a Path>,
    pub(crate) workers: usize,
}

impl Pool<'_> {
    /// Runs all jobs; a failed one is a result like the others.
    pub(crate) fn run(&self, jobs: Vec<Job>) -> Vec<Finished> {
        let mut progress = Progress::new(&jobs);
        let mut finished = Vec::with_capacity(jobs.len());
        let next = AtomicUsize::new(0);
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            for _ in 0..self.workers.min(jobs.len()) {
                let (sender, jobs, next) = (sender.clone(), &jobs, &next);
                scope.spawn(move || {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if sender.send((job.clone(), self.run_one(job))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            loop {
                match receiver.recv_timeout(Duration::from_secs(1)) {
                    Ok((job, result)) => {
                        progress.finished(&job, &result);
                        finished.push((job, result));
                    }
                    Err(RecvTimeoutError::Timeout) => progress.tick(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        });
        progress.close();
        finished
    }

    fn run_one(&self, job: &Job) -> Result<Outcome, String> {
        let cannot_write = |error| format!("cannot write to the output folder: {error}");
        job.clear(self.out).map_err(cannot_write)?;
        let made = self.output(job.arguments(self.out, self.data));
        let made = made.and_then(|_| Outcome::read(&self.out.join(&job.folder)));
        match &made {
            Ok(_) => job.stamp(self.out, &self.fingerprint),
            Err(reason) => job.note_failure(self.out, reason),
        }
        .map_err(cannot_write)?;
        made
    }

    /// Asks the program for one report over all finished runs.
    pub(crate) fn report(&self, finished: &[Finished]) -> Result<PathBuf, String> {
        let path = self.out.join("report.html");
        let mut words: Vec<OsString> = vec!["report".into()];
        let mut jobs: Vec<&Job> =
            finished.iter().filter(|(_, result)| result.is_ok()).map(|(job, _)| job).collect();
        jobs.sort_by(|a, b| (a.block, &a.folder).cmp(&(b.block, &b.folder)));
        words.extend(jobs.iter().map(|job| self.out.join(&job.folder).into_os_string()));
        words.extend(["--comparison".into(), self.out.join("comparison.json").into_os_string()]);
        words.extend(["--output".into(), path.clone().into_os_string()]);
        self.output(words)?;
        if path.is_file() { Ok(path) } else { Err("the program wrote no report.html".into()) }
    }

    fn output(&self, words: Vec<OsString>) -> Result<Output, String> {
        let mut command = Command::new(&self.program);
        // The processes share the cores: more threads than cores only wait for each other. No result depends on it.
        if std::env::var_os(THREADS).is_none() {
            command.env(THREADS, threads_each(self.workers).to_string());
        }
        command.args(words).current_dir(self.root).stdin(Stdio::null());
        let output =
            command.output().map_err(|error| format!("cannot start {}: {error}", self.program.display()))?;
        if output.status.success() { Ok(output) } else { Err(reason(&output)) }
    }
}

/// The last line on stderr without its "error: ", or the exit status when there is none.
fn reason(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
    let text =
        last.map_or_else(|| output.status.to_string(), |line| line.trim_start_matches("error: ").to_owned());
    match text.char_indices().nth(REASON_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn output(raw_status: i32, stderr: &str) -> Output {
        Output { status: ExitStatus::from_raw(raw_status), stdout: vec![], stderr: stderr.into() }
    }

    #[test]
    fn every_process_has_a_thread_and_one_alone_has_all() {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        assert_eq!((threads_each(0), threads_each(1), threads_each(cores + 1)), (cores, cores, 1));
    }

    #[test]
    fn the_reason_is_the_last_line_said() {
        assert_eq!(reason(&output(256, "epoch 3\nerror: diverged at step 7\n\n")), "diverged at step 7");
    }

    #[test]
    fn a_silent_death_is_told_by_its_status() {
        assert_eq!(reason(&output(9, "")), "signal: 9 (SIGKILL)");
        assert_eq!(reason(&output(256, " \n")), "exit status: 1");
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let text = reason(&output(256, &"ä".repeat(500)));
        assert_eq!(text.chars().count(), REASON_CHARS + 3);
    }
}
