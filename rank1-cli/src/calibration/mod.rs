//! `calibration.json` of a run: how its predictions are calibrated, an artefact of its own beside a posterior that never changes.
//!
//! [`Artefact::open`] reads it, [`Artefact::block`] says what it makes of a block of predictions, [`fit()`] makes it. Maps and
//! thresholds are rank1-core's.

mod apply;
#[cfg(test)]
mod coverage_tests;
mod document;
mod file;
mod fit;
mod measure;
mod referral;

pub use apply::{Adjusted, Block};
pub use document::{
    Adjustment, Artefact, ClassLevel, Conformal, Costs, InSample, IsotonicKnots, Level, Method,
    ReferralChoice, Rows, RowsKind,
};
pub use fit::{Settings, check_rows, fit};
pub use measure::percent;
pub use referral::ReferralSettings;
