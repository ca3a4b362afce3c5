//! Same seed, same bytes: with any number of threads, in any chunks, and through any interruption.
#![allow(clippy::unwrap_used)]

mod interrupted;
mod same_seed;
mod streamed;
#[path = "../workbench/mod.rs"]
mod workbench;
