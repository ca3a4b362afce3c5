//! The figures of a reader, as its process writes them, and the table of all.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::ASCII_MARKDOWN};
use serde::{Deserialize, Serialize};

const MIB: f64 = (1 << 20) as f64;

/// What must not have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: String,
    pub(super) what: String,
    pub(super) number: u64,
    pub(super) file: Option<String>,
}

/// What came of the inputs of a reader.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) reader: String,
    pub(super) inputs: u64,
    pub(super) seconds: f64,
    pub(super) accepted: u64,
    pub(super) worst_ms: f64,
    pub(super) peak_bytes: u64,
    pub(super) most_bytes: u64,
    pub(super) n_failures: u64,
    pub(super) failures: Vec<Failure>,
}

impl Figures {
    /// Those of two processes of a reader.
    pub(super) fn add(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.seconds += other.seconds;
        self.accepted += other.accepted;
        self.worst_ms = self.worst_ms.max(other.worst_ms);
        self.peak_bytes = self.peak_bytes.max(other.peak_bytes);
        self.most_bytes = self.most_bytes.max(other.most_bytes);
        self.n_failures += other.n_failures;
        self.failures.extend(other.failures);
    }

    fn rate(&self) -> f64 {
        self.inputs as f64 / self.seconds.max(1e-9)
    }

    /// One line of them.
    pub(super) fn line(&self) -> String {
        format!(
            "{}: {} inputs in {:.0} s, {} accepted, worst {:.1} ms, {:.1} MiB, {} failures",
            self.reader,
            self.inputs,
            self.seconds,
            self.accepted,
            self.worst_ms,
            self.peak_bytes as f64 / MIB,
            self.n_failures
        )
    }

    /// A failure, and the command that repeats it.
    pub(super) fn describe(&self, failure: &Failure) -> String {
        let repeat = failure.file.as_ref().map_or_else(String::new, |file| {
            format!("\n       cargo xtask fuzz {} --replay {file}", self.reader)
        });
        format!("{} input {}: {}: {}{repeat}", self.reader, failure.number, failure.kind, failure.what)
    }
}

/// A row a reader.
pub(super) fn table(all: &[Figures]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "reader",
        "inputs",
        "inputs/s",
        "accepted",
        "refused",
        "worst ms",
        "peak MiB",
        "bound MiB",
        "failures",
    ]);
    for figures in all {
        table.add_row([
            figures.reader.clone(),
            figures.inputs.to_string(),
            format!("{:.0}", figures.rate()),
            figures.accepted.to_string(),
            (figures.inputs - figures.accepted.min(figures.inputs)).to_string(),
            format!("{:.1}", figures.worst_ms),
            format!("{:.1}", figures.peak_bytes as f64 / MIB),
            format!("{:.0}", figures.most_bytes as f64 / MIB),
            figures.n_failures.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Figures {
        let failure = Failure {
            kind: "panic".into(),
            what: "a.rs:3: no".into(),
            number: 7,
            file: Some("f.bin".into()),
        };
        Figures {
            reader: "csv".into(),
            inputs: 10,
            seconds: 2.0,
            accepted: 4,
            worst_ms: 1.5,
            peak_bytes: 3 << 20,
            most_bytes: 32 << 20,
            n_failures: 1,
            failures: vec![failure],
        }
    }

    #[test]
    fn figures_of_two_processes_are_added_and_extremes_kept() {
        let mut sum = sample();
        sum.add(Figures { worst_ms: 9.0, peak_bytes: 1, ..sample() });
        assert_eq!((sum.inputs, sum.accepted, sum.n_failures, sum.failures.len()), (20, 8, 2, 2));
        assert_eq!((sum.worst_ms, sum.peak_bytes), (9.0, 3 << 20));
    }

    #[test]
    fn a_failure_comes_with_the_command_that_repeats_it() {
        let all = sample();
        let text = all.describe(&all.failures[0]);
        assert!(text.starts_with("csv input 7: panic: a.rs:3: no\n"), "{text}");
        assert!(text.ends_with("cargo xtask fuzz csv --replay f.bin"), "{text}");
        assert!(table(&[all]).to_string().contains("| csv "));
    }
}
