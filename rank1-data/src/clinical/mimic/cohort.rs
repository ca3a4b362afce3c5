//! Which stays take part, with their patient's part of the data, context and outcome.
//!
//! Not for events.

use std::collections::HashMap;
use std::path::Path;

use super::options::{BadTimes, MimicOptions};
use super::table::{Table, require};
use crate::clinical::ClinicalError;
use crate::{Error, hash};

/// Age given to patients above 89, whose birth is shifted by 300 years in the tables: their median as documented there.
const SHIFTED_AGE: f64 = 91.4;
const YEAR_SECONDS: f64 = 365.242_5 * 86_400.0;
/// Admission types and units that have a context column; others have zeros.
pub(super) const ADMISSION_TYPES: [&str; 3] = ["EMERGENCY", "URGENT", "ELECTIVE"];
pub(super) const UNITS: [&str; 5] = ["CCU", "CSRU", "MICU", "SICU", "TSICU"];

/// How many stays the rules of the cohort leave out, in the order in which the rules are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CohortCounts {
    /// Rows of ICUSTAYS.
    pub icu_stays: usize,
    /// Stays whose admission or patient is in no table, or whose patient differs between tables.
    pub unmatched: usize,
    /// Stays with a time that is empty or, where such rows are skipped, cannot be read.
    pub no_time: usize,
    /// Later stays of the same admission.
    pub not_first: usize,
    /// Patients below the least age.
    pub too_young: usize,
    /// Stays that end before the time of prediction.
    pub too_short: usize,
    /// Patients who die before the time of prediction.
    pub died_before_prediction: usize,
    /// Stays that are kept.
    pub kept: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Stay {
    pub(super) subject: u32,
    pub(super) admission: u32,
    pub(super) stay: u32,
    pub(super) start: i64,
    /// 0 training, 1 validation, 2 test.
    pub(super) part: usize,
    pub(super) age: f64,
    /// -1 female, 1 male, 0 not known.
    pub(super) gender: f64,
    pub(super) admission_type: Option<usize>,
    pub(super) unit: Option<usize>,
    pub(super) died: usize,
}

#[derive(Debug)]
pub(super) struct Cohort {
    /// Ascending by patient, then by admission.
    pub(super) stays: Vec<Stay>,
    pub(super) by_subject: HashMap<u32, Vec<usize>>,
    pub(super) counts: CohortCounts,
}

struct Admission {
    subject: u32,
    death: Option<i64>,
    kind: Option<usize>,
    died: usize,
}

pub(super) fn read(root: &Path, options: &MimicOptions) -> Result<Cohort, Error> {
    let patients = patients(root, options.bad_times)?;
    let admissions = admissions(root, options.bad_times)?;
    let mut table = Table::open(
        require(root, "ICUSTAYS")?,
        &["SUBJECT_ID", "HADM_ID", "ICUSTAY_ID", "FIRST_CAREUNIT", "INTIME", "OUTTIME"],
    )?;
    let mut counts = CohortCounts::default();
    let mut first: HashMap<u32, (Stay, i64)> = HashMap::new();
    while table.advance()? {
        counts.icu_stays += 1;
        let (subject, admission, stay) = (table.id(0)?, table.maybe_id(1)?, table.id(2)?);
        let found = admission.and_then(|id| Some((id, admissions.get(&id)?, patients.get(&subject)?)));
        let Some((admission, facts, &(gender, birth))) =
            found.filter(|(_, facts, _)| facts.subject == subject)
        else {
            counts.unmatched += 1;
            continue;
        };
        let times =
            [table.time(4, options.bad_times)?.flatten(), table.time(5, options.bad_times)?.flatten()];
        let ([Some(start), Some(end)], Some(birth)) = (times, birth) else {
            counts.no_time += 1;
            continue;
        };
        let years = (start - birth) as f64 / YEAR_SECONDS;
        let new = Stay {
            subject,
            admission,
            stay,
            start,
            part: part_of(subject, options),
            age: if years > 89.0 { SHIFTED_AGE } else { years },
            gender,
            admission_type: facts.kind,
            unit: position(&UNITS, table.field(3)),
            died: facts.died,
        };
        let known = first.get(&admission);
        counts.not_first += usize::from(known.is_some());
        if known.is_none_or(|(known, _)| (start, stay) < (known.start, known.stay)) {
            first.insert(admission, (new, end));
        }
    }
    let window = i64::from(options.window_hours) * 3_600;
    let mut stays = Vec::new();
    for (stay, end) in first.into_values() {
        let prediction = stay.start + window;
        if stay.age < options.min_age {
            counts.too_young += 1;
        } else if end < prediction {
            counts.too_short += 1;
        } else if admissions[&stay.admission].death.is_some_and(|death| death < prediction) {
            counts.died_before_prediction += 1;
        } else {
            stays.push(stay);
        }
    }
    stays.sort_unstable_by_key(|stay| (stay.subject, stay.admission));
    counts.kept = stays.len();
    let mut by_subject: HashMap<u32, Vec<usize>> = HashMap::new();
    stays.iter().enumerate().for_each(|(at, stay)| by_subject.entry(stay.subject).or_default().push(at));
    check(&stays, &counts)?;
    Ok(Cohort { stays, by_subject, counts })
}

