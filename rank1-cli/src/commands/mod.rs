//! The verbs of the command line, one file each: arguments as typed become work on the building blocks.

pub mod calibrate;
pub mod corrupt;
pub mod data;
pub mod evaluate;
pub mod fetch;
pub mod fit;
pub mod info;
pub mod predict;
pub mod report;
pub mod train;
pub mod watch;
