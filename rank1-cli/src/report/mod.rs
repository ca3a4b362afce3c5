//! The HTML report: run folders and published figures in, one self-contained page out; no metric is computed here.
//!
//! * [`input`], [`history`], [`table_document`]: the documents of a run folder; [`error`]: what can be wrong with them
//! * [`comparison`]: tables, published figures and rows not run, given by the caller; [`claims`]: reads published figures
//! * `group`, `average`: runs that repeat each other, and means of their curves
//! * `metric`, `number`: names, units, directions; how numbers are written
//! * `overview`, `summary`, `tables`, `charts`: what is shown; `style`, `page`, `provenance`: the page around it
//!
//! [`read_run`] then [`render`] is all a caller needs.

mod average;
mod calibrated;
mod charts;
pub mod claims;
pub mod comparison;
pub mod error;
#[cfg(test)]
mod fabricated;
mod group;
pub mod history;
pub mod input;
mod metric;
mod number;
mod overview;
mod page;
mod provenance;
mod style;
mod summary;
pub mod table_document;
mod tables;

pub use claims::{ClaimsError, read_claims};
pub use comparison::{
    Better, Claim, Comparison, Estimate, NotRun, Notation, Origin, SummaryColumn, SummaryRow, SummaryTable,
};
pub use error::ReportError;
pub use input::{RunDocument, read_run};
pub use page::render;

#[cfg(test)]
mod tests;