fn check(stays: &[Stay], counts: &CohortCounts) -> Result<(), ClinicalError> {
    let refuse = |problem| Err(ClinicalError::Cohort { stays: stays.len(), problem });
    let train: Vec<usize> = stays.iter().filter(|stay| stay.part == 0).map(|stay| stay.died).collect();
    match (stays.is_empty(), train.iter().sum::<usize>()) {
        (true, _) => refuse(format!("no stay is left of {counts:?}")),
        (_, 0) if train.is_empty() => refuse("no patient is in the training part".into()),
        (_, deaths) if deaths == 0 || deaths == train.len() => {
            refuse(format!("all {} training stays have the outcome {}", train.len(), u8::from(deaths > 0)))
        }
        _ => Ok(()),
    }
}

/// The part of a patient: a hash of seed and number, so that it does not depend on who else is in the tables.
pub(super) fn part_of(subject: u32, options: &MimicOptions) -> usize {
    let draw = hash::uniform(options.seed, u64::from(subject));
    let [train, valid, test] = options.fractions;
    match draw {
        draw if draw < train || valid + test == 0.0 => 0,
        draw if draw < train + valid || test == 0.0 => 1,
        _ => 2,
    }
}

fn patients(root: &Path, bad: BadTimes) -> Result<HashMap<u32, (f64, Option<i64>)>, Error> {
    let mut table = Table::open(require(root, "PATIENTS")?, &["SUBJECT_ID", "GENDER", "DOB"])?;
    let mut patients = HashMap::new();
    while table.advance()? {
        let gender = match table.field(1) {
            b"F" => -1.0,
            b"M" => 1.0,
            _ => 0.0,
        };
        patients.insert(table.id(0)?, (gender, table.time(2, bad)?.flatten()));
    }
    Ok(patients)
}

fn admissions(root: &Path, bad: BadTimes) -> Result<HashMap<u32, Admission>, Error> {
    let columns = ["SUBJECT_ID", "HADM_ID", "DEATHTIME", "ADMISSION_TYPE", "HOSPITAL_EXPIRE_FLAG"];
    let mut table = Table::open(require(root, "ADMISSIONS")?, &columns)?;
    let mut admissions = HashMap::new();
    while table.advance()? {
        let died = match table.field(4) {
            b"0" => 0,
            b"1" => 1,
            _ => return Err(table.bad(4, "0 or 1").into()),
        };
        let (death, kind) = (table.time(2, bad)?.flatten(), position(&ADMISSION_TYPES, table.field(3)));
        admissions.insert(table.id(1)?, Admission { subject: table.id(0)?, death, kind, died });
    }
    Ok(admissions)
}

fn position(names: &[&str], name: &[u8]) -> Option<usize> {
    names.iter().position(|known| known.as_bytes() == name)
}
