//! The figures of a report, each from averaged curves to an HTML `<figure>`; tables and page order are elsewhere.
//!
//! * `ink`, `axis`, `plot`: drawing without knowledge of what is drawn
//! * `figure`: heading, legend, panels and caption around drawings
//! * `calibration`, `selective`, `entropy`, `shift`, `training`: one figure each, or `None` without data

pub(crate) mod axis;
pub(crate) mod calibration;
pub(crate) mod entropy;
pub(crate) mod figure;
pub(crate) mod ink;
pub(crate) mod plot;
pub(crate) mod selective;
pub(crate) mod shift;
pub(crate) mod training;
