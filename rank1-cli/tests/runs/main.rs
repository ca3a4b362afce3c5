//! Run folders, outputs and processes as people really have them: moved, read-only, shared, piped, stopped.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod draws;
mod lock;
mod memory;
mod moved;
mod numbers;
mod opened;
mod output;
mod signals;
mod start;
#[path = "../workbench/mod.rs"]
mod workbench;
