//! One stay: the lines of one record file as a grid of 48 hours and four descriptors.
//!
//! Not for finding files or outcomes, and not for filling gaps: what was not seen stays NaN.

use std::collections::BTreeMap;
use std::path::Path;

use super::parameters::{DESCRIPTORS, PARAMETERS, Reading, judge_descriptor, judge_reading};
use super::{N_DESCRIPTORS, N_HOURS, N_PARAMETERS};
use crate::Error;
use crate::clinical::ClinicalError;

const HEADER: &str = "Time,Parameter,Value";

/// Values that were left out or changed on reading, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discards {
    /// Readings at 48:00 or later.
    pub late: usize,
    /// Values of -1 or empty, the files' mark for "not known".
    pub marked_missing: usize,
    /// NaN or infinite values.
    pub not_finite: usize,
    /// Values outside the plausible range, by parameter.
    pub implausible: BTreeMap<&'static str, usize>,
    /// Values kept after a unit slip was undone, by parameter.
    pub corrected: BTreeMap<&'static str, usize>,
    /// Rows of parameters that the challenge does not define, by the name in the file.
    pub unknown: BTreeMap<String, usize>,
}

impl Discards {
    /// Number of values left out for any reason; corrected values are not among them.
    pub fn total(&self) -> usize {
        self.late
            + self.marked_missing
            + self.not_finite
            + self.implausible.values().sum::<usize>()
            + self.unknown.values().sum::<usize>()
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.late += other.late;
        self.marked_missing += other.marked_missing;
        self.not_finite += other.not_finite;
        other.implausible.iter().for_each(|(name, n)| *self.implausible.entry(name).or_default() += n);
        other.corrected.iter().for_each(|(name, n)| *self.corrected.entry(name).or_default() += n);
        other.unknown.iter().for_each(|(name, n)| *self.unknown.entry(name.clone()).or_default() += n);
    }
}

#[derive(Debug)]
pub(super) struct Stay {
    /// Hour-major values, NaN where nothing was seen.
    pub(super) grid: Vec<f32>,
    pub(super) descriptors: [f32; N_DESCRIPTORS],
    pub(super) discards: Discards,
}

/// Reads one record file. Rows may come in any order: within an hour the latest minute wins, then the later row.
pub(super) fn parse_stay(file: &Path, id: u64, bytes: &[u8]) -> Result<Stay, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(str::trim_end);
    let header = lines.next().ok_or_else(|| Error::EmptyFile { path: file.into() })?;
    if header.trim_start_matches('\u{feff}') != HEADER {
        let got = header.to_owned();
        return Err(ClinicalError::Header { file: file.into(), expected: HEADER, got }.into());
    }
    let mut stay = Stay {
        grid: vec![f32::NAN; N_HOURS * N_PARAMETERS],
        descriptors: [f32::NAN; N_DESCRIPTORS],
        discards: Discards::default(),
    };
    let mut seen_minute = vec![0_u8; N_HOURS * N_PARAMETERS];
    for (row, line) in (2..).zip(lines) {
        if !line.is_empty() {
            stay.take(file, row, id, line, &mut seen_minute)?;
        }
    }
    Ok(stay)
}

impl Stay {
    fn take(&mut self, file: &Path, row: u64, id: u64, line: &str, seen: &mut [u8]) -> Result<(), Error> {
        let fields = || line.split(',');
        let (time, name, value) = match (fields().next(), fields().nth(1), fields().nth(2), fields().nth(3)) {
            (Some(time), Some(name), Some(value), None) => (time.trim(), name.trim(), value.trim()),
            _ => {
                let got = fields().count();
                return Err(ClinicalError::Fields { file: file.into(), row, expected: 3, got }.into());
            }
        };
        let (hour, minute) = parse_time(time).ok_or_else(|| ClinicalError::Field {
            file: file.into(),
            row,
            column: "Time".into(),
            value: time.into(),
            expected: "a time HH:MM",
        })?;
        if name == "RecordID" {
            if value.parse() != Ok(id) {
                let got = value.to_owned();
                return Err(ClinicalError::RecordId { file: file.into(), row, expected: id, got }.into());
            }
            return Ok(());
        }
        let parameter = PARAMETERS.iter().position(|parameter| parameter.name == name);
        let descriptor = DESCRIPTORS.iter().position(|descriptor| *descriptor == name);
        if parameter.is_none() && descriptor.is_none() {
            *self.discards.unknown.entry(name.to_owned()).or_default() += 1;
            return Ok(());
        }
        let Some(number) = self.number(value).map_err(|()| ClinicalError::Field {
            file: file.into(),
            row,
            column: name.into(),
            value: value.into(),
            expected: "a number",
        })?
        else {
            return Ok(());
        };
        if let Some(descriptor) = descriptor {
            let reading = judge_descriptor(descriptor, number);
            if let Some(value) = self.judged(DESCRIPTORS[descriptor], reading) {
                self.descriptors[descriptor] = value;
            }
        } else if let Some(parameter) = parameter {
            if hour >= N_HOURS {
                self.discards.late += 1;
                return Ok(());
            }
            let facts = &PARAMETERS[parameter];
            let Some(value) = self.judged(facts.name, judge_reading(facts, number)) else { return Ok(()) };
            let at = hour * N_PARAMETERS + parameter;
            let cell = &mut self.grid[at];
            if cell.is_nan() {
                *cell = value;
            } else if facts.summed {
                *cell += value;
            } else if minute >= seen[at] {
                *cell = value;
            }
            seen[at] = seen[at].max(minute);
        }
        Ok(())
    }

    /// The number in a field, `None` (and counted) for what stands for "not known".
    fn number(&mut self, value: &str) -> Result<Option<f32>, ()> {
        if value.is_empty() {
            self.discards.marked_missing += 1;
            return Ok(None);
        }
        let number: f32 = value.parse().map_err(|_| ())?;
        if number == -1.0 {
            self.discards.marked_missing += 1;
        } else if !number.is_finite() {
            self.discards.not_finite += 1;
        } else {
            return Ok(Some(number));
        }
        Ok(None)
    }

    fn judged(&mut self, name: &'static str, reading: Reading) -> Option<f32> {
        match reading {
            Reading::Plain(value) => Some(value),
            Reading::Corrected(value) => {
                *self.discards.corrected.entry(name).or_default() += 1;
                Some(value)
            }
            Reading::Implausible => {
                *self.discards.implausible.entry(name).or_default() += 1;
                None
            }
        }
    }
}

/// Hours (any number) and minutes below 60.
fn parse_time(text: &str) -> Option<(usize, u8)> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (hour, minute) = text.split_once(':')?;
    if !digits(hour) || !digits(minute) || minute.len() != 2 {
        return None;
    }
    let minute: u8 = minute.parse().ok()?;
    Some((hour.parse().ok()?, minute)).filter(|_| minute < 60)
}
