//! MIMIC-III: in-hospital death, predicted some hours after admission to intensive care, from the published CSV tables.
//!
//! Not for other tables or tasks of the database, and not for access to it: the files must be there.
//!
//! The tables are streamed twice, so that memory depends on the cohort and never on the length of a table.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clinical::ClinicalError;
use crate::{Error, InputLayout, Split};

mod assemble;
mod cohort;
mod dataset;
mod events;
mod grid;
mod notes;
mod options;
mod table;
mod time;
mod vocabulary;

pub use cohort::CohortCounts;
pub use events::RowCounts;
pub use options::{BadTimes, EventTable, MimicOptions};

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MimicProgress {
    /// 1 while the training patients' events are counted, 2 while all are stored.
    pub pass: usize,
    /// The table.
    pub table: EventTable,
    /// Rows read of it.
    pub rows: u64,
    /// Bytes read of its file, compressed where the file is.
    pub bytes: u64,
    /// Size of its file.
    pub total_bytes: u64,
    /// Whether the table is read to its end.
    pub done: bool,
}

/// How the values of one numeric item are scaled; all numbers come from the observed steps of training stays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DenseScale {
    /// First percentile: values below it are raised to it.
    pub low: f64,
    /// 99th percentile: values above it are lowered to it.
    pub high: f64,
    /// Mean of the clipped values.
    pub mean: f64,
    /// Standard deviation of the clipped values; 1 if they are all equal.
    pub std: f64,
    /// Median: stands before the first value of a stay.
    pub fill: f64,
}

/// The stays of one part.
#[derive(Debug, Clone, PartialEq)]
pub struct MimicPart {
    /// Inputs as [`MimicSet::layout`] says, and death in hospital (0 survived, 1 died).
    pub split: Split,
    /// SUBJECT_ID of every row.
    pub subject_ids: Vec<u32>,
    /// HADM_ID of every row.
    pub admission_ids: Vec<u32>,
    /// ICUSTAY_ID of every row.
    pub stay_ids: Vec<u32>,
}

/// The cohort as ragged sequences.
///
/// A step holds the values of the numeric items, their masks (1 seen in this step), their times since last seen
/// (`ln(1 + h) / ln(1 + window)`, 1 before the first value), the counts of items and words as `ln(1 + n)`, and the
/// place in the window in (-1, 1). The context holds age, gender (-1 female, 1 male), type of admission and first unit.
/// The number of steps is that up to the last one with an event of a used item or word, 0 for a stay without any.
#[derive(Debug, Clone, PartialEq)]
pub struct MimicSet {
    /// The part to fit on.
    pub train: MimicPart,
    /// The part to choose by; `None` if no patient is in it.
    pub valid: Option<MimicPart>,
    /// The part to report on; `None` if no patient is in it.
    pub test: Option<MimicPart>,
    /// What the columns of a row are.
    pub layout: InputLayout,
    /// Number of numeric items.
    pub n_dense: usize,
    /// Number of counted items and words.
    pub n_bag: usize,
    /// Names of the numeric items, most frequent first: `lab:50912 Creatinine`.
    pub dense_names: Vec<String>,
    /// Names of the counted items, then of the words (`word:stable`), most frequent first.
    pub bag_names: Vec<String>,
    /// Names of the context values.
    pub context_names: Vec<String>,
    /// Scales of the numeric items.
    pub scales: Vec<DenseScale>,
    /// Stays left out, by reason.
    pub cohort: CohortCounts,
    /// Rows used and left out, by table.
    pub rows: BTreeMap<EventTable, RowCounts>,
}

