//! Changed recipes and checkpoints: refused in one short line, or read; no changed checkpoint is accepted as another one.
//!
//! `cargo test` reads a few hundred inputs a reader, `cargo xtask fuzz` any number. Not for data files, whose readers are in
//! `rank1-data`; the loop is theirs.
#![allow(clippy::unwrap_used)]

mod checkpoints;
#[path = "../../../rank1-data/tests/fuzz/harness/mod.rs"]
mod harness;
mod recipes;

#[test]
fn recipe() {
    harness::fuzz(recipes::file());
}

#[test]
fn recipe_override() {
    harness::fuzz(recipes::overrides());
}

#[test]
fn checkpoint() {
    harness::fuzz(checkpoints::changed());
}

#[test]
fn forged_checkpoint() {
    harness::fuzz(checkpoints::forged());
}
