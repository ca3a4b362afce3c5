//! The suite on CUDA device 0; skipped aloud without one.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

mod suite;

use cubecl::Device;

on_runtime!(Device::cuda(0));
