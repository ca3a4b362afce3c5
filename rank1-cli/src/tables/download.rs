//! The files of a downloaded set and whether they are known to be the published ones.

use anyhow::Result;
use rank1_data::fetch::{FetchReport, FetchedFile, Origin, Verification};

use super::{bytes, plain, say};

/// Prints one row per file.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_fetched(report: &FetchReport) -> Result<()> {
    let mut table = plain(&["file", "size", "came", "SHA-256", "digest"]);
    for file in &report.files {
        table.add_row([
            file.path.display().to_string(),
            bytes(file.bytes),
            origin(file),
            file.sha256.chars().take(16).collect(),
            match file.verification {
                Verification::Matches => "as published".to_owned(),
                Verification::NotPublished => "none published".to_owned(),
                Verification::NotWanted => "not compared".to_owned(),
            },
        ]);
    }
    say(&format!("{}: {} files", report.set, report.files.len()))?;
    say(&table.to_string())
}

fn origin(file: &FetchedFile) -> String {
    match file.origin {
        Origin::Present => "was there".to_owned(),
        Origin::Downloaded => "downloaded".to_owned(),
        Origin::Continued(kept) => format!("continued after {}", bytes(kept)),
    }
}
