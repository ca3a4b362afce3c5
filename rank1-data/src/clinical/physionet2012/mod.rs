//! PhysioNet/Computing in Cardiology Challenge 2012: in-hospital death after the first 48 hours in intensive care.
//!
//! Not for the severity scores and the length of stay of the outcome files, and not for the challenge's own scores.
//!
//! A set is one file per stay (`Time,Parameter,Value`) and `Outcomes-<letter>.txt`. [`Physionet2012::open`] makes
//! hourly grids with gaps, [`PhysionetScaler`] fills and standardizes them with statistics of training stays only.

use std::path::Path;

use ndarray::{Array1, Array2, Array3};
use rank1_core::targets::Targets;
use rayon::prelude::*;

use crate::clinical::ClinicalError;
use crate::{Dataset, Error, Task};

mod files;
mod outcomes;
mod parameters;
mod scaler;
mod stay;
#[cfg(test)]
mod tests;

pub use parameters::{PARAMETERS, Parameter, Scale};
pub use scaler::{PhysionetScaler, physionet2012_layout};
pub use stay::Discards;

/// Hours of a stay that are used.
const N_HOURS: usize = 48;
/// Time-series parameters.
const N_PARAMETERS: usize = PARAMETERS.len();
/// Age, gender, height and type of unit.
const N_DESCRIPTORS: usize = parameters::DESCRIPTORS.len();

/// The stays of one set as hourly grids with gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Physionet2012 {
    /// Shape `[N, 48, 37]`, in the order of [`PARAMETERS`]: the last plausible reading of the hour, for urine the sum;
    /// NaN where there is none.
    pub values: Array3<f32>,
    /// Shape `[N, 4]`: age in years, gender (0 female, 1 male), height in cm, type of unit (1 coronary, 2 cardiac surgery
    /// recovery, 3 medical, 4 surgical); NaN where not known.
    pub descriptors: Array2<f32>,
    /// In-hospital death, shape `[N]`: 0 survived, 1 died.
    pub labels: Array1<usize>,
    /// Record numbers, ascending.
    pub record_ids: Vec<u64>,
    /// What was left out or corrected in reading.
    pub discards: Discards,
}

impl Physionet2012 {
    /// Reads set `set` (`'a'`, `'b'`, `'c'` or any other letter) from `set-<letter>/` or `set-<letter>.tar.gz`, in `root` or in
    /// `root/physionet2012`.
    ///
    /// A stay without any reading is kept. Counted in [`Discards`] and left out, without an error: values of -1 or empty
    /// (documented as "not known"), NaN and infinite values, values outside the ranges of [`PARAMETERS`], readings at
    /// 48:00 or later, and rows of unknown parameters.
    ///
    /// # Errors
    /// [`Error::SetNotFound`], [`Error::Io`], [`Error::Compressed`], [`Error::EmptyFile`], and [`ClinicalError`] for a
    /// wrong header, a time or value that cannot be read, a record without outcome or the reverse, or a single class.
    pub fn open(root: &Path, set: char) -> Result<Self, Error> {
        if !set.is_ascii_alphabetic() {
            return Err(ClinicalError::SetLetter { got: set }.into());
        }
        let found = files::find(root, set)?;
        let bytes = std::fs::read(&found.outcomes).map_err(Error::io(&found.outcomes))?;
        let outcomes = outcomes::parse_outcomes(&found.outcomes, &bytes)?;
        let records = files::read_records(&found.records)?;
        if records.is_empty() {
            return Err(ClinicalError::NoRecords { file: found.records }.into());
        }
        if let Some(&id) = records.keys().find(|id| !outcomes.contains_key(id)) {
            return Err(ClinicalError::OutcomeMissing { file: found.outcomes, id }.into());
        }
        if let Some(&id) = outcomes.keys().find(|id| !records.contains_key(id)) {
            return Err(ClinicalError::RecordMissing { file: found.records, id }.into());
        }
        let records: Vec<(u64, Vec<u8>)> = records.into_iter().collect();
        let parsed: Vec<Result<stay::Stay, Error>> = records
            .par_iter()
            .map(|(id, bytes)| stay::parse_stay(&found.records.join(format!("{id}.txt")), *id, bytes))
            .collect();
        let n = parsed.len();
        let (mut values, mut descriptors) =
            (Vec::with_capacity(n * N_HOURS * N_PARAMETERS), Vec::with_capacity(n * N_DESCRIPTORS));
        let mut discards = Discards::default();
        for stay in parsed {
            let stay = stay?;
            values.extend_from_slice(&stay.grid);
            descriptors.extend_from_slice(&stay.descriptors);
            discards.add(&stay.discards);
        }
        Ok(Self {
            values: Array3::from_shape_vec((n, N_HOURS, N_PARAMETERS), values)
                .expect("every stay has a grid of this size"),
            descriptors: Array2::from_shape_vec((n, N_DESCRIPTORS), descriptors)
                .expect("every stay has this many descriptors"),
            labels: outcomes.values().copied().collect(),
            record_ids: outcomes.keys().copied().collect(),
            discards,
        })
    }

    /// Whether `root` or `root/physionet2012` holds records and outcomes of set `set`.
    pub fn is_there(root: &Path, set: char) -> bool {
        files::find(root, set).is_ok()
    }

    /// Number of stays.
    pub fn len(&self) -> usize {
        self.record_ids.len()
    }

    /// Whether there is no stay.
    pub fn is_empty(&self) -> bool {
        self.record_ids.is_empty()
    }

    fn targets(&self) -> Targets {
        Targets::Classes { labels: self.labels.clone(), n_classes: 2 }
    }
}

/// Two sets as training and test part, with the scaler fitted on all stays of the training set.
///
/// The inputs need no further scaling; their columns are described by [`physionet2012_layout`].
///
/// # Errors
/// As [`Physionet2012::open`].
pub fn load_physionet2012(
    root: &Path,
    train_set: char,
    test_set: char,
) -> Result<(Dataset, PhysionetScaler), Error> {
    let train = Physionet2012::open(root, train_set)?;
    let rows: Vec<usize> = (0..train.len()).collect();
    let scaler = PhysionetScaler::fit(&train, &rows)?;
    let train_part = scaler.apply(&train)?;
    drop(train);
    let test_part = scaler.apply(&Physionet2012::open(root, test_set)?)?;
    let set = Dataset {
        name: "physionet2012".into(),
        task: Task::Classification,
        train: train_part,
        test: test_part,
        feature_names: scaler::column_names(),
        class_names: vec!["survived".into(), "died".into()],
        image: None,
        layout: scaler.layout(),
        provenance: format!(
            "PhysioNet/CinC Challenge 2012 from {}: trained on set-{train_set}, tested on set-{test_set}, \
             48 hourly bins scaled by set-{train_set}",
            root.display()
        ),
    };
    Ok((set, scaler))
}
