//! Device code: one unit of work per block of four consecutive entries of a row.
//!
//! Nothing here checks a shape; [`crate::launch`] does so first.

pub(crate) mod draw;
pub(crate) mod likelihood;
pub(crate) mod noise;
pub(crate) mod predictive;
pub(crate) mod rows;
pub(crate) mod scale;
pub(crate) mod stream;
