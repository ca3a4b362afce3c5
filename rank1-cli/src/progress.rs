//! Progress on stderr with rate and time left: of training with the current NLL, of downloads and of corruptions.
//!
//! As bars, and where stderr is no terminal as lines at intervals.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rank1_data::fetch;
use rank1_models::fit::Progress;
use rank1_models::recipe::Recipe;
use rank1_models::train::{Spike, StepProgress};

use crate::tables;

/// A bar over the training rows of all steps and networks, preceded by the trials of a search.
#[derive(Debug)]
pub struct TrainingProgress {
    bar: ProgressBar,
    networks: u64,
    /// Rows that each network was trained on, as often as it saw them.
    done: Mutex<BTreeMap<usize, u64>>,
    /// Whether a spike was told.
    warned: AtomicBool,
    unit: &'static str,
    /// Where stderr is no terminal, and shows no bar.
    lines: Option<Lines>,
}

/// Lines in place of a bar: the first after a second, each after twice the time of the one before, at least one a minute.
#[derive(Debug)]
struct Lines {
    state: Mutex<LineState>,
}

/// How far it is when it is time for a line.
struct Due {
    position: u64,
    length: Option<u64>,
    /// Per second since this process began.
    rate: f64,
}

impl Due {
    /// Seconds to the end, if they can be told.
    fn left(&self) -> Option<f64> {
        let length = self.length.filter(|_| self.rate > 0.0)?;
        Some(length.saturating_sub(self.position) as f64 / self.rate)
    }
}

#[derive(Debug)]
struct LineState {
    pause: Duration,
    told: Instant,
    /// Moment and position at which the rows of this process began.
    begin: Option<(Instant, u64)>,
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Lines {
    /// Lines where stderr is no terminal and progress is not hidden.
    fn off_terminal(quiet: bool) -> Option<Self> {
        (!quiet && !std::io::stderr().is_terminal()).then(Self::new)
    }

    fn new() -> Self {
        Self { state: Mutex::new(LineState { pause: FIRST_PAUSE, told: Instant::now(), begin: None }) }
    }

    /// How far `bar` is, if it is time to say so.
    fn due(&self, bar: &ProgressBar) -> Option<Due> {
        let mut state = self.state.lock().ok()?;
        let (now, position) = (Instant::now(), bar.position());
        let begin = *state.begin.get_or_insert((now, position));
        if now - state.told < state.pause {
            return None;
        }
        state.told = now;
        state.pause = (2 * state.pause).min(LONGEST_PAUSE);
        let rate = (position - begin.1.min(position)) as f64 / (now - begin.0).as_secs_f64().max(1e-3);
        Some(Due { position, length: bar.length(), rate })
    }

    /// Another thing is counted from here on.
    fn begin_again(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.begin = None;
        }
    }

    /// Prints what a bar of training would show, if it is time.
    fn tell_training(&self, bar: &ProgressBar, unit: &str) {
        let Some(due) = self.due(bar) else { return };
        let mut line = bar.prefix();
        if let Some(left) = due.left() {
            line += &format!(" {:.1} {unit}/s left {left:.0} s", due.rate);
        }
        let message = bar.message();
        if !message.is_empty() {
            line += &format!(" {message}");
        }
        tables::note(line.trim());
    }
}

impl TrainingProgress {
    /// A bar for one run of rows that are called `unit`; hidden when `quiet`.
    #[must_use]
    pub fn new(recipe: &Recipe, unit: &'static str, quiet: bool) -> Self {
        let networks = recipe.method.n_networks() as u64;
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        let rate = move |state: &ProgressState, out: &mut dyn Write| {
            // A terminal that takes no more is no reason to stop.
            let _ = write!(out, "{:.1} {unit}/s", state.per_sec());
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {prefix} {rate} left {eta} {msg}") {
            bar.set_style(style.with_key("rate", rate));
        }
        let lines = Lines::off_terminal(quiet);
        Self { bar, networks, done: Mutex::default(), warned: AtomicBool::new(false), unit, lines }
    }

