//! What came of a reader's inputs: counts, extremes, failures, as lines and as a file of figures.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

/// Failures of one kind and text whose inputs are kept.
const KEPT: usize = 3;

/// How often a long run says how far it is.
const INTERVAL: Duration = Duration::from_secs(10);

/// What must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A panic, also one of a statement about what was read.
    Panic,
    /// More memory than stated.
    Memory,
    /// More time than an input may take.
    Time,
    /// A refusal that is not one short line.
    Message,
    /// A file that was not changed is not read as it must be.
    Entry,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "panic",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Message => "message",
            Self::Entry => "entry",
        })
    }
}

/// One failing input.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) what: String,
    pub(crate) number: u64,
    file: Option<String>,
}

/// The figures of a reader.
#[derive(Debug)]
pub(crate) struct Report {
    reader: &'static str,
    most_bytes: usize,
    started: Instant,
    told: Instant,
    pub(crate) inputs: u64,
    pub(crate) accepted: u64,
    worst: Duration,
    peak: usize,
    pub(crate) n_failures: u64,
    pub(crate) failures: Vec<Failure>,
}

impl Report {
    pub(crate) fn new(reader: &'static str, most_bytes: usize) -> Self {
        let now = Instant::now();
        Self {
            reader,
            most_bytes,
            started: now,
            told: now,
            inputs: 0,
            accepted: 0,
            worst: Duration::ZERO,
            peak: 0,
            n_failures: 0,
            failures: Vec::new(),
        }
    }

    pub(crate) fn count(&mut self, accepted: bool, time: Duration, peak: usize) {
        self.inputs += 1;
        self.accepted += u64::from(accepted);
        self.worst = self.worst.max(time);
        self.peak = self.peak.max(peak);
    }

    /// Notes a failure; whether its input is to be kept.
    pub(crate) fn fail(&mut self, kind: Kind, what: String, number: u64, file: Option<&Path>) -> bool {
        self.n_failures += 1;
        // Numbers in a text differ from input to input.
        let form = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).take(60).collect::<String>();
        let same = self.failures.iter().filter(|f| f.kind == kind && form(&f.what) == form(&what)).count();
        if same >= KEPT || self.failures.len() >= 100 {
            return false;
        }
        let file = file.map(|file| file.display().to_string());
        self.failures.push(Failure { kind, what, number, file });
        true
    }

    /// Says how far a long run is.
    #[allow(clippy::print_stderr, reason = "seen by the person who runs it")]
    pub(crate) fn tell(&mut self) {
        if self.told.elapsed() >= INTERVAL {
            self.told = Instant::now();
            eprintln!("{}", self.line());
        }
    }

    fn line(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        format!(
            "{}: {} inputs in {seconds:.0} s ({:.0} a second), {} accepted, worst {:.1} ms, {:.1} MiB, {} failures",
            self.reader,
            self.inputs,
            self.inputs as f64 / seconds.max(1e-9),
            self.accepted,
            self.worst.as_secs_f64() * 1e3,
            self.peak as f64 / f64::from(1 << 20),
            self.n_failures
        )
    }

    /// Writes the figures into the folder, if there is one.
    pub(crate) fn finish(&self, folder: Option<&Path>) {
        let Some(folder) = folder else { return };
        let failures: Vec<serde_json::Value> = self
            .failures
            .iter()
            .map(
                |f| json!({ "kind": f.kind.to_string(), "what": f.what, "number": f.number, "file": f.file }),
            )
            .collect();
        let figures = json!({
            "reader": self.reader,
            "inputs": self.inputs,
            "seconds": self.started.elapsed().as_secs_f64(),
            "accepted": self.accepted,
            "worst_ms": self.worst.as_secs_f64() * 1e3,
            "peak_bytes": self.peak,
            "most_bytes": self.most_bytes,
            "n_failures": self.n_failures,
            "failures": failures,
        });
        let text = serde_json::to_vec_pretty(&figures).expect("numbers and texts");
        std::fs::write(folder.join("figures.json"), text).expect("the folder of figures can be written");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())?;
        for failure in &self.failures {
            write!(f, "\n  {} at input {}: {}", failure.kind, failure.number, failure.what)?;
            if let Some(file) = &failure.file {
                write!(f, " ({file})")?;
            }
        }
        Ok(())
    }
}
