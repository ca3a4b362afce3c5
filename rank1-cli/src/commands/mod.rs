//! The verbs of the command line, one file each: arguments as typed become work on the building blocks.

pub mod data;
pub mod evaluate;
pub mod info;
pub mod predict;
pub mod report;
pub mod train;
