//! Clinical sets by name: which stays train, which test, and how reading them shows its progress.
//!
//! Not for their formats; see [`rank1_data::clinical`].

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rank1_data::clinical::mimic::MimicProgress;
use rank1_data::{
    Dataset, MimicOptions, MimicSet, Physionet2012, PhysionetScaler, Split, load_physionet2012,
};
use rank1_models::recipe::DataRecipe;

use crate::progress;

/// Name of the open set of intensive-care stays.
pub const PHYSIONET: &str = "physionet2012";

/// Name of the set of the paper, which needs credentials.
pub const MIMIC: &str = "mimic3";

/// Share of MIMIC-III patients in the test part.
const MIMIC_TEST: f64 = 0.1;

/// Reads set a for training and the test set that is there.
///
/// # Errors
/// No folder, and every error of the reader.
pub fn physionet(root: Option<&Path>) -> Result<(Dataset, PhysionetScaler)> {
    let root =
        root.context("data set `physionet2012` needs --data DIR with set-a, set-b and their outcomes")?;
    Ok(load_physionet2012(root, 'a', test_set(root))?)
}

/// The set whose stays are kept for testing: b as published, or the first other one that is there.
fn test_set(root: &Path) -> char {
    ('b'..='z').find(|&set| Physionet2012::is_there(root, set)).unwrap_or('b')
}

/// Stays of one set as a trained model reads them: scaled as its training stays were.
///
/// # Errors
/// A folder without that set, and every error of the reader.
pub fn stays(root: Option<&Path>, set: Option<char>, scaler: &PhysionetScaler) -> Result<Split> {
    let root = root.context("data set `physionet2012` needs --data DIR")?;
    let set = set.unwrap_or_else(|| test_set(root));
    Ok(scaler.apply(&Physionet2012::open(root, set)?)?)
}

/// Reads the MIMIC-III tables; the second value are the training rows of validation patients.
///
/// Patients are divided the same way whatever the seed of a run, so that its repetitions share a test part. The tables are
/// in DIR, `DIR/mimic3` or `DIR/mimiciii`.
///
/// # Errors
/// No folder, training rows that are to be thinned out (which would split patients), and every error of the reader.
pub fn mimic(data: &DataRecipe, root: Option<&Path>, quiet: bool) -> Result<(Dataset, Vec<usize>)> {
    let root = root
        .context("data set `mimic3` needs --data DIR with the published tables (ADMISSIONS.csv.gz, ...)")?;
    if data.train_rows.is_some() {
        bail!("data.train_rows: `mimic3` is divided by patient, its rows cannot be thinned out");
    }
    let folder = [root.join(MIMIC), root.join("mimiciii")].into_iter().find(|folder| folder.is_dir());
    let folder = folder.as_deref().unwrap_or(root);
    let options = MimicOptions {
        window_hours: data.window_hours.unwrap_or(MimicOptions::default().window_hours),
        bin_hours: data.bin_hours.unwrap_or(MimicOptions::default().bin_hours),
        fractions: [
            (1.0 - MIMIC_TEST) * (1.0 - data.validation),
            (1.0 - MIMIC_TEST) * data.validation,
            MIMIC_TEST,
        ],
        ..MimicOptions::default()
    };
    let bar = progress::bytes(quiet);
    let mut show = |p: &MimicProgress| {
        bar.set_length(p.total_bytes);
        bar.set_position(p.bytes);
        bar.set_message(format!("pass {} of 2, {}, {} rows", p.pass, p.table.name(), p.rows));
    };
    let set = MimicSet::read(folder, &options, &mut show);
    bar.finish_and_clear();
    Ok(set?.into_dataset(folder)?)
}
