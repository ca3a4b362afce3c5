//! What engines compute with: matrix products, convolutions, recurrence, pooling, normalization, and the vectors beneath them.
//!
//! For the engines of this workspace. Their contract is speed in single precision at the same bits for any number of threads; names
//! and signatures change without notice. Everything works on flat slices and keeps its memory between calls.

pub mod batch_norm;
pub mod conv;
pub mod dense;
pub mod lstm;
pub(crate) mod partition;
pub mod pool;
pub(crate) mod product;
pub(crate) mod scratch;
pub mod simd;
