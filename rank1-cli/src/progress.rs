//! Progress on stderr with rate and time left: of training with the current NLL, of downloads and of corruptions.
//!
//! As bars, and of training, where stderr is no terminal, as lines at intervals.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
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
    /// Where stderr is no terminal, and shows no bar.
    lines: Option<Lines>,
}

/// Lines in place of a bar: the first after a second, each after twice the time of the one before, at least one a minute.
#[derive(Debug)]
struct Lines {
    unit: &'static str,
    state: Mutex<LineState>,
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
    fn new(unit: &'static str) -> Self {
        let state = LineState { pause: FIRST_PAUSE, told: Instant::now(), begin: None };
        Self { unit, state: Mutex::new(state) }
    }

    /// Prints what `bar` would show, if it is time.
    fn tell(&self, bar: &ProgressBar) {
        let Ok(mut state) = self.state.lock() else { return };
        let (now, position, length) = (Instant::now(), bar.position(), bar.length().unwrap_or(0));
        let begin = *state.begin.get_or_insert((now, position));
        if now - state.told < state.pause {
            return;
        }
        state.told = now;
        state.pause = (2 * state.pause).min(LONGEST_PAUSE);
        let rate = (position - begin.1.min(position)) as f64 / (now - begin.0).as_secs_f64().max(1e-3);
        let mut line = bar.prefix();
        if rate > 0.0 {
            let left = length.saturating_sub(position) as f64 / rate;
            line += &format!(" {rate:.1} {}/s left {left:.0} s", self.unit);
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
        let lines = (!quiet && !std::io::stderr().is_terminal()).then(|| Lines::new(unit));
        Self { bar, networks, done: Mutex::default(), warned: AtomicBool::new(false), lines }
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
            lines.tell(&self.bar);
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
}

impl DownloadProgress {
    /// A bar that appears with the first bytes.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} left {eta} {msg}";
        Self { bar: styled(None, template) }
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
                }
                match total {
                    Some(total) => self.bar.set_length(*total),
                    None => self.bar.unset_length(),
                }
                self.bar.set_position(*done);
            }
            fetch::Progress::Retry { file, attempt, retries, reason, .. } => {
                self.bar.println(format!("{file}: {reason}; further attempt {attempt} of {retries}"));
            }
            _ => {}
        }
    }

    /// Takes the bar off the screen.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar over pieces of work that are counted.
#[must_use]
pub fn counted(length: usize, what: &str) -> ProgressBar {
    styled(
        Some(length as u64),
        &format!("{{bar:30}} {{pos}}/{{len}} {what} {{per_sec}} left {{eta}} {{msg}}"),
    )
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

fn styled(length: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
