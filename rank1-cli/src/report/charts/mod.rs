//! The figures of a report, each from averaged curves to an HTML `<figure>`; tables and page order are elsewhere.
//!
//! * `ink`, `axis`, `plot`, `bars`, `cut`: drawing without knowledge of what is drawn
//! * `figure`: heading, legend, panels and caption around drawings
//! * `calibration`, `selective`, `referral`, `entropy`, `shift`, `training`: one figure each, or `None` without data
//! * `table`: the figures of runs on a table

pub(crate) mod axis;
pub(crate) mod bars;
pub(crate) mod calibration;
pub(crate) mod cut;
pub(crate) mod entropy;
pub(crate) mod figure;
pub(crate) mod ink;
pub(crate) mod plot;
pub(crate) mod referral;
pub(crate) mod selective;
pub(crate) mod shift;
pub(crate) mod table;
pub(crate) mod training;
