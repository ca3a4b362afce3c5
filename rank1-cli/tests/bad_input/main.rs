//! Bad input, each kind with its own test: one clear line, exit code 2, nothing half-written.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod checkpoint;
mod disk;
mod images;
mod photos;
mod recipe;
mod run;
mod table;
#[path = "../workbench/mod.rs"]
mod workbench;