impl MimicSet {
    /// Reads the tables in `root` (`ADMISSIONS.csv.gz` and so on; upper or lower case, gzipped or not).
    ///
    /// Cohort: the first stay in intensive care of every admission, if it lasts at least the window; patients of the least
    /// age at its start (ages above 89, which the tables shift by 300 years, count as 91.4); alive at the time of prediction.
    /// The outcome is HOSPITAL_EXPIRE_FLAG. A patient is in one part only, by a hash of the seed and SUBJECT_ID.
    ///
    /// Events are matched by patient, time in `[INTIME, INTIME + window)` and, where the row has one, HADM_ID. Of an
    /// observation the last value of a step is taken, amounts of inputs and outputs add up; of an infusion that runs beyond
    /// the time of prediction the share before it counts. Left out: rows marked as erroneous or rewritten, notes without a
    /// time of day, and discharge summaries. Numeric items are the most frequent ones of training stays; what has no number
    /// or is not among them is counted. D_ITEMS and D_LABITEMS give names, if present.
    ///
    /// # Errors
    /// [`Error::SetNotFound`] for a table that is missing, [`Error::Io`], [`Error::Compressed`], [`Error::EmptyFile`], and
    /// [`ClinicalError`]: an impossible option, a column that is missing, a field that cannot be read (times of rows of
    /// cohort patients; see [`BadTimes`]), a cohort that is empty or has one outcome in training, arrays above the limit.
    pub fn read(
        root: &Path,
        options: &MimicOptions,
        progress: &mut dyn FnMut(&MimicProgress),
    ) -> Result<Self, Error> {
        options.check()?;
        std::fs::metadata(root).map_err(Error::io(root))?;
        for table in &options.tables {
            table::require(root, table.name())?;
        }
        let cohort = cohort::read(root, options)?;
        let mut counter = vocabulary::Counter::default();
        for &table in &options.tables {
            events::stream(root, table, 1, &cohort, options, progress, &mut |stay, _, event| {
                if cohort.stays[stay].part == 0 {
                    counter.take(&event);
                }
            })?;
        }
        let vocabulary = vocabulary::Vocabulary::choose(counter, options);
        let (n_dense, n_bag, steps) = (vocabulary.dense.len(), vocabulary.n_bag(), options.steps());
        let features = 3 * n_dense + n_bag + 1;
        check_memory(cohort.stays.len(), steps, n_dense, n_bag, options.memory_limit)?;
        let step_seconds = i64::from(options.bin_hours) * 3_600;
        let mut grid = grid::Grid::new(cohort.stays.len(), steps, step_seconds, &vocabulary);
        let mut rows = BTreeMap::new();
        for &table in &options.tables {
            let mut store = |stay, seconds, event: events::Event<'_>| {
                if let Some(place) = vocabulary.place(&event) {
                    grid.take(stay, seconds, place);
                }
            };
            rows.insert(table, events::stream(root, table, 2, &cohort, options, progress, &mut store)?);
        }
        let scales = assemble::fit(&cohort, &grid);
        let part = |which| assemble::part(which, &cohort, &grid, &scales, f64::from(options.bin_hours));
        let labels = vocabulary::Labels::read(root)?;
        let words = vocabulary.words.iter().map(|word| format!("word:{word}"));
        Ok(Self {
            train: part(0)?.expect("the cohort was refused if its training part is empty"),
            valid: part(1)?,
            test: part(2)?,
            layout: InputLayout::Sequence { steps, features, context: assemble::N_CONTEXT, ragged: true },
            n_dense,
            n_bag,
            dense_names: vocabulary.dense.iter().map(|&item| labels.name(item)).collect(),
            bag_names: vocabulary.items.iter().map(|&item| labels.name(item)).chain(words).collect(),
            context_names: assemble::context_names(),
            scales,
            cohort: cohort.counts,
            rows,
        })
    }
}

/// The grid (values, stamps, counts) and the inputs made of it are in memory together.
fn check_memory(
    stays: usize,
    steps: usize,
    n_dense: usize,
    n_bag: usize,
    limit: u64,
) -> Result<(), ClinicalError> {
    let features = 3 * n_dense + n_bag + 1;
    let per_step = 2 * n_dense + n_bag + features;
    let needed = 4 * stays as u64 * steps as u64 * per_step as u64;
    if needed > limit {
        return Err(ClinicalError::Memory { stays, steps, features, needed, limit });
    }
    Ok(())
}
