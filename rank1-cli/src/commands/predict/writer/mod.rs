//! How rows of predictions are written: CSV, JSON lines or Parquet, a block at a time.
//!
//! Not for where they go; see [`crate::output`]. The bytes are the same whatever the blocks are.

mod csv;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;

use std::path::Path;

use anyhow::Result;

use super::columns::Columns;
use crate::args::FormatName;
use crate::output::OutputStream;

/// Takes blocks of rows, which all have the same columns.
pub trait RowWriter {
    /// Writes the rows of a block.
    ///
    /// # Errors
    /// A place that takes no more.
    fn write(&mut self, columns: &Columns) -> Result<()>;

    /// Writes what is held back and gives the stream back.
    ///
    /// # Errors
    /// As [`RowWriter::write`].
    fn finish(self: Box<Self>) -> Result<OutputStream>;
}

/// The format that was asked for, or the one that the ending of the output names; CSV where it names none.
#[must_use]
pub fn format(asked: Option<FormatName>, output: &Path) -> FormatName {
    let ending = output.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    asked.unwrap_or(match ending.as_deref() {
        Some("jsonl" | "ndjson") => FormatName::Jsonl,
        Some("parquet") => FormatName::Parquet,
        _ => FormatName::Csv,
    })
}

/// Refuses a format that this build does not write.
///
/// # Errors
/// Parquet without the feature.
pub fn check_built(format: FormatName) -> Result<()> {
    if format == FormatName::Parquet && !cfg!(feature = "parquet") {
        anyhow::bail!(
            "this build writes no Parquet; build it with the Cargo feature `parquet`, or use --format csv"
        );
    }
    Ok(())
}

/// A writer of rows with these columns.
///
/// # Errors
/// A place that takes no more, and a format that this build does not write.
pub fn open(format: FormatName, stream: OutputStream, columns: &Columns) -> Result<Box<dyn RowWriter>> {
    check_built(format)?;
    Ok(match format {
        FormatName::Jsonl => Box::new(jsonl::JsonLines::new(stream)),
        #[cfg(feature = "parquet")]
        FormatName::Parquet => Box::new(parquet::Groups::new(stream, columns)?),
        _ => Box::new(csv::Table::new(stream, columns)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_names_the_format_unless_it_is_asked_for() {
        for (output, expected) in [
            ("a.csv", FormatName::Csv),
            ("a.JSONL", FormatName::Jsonl),
            ("a.ndjson", FormatName::Jsonl),
            ("a.parquet", FormatName::Parquet),
            ("-", FormatName::Csv),
            ("parquet", FormatName::Csv),
        ] {
            assert_eq!(format(None, Path::new(output)), expected, "{output}");
            assert_eq!(format(Some(FormatName::Jsonl), Path::new(output)), FormatName::Jsonl);
        }
    }
}
