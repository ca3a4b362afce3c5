//! Ctrl-C and SIGTERM: the first asks training to save and stop, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::tables;

/// Added to the number of a signal in the exit code, as shells do.
const SIGNALED: i32 = 128;

/// A request to stop that signals make.
#[derive(Debug, Clone)]
pub struct StopRequest {
    stop: Arc<AtomicBool>,
    signal: Arc<AtomicI32>,
    /// Whether the flag is looked at; a signal ends the process at once otherwise.
    is_training: Arc<AtomicBool>,
}

/// Training that a signal stopped; the text says how to go on.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Interrupted {
    text: String,
    signal: i32,
}

impl Interrupted {
    /// Exit code: 130 after Ctrl-C, 143 after SIGTERM.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::try_from(SIGNALED + self.signal).unwrap_or(u8::MAX)
    }
}

impl StopRequest {
    /// Listens for signals from now on; the flag is expected to be looked at until [`StopRequest::end_training`]. Ranks can
    /// only save together, and a launcher sends SIGTERM to all where one has died.
    ///
    /// # Errors
    /// A system that does not let signals be listened for.
    pub fn listen(resume: String, on_ranks: bool) -> Result<Self> {
        let request = Self {
            stop: Arc::default(),
            signal: Arc::default(),
            is_training: Arc::new(AtomicBool::new(true)),
        };
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
        let heard = request.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    heard.hear(signal, &resume, on_ranks);
                }
            })
            .context("cannot listen for signals")?;
        Ok(request)
    }

    fn hear(&self, signal: i32, resume: &str, on_ranks: bool) {
        let again = self.stop.swap(true, Ordering::SeqCst);
        self.signal.store(signal, Ordering::SeqCst);
        if again || !self.is_training.load(Ordering::SeqCst) {
            tables::note(&format!("stopped by {}; go on with `{resume}`", name(signal)));
            std::process::exit(SIGNALED + signal);
        }
        let told = if on_ranks {
            format!("stopping, and saving if every rank is still there; go on with `{resume}`")
        } else {
            "saving and stopping; a second one stops at once".to_owned()
        };
        tables::note(&format!("{}: {told}", name(signal)));
    }

    /// The flag that training reads.
    #[must_use]
    pub fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// Nobody looks at the flag any more: from now on a signal ends the process.
    pub fn end_training(&self) {
        self.is_training.store(false, Ordering::SeqCst);
    }

    /// What is told of a run that stopped: whether anything was saved, and how to go on.
    #[must_use]
    pub fn interrupted(&self, is_saved: bool, resume: &str) -> Interrupted {
        let signal = self.signal.load(Ordering::SeqCst);
        let how = if is_saved {
            format!("the run is saved; go on with `{resume}`")
        } else {
            "nothing was trained yet, nothing is left".into()
        };
        Interrupted { text: format!("stopped by {}; {how}", name(signal)), signal }
    }
}

fn name(signal: i32) -> &'static str {
    if signal == SIGTERM { "SIGTERM" } else { "Ctrl-C" }
}

/// The words of this process with `--resume`, as a shell reads them.
#[must_use]
pub fn resume_command(words: impl Iterator<Item = String>) -> String {
    let mut shown: Vec<String> = words.map(|word| quoted(&word)).collect();
    if !shown.iter().any(|word| word == "--resume") {
        shown.push("--resume".into());
    }
    shown.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_go_on_is_quoted_and_has_resume_once() {
        let words = |line: &[&str]| resume_command(line.iter().map(|word| (*word).to_owned()));
        assert_eq!(words(&["rank1", "train", "a b.toml"]), "rank1 train 'a b.toml' --resume");
        assert_eq!(words(&["rank1", "train", "it's", "--resume"]), r"rank1 train 'it'\''s' --resume");
    }
}
