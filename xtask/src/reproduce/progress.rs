//! Progress of many runs on stderr: a line that is redrawn on a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::outcome::Outcome;
use super::plan::Job;

/// Seconds between two lines where nothing can be redrawn.
const QUIET: Duration = Duration::from_secs(5);

/// State of the display.
#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    done: usize,
    failed: usize,
    weight: f64,
    weight_done: f64,
    start: Instant,
    printed: Option<Instant>,
    last: String,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(jobs: &[Job]) -> Self {
        Self {
            total: jobs.len(),
            done: 0,
            failed: 0,
            weight: jobs.iter().map(|job| job.weight).sum(),
            weight_done: 0.0,
            start: Instant::now(),
            printed: None,
            last: String::new(),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Counts a finished run; a failure is always told.
    pub(crate) fn finished(&mut self, job: &Job, result: &Result<Outcome, String>) {
        self.done += 1;
        self.weight_done += job.weight;
        match result {
            Ok(outcome) => {
                let nll = outcome.get("nll").map(|nll| format!(" nll {nll:.3}")).unwrap_or_default();
                self.last = format!("{}{nll}", job.title());
            }
            Err(reason) => {
                self.failed += 1;
                self.clear_line();
                eprintln!("failed: {}: {reason}", job.title());
            }
        }
        let due = self.printed.is_none_or(|printed| printed.elapsed() >= QUIET);
        if self.terminal || due || self.done == self.total {
            self.print();
        }
    }

    /// Keeps the clock of a terminal running between two finished runs.
    pub(crate) fn tick(&mut self) {
        if self.terminal {
            self.print();
        }
    }

    /// Leaves the terminal with a fresh line.
    pub(crate) fn close(&mut self) {
        if self.terminal && self.printed.is_some() {
            eprintln!();
        }
    }

    fn print(&mut self) {
        let line = self.line(self.start.elapsed());
        if self.terminal {
            self.clear_line();
            eprint!("{line}");
            // The display is a courtesy: a closed stderr is no reason to stop.
            std::io::stderr().flush().ok();
        } else {
            eprintln!("{line}");
        }
        self.printed = Some(Instant::now());
    }

    fn clear_line(&self) {
        if self.terminal && self.printed.is_some() {
            eprint!("\r\x1b[2K");
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        const WIDTH: usize = 20;
        let share = if self.weight > 0.0 { self.weight_done / self.weight } else { 1.0 };
        let full = (share * WIDTH as f64) as usize;
        let bar: String = (0..WIDTH).map(|i| if i < full { '#' } else { '.' }).collect();
        let minutes = elapsed.as_secs_f64() / 60.0;
        let mut line = format!("[{bar}] {}/{} runs", self.done, self.total);
        if self.done > 0 && minutes > 0.0 {
            line.push_str(&format!(", {:.1}/min", self.done as f64 / minutes));
        }
        if share > 0.0 && self.done < self.total {
            line.push_str(&format!(", {} left", duration(elapsed.as_secs_f64() * (1.0 - share) / share)));
        }
        if self.failed > 0 {
            line.push_str(&format!(", {} failed", self.failed));
        }
        if !self.last.is_empty() {
            line.push_str(&format!(" | {}", self.last));
        }
        line
    }
}

/// "42 s", "3 min 20 s", "2 h 5 min".
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reproduce::{plan, sample};

    #[test]
    fn the_line_shows_share_rate_time_left_failures_and_the_last_run() {
        let (dir, experiment) = sample::experiment();
        let jobs = plan::jobs(dir.path(), &experiment).unwrap();
        let mut progress = Progress { terminal: false, ..Progress::new(&jobs) };
        assert_eq!(progress.line(Duration::ZERO), "[....................] 0/12 runs");
        let total: f64 = jobs.iter().map(|job| job.weight).sum();
        progress.finished(&jobs[0], &Ok(Outcome::default()));
        progress.finished(&jobs[1], &Err("diverged".into()));
        let share = (jobs[0].weight + jobs[1].weight) / total;
        let left = duration(30.0 * (1.0 - share) / share);
        let line = progress.line(Duration::from_secs(30));
        let expected = format!("2/12 runs, 4.0/min, {left} left, 1 failed | mnist10k good seed 0");
        assert!(line.ends_with(&expected), "{line}");
        assert_eq!(line.matches('#').count(), (share * 20.0) as usize);
    }

    #[test]
    fn durations_are_short_and_rounded() {
        assert_eq!(duration(41.6), "42 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_500.0), "2 h 5 min");
    }
}
