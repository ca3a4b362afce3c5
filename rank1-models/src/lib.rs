//! Rank-1 Bayesian networks and their baselines: layers, training, prediction, checkpoints.
//!
//! Reads no data files and prints nothing: inputs are arrays, progress is sent to an observer.
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod cluster;
pub mod device;
pub mod engine;
pub mod error;
pub mod fit;
#[cfg(feature = "burn")]
pub mod fused;
pub mod init;
pub mod inputs;
#[cfg(feature = "burn")]
pub mod layer;
pub mod method;
mod model;
pub mod network;
mod operation;
pub mod optimizer;
pub mod params;
pub mod penalty;
pub mod predict;
pub mod ranks;
pub mod recipe;
pub mod schedule;
pub mod summary;
pub mod train;
mod zoo;

/// The Burn that the layers are made of: a network with them needs no Burn of its own, `use rank1_models::burn;` is enough for its derives.
#[cfg(feature = "burn")]
pub use burn;
pub use error::Error;
pub use model::{Model, Setup};
// What signatures here take of the crates below.
pub use {rank1_core, rank1_priors};

/// The snippets of the workspace's README, compiled and run; one of them is for Burn.
#[cfg(all(doctest, feature = "burn"))]
#[doc = include_str!("../../README.md")]
struct WorkspaceReadme;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
