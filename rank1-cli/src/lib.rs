//! Building blocks of the `rank1` command: arguments, runs, evaluation, tables and the report.
#![forbid(unsafe_code)]

pub mod args;
pub mod baseline;
pub mod calibration;
pub mod clinical;
pub mod commands;
pub mod constant;
pub mod corrupted_set;
pub mod data_facts;
pub mod data_file;
pub mod default_model;
pub mod evaluation;
pub mod image_source;
pub mod image_stream;
pub mod json;
pub mod labelled;
pub mod left_out;
pub mod memory;
pub mod model;
pub mod new_images;
pub mod output;
pub mod own_table;
pub mod part;
pub mod progress;
pub mod recipe_file;
pub mod report;
pub mod run_folder;
pub mod run_lock;
pub mod run_split;
pub mod run_start;
pub mod shift;
pub mod source;
pub mod stop;
pub mod tables;
pub mod validation;
