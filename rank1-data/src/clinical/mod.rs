//! Clinical time series: intensive-care stays as fixed grids or ragged sequences of bins.
//!
//! Not for tables without a time axis; see [`crate::table`]. Nothing here leaves a stay out because of its outcome.

pub mod error;
pub mod mimic;
pub mod physionet2012;

pub use error::ClinicalError;
pub use mimic::{MimicOptions, MimicPart, MimicProgress, MimicSet};
pub use physionet2012::{
    Discards, PARAMETERS, Parameter, Physionet2012, PhysionetScaler, Scale, load_physionet2012,
    physionet2012_layout,
};
