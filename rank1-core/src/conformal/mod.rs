//! Conformal prediction: intervals and sets of classes that hold the truth with a stated probability, whatever the model is.
//!
//! `n` calibration rows, exchangeable with the rows to come and unseen by training, have a *score* each: how badly the
//! prediction fits what was observed. The *threshold* is the score of rank `ceil((n + 1) coverage)`. A value belongs to the
//! interval, a class to the set, exactly when its own score is at most the threshold. Over the draw of calibration rows and
//! the next row together, the probability of coverage is at least `coverage`, and at most `coverage + 1 / (n + 1)` when
//! scores have no ties. Given the calibration rows it is a Beta(rank, n + 1 - rank) variable. Nothing is promised for a
//! single row, nor under a shift.
//!
//! | score | definition | source | file |
//! |---|---|---|---|
//! | [`absolute_scores`] | `|y - mean|` | Vovk et al. 2005; Lei et al. 2018 | `interval.rs` |
//! | [`normalized_scores`] | `|y - mean| / scale` | Papadopoulos et al. 2002 | `interval.rs` |
//! | [`cqr_scores`] | `max(lower - y, y - upper)` | Romano et al. 2019 | `interval.rs` |
//! | [`ClassScore::Lac`] | `1 - p_y` | Sadinle et al. 2019 | `class_score.rs` |
//! | [`ClassScore::Aps`] | probability of the classes before `y`, and of `y` | Romano et al. 2020 | `class_score.rs` |
//! | [`ClassScore::Raps`] | the same with a penalty on the place of `y` | Angelopoulos et al. 2021 | `class_score.rs` |
//!
//! [`threshold()`] has one threshold for all rows, [`class_thresholds`] one for each class (class-conditional, Mondrian), which
//! covers every class on its own. Random numbers of randomized scores are arguments.

mod class_score;
mod interval;
mod set;
mod threshold;

pub use class_score::{ClassScore, label_scores};
pub use interval::{
    IntervalSummary, absolute_interval, absolute_scores, cqr_interval, cqr_scores, normalized_interval,
    normalized_scores, summarize_intervals,
};
pub use set::{SetSummary, prediction_sets, summarize_sets};
pub use threshold::{ClassThresholds, class_thresholds, covered, rank, rows_needed, threshold};

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod coverage_tests;