    /// Moves the bar.
    pub fn update(&self, progress: Progress<'_>) {
        match progress {
            Progress::Trial { trial, of, nll } => {
                self.bar.set_message(format!("search {} of {of}, validation NLL {nll:.4}", trial + 1));
                self.bar.tick();
            }
            Progress::Steps { network, batch_size, progress } => {
                self.move_to(network, batch_size as u64, progress);
            }
            Progress::Event { record, .. } => {
                let valid = record.valid_nll.map(|v| format!(", validation {v:.4}")).unwrap_or_default();
                self.bar.set_message(format!(
                    "NLL {:.4}, KL/N {:.4}{valid}",
                    record.train_nll, record.kl_per_example
                ));
            }
            Progress::Spike { spike, .. } => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    let Spike { step, nll, median } = spike;
                    self.bar.suspend(|| {
                        tables::note(&format!(
                            "note: the batch of step {step} has an NLL of {nll:.3e}, the hundred before it had {median:.3}; \
                             a bound of the gradient such as train.clip_norm = 1.0 keeps such steps short"
                        ));
                    });
                }
            }
        }
        if let Some(lines) = &self.lines {
            lines.tell_training(&self.bar, self.unit);
        }
    }

    /// A network has made `progress.step` of its steps.
    fn move_to(&self, network: usize, batch_size: u64, progress: StepProgress) {
        let Ok(mut state) = self.done.lock() else { return };
        let first = state.insert(network, progress.step * batch_size).is_none();
        let (position, length) = (state.values().sum::<u64>(), progress.of * self.networks);
        self.bar.set_length(length * batch_size);
        self.bar.set_position(position);
        self.bar.set_prefix(format!("{}/{length} steps", position / batch_size.max(1)));
        if first {
            // Steps before an interruption do not count as rate.
            self.bar.reset_eta();
        }
    }

    /// Leaves the finished bar on screen.
    pub fn finish(&self) {
        // Early stopping ends before the last step: the length is set to what was done.
        if let Ok(done) = self.done.lock() {
            self.bar.set_length(done.values().sum());
        }
        self.bar.finish();
    }
}

/// A bar over the bytes of one file after the other.
#[derive(Debug)]
pub struct DownloadProgress {
    bar: ProgressBar,
    lines: Option<Lines>,
}

impl DownloadProgress {
    /// A bar that appears with the first bytes.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} left {eta} {msg}";
        Self { bar: styled(None, template), lines: Lines::off_terminal(false) }
    }

    /// Moves the bar.
    pub fn update(&self, progress: &fetch::Progress<'_>) {
        match progress {
            fetch::Progress::Bytes { file, done, total } => {
                if self.bar.message() != *file {
                    // Bytes of an earlier call do not count as rate.
                    self.bar.reset();
                    self.bar.set_position(*done);
                    self.bar.reset_eta();
                    self.bar.set_message((*file).to_owned());
                    self.lines.iter().for_each(Lines::begin_again);
                }
                match total {
                    Some(total) => self.bar.set_length(*total),
                    None => self.bar.unset_length(),
                }
                self.bar.set_position(*done);
                if let Some(due) = self.lines.as_ref().and_then(|lines| lines.due(&self.bar)) {
                    tables::note(&download_line(file, &due));
                }
            }
            fetch::Progress::Retry { file, attempt, retries, reason, .. } => {
                let line = format!("{file}: {reason}; further attempt {attempt} of {retries}");
                // Where there is no bar it prints nothing.
                match self.lines {
                    Some(_) => tables::note(&line),
                    None => self.bar.println(line),
                }
            }
            _ => {}
        }
    }

    /// Takes the bar off the screen.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn download_line(file: &str, due: &Due) -> String {
    let mut line = format!("{file}: {}", BinaryBytes(due.position));
    if let Some(length) = due.length {
        line += &format!(" of {}", BinaryBytes(length));
    }
    if due.rate > 0.0 {
        line += &format!(", {}/s", BinaryBytes(due.rate as u64));
    }
    if let Some(left) = due.left() {
        line += &format!(", left {left:.0} s");
    }
    line
}

