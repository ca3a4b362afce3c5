//! The outcome file of a set: `RecordID` and `In-hospital_death`, found by column name.
//!
//! Not for the severity scores in the same file (SAPS-I, SOFA), which are no inputs of this benchmark.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Error;
use crate::clinical::ClinicalError;

/// Record numbers with 0 (survived) or 1 (died).
pub(super) fn parse_outcomes(file: &Path, bytes: &[u8]) -> Result<BTreeMap<u64, usize>, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = (1_u64..).zip(text.lines().map(str::trim));
    let (_, header) = lines.next().ok_or_else(|| Error::EmptyFile { path: file.into() })?;
    let columns: Vec<&str> = header.trim_start_matches('\u{feff}').split(',').map(str::trim).collect();
    let find = |column: &'static str| {
        columns.iter().position(|name| *name == column).ok_or_else(|| {
            let got = columns.iter().map(|&name| name.to_owned()).collect();
            ClinicalError::Column { file: file.into(), column, got }
        })
    };
    let (id_column, death_column) = (find("RecordID")?, find("In-hospital_death")?);
    let mut outcomes = BTreeMap::new();
    for (row, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        if fields.len() != columns.len() {
            let (expected, got) = (columns.len(), fields.len());
            return Err(ClinicalError::Fields { file: file.into(), row, expected, got }.into());
        }
        let refuse = |at: usize, expected| ClinicalError::Field {
            file: file.into(),
            row,
            column: columns[at].into(),
            value: fields[at].into(),
            expected,
        };
        let id: u64 = fields[id_column].parse().map_err(|_| refuse(id_column, "a record number"))?;
        let death = match fields[death_column] {
            "0" => 0,
            "1" => 1,
            _ => return Err(refuse(death_column, "0 or 1").into()),
        };
        if outcomes.insert(id, death).is_some() {
            return Err(ClinicalError::OutcomeRepeated { file: file.into(), row, id }.into());
        }
    }
    if outcomes.is_empty() {
        return Err(Error::EmptyFile { path: file.into() });
    }
    let deaths: usize = outcomes.values().sum();
    if deaths == 0 || deaths == outcomes.len() {
        let (records, outcome) = (outcomes.len(), u8::from(deaths > 0));
        return Err(ClinicalError::OneClass { file: file.into(), records, outcome }.into());
    }
    Ok(outcomes)
}
