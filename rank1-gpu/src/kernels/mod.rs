//! Device code: one unit of work per block of four consecutive entries of a row, or per square of a product's tile.
//!
//! Nothing here checks a shape; [`crate::launch`] does so first.

pub(crate) mod activation;
pub(crate) mod convolution;
pub(crate) mod draw;
pub(crate) mod draw_backward;
pub(crate) mod elementary;
pub(crate) mod factor;
pub(crate) mod fold;
pub(crate) mod lanes;
pub(crate) mod library;
pub(crate) mod likelihood;
pub(crate) mod linear;
pub(crate) mod linear_backward;
pub(crate) mod matrix;
pub(crate) mod noise;
pub(crate) mod parts;
mod philox;
pub(crate) mod product;
pub(crate) mod rows;
pub(crate) mod segment_sum;
pub(crate) mod stream;
pub(crate) mod window;
