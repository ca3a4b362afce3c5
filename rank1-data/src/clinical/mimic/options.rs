//! Choices of the MIMIC-III reader, and what is impossible among them.
//!
//! Not for the rules of the cohort that are not up for choice; see [`super::MimicSet::read`].

use crate::clinical::ClinicalError;

/// A table of timed events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventTable {
    /// Charted observations, 330 million rows.
    ChartEvents,
    /// Laboratory results.
    LabEvents,
    /// Inputs recorded by the older system.
    InputEventsCv,
    /// Inputs recorded by the newer system, with start and end.
    InputEventsMv,
    /// Urine, drains and other outputs.
    OutputEvents,
    /// Notes, as counts of their words.
    NoteEvents,
}

impl EventTable {
    /// The name of the file, without its ending.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChartEvents => "CHARTEVENTS",
            Self::LabEvents => "LABEVENTS",
            Self::InputEventsCv => "INPUTEVENTS_CV",
            Self::InputEventsMv => "INPUTEVENTS_MV",
            Self::OutputEvents => "OUTPUTEVENTS",
            Self::NoteEvents => "NOTEEVENTS",
        }
    }
}

/// What to do with a row whose time cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BadTimes {
    /// Refuse the file, with the row.
    #[default]
    Refuse,
    /// Leave the row out and count it.
    Skip,
}

/// Choices of [`super::MimicSet::read`].
#[derive(Debug, Clone, PartialEq)]
pub struct MimicOptions {
    /// Hours from admission to the unit to the time of prediction; 48 by default, 24 is the other usual choice.
    pub window_hours: u32,
    /// Hours that make one step; must divide the window. 1 by default, 24 for day bags.
    pub bin_hours: u32,
    /// Youngest age in years; 18 by default.
    pub min_age: f64,
    /// Shares of patients in the training, validation and test part; they add up to 1.
    pub fractions: [f64; 3],
    /// Seed of the division of patients.
    pub seed: u64,
    /// The tables to read; all but the notes by default. A chosen table must exist.
    pub tables: Vec<EventTable>,
    /// Most numeric items; 100 by default.
    pub max_dense: usize,
    /// Most items that are counted.
    pub max_items: usize,
    /// Most words of notes that are counted.
    pub max_tokens: usize,
    /// Fewest events of training patients for an item or word to be used.
    pub min_count: u64,
    /// What to do with times that cannot be read.
    pub bad_times: BadTimes,
    /// Most bytes that the arrays may take at the peak; 16 GiB by default.
    pub memory_limit: u64,
}

impl Default for MimicOptions {
    fn default() -> Self {
        use EventTable::{ChartEvents, InputEventsCv, InputEventsMv, LabEvents, OutputEvents};
        Self {
            window_hours: 48,
            bin_hours: 1,
            min_age: 18.0,
            fractions: [0.8, 0.1, 0.1],
            seed: 0,
            tables: vec![ChartEvents, LabEvents, InputEventsCv, InputEventsMv, OutputEvents],
            max_dense: 100,
            max_items: 200,
            max_tokens: 200,
            min_count: 100,
            bad_times: BadTimes::Refuse,
            memory_limit: 16 << 30,
        }
    }
}

impl MimicOptions {
    pub(super) fn check(&self) -> Result<(), ClinicalError> {
        let refuse = |option, problem: String| Err(ClinicalError::Choice { option, problem });
        if self.window_hours == 0 || self.window_hours > 24 * 365 {
            return refuse("window_hours", format!("{} is not between 1 and 8760", self.window_hours));
        }
        if self.bin_hours == 0 || !self.window_hours.is_multiple_of(self.bin_hours) {
            let problem =
                format!("{} does not divide the window of {} hours", self.bin_hours, self.window_hours);
            return refuse("bin_hours", problem);
        }
        if !(self.min_age >= 0.0 && self.min_age <= 89.0) {
            return refuse("min_age", format!("{} is not between 0 and 89", self.min_age));
        }
        let sum: f64 = self.fractions.iter().sum();
        if self.fractions.iter().any(|share| !(0.0..=1.0).contains(share))
            || (sum - 1.0).abs() > 1e-9
            || self.fractions[0] == 0.0
        {
            return refuse("fractions", format!("{:?} are not shares that add up to 1", self.fractions));
        }
        let mut tables = self.tables.clone();
        tables.sort_unstable();
        tables.dedup();
        if tables.is_empty() || tables.len() != self.tables.len() {
            return refuse("tables", "expected at least one table, each once".into());
        }
        if self.max_dense == 0 && self.max_items == 0 && self.max_tokens == 0 {
            return refuse("max_dense", "no numeric item, counted item or word is allowed".into());
        }
        Ok(())
    }

    pub(super) fn steps(&self) -> usize {
        (self.window_hours / self.bin_hours) as usize
    }
}