/// A bar over pieces of work that are counted.
#[derive(Debug)]
pub struct CountedProgress {
    bar: ProgressBar,
    what: &'static str,
    lines: Option<Lines>,
}

impl CountedProgress {
    /// A bar over `length` pieces that are called `what`; hidden when `quiet`.
    #[must_use]
    pub fn new(length: usize, what: &'static str, quiet: bool) -> Self {
        let template = format!("{{bar:30}} {{pos}}/{{len}} {what} {{per_sec}} left {{eta}} {{msg}}");
        let bar = styled(Some(length as u64), &template);
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, what, lines: Lines::off_terminal(quiet) }
    }

    /// A part of a piece begins.
    pub fn begin(&self, name: String) {
        self.bar.set_message(name);
        self.bar.tick();
        self.tell();
    }

    /// So many pieces are done.
    pub fn set_position(&self, done: usize) {
        self.bar.set_position(done as u64);
        self.tell();
    }

    fn tell(&self) {
        if let Some(due) = self.lines.as_ref().and_then(|lines| lines.due(&self.bar)) {
            tables::note(&counted_line(&due, self.what, &self.bar.message()));
        }
    }

    /// A piece is done.
    pub fn done(&self) {
        self.bar.inc(1);
    }

    /// Takes the bar off the screen.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn counted_line(due: &Due, what: &str, name: &str) -> String {
    let left = due.left().map_or_else(String::new, |left| format!(", left {left:.0} s"));
    let name = if name.is_empty() { String::new() } else { format!(": {name}") };
    format!("{}/{} {what}{left}{name}", due.position, due.length.unwrap_or(0))
}

/// A bar over the bytes of a file that is read; hidden when `quiet`.
#[must_use]
pub fn bytes(quiet: bool) -> ProgressBar {
    let bar = styled(None, "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} left {eta} {msg}");
    if quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// A bar over rows, of which there may be any number; hidden where rows are written on the terminal.
#[must_use]
pub fn rows(length: Option<usize>, hidden: bool) -> ProgressBar {
    let template = match length {
        Some(_) => "{bar:30} {pos}/{len} rows {per_sec} left {eta}",
        None => "{spinner} {pos} rows {per_sec}",
    };
    let bar = styled(length.map(|length| length as u64), template);
    if hidden {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

fn styled(length: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_at_growing_intervals_and_say_what_a_bar_would() {
        let (lines, bar) = (Lines::new(), ProgressBar::hidden());
        bar.set_length(100);
        assert!(lines.due(&bar).is_none(), "nothing in the first second");
        let now = Instant::now();
        let before = |seconds| now.checked_sub(Duration::from_secs(seconds)).unwrap();
        *lines.state.lock().unwrap() =
            LineState { pause: FIRST_PAUSE, told: before(10), begin: Some((before(10), 0)) };
        bar.set_position(50);
        let due = lines.due(&bar).unwrap();
        assert!((due.rate - 5.0).abs() < 0.1 && (due.left().unwrap() - 10.0).abs() < 0.2);
        assert!(lines.due(&bar).is_none() && lines.state.lock().unwrap().pause == 2 * FIRST_PAUSE);
    }

    #[test]
    fn lines_of_downloads_and_counts_tell_what_is_known() {
        let due = Due { position: 3 << 20, length: Some(9 << 20), rate: f64::from(1 << 20) };
        assert_eq!(download_line("a.tar", &due), "a.tar: 3.00 MiB of 9.00 MiB, 1.00 MiB/s, left 6 s");
        let unknown = Due { length: None, rate: 0.0, ..due };
        assert_eq!(download_line("a.tar", &unknown), "a.tar: 3.00 MiB");
        let due = Due { position: 2, length: Some(19), rate: 0.5 };
        assert_eq!(
            counted_line(&due, "corruptions", "fog, severity 3"),
            "2/19 corruptions, left 34 s: fog, severity 3"
        );
        assert_eq!(counted_line(&due, "images looked at", ""), "2/19 images looked at, left 34 s");
    }
}
