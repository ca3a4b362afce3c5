//! Event tables as a stream of events of the cohort's windows.
//!
//! Not for choosing or storing events; each event goes to a callback and is forgotten.

use std::path::Path;

use super::cohort::{Cohort, Stay};
use super::options::{EventTable, MimicOptions};
use super::table::{Table, require};
use super::{MimicProgress, notes};
use crate::Error;

/// Rows between two reports of progress.
const REPORT_ROWS: u64 = 1 << 18;

/// Where an item number comes from; the same number may stand for different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Source {
    Chart,
    Lab,
    Input,
    Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Item {
    pub(super) source: Source,
    pub(super) id: u32,
}

impl Item {
    /// Amounts add up within a step; observations replace each other.
    pub(super) fn is_amount(self) -> bool {
        matches!(self.source, Source::Input | Source::Output)
    }
}

#[derive(Debug)]
pub(super) enum Event<'a> {
    Item { item: Item, value: Option<f64> },
    Token(&'a str),
}

/// What became of the rows of one event table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows of the table.
    pub rows: u64,
    /// Rows that gave events.
    pub used: u64,
    /// Rows of patients outside the cohort.
    pub other_patient: u64,
    /// Rows of another admission of the patient.
    pub other_admission: u64,
    /// Rows before the stay, or at or after the time of prediction.
    pub outside_window: u64,
    /// Rows without a time, such as notes that have a date only.
    pub no_time: u64,
    /// Rows whose time cannot be read, where these are skipped.
    pub bad_time: u64,
    /// Rows without an item.
    pub no_item: u64,
    /// Rows that the hospital marked as erroneous or rewritten.
    pub marked_error: u64,
    /// Discharge summaries and their addenda: they are written after the outcome.
    pub discharge_summary: u64,
    /// Used rows whose value is NaN or infinite; their value is ignored.
    pub not_finite: u64,
}

struct Columns {
    source: Source,
    names: &'static [&'static str],
}

const SUBJECT: usize = 0;
const ADMISSION: usize = 1;
const TIME: usize = 2;
const ITEM: usize = 3;
const VALUE: usize = 4;
const MARK: usize = 5;
const END: usize = 6;

fn columns(table: EventTable) -> Columns {
    let (source, names): (Source, &'static [&'static str]) = match table {
        EventTable::ChartEvents => {
            (Source::Chart, &["SUBJECT_ID", "HADM_ID", "CHARTTIME", "ITEMID", "VALUENUM", "ERROR"])
        }
        EventTable::LabEvents => (Source::Lab, &["SUBJECT_ID", "HADM_ID", "CHARTTIME", "ITEMID", "VALUENUM"]),
        EventTable::InputEventsCv => {
            (Source::Input, &["SUBJECT_ID", "HADM_ID", "CHARTTIME", "ITEMID", "AMOUNT"])
        }
        EventTable::InputEventsMv => (
            Source::Input,
            &["SUBJECT_ID", "HADM_ID", "STARTTIME", "ITEMID", "AMOUNT", "STATUSDESCRIPTION", "ENDTIME"],
        ),
        EventTable::OutputEvents => {
            (Source::Output, &["SUBJECT_ID", "HADM_ID", "CHARTTIME", "ITEMID", "VALUE", "ISERROR"])
        }
        EventTable::NoteEvents => {
            (Source::Chart, &["SUBJECT_ID", "HADM_ID", "CHARTTIME", "CATEGORY", "TEXT", "ISERROR"])
        }
    };
    Columns { source, names }
}

/// Reads one table to its end; the callback gets the stay's place in the cohort and the seconds since its start.
pub(super) fn stream(
    root: &Path,
    which: EventTable,
    pass: usize,
    cohort: &Cohort,
    options: &MimicOptions,
    progress: &mut dyn FnMut(&MimicProgress),
    take: &mut dyn FnMut(usize, i64, Event<'_>),
) -> Result<RowCounts, Error> {
    let Columns { source, names } = columns(which);
    let mut table = Table::open(require(root, which.name())?, names)?;
    let mut counts = RowCounts::default();
    let window = i64::from(options.window_hours) * 3_600;
    let mut stays = Vec::new();
    let mut words = String::new();
    let mut report = |table: &Table, done| {
        progress(&MimicProgress {
            pass,
            table: which,
            rows: table.rows,
            bytes: table.bytes(),
            total_bytes: table.total_bytes,
            done,
        });
    };
    while table.advance()? {
        if table.rows.is_multiple_of(REPORT_ROWS) {
            report(&table, false);
        }
        let Some(patient) = cohort.by_subject.get(&table.id(SUBJECT)?) else {
            counts.other_patient += 1;
            continue;
        };
        let admission = table.maybe_id(ADMISSION)?;
        let time = match table.time(TIME, options.bad_times)? {
            Some(Some(time)) => time,
            Some(None) => {
                counts.no_time += 1;
                continue;
            }
            None => {
                counts.bad_time += 1;
                continue;
            }
        };
        let within = |stay: &Stay| (0..window).contains(&(time - stay.start));
        let of_admission = |stay: &Stay| admission.is_none_or(|id| id == stay.admission);
        stays.clear();
        stays.extend(
            patient
                .iter()
                .copied()
                .filter(|&at| within(&cohort.stays[at]) && of_admission(&cohort.stays[at])),
        );
        if stays.is_empty() {
            let elsewhere = patient.iter().any(|&at| of_admission(&cohort.stays[at]));
            *(if elsewhere { &mut counts.outside_window } else { &mut counts.other_admission }) += 1;
            continue;
        }
        if names.len() > MARK && matches!(table.field(MARK), b"1" | b"Rewritten") {
            counts.marked_error += 1;
            continue;
        }
        if which == EventTable::NoteEvents {
            if table.field(ITEM).eq_ignore_ascii_case(b"discharge summary") {
                counts.discharge_summary += 1;
                continue;
            }
            words.clear();
            words.push_str(&String::from_utf8_lossy(table.field(VALUE)));
            notes::tokens(&words, |token| {
                stays.iter().for_each(|&at| take(at, time - cohort.stays[at].start, Event::Token(token)));
            });
        } else {
            let Some(id) = table.maybe_id(ITEM)? else {
                counts.no_item += 1;
                continue;
            };
            let value = number(table.field(VALUE));
            counts.not_finite += u64::from(value.is_some_and(|value| !value.is_finite()));
            let value = value.filter(|value| value.is_finite());
            let end = if names.len() > END { table.time(END, options.bad_times)?.flatten() } else { None };
            for &at in &stays {
                let start = cohort.stays[at].start;
                let given = end.map_or(1.0, |end| given_before(time, end, start + window));
                let event =
                    Event::Item { item: Item { source, id }, value: value.map(|value| value * given) };
                take(at, time - start, event);
            }
        }
        counts.used += 1;
    }
    counts.rows = table.rows;
    report(&table, true);
    Ok(counts)
}

/// The share of an infusion that has run by the time of prediction.
fn given_before(start: i64, end: i64, prediction: i64) -> f64 {
    if end <= prediction { 1.0 } else { (prediction - start) as f64 / (end - start) as f64 }
}

/// A number, or `None` for text and nothing: many charted values are words.
fn number(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_infusion_counts_only_as_far_as_it_has_run() {
        assert_eq!(given_before(0, 100, 100), 1.0);
        assert_eq!(given_before(50, 150, 75), 0.25);
        assert_eq!(given_before(50, 40, 75), 1.0);
        assert_eq!((number(b"7.5"), number(b"Alert"), number(b"")), (Some(7.5), None, None));
    }
}
